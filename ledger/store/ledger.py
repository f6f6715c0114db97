"""The ledger: open one, append to it, read from it."""

from __future__ import annotations

import secrets
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import ProgrammingError

from ledger.canonical import JsonObject, leaf_hash
from ledger.chain import FORMAT, ZERO_HASH, decode_event
from ledger.clock import Clock, SystemClock, format_time
from ledger.errors import (
    ChainBrokenError,
    EnvironmentFaultError,
    IntegrityError,
    LedgerExistsError,
    LedgerNotInitialisedError,
    NotFoundError,
)
from ledger.events.envelope import Draft, Event, PreparedEvent, prepare
from ledger.events.governance import LedgerOpened
from ledger.progress import SILENT, Progress
from ledger.store.append import AppendCondition, AppendResult, append_batch, recorded_sequences
from ledger.store.database import driver_of, make_engine, reading, translated_errors
from ledger.store.migrate import check_revision, one_at_a_time, upgrade
from ledger.store.read import EventQuery, read_entries
from ledger.store.roles import check_may_append
from ledger.store.rollback import check_not_behind
from ledger.store.schema import events, ledger_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ledger.outside.checkpoints import CheckpointFolder

DEFAULT_VALUATION_CURRENCY = "USD"
EVENTS_A_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event.

    Attributes:
        sequence: its place.
        hash: its leaf hash (32 bytes).
        appended_at: when it was recorded.
    """

    sequence: int
    hash: bytes
    appended_at: datetime


class Ledger:
    """One ledger in one database.

    Use it as a context manager, or call :meth:`close`. Each operation is a transaction of its own;
    an instance may be used from several threads.

    Attributes:
        origin: the ledger's permanent name.
        valuation_currency: the permanent asset that accounts are valued in.
        engine: for read models and reports that live in the same database.
    """

    def __init__(
        self,
        engine: Engine,
        origin: str,
        valuation_currency: str,
        make_nonces: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.engine = engine
        self.origin = origin
        self.valuation_currency = valuation_currency
        self._make_nonces = make_nonces

    @classmethod
    def initialise(
        cls,
        database_url: str,
        *,
        origin: str,
        valuation_currency: str = DEFAULT_VALUATION_CURRENCY,
        description: str = "",
        clock: Clock | None = None,
    ) -> Self:
        """Make the tables and record ``LedgerOpened``; origin and valuation currency are permanent.

        Raises:
            InvalidInputError: the origin or the currency is not an identifier.
            LedgerExistsError: a ledger is open in this database already.
            EnvironmentFaultError: this role may not make tables and roles, or not open a ledger in them.
            DatabaseUnavailableError, SchemaMismatchError: as they say.
        """
        opening = check_opening(origin, valuation_currency, description, (clock or SystemClock()).now())
        engine = make_engine(database_url)
        with translated_errors(engine.url):
            upgrade(engine)
            with engine.begin() as connection:
                one_at_a_time(connection)
                existing = _origin(connection)
                if existing is not None:
                    raise LedgerExistsError(
                        f"the ledger {existing} is open in this database already; nothing was changed",
                        next_step="use it as it is, or give another --database or --home",
                    )
                _insert_head(connection, origin)
                append_batch(driver_of(connection), [opening])
        return cls(engine, origin, valuation_currency)

    @classmethod
    def open(cls, database_url: str, checkpoints: CheckpointFolder | None = None) -> Self:
        """Open the ledger in a database.

        Args:
            database_url: of a Postgres.
            checkpoints: those kept outside the database; with them a database that was set back is
                refused. Give them whenever something shall be recorded.

        Raises:
            LedgerBehindError: the ledger is behind the newest kept checkpoint, or is not its ledger.
            DatabaseUnavailableError: the database cannot be reached.
            SchemaMismatchError: its tables are missing, older or newer than this program.
            LedgerNotInitialisedError: there are tables, but no ledger was opened.
            IntegrityError: the first event is missing, unreadable, or of another ledger than the head row.
        """
        engine = make_engine(database_url)
        with translated_errors(engine.url), engine.connect() as connection:
            check_revision(connection)
            origin = _origin(connection)
            if origin is None:
                raise LedgerNotInitialisedError(
                    "there are tables in this database, but no ledger", next_step="ledger init --origin NAME"
                )
            opening = next(read_entries(connection, EventQuery(to_sequence=0)), None)
            if checkpoints is not None:
                check_not_behind(connection, origin, checkpoints)
        if opening is None:
            raise IntegrityError("the ledger's first event is missing", next_step="ledger verify")
        event = decode_event(opening[1])
        first = event.data
        if not isinstance(first, LedgerOpened) or first.format != FORMAT:
            raise EnvironmentFaultError(
                f"the ledger is not of the format {FORMAT}", next_step="pip install --upgrade margin-ledger"
            )
        if event.ledger != origin:
            raise IntegrityError(
                f"the first event opens the ledger {event.ledger}, the head row names {origin}",
                next_step="ledger verify",
            )
        return cls(engine, origin, first.valuation_currency)

    def close(self) -> None:
        """Give up the connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, drafts: Iterable[Draft], *, condition: AppendCondition | None = None) -> AppendResult:
        """Record drafts in one transaction; a draft without id gets a random one.

        Raises:
            InvalidEventError: a draft is too large.
            ConflictingEventError, AppendConditionFailedError, ClockBehindError: nothing was recorded.
        """
        prepared = [prepare(draft, draft.id or uuid.uuid4()) for draft in drafts]
        return self.append_prepared(prepared, condition=condition)

    def append_prepared(
        self, batch: Sequence[PreparedEvent], *, condition: AppendCondition | None = None
    ) -> AppendResult:
        """Record checked events in one transaction; errors as in :meth:`append`."""
        with translated_errors(self.engine.url), self.engine.begin() as connection:
            return append_batch(driver_of(connection), batch, condition, make_nonces=self._make_nonces)

    def check_may_append(self, event_type: str) -> None:
        """Make sure, before anything is prepared, that this role may append an event of a type.

        Raises:
            AppendNotPermittedError: it may not.
        """
        with self.reading() as connection:
            check_may_append(connection, event_type)

    def check_unchanged(self, batch: Sequence[PreparedEvent]) -> int:
        """Return how many of a batch are recorded already, and make sure that their content is the same.

        Raises:
            ConflictingEventError: an id is recorded with other content.
        """
        with self.reading() as connection, driver_of(connection).cursor() as cursor:
            return len(recorded_sequences(cursor, batch))

    def append_atomically(
        self, batches: Iterable[Sequence[PreparedEvent]], progress: Progress = SILENT
    ) -> AppendResult:
        """Record any number of batches in one transaction: all of them or none.

        The head stays locked meanwhile; errors as in :meth:`append`.
        """
        total = AppendResult(0, 0, None, None, ())
        with translated_errors(self.engine.url), self.engine.begin() as connection:
            for batch in batches:
                total += append_batch(driver_of(connection), batch, make_nonces=self._make_nonces)
                progress.advance(len(batch))
        return total

    def head(self) -> Head:
        """Return the newest event's place, hash and time."""
        with self.reading() as connection:
            row = connection.execute(
                select(events.c.sequence, events.c.hash, events.c.appended_at)
                .order_by(events.c.sequence.desc())
                .limit(1)
            ).first()
        if row is None:
            raise NotFoundError("the ledger has no events", next_step="ledger verify")
        return Head(row.sequence, row.hash, row.appended_at)

    def events(self, query: EventQuery | None = None) -> Iterator[Event]:
        """Yield recorded events, decoded, in sequence order; memory stays flat.

        Raises:
            ChainBrokenError: a stored hash is not that of the stored bytes.
            RecordUnreadableError: the bytes are not an event of this catalogue.
        """
        for sequence, canonical, stored_hash in self.entries(query):
            yield _decoded(sequence, canonical, stored_hash)

    def entries(self, query: EventQuery | None = None) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield sequence, canonical bytes and stored hash, as stored."""
        with self.reading() as connection:
            yield from read_entries(connection, query or EventQuery())

    def event(self, sequence: int) -> Event:
        """Return one event.

        Raises:
            NotFoundError: there is no such sequence.
        """
        found = next(self.events(EventQuery(from_sequence=sequence, to_sequence=sequence)), None)
        if found is None:
            raise NotFoundError(
                f"there is no event at sequence {sequence}; the newest is {self.head().sequence}",
                next_step="ledger log",
            )
        return found

    def event_by_id(self, event_id: uuid.UUID) -> Event:
        """Return the event with an id.

        Raises:
            NotFoundError: no event has it.
        """
        found = self.find_event(event_id)
        if found is None:
            raise NotFoundError(f"no event has the id {event_id}", next_step="ledger log")
        return found

    def find_event(self, event_id: uuid.UUID) -> Event | None:
        """Return the event with an id, or None where no event has it."""
        with self.finder() as find:
            return find(event_id)

    @contextmanager
    def finder(self) -> Iterator[Callable[[uuid.UUID], Event | None]]:
        """Give what :meth:`find_event` does, for many calls over one connection.

        Each call sees what is recorded when it is made.
        """
        with translated_errors(self.engine.url), self.engine.connect() as connection:
            each_alone = connection.execution_options(isolation_level="AUTOCOMMIT")

            def find(event_id: uuid.UUID) -> Event | None:
                query = select(events.c.sequence, events.c.canonical, events.c.hash)
                row = each_alone.execute(query.where(events.c.id == event_id)).first()
                return None if row is None else _decoded(row.sequence, row.canonical, row.hash)

            yield find

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection whose reads all see the same moment (repeatable read, read only)."""
        with reading(self.engine) as connection:
            yield connection


