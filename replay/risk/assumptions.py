"""What an estimate assumes: confidence, horizon, sampling, memory and floor, each named and bounded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO, Rounding, divide, exact, format_exact
from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from ledger.canonical import JsonObject

RISKMETRICS_DECAY = Decimal("0.94")
"""Decay of the exponentially weighted variance per day (RiskMetrics Technical Document, 1996)."""

DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What an estimate rests on besides the prices.

    Attributes:
        confidence: share of losses that the requirement shall cover, above 0 and below 1.
        horizon: how long a loss may run before a position is closed; a whole number of intervals.
        interval: distance of the sampled prices.
        decay_per_day: weight of yesterday's variance against today's squared return, above 0 and below 1.
        lookback: how far back the returns reach.
        minimum_rate: the floor: no recommended maintenance rate is below it.
        rate_scale: digits after the point of a recommended rate, which is rounded up to them.
    """

    confidence: Decimal = Decimal("0.99")
    horizon: timedelta = timedelta(hours=1)
    interval: timedelta = timedelta(hours=1)
    decay_per_day: Decimal = RISKMETRICS_DECAY
    lookback: timedelta = timedelta(days=365)
    minimum_rate: Decimal = Decimal("0.005")
    rate_scale: int = 4

    def __post_init__(self) -> None:
        """Refuse what no estimate could be made with.

        Raises:
            InvalidInputError: a value is out of its bounds; names it.
        """
        for name in ("confidence", "decay_per_day"):
            if not ZERO < getattr(self, name) < ONE:
                raise InvalidInputError("must lie above 0 and below 1", place=(name,))
        if self.minimum_rate < 0:
            raise InvalidInputError("must not be below zero", place=("minimum_rate",))
        if self.interval <= timedelta(0) or self.horizon <= timedelta(0):
            raise InvalidInputError("interval and horizon must be longer than nothing", place=("interval",))
        if self.horizon % self.interval:
            raise InvalidInputError(
                f"{self.horizon} is not a whole number of intervals of {self.interval}",
                place=("horizon",),
                next_step="give a horizon that is a multiple of the interval",
            )
        if self.lookback < self.horizon:
            raise InvalidInputError("must not be shorter than the horizon", place=("lookback",))

    @property
    def steps(self) -> int:
        """How many intervals the horizon has."""
        return self.horizon // self.interval

    @property
    @exact()
    def exception_probability(self) -> Decimal:
        """The share of losses that may exceed the requirement."""
        return ONE - self.confidence

    @property
    def returns_needed(self) -> int:
        """How many returns an estimate needs, so that the tail beyond the confidence holds one at least."""
        return int(divide(ONE, self.exception_probability, scale=0, rounding=Rounding.CEILING))

    def json_value(self) -> JsonObject:
        """Return the assumptions as JSON; durations in seconds."""
        return {
            "confidence": format_exact(self.confidence),
            "horizon_seconds": seconds_text(self.horizon),
            "interval_seconds": seconds_text(self.interval),
            "decay_per_day": format_exact(self.decay_per_day),
            "lookback_seconds": seconds_text(self.lookback),
            "minimum_rate": format_exact(self.minimum_rate),
            "rate_scale": self.rate_scale,
        }


DEFAULTS = Assumptions()


def seconds_text(duration: timedelta) -> str:
    """Return a duration in seconds, as text in plain form."""
    microseconds = Decimal(duration // _MICROSECOND)
    return format_exact(divide(microseconds, Decimal(1_000_000), scale=6, rounding=Rounding.HALF_EVEN))
