"""A superuser without triggers and constraints changes what is stored: verification names where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from ledger.canonical import leaf_hash
from ledger.chain import Sealer, parse_entry
from ledger.clock import parse_time
from ledger.errors import ChainBrokenError, RecordUnreadableError
from ledger.events.envelope import Draft
from ledger.store.database import make_engine
from ledger.store.ledger import Ledger
from ledger.store.read import EventQuery
from ledger.verify import VerifyReport, verify_connection, verify_database
from tests.support.direct import disarm, unguarded
from tests.support.examples import deposit, draft_json, prepared
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from sqlalchemy import Connection

LAST = 7
PLACES = [0, 1, 4, LAST - 1, LAST]


@pytest.fixture(scope="module")
def untouched(database_server_url: str) -> Iterator[str]:
    """A ledger of eight events, of which number 5 is nested."""
    with fresh_database(database_server_url) as database_url:
        with Ledger.initialise(database_url, origin="venue.example/perpetuals") as ledger:
            ledger.append([deposit(f"A{number}") for number in range(1, 5)])
            ledger.append([Draft.from_json(draft_json("LiquidationExecuted"))])
            ledger.append([deposit(f"A{number}") for number in range(6, LAST + 1)])
            assert ledger.head().sequence == LAST
        yield database_url


@pytest.fixture
def url(database_server_url: str, untouched: str) -> Iterator[str]:
    """A copy of it, where changes are committed."""
    with fresh_database(database_server_url, like=untouched) as copy:
        yield copy


@dataclass
class Tampered:
    """A superuser's transaction on it without triggers and constraints, and what verification sees there."""

    connection: psycopg.Connection[Any]
    engine_connection: Connection

    def report(self) -> VerifyReport:
        return verify_connection(self.engine_connection)


@pytest.fixture
def tampered(untouched: str) -> Iterator[Tampered]:
    with make_engine(untouched).connect() as connection:
        driver: Any = connection.connection.driver_connection
        disarm(driver)
        yield Tampered(driver, connection)
        driver.rollback()


def canonical(connection: psycopg.Connection[Any], sequence: int) -> bytes:
    row = connection.execute("SELECT canonical FROM events WHERE sequence = %s", [sequence]).fetchone()
    assert row is not None
    found: bytes = row[0]
    return found


def store(connection: psycopg.Connection[Any], sequence: int, stored: bytes) -> None:
    connection.execute("UPDATE events SET canonical = %s WHERE sequence = %s", [stored, sequence])


def first_failure(report: VerifyReport) -> int | None:
    assert not report.ok
    return next(failure.sequence for failure in report.failures if failure.sequence is not None)


def broken_checks(report: VerifyReport) -> set[str]:
    return {name for name, held in report.checks.items() if not held}


def test_untouched_it_holds(tampered: Tampered) -> None:
    report = tampered.report()
    assert (report.ok, report.events, report.head_sequence) == (True, LAST + 1, LAST)
    assert broken_checks(report) == set()


@pytest.mark.parametrize("sequence", PLACES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"occurred_at":"2', b'"occurred_at":"1'),
        (b'"schema":1', b'"schema":2'),
        (b'"type":"', b'"type":"X'),
        (b'"appended_at":"2', b'"appended_at":"1'),
        (b'"nonce":"', b'"nonce":"0'),
        (b'"ledger":"venue.example/perpetuals","nonce', b'"ledger":"venue.example/perpetualz","nonce'),
        (b'"writer":"', b'"writer":"x'),
        (b'{"event"', b'{ "event"'),
        (b'{"event"', b'{"Event"'),
        (b"}}", b"}} "),
    ],
)
def test_a_changed_byte_is_found_where_it_is(
    tampered: Tampered, sequence: int, old: bytes, new: bytes
) -> None:
    connection = tampered.connection
    stored = canonical(connection, sequence)
    before, found, after = stored.rpartition(old)
    assert found
    store(connection, sequence, before + new + after)
    assert first_failure(tampered.report()) == sequence


