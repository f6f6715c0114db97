"""Rows that no constraint would let in are a broken ledger, told by name, not a fault of the program."""

from __future__ import annotations

import pytest

from ledger.store.ledger import Ledger
from ledger.verify import verify_database
from tests.support.direct import without_triggers
from tests.support.examples import deposit

_EVENT = "id, type, occurred_at, appended_at, writer, canonical"


@pytest.mark.parametrize(
    ("table", "constraint", "column", "change", "failure"),
    [
        (
            "events",
            "events_pkey",
            "sequence",
            f"INSERT INTO events (sequence, {_EVENT}) SELECT NULL, gen_random_uuid(), type, occurred_at,"
            " appended_at, writer, canonical FROM events WHERE sequence = 1",
            (-1, "sequence"),
        ),
        (
            "event_subjects",
            "event_subjects_pkey",
            "subject",
            "INSERT INTO event_subjects (subject, sequence) VALUES (NULL, 1)",
            (1, "subjects"),
        ),
        (
            "event_subjects",
            "event_subjects_pkey",
            "sequence",
            "INSERT INTO event_subjects (subject, sequence) VALUES ('account/A1', NULL)",
            (-1, "subjects"),
        ),
        (
            "ledger_head",
            "ledger_head_pkey",
            "singleton",
            "INSERT INTO ledger_head SELECT * FROM ledger_head",
            (None, "head"),
        ),
        (
            "ledger_head",
            "ledger_head_pkey",
            "sequence",
            "UPDATE ledger_head SET sequence = NULL",
            (0, "head"),
        ),
        ("ledger_head", "ledger_head_pkey", "hash", "UPDATE ledger_head SET hash = NULL", (2, "head")),
    ],
)
def test_a_row_that_cannot_be_is_a_failure(
    database_url: str, table: str, constraint: str, column: str, change: str, failure: tuple[int | None, str]
) -> None:
    with Ledger.initialise(database_url, origin="venue.example/perpetuals") as ledger:
        ledger.append([deposit("A1"), deposit("A2")])
    assert verify_database(database_url).ok
    with without_triggers(database_url) as connection:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
        connection.execute(change)
    report = verify_database(database_url)
    assert not report.ok
    assert failure in [(found.sequence, found.check) for found in report.failures]
