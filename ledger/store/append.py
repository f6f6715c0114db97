"""Appending: one transaction a batch, under the head's lock.

An append locks the head, gives out sequences, writes and commits, so commit order is sequence
order: a reader that has seen sequence N never sees a smaller one appear later.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as postgres_errors

from ledger.chain import Sealer, event_bytes_of
from ledger.errors import (
    AppendConditionFailedError,
    AppendNotPermittedError,
    ClockBehindError,
    ConflictingEventError,
    IntegrityError,
    LedgerError,
    LedgerNotInitialisedError,
)
from ledger.events.envelope import PreparedEvent, differing_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

NONCE_BYTES = 16
LARGEST_LEAD_SECONDS = 5
"""How far the head's ``appended_at`` may be ahead of the database clock."""

_COPY = (
    "COPY events (sequence, id, type, occurred_at, appended_at, writer, canonical) FROM STDIN (FORMAT binary)"
)
_COPY_TYPES = ("int8", "uuid", "text", "timestamptz", "timestamptz", "text", "bytea")


@dataclass(frozen=True, slots=True)
class AppendCondition:
    """No event of these types touching any of these subjects came after a sequence.

    Attributes:
        after_sequence: the last sequence the caller has seen (−1: none).
        subjects: for example ``account/A17``; empty means every subject.
        types: event types; empty means every type.
    """

    after_sequence: int
    subjects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of a batch.

    Attributes:
        appended: events newly recorded.
        already_recorded: events that were recorded before, with the same content.
        first_sequence: the first newly recorded event's sequence, or None if nothing was new.
        last_sequence: the last newly recorded event's sequence, or None.
        sequences: where each event of the batch stands, in the batch's order.
    """

    appended: int
    already_recorded: int
    first_sequence: int | None
    last_sequence: int | None
    sequences: tuple[int, ...]

    def __add__(self, later: AppendResult) -> AppendResult:
        """Return what became of two batches together."""
        return AppendResult(
            self.appended + later.appended,
            self.already_recorded + later.already_recorded,
            later.first_sequence if self.first_sequence is None else self.first_sequence,
            self.last_sequence if later.last_sequence is None else later.last_sequence,
            self.sequences + later.sequences,
        )


def append_batch(
    connection: psycopg.Connection[Any],
    batch: Sequence[PreparedEvent],
    condition: AppendCondition | None = None,
    *,
    make_nonces: Callable[[int], bytes] = secrets.token_bytes,
) -> AppendResult:
    """Record a batch in the connection's open transaction; the caller commits.

    Raises:
        ConflictingEventError: an id is recorded, or stands twice in the batch, with other content.
        AppendConditionFailedError: the condition does not hold.
        ClockBehindError: the head is more than 5 s ahead of the database clock.
        LedgerNotInitialisedError: no ledger was opened here.
        AppendNotPermittedError: this session's role may not append events of such a type.
        IntegrityError: the database refused a row.
    """
    try:
        return _append(connection, batch, condition, make_nonces)
    except psycopg.Error as error:
        raise _translated(error) from error


def _append(
    connection: psycopg.Connection[Any],
    batch: Sequence[PreparedEvent],
    condition: AppendCondition | None,
    make_nonces: Callable[[int], bytes],
) -> AppendResult:
    with connection.cursor() as cursor:
        row = cursor.execute(
            "SELECT origin, sequence, hash, appended_at, writer, ahead_seconds FROM ledger_lock_head()"
        ).fetchone()
        assert row is not None  # noqa: S101 (the function returns one row or raises)
        origin, head_sequence, head_hash, appended_at, writer, ahead_seconds = row
        recorded = recorded_sequences(cursor, batch)
        fresh = _unrecorded(batch, recorded)
        if fresh:
            if ahead_seconds > LARGEST_LEAD_SECONDS and fresh[0].type != "ClockSynchronised":
                raise ClockBehindError(f"{ahead_seconds:f}")
            if condition is not None:
                _check_condition(cursor, condition)
            nonces = make_nonces(NONCE_BYTES * len(fresh))
            sealer = Sealer(origin, writer, appended_at, head_sequence + 1, head_hash)
            with cursor.copy(_COPY) as copy:
                copy.set_types(_COPY_TYPES)
                for index, event in enumerate(fresh):
                    sequence = sealer.sequence
                    nonce = nonces[NONCE_BYTES * index : NONCE_BYTES * (index + 1)]
                    canonical, _ = sealer.seal(event.event_bytes, nonce)
                    recorded[event.id] = sequence
                    copy.write_row(
                        (sequence, event.id, event.type, event.occurred_at, appended_at, writer, canonical)
                    )
    return AppendResult(
        appended=len(fresh),
        already_recorded=len(batch) - len(fresh),
        first_sequence=head_sequence + 1 if fresh else None,
        last_sequence=head_sequence + len(fresh) if fresh else None,
        sequences=tuple(recorded[event.id] for event in batch),
    )


def recorded_sequences(cursor: psycopg.Cursor[Any], batch: Sequence[PreparedEvent]) -> dict[UUID, int]:
    """Return where the batch's recorded ids stand, and make sure that their content is the same.

    Raises:
        ConflictingEventError: an id is recorded with other content.
    """
    rows = cursor.execute(
        "SELECT id, sequence, canonical FROM events WHERE id = ANY(%s)", [[event.id for event in batch]]
    ).fetchall()
    recorded = {event_id: (sequence, event_bytes_of(canonical)) for event_id, sequence, canonical in rows}
    for event in batch:  # an id may stand twice in a batch, and each has to agree
        if event.id in recorded:
            sequence, event_bytes = recorded[event.id]
            differing = differing_fields(event_bytes, event.event_bytes)
            if differing:
                raise ConflictingEventError(str(event.id), sequence, differing)
    return {event_id: sequence for event_id, (sequence, _) in recorded.items()}


def _unrecorded(batch: Sequence[PreparedEvent], recorded: dict[UUID, int]) -> list[PreparedEvent]:
    """Return the batch's new events, each id once; the first of equal ones stands."""
    fresh: dict[UUID, PreparedEvent] = {}
    for event in batch:
        first = fresh.get(event.id)
        if first is not None:
            differing = differing_fields(first.event_bytes, event.event_bytes)
            if differing:
                raise ConflictingEventError(str(event.id), None, differing)
        elif event.id not in recorded:
            fresh[event.id] = event
    return list(fresh.values())


