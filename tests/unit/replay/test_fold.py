from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from replay.fold import Cut, fold, replay_events
from tests.support.events import START, History

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.state import VenueState

SECOND = timedelta(seconds=1)


def deposits() -> History:
    """Sequences 1 to 4; the third occurred before the first."""
    history = History()
    for amount, seconds in (("1", 10), ("2", 20), ("4", 5), ("8", 30)):
        history.add(
            "DepositRecorded", account="A", asset="USDT", amount=amount, occurred_at=START + seconds * SECOND
        )
    return history


def balance(state: VenueState) -> Decimal:
    return state.accounts["A"].balances["USDT"]


def test_a_cut_at_a_sequence_includes_it_and_reads_no_further() -> None:
    def events() -> list[Event]:
        return deposits().events

    read: list[int] = []

    def watched() -> object:
        for event in events():
            read.append(event.sequence)
            yield event

    result = fold(watched(), cut=Cut(at_sequence=2))  # type: ignore[arg-type]
    assert balance(result.state) == Decimal(3)
    assert result.events == 3
    assert read == [0, 1, 2, 3]


def test_a_cut_at_a_time_takes_what_occurred_until_then_in_sequence_order() -> None:
    result = fold(deposits().events, cut=Cut(at_time=START + 10 * SECOND))
    assert balance(result.state) == Decimal(5)
    assert (result.events, result.left_out) == (3, 2)
    assert result.state.sequence == 3


def test_a_cut_by_knowledge_uses_the_first_clock_that_each_event_has_and_says_which() -> None:
    events = [
        replace(event, appended_at=START + 100 * SECOND) if event.sequence else event
        for event in deposits().events
    ]
    events[1] = replace(events[1], processed_at=START + 50 * SECOND, received_at=START)
    events[2] = replace(events[2], received_at=START + 40 * SECOND)
    result = fold(events, cut=Cut(as_known_at=START + 45 * SECOND))
    assert balance(result.state) == Decimal(2)
    assert result.clocks == {"processed_at": 1, "received_at": 1, "appended_at": 3}


def test_the_order_of_occurrence_puts_late_facts_in_their_place() -> None:
    seen: list[int] = []
    fold(deposits().events, order="occurred", after=[lambda _state, event: seen.append(event.sequence)])
    assert seen == [0, 3, 1, 2, 4]


def test_the_time_of_a_state_is_not_turned_back_by_a_late_fact() -> None:
    assert replay_events(deposits().events[:4]).occurred_at == START + 20 * SECOND


def test_observers_see_the_state_before_and_after_each_folded_event() -> None:
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    fold(
        deposits().events,
        cut=Cut(at_sequence=1),
        before=[lambda state, event: before.append((state.sequence, event.sequence))],
        after=[lambda state, event: after.append((state.sequence, event.sequence))],
    )
    assert before == [(-1, 0), (0, 1)]
    assert after == [(0, 0), (1, 1)]


def test_a_fold_goes_on_from_a_given_state() -> None:
    events = deposits().events
    assert replay_events(events[3:], replay_events(events[:3])) == replay_events(events)


def opened_years_later() -> list[Event]:
    """The deposits in a ledger that was opened, and noted a correction, long after they occurred."""
    history = deposits()
    opening, *facts = history.events
    history.events[:] = [replace(opening, occurred_at=START + timedelta(days=1000)), *facts]
    history.add(
        "LegalHoldPlaced",
        hold="H1",
        subjects=["account/A"],
        reason="asked for",
        occurred_at=START + timedelta(days=1001),
    )
    return history.events


def test_the_time_of_the_state_is_that_of_the_venue_and_not_of_the_record_keeping() -> None:
    assert fold(opened_years_later()).state.occurred_at == START + 30 * SECOND


def test_no_cut_in_time_leaves_out_the_opening_of_the_ledger() -> None:
    for cut in (Cut(at_time=START + 10 * SECOND), Cut(as_known_at=START + 10 * SECOND)):
        result = fold(opened_years_later(), cut=cut)
        assert result.state.valuation_currency == "USDT"
        assert result.left_out > 0


def test_the_opening_comes_first_in_the_order_of_occurrence_too() -> None:
    folded: list[int] = []
    fold(
        opened_years_later(),
        order="occurred",
        after=[lambda _, event: folded.append(event.sequence)],
    )
    assert folded == [0, 3, 1, 2, 4, 5]
