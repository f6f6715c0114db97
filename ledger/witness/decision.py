"""What a witness answers to a request (C2SP tlog-witness, add-checkpoint). Values in, an answer out.

Nothing is read or written here. Who carries an answer out stores ``Answer.cosigned`` durably first,
under the lock under which the state was read, and only then lets ``Answer.body`` leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from ledger.checkpoint import Checkpoint, SigningKey, verify_signature
from ledger.clock import format_time
from ledger.merkle import EMPTY_ROOT, node_hash, verify_consistency
from ledger.note import Note, NoteFormError, SignatureType, VerifierKey
from ledger.proof import ConsistencyProof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.note import Signature

CLOCK_TOLERANCE_SECONDS = 5
"""How far the clock may stand behind the last cosignature; within it, the last time is signed again."""
TEXT_TYPE = "text/plain; charset=utf-8"
SIZE_TYPE = "text/x.tlog.size"


class Verdict(StrEnum):
    """What a witness concludes about a request.

    Attributes:
        COSIGNED: every check holds.
        MALFORMED: not a request in its one form, or with the cosignatures it would be none that is read.
        UNKNOWN_LOG: no log of this origin is watched.
        UNTRUSTED_SIGNATURE: no trusted key of the log signed, or a signature that names one does not hold.
        IMPOSSIBLE_SIZE: the old size is above the checkpoint's.
        OTHER_SIZE: the old size is not the last cosigned one.
        UNPROVEN: the proof does not lead from the last cosigned root to this one.
        OTHER_ROOT: two roots for one size.
        CLOCK_BEHIND: the witness's clock stands before its last cosignature.
    """

    COSIGNED = "cosigned"
    MALFORMED = "malformed"
    UNKNOWN_LOG = "unknown_log"
    UNTRUSTED_SIGNATURE = "untrusted_signature"
    IMPOSSIBLE_SIZE = "impossible_size"
    OTHER_SIZE = "other_size"
    UNPROVEN = "unproven"
    OTHER_ROOT = "other_root"
    CLOCK_BEHIND = "clock_behind"

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that says it."""
        return _STATUSES[self]


