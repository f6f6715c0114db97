"""An audit of a part of the ledger folds everything and reports what is about that part."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.audit import Place, audit
from replay.audit.place import Places
from tests.support.events import START, History, recorded
from tests.support.liquidations import LiquidatedVenue

if TYPE_CHECKING:
    from ledger.events.envelope import Event


def overrides() -> list[Event]:
    """Unapproved overrides at sequences 1 to 5, a second apart."""
    history = History()
    for _ in range(5):
        override: dict[str, Any] = {
            "instrument": "BTC-PERP",
            "kind": "mark",
            "price": "1",
            "reason": "",
            "approvers": [],
        }
        history.add("PriceOverridden", **override)
    return history.events


def second(number: int) -> datetime:
    return START + timedelta(seconds=number)


@pytest.mark.parametrize(
    ("since", "until", "sequences"),
    [
        (None, None, [1, 2, 3, 4, 5]),
        (2, None, [2, 3, 4, 5]),
        (None, 4, [1, 2, 3, 4]),
        (second(2), second(4), [2, 3, 4]),
        (2, second(3), [2, 3]),
        (second(2) + timedelta(microseconds=1), None, [3, 4, 5]),
        (9, None, []),
    ],
)
def test_both_bounds_are_included_and_may_be_a_sequence_or_a_time(
    since: Place | None, until: Place | None, sequences: list[int]
) -> None:
    report = audit(overrides(), since=since, until=until)
    assert [each.sequence for each in report.findings] == sequences
    assert report.events == 6


def test_what_is_reported_of_a_part_rests_on_what_was_before_it() -> None:
    events = LiquidatedVenue().events()
    executed = next(each.sequence for each in events if each.type == "LiquidationExecuted")
    (liquidation,) = audit(events, since=executed).liquidations
    assert liquidation == audit(events).liquidations[0]
    assert audit(events, since=executed + 1).liquidations == ()


SECONDS = st.integers(0, 12)
BOUND = st.one_of(st.none(), SECONDS, SECONDS.map(second))


def lies_between(event: Event, since: Place | None, until: Place | None) -> bool:
    def measure(bound: Place) -> timedelta:
        """How far the event is from a bound; sequences count as seconds."""
        if isinstance(bound, datetime):
            return event.occurred_at - bound
        return timedelta(seconds=event.sequence - bound)

    nothing = timedelta(0)
    return (since is None or measure(since) >= nothing) and (until is None or measure(until) <= nothing)


@given(st.permutations(range(8)), st.lists(SECONDS, min_size=8, max_size=8), BOUND, BOUND)
def test_the_runs_that_are_kept_say_what_lies_between(
    order: list[int], seconds: list[int], since: Place | None, until: Place | None
) -> None:
    data = overrides()[1].data
    events = [recorded(number, data, occurred_at=second(each)) for number, each in enumerate(seconds)]
    places = Places(since, until)
    for number in order:
        places.see(events[number])
    held = [places.holds(event.sequence) for event in events]
    assert held == [lies_between(event, since, until) for event in events]
    assert not places.holds(8)
