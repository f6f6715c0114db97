"""The guard looks at a whole batch in one statement: what one row does must not hide in the others."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import encode
from ledger.errors import IntegrityError
from ledger.events.envelope import PreparedEvent, subjects_of
from ledger.store.ledger import Ledger
from ledger.verify import verify_ledger
from tests.support.postgres import fresh_database
from tests.support.strategies import free_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.canonical import JsonValue

OCCURRED_AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
ROWS = 9


@pytest.fixture(scope="module")
def url(database_server_url: str) -> Iterator[str]:
    """One database for the whole file."""
    with fresh_database(database_server_url) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.initialise(url, origin="venue.example/perpetuals") as opened:
        yield opened


def event(data: bytes = b'{"account":"A17","asset":"USDT"}', **members: JsonValue) -> PreparedEvent:
    """An event with this text as its data, whatever it is."""
    event_id = uuid.uuid4()
    around = encode(
        {
            "data": "here",
            "id": str(event_id),
            "occurred_at": "2026-01-31T09:30:00.000000Z",
            "schema": 1,
            "type": "DepositRecorded",
            **members,
        }
    )
    return PreparedEvent(event_id, "DepositRecorded", OCCURRED_AT, around.replace(b'"here"', data, 1))


def indexed(url: str, sequence: int) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT subject FROM event_subjects WHERE sequence = %s", [sequence])
        return {subject for (subject,) in rows}


@pytest.mark.parametrize("place", [0, 4, ROWS - 1])
@pytest.mark.parametrize(
    "data",
    [
        b'{"asset":"USDT","account":"A17"}',
        b'{"account":"A17","account":"A17"}',
        b'{"account":"A17","asset":5}',
        b'{"account":"A17","asset":{"b":"x","a":"y"}}',
        b'{"account":"A17","asset":[["x",{"b":{"c":"x"},"a":"y"}]]}',
        b'{"account":"A17","asset":[{"a":[["x",7]]}]}',
        b'{"account":"A17","asset":"US\\nDT"}',
        '{"account":"A17","ässet":"USDT"}'.encode(),
    ],
)
def test_one_row_that_is_not_canonical_is_found_and_named_among_right_ones(
    ledger: Ledger, data: bytes, place: int
) -> None:
    head = ledger.head()
    batch = [event() for _ in range(ROWS)]
    batch[place] = event(data)
    with pytest.raises(IntegrityError, match=f"event {head.sequence + 1 + place}: .*not in canonical form"):
        ledger.append_prepared(batch)
    assert ledger.head() == head


def test_the_first_of_several_wrong_rows_is_named(ledger: Ledger) -> None:
    first = ledger.head().sequence + 1
    batch = [event(), event(b'{"b":"x","a":"y"}'), event(b'{"account":1}'), event(b'{"b":"x","a":"y"}')]
    with pytest.raises(IntegrityError, match=f"event {first + 1}:"):
        ledger.append_prepared(batch)


@pytest.mark.parametrize(
    "source",
    [
        {"account": "A18", "file": "x.csv"},
        {"file": "x.csv", "row": 7},
        {"inferred": "true"},
        {"system": True},
        {"file": ["x.csv"]},
        {"file": {"a": "x.csv"}},
        "x.csv",
    ],
)
def test_a_source_has_its_four_members_in_their_types_and_no_other(ledger: Ledger, source: JsonValue) -> None:
    with pytest.raises(IntegrityError, match="not in canonical form"):
        ledger.append_prepared([event(), event(source=source)])


def test_a_source_with_all_its_members_is_taken(url: str, ledger: Ledger) -> None:
    source: JsonValue = {"file": "account.csv", "inferred": True, "row": "7", "system": "asset"}
    sequence = ledger.append_prepared([event(source=source)]).first_sequence
    assert sequence is not None
    assert indexed(url, sequence) == {"account/A17", "asset/USDT"}


def test_nesting_deeper_than_a_reader_bears_is_refused(ledger: Ledger) -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' + b"[" * depth + b"]" * depth + b"}"

    ledger.append_prepared([event(nested(39))])
    with pytest.raises(IntegrityError, match="not in canonical form"):
        ledger.append_prepared([event(nested(41))])


@settings(deadline=None, max_examples=60)
@given(batch=st.lists(free_data(), min_size=1, max_size=ROWS))
def test_the_index_of_every_row_is_what_the_specification_says(
    url: str, ledger: Ledger, batch: list[dict[str, Any]]
) -> None:
    result = ledger.append_prepared([event(encode(data)) for data in batch])
    for sequence, data in zip(result.sequences, batch, strict=True):
        assert indexed(url, sequence) == subjects_of(data)


def test_a_subject_named_twice_in_one_event_is_indexed_once(url: str, ledger: Ledger) -> None:
    data: dict[str, JsonValue] = {
        "account": "A17",
        "list": [
            {"account": "A17"},
            {"buyer": "A17", "subjects": ["account/A17", "x", ["y"], {"asset": "z"}]},
        ],
        "subjects": "w",
    }
    sequence = ledger.append_prepared([event(encode(data))]).first_sequence
    assert sequence is not None
    assert indexed(url, sequence) == {"account/A17", "x", "asset/z", "w"} == subjects_of(data)


def test_one_statement_may_hold_events_of_every_length(ledger: Ledger) -> None:
    texts = ["x", "é" * 1_000, "😀" * 10_000, "y" * 60_000]
    ledger.append_prepared([event(encode({"reference": text})) for text in texts])
    failed = {failure.check for failure in verify_ledger(ledger).failures}
    assert failed == {"well_formed"}  # the catalogue knows no such DepositRecorded
