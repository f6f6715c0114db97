"""The reference fold: recorded events, in order and up to a cut, into one state.

In sequence order the fold holds one event at a time, so that its memory does not grow with the
number of events. It is the slow, obvious path that faster ones are compared with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ledger.amounts import exact
from replay.projection import apply_exact, initial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

    Observer = Callable[[VenueState, Event], None]
    Resolve = Callable[[UUID], Event | None]

OPENING = 0
"""Where ``LedgerOpened`` stands."""

Order = Literal["sequence", "occurred"]
KnowledgeClock = Literal["processed_at", "received_at", "appended_at"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Which events of a ledger are folded; every bound that is given has to hold.

    A bound in time never leaves out the first event: what the ledger is and what it values in was
    not a fact of one day.

    Attributes:
        at_sequence: through this sequence, inclusive.
        at_time: only what occurred at or before this time.
        as_known_at: only what the venue knew at or before this time, by the first of
            ``processed_at``, ``received_at``, ``appended_at`` that the event has.
    """

    at_sequence: int | None = None
    at_time: datetime | None = None
    as_known_at: datetime | None = None

    def takes(self, event: Event) -> bool:
        """Tell whether an event is folded."""
        if self.at_sequence is not None and event.sequence > self.at_sequence:
            return False
        if event.sequence == OPENING:
            return True
        if self.at_time is not None and event.occurred_at > self.at_time:
            return False
        return self.as_known_at is None or known_at(event)[1] <= self.as_known_at


EVERYTHING = Cut()


@dataclass(slots=True)
class FoldResult:
    """A state and how it came about.

    Attributes:
        state: after the last event that was folded.
        events: how many were folded.
        left_out: how many the cut left out.
        clocks: by which clock the events of an ``as_known_at`` cut were judged, with counts.
    """

    state: VenueState
    events: int = 0
    left_out: int = 0
    clocks: Counter[KnowledgeClock] = field(default_factory=Counter)


def known_at(event: Event) -> tuple[KnowledgeClock, datetime]:
    """Return when the venue knew of an event, and by which of the event's clocks."""
    if event.processed_at is not None:
        return "processed_at", event.processed_at
    if event.received_at is not None:
        return "received_at", event.received_at
    return "appended_at", event.appended_at


@exact()
def fold(
    events: Iterable[Event],
    state: VenueState | None = None,
    *,
    cut: Cut = EVERYTHING,
    order: Order = "sequence",
    before: Sequence[Observer] = (),
    after: Sequence[Observer] = (),
    resolve: Resolve | None = None,
) -> FoldResult:
    """Fold events into a state.

    Args:
        events: recorded events in sequence order.
        state: where to go on from, which the fold takes over; the initial state if None.
        cut: which events are folded.
        order: ``sequence``, or ``occurred`` to fold by (``occurred_at``, ``sequence``), which holds
            all events in memory.
        before: called with the state before each folded event, and the event. Observers read; records
            they take out of the state stay as they are.
        after: called with the state after each folded event, and the event.
        resolve: looks a recorded event up by its id, for corrections.
    """
    result = FoldResult(initial() if state is None else state)
    ordered: Iterable[Event] = events
    if order == "occurred":
        ordered = sorted(
            events, key=lambda event: (event.sequence != OPENING, event.occurred_at, event.sequence)
        )
    for event in _taken(ordered, cut, result, in_sequence=order == "sequence"):
        for observe in before:
            observe(result.state, event)
        apply_exact(result.state, event, resolve)
        for observe in after:
            observe(result.state, event)
        result.events += 1
    return result


def replay_events(
    events: Iterable[Event], state: VenueState | None = None, *, resolve: Resolve | None = None
) -> VenueState:
    """Return the state after ``events``, folded in the order given onto ``state`` or the initial state."""
    return fold(events, state, resolve=resolve).state


def _taken(events: Iterable[Event], cut: Cut, result: FoldResult, *, in_sequence: bool) -> Iterator[Event]:
    for event in events:
        if in_sequence and cut.at_sequence is not None and event.sequence > cut.at_sequence:
            return
        if cut.as_known_at is not None:
            result.clocks[known_at(event)[0]] += 1
        if cut.takes(event):
            yield event
        else:
            result.left_out += 1
