"""Appending once, in order, under conditions: on a real database."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from ledger.errors import (
    AppendConditionFailedError,
    ConflictingEventError,
    InvalidEventError,
    NotFoundError,
)
from ledger.events.envelope import Draft
from ledger.store.append import AppendCondition
from ledger.store.ledger import Ledger
from ledger.store.read import EventQuery
from ledger.verify import verify_ledger
from tests.support.examples import EVENT_ID, deposit, draft_json, event_of_size, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin="venue.example/perpetuals") as opened:
        yield opened
        assert verify_ledger(opened).ok


def test_events_take_consecutive_sequences_and_come_back(ledger: Ledger) -> None:
    drafts = [deposit(f"A{number}", id=str(uuid.UUID(int=number))) for number in range(5)]
    result = ledger.append(drafts)
    assert (result.appended, result.already_recorded) == (5, 0)
    assert (result.first_sequence, result.last_sequence) == (1, 5)
    assert result.sequences == (1, 2, 3, 4, 5)
    events = list(ledger.events(EventQuery(from_sequence=1)))
    assert [event.data for event in events] == [draft.data for draft in drafts]
    assert [event.prev for event in events[1:]] == [event.hash for event in events[:-1]]
    assert len({event.appended_at for event in events}) == 1
    assert len({event.nonce for event in events}) == 5
    assert ledger.event_by_id(uuid.UUID(int=3)).sequence == 4
    assert ledger.head().hash == events[-1].hash


def test_an_empty_batch_changes_nothing(ledger: Ledger) -> None:
    result = ledger.append([])
    assert (result.appended, result.first_sequence, result.last_sequence, result.sequences) == (
        0,
        None,
        None,
        (),
    )
    assert ledger.head().sequence == 0


def test_a_repeat_returns_what_is_recorded(ledger: Ledger) -> None:
    drafts = [deposit(id=EVENT_ID), deposit("A18", id=OTHER_ID)]
    first = ledger.append(drafts)
    again = ledger.append(list(reversed(drafts)))
    assert (again.appended, again.already_recorded, again.first_sequence) == (0, 2, None)
    assert again.sequences == tuple(reversed(first.sequences))


def test_a_partial_repeat_records_what_is_new(ledger: Ledger) -> None:
    ledger.append([deposit(id=EVENT_ID)])
    result = ledger.append([deposit("A18"), deposit(id=EVENT_ID), deposit("A19")])
    assert (result.appended, result.already_recorded) == (2, 1)
    assert result.sequences == (2, 1, 3)


def test_sameness_is_judged_without_the_source_and_the_first_one_stands(ledger: Ledger) -> None:
    ledger.append([deposit(id=EVENT_ID, source={"file": "first.csv"})])
    result = ledger.append([deposit(id=EVENT_ID, source={"file": "second.csv", "row": "9"})])
    assert result.already_recorded == 1
    source = ledger.event(1).source
    assert source is not None
    assert source.file == "first.csv"


def test_an_id_that_stands_twice_in_a_batch_is_recorded_once(ledger: Ledger) -> None:
    result = ledger.append([deposit(id=EVENT_ID), deposit("A18"), deposit(id=EVENT_ID)])
    assert (result.appended, result.already_recorded) == (2, 1)
    assert result.sequences == (1, 2, 1)


@pytest.mark.parametrize(
    "batch",
    [
        [deposit(amount="2", id=EVENT_ID)],
        [deposit("A18"), deposit(amount="2", id=EVENT_ID)],
        [deposit(amount="2", id=EVENT_ID), deposit(id=EVENT_ID)],
        [deposit(id=EVENT_ID), deposit(amount="2", id=EVENT_ID)],
    ],
)
def test_an_id_that_is_recorded_with_other_content_refuses_the_batch(
    ledger: Ledger, batch: list[Draft]
) -> None:
    ledger.append([deposit(id=EVENT_ID)])
    with pytest.raises(ConflictingEventError) as caught:
        ledger.append(batch)
    assert (caught.value.event_id, caught.value.sequence) == (EVENT_ID, 1)
    assert caught.value.differing_fields == ("data",)
    assert ledger.head().sequence == 1


def test_an_id_with_two_contents_in_one_batch_refuses_the_batch(ledger: Ledger) -> None:
    with pytest.raises(ConflictingEventError) as caught:
        ledger.append([deposit("A18"), deposit(id=EVENT_ID), deposit(id=EVENT_ID, actor="someone")])
    assert (caught.value.sequence, caught.value.differing_fields) == (None, ("actor",))
    assert ledger.head().sequence == 0


def test_several_batches_are_recorded_together_or_not_at_all(ledger: Ledger) -> None:
    batches = [[prepared(deposit("A18"))], [prepared(deposit("A19")), prepared(deposit("A20"))]]
    result = ledger.append_atomically(batches)
    assert (result.appended, result.first_sequence, result.last_sequence) == (3, 1, 3)
    conflicting = [
        [prepared(deposit(), EVENT_ID)],
        [prepared(deposit("A18"))],
        [prepared(deposit(amount="2"), EVENT_ID)],
    ]
    with pytest.raises(ConflictingEventError) as caught:
        ledger.append_atomically(conflicting)
    assert caught.value.event_id == EVENT_ID
    assert ledger.head().sequence == 3


def test_an_event_that_is_too_large_records_nothing(ledger: Ledger) -> None:
    with pytest.raises(InvalidEventError, match="65001 bytes"):
        ledger.append([deposit(), event_of_size(65_001).model_copy(update={"id": uuid.UUID(EVENT_ID)})])
    assert ledger.head().sequence == 0


def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    for sequence in (1, 10**18, 10**19, 10**30):
        with pytest.raises(NotFoundError, match="the newest is 0"):
            ledger.event(sequence)
    with pytest.raises(NotFoundError):
        ledger.event(-1)
    with pytest.raises(NotFoundError):
        ledger.event_by_id(uuid.UUID(int=7))


@pytest.fixture
def history(ledger: Ledger) -> Ledger:
    """Sequence 1: deposit of A17; 2: deposit of A18; 3: mark price of BTC-PERP."""
    mark = Draft.from_json(draft_json("MarkPriceUpdated"))
    ledger.append([deposit("A17"), deposit("A18"), mark])
    return ledger


@pytest.mark.parametrize(
    ("condition", "broken_by"),
    [
        (AppendCondition(3), None),
        (AppendCondition(100), None),
        (AppendCondition(2), 3),
        (AppendCondition(-1), 0),
        (AppendCondition(0, subjects=("account/A17",)), 1),
        (AppendCondition(1, subjects=("account/A17",)), None),
        (AppendCondition(0, subjects=("account/A18", "account/A17")), 1),
        (AppendCondition(0, subjects=("instrument/BTC-PERP",)), 3),
        (AppendCondition(0, subjects=("account/B",)), None),
        (AppendCondition(0, types=("MarkPriceUpdated",)), 3),
        (AppendCondition(0, types=("FillRecorded",)), None),
        (AppendCondition(0, subjects=("account/A17",), types=("MarkPriceUpdated",)), None),
        (AppendCondition(0, subjects=("asset/USDT",), types=("DepositRecorded", "MarkPriceUpdated")), 1),
        (AppendCondition(1, subjects=("asset/USDT",), types=("DepositRecorded",)), 2),
    ],
)
def test_a_condition_holds_unless_something_of_its_kind_came_after(
    history: Ledger, condition: AppendCondition, broken_by: int | None
) -> None:
    if broken_by is None:
        assert history.append([deposit("A20")], condition=condition).first_sequence == 4
        return
    with pytest.raises(AppendConditionFailedError) as caught:
        history.append([deposit("A20")], condition=condition)
    assert (caught.value.after_sequence, caught.value.sequence) == (condition.after_sequence, broken_by)
    assert history.head().sequence == 3


def test_a_repeat_needs_no_condition(history: Ledger) -> None:
    condition = AppendCondition(3, subjects=("account/A17",))
    assert history.append([deposit(id=EVENT_ID)], condition=condition).appended == 1
    assert history.append([deposit(id=EVENT_ID)], condition=condition).already_recorded == 1


def test_queries_narrow_what_is_read(history: Ledger) -> None:
    def sequences(query: EventQuery) -> list[int]:
        return [event.sequence for event in history.events(query)]

    assert sequences(EventQuery()) == [0, 1, 2, 3]
    assert sequences(EventQuery(from_sequence=1, to_sequence=2)) == [1, 2]
    assert sequences(EventQuery(subjects=("asset/USDT",))) == [1, 2]
    assert sequences(EventQuery(subjects=("asset/USDT", "account/A18"))) == [2]
    assert sequences(EventQuery(types=("MarkPriceUpdated", "LedgerOpened"))) == [0, 3]
    assert sequences(EventQuery(newest_first=True, limit=2)) == [3, 2]
    assert sequences(EventQuery(occurred_to=history.event(1).occurred_at)) == [1, 2, 3]
