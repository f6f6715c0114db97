"""Writing rows of the read models, inside the caller's transaction; rows go in by COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from sqlalchemy import BigInteger, Boolean, DateTime, LargeBinary, Numeric, Text, func
from sqlalchemy.dialects.postgresql import insert

from replay.store.rows import book_rows, margin_rows, progress_row
from replay.store.schema import BOOKS, MARGINS, SETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from replay.state import Account, VenueState
    from replay.store.rows import Row

_POSTGRES_TYPES = (
    (Text, "text"),
    (Numeric, "numeric"),
    (BigInteger, "int8"),
    (Boolean, "bool"),
    (LargeBinary, "bytea"),
    (DateTime, "timestamptz"),
)


def replace_books(connection: Connection, schema: str, accounts: Sequence[Account]) -> None:
    """Write the books of some accounts in place of what stands there for them."""
    names = [account.account for account in accounts]
    for table in (SETS[schema][name] for name in BOOKS):
        connection.execute(table.delete().where(table.c.account == func.any(names)))
    copy_books(connection, schema, accounts)


def copy_books(connection: Connection, schema: str, accounts: Iterable[Account]) -> None:
    """Write the books of accounts that have no rows yet."""
    for name, rows in book_rows(accounts).items():
        _copy(connection, SETS[schema][name], rows)


def replace_parts(connection: Connection, schema: str, parts: Mapping[str, bytes]) -> None:
    """Write some parts of the venue's state in place of what stands there for them."""
    if not parts:
        return
    table = SETS[schema]["state_parts"]
    statement = insert(table).values([{"part": part, "canonical": bytes_} for part, bytes_ in parts.items()])
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.part], set_={"canonical": statement.excluded.canonical}
        )
    )


def replace_margins(connection: Connection, schema: str, state: VenueState) -> None:
    """Write the priced figures of every account of a state in place of what stands there."""
    for name in MARGINS:
        connection.execute(SETS[schema][name].delete())
    for name, rows in margin_rows(state).items():
        _copy(connection, SETS[schema][name], rows)


def replace_progress(
    connection: Connection, schema: str, state: VenueState, processed_hash: bytes, priced_sequence: int
) -> None:
    """Say how far the read models are, as of the database's clock."""
    table = SETS[schema]["progress"]
    values = {**progress_row(state, processed_hash, priced_sequence), "updated_at": func.clock_timestamp()}
    statement = insert(table).values(singleton=True, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[table.c.singleton], set_=values))


def _copy(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    columns = list(table.columns)
    names = [column.name for column in columns]
    command = sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(str(table.schema)),
        sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    with _driver(connection).cursor() as cursor, cursor.copy(command) as copy:
        copy.set_types([_postgres_type(column.type) for column in columns])
        for row in rows:
            copy.write_row([row[name] for name in names])


def _postgres_type(kind: Any) -> str:
    return next(name for each, name in _POSTGRES_TYPES if isinstance(kind, each))


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 (the engine's URL names psycopg)
    return driver