@pytest.mark.parametrize("sequence", range(LAST + 1))
def test_a_changed_prev_is_found_where_it_is(tampered: Tampered, sequence: int) -> None:
    connection = tampered.connection
    stored = canonical(connection, sequence)
    at = stored.index(b'"prev":"') + 8
    flipped = b"0" if stored[at : at + 1] != b"0" else b"1"
    store(connection, sequence, stored[:at] + flipped + stored[at + 1 :])
    report = tampered.report()
    assert first_failure(report) == sequence
    assert "link" in broken_checks(report)


@pytest.mark.parametrize("sequence", range(1, LAST + 1))
def test_a_payload_that_stays_well_formed_is_found_by_its_hash_alone(
    tampered: Tampered, sequence: int
) -> None:
    connection = tampered.connection
    stored = canonical(connection, sequence)
    old, new = (b'"notional":"7', b'"notional":"8') if sequence == 5 else (b'"amount":"1"', b'"amount":"9"')
    assert stored.count(old) == 1
    store(connection, sequence, stored.replace(old, new))
    report = tampered.report()
    assert first_failure(report) == sequence
    assert broken_checks(report) <= {"link", "head"}
    assert next(failure.check for failure in report.failures if failure.sequence == sequence) == "link"


@pytest.mark.parametrize("stored", [b"", b"\x00\xff", b"null", b"[" * 100_000, b'{"event":{},"link":{}}'])
@pytest.mark.parametrize("sequence", [0, 4, LAST])
def test_bytes_that_are_no_event_are_found_where_they_are(
    tampered: Tampered, sequence: int, stored: bytes
) -> None:
    connection = tampered.connection
    store(connection, sequence, stored)
    report = tampered.report()
    assert first_failure(report) == sequence
    assert "well_formed" in broken_checks(report)


@pytest.mark.parametrize("sequence", [0, 4, LAST])
def test_bytes_that_are_gone_are_found_where_they_were(tampered: Tampered, sequence: int) -> None:
    connection = tampered.connection
    connection.execute("ALTER TABLE events ALTER COLUMN canonical DROP NOT NULL")
    connection.execute("ALTER TABLE events ALTER COLUMN hash DROP NOT NULL")
    connection.execute("UPDATE events SET canonical = NULL WHERE sequence = %s", [sequence])
    assert first_failure(tampered.report()) == sequence


@pytest.mark.parametrize("sequence", range(LAST + 1))
def test_a_deleted_event_is_found_where_it_stood(tampered: Tampered, sequence: int) -> None:
    connection = tampered.connection
    connection.execute("DELETE FROM events WHERE sequence = %s", [sequence])
    connection.execute("DELETE FROM event_subjects WHERE sequence = %s", [sequence])
    report = tampered.report()
    assert first_failure(report) == sequence
    assert report.events == LAST


@pytest.mark.parametrize("sequence", range(LAST + 1))
def test_a_deleted_event_is_found_although_the_rest_moved_up(tampered: Tampered, sequence: int) -> None:
    connection = tampered.connection
    for table in ("events", "event_subjects"):
        name = sql.Identifier(table)
        connection.execute(sql.SQL("DELETE FROM {} WHERE sequence = %s").format(name), [sequence])
        connection.execute(
            sql.SQL("UPDATE {} SET sequence = sequence - 1 WHERE sequence > %s").format(name), [sequence]
        )
    assert first_failure(tampered.report()) == sequence


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 2), (2, 6), (LAST - 1, LAST), (0, LAST)])
@pytest.mark.parametrize("what", ["canonical", "every column"])
def test_swapped_events_are_found_at_the_first_of_them(
    tampered: Tampered, one: int, other: int, what: str
) -> None:
    connection = tampered.connection
    if what == "canonical":
        first, second = canonical(connection, one), canonical(connection, other)
        store(connection, one, second)
        store(connection, other, first)
    else:
        for table in ("events", "event_subjects"):
            connection.execute(
                sql.SQL(
                    "UPDATE {} SET sequence = CASE sequence WHEN %(one)s THEN %(other)s ELSE %(one)s END"
                    " WHERE sequence IN (%(one)s, %(other)s)"
                ).format(sql.Identifier(table)),
                {"one": one, "other": other},
            )
    assert first_failure(tampered.report()) == one


