"""Proofs as files: an event's inclusion (C2SP tlog-proof) and a log's growth (C2SP tlog-witness).

Both are read strictly: what ``parse`` accepts, ``encode`` gives back to the byte. Bytes in, verdict out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.canonical import leaf_hash
from ledger.chain import parse_entry
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.merkle import HASH_SIZE_BYTES, verify_consistency, verify_inclusion
from ledger.note import LARGEST_NOTE_BYTES, NoteFormError, decode_base64
from ledger.trust import TrustedCheckpoint, TrustPolicy, trust_checkpoint

if TYPE_CHECKING:
    from datetime import datetime

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
"""A tree of fewer than 2^63 leaves needs no longer path."""
_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Shows that an entry is in the tree of a checkpoint.

    Attributes:
        index: the entry's place in the log.
        hashes: the path from the leaf's sibling to the root's child.
        checkpoint: the signed checkpoint, as its bytes.
        extra: data that nobody signed, or None.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the ``.tlog-proof`` file."""
        extra = [] if not self.extra else [f"extra {base64.b64encode(self.extra).decode()}"]
        head = "\n".join([PROOF_HEADER, *extra, f"index {self.index}", *_encode_hashes(self.hashes)])
        return f"{head}\n\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> InclusionProof:
        """Read a ``.tlog-proof`` file.

        Raises:
            NoteFormError: not such a file, or not in its one form.
        """
        lines, checkpoint = _split(data)
        if lines.pop(0) != PROOF_HEADER:
            raise NoteFormError(f"the first line is not {PROOF_HEADER}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "), "the extra data")
        index = _number(lines, "index")
        return cls(index, _decode_hashes(lines), checkpoint, extra)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Shows that the tree of a checkpoint only grew from a smaller one.

    As a file it is the body of a request to a witness (C2SP tlog-witness, add-checkpoint).

    Attributes:
        old_size: size of the smaller tree.
        hashes: the proof of RFC 9162 §2.1.4.
        checkpoint: the signed checkpoint of the larger tree, as its bytes.
    """

    old_size: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the file."""
        head = "\n".join([f"old {self.old_size}", *_encode_hashes(self.hashes)])
        return f"{head}\n\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> ConsistencyProof:
        """Read such a file.

        Raises:
            NoteFormError: not such a file, or not in its one form.
        """
        lines, checkpoint = _split(data)
        old_size = _number(lines, "old")
        return cls(old_size, _decode_hashes(lines), checkpoint)


def is_inclusion_proof(data: bytes) -> bool:
    """Tell by its first line whether a file says that it is a ``.tlog-proof``."""
    return data.startswith(PROOF_HEADER.encode())


@dataclass(frozen=True, slots=True)
class InclusionVerdict:
    """What a checked inclusion proof shows.

    Attributes:
        sequence: where the entry stands.
        leaf_hash: its hash, 32 bytes.
        event_id: the event's id, or None for an entry of another log.
        event_type: likewise.
        trusted: the checkpoint that holds it.
    """

    sequence: int
    leaf_hash: bytes
    event_id: str | None
    event_type: str | None
    trusted: TrustedCheckpoint


def check_inclusion(
    data: bytes,
    entry: bytes,
    policy: TrustPolicy,
    *,
    stamped_at: datetime | None = None,
    foreign: bool = False,
) -> InclusionVerdict:
    """Tie a proof, an entry, the checkpoint and the trusted keys together.

    Args:
        data: the ``.tlog-proof`` file.
        entry: the entry's bytes; of a margin ledger, the canonical entry.
        policy: whom the caller trusts.
        stamped_at: see :func:`ledger.trust.trust_checkpoint`.
        foreign: the entry is one of another kind of log, so only its hash is looked at.

    Raises:
        EvidenceRefusedError: names the check that fails: those of trust_checkpoint, ``proof`` (form),
            ``event`` (its bytes, its origin or its sequence), or ``inclusion``.
    """
    try:
        proof = InclusionProof.parse(data)
    except NoteFormError as error:
        raise EvidenceRefusedError("proof", "an inclusion proof", error.problem) from None
    trusted = trust_checkpoint(proof.checkpoint, policy, stamped_at=stamped_at)
    event_id, event_type = (None, None) if foreign else _check_entry(entry, proof.index, policy.origin)
    leaf, checkpoint = leaf_hash(entry), trusted.checkpoint
    if not verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root_hash):
        raise EvidenceRefusedError(
            "inclusion",
            f"the entry that was signed at place {proof.index} of {checkpoint.size}",
            f"another, or another path: from the hash {leaf.hex()} it does not lead to the root",
        )
    return InclusionVerdict(proof.index, leaf, event_id, event_type, trusted)


