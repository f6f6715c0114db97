"""How a ledger comes by its roles: whoever runs the migration, and whatever is on the server already."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations

from ledger.doctor import examine
from ledger.errors import EnvironmentFaultError, ExitCode
from ledger.settings import Settings
from ledger.store.append import append_batch
from ledger.store.database import make_engine
from ledger.store.ledger import Ledger, check_opening
from ledger.store.migrate import as_owner, migrations_folder, run_script, upgrade
from ledger.store.roles import RoleKind, role_names
from ledger.verify import verify_ledger
from tests.support.direct import login, role_name
from tests.support.examples import EXAMPLES, deposit, draft_json, prepared
from tests.support.postgres import drop_database, fresh_database, ledger_roles
from tests.support.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.doctor import Examination

ORIGIN = "venue.example/perpetuals"


def examined(url: str) -> Examination:
    from pathlib import Path

    return examine(Settings(Path("unused"), url, "a test"))


def names(url: str) -> dict[RoleKind, str]:
    engine = make_engine(url)
    with engine.connect() as connection:
        return role_names(connection)


@contextmanager
def makers_database(server_url: str, rights: str, *, owned: bool = True) -> Iterator[str]:
    """Give the URL of a new database, as a login role that is no superuser."""
    name = f"ledger_test_{uuid.uuid4().hex}"
    maker = f"ledger_test_maker_{uuid.uuid4().hex[:12]}"
    place = urlsplit(server_url)._replace(path=f"/{name}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {maker} LOGIN PASSWORD 'maker' {rights}".encode())
        owner = f"OWNER {maker}" if owned else ""
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {owner}".encode())
    try:
        url = sa.make_url(urlunsplit(place)).set(username=maker, password="maker")
        yield url.render_as_string(hide_password=False)
    finally:
        drop_database(server_url, urlunsplit(place))
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {maker}".encode())


@pytest.fixture
def maker(database_server_url: str) -> Iterator[str]:
    """A role that may make roles, and owns its database."""
    with makers_database(database_server_url, "CREATEROLE") as url:
        yield url


def as_superuser(server_url: str, url: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=urlsplit(url).path))


# Names


def test_a_ledger_names_five_roles_that_cannot_log_in_and_say_whose_they_are(database_url: str) -> None:
    Ledger.initialise(database_url, origin=ORIGIN).close()
    found = names(database_url)
    assert list(found) == list(RoleKind)
    token = found[RoleKind.OWNER].split("_")[1]
    assert found == {kind: f"ledger_{token}_{kind.value}" for kind in RoleKind}
    assert len(token) == 12
    assert set(token) <= set("0123456789abcdef")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT rolname, rolcanlogin OR rolsuper OR rolcreaterole, shobj_description(oid, 'pg_authid')"
            " FROM pg_roles WHERE rolname = ANY(%s)",
            [list(found.values())],
        ).fetchall()
    database = urlsplit(database_url).path.removeprefix("/")
    assert {(name, able, said) for name, able, said in rows} == {
        (name, False, f"{kind.value} of the ledger in the database {database}")
        for kind, name in found.items()
    }


def test_two_ledgers_of_one_server_share_no_role(database_server_url: str) -> None:
    with fresh_database(database_server_url) as one, fresh_database(database_server_url) as other:
        for url in (one, other):
            Ledger.initialise(url, origin=ORIGIN).close()
        assert not ledger_roles(one) & ledger_roles(other)
        with login(one, *RoleKind) as mine:
            elsewhere = urlunsplit(urlsplit(mine)._replace(path=urlsplit(other).path))
            with (
                psycopg.connect(elsewhere) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute("SELECT FROM events")


def look_into_public_first(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET LOCAL search_path = public, pg_catalog")


def test_a_token_that_is_taken_is_tried_again(database_server_url: str, database_url: str) -> None:
    """A function in front of the server's own first makes the token of another ledger."""
    with fresh_database(database_server_url) as other:
        upgrade(make_engine(other))
        token = names(other)[RoleKind.OWNER].split("_")[1]
        taken = uuid.UUID(token + "4" * 20)
        with psycopg.connect(database_url) as connection:
            connection.execute("CREATE SEQUENCE tries")
            connection.execute(
                "CREATE FUNCTION public.gen_random_uuid() RETURNS uuid LANGUAGE sql RETURN"
                f" CASE nextval('tries') WHEN 1 THEN '{taken}'::uuid ELSE pg_catalog.gen_random_uuid() END"
            )
        engine = make_engine(database_url)
        sa.event.listen(engine, "begin", look_into_public_first)
        upgrade(engine)
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT last_value FROM tries").fetchone() == (2,)
        assert len(ledger_roles(database_url)) == 5
        assert not ledger_roles(database_url) & ledger_roles(other)


