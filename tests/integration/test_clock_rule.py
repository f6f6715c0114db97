"""A head ahead of the database's clock stops appends until someone says that it is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from ledger.clock import format_time
from ledger.errors import ClockBehindError, ExitCode
from ledger.events.envelope import Draft
from ledger.events.governance import ClockSynchronised
from ledger.importers.draft_file import clock_accepted
from ledger.store.ledger import Ledger
from ledger.verify import verify_ledger
from tests.support.direct import DirectWriter, Row, without_triggers
from tests.support.examples import EXAMPLES, deposit, draft_json, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin="venue.example/perpetuals") as opened:
        yield opened


def record_ahead(url: str, seconds: int) -> None:
    """Record an event that carries a time ahead of the clock, as a clock that ran ahead would have."""
    with without_triggers(url) as connection:
        writer = DirectWriter(connection)
        row: Row = writer.row(prepared(deposit("A1")), later_by=timedelta(seconds=seconds))
        connection.execute(
            "INSERT INTO events (sequence, id, type, occurred_at, appended_at, writer, canonical)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [row.sequence, row.id, row.type, row.occurred_at, row.appended_at, row.writer, row.canonical],
        )
        connection.execute(
            "INSERT INTO event_subjects VALUES ('account/A1', %s), ('asset/USDT', %s)", [row.sequence] * 2
        )
        connection.execute(
            "UPDATE ledger_head SET (sequence, hash, appended_at)"
            " = (SELECT sequence, hash, appended_at FROM events ORDER BY sequence DESC LIMIT 1)"
        )


def test_a_head_a_little_ahead_is_taken_over(database_url: str, ledger: Ledger) -> None:
    record_ahead(database_url, 4)
    ledger.append([deposit()])
    assert ledger.event(2).appended_at == ledger.event(1).appended_at
    assert verify_ledger(ledger).ok


def test_a_head_far_ahead_refuses_appends(database_url: str, ledger: Ledger) -> None:
    record_ahead(database_url, 3600)
    with pytest.raises(ClockBehindError) as caught:
        ledger.append([deposit()])
    assert caught.value.exit_code is ExitCode.ENVIRONMENT
    assert 3590 < float(caught.value.ahead_seconds) <= 3600
    assert "--accept-clock" in str(caught.value.next_step)
    assert ledger.head().sequence == 1
    with psycopg.connect(database_url) as connection:
        writer = DirectWriter(connection)
        assert writer.refusal(writer.row(prepared())) == "LG005"


def test_accepting_it_is_recorded_and_appends_go_on(database_url: str, ledger: Ledger) -> None:
    record_ahead(database_url, 3600)
    clock_accepted(ledger, "the time server was wrong")
    accepted = ledger.event(2).data
    assert isinstance(accepted, ClockSynchronised)
    assert accepted.reason == "the time server was wrong"
    assert 3_590_000_000 < accepted.divergence_microseconds <= 3_600_000_000
    for number in range(3):
        ledger.append([deposit(f"A{number}")])
    times = [format_time(event.appended_at) for event in ledger.events()]
    assert times == sorted(times)
    assert len(set(times[1:])) == 1
    assert verify_ledger(ledger).ok


def test_accepting_one_lead_does_not_accept_a_larger_one(database_url: str, ledger: Ledger) -> None:
    record_ahead(database_url, 3600)
    clock_accepted(ledger, "the time server was wrong")
    record_ahead(database_url, 600)
    with pytest.raises(ClockBehindError):
        ledger.append([deposit()])


def test_only_the_first_event_of_a_batch_can_accept_it(database_url: str, ledger: Ledger) -> None:
    record_ahead(database_url, 3600)
    accepting = Draft.from_json(draft_json("ClockSynchronised", data=EXAMPLES["ClockSynchronised"]))
    with pytest.raises(ClockBehindError):
        ledger.append([deposit(), accepting])
    assert ledger.append([accepting, deposit()]).appended == 2


def test_a_repeat_needs_no_clock(database_url: str, ledger: Ledger) -> None:
    draft = deposit(id="6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a11")
    ledger.append([draft])
    record_ahead(database_url, 3600)
    assert ledger.append([draft]).already_recorded == 1
