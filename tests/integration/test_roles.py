"""What each role of a ledger may do: every attempt is SQL of a session that has that role alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from ledger.errors import AppendNotPermittedError, ExitCode, LedgerError
from ledger.events import governance
from ledger.events.envelope import Draft
from ledger.events.registry import PAYLOADS
from ledger.store.ledger import Ledger
from ledger.store.roles import (
    APPENDERS,
    AUDITOR_TYPES,
    GOVERNANCE_TYPES,
    READERS,
    RoleKind,
    kinds_that_append,
)
from ledger.verify import verify_database, verify_ledger
from tests.support.direct import DirectWriter, direct_writer, login, role_name
from tests.support.examples import EXAMPLES, deposit, draft_json, prepared
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_PRIVILEGE, UNCHANGEABLE, ROLE_MAY_NOT = "42501", "LG004", "LG007"
OWNER, WRITER, GOVERNANCE, READER, AUDITOR = RoleKind
HOLD = Draft.from_json(draft_json("LegalHoldPlaced"))
EXPORT = Draft.from_json(draft_json("ExportIssued"))

CHANGES = [
    "UPDATE events SET type = 'x'",
    "UPDATE events SET canonical = '' WHERE false",
    "DELETE FROM events",
    "TRUNCATE events",
    "UPDATE event_subjects SET subject = 'x'",
    "DELETE FROM event_subjects",
    "INSERT INTO event_subjects VALUES ('account/X', 1)",
    "UPDATE ledger_head SET sequence = 100",
    "DELETE FROM ledger_head",
    "UPDATE ledger_roles SET role = 'me'",
    "DELETE FROM ledger_roles",
]
OWNERS_ALONE = [
    "INSERT INTO ledger_roles VALUES ('owner', 'me')",
    "INSERT INTO ledger_head SELECT * FROM ledger_head",
    "UPDATE alembic_version SET version_num = '9999'",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "DROP TRIGGER guard_append ON events",
    "DROP TABLE events",
    "CREATE INDEX mine ON events (id)",
    "CREATE OR REPLACE FUNCTION ledger_guard_append() RETURNS trigger LANGUAGE sql RETURN NULL",
    "CREATE TABLE public.mine ()",
    "SELECT ledger_time_text(now())",
    "SELECT id FROM events FOR UPDATE",
    "SELECT origin FROM ledger_head FOR UPDATE",
    "LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
    "DELETE FROM read_models.balances",
]


@pytest.fixture(scope="module")
def url(database_server_url: str) -> Iterator[str]:
    with fresh_database(database_server_url) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.initialise(url, origin="venue.example/perpetuals") as opened:
        opened.append([deposit()])
        yield opened


@pytest.fixture(scope="module", params=list(RoleKind), ids=str)
def kind(request: pytest.FixtureRequest) -> RoleKind:
    found: RoleKind = request.param
    return found


@pytest.fixture(scope="module")
def session(url: str, ledger: Ledger, kind: RoleKind) -> Iterator[DirectWriter]:
    """A session that has one role, of each kind in turn."""
    assert ledger.valuation_currency == "USD"
    with direct_writer(url, kinds=[kind]) as direct:
        yield direct


# Changes


@pytest.mark.parametrize("statement", CHANGES)
def test_nobody_changes_what_is_recorded(session: DirectWriter, kind: RoleKind, statement: str) -> None:
    """The owner has every right to its tables, and meets the triggers."""
    assert session.refusal_of(statement) == (UNCHANGEABLE if kind is OWNER else NO_PRIVILEGE)


@pytest.mark.parametrize("kind", READERS, indirect=True, ids=str)
@pytest.mark.parametrize("statement", OWNERS_ALONE)
def test_what_belongs_to_the_owner_is_closed_to_the_others(session: DirectWriter, statement: str) -> None:
    assert session.refusal_of(statement) == NO_PRIVILEGE


# Appending


def test_each_role_appends_the_types_that_are_its_own(
    session: DirectWriter, kind: RoleKind, ledger: Ledger
) -> None:
    before = ledger.head().sequence
    refusals = {}
    for event_type in sorted(EXAMPLES.keys() - {"LedgerOpened"}):
        if kind is READER:
            refusals[event_type] = session.refusal_of("SELECT ledger_lock_head()")
        else:
            event = prepared(Draft.from_json(draft_json(event_type, id=None)))
            refusals[event_type] = session.refusal(session.row(event))
    refused = NO_PRIVILEGE if kind is READER else ROLE_MAY_NOT
    assert refusals == {one: None if kind in kinds_that_append(one) else refused for one in refusals}
    assert ledger.head().sequence - before == list(refusals.values()).count(None)
    assert verify_ledger(ledger).ok


def test_a_reader_inserts_nothing(url: str, ledger: Ledger) -> None:
    columns = "sequence, id, type, occurred_at, appended_at, writer, canonical"
    statement = f"INSERT INTO events ({columns}) SELECT {columns} FROM events"
    with login(url, READER) as reader, psycopg.connect(reader) as connection:
        assert DirectWriter(connection).refusal_of(statement) == NO_PRIVILEGE
    assert verify_ledger(ledger).ok


def test_a_batch_with_one_event_of_another_role_is_refused_whole(url: str, ledger: Ledger) -> None:
    before = ledger.head()
    with (
        login(url, WRITER) as writer,
        Ledger.open(writer) as mine,
        pytest.raises(AppendNotPermittedError) as refused,
    ):
        mine.append([deposit("A1"), HOLD, deposit("A2")])
    assert refused.value.event_type == "LegalHoldPlaced"
    assert ledger.head() == before


@pytest.mark.parametrize(
    ("has", "draft", "needs"),
    [
        (WRITER, HOLD, GOVERNANCE),
        (WRITER, EXPORT, AUDITOR),
        (GOVERNANCE, deposit("A2"), WRITER),
        (AUDITOR, deposit("A2"), WRITER),
        (AUDITOR, HOLD, GOVERNANCE),
        (OWNER, deposit("A2"), WRITER),
    ],
)
def test_the_refusal_says_which_role_is_needed_and_that_role_suffices(
    url: str, ledger: Ledger, has: RoleKind, draft: Draft, needs: RoleKind
) -> None:
    with login(url, has) as mine:
        with Ledger.open(mine) as opened, pytest.raises(AppendNotPermittedError) as refused:
            opened.append([draft])
        with psycopg.connect(url) as connection:
            needed = role_name(connection, needs)
            error = refused.value
            user = Ledger.open(mine).engine.url.username
            assert (error.event_type, error.role, error.exit_code) == (draft.type, user, ExitCode.ENVIRONMENT)
            assert (error.needed_kind, error.needed_role) == (needs, needed)
            assert error.grant == f"GRANT {needed} TO {user}"
            assert error.grant in str(error.next_step)
            connection.execute(error.grant.encode())
        with Ledger.open(mine) as opened:
            assert opened.append([draft]).appended == 1
            recorded = ledger.event(opened.head().sequence)
            assert (recorded.type, recorded.writer) == (draft.type, user)


def test_a_reader_who_appends_is_told_that_it_may_not(url: str, ledger: Ledger) -> None:
    before = ledger.head()
    with login(url, READER) as reader, Ledger.open(reader) as mine:
        with pytest.raises(LedgerError, match="this role may not append: permission denied") as refused:
            mine.append([deposit("A2")])
        assert refused.value.exit_code is ExitCode.ENVIRONMENT
        assert "GRANT" in str(refused.value.next_step)
    assert ledger.head() == before


def test_a_role_may_be_given_by_way_of_another(url: str, ledger: Ledger) -> None:
    with login(url, WRITER) as team, login(url) as person:
        names = [Ledger.open(team).engine.url.username, psycopg.conninfo.conninfo_to_dict(person)["user"]]
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("GRANT {} TO {}").format(*map(sql.Identifier, map(str, names))))
        with Ledger.open(person) as mine:
            assert mine.append([deposit("A3")]).appended == 1
    assert verify_ledger(ledger).ok


def test_it_is_the_sessions_role_that_counts_and_not_the_one_it_has_set(url: str, ledger: Ledger) -> None:
    with login(url, WRITER) as mine, psycopg.connect(mine) as connection:
        session, writer = DirectWriter(connection), role_name(connection, WRITER)
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(writer)))
        connection.commit()
        assert session.refusal(session.row(prepared(HOLD))) == ROLE_MAY_NOT
        assert session.refusal(session.row(prepared(deposit("A4")))) is None
    assert verify_ledger(ledger).ok


# Reading


@pytest.mark.parametrize("reading", READERS)
def test_every_role_but_the_owner_reads_and_verifies_everything(
    url: str, ledger: Ledger, reading: RoleKind
) -> None:
    with login(url, reading) as mine:
        report = verify_database(mine)
        assert (report.ok, report.events) == (True, ledger.head().sequence + 1)
        with psycopg.connect(mine) as connection:
            for table in ("ledger_roles", "read_models.balances", "read_models_shadow.progress"):
                connection.execute(f"SELECT * FROM {table}".encode()).fetchall()


@pytest.mark.parametrize("table", ["events", "event_subjects", "ledger_head", "ledger_roles"])
def test_who_has_no_role_reads_nothing(url: str, ledger: Ledger, table: str) -> None:
    assert ledger.head().sequence > 0
    with login(url) as stranger, psycopg.connect(stranger) as connection:
        assert DirectWriter(connection).refusal_of(f"SELECT * FROM {table}") == NO_PRIVILEGE


# The catalogue


def test_the_database_knows_the_types_that_the_library_knows(url: str, ledger: Ledger) -> None:
    assert ledger.head().sequence > 0
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = 'ledger_guard_roles'"
        ).fetchone()
    assert found is not None
    lists = dict(re.findall(r"(\w+)_types CONSTANT text\[\] := '\{([^}]*)\}'", found[0]))
    as_sets = {name: set(re.findall(r"\w+", types)) for name, types in lists.items()}
    assert as_sets == {"governance": set(GOVERNANCE_TYPES), "auditor": set(AUDITOR_TYPES)}


def test_every_type_has_a_role_that_appends_it() -> None:
    assert {name for name in PAYLOADS if not set(kinds_that_append(name)) & set(APPENDERS)} == set()
    assert PAYLOADS.keys() >= GOVERNANCE_TYPES | AUDITOR_TYPES
    assert not GOVERNANCE_TYPES & AUDITOR_TYPES


def test_a_new_type_about_the_ledger_itself_is_given_to_a_role_on_purpose() -> None:
    """Who adds one to the family decides here whether writers may append it."""
    about_the_ledger = {name for name, one in PAYLOADS.items() if one.__module__ == governance.__name__}
    writers = {"ClockSynchronised", "SourceDeclared", "SourceTotalsReported"}
    assert about_the_ledger - writers == GOVERNANCE_TYPES | AUDITOR_TYPES


# Roles of the server


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE public.ledger_head SET sequence = sequence + 1",
        "INSERT INTO public.event_subjects VALUES ('account/X', 1)",
        "INSERT INTO public.tree_nodes VALUES (1, 0, '')",
    ],
)
def test_head_and_index_are_not_written_from_a_trigger_of_ones_own(
    url: str, ledger: Ledger, statement: str
) -> None:
    """Who may write every table of the server still has to be the guards."""
    assert ledger.head().sequence > 0
    with login(url) as mine, psycopg.connect(mine) as connection:
        with psycopg.connect(url) as superuser:
            user = sql.Identifier(connection.info.user)
            superuser.execute(sql.SQL("GRANT pg_read_all_data, pg_write_all_data TO {}").format(user))
        connection.execute("CREATE TEMP TABLE mine (number int)")
        connection.execute(
            "CREATE FUNCTION pg_temp.write() RETURNS trigger LANGUAGE plpgsql"
            f" AS $$ BEGIN {statement}; RETURN NULL; END $$".encode()
        )
        connection.execute(
            "CREATE TRIGGER write AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.write()"
        )
        connection.commit()
        session = DirectWriter(connection)
        assert session.refusal_of(statement) == UNCHANGEABLE
        assert session.refusal_of("INSERT INTO mine VALUES (1)") == UNCHANGEABLE