def test_a_dropped_database_leaves_no_role_and_a_copy_leaves_those_it_shares(
    database_server_url: str,
) -> None:
    with fresh_database(database_server_url) as original:
        Ledger.initialise(original, origin=ORIGIN).close()
        roles = ledger_roles(original)
        with fresh_database(database_server_url, like=original) as copy:
            assert ledger_roles(copy) == roles
        with psycopg.connect(original) as connection:
            (left,) = connection.execute(
                "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [sorted(roles)]
            ).fetchall()
            assert left == (5,)
    with psycopg.connect(database_server_url) as connection:
        assert (
            connection.execute("SELECT FROM pg_roles WHERE rolname = ANY(%s)", [sorted(roles)]).fetchall()
            == []
        )


def test_init_names_the_roles(database_url: str) -> None:
    would = run("init", "--origin", ORIGIN, "--dry-run", "--json", url=database_url)
    assert would.document["roles"] == {}
    done = run("init", "--origin", ORIGIN, "--json", url=database_url)
    assert done.document["roles"] == {kind.value: name for kind, name in names(database_url).items()}
    upgraded = run("init", "--upgrade", url=database_url)
    assert all(name in upgraded.out for name in ledger_roles(database_url))


# Who makes them


def test_a_role_that_may_make_roles_makes_a_ledger_and_works_in_it(
    maker: str, database_server_url: str
) -> None:
    with Ledger.initialise(maker, origin=ORIGIN) as ledger:
        for event_type in sorted(EXAMPLES.keys() - {"LedgerOpened"}):
            assert ledger.append([prepared_draft(event_type)]).appended == 1
        assert verify_ledger(ledger).ok
        with login(as_superuser(database_server_url, maker), RoleKind.READER) as reader:
            assert Ledger.open(reader).head().sequence == len(EXAMPLES) - 1
    assert run("init", "--upgrade", url=maker).code == ExitCode.OK
    assert run("rebuild", url=maker, package="replay").code == ExitCode.OK
    found = examined(maker)
    user = sa.make_url(maker).username
    assert {role["members"][0] for role in found.roles.values()} == {user}


def prepared_draft(event_type: str) -> Any:
    from ledger.events.envelope import Draft

    return Draft.from_json(draft_json(event_type, id=None))


def test_what_takes_a_superuser_is_left_out_and_doctor_names_the_file(
    maker: str, database_server_url: str
) -> None:
    Ledger.initialise(maker, origin=ORIGIN).close()
    problems = [problem for problem in examined(maker).problems if "fsync" not in problem]
    script = migrations_folder() / "sql" / "0003_refuse_ddl.sql"
    assert len(problems) == 2
    assert all("is missing" in problem and f"--file={script}" in problem for problem in problems)
    with psycopg.connect(as_superuser(database_server_url, maker)) as connection:
        connection.execute(script.read_bytes())
    assert [problem for problem in examined(maker).problems if "fsync" not in problem] == []
    with psycopg.connect(maker) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
    assert refused.value.sqlstate == "LG008"


@pytest.mark.parametrize(
    ("rights", "owned", "said"),
    [
        ("", True, "may not make the roles of a ledger"),
        ("CREATEDB", True, "may not make the roles of a ledger"),
        ("CREATEROLE", False, "permission denied for schema public"),
        ("", False, "permission denied for schema public"),
    ],
)
def test_a_role_that_may_not_make_roles_makes_nothing_and_is_told_what_it_takes(
    database_server_url: str, rights: str, *, owned: bool, said: str
) -> None:
    with makers_database(database_server_url, rights, owned=owned) as url:
        with pytest.raises(EnvironmentFaultError, match=said) as refused:
            Ledger.initialise(url, origin=ORIGIN)
        assert refused.value.exit_code is ExitCode.ENVIRONMENT
        assert "superuser" in str(refused.value.next_step)
        assert "CREATEROLE" in str(refused.value.next_step)
        outcome = run("init", "--origin", ORIGIN, "--json", url=url)
        assert (outcome.code, "Traceback" in outcome.err) == (ExitCode.ENVIRONMENT, False)
        assert json.loads(outcome.out)["error"] == "EnvironmentFaultError"
        with psycopg.connect(as_superuser(database_server_url, url)) as connection:
            made = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            assert connection.execute(made.encode()).fetchall() == []


def test_tables_are_made_and_the_ledger_is_opened_by_others(database_url: str) -> None:
    upgrade(make_engine(database_url))
    with login(database_url, RoleKind.GOVERNANCE) as opener:
        with pytest.raises(EnvironmentFaultError, match="may not open a ledger") as refused:
            Ledger.initialise(opener, origin=ORIGIN)
        assert "owner role" in str(refused.value.next_step)
    with login(database_url, RoleKind.GOVERNANCE, RoleKind.OWNER) as opener:
        Ledger.initialise(opener, origin=ORIGIN).close()
    with Ledger.open(database_url) as ledger:
        assert verify_ledger(ledger).ok


