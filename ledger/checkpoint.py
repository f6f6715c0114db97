"""Checkpoints (C2SP tlog-checkpoint): the signed head of a log's tree, and what signs it.

A log signs with Ed25519 and, beside it, with ML-DSA-44, which stays hard to forge for a machine
that breaks Ed25519. Witnesses cosign (C2SP tlog-cosignature). Bytes in, verdict out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ledger.merkle import HASH_SIZE_BYTES
from ledger.note import Note, NoteFormError, Signature, SignatureType, VerifierKey, decode_base64

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    PrivateKey: TypeAlias = Ed25519PrivateKey | MLDSA44PrivateKey

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_TIMESTAMP_BYTES = 8
_LARGEST_TIMESTAMP_SECONDS = 2**63 - 1
_SUBTREE_LABEL = b"subtree/v1\n\x00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log's tree at one size.

    Attributes:
        origin: the log's name.
        size: number of leaves; leaves 0 to size − 1 are under the root.
        root_hash: RFC 9162 root, 32 bytes.
        extension: further lines that the log added, each with its line end; ours adds none.
    """

    origin: str
    size: int
    root_hash: bytes
    extension: str = ""

    def text(self) -> str:
        """Return the text that is signed."""
        root = base64.b64encode(self.root_hash).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{self.extension}"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a checkpoint.

        Raises:
            NoteFormError: fewer than three lines, an empty one, or a size or root out of form.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise NoteFormError("a checkpoint is at least three lines: origin, tree size, root hash")
        origin, size, root, *extension = lines
        if _SIZE.fullmatch(size) is None or int(size) >= 2**63:
            raise NoteFormError(f"{size[:40]!r} is not a tree size")
        root_hash = decode_base64(root, "the root hash")
        if len(root_hash) != HASH_SIZE_BYTES:
            raise NoteFormError(f"the root hash has {len(root_hash)} bytes, not {HASH_SIZE_BYTES}")
        return cls(origin, int(size), root_hash, "".join(f"{line}\n" for line in extension))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its name and way of signing.

    Attributes:
        verifier: the public key that belongs to it.
        private_key: what signs; never printed.
    """

    verifier: VerifierKey
    private_key: PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"

    @classmethod
    def of(cls, name: str, private_key: PrivateKey, *, cosigner: bool = False) -> SigningKey:
        """Return a private key under a name; ``cosigner`` makes an Ed25519 key one that cosigns."""
        if isinstance(private_key, Ed25519PrivateKey):
            kind = SignatureType.COSIGNATURE if cosigner else SignatureType.ED25519
        else:
            kind = SignatureType.ML_DSA_44
        return cls(VerifierKey(name, kind, private_key.public_key().public_bytes_raw()), private_key)

    def sign(self, checkpoint: Checkpoint, at: datetime) -> Signature:
        """Sign a checkpoint; ``at`` is part of what a cosignature signs, in whole seconds (rounded down).

        Raises:
            NoteFormError: name or origin is too long for an ML-DSA-44 cosignature (255 bytes).
        """
        key = self.verifier
        if key.type is SignatureType.ED25519:
            return Signature(key.name, key.id, self.private_key.sign(checkpoint.text().encode()))
        seconds = (at - _EPOCH) // timedelta(seconds=1)
        message = cosigned_message(key, checkpoint, seconds)
        value = seconds.to_bytes(_TIMESTAMP_BYTES, "big") + self.private_key.sign(message)
        return Signature(key.name, key.id, value)


def cosigned_message(key: VerifierKey, checkpoint: Checkpoint, timestamp_seconds: int) -> bytes:
    """Return what a cosigner signs at a time, in seconds since 1970 (C2SP tlog-cosignature).

    Raises:
        NoteFormError: name or origin is too long for an ML-DSA-44 cosignature (255 bytes).
    """
    if key.type is SignatureType.COSIGNATURE:
        return f"cosignature/v1\ntime {timestamp_seconds}\n{checkpoint.text()}".encode()
    return b"".join(
        (
            _SUBTREE_LABEL,
            _short(key.name),
            timestamp_seconds.to_bytes(8, "big"),
            _short(checkpoint.origin),
            bytes(8),  # the subtree starts at leaf 0: it is the whole tree
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root_hash,
        )
    )


def _short(name: str) -> bytes:
    data = name.encode()
    if not 1 <= len(data) <= 255:
        raise NoteFormError(f"{name[:40]!r}… has {len(data)} bytes; a cosignature holds 1 to 255")
    return bytes([len(data)]) + data


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that holds.

    Attributes:
        key: whose it is.
        signed_at: the time that a cosignature signs; None for a plain signature, and for a
            cosignature of time 0, which makes no statement about the time.
    """

    key: VerifierKey
    signed_at: datetime | None


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether an Ed25519 signature (RFC 8032) holds; bytes that are no key or signature never do."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_ml_dsa_44(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether an ML-DSA-44 signature (FIPS 204) without context holds."""
    try:
        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_signature(
    key: VerifierKey, signature: Signature, checkpoint: Checkpoint
) -> VerifiedSignature | None:
    """Return the signature as verified, or None where it does not hold for this key and checkpoint."""
    if not signature.is_by(key):
        return None
    value, message, signed_at = signature.value, checkpoint.text().encode(), None
    if key.type is not SignatureType.ED25519:
        seconds = int.from_bytes(value[:_TIMESTAMP_BYTES], "big")
        if len(value) <= _TIMESTAMP_BYTES or seconds > _LARGEST_TIMESTAMP_SECONDS:
            return None
        try:
            message, value = cosigned_message(key, checkpoint, seconds), value[_TIMESTAMP_BYTES:]
            # Who makes no statement about the time writes 0 (C2SP tlog-cosignature).
            signed_at = _EPOCH + timedelta(seconds=seconds) if seconds else None
        except (NoteFormError, OverflowError):  # a time beyond the year 9999 overflows
            return None
    verify = verify_ml_dsa_44 if key.type is SignatureType.ML_DSA_44 else verify_ed25519
    if not verify(key.public_key, message, value):
        return None
    return VerifiedSignature(key, signed_at)


def has_signed(key: VerifierKey, note: Note, checkpoint: Checkpoint) -> bool:
    """Tell whether a line under the note is this key's and holds."""
    return any(verify_signature(key, each, checkpoint) is not None for each in note.signatures)


def without_false_lines(note: Note, checkpoint: Checkpoint, keys: Iterable[VerifierKey]) -> Note:
    """Return the note without lines that say that they are by one of these keys and do not hold."""
    known = tuple(keys)

    def is_false(line: Signature) -> bool:
        return any(line.is_by(key) and verify_signature(key, line, checkpoint) is None for key in known)

    return Note(note.text, tuple(line for line in note.signatures if not is_false(line)))


def sign_checkpoint(checkpoint: Checkpoint, keys: tuple[SigningKey, ...], at: datetime) -> Note:
    """Return a checkpoint signed by every key, in their order."""
    return Note(checkpoint.text(), tuple(key.sign(checkpoint, at) for key in keys))