def check_consistency(
    data: bytes, old: TrustedCheckpoint, policy: TrustPolicy, *, stamped_at: datetime | None = None
) -> TrustedCheckpoint:
    """Check that the checkpoint in a consistency proof only grew from an older trusted one.

    Raises:
        EvidenceRefusedError: names the check that fails: those of trust_checkpoint, ``proof`` (form),
            ``old_size``, or ``consistency``.
    """
    try:
        proof = ConsistencyProof.parse(data)
    except NoteFormError as error:
        raise EvidenceRefusedError("proof", "a consistency proof", error.problem) from None
    trusted = trust_checkpoint(proof.checkpoint, policy, stamped_at=stamped_at)
    before, after = old.checkpoint, trusted.checkpoint
    if before.origin != after.origin:
        raise EvidenceRefusedError("origin", f"growth of {before.origin}", f"a tree of {after.origin}")
    if proof.old_size != before.size:
        raise EvidenceRefusedError(
            "old_size", f"a proof from size {before.size}", f"one from size {proof.old_size}"
        )
    if not verify_consistency(before.size, after.size, proof.hashes, before.root_hash, after.root_hash):
        raise EvidenceRefusedError(
            "consistency",
            f"a tree of {after.size} that grew from the one of {before.size}",
            "a proof that does not lead from one root to the other",
        )
    return trusted


def _check_entry(entry: bytes, index: int, origin: str) -> tuple[str, str]:
    try:
        found = parse_entry(entry)
    except InvalidInputError as error:
        raise EvidenceRefusedError(
            "event",
            "a canonical entry",
            error.message,
            next_step="give its bytes as they were recorded: ledger show SEQUENCE --canonical > FILE",
        ) from None
    if found.link.ledger != origin:
        raise EvidenceRefusedError("event", f"an event of {origin}", f"one of {found.link.ledger}")
    if found.link.sequence != index:
        raise EvidenceRefusedError("event", f"sequence {index}", f"sequence {found.link.sequence}")
    event_id, event_type = found.event.get("id"), found.event.get("type")
    if not isinstance(event_id, str) or not isinstance(event_type, str):
        raise EvidenceRefusedError("event", "an event with an id and a type", "one without")
    return event_id, event_type


def _split(data: bytes) -> tuple[list[str], bytes]:
    if len(data) > LARGEST_NOTE_BYTES:
        raise NoteFormError(f"a proof of {len(data)} bytes; {LARGEST_NOTE_BYTES} are read at most")
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank:
        raise NoteFormError("no checkpoint follows after an empty line")
    try:
        return head.decode("ascii").split("\n"), checkpoint
    except UnicodeDecodeError as error:
        raise NoteFormError(f"byte {error.start} of the proof is not ASCII") from None


def _number(lines: list[str], name: str) -> int:
    word, _, digits = (lines.pop(0) if lines else "").partition(" ")
    if word != name or _INDEX.fullmatch(digits) is None or int(digits) >= 2**63:
        raise NoteFormError(f"the line with the {name} is missing or not a plain number")
    return int(digits)


def _encode_hashes(hashes: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(each).decode() for each in hashes]


def _decode_hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > MOST_HASHES:
        raise NoteFormError(f"{len(lines)} hashes; {MOST_HASHES} are the most that a proof has")
    hashes = tuple(decode_base64(line, f"hash {place} of the proof") for place, line in enumerate(lines))
    if any(len(each) != HASH_SIZE_BYTES for each in hashes):
        raise NoteFormError(f"a hash of the proof has not {HASH_SIZE_BYTES} bytes")
    return hashes
