"""Whom a verifier trusts, and whether a checkpoint stands up to it. Bytes in, verdict out.

Keys, names and thresholds come from the person who checks, never from the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.checkpoint import Checkpoint, VerifiedSignature, verify_signature
from ledger.clock import format_time
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.note import Note, NoteFormError, SignatureType, VerifierKey

if TYPE_CHECKING:
    from datetime import datetime

_WITNESS_TYPES = {SignatureType.COSIGNATURE, SignatureType.ML_DSA_44}
_LOG_TYPES = {SignatureType.ED25519, SignatureType.ML_DSA_44}


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What a checkpoint must have to be believed.

    Attributes:
        origin: the log's name, which the checkpoint must carry.
        log_keys: keys that the log signs with; one valid signature by any of them is needed, and none
            that claims to be by one of them may be invalid.
        witness_keys: keys of witnesses.
        required_witnesses: how many witnesses, told apart by name, must have cosigned.
        compromised_at: from when on somebody else may have held the log's keys; then a checkpoint
            counts only if a witness or a timestamp shows that it was signed before.
    """

    origin: str
    log_keys: tuple[VerifierKey, ...]
    witness_keys: tuple[VerifierKey, ...] = ()
    required_witnesses: int = 0
    compromised_at: datetime | None = None

    @classmethod
    def of(
        cls,
        log_keys: tuple[VerifierKey, ...],
        *,
        origin: str | None = None,
        witness_keys: tuple[VerifierKey, ...] = (),
        required_witnesses: int = 0,
        compromised_at: datetime | None = None,
    ) -> TrustPolicy:
        """Make a policy; without an origin it is the name of the log's keys.

        Raises:
            InvalidInputError: the keys do not fit their parts, or the names leave the origin open.
        """
        names = sorted({key.name for key in log_keys})
        if not names:
            raise InvalidInputError(
                "no key of the log is trusted, so no signature could be checked",
                next_step="give --trusted-key, as the log's operator published it",
            )
        if origin is None and len(names) > 1:
            raise InvalidInputError(
                f"the trusted keys have several names: {', '.join(names)}",
                next_step="say which log is meant: --origin NAME",
            )
        for key, types, part in (
            *((key, _LOG_TYPES, "a log") for key in log_keys),
            *((key, _WITNESS_TYPES, "a witness") for key in witness_keys),
        ):
            if key.type not in types:
                raise InvalidInputError(f"the key {key} is not one that {part} signs with")
        log_names = {*names, origin}
        shared = next((key.name for key in witness_keys if key.name in log_names), None)
        if shared is not None:
            raise InvalidInputError(f"{shared} is the log; nobody is a witness of themselves")
        names_of: dict[bytes, set[str]] = {}
        for key in (*log_keys, *witness_keys):
            names_of.setdefault(key.public_key, set()).add(key.name)
        for key in witness_keys:
            # A cosignature/v1 does not sign its cosigner's name, so it would hold under each of them.
            if len(names_of[key.public_key]) > 1:
                raise InvalidInputError(f"{' and '.join(sorted(names_of[key.public_key]))} are one key")
        witnesses = {key.name for key in witness_keys}
        if required_witnesses > len(witnesses):
            raise InvalidInputError(
                f"{required_witnesses} witnesses are required, and the keys of {len(witnesses)} are given",
                next_step="give --witness-key for each witness that you trust",
            )
        return cls(
            names[0] if origin is None else origin, log_keys, witness_keys, required_witnesses, compromised_at
        )


@dataclass(frozen=True, slots=True)
class TrustedCheckpoint:
    """A checkpoint that stands up to a policy.

    Attributes:
        checkpoint: origin, size and root.
        note: the signed note as it was given.
        log_signatures: those of the log that hold.
        cosignatures: those of trusted witnesses, all of which hold.
        stamped_at: the time of a timestamp token over the log's signed note, where one was given.
    """

    checkpoint: Checkpoint
    note: Note
    log_signatures: tuple[VerifiedSignature, ...]
    cosignatures: tuple[VerifiedSignature, ...]
    stamped_at: datetime | None = None

    @property
    def witnesses(self) -> tuple[str, ...]:
        """The names of the witnesses that cosigned."""
        return tuple(sorted({each.key.name for each in self.cosignatures}))


