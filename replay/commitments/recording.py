"""Putting a commitment into the ledger and under a signed checkpoint."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.canonical import encode
from ledger.clock import SystemClock
from ledger.errors import IntegrityError
from ledger.events.base import json_object
from ledger.events.envelope import Draft
from ledger.progress import SILENT
from ledger.prove import prove_inclusion
from ledger.signing.head import sign_head
from ledger.store.rollback import ledger_size
from ledger.store.tree import event_tree
from replay.solvency import AttestedEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.checkpoint import SigningKey
    from ledger.clock import Clock
    from ledger.events.governance import StateCommitted
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.progress import Progress
    from ledger.proof import InclusionProof
    from ledger.signing.head import SignedHead
    from ledger.store.ledger import Ledger
    from replay.solvency import Attestation, Commitment

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "margin-ledger/commitment/1")


@dataclass(frozen=True, slots=True)
class RecordedCommitment:
    """A commitment that is in the log.

    Attributes:
        sequence: where.
        entry: its canonical bytes.
        head: the signed checkpoint that contains it.
        proof: of its inclusion there.
        attestations: entries that attest reserves, with their paths to the same root.
        fresh: False where the same commitment had been recorded before.
    """

    sequence: int
    entry: bytes
    head: SignedHead
    proof: InclusionProof
    attestations: tuple[AttestedEntry, ...]
    fresh: bool


def record_commitment(
    ledger: Ledger,
    commitment: Commitment,
    attestations: Iterable[Attestation],
    keys: tuple[SigningKey, ...],
    checkpoints: CheckpointFolder,
    *,
    clock: Clock | None = None,
    progress: Progress = SILENT,
) -> RecordedCommitment:
    """Record a commitment, sign the head above it, and prove that it is there.

    The same commitment is recorded once: its id follows from what it says.

    Args:
        ledger: opened for writing, by who may append ``StateCommitted`` (the governance role).
        commitment: what to record.
        attestations: whose events are proved to be in the log, too.
        keys: the log's.
        checkpoints: where the checkpoint is kept.
        clock: for the event's time.
        progress: told one step an event that is signed.

    Raises:
        AppendNotPermittedError: the database user may not append it.
        IntegrityError: another event was recorded under its id.
        LedgerError: as :func:`ledger.signing.head.sign_head`; the commitment is recorded then, and the
            next checkpoint signs it.
    """
    payload = commitment.payload()
    event_id = commitment_id(payload)
    known = ledger.find_event(event_id)
    if known is None:
        ledger.append([Draft(data=payload, id=event_id, occurred_at=(clock or SystemClock()).now())])
    event = known or ledger.event_by_id(event_id)
    if event.data != payload:
        raise IntegrityError(
            f"event {event.sequence} has the id of this commitment and says something else",
            next_step=f"ledger show {event.sequence} says who wrote it; another seed makes another one",
        )
    head = sign_head(ledger, keys, checkpoints, clock=clock, progress=progress)
    with ledger.reading() as connection:
        tree = event_tree(connection, ledger_size(connection))
        proof = prove_inclusion(tree, event.sequence, head.note, head.checkpoint)
        sequences = sorted(each.reserve.sequence for each in attestations)
        paths = [tuple(tree.inclusion_proof(each, head.checkpoint.size)) for each in sequences]
    attested = tuple(
        AttestedEntry(ledger.event(sequence).canonical, path)
        for sequence, path in zip(sequences, paths, strict=True)
    )
    return RecordedCommitment(event.sequence, event.canonical, head, proof, attested, fresh=known is None)


def commitment_id(payload: StateCommitted) -> uuid.UUID:
    """Return the id of a commitment, which follows from what it says."""
    return uuid.uuid5(_NAMESPACE, hashlib.sha256(encode(json_object(payload))).hexdigest())
