"""The probability that a price touches another within a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy.stats import norm

from ledger.amounts import ONE, ZERO
from replay.risk.statistics.edge import ratio, to_estimate, to_float

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal


def touch_probability(
    price: Decimal,
    barrier: Decimal,
    volatility_per_interval: Decimal,
    interval: timedelta,
    horizon: timedelta,
) -> Decimal:
    """Return the probability that a price reaches a barrier, below or above it, within a horizon.

    The logarithm of the price is a Brownian motion without drift. Whoever has touched the barrier is as
    likely to end beyond it as before it, so that P(touch) = 2 × P(end beyond) =
    2 × Φ(−|ln(barrier ÷ price)| ÷ (volatility × √(horizon ÷ interval))): the reflection principle
    (Karatzas and Shreve, Brownian Motion and Stochastic Calculus, §2.6). Prices are watched at every
    moment; real ones jump, fall in clusters and have fatter tails, so that this is rather too low.

    Args:
        price: now, above zero.
        barrier: above zero.
        volatility_per_interval: standard deviation of the logarithmic return of an interval.
        interval: of that volatility.
        horizon: not negative.
    """
    if barrier == price:
        return ONE
    deviation = to_float(volatility_per_interval) * math.sqrt(ratio(horizon, interval))
    if not deviation:
        return ZERO
    distance = abs(math.log(to_float(barrier)) - math.log(to_float(price)))
    return min(to_estimate(2 * float(norm.sf(distance / deviation))), ONE)
