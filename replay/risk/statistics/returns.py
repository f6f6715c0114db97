"""Logarithmic returns over a number of sampling intervals, and the losses that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from replay.margin.contracts import Contract
    from replay.risk.prices import Samples

Side = Literal["long", "short"]
SIDES: tuple[Side, ...] = ("long", "short")


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Returns ln(price ÷ price ``steps`` intervals before), by the place at which they end.

    Attributes:
        values: the returns.
        ends: their last places, rising (:class:`replay.risk.prices.Samples`).
        steps: how many intervals each spans.
        contract: how what is held is valued.
    """

    values: NDArray[np.float64]
    ends: NDArray[np.int64]
    steps: int
    contract: Contract = "linear"

    def __len__(self) -> int:
        return len(self.values)

    def within(self, first: int, last: int) -> Returns:
        """Return those that begin at or after place ``first`` and end at or before ``last``."""
        start, end = np.searchsorted(self.ends, [first + self.steps, last + 1])
        return Returns(self.values[start:end], self.ends[start:end], self.steps, self.contract)

    def losses(self, side: Side) -> NDArray[np.float64]:
        """Return what a position loses per notional at the beginning; a gain is negative.

        A long loses 1 − exp(return), a short exp(return) − 1. In the asset that an inverse contract settles
        in its notional is a number ÷ price: a long loses exp(−return) − 1, a short 1 − exp(−return).
        """
        inverse = self.contract == "inverse"
        change: NDArray[np.float64] = np.expm1(-self.values if inverse else self.values)
        return change if (side == "long") == inverse else -change


def log_returns(samples: Samples, steps: int = 1, contract: Contract = "linear") -> Returns:
    """Return the returns over ``steps`` intervals that end at each place; they overlap where steps > 1.

    A return is taken only between two places that both have a price: none bridges a gap at its ends.
    """
    places = np.array(samples.places, dtype=np.int64)
    logarithms = np.log(np.array([float(price) for price in samples.prices], dtype=np.float64))
    before = np.searchsorted(places, places - steps)
    known = places[before] == places - steps if len(places) else np.zeros(0, dtype=np.bool_)
    values = logarithms[known] - logarithms[before[known]]
    return Returns(values, places[known], steps, contract)
