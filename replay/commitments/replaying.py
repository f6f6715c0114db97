"""A ledger's events, read once: folded into a state with every subject's history, and hashed into a tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.chain import ZERO_HASH
from ledger.errors import NotFoundError
from ledger.merkle import MerkleFrontier
from ledger.progress import SILENT
from replay.fold import Cut, fold
from replay.projection import RECORD_KEEPING, initial
from replay.solvency import SubjectHistories
from replay.store.source import linked_events

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from ledger.events.envelope import Event
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger
    from replay.state.venue_state import VenueState


@dataclass(slots=True)
class Replayed:
    """What a ledger's events came to, through a sequence; can be gone on with.

    Attributes:
        state: after the last event that was folded.
        histories: of every subject through that event.
        head_hash: of the last event that was read, which may lie after the last that was folded.
        events: how many were read.
        roots: the tree's root by size, for the sizes that were asked for and are reached.
    """

    state: VenueState = field(default_factory=initial)
    histories: SubjectHistories = field(default_factory=SubjectHistories)
    head_hash: bytes = ZERO_HASH
    events: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)


def replay_ledger(
    ledger: Ledger,
    as_of_sequence: int | None,
    *,
    sizes: Collection[int] = (),
    progress: Progress = SILENT,
) -> Replayed:
    """Fold a ledger's events from the first one through a sequence.

    Args:
        ledger: whose events.
        as_of_sequence: the last event to fold; None to read events for the roots alone, and fold none.
        sizes: of trees whose roots are wanted; what comes after ``as_of_sequence`` is read only for them.
        progress: is told of every event that is read.

    Raises:
        NotFoundError: the ledger has no event of that sequence.
        ChainBrokenError, RecordUnreadableError: as :func:`replay.store.source.linked_events`.
    """
    newest = ledger.head().sequence
    if as_of_sequence is not None and as_of_sequence > newest:
        raise NotFoundError(
            f"there is no event at sequence {as_of_sequence}; the newest is {newest}",
            next_step=f"give {newest} or less",
        )
    last = -1 if as_of_sequence is None else as_of_sequence
    through = min(newest, max([last, *(size - 1 for size in sizes)]))
    replayed, frontier = Replayed(), MerkleFrontier()

    def hashed() -> Iterator[Event]:
        for event in linked_events(ledger, through=through, progress=progress):
            frontier.append(event.hash)
            if frontier.size in sizes:
                replayed.roots[frontier.size] = frontier.root()
            replayed.head_hash, replayed.events = event.hash, frontier.size
            yield event

    progress.start(through + 1, "replaying")
    events = hashed()
    if as_of_sequence is not None:
        with ledger.finder() as find_event:
            cut, histories = Cut(at_sequence=last), replayed.histories
            fold(_through(events, last), replayed.state, cut=cut, after=[histories], resolve=find_event)
    for _ in events:
        pass
    progress.finish()
    return replayed


def go_on(ledger: Ledger, replayed: Replayed, as_of_sequence: int, *, progress: Progress = SILENT) -> None:
    """Fold the events that came since, through a sequence, into what was folded before.

    Raises:
        ChainBrokenError: what was read before is not what the new events follow.
    """
    events = linked_events(
        ledger,
        first=replayed.state.sequence + 1,
        through=as_of_sequence,
        previous_hash=replayed.head_hash,
        progress=progress,
    )

    def counted() -> Iterator[Event]:
        for event in events:
            replayed.head_hash, replayed.events = event.hash, event.sequence + 1
            yield event

    with ledger.finder() as find_event:
        fold(counted(), replayed.state, after=[replayed.histories], resolve=find_event)


def last_sequence_at(ledger: Ledger, time: datetime, *, progress: Progress = SILENT) -> int:
    """Return the last event of the venue's day that occurred by a time, if all up to it did.

    Events about the records alone (an opening, a key, an export) are passed over: their time is not the
    venue's. A state that a root commits to is that after *all* events up to a sequence, so there is none
    where an event that occurred later was recorded earlier.

    Raises:
        NotFoundError: nothing had occurred by then, or the order of the records does not allow a cut there.
    """
    last, later = None, None
    progress.start(ledger.head().sequence + 1, "looking for the time")
    for event in linked_events(ledger, progress=progress):
        if event.type in RECORD_KEEPING:
            continue
        if event.occurred_at <= time:
            if later is not None:
                raise NotFoundError(
                    f"event {later} occurred after that time and was recorded before event {event.sequence}, "
                    "which did not: no state of the ledger is that of this time",
                    next_step=f"give a sequence: --at {later - 1}, or --at {event.sequence}",
                )
            last = event.sequence
        elif later is None:
            later = event.sequence
    progress.finish()
    if last is None:
        raise NotFoundError("nothing had occurred by that time", next_step="ledger log")
    return last


def _through(events: Iterator[Event], sequence: int) -> Iterator[Event]:
    """Yield events up to a sequence and leave the others in the iterator."""
    for event in events:
        yield event
        if event.sequence == sequence:
            return
