"""Reading recorded events, streamed in sequence order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Select, select

from ledger.store.database import stream
from ledger.store.schema import event_subjects, events

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from sqlalchemy import Connection

_BEYOND_EVERY_SEQUENCE = 2**53


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events to read; what is left out does not limit.

    Attributes:
        from_sequence: first sequence, inclusive.
        to_sequence: last sequence, inclusive.
        subjects: events that touch every one of these, for example ``account/A17``.
        types: events of any of these types.
        occurred_from: earliest ``occurred_at``, inclusive.
        occurred_to: latest ``occurred_at``, inclusive.
        newest_first: descending sequence.
        limit: how many at most.
    """

    from_sequence: int = 0
    to_sequence: int | None = None
    subjects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    newest_first: bool = False
    limit: int | None = None

    def statement(self) -> Select[tuple[int, bytes, bytes]]:
        """Return the query for sequence, canonical bytes and hash."""
        sequence = events.c.sequence
        query = select(sequence, events.c.canonical, events.c.hash).where(
            sequence >= _within_bigint(self.from_sequence)
        )
        if self.to_sequence is not None:
            query = query.where(sequence <= _within_bigint(self.to_sequence))
        for subject in self.subjects:
            touching = select(event_subjects.c.sequence).where(event_subjects.c.subject == subject)
            query = query.where(sequence.in_(touching))
        if self.types:
            query = query.where(events.c.type.in_(self.types))
        if self.occurred_from is not None:
            query = query.where(events.c.occurred_at >= self.occurred_from)
        if self.occurred_to is not None:
            query = query.where(events.c.occurred_at <= self.occurred_to)
        return query.order_by(sequence.desc() if self.newest_first else sequence).limit(self.limit)


def _within_bigint(sequence: int) -> int:
    return max(-1, min(sequence, _BEYOND_EVERY_SEQUENCE))


def read_entries(connection: Connection, query: EventQuery) -> Generator[tuple[int, bytes, bytes]]:
    """Yield sequence, canonical bytes and stored hash; memory stays flat, and a reader may stop early."""
    yield from stream(connection, query.statement())
