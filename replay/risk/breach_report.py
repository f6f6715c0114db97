"""What a watch over breaches returns: rows of data, and the bars they were seen in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger.amounts import format_exact
from ledger.clock import format_time
from replay.risk.units import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject, JsonValue
    from replay.margin import PositionMargin
    from replay.risk.units import Level


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of mark prices; a single price begins where it ends."""

    begins_at: datetime
    ends_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, slots=True)
class Breach:
    """A time for which a level was reached.

    Attributes:
        after: it was not reached yet then; None where it was from the beginning of the window.
        until: it was reached by then; equal to ``after`` where the moment is exact.
        sequence: of the bar or event that shows it.
        place: the price of the bar at which it was reached (low, high, open, close), ``moment`` for an event
            that is no bar, ``start`` for the beginning of the window.
        price: that price; None for what is no price of the unit's instruments (``moment``, ``start``, and the
            close of a bar of an index).
        ended_at: the first close, or other exact moment, at which it was reached no more; None where that did
            not happen within the window.
        ended_by: ``recovered``, or ``closed`` where the unit had no open position any more.
    """

    level: Level
    after: datetime | None
    until: datetime
    sequence: int | None
    place: str
    price: Decimal | None
    ended_at: datetime | None = None
    ended_by: Literal["recovered", "closed"] | None = None

    def json_value(self) -> JsonObject:
        """Return the breach as JSON."""
        return {
            "after": None if self.after is None else format_time(self.after),
            "until": format_time(self.until),
            "sequence": self.sequence,
            "place": self.place,
            "price": None if self.price is None else format_exact(self.price),
            "ended_at": None if self.ended_at is None else format_time(self.ended_at),
            "ended_by": self.ended_by,
        }


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """An open position when it was first seen."""

    instrument: str
    side: Literal["long", "short"]
    quantity: Decimal

    @classmethod
    def of(cls, position: PositionMargin) -> HeldPosition:
        """Return an evaluated position as one of a row."""
        return cls(position.instrument, "long" if position.quantity > 0 else "short", position.quantity)

    def json_value(self) -> JsonObject:
        """Return the position as JSON."""
        return {
            "instrument": self.instrument,
            "side": self.side,
            "quantity": format_exact(self.quantity),
        }


@dataclass(frozen=True, slots=True)
class SchedulePart:
    """The schedule that was applied to an instrument when its position was first seen.

    Attributes:
        sequence: where it was recorded, or the last price that a recommended one rests on; None without one.
        effective_at: of a recorded one.
        rate: maintenance margin rate of its first tier.
        substituted: it was not in force yet, and is the earliest recorded one.
    """

    instrument: str
    sequence: int | None
    effective_at: datetime | None
    rate: Decimal | None
    substituted: bool

    def json_value(self) -> JsonObject:
        """Return the schedule as JSON."""
        return {
            "instrument": self.instrument,
            "sequence": self.sequence,
            "effective_at": None if self.effective_at is None else format_time(self.effective_at),
            "first_tier_rate": None if self.rate is None else format_exact(self.rate),
            "substituted": self.substituted,
        }


@dataclass(frozen=True, slots=True)
class BreachRow:
    """One unit under one rule.

    Attributes:
        unit: ``cross``, or ``isolated`` with its position.
        positions: as they were first seen in the window.
        leverage: notional ÷ equity then.
        rule: ``recorded`` or ``dynamic``.
        schedules: which schedule was applied then, by instrument.
        breaches: by level, in the order of time.
        notes: ``undetermined`` where some evaluation came to no verdict.
    """

    account: str
    unit: str
    positions: tuple[HeldPosition, ...]
    leverage: Decimal | None
    rule: str
    schedules: tuple[SchedulePart, ...]
    breaches: tuple[Breach, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, level: Level) -> list[Breach]:
        """Return the breaches of a level, in the order of time."""
        return [breach for breach in self.breaches if breach.level == level]

    def breach(self, level: Level) -> Breach | None:
        """Return the first breach of a level, or None."""
        return next(iter(self.of(level)), None)

    @property
    def substituted(self) -> bool:
        """Whether a schedule was applied that was not in force yet."""
        return any(part.substituted for part in self.schedules)

    def json_value(self) -> JsonObject:
        """Return the row as JSON."""
        # The first of each level is what the report is about; what came after its end stands in ``again``.
        first: JsonObject = {}
        again: JsonObject = {}
        for level in LEVELS:
            breaches: list[JsonValue] = [breach.json_value() for breach in self.of(level)]
            first[level] = breaches[0] if breaches else None
            again[level] = breaches[1:]
        return {
            "account": self.account,
            "unit": self.unit,
            "positions": [position.json_value() for position in self.positions],
            "leverage": None if self.leverage is None else format_exact(self.leverage),
            "rule": self.rule,
            "substituted": self.substituted,
            "schedules": [part.json_value() for part in self.schedules],
            **first,
            "again": again,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class BreachReport:
    """Who breached when in a window, and the bars of the instruments that were held."""

    start: datetime
    end: datetime
    rows: tuple[BreachRow, ...]
    bars: Mapping[str, tuple[Bar, ...]]

    def json_value(self) -> JsonObject:
        """Return the report as JSON."""
        return {
            "from": format_time(self.start),
            "to": format_time(self.end),
            "rows": [row.json_value() for row in self.rows],
            "bars": {name: len(bars) for name, bars in self.bars.items()},
        }
