"""Connections: one engine a database, and what drivers raise turned into our errors."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as postgres_errors
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, Select, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from ledger.errors import DatabaseUnavailableError, EnvironmentFaultError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_NOT_AS_MADE = (
    postgres_errors.UndefinedTable,
    postgres_errors.UndefinedColumn,
    postgres_errors.DatatypeMismatch,
)
_CONNECT_TIMEOUT_SECONDS = 10
_ROWS_A_FETCH = 2_000
_DATABASE_HINT = "check that the server runs and the URL is right: ledger doctor --database URL"


def sqlalchemy_url(url: str) -> URL:
    """Return a Postgres URL as SQLAlchemy wants it, for the psycopg driver.

    Raises:
        InvalidInputError: not a Postgres URL (the URL is not repeated: it may hold a password).
    """
    problem = InvalidInputError(
        "the database URL is not of the form postgresql://USER@HOST/DATABASE",
        place=("--database",),
        next_step="give --database postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
        "or leave it out for the embedded server",
    )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise problem from None
    if parsed.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise problem
    if "@" in (parsed.host or ""):
        raise InvalidInputError(
            "the database URL has more than one @",
            place=problem.place,
            next_step="write an @ in the user's name or password as %40",
        )
    try:
        make_conninfo("", **dict.fromkeys(parsed.query, ""))
    except psycopg.ProgrammingError as error:
        raise InvalidInputError(
            f"the database URL: {error}", place=problem.place, next_step="leave that option out"
        ) from None
    return parsed.set(drivername="postgresql+psycopg")


def displayed_url(url: str) -> str:
    """Return a database URL without its password."""
    parsed = sqlalchemy_url(url).set(drivername="postgresql")
    return parsed.set(password=None).render_as_string(hide_password=True)


def make_engine(url: str) -> Engine:
    """Return an engine; every checkout is a connection of its own, so that threads never share one."""
    return create_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        # An append must see what was committed while it waited for the head, whatever the server's default.
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "application_name": "margin-ledger",
            # The owner of a database can give it a search_path with things in front of the server's own.
            "options": "-c timezone=UTC -c client_encoding=UTF8 -c search_path=public,pg_temp",
        },
    )


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose reads all see the same moment (repeatable read, read only)."""
    with translated_errors(engine.url), engine.connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection below, for the paths where every row counts."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 (the engine's URL names psycopg)
    return driver


def stream(connection: Connection, query: Select[Any]) -> Generator[tuple[Any, ...]]:
    """Yield rows as plain tuples through a server-side cursor: memory stays flat.

    The cursor closes with the generator, so a reader may stop early.
    """
    if not connection.in_transaction():
        connection.begin()  # so that SQLAlchemy ends what the driver begins
    statement = query.compile(connection, compile_kwargs={"render_postcompile": True})
    with driver_of(connection).cursor(f"ledger_{uuid.uuid4().hex}", binary=True) as cursor:
        cursor.itersize = _ROWS_A_FETCH
        cursor.execute(str(statement).encode(), statement.params)
        yield from cursor


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Turn a driver's report that the database is out of reach, or lacks a table or column, into our error.

    Others pass through.
    """
    try:
        yield
    except _NOT_AS_MADE as error:
        raise _not_as_made(error) from error
    except OperationalError as error:
        raise _unavailable(url, error.orig) from error
    except psycopg.OperationalError as error:
        raise _unavailable(url, error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(url, error.orig) from error
        if isinstance(error.orig, _NOT_AS_MADE):
            raise _not_as_made(error.orig) from error
        raise


def _not_as_made(cause: psycopg.Error) -> EnvironmentFaultError:
    return EnvironmentFaultError(
        f"the tables are not as the migrations make them: {cause.diag.message_primary}",
        next_step="ledger doctor; somebody with rights over the tables changed them",
    )


def _unavailable(url: URL, cause: BaseException | None) -> DatabaseUnavailableError:
    shown = url.set(drivername="postgresql", password=None).render_as_string(hide_password=True)
    reason = str(cause).strip().splitlines()
    return DatabaseUnavailableError(
        f"the database {shown} cannot be used: {reason[0] if reason else 'no reason given'}",
        next_step=_DATABASE_HINT,
    )
