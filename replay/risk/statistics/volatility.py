"""Exponentially weighted volatility, and the loss that a normal distribution of it implies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from ledger.amounts import Rounding, format_exact
from replay.risk.statistics.edge import ratio, to_estimate, to_float

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.margin.contracts import Contract
    from replay.risk.assumptions import Assumptions
    from replay.risk.statistics.returns import Returns, Side

_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Volatility:
    """Standard deviation of the logarithmic return, estimated from ``returns`` of them.

    Attributes:
        per_interval: of the sampling interval, as it was estimated.
        per_horizon: scaled by the square root of time.
        per_year: likewise, of 365 days.
        decay_per_interval: weight of the interval before against this one's squared return.
        returns: how many went in.
    """

    per_interval: Decimal
    per_horizon: Decimal
    per_year: Decimal
    decay_per_interval: Decimal
    returns: int

    def json_value(self) -> JsonObject:
        """Return the volatility as JSON."""
        return {
            "per_interval": format_exact(self.per_interval),
            "per_horizon": format_exact(self.per_horizon),
            "per_year": format_exact(self.per_year),
            "decay_per_interval": format_exact(self.decay_per_interval),
            "returns": self.returns,
        }


def ewma_volatility(returns: Returns, assumptions: Assumptions) -> Volatility:
    """Return the volatility at the end of the returns, the newest weighing most.

    variance = Σ decay^age × return² ÷ Σ decay^age, with a mean return of zero and the age in sampling
    intervals (RiskMetrics Technical Document, 1996, §5.2). The decay per interval is the decay per day
    to the power interval ÷ day, so that a day weighs the same however it is sampled.

    Args:
        returns: of one interval each, at least one.
        assumptions: interval, horizon and decay.
    """
    decay = to_float(assumptions.decay_per_day) ** ratio(assumptions.interval, _DAY)
    ages = returns.ends[-1] - returns.ends
    variance = float(np.average(returns.values**2, weights=decay**ages))
    deviation = np.sqrt(variance)
    return Volatility(
        to_estimate(deviation),
        to_estimate(deviation * np.sqrt(assumptions.steps)),
        to_estimate(deviation * np.sqrt(ratio(_YEAR, assumptions.interval))),
        to_estimate(decay),
        len(returns),
    )


def normal_loss(
    volatility: Decimal, confidence: Decimal, side: Side, contract: Contract = "linear"
) -> Decimal:
    """Return the loss per notional that a normal logarithmic return exceeds with 1 − confidence, rounded up.

    1 − exp(−z × volatility) of a long, exp(z × volatility) − 1 of a short, z the normal quantile; of an
    inverse contract the other way round, since its value goes with 1 ÷ price.
    """
    reach = float(norm.ppf(to_float(confidence))) * to_float(volatility)
    bounded = (side == "long") == (contract == "linear")  # a loss that is never all of the notional
    return to_estimate(-np.expm1(-reach) if bounded else np.expm1(reach), Rounding.CEILING)
