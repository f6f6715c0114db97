"""What a witness keeps in its folder: its name and keys, the logs it watches, what it cosigned last.

::

    witness.json              name and format
    keys/                     the keys that it cosigns with (ledger.outside.keyring)
    logs/ID/log.json          origin and trusted keys of one log
    logs/ID/cosigned          the last checkpoint, with the log's and the witness's signatures
    logs/ID/lock              held while a request to this log is decided and stored
    evidence/                 ledger.witness.evidence

ID is the start of the origin's SHA-256. ``cosigned`` vouches for itself: reading it verifies the
witness's own cosignature, whose time is the time of the last one. An older copy of the folder vouches for
itself just as well, so a backup of it must never be put back into use.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from ledger.checkpoint import Checkpoint, verify_signature
from ledger.errors import InvalidInputError, NotFoundError, WitnessStateError
from ledger.note import Note, NoteFormError, VerifierKey, check_key_name
from ledger.outside.keyring import Keyring, Purpose
from ledger.outside.writing import make_folder, read_small_file, write_file
from ledger.trust import TrustPolicy
from ledger.witness.decision import Cosigned, WatchedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ledger.checkpoint import SigningKey

FORMAT = "margin-ledger-witness/1"
LONGEST_NAME_BYTES = 255
"""Of a witness and of a log: an ML-DSA-44 cosignature holds no longer one (C2SP tlog-cosignature)."""
_ID_DIGITS = 32


class WitnessFolder:
    """The folder of one witness; any number of threads and processes may use it at once.

    Args:
        path: the folder.
        name: the witness's name.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.keyring = Keyring(path / "keys")

    @classmethod
    def create(cls, path: Path, name: str, passphrase: bytes) -> Self:
        """Make a witness with keys of its own.

        Raises:
            InvalidInputError: no usable name, a folder that holds something, or too short a passphrase.
            EnvironmentFaultError: the system refuses.
        """
        check_witness_name(name)
        check_empty(path)
        make_folder(path, private=True)
        witness = cls(path, name)
        witness.keyring.generate(Purpose.WITNESS, name, passphrase)
        make_folder(path / "logs", private=True)
        # Last: a folder counts as a witness's when it has this file.
        write_file(path / "witness.json", _json({"format": FORMAT, "name": name}))
        return witness

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a witness's folder.

        Raises:
            NotFoundError: the folder is none of a witness.
            WitnessStateError: its file cannot be read, or is of another format.
        """
        file = path / "witness.json"
        if not file.is_file():
            raise NotFoundError(
                f"{path} is not the folder of a witness", next_step=f"ledger witness init {path} --name NAME"
            )
        about = _read_json(file)
        if about.get("format") != FORMAT or not isinstance(about.get("name"), str):
            raise WitnessStateError(str(file), f"its format is not {FORMAT}")
        return cls(path, about["name"])

    def public_keys(self) -> tuple[VerifierKey, ...]:
        """Return the keys to publish, Ed25519 before ML-DSA-44."""
        return tuple(key.verifier for key in self.keyring.find(Purpose.WITNESS, self.name, "current"))

    def signing_keys(self, passphrase: Callable[[], bytes]) -> tuple[SigningKey, ...]:
        """Return the keys to cosign with.

        Raises:
            NotFoundError: there are none.
            KeyUnusableError: wrong passphrase.
        """
        return self.keyring.load(Purpose.WITNESS, self.name, passphrase)

    def logs(self, on_problem: Callable[[WitnessStateError], None] | None = None) -> list[WatchedLog]:
        """Return the watched logs, by origin.

        Args:
            on_problem: takes what is wrong with a log that cannot be relied on, which is left out then;
                by default it is raised.

        Raises:
            WitnessStateError: what is kept of one cannot be relied on.
        """
        found = []
        for file in sorted((self.path / "logs").glob("*/log.json")):
            try:
                found.append(self._read(file.parent))
            except WitnessStateError as error:
                if on_problem is None:
                    raise
                on_problem(error)
        return sorted(found, key=lambda log: log.origin)

    @contextmanager
    def locked(self, origin: str) -> Iterator[WatchedLog | None]:
        """Give what is kept of a log, or None where it is not watched, and keep all others out for a block.

        Raises:
            WitnessStateError: what is kept cannot be relied on.
        """
        folder = self._folder(origin)
        if not (folder / "log.json").is_file():
            yield None
            return
        with _exclusive(folder):
            yield self._read(folder)

    def store(self, cosigned: Cosigned) -> None:
        """Keep what was cosigned; returns when it is on the disk. The caller holds :meth:`locked`.

        Raises:
            WitnessStateError: it could not be read back, so that it is not written.
            EnvironmentFaultError: the system refuses.

        In both cases the cosignature must not leave.
        """
        folder = self._folder(cosigned.checkpoint.origin)
        data = cosigned.note.encode()
        self._parse_cosigned(folder / "cosigned", data, cosigned.checkpoint.origin)
        for abandoned in folder.glob(".*.partial"):  # of a process that was killed while it wrote
            abandoned.unlink(missing_ok=True)
        write_file(folder / "cosigned", data, force=True)

    def trust(
        self,
        keys: Iterable[VerifierKey],
        *,
        origin: str | None = None,
        replace: bool = False,
        dry_run: bool = False,
    ) -> WatchedLog:
        """Watch a log, or trust more keys of one that is watched.

        Args:
            keys: what the log signs with.
            origin: the log's name; without it, that of its keys.
            replace: trust these keys alone from now on; what was cosigned stays.
            dry_run: check, and return what would be, but change nothing.

        Raises:
            InvalidInputError: the keys are not a log's or have several names, or the log is the witness.
        """
        own = tuple(key.verifier for key in self.keyring.find(Purpose.WITNESS, self.name))
        # Refuses a log with the name or a key of this witness: nobody is a witness of themselves.
        policy = TrustPolicy.of(tuple(keys), origin=origin, witness_keys=own)
        if not policy.origin.isprintable() or not 1 <= len(policy.origin.encode()) <= LONGEST_NAME_BYTES:
            raise InvalidInputError(f"an origin is 1 to {LONGEST_NAME_BYTES} bytes, all of them printable")
        folder = self._folder(policy.origin)
        if dry_run:
            with self.locked(policy.origin) as log:
                return _with_keys(log, policy, replace=replace)
        make_folder(folder, private=True)
        with _exclusive(folder):
            known = self._read(folder) if (folder / "log.json").is_file() else None
            log = _with_keys(known, policy, replace=replace)
            document = {"origin": log.origin, "trusted_keys": [key.encode() for key in log.trusted_keys]}
            write_file(folder / "log.json", _json(document), force=True)
            return log

    def _folder(self, origin: str) -> Path:
        return self.path / "logs" / log_id(origin)

    def _read(self, folder: Path) -> WatchedLog:
        about = _read_json(folder / "log.json")
        try:
            origin = str(about["origin"])
            trusted = tuple(VerifierKey.parse(text) for text in about["trusted_keys"])
            in_its_folder = self._folder(origin) == folder
        except (KeyError, TypeError, AttributeError, NoteFormError, UnicodeEncodeError) as error:
            raise WitnessStateError(str(folder / "log.json"), f"it cannot be read: {error}") from None
        if not in_its_folder:
            raise WitnessStateError(str(folder / "log.json"), f"it is of {origin}, in another log's folder")
        return WatchedLog(origin, trusted, self._read_cosigned(folder / "cosigned", origin))

    def _read_cosigned(self, file: Path, origin: str) -> Cosigned | None:
        try:
            if not file.exists():
                return None
            data = read_small_file(file)
        except InvalidInputError as error:
            raise WitnessStateError(str(file), f"it is of {origin}: {error.problem}") from None
        except OSError as error:
            raise WitnessStateError(str(file), f"it is of {origin}: {error.strerror}") from None
        return self._parse_cosigned(file, data, origin)

    def _parse_cosigned(self, file: Path, data: bytes, origin: str) -> Cosigned:
        try:
            note = Note.parse(data)
            checkpoint = Checkpoint.parse(note.text)
        except InvalidInputError as error:
            raise WitnessStateError(str(file), f"it is of {origin}: {error.problem}") from None
        own = [key.verifier for key in self.keyring.find(Purpose.WITNESS, self.name)]
        times = [
            verified.signed_at
            for signature in note.signatures
            for key in own
            if (verified := verify_signature(key, signature, checkpoint)) and verified.signed_at
        ]
        if not times or checkpoint.origin != origin:
            raise WitnessStateError(
                str(file), f"it is not a checkpoint of {origin} that {self.name} cosigned"
            )
        return Cosigned(checkpoint, note, max(times))


def check_witness_name(name: str) -> None:
    """Refuse what cannot be the name of a witness.

    Raises:
        InvalidInputError: empty, too long, or with a space, a plus or a control character.
    """
    check_key_name(name)
    if len(name.encode()) > LONGEST_NAME_BYTES:
        raise InvalidInputError(f"the name has more than {LONGEST_NAME_BYTES} bytes")


def check_empty(path: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        InvalidInputError: it does, or it is not a folder.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InvalidInputError(f"{path} is not an empty folder", next_step="give a new folder")


def log_id(origin: str) -> str:
    """Return the name of a log's folder, since an origin may hold what a file's name may not."""
    return hashlib.sha256(origin.encode()).hexdigest()[:_ID_DIGITS]


def _with_keys(log: WatchedLog | None, policy: TrustPolicy, *, replace: bool) -> WatchedLog:
    known = log.trusted_keys if log and not replace else ()
    keys = tuple(dict.fromkeys((*known, *policy.log_keys)))
    return WatchedLog(policy.origin, keys, log.last if log else None)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a log. A lock belongs to the open file, so threads keep each other out as well."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_small_file(file))
    except InvalidInputError as error:
        raise WitnessStateError(str(file), error.problem) from None
    except ValueError:
        raise WitnessStateError(str(file), "it is not JSON") from None
    if not isinstance(document, dict):
        raise WitnessStateError(str(file), "it is not a JSON object")
    return document


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
