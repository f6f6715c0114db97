"""Writing past the library: rows of one's own as the writer role, and a superuser without guards."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from ledger.chain import Sealer, event_bytes_of
from ledger.doctor.guards import EVENT_TRIGGERS, GUARDS
from ledger.store.roles import RoleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledger.events.envelope import PreparedEvent

WRITER = f"ledger_test_writer_{os.getpid()}"  # roles are shared by all databases of a server
TABLES = ("events", "event_subjects", "ledger_head", "ledger_roles", "tree_nodes")
COLUMNS = ("sequence", "id", "type", "occurred_at", "appended_at", "writer", "canonical")


@dataclass
class Row:
    """A row of ``events``, to be spoilt before it is inserted."""

    sequence: int
    id: UUID
    type: str
    occurred_at: datetime | str
    appended_at: datetime
    writer: str
    canonical: bytes

    def replace(self, old: str, new: str) -> None:
        """Change the stored bytes; the text to change has to be there."""
        assert self.canonical.count(old.encode()) == 1, (old, self.canonical)
        self.canonical = self.canonical.replace(old.encode(), new.encode())

    @property
    def event(self) -> bytes:
        """The bytes of the ``event`` object."""
        return event_bytes_of(self.canonical)


class DirectWriter:
    """A session of the writer role that speaks SQL itself."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def row(self, event: PreparedEvent, *, later_by: timedelta = timedelta(), ahead: int = 0) -> Row:
        """Return the right next row; the transaction stays open and holds the head's lock."""
        found = self.connection.execute(
            "SELECT origin, sequence, hash, appended_at, writer FROM ledger_lock_head()"
        ).fetchone()
        assert found is not None
        origin, sequence, head_hash, appended_at, writer = found
        appended_at += later_by
        sequence += 1 + ahead
        canonical, _ = Sealer(origin, writer, appended_at, sequence, head_hash).seal(
            event.event_bytes, bytes(16)
        )
        return Row(sequence, event.id, event.type, event.occurred_at, appended_at, writer, canonical)

    def insert(self, *rows: Row) -> None:
        """Insert rows with one statement and commit."""
        with self.connection.cursor() as cursor:
            values = sql.SQL(", ").join([sql.SQL("(%s, %s, %s, %s, %s, %s, %s)")] * len(rows))
            statement = sql.SQL("INSERT INTO events ({}) VALUES {}").format(
                sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), values
            )
            cursor.execute(statement, [getattr(row, name) for row in rows for name in COLUMNS])
        self.connection.commit()

    def refusal(self, *rows: Row) -> str | None:
        """Try to insert rows and return the SQLSTATE of the refusal, or None where they were taken."""
        try:
            self.insert(*rows)
        except psycopg.Error as error:
            self.connection.rollback()
            return error.sqlstate
        return None

    def refusal_of(self, statement: str, *parameters: object) -> str | None:
        """Try a statement and return the SQLSTATE of the refusal, or None where it went through."""
        try:
            self.connection.execute(statement.encode(), parameters or None)
        except psycopg.Error as error:
            return error.sqlstate
        finally:
            self.connection.rollback()
        return None


@contextmanager
def direct_writer(
    url: str, role: str = WRITER, kinds: Iterable[RoleKind] = (RoleKind.WRITER, RoleKind.GOVERNANCE)
) -> Iterator[DirectWriter]:
    """Give a session of a login role that has some of the ledger's roles; it is gone afterwards."""
    name = sql.Identifier(role)
    with psycopg.connect(url) as connection:
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        for kind in kinds:
            given = sql.Identifier(role_name(connection, kind))
            connection.execute(sql.SQL("GRANT {} TO {}").format(given, name))
        connection.commit()
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(name))
        connection.commit()
        try:
            yield DirectWriter(connection)
        finally:
            connection.rollback()
            connection.execute("RESET SESSION AUTHORIZATION")
            if known is None:
                connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
                connection.execute(sql.SQL("DROP ROLE {}").format(name))


@contextmanager
def login(url: str, *kinds: RoleKind, rights: LiteralString = "") -> Iterator[str]:
    """Give the URL of a login role that has some of the ledger's roles; it is gone afterwards."""
    role = f"ledger_test_login_{uuid4().hex[:12]}"
    name = sql.Identifier(role)
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'login' {}").format(name, sql.SQL(rights)))
        for kind in kinds:
            given = sql.Identifier(role_name(connection, kind))
            connection.execute(sql.SQL("GRANT {} TO {}").format(given, name))
    try:
        yield make_url(url).set(username=role, password="login").render_as_string(hide_password=False)
    finally:
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))


def role_name(connection: psycopg.Connection[Any], kind: RoleKind) -> str:
    """Return the name of one of the ledger's roles."""
    found = connection.execute("SELECT role FROM ledger_roles WHERE kind = %s", [kind.value]).fetchone()
    assert found is not None
    return str(found[0])


def allow_ddl(connection: psycopg.Connection[Any], *, allowed: bool = True) -> None:
    """Take away what refuses DDL on the ledger's tables, as a superuser may, or put it back."""
    for trigger in EVENT_TRIGGERS:
        state = sql.SQL("DISABLE" if allowed else "ENABLE ALWAYS")
        connection.execute(sql.SQL("ALTER EVENT TRIGGER {} {}").format(sql.Identifier(trigger), state))


def disarm(connection: psycopg.Connection[Any]) -> None:
    """Take all triggers and unique constraints away, as a superuser may."""
    allow_ddl(connection)
    for table in TABLES:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
    connection.execute("ALTER TABLE events DROP CONSTRAINT IF EXISTS events_pkey")
    connection.execute("ALTER TABLE events DROP CONSTRAINT IF EXISTS events_id_key")
    connection.execute("ALTER TABLE event_subjects DROP CONSTRAINT IF EXISTS event_subjects_pkey")


@contextmanager
def unguarded(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a superuser's session in which no trigger fires and no unique constraint holds."""
    with psycopg.connect(url) as connection:
        disarm(connection)
        yield connection


@contextmanager
def without_triggers(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a superuser's session without triggers, which are back afterwards."""
    with psycopg.connect(url) as connection:
        allow_ddl(connection)
        for table in TABLES:
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
        yield connection
        for table in TABLES:
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER ALL").format(sql.Identifier(table)))
        for table, trigger in GUARDS:
            connection.execute(
                sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(
                    sql.Identifier(table), sql.Identifier(trigger)
                )
            )
        allow_ddl(connection, allowed=False)
