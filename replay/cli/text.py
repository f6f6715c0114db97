"""Figures and tables for a person's eyes; exact values are in the JSON documents."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, Rounding, exact, format_exact, round_to
from ledger.clock import format_time
from replay.state.venue_state import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

UNKNOWN = "–"
_HUNDRED = Decimal(100)


@exact()
def figure(value: Decimal | None, unit: str = "") -> str:
    """Return an amount rounded half-even to two digits for reading; smaller ones keep four that count."""
    if value is None:
        return UNKNOWN
    scale = min(MAXIMUM_SCALE, 3 - value.adjusted()) if value and abs(value) < 1 else 2
    shown = f"{round_to(value, scale, Rounding.HALF_EVEN):,.{max(scale, 2)}f}"
    return f"{shown} {unit}" if unit else shown


def fixed(value: Decimal | None, scale: int) -> str:
    """Return an amount rounded half-even to ``scale`` digits after the point."""
    return UNKNOWN if value is None else f"{round_to(value, scale, Rounding.HALF_EVEN):,.{scale}f}"


@exact()
def percent(value: Decimal | None) -> str:
    """Return a ratio as a percentage with two digits after the point."""
    return UNKNOWN if value is None else f"{figure(value * _HUNDRED)} %"


def seconds(value: Decimal | None) -> str:
    """Return a duration to the millisecond."""
    if value is None:
        return UNKNOWN
    return f"{format_exact(round_to(value, 3, Rounding.HALF_EVEN))} s"


def price(value: Decimal | None) -> str:
    """Return a price rounded half-even to six digits that count, and two after the point at least."""
    if value is None:
        return UNKNOWN
    scale = max(2, min(MAXIMUM_SCALE, 5 - value.adjusted())) if value else 2
    return f"{Decimal(format_exact(round_to(value, scale, Rounding.HALF_EVEN))):,f}"


def amounts(by_asset: Mapping[str, Decimal]) -> str:
    """Return amounts by asset on one line."""
    return ", ".join(f"{figure(by_asset[asset])} {asset}" for asset in sorted(by_asset)) or "nothing"


def moment(at: datetime) -> str:
    """Return the time of a state; before the first event of the venue there is none."""
    return "before anything happened at the venue" if at == BEGINNING else format_time(at)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, indent: str = "") -> str:
    """Lay rows out in columns: the first ``left`` are aligned left, the others right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)
