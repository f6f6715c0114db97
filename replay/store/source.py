"""Folding a ledger's stored events: every hash and every link is checked while they stream by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.chain import ZERO_HASH
from ledger.errors import ChainBrokenError, NotFoundError, RecordUnreadableError
from ledger.progress import SILENT
from ledger.store.read import EventQuery
from replay.fold import EVERYTHING, FoldResult, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.events.envelope import Event
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger
    from replay.fold import Cut, Observer, Order

_STEPS_A_REPORT = 500


def linked_events(
    ledger: Ledger,
    *,
    first: int = 0,
    through: int | None = None,
    previous_hash: bytes = ZERO_HASH,
    progress: Progress = SILENT,
) -> Iterator[Event]:
    """Yield stored events in sequence order, each one the successor of the one before.

    Args:
        ledger: where they are stored.
        first: the sequence to begin with.
        through: the last sequence, or None for the newest.
        previous_hash: the hash of the event before ``first``; zeros before the first event of all.
        progress: is told of every event that was read.

    Raises:
        ChainBrokenError: a stored hash is not that of the stored bytes, or an event does not link to
            the one before it.
        RecordUnreadableError: bytes are not an event of this catalogue, or stand at another's place.
    """
    expected, unreported = first, 0
    for event in ledger.events(EventQuery(from_sequence=first, to_sequence=through)):
        if event.prev != previous_hash:
            raise ChainBrokenError(expected, previous_hash.hex(), event.prev.hex())
        if event.sequence != expected:
            raise RecordUnreadableError(expected, f"event {event.sequence} stands in its place")
        yield event
        previous_hash, expected, unreported = event.hash, expected + 1, unreported + 1
        if unreported == _STEPS_A_REPORT:
            progress.advance(unreported)
            unreported = 0
    progress.advance(unreported)


def events_to_fold(ledger: Ledger, cut: Cut, progress: Progress = SILENT) -> Iterator[Event]:
    """Return the events that a fold with this cut has to see, from the first on.

    Raises:
        NotFoundError: the cut names a sequence beyond the newest event.
        ChainBrokenError, RecordUnreadableError: as :func:`linked_events`, while the events are read.
    """
    newest = ledger.head().sequence
    last = newest if cut.at_sequence is None else cut.at_sequence
    if last > newest:
        raise NotFoundError(
            f"there is no event at sequence {last}; the newest is {newest}",
            next_step=f"give --at {newest} or less",
        )
    return _reported(ledger, last, progress)


def _reported(ledger: Ledger, last: int, progress: Progress) -> Iterator[Event]:
    progress.start(last + 1, "folding")
    yield from linked_events(ledger, through=last, progress=progress)
    progress.finish()


def fold_ledger(
    ledger: Ledger,
    *,
    cut: Cut = EVERYTHING,
    order: Order = "sequence",
    before: Sequence[Observer] = (),
    after: Sequence[Observer] = (),
    progress: Progress = SILENT,
) -> FoldResult:
    """Fold a ledger's events from the first on; arguments as of :func:`replay.fold.fold`.

    Raises:
        NotFoundError, ChainBrokenError, RecordUnreadableError: as :func:`events_to_fold`.
    """
    events = events_to_fold(ledger, cut, progress)
    with ledger.finder() as find_event:
        return fold(events, cut=cut, order=order, before=before, after=after, resolve=find_event)
