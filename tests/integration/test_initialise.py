"""Opening a ledger, and databases that are not what they should be."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql

from ledger.chain import FORMAT
from ledger.errors import (
    DatabaseUnavailableError,
    EnvironmentFaultError,
    ExitCode,
    IntegrityError,
    InvalidInputError,
    LedgerExistsError,
    LedgerNotInitialisedError,
    SchemaMismatchError,
)
from ledger.events.governance import LedgerOpened
from ledger.store.database import make_engine
from ledger.store.ledger import Ledger
from ledger.store.migrate import migrations_folder, newest_revision, upgrade
from ledger.verify import verify_database, verify_ledger
from tests.support.direct import unguarded
from tests.support.examples import deposit

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = "venue.example/perpetuals"


def initialise(url: str) -> None:
    Ledger.initialise(url, origin=ORIGIN, valuation_currency="USDT", description="a test").close()


def set_revision(url: str, revision: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])


def test_the_first_event_opens_the_ledger(database_url: str) -> None:
    initialise(database_url)
    with Ledger.open(database_url) as ledger:
        event = ledger.event(0)
        assert event.data == LedgerOpened(
            ledger=ORIGIN, format=FORMAT, description="a test", valuation_currency="USDT"
        )
        assert (event.ledger, event.prev, event.sequence) == (ORIGIN, bytes(32), 0)
        assert (ledger.origin, ledger.valuation_currency) == (ORIGIN, "USDT")
        assert verify_ledger(ledger).ok


def test_a_second_opening_is_refused_and_changes_nothing(database_url: str) -> None:
    initialise(database_url)
    with pytest.raises(
        LedgerExistsError, match=f"the ledger {ORIGIN} is open in this database already"
    ) as caught:
        Ledger.initialise(database_url, origin="other.example")
    assert caught.value.exit_code is ExitCode.USAGE
    with Ledger.open(database_url) as ledger:
        assert (ledger.origin, ledger.head().sequence) == (ORIGIN, 0)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "x" * 129, "é", "a\n"])
def test_an_origin_that_is_no_name_makes_no_tables(database_url: str, origin: str) -> None:
    with pytest.raises(InvalidInputError):
        Ledger.initialise(database_url, origin=origin)
    with pytest.raises(SchemaMismatchError):
        Ledger.open(database_url)


def test_tables_without_a_ledger_are_said_to_be_that(database_url: str) -> None:
    upgrade(make_engine(database_url))
    attempts: list[Callable[[str], object]] = [Ledger.open, verify_database]
    for attempt in attempts:
        with pytest.raises(LedgerNotInitialisedError) as caught:
            attempt(database_url)
        assert caught.value.next_step == "ledger init --origin NAME"
    initialise(database_url)


@pytest.mark.parametrize(
    ("revision", "problem", "next_step"),
    [
        ("9999", "newer than this program knows", "pip install --upgrade margin-ledger"),
        ("0001", "this program needs", "ledger init --upgrade (recorded events are never changed by it)"),
    ],
)
def test_tables_of_another_revision_are_refused_with_the_way_out(
    database_url: str, revision: str, problem: str, next_step: str
) -> None:
    if revision == newest_revision():
        pytest.skip("there is no older revision yet")
    initialise(database_url)
    set_revision(database_url, revision)
    attempts: list[Callable[[str], object]] = [Ledger.open, verify_database]
    for attempt in attempts:
        with pytest.raises(SchemaMismatchError, match=problem) as caught:
            attempt(database_url)
        assert caught.value.exit_code is ExitCode.ENVIRONMENT
        assert caught.value.next_step == next_step
        assert caught.value.found == revision


def test_a_database_without_tables_is_refused_with_the_way_out(database_url: str) -> None:
    with pytest.raises(SchemaMismatchError, match="there is no ledger in this database") as caught:
        Ledger.open(database_url)
    assert (caught.value.found, caught.value.next_step) == (None, "ledger init --origin NAME")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:secret@127.0.0.1:1/none",
        "postgresql+psycopg://nobody:secret@127.0.0.1:1/none",
        "postgres://nobody:secret@127.0.0.1:1/none",
    ],
)
def test_a_database_that_is_down_is_said_to_be_down_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnavailableError) as caught:
        Ledger.open(url)
    assert caught.value.exit_code is ExitCode.ENVIRONMENT
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://x:secret@y/z", "sqlite://", "secret", "postgresql://x:secret@y:port/z"]
)
def test_what_is_no_postgres_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Ledger.open(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_utf_8_is_refused(database_server_url: str) -> None:
    name = f"ledger_test_{uuid.uuid4().hex}"
    with psycopg.connect(database_server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'").format(
                sql.Identifier(name)
            )
        )
    try:
        with pytest.raises(EnvironmentFaultError, match="the database's encoding is LATIN1"):
            initialise(urlunsplit(urlsplit(database_server_url)._replace(path=f"/{name}")))
    finally:
        with psycopg.connect(database_server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_alembic_alone_makes_the_same_tables(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", database_url)
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    command.upgrade(config, "head")
    initialise(database_url)
    with Ledger.open(database_url) as ledger:
        ledger.append([deposit()])
        assert verify_ledger(ledger).ok


def test_a_ledger_whose_beginning_is_damaged_is_not_opened(database_url: str) -> None:
    initialise(database_url)
    with unguarded(database_url) as connection:
        connection.execute("UPDATE ledger_head SET origin = 'other.example'")
    with pytest.raises(IntegrityError, match="the first event opens the ledger"):
        Ledger.open(database_url)
    with unguarded(database_url) as connection:
        connection.execute("UPDATE ledger_head SET origin = %s", [ORIGIN])
        connection.execute(
            "UPDATE events SET canonical = replace(encode(canonical, 'escape'), '/1', '/2')::bytea"
        )
    with pytest.raises(EnvironmentFaultError, match="not of the format margin-ledger/1"):
        Ledger.open(database_url)
    with unguarded(database_url) as connection:
        connection.execute("DELETE FROM events")
    with pytest.raises(IntegrityError, match="first event is missing"):
        Ledger.open(database_url)
