"""Signing keys in a folder: private keys as encrypted PKCS#8, public ones beside them as text.

``cryptography`` derives the key of a PKCS#8 file from its passphrase with 2,048 rounds of PBKDF2, so a
passphrase has to be long and random.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.checkpoint import SigningKey
from ledger.errors import InvalidInputError, KeyUnusableError, NotFoundError
from ledger.note import NoteFormError, SignatureType, VerifierKey
from ledger.outside.writing import make_folder, read_small_file, sync_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger.checkpoint import PrivateKey

SHORTEST_PASSPHRASE = 12
_RETIRED = "retired"
_NEXT = "next"
_PROMOTION = "promotion"


class Purpose(StrEnum):
    """What a key signs. One key never serves two purposes."""

    CHECKPOINT = "checkpoint"
    BUNDLE = "bundle"
    WITNESS = "witness"


_TYPES = {
    Purpose.CHECKPOINT: (SignatureType.ED25519, SignatureType.ML_DSA_44),
    Purpose.BUNDLE: (SignatureType.ED25519,),
    Purpose.WITNESS: (SignatureType.COSIGNATURE, SignatureType.ML_DSA_44),
}


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key in a folder.

    Attributes:
        purpose: what it signs.
        verifier: the public key.
        file: where the private key is.
        state: ``current``, ``next`` (made, not in use yet) or ``retired``.
    """

    purpose: Purpose
    verifier: VerifierKey
    file: Path
    state: str