def read_checkpoint(data: bytes) -> tuple[Note, Checkpoint]:
    """Read a signed checkpoint without believing it.

    Raises:
        EvidenceRefusedError: not a checkpoint in its one form.
    """
    try:
        note = Note.parse(data)
        return note, Checkpoint.parse(note.text)
    except NoteFormError as error:
        raise EvidenceRefusedError("checkpoint", "a signed checkpoint", error.problem) from None


def trust_checkpoint(
    data: bytes, policy: TrustPolicy, *, stamped_at: datetime | None = None
) -> TrustedCheckpoint:
    """Hold a signed checkpoint to a policy.

    Args:
        data: the note's bytes.
        policy: whom the caller trusts.
        stamped_at: the time of a valid timestamp token over ``stamped_bytes``, where the caller has one.

    Raises:
        EvidenceRefusedError: names the check that fails: ``checkpoint`` (form), ``origin``,
            ``signature``, ``witnesses`` or ``compromise``.
    """
    note, checkpoint = read_checkpoint(data)
    if checkpoint.origin != policy.origin:
        raise EvidenceRefusedError("origin", policy.origin, checkpoint.origin)
    log_signatures = _verified(note, checkpoint, policy.log_keys)
    if not log_signatures:
        wanted = " or ".join(f"{key}" for key in policy.log_keys)
        found = ", ".join(f"{each.name}+{each.key_id.hex()}" for each in note.signatures)
        raise EvidenceRefusedError("signature", f"a signature by {wanted}", f"signatures by {found}")
    if checkpoint.extension and all(each.key.type is SignatureType.ML_DSA_44 for each in log_signatures):
        raise EvidenceRefusedError("signature", "one that signs the extension lines", "ML-DSA-44 alone")
    trusted = TrustedCheckpoint(
        checkpoint, note, log_signatures, _verified(note, checkpoint, policy.witness_keys), stamped_at
    )
    if len(trusted.witnesses) < policy.required_witnesses:
        raise EvidenceRefusedError(
            "witnesses",
            f"{policy.required_witnesses} trusted witnesses",
            f"{len(trusted.witnesses)}: {', '.join(trusted.witnesses) or 'none'}",
        )
    _check_compromise(trusted, policy)
    return trusted


def stamped_bytes(note: Note, checkpoint: Checkpoint) -> bytes:
    """Return the part of a signed checkpoint that a timestamp token is over: text and the log's signatures.

    The signatures are in it, so that the token shows them to be old too; cosignatures are not, since
    they may come later. A log's signatures are those under its origin's name.
    """
    return note.signed_by(checkpoint.origin).encode()


def _verified(
    note: Note, checkpoint: Checkpoint, keys: tuple[VerifierKey, ...]
) -> tuple[VerifiedSignature, ...]:
    """Return the signatures by some keys; one that claims to be by such a key has to hold."""
    found = []
    for signature in note.signatures:
        for key in keys:
            if signature.is_by(key):
                verified = verify_signature(key, signature, checkpoint)
                if verified is None:
                    raise EvidenceRefusedError(
                        "signature",
                        f"a valid signature by {key}",
                        "one that does not hold",
                    )
                found.append(verified)
    return tuple(found)


def _check_compromise(trusted: TrustedCheckpoint, policy: TrustPolicy) -> None:
    """After a compromise the log's own signature shows nothing of when it was made; others' do."""
    limit = policy.compromised_at
    if limit is None:
        return
    before = {
        each.key.name
        for each in trusted.cosignatures
        if each.signed_at is not None and each.signed_at < limit
    }
    # A signature under another name than the origin's is not in stamped_bytes, and may be younger.
    is_stamped = any(each.key.name == trusted.checkpoint.origin for each in trusted.log_signatures)
    stamped_before = is_stamped and trusted.stamped_at is not None and trusted.stamped_at < limit
    if not stamped_before and len(before) < max(1, policy.required_witnesses):
        times = [
            *(
                f"{each.key.name} at {format_time(each.signed_at)}"
                for each in trusted.cosignatures
                if each.signed_at is not None
            ),
            *([f"a timestamp of {format_time(trusted.stamped_at)}"] if trusted.stamped_at else []),
        ]
        raise EvidenceRefusedError(
            "compromise",
            f"a cosignature or timestamp from before {format_time(limit)}, when the key was compromised",
            ", ".join(times) or "none",
        )