@pytest.mark.parametrize("sequence", [1, 4, LAST])
def test_an_inserted_event_is_found_although_numbers_were_fixed_up(tampered: Tampered, sequence: int) -> None:
    connection = tampered.connection
    prev = leaf_hash(canonical(connection, sequence - 1))
    appended_at = parse_time(parse_entry(canonical(connection, sequence - 1)).link.appended_at)
    connection.execute("UPDATE events SET sequence = sequence + 1 WHERE sequence >= %s", [sequence])
    connection.execute("UPDATE event_subjects SET sequence = sequence + 1 WHERE sequence >= %s", [sequence])
    event = prepared(deposit("thief"))
    forged, _ = Sealer("venue.example/perpetuals", "ledger", appended_at, sequence, prev).seal(
        event.event_bytes, bytes(16)
    )
    connection.execute(
        "INSERT INTO events (sequence, id, type, occurred_at, appended_at, writer, canonical)"
        " VALUES (%s, %s, %s, %s, %s, 'ledger', %s)",
        [sequence, event.id, event.type, event.occurred_at, appended_at, forged],
    )
    connection.execute("INSERT INTO event_subjects VALUES ('account/thief', %s)", [sequence])
    connection.execute("INSERT INTO event_subjects VALUES ('asset/USDT', %s)", [sequence])
    connection.execute("UPDATE ledger_head SET sequence = sequence + 1")
    assert first_failure(tampered.report()) == sequence


@pytest.mark.parametrize("sequence", [0, 4, LAST])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "00000000-0000-4000-8000-000000000000"),
        ("type", "WithdrawalRecorded"),
        ("occurred_at", "2020-01-01T00:00:00Z"),
        ("occurred_at", "infinity"),
        ("occurred_at", "20260-01-01T00:00:00Z"),
        ("occurred_at", "2020-01-01T00:00:00Z BC"),
        ("appended_at", "2020-01-01T00:00:00Z"),
        ("appended_at", "-infinity"),
        ("writer", "someone"),
    ],
)
def test_an_edited_column_is_found_where_it_is(
    tampered: Tampered, sequence: int, column: str, value: str
) -> None:
    connection = tampered.connection
    connection.execute(
        sql.SQL("UPDATE events SET {} = %s WHERE sequence = %s").format(sql.Identifier(column)),
        [value, sequence],
    )
    report = tampered.report()
    assert first_failure(report) == sequence
    assert broken_checks(report) <= {"columns", "head"}
    (failure,) = (failure for failure in report.failures if failure.check == "columns")
    assert failure.expected.startswith(f"{column} ")
    assert failure.actual.startswith(f"{column} ")


