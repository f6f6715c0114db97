"""Attack: as superuser, change the tables themselves, or fill them with what misleads readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from ledger.errors import ExitCode
from ledger.store.ledger import Ledger
from ledger.verify import verify_database
from tests.support.direct import disarm, unguarded
from tests.support.examples import deposit
from tests.support.keys import ORIGIN
from tests.support.postgres import fresh_database
from tests.support.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def untouched(database_server_url: str) -> Iterator[str]:
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"A{number}") for number in range(1, 6)])
        yield url


@pytest.fixture
def url(database_server_url: str, untouched: str) -> Iterator[str]:
    with fresh_database(database_server_url, like=untouched) as copy:
        yield copy


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE tree_nodes",
        "DROP TABLE event_subjects",
        "ALTER TABLE events DROP COLUMN hash",
        "ALTER TABLE event_subjects ALTER COLUMN sequence TYPE text",
        "ALTER TABLE tree_nodes ALTER COLUMN hash TYPE text USING encode(hash, 'hex')",
    ],
)
def test_tables_that_are_not_as_they_were_made_are_told_in_words(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        disarm(connection)
        connection.execute(statement.encode())
    outcome = run("verify", "--json", url=url)
    assert outcome.code == ExitCode.ENVIRONMENT, outcome
    assert "not as the migrations make them" in outcome.document["message"]
    assert "unexpected" not in outcome.err


@pytest.mark.parametrize(
    "statement",
    [
        r"UPDATE events SET type = E'\x1b[2J' WHERE sequence = 2",
        r"UPDATE events SET writer = E'\u009b2J' WHERE sequence = 2",
        r"UPDATE event_subjects SET subject = E'account/\x1b]0;all is well\x07' WHERE sequence = 2",
        r"UPDATE ledger_head SET origin = E'\u202e' WHERE true",
        r"INSERT INTO event_subjects SELECT 'account/' || number, 2 FROM generate_series(1, 50000) AS number",
    ],
)
def test_what_is_found_cannot_write_to_the_terminal_nor_flood_it(url: str, statement: str) -> None:
    with unguarded(url) as connection:
        connection.execute(statement.encode())
    report = verify_database(url)
    assert not report.ok
    words = "".join(f"{each.expected}{each.actual}" for each in report.failures)
    assert words.isprintable()
    assert len(words) < 3000
