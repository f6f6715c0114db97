"""Every stored column of every table, and every member of an event, changed once: who notices, and where.

A superuser without triggers and constraints makes the change. What is given away to outsiders is in
``test_tamper_matrix_of_files.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from ledger.canonical import decode, leaf_hash
from ledger.chain import Sealer
from ledger.errors import ExitCode
from ledger.events.envelope import prepare
from ledger.store import schema
from ledger.store.database import make_engine
from ledger.store.ledger import Ledger
from ledger.verify import VerifyReport, verify_connection
from tests.support.chains import verdict
from tests.support.changes import members, with_another_value, without, words
from tests.support.commands import Commands
from tests.support.direct import disarm
from tests.support.examples import deposit
from tests.support.keys import AT, ORIGIN
from tests.support.postgres import fresh_database
from tests.support.rich_events import full_draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg
    from sqlalchemy import Connection

EVENTS, FULL = 600, 300
TABLES = (schema.events, schema.event_subjects, schema.ledger_head, schema.tree_nodes)
STANDING = [0, 1, 255, 256, FULL, EVENTS - 1]


def _sealed_full_event() -> bytes:
    draft = full_draft()
    event = prepare(draft, draft.id or UUID(int=0)).event_bytes
    return Sealer(ORIGIN, "writer", AT, FULL, bytes(32)).seal(event, bytes(16))[0]


PATHS = [path for path in members(decode(_sealed_full_event())) if len(path) > 1]


@pytest.fixture(scope="module")
def untouched(database_server_url: str) -> Iterator[str]:
    """A ledger of 600 events, two full tiles and a part of a third; event 300 has everything."""
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"A{number}") for number in range(1, FULL)])
            ledger.append([full_draft()])
            ledger.append([deposit(f"A{number}") for number in range(FULL + 1, EVENTS)])
        yield url


@pytest.fixture(scope="module")
def lines(untouched: str) -> list[bytes]:
    with Ledger.open(untouched) as ledger:
        found = [canonical for _, canonical, _ in ledger.entries()]
        ledger.close()
    assert len(found) == EVENTS
    return found


@dataclass
class Superuser:
    """A transaction without triggers and constraints, and what verification sees in it."""

    connection: psycopg.Connection[Any]
    engine_connection: Connection

    def execute(self, statement: str, *parameters: object) -> None:
        changed = self.connection.execute(statement.encode(), parameters or None).rowcount
        assert changed != 0, f"{statement} {parameters} changed nothing"

    def store(self, sequence: int, canonical: bytes) -> None:
        self.execute("UPDATE events SET canonical = %s WHERE sequence = %s", canonical, sequence)

    def report(self) -> VerifyReport:
        return verify_connection(self.engine_connection)


@pytest.fixture
def superuser(untouched: str) -> Iterator[Superuser]:
    engine = make_engine(untouched)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        disarm(driver)
        driver.execute("ALTER TABLE ledger_head DROP CONSTRAINT ledger_head_one_row_check")
        driver.execute("ALTER TABLE events ALTER COLUMN hash DROP EXPRESSION")
        yield Superuser(driver, connection)
        driver.rollback()
    engine.dispose()


def found(report: VerifyReport) -> set[tuple[int | None, str]]:
    return {(failure.sequence, failure.check) for failure in report.failures}


def first(report: VerifyReport) -> int | None:
    return next((failure.sequence for failure in report.failures if failure.sequence is not None), None)


def test_untouched_the_ledger_holds(superuser: Superuser) -> None:
    report = superuser.report()
    assert (report.ok, report.events, found(report)) == (True, EVENTS, set())


# Every stored column. {n} is the event's sequence.

_HASH = r"'\x" + "00" * 32 + "'"
COLUMNS = [
    ("events", "sequence", "sequence + 1000", "sequence"),
    ("events", "id", "'00000000-0000-4000-8000-000000000000'", "columns"),
    ("events", "type", "'WithdrawalRecorded'", "columns"),
    ("events", "occurred_at", "occurred_at + interval '1 microsecond'", "columns"),
    ("events", "appended_at", "appended_at + interval '1 microsecond'", "columns"),
    ("events", "writer", "writer || 'x'", "columns"),
    ("events", "canonical", r"canonical || '\x20'", "well_formed"),
    ("events", "hash", _HASH, "hash"),
    ("event_subjects", "subject", "subject || 'x'", "subjects"),
    ("event_subjects", "sequence", "sequence + 1", "subjects"),
]
HEAD = [
    ("singleton", "false", None),
    ("origin", "'other.example/log'", None),
    ("sequence", "sequence - 1", EVENTS - 1),
    ("sequence", "sequence + 1", EVENTS),
    ("hash", _HASH, EVENTS - 1),
    ("appended_at", "appended_at + interval '1 microsecond'", EVENTS - 1),
    ("accepted_ahead_until", "'infinity'", None),
    ("accepted_ahead_until", "appended_at", None),
]
NODES = [
    ("level", "level + 1", "level = 1 AND index = 0", 255),
    ("index", "index + 1", "level = 1 AND index = 1", 511),
    ("hash", _HASH, "level = 1 AND index = 0", 255),
    ("hash", _HASH, "level = 1 AND index = 1", 511),
]


def test_the_matrix_has_every_stored_column() -> None:
    stored = {(table.name, column.name) for table in TABLES for column in table.columns}
    tried = {(table, column) for table, column, *_ in COLUMNS}
    tried |= {("ledger_head", column) for column, *_ in HEAD}
    tried |= {("tree_nodes", column) for column, *_ in NODES}
    assert tried == stored


def test_the_database_has_no_column_that_the_matrix_does_not_know(untouched: str) -> None:
    names = [table.name for table in TABLES]
    engine = make_engine(untouched)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns"
            f" WHERE table_name IN ({', '.join(repr(name) for name in names)})"
        ).all()
    engine.dispose()
    assert {tuple(row) for row in rows} == {(table.name, c.name) for table in TABLES for c in table.columns}


@pytest.mark.parametrize("sequence", STANDING)
@pytest.mark.parametrize(
    ("table", "column", "value", "check"), COLUMNS, ids=[f"{table}.{column}" for table, column, *_ in COLUMNS]
)
def test_a_changed_column_of_an_event_is_found_where_it_is(
    superuser: Superuser, table: str, column: str, value: str, check: str, sequence: int
) -> None:
    if table == "event_subjects" and sequence == 0:
        superuser.execute("INSERT INTO event_subjects VALUES ('account/A1', 0)")
    else:
        superuser.execute(f"UPDATE {table} SET {column} = {value} WHERE sequence = %s", sequence)
    report = superuser.report()
    assert (sequence, check) in found(report), report.failures[:5]
    assert first(report) == sequence, report.failures[:5]


@pytest.mark.parametrize(("column", "value", "sequence"), HEAD)
def test_a_changed_column_of_the_head_is_found(
    superuser: Superuser, column: str, value: str, sequence: int | None
) -> None:
    superuser.execute(f"UPDATE ledger_head SET {column} = {value}")
    report = superuser.report()
    assert (sequence, "head") in found(report), report.failures[:5]


@pytest.mark.parametrize(("column", "value", "where", "sequence"), NODES)
def test_a_changed_column_of_the_tree_is_found_at_the_last_event_under_it(
    superuser: Superuser, column: str, value: str, where: str, sequence: int
) -> None:
    superuser.execute(f"UPDATE tree_nodes SET {column} = {value} WHERE {where}")
    report = superuser.report()
    assert (sequence, "tree") in found(report), report.failures[:5]
    assert {check for _, check in found(report)} == {"tree"}


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("DELETE FROM tree_nodes WHERE index = 0", (255, "tree")),
        ("INSERT INTO tree_nodes SELECT * FROM tree_nodes WHERE index = 1", (511, "tree")),
        ("INSERT INTO event_subjects SELECT * FROM event_subjects WHERE sequence = 300", (300, "subjects")),
        ("DELETE FROM event_subjects WHERE sequence = 300", (300, "subjects")),
        ("INSERT INTO ledger_head SELECT * FROM ledger_head", (None, "head")),
        ("DELETE FROM ledger_head", (None, "head")),
        ("INSERT INTO events SELECT * FROM events WHERE sequence = 300", (300, "sequence")),
        ("DELETE FROM events WHERE sequence = 300", (300, "sequence")),
    ],
)
def test_a_row_that_is_gone_or_stands_twice_is_found(
    superuser: Superuser, statement: str, place: tuple[int | None, str]
) -> None:
    for table in ("events", "event_subjects", "ledger_head", "tree_nodes"):
        superuser.connection.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_pkey CASCADE".encode()
        )
    superuser.execute(statement)
    report = superuser.report()
    assert place in found(report), report.failures[:5]


# Every member of an event and its link.

_OWN_CHECK: dict[tuple[str | int, ...], str] = {
    ("link", "sequence"): "sequence",
    ("link", "ledger"): "origin",
}


@pytest.mark.parametrize("path", PATHS, ids=words)
def test_a_changed_member_of_an_event_breaks_the_chain_there(
    lines: list[bytes], path: tuple[str | int, ...]
) -> None:
    changed = with_another_value(lines[FULL], path)
    failures = verdict([*lines[:FULL], changed, *lines[FULL + 1 :]], head=leaf_hash(lines[-1]))
    checks = {failure.check for failure in failures if failure.sequence == FULL}
    assert {"link", _OWN_CHECK.get(path, "link")} <= checks, failures[:5]
    assert min(failure.sequence or 0 for failure in failures) == FULL


@pytest.mark.parametrize("path", PATHS, ids=words)
def test_a_member_that_is_left_out_breaks_the_chain_there(
    lines: list[bytes], path: tuple[str | int, ...]
) -> None:
    changed = without(lines[FULL], path)
    failures = verdict([*lines[:FULL], changed, *lines[FULL + 1 :]], head=leaf_hash(lines[-1]))
    checks = {failure.check for failure in failures if failure.sequence == FULL}
    assert "link" in checks, failures[:5]
    assert min(failure.sequence or 0 for failure in failures) == FULL


@pytest.mark.parametrize("path", [path for path in PATHS if len(path) == 2], ids=words)
def test_a_changed_member_of_the_last_event_is_found_by_the_head_that_is_known(
    lines: list[bytes], path: tuple[str | int, ...]
) -> None:
    cut = lines[: FULL + 1]
    failures = verdict([*cut[:-1], with_another_value(cut[-1], path)], head=leaf_hash(cut[-1]))
    assert (FULL, "link") in {(failure.sequence, failure.check) for failure in failures}


_COLUMN_OF = {"id", "type", "occurred_at", "appended_at", "writer"}


@pytest.mark.parametrize("path", [path for path in PATHS if len(path) == 2], ids=words)
def test_a_changed_member_in_the_stored_bytes_is_found_where_it_is(
    superuser: Superuser, lines: list[bytes], path: tuple[str | int, ...]
) -> None:
    superuser.store(FULL, with_another_value(lines[FULL], path))
    superuser.execute(
        "UPDATE events SET hash = sha256('\\x00'::bytea || canonical) WHERE sequence = %s", FULL
    )
    report = superuser.report()
    wanted = {(FULL, "link")} | ({(FULL, "columns")} if path[-1] in _COLUMN_OF else set())
    assert wanted <= found(report), report.failures[:5]
    assert first(report) == FULL


# The same through the command line.


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE events SET canonical = canonical || '\\x20' WHERE sequence = 300", (300, "link")),
        ("UPDATE events SET writer = 'someone' WHERE sequence = 300", (300, "columns")),
        ("DELETE FROM event_subjects WHERE sequence = 300", (300, "subjects")),
        ("UPDATE tree_nodes SET hash = '\\x00' WHERE index = 1", (511, "tree")),
        ("UPDATE ledger_head SET sequence = 3", (4, "head")),
    ],
)
def test_verify_exits_3_and_names_the_check_and_the_place(
    database_server_url: str, untouched: str, tmp_path: Path, statement: str, place: tuple[int, str]
) -> None:
    with fresh_database(database_server_url, like=untouched) as url:
        engine = make_engine(url)
        with engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            disarm(driver)
            driver.execute(statement.encode())
        engine.dispose()
        run = Commands(url, tmp_path).ledger("verify", "--json")
    document = run.document
    places = {(failure["sequence"], failure["check"]) for failure in document["failures"]}
    assert (run.exit_code, document["ok"]) == (ExitCode.INTEGRITY_BROKEN, False)
    assert place in places, document["failures"][:5]
    assert document["checks"][place[1]] is False
