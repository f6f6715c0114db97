"""The owner of the database, who is no superuser and has no role of the ledger: what it tries, and gets.

It owns the schema ``public`` with the database, so it can make things there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from ledger.doctor import examine
from ledger.settings import Settings
from ledger.store.ledger import Ledger
from ledger.store.migrate import migrations_folder
from ledger.store.roles import RoleKind
from ledger.verify import verify_ledger
from tests.support.direct import login
from tests.support.examples import deposit

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "venue.example/perpetuals"

# Each matches the arguments that a guard has more exactly than what it stands for.
PLANTED = {
    "an operator": """
        CREATE FUNCTION public.planted(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.ran VALUES (current_user); RETURN $1 OPERATOR(pg_catalog.&&) $2; END $$;
        CREATE OPERATOR public.&& (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.planted)
    """,
    "a function": """
        CREATE FUNCTION public.generate_subscripts(text[], integer) RETURNS SETOF integer
        LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.ran VALUES (current_user);
            RETURN QUERY SELECT pg_catalog.generate_subscripts($1, $2);
        END $$
    """,
    "a function of any number of arguments": """
        CREATE FUNCTION public.concat(text, json, text, text, text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.ran VALUES (current_user);
            RETURN pg_catalog.concat($1, $2, $3, $4, $5);
        END $$
    """,
}
# Run with the owner role's rights, it gives the events away and takes the guard's teeth.
TAKE_OVER = """
    CREATE FUNCTION public.planted(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        GRANT ALL ON public.events TO {attacker};
        CREATE OR REPLACE FUNCTION public.ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN RETURN NULL; END';
        RETURN $1 OPERATOR(pg_catalog.&&) $2;
    EXCEPTION WHEN insufficient_privilege THEN
        RETURN $1 OPERATOR(pg_catalog.&&) $2;
    END $$;
    CREATE OPERATOR public.&& (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.planted);
"""

REFUSES_NOTHING = """
    CREATE OR REPLACE FUNCTION public.ledger_refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql
        AS 'BEGIN END'
"""
MAKES_A_SUPERUSER = """
    CREATE OR REPLACE FUNCTION public.ledger_refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            ALTER ROLE {attacker} SUPERUSER;
        END IF;
    END $$
"""


@pytest.fixture
def owned(database_server_url: str, database_url: str) -> Iterator[str]:
    """The URL of an empty database as its owner, who is no superuser."""
    with login(database_server_url) as url:
        user = user_of(url)
        with psycopg.connect(database_url) as connection:
            name = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(user)))
        yield (
            make_url(url).set(database=make_url(database_url).database).render_as_string(hide_password=False)
        )
        with psycopg.connect(database_url) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(name))
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(user)))


def user_of(url: str) -> str:
    return str(make_url(url).username)


def problems(url: str) -> list[str]:
    found = examine(Settings(Path("unused"), url, "a test")).problems
    return [problem for problem in found if "fsync" not in problem]


def run(url: str, statements: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statements.encode())


@pytest.mark.parametrize("before", [False, True], ids=["into a ledger", "before there is one"])
@pytest.mark.parametrize("planted", PLANTED)
def test_nothing_that_is_planted_in_public_runs_with_the_owner_roles_rights(
    owned: str, database_url: str, planted: str, *, before: bool
) -> None:
    run(owned, "CREATE TABLE public.ran (who text); GRANT INSERT ON public.ran TO PUBLIC")
    if before:
        run(owned, PLANTED[planted])
    Ledger.initialise(database_url, origin=ORIGIN).close()
    run(owned, "DELETE FROM public.ran")
    if not before:
        run(owned, PLANTED[planted])
    with login(database_url, RoleKind.WRITER) as writer, Ledger.open(writer) as ledger:
        assert ledger.append([deposit(f"A{number}") for number in range(600)]).appended == 600
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT DISTINCT who FROM public.ran").fetchall() == []
    run(owned, "DROP TABLE public.ran")


def test_events_are_not_rewritten_by_way_of_an_operator(owned: str, database_url: str) -> None:
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        run(owned, TAKE_OVER.format(attacker=user_of(owned)))
        with login(database_url, RoleKind.WRITER) as writer, Ledger.open(writer) as mine:
            mine.append([deposit()])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(owned, "UPDATE public.events SET type = 'LegalHoldPlaced' WHERE sequence = 1")
        assert verify_ledger(ledger).ok


@pytest.mark.parametrize("by_hand", [True, False], ids=["by the file", "by init"])
def test_a_function_that_was_there_first_does_not_become_the_event_triggers(
    owned: str, database_url: str, *, by_hand: bool
) -> None:
    """It would stay its maker's, who then chooses what runs at a superuser's next DDL."""
    if by_hand:
        Ledger.initialise(database_url, origin=ORIGIN).close()
        run(owned, "DROP FUNCTION public.ledger_refuse_ddl() CASCADE")
    run(owned, REFUSES_NOTHING)
    if by_hand:
        run(database_url, (migrations_folder() / "sql" / "0003_refuse_ddl.sql").read_text(encoding="utf-8"))
    else:
        Ledger.initialise(database_url, origin=ORIGIN).close()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(owned, MAKES_A_SUPERUSER.format(attacker=user_of(owned)))
    run(database_url, "CREATE TABLE public.anything ()")
    with psycopg.connect(owned) as connection:
        rights = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert rights == (False,)
    assert [problem for problem in problems(database_url) if "event trigger" in problem] == []


def test_doctor_names_the_owner_and_what_it_says_ends_its_rights_over_the_guards(
    owned: str, database_url: str
) -> None:
    Ledger.initialise(database_url, origin=ORIGIN).close()
    (problem,) = problems(database_url)
    assert problem.startswith(f"{user_of(owned)} owns the schema public")
    run(owned, "CREATE FUNCTION public.planted() RETURNS int LANGUAGE sql RETURN 1")
    run(database_url, problem.partition("(next: ")[2].removesuffix(")"))
    assert problems(database_url) == []
    for statement in (
        "DROP FUNCTION public.ledger_refuse_ddl() CASCADE",
        "DROP FUNCTION public.ledger_guard_append() CASCADE",
        "CREATE FUNCTION public.another() RETURNS int LANGUAGE sql RETURN 1",
        "ALTER SCHEMA public RENAME TO elsewhere",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(owned, statement)
    with Ledger.open(database_url) as ledger:
        assert ledger.append([deposit()]).appended == 1


def test_a_search_path_of_the_database_does_not_decide_what_the_library_runs(
    owned: str, database_url: str
) -> None:
    """In front of the server's own, anything can be put; a superuser who looks would run it."""
    Ledger.initialise(database_url, origin=ORIGIN).close()
    name = make_url(owned).database
    run(
        owned,
        f"""
        CREATE SCHEMA mine;
        GRANT USAGE ON SCHEMA mine TO PUBLIC;
        CREATE FUNCTION mine.to_regclass(text) RETURNS regclass LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
        CREATE VIEW mine.events AS SELECT 1 AS sequence;
        ALTER DATABASE {name} SET search_path = mine, pg_catalog, public
        """,
    )
    try:
        (problem,) = problems(database_url)
        assert "owns the schema public" in problem
        with Ledger.open(database_url) as ledger:
            assert verify_ledger(ledger).ok
    finally:
        run(owned, f"ALTER DATABASE {name} RESET search_path")
