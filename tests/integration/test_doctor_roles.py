"""Doctor finds what differs from what it should be, and the SQL that it gives puts it right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from ledger.doctor import Examination, examine
from ledger.doctor.guards import EVENT_TRIGGERS, GUARDS
from ledger.settings import Settings
from ledger.store.ledger import Ledger
from ledger.store.roles import RoleKind, may_execute
from ledger.store.schema import metadata
from tests.support.direct import allow_ddl, login, role_name
from tests.support.postgres import fresh_database
from tests.support.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def url(database_url: str) -> str:
    """A ledger with roles of its own: what is done to them here must not reach another test."""
    Ledger.initialise(database_url, origin="venue.example/perpetuals").close()
    return database_url


@pytest.fixture(scope="module")
def untouched(database_server_url: str) -> Iterator[str]:
    with fresh_database(database_server_url) as fresh:
        Ledger.initialise(fresh, origin="venue.example/perpetuals").close()
        yield fresh


def examined(url: str) -> Examination:
    return examine(Settings(Path("unused"), url, "a test"))


def problems(url: str) -> list[str]:
    return [problem for problem in examined(url).problems if "fsync" not in problem]


def spoil(url: str, statement: str) -> None:
    """Run statements as a superuser whom nothing stops; {owner} and the like are names of roles."""
    with psycopg.connect(url) as connection:
        names = {one.value: role_name(connection, one) for one in RoleKind}
        allow_ddl(connection)
        connection.execute(statement.format(**names).encode())
        allow_ddl(connection, allowed=False)


def advice(problem: str) -> str:
    """The SQL in a problem."""
    found = re.fullmatch(r".* \(next: (?:ledger verify, then )?(.*)\)", problem)
    assert found is not None, problem
    return found[1].removesuffix(", ledger doctor")


DEVIATIONS = [
    ("GRANT UPDATE ON events TO {writer}", "{writer} has UPDATE on events, which is too much"),
    ("GRANT INSERT ON events TO {reader}", "{reader} has INSERT on events, which is too much"),
    ("GRANT INSERT ON event_subjects TO {governance}", "{governance} has INSERT on event_subjects"),
    ("GRANT UPDATE ON ledger_head TO {auditor}", "{auditor} has UPDATE on ledger_head"),
    ("GRANT DELETE ON alembic_version TO {writer}", "{writer} has DELETE on alembic_version"),
    ("GRANT UPDATE (role) ON ledger_roles TO {writer}", "{writer} has UPDATE (role) on ledger_roles"),
    ("GRANT SELECT ON events TO PUBLIC", "PUBLIC has SELECT on events, which is too much"),
    ("GRANT SELECT ON ledger_head TO pg_monitor", "pg_monitor has SELECT on ledger_head"),
    ("GRANT SELECT ON events TO {reader} WITH GRANT OPTION", "{reader} may give SELECT on events away"),
    ("GRANT EXECUTE ON FUNCTION ledger_lock_head TO PUBLIC", "PUBLIC has EXECUTE on ledger_lock_head()"),
    ("GRANT EXECUTE ON FUNCTION ledger_lock_head TO {reader}", "{reader} has EXECUTE on ledger_lock_head()"),
    ("REVOKE SELECT ON events FROM {reader}", "{reader} has no SELECT on events"),
    ("REVOKE INSERT ON events FROM {writer}", "{writer} has no INSERT on events"),
    ("REVOKE SELECT ON alembic_version FROM {auditor}", "{auditor} has no SELECT on alembic_version"),
    ("REVOKE ALL ON events FROM {owner}", "{owner} has no TRUNCATE on events"),
    (
        "REVOKE EXECUTE ON FUNCTION ledger_lock_head FROM {governance}",
        "{governance} has no EXECUTE on ledger_lock_head()",
    ),
    ("REVOKE USAGE ON SCHEMA read_models FROM {reader}", "{reader} cannot read all of read_models "),
    (
        "REVOKE SELECT ON read_models_shadow.balances FROM {auditor}",
        "{auditor} cannot read all of read_models_shadow",
    ),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "everyone may make things in the schema public"),
    ("ALTER TABLE events OWNER TO CURRENT_USER", "the table events belongs to "),
    ("ALTER TABLE ledger_roles OWNER TO CURRENT_USER", "the table ledger_roles belongs to "),
    ("ALTER FUNCTION ledger_lock_head OWNER TO CURRENT_USER", "the function ledger_lock_head belongs to "),
    (
        "ALTER FUNCTION ledger_guard_tree SET search_path = pg_catalog, public, pg_temp",
        "ledger_guard_tree has search_path=pg_catalog, public, pg_temp",
    ),
    ("ALTER FUNCTION ledger_guard_append RESET search_path", "ledger_guard_append has no fixed search_path"),
    (
        "ALTER FUNCTION ledger_guard_roles SET search_path = public",
        "ledger_guard_roles has search_path=public",
    ),
    (
        "ALTER FUNCTION ledger_guard_append SECURITY INVOKER",
        "ledger_guard_append runs with its caller's",
    ),
    (
        "ALTER FUNCTION ledger_refuse_change SECURITY DEFINER",
        "ledger_refuse_change runs with its owner's",
    ),
    ("ALTER TABLE events DISABLE TRIGGER guard_roles", "the guard guard_roles of events is not in force"),
    ("ALTER TABLE events ENABLE TRIGGER guard_append", "the guard guard_append of events is not in force"),
    (
        "GRANT CREATE ON SCHEMA public TO {writer} WITH GRANT OPTION",
        "{writer} may make things in the schema public",
    ),
    ("ALTER SCHEMA public OWNER TO {auditor}", "{auditor} owns the schema public"),
    (
        "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION mine()",
        "the trigger mine of events is none of this program's",
    ),
    (
        "CREATE TRIGGER guard_append BEFORE INSERT ON ledger_roles FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "the trigger guard_append of ledger_roles is none of this program's",
    ),
    ("CREATE RULE mine AS ON INSERT TO events DO ALSO SELECT 1", "the rule mine of events is none of this"),
    ("ALTER TABLE events ENABLE ROW LEVEL SECURITY", "the row level security of events is none of this"),
    (
        "CREATE FUNCTION mine(text) RETURNS boolean LANGUAGE sql RETURN true;"
        "ALTER TABLE events ADD CONSTRAINT mine CHECK (mine(type))",
        "the constraint mine of events is none of this program's",
    ),
    (
        "CREATE FUNCTION mine() RETURNS text LANGUAGE sql RETURN 'x';"
        "ALTER TABLE events ALTER COLUMN writer SET DEFAULT mine()",
        "the default of writer of events is none of this program's",
    ),
    (
        "CREATE FUNCTION mine(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1;"
        "CREATE INDEX mine ON events (mine(type))",
        "the index mine of events is none of this program's",
    ),
    (
        "CREATE FUNCTION mine(text) RETURNS text LANGUAGE sql SECURITY DEFINER RETURN $1;"
        "ALTER FUNCTION mine OWNER TO {owner}",
        "the function public.mine(text), which is none of this program's, runs with the owner role's",
    ),
    ("ALTER ROLE {writer} LOGIN", "the role {writer} has LOGIN"),
    ("ALTER ROLE {governance} SUPERUSER", "the role {governance} has SUPERUSER"),
    ("GRANT {governance} TO {writer}", "the role {writer} is in {governance}"),
    ("GRANT {owner} TO {reader}", "the role {reader} is in {owner}"),
]


def test_nothing_is_amiss_with_a_new_ledger(untouched: str) -> None:
    assert problems(untouched) == []


@pytest.mark.parametrize(("statement", "said"), DEVIATIONS)
def test_a_deviation_is_named_and_the_sql_beside_it_mends_it(url: str, statement: str, said: str) -> None:
    spoil(url, statement)
    with psycopg.connect(url) as connection:
        expected = said.format(**{one.value: role_name(connection, one) for one in RoleKind})
    found = problems(url)
    assert any(expected in problem for problem in found), found
    with psycopg.connect(url) as connection:
        for problem in found:
            connection.execute(advice(problem).encode())
    assert problems(url) == []


@pytest.mark.parametrize("trigger", EVENT_TRIGGERS)
def test_an_event_trigger_that_is_off_or_gone_is_named(url: str, trigger: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"ALTER EVENT TRIGGER {trigger} DISABLE".encode())
    (problem,) = problems(url)
    assert f"the event trigger {trigger} is not in force" in problem
    assert examined(url).guards[trigger] == "off"
    with psycopg.connect(url) as connection:
        connection.execute(advice(problem).encode())
    assert problems(url) == []
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP EVENT TRIGGER {trigger}".encode())
    (problem,) = problems(url)
    script = Path(problem.rpartition("--file=")[2].removesuffix(")"))
    with psycopg.connect(url) as connection:
        connection.execute(script.read_bytes())
    assert problems(url) == []


def test_an_event_trigger_whose_function_others_can_replace_is_named(url: str) -> None:
    spoil(url, "ALTER FUNCTION ledger_refuse_ddl OWNER TO {owner}")
    found = problems(url)
    assert any("belongs to no superuser" in problem for problem in found)
    (script,) = {problem.rpartition("--file=")[2].removesuffix(")") for problem in found}
    with psycopg.connect(url) as connection:
        connection.execute(Path(script).read_bytes())
    assert problems(url) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'",
        "CREATE OR REPLACE FUNCTION ledger_time_text(moment timestamptz) RETURNS text LANGUAGE sql"
        " STABLE STRICT PARALLEL SAFE RETURN '2020-01-01T00:00:00.000000Z'",
        "CREATE OR REPLACE FUNCTION ledger_refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql"
        " AS 'BEGIN END'",
    ],
)
def test_a_guard_with_another_body_is_named(url: str, statement: str) -> None:
    spoil(url, statement)
    assert any("is not the one of this program's migrations" in problem for problem in problems(url))


def test_a_function_of_somebody_else_is_not_given_to_the_owner_role(url: str) -> None:
    spoil(url, "CREATE FUNCTION ledger_lock_head(int) RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1")
    found = problems(url)
    assert not any("OWNER TO" in problem for problem in found)
    (problem,) = (problem for problem in found if "DROP FUNCTION" in problem)
    with psycopg.connect(url) as connection:
        connection.execute(advice(problem).encode())
    assert problems(url) == []


def test_a_role_that_is_gone_is_named(url: str) -> None:
    spoil(url, "DROP OWNED BY {auditor}; DROP ROLE {auditor}")
    found = problems(url)
    assert any("is not on this server" in problem and "CREATE ROLE" in problem for problem in found)


def test_members_that_can_log_in_and_superusers_are_listed(url: str) -> None:
    with login(url, RoleKind.WRITER) as team, login(url) as person:
        users = [psycopg.conninfo.conninfo_to_dict(one)["user"] for one in (team, person)]
        with psycopg.connect(url) as connection:
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(*(sql.Identifier(str(user)) for user in users))
            )
            me = connection.info.user
        found = examined(url)
    assert found.roles["writer"]["members"] == sorted(map(str, users))
    assert found.roles["governance"]["members"] == []
    assert me in found.superusers
    assert me not in found.roles["owner"]["members"]


@pytest.mark.parametrize("kind", [*RoleKind])
def test_doctor_works_for_every_role(untouched: str, kind: RoleKind) -> None:
    with login(untouched, kind) as mine:
        assert problems(mine) == []


def test_doctor_says_for_each_role_what_an_attacker_could_do_and_what_finds_it(untouched: str) -> None:
    document = run("doctor", "--json", url=untouched).document
    assert document["attackers"].keys() == {
        *(kind.value for kind in RoleKind),
        "signing key",
        "superuser",
    }
    text = run("doctor", url=untouched).out
    for kind, said in document["attackers"].items():
        assert said in text
        assert document["roles"].get(kind, {"role": kind})["role"] in text
    can_lock = {kind.value for kind in RoleKind if may_execute(kind, "ledger_lock_head")}
    told = {kind for kind, said in document["attackers"].items() if "hold appends up" in said}
    assert told == can_lock
    assert "a trigger on them that runs as whoever appends" in document["attackers"]["owner"]


def test_doctor_looks_at_every_guard_there_is(untouched: str) -> None:
    with psycopg.connect(untouched) as connection:
        triggers = connection.execute(
            "SELECT relname, tgname FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid"
            " WHERE NOT tgisinternal"
        ).fetchall()
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_get_userbyid(relowner) = %s",
            [role_name(connection, RoleKind.OWNER)],
        ).fetchall()
    assert set(triggers) == set(GUARDS)
    assert {name for (name,) in tables} == {*metadata.tables, "alembic_version"}
    assert set(examined(untouched).guards.values()) == {"always"}


def test_a_ledger_whose_roles_are_gone_is_amiss(url: str) -> None:
    roles = [role["role"] for role in examined(url).roles.values()]
    spoil(url, "DROP TABLE ledger_roles")
    assert any("ledger_roles is missing" in problem for problem in problems(url))
    with psycopg.connect(url) as connection:  # nobody could tell any more whose they are
        allow_ddl(connection)
        for role in roles:
            connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())
