"""The subject index that the database writes is the one that Python reads off the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from ledger.canonical import decode
from ledger.chain import parse_entry
from ledger.events.envelope import Draft, subjects_of
from ledger.store.ledger import Ledger
from ledger.store.read import EventQuery
from tests.support.examples import EXAMPLES, draft_json
from tests.support.postgres import fresh_database
from tests.support.strategies import free_data

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def ledger(database_server_url: str) -> Iterator[Ledger]:
    """One ledger for the whole file: each example appends to it."""
    with (
        fresh_database(database_server_url) as url,
        Ledger.initialise(url, origin="venue.example/perpetuals") as opened,
    ):
        yield opened


def indexed(ledger: Ledger, sequence: int) -> set[str]:
    with ledger.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT subject FROM event_subjects WHERE sequence = %s", (sequence,)
        ).all()
    return {subject for (subject,) in rows}


def recorded(ledger: Ledger, draft: Draft) -> tuple[set[str], set[str]]:
    sequence = ledger.append([draft]).first_sequence
    assert sequence is not None
    event = ledger.event(sequence)
    data = parse_entry(event.canonical).event["data"]
    assert isinstance(decode(event.canonical), dict)
    return indexed(ledger, sequence), subjects_of(data)


@pytest.mark.parametrize("event_type", sorted(EXAMPLES.keys() - {"LedgerOpened"}))
def test_every_type_is_indexed_as_python_reads_it(ledger: Ledger, event_type: str) -> None:
    in_database, in_python = recorded(ledger, Draft.from_json(draft_json(event_type)))
    assert in_database == in_python


@settings(deadline=None, max_examples=80)
@given(replacement=free_data())
def test_free_data_is_indexed_as_python_reads_it(ledger: Ledger, replacement: dict[str, Any]) -> None:
    data = {**EXAMPLES["CorrectionRecorded"], "replacement": replacement}
    in_database, in_python = recorded(ledger, Draft.from_json(draft_json("CorrectionRecorded", data=data)))
    assert in_database == in_python


def test_events_are_found_by_what_they_touch(ledger: Ledger) -> None:
    sequence = ledger.append([Draft.from_json(draft_json("LossSocialised"))]).first_sequence
    found = [event.sequence for event in ledger.events(EventQuery(subjects=("account/A19", "asset/USDT")))]
    assert sequence in found