class Keyring:
    """The keys of one folder.

    Args:
        folder: holds ``PURPOSE-ID.pem`` and ``PURPOSE-ID.vkey``, and the same below ``next`` and ``retired``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(
        self, purpose: Purpose | None = None, name: str | None = None, state: str | None = None
    ) -> list[StoredKey]:
        """Return the keys, the current ones first, Ed25519 before ML-DSA-44.

        Raises:
            InvalidInputError: a file of a public key cannot be read.
        """
        found = []
        for each, folder in (
            ("current", self.folder),
            ("next", self.folder / _NEXT),
            ("retired", self.folder / _RETIRED),
        ):
            for path in sorted(folder.glob("*.vkey")) if state in {None, each} else []:
                word, _, _ = path.stem.partition("-")
                try:
                    key = VerifierKey.parse(read_small_file(path).decode("ascii", "replace").strip())
                    found.append(StoredKey(Purpose(word), key, path.with_suffix(".pem"), each))
                except NoteFormError as error:
                    raise error.within(str(path)) from None
                except ValueError:
                    raise InvalidInputError(
                        f"{word!r} is no purpose of a key; known are {', '.join(Purpose)}", place=(str(path),)
                    ) from None
        wanted = [
            key for key in found if purpose in {None, key.purpose} and name in {None, key.verifier.name}
        ]
        return sorted(wanted, key=lambda key: (key.state, key.purpose, key.verifier.type))

    def generate(
        self, purpose: Purpose, name: str, passphrase: bytes, *, state: str = "current"
    ) -> list[StoredKey]:
        """Make a new key, or a pair of them, for a purpose; of half a pair, after a crash, the other half.

        Raises:
            InvalidInputError: the passphrase is shorter than 12 bytes, or such keys are there already.
            EnvironmentFaultError: the files cannot be written.
        """
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise InvalidInputError(
                f"the passphrase has fewer than {SHORTEST_PASSPHRASE} bytes",
                next_step="give a long one: openssl rand -base64 24",
            )
        self.finish_promotion()
        present = self.find(purpose, name, state)
        missing = self._missing(purpose, present)
        if not missing:
            raise InvalidInputError(
                f"there is a {state} {purpose} key already: {present[0].verifier}",
                next_step="ledger keys rotate",
            )
        for half in present:  # of a pair that was interrupted; both open with one passphrase
            _load(half, passphrase)
        keys = [_new_key(name, kind) for kind in missing]
        folder = self.folder / _NEXT if state == "next" else self.folder
        make_folder(self.folder, private=True)
        make_folder(folder, private=True)
        for key in keys:
            stem = f"{purpose}-{key.verifier.id.hex()}"
            pem = key.private_key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
            )
            # The public file last: a key counts as there when it has one.
            write_file(folder / f"{stem}.pem", pem, private=True)
            write_file(folder / f"{stem}.vkey", f"{key.verifier.encode()}\n".encode())
        return self.find(purpose, name, state)

    def load(
        self, purpose: Purpose, name: str, passphrase: Callable[[], bytes], *, state: str = "current"
    ) -> tuple[SigningKey, ...]:
        """Return the keys of a purpose and a name, ready to sign.

        Args:
            purpose: what they shall sign.
            name: of the keys.
            passphrase: asked for only where there is a key.
            state: ``current``, ``next`` or ``retired``.

        Raises:
            NotFoundError: there is no such key.
            KeyUnusableError: wrong passphrase, or the private file is not that of the public one.
        """
        self.finish_promotion()
        stored = self.find(purpose, name, state)
        if not stored:
            raise NotFoundError(
                f"there is no {state} {purpose} key of {name} in {self.folder}",
                next_step=f"ledger keys generate --purpose {purpose}",
            )
        words = passphrase()
        return tuple(_load(key, words) for key in stored)

    def promote(self, purpose: Purpose, name: str) -> None:
        """Retire the current keys of a purpose and make the next ones current; may be repeated.

        What is to be moved is written down first, so that a crash in between is made up for.
        """
        self.finish_promotion()
        fresh = self.find(purpose, name, "next")
        if not fresh:
            return
        lines = [f"retired {key.file.stem}\n" for key in self.find(purpose, name, "current")]
        lines += [f"current {key.file.stem}\n" for key in fresh]
        write_file(self.folder / _PROMOTION, "".join(lines).encode(), force=True, private=True)
        self.finish_promotion()

    def finish_promotion(self) -> bool:
        """Do what is left of a promotion that was interrupted; return whether there was one."""
        journal = self.folder / _PROMOTION
        if not journal.exists():
            return False
        retired = self.folder / _RETIRED
        make_folder(retired, private=True)
        for line in read_small_file(journal).decode("ascii", "replace").splitlines():
            state, _, stem = line.partition(" ")
            # A key is where its public file is, which is the first to leave and the last to arrive.
            source, target, suffixes = (
                (self.folder, retired, (".vkey", ".pem"))
                if state == "retired"
                else (self.folder / _NEXT, self.folder, (".pem", ".vkey"))
            )
            for path in (source / f"{stem}{suffix}" for suffix in suffixes):
                with suppress(FileNotFoundError):  # moved already, by us before or by somebody else just now
                    path.replace(target / path.name)
        for folder in (retired, self.folder):
            sync_folder(folder)
        journal.unlink(missing_ok=True)
        return True

    def is_complete(self, purpose: Purpose, name: str, state: str = "current") -> bool:
        """Tell whether there is a key of each type that a purpose has."""
        return not self._missing(purpose, self.find(purpose, name, state))

    def _missing(self, purpose: Purpose, present: list[StoredKey]) -> list[SignatureType]:
        types = {key.verifier.type for key in present}
        return [kind for kind in _TYPES[purpose] if kind not in types]


def _new_key(name: str, kind: SignatureType) -> SigningKey:
    if kind is SignatureType.ML_DSA_44:
        return SigningKey.of(name, MLDSA44PrivateKey.generate())
    return SigningKey.of(name, Ed25519PrivateKey.generate(), cosigner=kind is SignatureType.COSIGNATURE)


def _load(key: StoredKey, passphrase: bytes) -> SigningKey:
    try:
        private_key = load_pem_private_key(read_small_file(key.file), passphrase)
    except (ValueError, TypeError) as error:  # TypeError: the file is not encrypted
        raise KeyUnusableError(
            str(key.file),
            "it is not encrypted"
            if isinstance(error, TypeError)
            else "wrong passphrase, or not a PKCS#8 file",
        ) from None
    if not isinstance(private_key, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise KeyUnusableError(str(key.file), "it is neither Ed25519 nor ML-DSA-44")
    return _matching(key, private_key)


def _matching(key: StoredKey, private_key: PrivateKey) -> SigningKey:
    signing = SigningKey.of(
        key.verifier.name, private_key, cosigner=key.verifier.type is SignatureType.COSIGNATURE
    )
    if signing.verifier != key.verifier:
        raise KeyUnusableError(str(key.file), "it is not the private key of the .vkey file beside it")
    return signing
