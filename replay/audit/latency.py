"""How long the engine took from a breach to its decision, over all liquidations (solvency engine latency)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import format_exact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from ledger.canonical import JsonObject

_MEDIAN, _NINETIETH, _NINETY_NINTH = 50, 90, 99


@dataclass(frozen=True, slots=True)
class LatencyDistribution:
    """Latencies in seconds, exact; percentiles are by nearest rank, None where there is no latency.

    Attributes:
        count: how many latencies there are.
    """

    count: int
    minimum: Decimal | None
    median: Decimal | None
    p90: Decimal | None
    p99: Decimal | None
    maximum: Decimal | None

    @classmethod
    def of(cls, latencies: Iterable[Decimal]) -> LatencyDistribution:
        """Return the distribution of latencies."""
        ordered = sorted(latencies)
        if not ordered:
            return cls(0, None, None, None, None, None)
        return cls(
            count=len(ordered),
            minimum=ordered[0],
            median=nearest_rank(ordered, _MEDIAN),
            p90=nearest_rank(ordered, _NINETIETH),
            p99=nearest_rank(ordered, _NINETY_NINTH),
            maximum=ordered[-1],
        )

    def json_value(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "count": self.count,
            "minimum": _text(self.minimum),
            "median": _text(self.median),
            "p90": _text(self.p90),
            "p99": _text(self.p99),
            "maximum": _text(self.maximum),
        }


def nearest_rank(ordered: list[Decimal], percent: int) -> Decimal:
    """Return the smallest of ordered values that at least ``percent`` of 100 are not above.

    Its rank is ⌈percent × count ÷ 100⌉, so it is always one of the values.

    Raises:
        IndexError: there are no values.
    """
    return ordered[-(-percent * len(ordered) // 100) - 1]


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_exact(value)