_STATUSES = {
    Verdict.COSIGNED: HTTPStatus.OK,
    Verdict.MALFORMED: HTTPStatus.BAD_REQUEST,
    Verdict.UNKNOWN_LOG: HTTPStatus.NOT_FOUND,
    Verdict.UNTRUSTED_SIGNATURE: HTTPStatus.FORBIDDEN,
    Verdict.IMPOSSIBLE_SIZE: HTTPStatus.BAD_REQUEST,
    Verdict.OTHER_SIZE: HTTPStatus.CONFLICT,
    Verdict.UNPROVEN: HTTPStatus.UNPROCESSABLE_ENTITY,
    Verdict.OTHER_ROOT: HTTPStatus.CONFLICT,
    Verdict.CLOCK_BEHIND: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The checkpoint of a log that a witness cosigned last.

    Attributes:
        checkpoint: origin, size and root.
        note: the checkpoint's text with the log's and the witness's own signatures.
        at: the time that the cosignatures sign, in whole seconds.
    """

    checkpoint: Checkpoint
    note: Note
    at: datetime


@dataclass(frozen=True, slots=True)
class WatchedLog:
    """A log that a witness watches.

    Attributes:
        origin: its name.
        trusted_keys: the keys that it signs with, as its operator published them.
        last: what was cosigned last, or None before the first time.
    """

    origin: str
    trusted_keys: tuple[VerifierKey, ...]
    last: Cosigned | None = None

    @property
    def size(self) -> int:
        """The last cosigned tree size; zero before the first time."""
        return self.last.checkpoint.size if self.last else 0

    @property
    def root_hash(self) -> bytes:
        """The last cosigned root; that of the empty tree before the first time."""
        return self.last.checkpoint.root_hash if self.last else EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answers, and what has to be kept.

    Attributes:
        verdict: what was concluded; gives the status.
        reason: why, in one line for a person.
        body: of the HTTP response.
        content_type: of the body.
        origin: of the checkpoint, or None where none could be read.
        size: of the checkpoint, or None likewise.
        last_size: the last cosigned size where a log is known, which COSIGNED makes the new one.
        cosigned: what to store before the body leaves; only with COSIGNED.
        cosignatures: the lines of the body, likewise.
        given: the signed checkpoint as it came, likewise.
        contradicts: what was cosigned last where a validly signed checkpoint does not fit it: evidence.
    """

    verdict: Verdict
    reason: str
    body: bytes
    content_type: str = TEXT_TYPE
    origin: str | None = None
    size: int | None = None
    last_size: int | None = None
    cosigned: Cosigned | None = None
    cosignatures: tuple[Signature, ...] = ()
    given: bytes = b""
    contradicts: Cosigned | None = None


def read_request(request: bytes) -> tuple[ConsistencyProof, Note, Checkpoint]:
    """Read the body of an add-checkpoint request without believing it.

    Raises:
        NoteFormError: not in its one form.
    """
    proof = ConsistencyProof.parse(request)
    note = Note.parse(proof.checkpoint)
    return proof, note, Checkpoint.parse(note.text)


def consider(
    request: bytes, log: WatchedLog | None, keys: Sequence[SigningKey], now: datetime
) -> Answer:  # fmt: skip
    """Decide about a request; the checks come in the order of C2SP tlog-witness.

    Args:
        request: the body of add-checkpoint.
        log: the watched log of the checkpoint's origin, or None where there is none.
        keys: what the witness cosigns with.
        now: the time to sign, in whole seconds (rounded down). It is never before the last cosigned
            time: a clock behind by at most CLOCK_TOLERANCE_SECONDS signs the last time again, one
            further behind signs nothing.
    """
    try:
        proof, note, checkpoint = read_request(request)
    except NoteFormError as error:
        return _refuse(Verdict.MALFORMED, error.problem, None, None)
    if log is None or log.origin != checkpoint.origin:
        return _refuse(
            Verdict.UNKNOWN_LOG, f"{checkpoint.origin} is not watched by this witness", checkpoint, None
        )
    signatures = [each for each in note.signatures if any(each.is_by(key) for key in log.trusted_keys)]
    problem = _distrust(signatures, checkpoint, log)
    if problem is not None:
        return _refuse(Verdict.UNTRUSTED_SIGNATURE, problem, checkpoint, log)
    refusal = _unfit(proof, checkpoint, log)
    if refusal is not None:
        return refusal
    last = log.last.at if log.last else now
    if now < last - timedelta(seconds=CLOCK_TOLERANCE_SECONDS):
        return _refuse(
            Verdict.CLOCK_BEHIND,
            f"the clock says {format_time(now)}, and the last cosignature is of {format_time(last)}",
            checkpoint,
            log,
        )
    at = max(now, last).astimezone(UTC).replace(microsecond=0)
    cosignatures = tuple(key.sign(checkpoint, at) for key in keys)
    kept = Note(note.text, _one_for_each_key(signatures)).with_signatures(cosignatures)
    try:
        Note.parse(kept.encode())
    except NoteFormError as error:  # what could not be read back must not be kept
        return _refuse(Verdict.MALFORMED, f"with the cosignatures: {error.problem}", checkpoint, log)
    return Answer(
        Verdict.COSIGNED,
        f"cosigned at {format_time(at)}",
        "".join(each.encode() for each in cosignatures).encode(),
        origin=checkpoint.origin,
        size=checkpoint.size,
        last_size=checkpoint.size,
        cosigned=Cosigned(checkpoint, kept, at),
        cosignatures=cosignatures,
        given=proof.checkpoint,
    )


def shows_another_beginning(proof: ConsistencyProof, checkpoint: Checkpoint, last: Checkpoint) -> bool:
    """Tell whether a refused proof shows by itself that a checkpoint does not grow from the last one.

    A proof holds the nodes of which both roots are made. One that leads to the checkpoint's root, and at
    the old size to another root than the last one's, shows that the tree begins otherwise; a made-up proof
    leads to no signed root. From a power of two there is nothing to be seen: the proof holds no old root.
    """
    size = last.size
    if proof.old_size != size or not 0 < size < checkpoint.size or size & (size - 1) == 0:
        return False
    if not proof.hashes:
        return False
    root = _old_root(size, checkpoint.size, proof.hashes)
    return root != last.root_hash and verify_consistency(
        size, checkpoint.size, proof.hashes, root, checkpoint.root_hash
    )


def _old_root(old_size: int, new_size: int, hashes: Sequence[bytes]) -> bytes:
    """Return the old root that a proof leads to (RFC 9162 §2.1.4.2), if it is one for these sizes."""
    first, last = old_size - 1, new_size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    node = hashes[0]
    for sibling in hashes[1:]:
        if first & 1 or first == last:
            node = node_hash(sibling, node)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        first, last = first >> 1, last >> 1
    return node


def _one_for_each_key(signatures: list[Signature]) -> tuple[Signature, ...]:
    """Return the first line of each key: of ML-DSA-44 there are as many valid ones as a log likes to sign."""
    first: dict[tuple[str, bytes], Signature] = {}
    for each in signatures:
        first.setdefault((each.name, each.key_id), each)
    return tuple(first.values())


def _distrust(signatures: list[Signature], checkpoint: Checkpoint, log: WatchedLog) -> str | None:
    """Return what is wrong with the signatures that name a trusted key, or None.

    One that does not hold spoils the note (C2SP signed-note); and an ML-DSA-44 signature does not sign the
    extension lines, which the witness's Ed25519 cosignature would (see ledger.trust).
    """
    if not signatures:
        return f"no trusted key of {log.origin} signed it"
    pairs = [(key, each) for each in signatures for key in log.trusted_keys if each.is_by(key)]
    if not all(verify_signature(key, each, checkpoint) for key, each in pairs):
        return f"a signature by a trusted key of {log.origin} does not hold"
    if checkpoint.extension and all(key.type is SignatureType.ML_DSA_44 for key, _ in pairs):
        return "its extension lines are not signed by ML-DSA-44 alone"
    return None


def _unfit(proof: ConsistencyProof, checkpoint: Checkpoint, log: WatchedLog) -> Answer | None:
    """Return the refusal of a signed checkpoint that was not shown to grow from the last cosigned one."""
    same_size = checkpoint.size == log.size
    forked = same_size and checkpoint.root_hash != log.root_hash
    if proof.old_size > checkpoint.size:
        reason = f"the old size {proof.old_size} is above the checkpoint's, {checkpoint.size}"
        return _refuse(Verdict.IMPOSSIBLE_SIZE, reason, checkpoint, log, evidence=forked)
    if proof.old_size != log.size:
        reason = f"the last cosigned size is {log.size}, the request starts from {proof.old_size}"
        return _refuse(Verdict.OTHER_SIZE, reason, checkpoint, log, evidence=forked)
    # For equal sizes the proof is the empty one; whether the roots are equal is asked after it.
    holds = (
        not proof.hashes
        if same_size
        else verify_consistency(log.size, checkpoint.size, proof.hashes, log.root_hash, checkpoint.root_hash)
    )
    if not holds:
        reason = (
            f"the proof does not lead from the cosigned tree of {log.size} to this one of {checkpoint.size}"
        )
        return _refuse(Verdict.UNPROVEN, reason, checkpoint, log, evidence=forked or not same_size)
    if forked:
        reason = f"another root was cosigned for the size {log.size}"
        return _refuse(Verdict.OTHER_ROOT, reason, checkpoint, log, evidence=True)
    return None


def _refuse(
    verdict: Verdict,
    reason: str,
    checkpoint: Checkpoint | None,
    log: WatchedLog | None,
    *,
    evidence: bool = False,
) -> Answer:
    size_only = verdict is Verdict.OTHER_SIZE and log is not None
    return Answer(
        verdict,
        reason,
        f"{log.size}\n".encode() if size_only and log else f"{reason}\n".encode(),
        content_type=SIZE_TYPE if size_only else TEXT_TYPE,
        origin=checkpoint.origin if checkpoint else None,
        size=checkpoint.size if checkpoint else None,
        last_size=log.size if log else None,
        contradicts=log.last if evidence and log else None,
    )
