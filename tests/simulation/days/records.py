"""What a day is written into: records in order, with a clock that only the day itself moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from random import Random

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
PERIOD = 15 * MINUTE
"""How much of the day one ``SourceTotalsReported`` counts."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time inside a payload, in microseconds since the day began."""

    microseconds: int


@dataclass(slots=True)
class Record:
    """One event; times in microseconds since the day began."""

    sequence: int
    id: UUID
    type: str
    data: dict[str, Any]
    occurred: int
    received: int | None = None
    processed: int | None = None
    actor: str | None = None
    causation: UUID | None = None
    correlation: str | None = None
    system: str | None = "venue"


class Journal:
    """The records so far.

    Attributes:
        now: microseconds since the day began; every record takes a little of it.
        counts: events by type, of each period in which they occurred.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.records: list[Record] = []
        self.now = 0
        self.counts: dict[int, Counter[str]] = {}

    def write(self, event_type: str, data: dict[str, Any], **envelope: Any) -> Record:
        """Record an event now, or at ``occurred`` where that is given."""
        envelope.setdefault("occurred", self.now)
        record = Record(
            len(self.records), UUID(int=self._rng.getrandbits(128), version=4), event_type, data, **envelope
        )
        self.records.append(record)
        if record.system is not None and event_type != "SourceTotalsReported":
            self.counts.setdefault(record.occurred // PERIOD, Counter())[event_type] += 1
        self.now += 400 + self._rng.getrandbits(9)
        return record

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)

    def reach(self, moment: int) -> None:
        """Let time pass until a moment, if it is not past yet."""
        self.now = max(self.now, moment)