def _decoded(sequence: int, canonical: bytes, stored_hash: bytes) -> Event:
    actual = leaf_hash(canonical)
    if actual != stored_hash:
        raise ChainBrokenError(sequence, stored_hash.hex(), actual.hex())
    return decode_event(canonical, actual)


def check_opening(
    origin: str, valuation_currency: str, description: str = "", at: datetime | None = None
) -> PreparedEvent:
    """Return the first event of a ledger.

    Raises:
        InvalidEventError: the origin or the currency is not an identifier.
    """
    data: JsonObject = {
        "ledger": origin,
        "format": FORMAT,
        "description": description,
        "valuation_currency": valuation_currency,
    }
    occurred_at = format_time(at or SystemClock().now())
    draft = Draft.from_json({"type": "LedgerOpened", "occurred_at": occurred_at, "data": data})
    return prepare(draft, uuid.uuid4())


def _insert_head(connection: Connection, origin: str) -> None:
    row = {
        "origin": origin,
        "sequence": -1,
        "hash": ZERO_HASH,
        "appended_at": datetime(1970, 1, 1, tzinfo=UTC),
    }
    try:
        connection.execute(ledger_head.insert().values(row))
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        raise EnvironmentFaultError(
            f"this role may not open a ledger in tables that others made: {error.orig.diag.message_primary}",
            next_step="let the role that made the tables do it, or one in the ledger's owner role",
        ) from error


def _origin(connection: Connection) -> str | None:
    return connection.execute(select(ledger_head.c.origin)).scalar()
