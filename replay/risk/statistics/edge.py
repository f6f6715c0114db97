"""The edge between exact decimals and estimates."""

from __future__ import annotations

import math
from decimal import Decimal, FloatOperation, localcontext
from typing import TYPE_CHECKING

from ledger.amounts import Rounding, round_to

if TYPE_CHECKING:
    from datetime import timedelta

ESTIMATE_SCALE = 12
"""Digits after the point that an estimate is given with: enough to repeat it, far more than it can mean."""


def to_estimate(value: float, rounding: Rounding = Rounding.HALF_EVEN) -> Decimal:
    """Return a statistic as a Decimal of scale 12; a loss that a requirement has to cover is rounded up.

    Raises:
        ValueError: it is not a finite number.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    with localcontext() as context:
        context.traps[FloatOperation] = False  # here, and nowhere else, a float becomes a Decimal
        exact_value = Decimal(float(value))
    return round_to(exact_value, ESTIMATE_SCALE, rounding)


def to_float(value: Decimal) -> float:
    """Return the float64 nearest to a Decimal."""
    return float(value)


def ratio(duration: timedelta, other: timedelta) -> float:
    """Return how many times one duration contains another."""
    return duration / other