def _check_condition(cursor: psycopg.Cursor[Any], condition: AppendCondition) -> None:
    row = cursor.execute(
        """
        SELECT min(sequence) FROM events
        WHERE sequence > %(after)s
          AND (%(types)s::text[] = '{}' OR type = ANY(%(types)s))
          AND (%(subjects)s::text[] = '{}' OR sequence IN (
              SELECT sequence FROM event_subjects WHERE subject = ANY(%(subjects)s) AND sequence > %(after)s))
        """,
        {
            "after": condition.after_sequence,
            "types": list(condition.types),
            "subjects": list(condition.subjects),
        },
    ).fetchone()
    if row is not None and row[0] is not None:
        raise AppendConditionFailedError(condition.after_sequence, row[0])


def _translated(error: psycopg.Error) -> Exception:
    """Turn a refusal by the database's guards (SQLSTATE class LG) into the error of its cause."""
    code, detail = error.sqlstate or "", error.diag.message_detail
    message = error.diag.message_primary or str(error)
    if code == "LG005":
        return ClockBehindError(detail or "more than 5")
    if code == "LG006":
        return LedgerNotInitialisedError(message, next_step="ledger init --origin NAME")
    if code == "LG007":
        said = json.loads(detail or "{}")
        return AppendNotPermittedError(
            said["type"], said["role"], said["needed_kind"], said["needed_role"], error.diag.message_hint
        )
    if code.startswith("LG"):
        return IntegrityError(f"the database refused the append: {message}", next_step="ledger verify")
    if isinstance(error, postgres_errors.InsufficientPrivilege):
        return LedgerError(
            f"this role may not append: {message}",
            next_step="give it the ledger's role that may, which ledger doctor names: GRANT … TO …",
        )
    return error
