"""The edge of the package: records become events of the ledger's own types, or drafts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ledger.events.envelope import Draft, Event, Source
from ledger.events.registry import PAYLOADS
from tests.simulation.days.day import USUAL_EVENTS, build_day
from tests.simulation.days.records import Moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ledger.events.base import Payload
    from tests.simulation.days.records import Record
    from tests.simulation.days.stage import PlantedFault

START = datetime(2026, 3, 2, tzinfo=UTC)
_NO_HASH = bytes(32)


def time_of(microseconds: int) -> datetime:
    """Return a time of the day in UTC."""
    return START + timedelta(microseconds=microseconds)


def payload_of(record: Record) -> Payload:
    """Return a record's payload, checked by the catalogue."""
    return PAYLOADS[record.type].from_value(_with_times(record.data))


def _with_times(value: Any) -> Any:
    if isinstance(value, Moment):
        return time_of(value.microseconds)
    if isinstance(value, dict):
        return {key: _with_times(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_times(item) for item in value]
    return value


def _optional(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else time_of(microseconds)


def recorded(records: Iterable[Record]) -> list[Event]:
    """Return records as recorded events that no ledger has hashed."""
    source = Source(system="venue")
    return [
        Event(
            sequence=record.sequence,
            hash=_NO_HASH,
            canonical=b"",
            id=record.id,
            type=record.type,
            schema=1,
            occurred_at=time_of(record.occurred),
            received_at=_optional(record.received),
            processed_at=_optional(record.processed),
            appended_at=time_of(record.occurred),
            actor=record.actor,
            causation=record.causation,
            correlation=record.correlation,
            source=None if record.system is None else source,
            data=payload_of(record),
            ledger="venue.example/days",
            nonce="0" * 32,
            prev=_NO_HASH,
            writer="simulation",
        )
        for record in records
    ]


def draft_of(event: Event) -> Draft:
    """Return what a source would have sent for an event."""
    return Draft(
        data=event.data,
        id=event.id,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        processed_at=event.processed_at,
        actor=event.actor,
        causation=event.causation,
        correlation=event.correlation,
        source=event.source,
    )


def venue_day(seed: int, events: int = USUAL_EVENTS) -> list[Event]:
    """Return a day that keeps every rule."""
    return recorded(build_day(seed, events).records)


def planted_day(
    seed: int, kinds: Collection[str], events: int = USUAL_EVENTS
) -> tuple[list[Event], list[PlantedFault]]:
    """Return a day with one violation of each kind, and the findings that an audit has to come to."""
    day = build_day(seed, events, kinds)
    return recorded(day.records), day.planted
