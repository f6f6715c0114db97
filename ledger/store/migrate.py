"""Making and checking the tables: Alembic's migrations, carried inside the wheel.

From revision 0003 on, what belongs to the ledger is owned by its owner role, so a later migration makes
tables, functions and triggers as that role, and DDL on them by anyone else is refused::

    from ledger.store.migrate import as_owner, run_script

    def upgrade() -> None:
        with as_owner(op.get_context()):
            op.create_table("things", ...)
            run_script(op.get_context(), GUARDS.read_text(encoding="utf-8"))

Default privileges let the ledger's roles read such a table, and nobody else anything. Read models are made
outside the block, for their schemas belong to whoever made them.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from ledger.errors import EnvironmentFaultError, SchemaMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

_PACKAGE = Path(__file__).resolve().parent.parent
OLDEST_POSTGRES = 150_000
_RIGHTS_HINT = "let a superuser run it, or a role with CREATEROLE that owns the database and its tables"
_BECOME_OWNER = """
DO $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', (SELECT role FROM public.ledger_roles WHERE kind = 'owner'));
END
$$;
"""


def migrations_folder() -> Path:
    """Return the folder of the migrations: inside the wheel, or beside the package in a checkout.

    Raises:
        EnvironmentFaultError: the installation is incomplete.
    """
    for folder in (_PACKAGE / "_migrations", _PACKAGE.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise EnvironmentFaultError("the migrations are not installed", next_step="install margin-ledger again")


def newest_revision() -> str:
    """Return the revision this program was written for."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise EnvironmentFaultError(
            "the migrations are not installed", next_step="install margin-ledger again"
        )
    return revision


def current_revision(connection: Connection) -> str | None:
    """Return the revision of the tables in a database, or None where there are none.

    Raises:
        SchemaMismatchError: the database names more than one revision.
    """
    found = MigrationContext.configure(connection).get_current_heads()
    if len(found) > 1:
        raise SchemaMismatchError(
            f"the table alembic_version names {len(found)} revisions: {', '.join(sorted(found))}",
            found=None,
            wanted=newest_revision(),
            next_step="remove the rows that do not belong there, then ledger verify",
        )
    return found[0] if found else None


def upgrade(engine: Engine) -> None:
    """Make the tables, or bring them up to date, in one transaction.

    Raises:
        SchemaMismatchError: the tables are newer than this program.
        EnvironmentFaultError: the server is older than Postgres 15, the database is not UTF-8, or this role
            may not make tables and roles.
    """
    with engine.begin() as connection:
        version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
        if int(version) < OLDEST_POSTGRES:
            raise EnvironmentFaultError(
                f"the server is Postgres {int(version) // 10_000}; 15 or newer is needed",
                next_step="give --database with a newer server, or leave it out for the embedded one",
            )
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise EnvironmentFaultError(
                f"the database's encoding is {encoding}; events are UTF-8",
                next_step="CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
            )
        one_at_a_time(connection)
        check_not_newer(current_revision(connection))
        config = _config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except ProgrammingError as error:
            if isinstance(error.orig, InsufficientPrivilege):
                raise _not_permitted(error.orig) from error
            raise


def _not_permitted(error: InsufficientPrivilege) -> EnvironmentFaultError:
    return EnvironmentFaultError(
        "this role may not make the tables and roles of a ledger here, and nothing was made: "
        f"{error.diag.message_primary}",
        next_step=error.diag.message_hint or _RIGHTS_HINT,
    )


def run_script(context: MigrationContext, script: str) -> None:
    """Run SQL as it stands: colons and percent signs in it are no placeholders."""
    if context.as_sql:
        context.impl.static_output(script)
        return
    connection = context.connection
    assert connection is not None  # noqa: S101 (only offline there is none)
    connection.exec_driver_sql(script.replace("%", "%%"))


@contextmanager
def as_owner(context: MigrationContext) -> Iterator[None]:
    """Let a migration after 0003 act as the ledger's owner role for a block (see the module)."""
    run_script(context, _BECOME_OWNER)
    yield
    run_script(context, "RESET ROLE;")


def one_at_a_time(connection: Connection) -> None:
    """Wait until nobody else makes tables or opens a ledger here; held until the transaction ends."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('margin-ledger/1'))")


def check_revision(connection: Connection) -> None:
    """Make sure that the tables are those of this program.

    Raises:
        SchemaMismatchError: no tables, older tables or newer ones.
    """
    found = current_revision(connection)
    wanted = newest_revision()
    if found is None:
        raise SchemaMismatchError(
            "there is no ledger in this database",
            found=None,
            wanted=wanted,
            next_step="ledger init --origin NAME",
        )
    if found != wanted:
        check_not_newer(found)
        raise SchemaMismatchError(
            f"the tables are of revision {found}, this program needs {wanted}",
            found=found,
            wanted=wanted,
            next_step="ledger init --upgrade (recorded events are never changed by it)",
        )


def check_not_newer(found: str | None) -> None:
    """Refuse tables of a revision that this program has never heard of.

    Raises:
        SchemaMismatchError: the revision is unknown here.
    """
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatchError(
            f"the tables are of revision {found}, which is newer than this program knows",
            found=found,
            wanted=newest_revision(),
            next_step="pip install --upgrade margin-ledger",
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config
