"""Importing without a database: what would be recorded, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.canonical import decode_canonical
from ledger.importers.kinds import OptionValue, open_source
from ledger.importers.pipeline import ImportResult, import_sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger.events.envelope import PreparedEvent
    from ledger.importers.reading import ImportSource


@dataclass(frozen=True)
class BatchTaken:
    """What a ledger answers that had seen none of the batch."""

    appended: int
    already_recorded: int
    first_sequence: int | None
    last_sequence: int | None


@dataclass
class Memory:
    """Keeps what it is given, and recognises repeats by id like a ledger."""

    events: list[PreparedEvent] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def record(self, batch: Sequence[PreparedEvent]) -> BatchTaken:
        known = {event.id for event in self.events}
        fresh = list({event.id: event for event in batch if event.id not in known}.values())
        first = len(self.events) if fresh else None
        self.events += fresh
        self.batches.append(len(batch))
        last = len(self.events) - 1 if fresh else None
        return BatchTaken(len(fresh), len(batch) - len(fresh), first, last)

    @property
    def values(self) -> list[dict[str, Any]]:
        return [as_value(event) for event in self.events]

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [value for value in self.values if value["type"] == event_type]


def as_value(event: PreparedEvent) -> dict[str, Any]:
    value = decode_canonical(event.event_bytes)
    assert isinstance(value, dict)
    assert value["id"] == str(event.id)
    assert value["type"] == event.type
    return value


def import_into(memory: Memory, *sources: ImportSource, **options: Any) -> ImportResult:
    return import_sources(list(sources), memory.record, **options)


def imported(kind: str, *paths: Path | str, **options: OptionValue) -> tuple[Memory, ImportResult]:
    memory = Memory()
    result = import_into(memory, open_source(kind, [str(path) for path in paths], options))
    return memory, result
