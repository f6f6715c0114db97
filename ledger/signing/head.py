"""Signing the ledger's head: never one that does not follow from the last one signed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.canonical import leaf_hash
from ledger.chain import ZERO_HASH, link_of
from ledger.checkpoint import Checkpoint, SigningKey, has_signed, sign_checkpoint, without_false_lines
from ledger.clock import Clock, SystemClock, format_time
from ledger.errors import ChainBrokenError, IntegrityError, InvalidInputError
from ledger.events.envelope import Draft
from ledger.merkle import MerkleFrontier, verify_inclusion
from ledger.progress import SILENT, Progress
from ledger.store.read import EventQuery, read_entries
from ledger.store.rollback import agrees, check_not_behind, ledger_size
from ledger.store.tree import event_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from ledger.canonical import JsonObject
    from ledger.events.envelope import Event
    from ledger.note import Note
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint of the ledger's head.

    Attributes:
        checkpoint: origin, size and root.
        note: the signed note.
        path: where it is kept.
        fresh: False where the head had been signed before and nothing came since.
    """

    checkpoint: Checkpoint
    note: Note
    path: Path
    fresh: bool


def sign_head(
    ledger: Ledger,
    keys: tuple[SigningKey, ...],
    checkpoints: CheckpointFolder,
    *,
    clock: Clock | None = None,
    progress: Progress = SILENT,
) -> SignedHead:
    """Sign the ledger's head, and keep the checkpoint.

    Every event since the last checkpoint is read and must be the next link of the chain; the tree of
    the last checkpoint must have the root that was signed, and the new root must follow from both.

    Args:
        ledger: what to sign.
        keys: the log's keys; their name is the origin.
        checkpoints: where the last one is and the new one goes.
        clock: for the time in an ML-DSA-44 cosignature.
        progress: told one step an event.

    Raises:
        InvalidInputError: a key is not named like the ledger.
        LedgerBehindError: the ledger is not the one that the last checkpoint signs.
        ChainBrokenError, IntegrityError: a new event is not the next link, or a node is not its root.
        EvidenceRefusedError: the kept checkpoint cannot be read.
    """
    for key in keys:
        if key.verifier.name != ledger.origin:
            raise InvalidInputError(f"the key {key.verifier} is not named like the ledger {ledger.origin}")
    with checkpoints.locked(ledger.origin) as keep:
        now = (clock or SystemClock()).now()
        with ledger.reading() as connection:
            check_not_behind(connection, ledger.origin, checkpoints)
            size, old_size = ledger_size(connection), checkpoints.newest(ledger.origin)
            old = None if old_size is None else checkpoints.read(ledger.origin, old_size)
            if old is not None and old[1].size == size:
                return _signed_again(*old, keys, now, keep)
            root = _root_that_follows(connection, None if old is None else old[1], size, progress)
        checkpoint = Checkpoint(ledger.origin, size, root)
        note = sign_checkpoint(checkpoint, keys, now)
        return SignedHead(checkpoint, note, keep(note, checkpoint), fresh=True)


def _signed_again(
    note: Note,
    checkpoint: Checkpoint,
    keys: tuple[SigningKey, ...],
    now: datetime,
    keep: Callable[[Note, Checkpoint], Path],
) -> SignedHead:
    """Add what is missing to a checkpoint: the line of a key that came since."""
    note = without_false_lines(note, checkpoint, (key.verifier for key in keys))
    missing = tuple(key for key in keys if not has_signed(key.verifier, note, checkpoint))
    if missing:
        note = note.with_signatures(sign_checkpoint(checkpoint, missing, now).signatures)
    return SignedHead(checkpoint, note, keep(note, checkpoint), fresh=bool(missing))


def _root_that_follows(
    connection: Connection, old: Checkpoint | None, size: int, progress: Progress
) -> bytes:
    """Return the root over all events, made from the old tree and the events since."""
    tree, old_size = event_tree(connection, size), 0 if old is None else old.size
    frontier = MerkleFrontier.of_tree(old_size, tree.subtree)
    head = ZERO_HASH
    if old is not None and old_size:
        # The hash that the next event has to name is the one under the old root, not whatever is stored now.
        last = old_size - 1
        head, path = tree.leaf(last), tree.inclusion_proof(last, old_size)
        if not verify_inclusion(head, last, old_size, path, old.root_hash):
            raise IntegrityError(
                f"event {last} is not the one that was signed; nothing was signed", next_step="ledger verify"
            )
    progress.start(size - old_size, "signing")
    for sequence, canonical, stored_hash in read_entries(
        connection, EventQuery(from_sequence=old_size, to_sequence=size - 1)
    ):
        actual, link = leaf_hash(canonical), link_of(canonical)
        if actual != stored_hash:
            raise ChainBrokenError(sequence, stored_hash.hex(), actual.hex())
        if (link.prev, link.sequence) != (head.hex(), frontier.size) or sequence != frontier.size:
            raise ChainBrokenError(max(0, sequence - 1), link.prev, head.hex())
        head = actual
        frontier.append(actual)
        progress.advance(1)
    progress.finish()
    root = frontier.root()
    if root != event_tree(connection, size).root():
        raise IntegrityError(
            "the stored nodes of the tree are not those of the events; nothing was signed",
            next_step="ledger verify",
        )
    return root


def accept_restore(
    ledger: Ledger, checkpoints: CheckpointFolder, reason: str, *, clock: Clock | None = None
) -> Event | None:
    """Record that the database was set back, and set the checkpoints aside that it no longer bears out.

    Witnesses that cosigned them go on refusing this log, and rightly so: the event says why.
    Where nothing is amiss, nothing is recorded. It may be repeated after an interruption.

    Returns:
        The recorded ``RestoreAccepted``, or None.

    Raises:
        EvidenceRefusedError: a kept checkpoint cannot be read.
    """
    with ledger.reading() as connection:
        lost = [
            size
            for size in checkpoints.sizes(ledger.origin)
            if not agrees(connection, ledger.origin, checkpoints, size)
        ]
    if not lost:
        return None
    _, newest = checkpoints.read(ledger.origin, lost[-1])
    from_checkpoint = " ".join(newest.text().split("\n")[:3])
    # The same checkpoint is given up once, however often this is tried.
    event_id = uuid.uuid5(uuid.NAMESPACE_URL, f"RestoreAccepted {from_checkpoint}")
    if ledger.find_event(event_id) is None:
        draft: JsonObject = {
            "id": str(event_id),
            "type": "RestoreAccepted",
            "occurred_at": format_time((clock or SystemClock()).now()),
            "data": {"from_checkpoint": from_checkpoint, "reason": reason},
        }
        ledger.append([Draft.from_json(draft)])
    for size in lost:
        checkpoints.set_aside(ledger.origin, size)
    return ledger.event_by_id(event_id)