@pytest.mark.parametrize("sequence", [0, 4, LAST])
def test_a_stored_hash_that_is_not_that_of_the_bytes_is_found(tampered: Tampered, sequence: int) -> None:
    connection = tampered.connection
    connection.execute("ALTER TABLE events ALTER COLUMN hash DROP EXPRESSION")
    connection.execute("UPDATE events SET hash = %s WHERE sequence = %s", [bytes(32), sequence])
    report = tampered.report()
    assert (first_failure(report), broken_checks(report)) == (sequence, {"hash"})


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("DELETE FROM event_subjects WHERE sequence = 4 AND subject = 'account/A4'", 4),
        ("DELETE FROM event_subjects WHERE sequence = 5 AND subject = 'account/backstop'", 5),
        ("INSERT INTO event_subjects VALUES ('account/A1', 4)", 4),
        ("INSERT INTO event_subjects VALUES ('account/A1', 0)", 0),
        ("INSERT INTO event_subjects VALUES ('account/A1', 100)", 100),
        ("INSERT INTO event_subjects VALUES ('account/A1', -1)", -1),
        ("UPDATE event_subjects SET subject = 'account/A9' WHERE subject = 'account/A7'", 7),
    ],
)
def test_an_edited_index_is_found_where_it_is(tampered: Tampered, statement: str, sequence: int) -> None:
    tampered.connection.execute(statement.encode())
    report = tampered.report()
    assert (first_failure(report), broken_checks(report)) == (sequence, {"subjects"})


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        ("sequence = 100", {"head"}),
        ("sequence = 3", {"head"}),
        ("sequence = -1", {"head"}),
        (r"hash = '\x00'", {"head", "link"}),
        ("appended_at = 'infinity'", {"head"}),
        ("appended_at = appended_at + interval '1 microsecond'", {"head"}),
        ("origin = 'other.example'", {"head"}),
    ],
)
def test_an_edited_head_row_is_found(tampered: Tampered, change: str, checks: set[str]) -> None:
    tampered.connection.execute(f"UPDATE ledger_head SET {change}".encode())
    report = tampered.report()
    assert not report.ok
    assert broken_checks(report) == checks


def test_a_missing_head_row_is_found(tampered: Tampered) -> None:
    tampered.connection.execute("DELETE FROM ledger_head")
    report = tampered.report()
    assert (report.ok, report.origin, broken_checks(report)) == (False, "venue.example/perpetuals", {"head"})


def test_an_emptied_ledger_is_found_by_its_head_row(tampered: Tampered) -> None:
    connection = tampered.connection
    connection.execute("DELETE FROM events")
    connection.execute("DELETE FROM event_subjects")
    assert first_failure(tampered.report()) == 0


def test_a_cut_tail_with_the_head_row_fixed_up_is_left_to_checkpoints(tampered: Tampered) -> None:
    connection = tampered.connection
    connection.execute("DELETE FROM events WHERE sequence > 4")
    connection.execute("DELETE FROM event_subjects WHERE sequence > 4")
    connection.execute(
        "UPDATE ledger_head SET (sequence, hash, appended_at)"
        " = (SELECT sequence, hash, appended_at FROM events ORDER BY sequence DESC LIMIT 1)"
    )
    report = tampered.report()
    assert (report.ok, report.events) == (True, 5)
    assert any("cut tail" in words and "checkpoint" in words for words in report.not_checked)


def test_every_failure_is_counted_and_the_first_hundred_are_kept(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.append([deposit() for _ in range(150)])
    with unguarded(url) as connection:
        connection.execute("UPDATE events SET writer = 'someone'")
    report = verify_database(url)
    assert report.failure_count == LAST + 1 + 150
    assert [failure.sequence for failure in report.failures] == list(range(100))


def test_reading_stops_at_a_damaged_event_and_names_it(url: str) -> None:
    with unguarded(url) as connection:
        stored = canonical(connection, 4)
        store(connection, 4, stored.replace(b"DepositRecorded", b"DepositReceived"))
    with Ledger.open(url) as ledger:
        read = ledger.events(EventQuery(from_sequence=2))
        assert [next(read).sequence, next(read).sequence] == [2, 3]
        with pytest.raises(RecordUnreadableError) as unreadable:
            next(read)
    assert unreadable.value.sequence == 4


def test_reading_compares_the_stored_hash_with_the_bytes(url: str) -> None:
    with unguarded(url) as connection:
        connection.execute("ALTER TABLE events ALTER COLUMN hash DROP EXPRESSION")
        connection.execute("UPDATE events SET hash = %s WHERE sequence = 4", [bytes(32)])
    with Ledger.open(url) as ledger, pytest.raises(ChainBrokenError) as broken:
        list(ledger.events())
    assert (broken.value.sequence, broken.value.expected_hash) == (4, "0" * 64)