# Earlier and later revisions


def migrate(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    with make_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture(params=["superuser", "maker"])
def of_revision_2(request: pytest.FixtureRequest, database_server_url: str) -> Iterator[str]:
    """A ledger of two events from before there were roles, and nobody else's."""
    rights = {"superuser": "SUPERUSER", "maker": "CREATEROLE"}[request.param]
    with makers_database(database_server_url, rights) as url:
        migrate(url, "0002")
        with psycopg.connect(url) as connection:
            connection.execute(
                "INSERT INTO ledger_head (origin, sequence, hash, appended_at) VALUES (%s, -1, %s, 'epoch')",
                [ORIGIN, bytes(32)],
            )
            append_batch(connection, [check_opening(ORIGIN, "USD"), prepared(deposit())])
        yield url


def stored(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT *, ctid, xmin::text FROM events ORDER BY sequence").fetchall()


def test_an_upgrade_leaves_what_is_recorded_as_it_is(of_revision_2: str) -> None:
    before = stored(of_revision_2)
    assert len(before) == 2
    assert examined(of_revision_2).roles == {}
    outcome = run("init", "--upgrade", "--json", url=of_revision_2)
    assert outcome.code == ExitCode.OK, outcome
    assert outcome.document["roles"] == {kind.value: name for kind, name in names(of_revision_2).items()}
    assert stored(of_revision_2) == before
    with Ledger.open(of_revision_2) as ledger:
        assert ledger.append([deposit("A2")]).appended == 1
        assert verify_ledger(ledger).ok


def test_what_was_granted_before_is_found_by_doctor(of_revision_2: str) -> None:
    with psycopg.connect(of_revision_2) as connection:
        connection.execute("GRANT INSERT ON events TO PUBLIC")
        connection.execute("GRANT SELECT ON ledger_head TO pg_monitor")
    upgrade(make_engine(of_revision_2))
    said = "\n".join(examined(of_revision_2).problems)
    assert "PUBLIC" not in said  # the migration takes it back
    assert "REVOKE SELECT ON ledger_head FROM pg_monitor" in said


@pytest.mark.parametrize("rights", ["SUPERUSER", "CREATEROLE"])
def test_a_later_migration_makes_tables_and_triggers_as_the_owner(
    database_server_url: str, rights: str
) -> None:
    with makers_database(database_server_url, rights) as url:
        Ledger.initialise(url, origin=ORIGIN).close()
        with make_engine(url).begin() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with as_owner(operations.get_context()):
                operations.create_table("things", sa.Column("number", sa.BigInteger, primary_key=True))
                run_script(
                    operations.get_context(),
                    """
                    CREATE FUNCTION ledger_count_things() RETURNS trigger
                    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
                    BEGIN INSERT INTO public.things SELECT sequence FROM new_events; RETURN NULL; END $$;
                    CREATE TRIGGER write_things AFTER INSERT ON events REFERENCING NEW TABLE AS new_events
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger_count_things();
                    ALTER TABLE events ENABLE ALWAYS TRIGGER write_things;
                    """,
                )
            assert connection.exec_driver_sql("SELECT current_user = session_user").scalar()
        superuser = as_superuser(database_server_url, url)
        with login(superuser, RoleKind.WRITER) as writer:
            Ledger.open(writer).append([deposit()])
            with psycopg.connect(writer) as session:
                assert session.execute("SELECT number FROM things").fetchall() == [(1,)]
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute("INSERT INTO things VALUES (9)")
        with psycopg.connect(superuser) as session:
            owner = role_name(session, RoleKind.OWNER)
            granted = session.execute(
                "SELECT pg_get_userbyid(relowner), EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0)"
                " FROM pg_class WHERE relname = 'things' UNION ALL "
                "SELECT pg_get_userbyid(proowner), EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0)"
                " FROM pg_proc WHERE proname = 'ledger_count_things'"
            ).fetchall()
            assert granted == [(owner, False)] * 2


def test_the_migrations_can_be_printed_and_run_by_hand(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", database_url)
    config = Config(output_buffer=(tmp_path / "upgrade.sql").open("w", encoding="utf-8"))
    config.set_main_option("script_location", str(migrations_folder()))
    command.upgrade(config, "head", sql=True)
    assert config.output_buffer is not None
    config.output_buffer.close()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute((tmp_path / "upgrade.sql").read_bytes())
    Ledger.initialise(database_url, origin=ORIGIN).close()
    assert [problem for problem in examined(database_url).problems if "fsync" not in problem] == []
