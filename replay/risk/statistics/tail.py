"""Historical Value at Risk and Expected Shortfall: order statistics of the losses that were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ledger.amounts import ONE, Rounding, exact, round_to
from replay.risk.statistics.edge import to_estimate, to_float

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.risk.statistics.returns import Returns, Side


@exact()
def historical_tail(returns: Returns, confidence: Decimal, side: Side) -> tuple[Decimal, Decimal]:
    """Return Value at Risk and Expected Shortfall of a side, as losses per notional, rounded up.

    Value at Risk is the smallest loss that at least ``confidence`` of all losses do not exceed, one that
    was observed and is not interpolated (numpy's quantile method ``inverted_cdf``). Expected Shortfall is
    the mean of the worst n × (1 − confidence) losses, the last of them in part where that is no whole
    number (Acerbi and Tasche, "Expected Shortfall: a natural coherent alternative to Value at Risk",
    2002), and so never below Value at Risk.

    Raises:
        ValueError: there are fewer returns than the tail needs to hold one.
    """
    # How many losses are beyond is counted in decimals: 0.01 × 700 as floats is a little over 7.
    in_tail = len(returns) * (ONE - confidence)
    whole = int(round_to(in_tail, 0, Rounding.FLOOR))
    if whole < 1:
        raise ValueError(f"{len(returns)} returns have no tail beyond {confidence}")
    losses = np.sort(returns.losses(side))[::-1]
    value_at_risk = losses[whole]  # there is such a loss, since a confidence above 0 leaves one out
    part = to_float(in_tail - whole)
    shortfall = (losses[:whole].sum() + part * value_at_risk) / to_float(in_tail)
    at_risk = to_estimate(value_at_risk, Rounding.CEILING)
    # Of equal losses the mean may come out below them by the last bit.
    return at_risk, max(to_estimate(shortfall, Rounding.CEILING), at_risk)
