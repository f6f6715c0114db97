"""The demo day's prices: a drawn course, a little noise, and an index made of three sources."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import Rounding, divide, round_to
from ledger.events.prices import IndexConstituent, IndexPriceUpdated, MarkPriceUpdated

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

MILLION = 1_000_000

# (minute of the day, millionths away from the opening price); straight lines between.
COURSE = (
    (0, 0),
    (420, 3_000),
    (720, 8_000),
    (1_080, -4_000),
    (1_255, -6_000),
    (1_264, -25_000),
    (1_270, -48_000),
    (1_276, -80_000),
    (1_277, -118_000),
    (1_284, -125_000),
    (1_289, -150_000),
    (1_290, -190_000),
    (1_296, -200_000),
    (1_310, -165_000),
    (1_350, -120_000),
    (1_440, -105_000),
)
CRASH_BEGINS, CRASH_ENDS = 1_255, 1_330
GAPS = (1_277, 1_290)
"""Minutes at which the price falls without trading on the way."""

_SOURCES = ("exchange-a", "exchange-b", "exchange-c")
_LARGEST_NOISE = 1_200
_OUTLIER_MINUTE = 1_290
_OUTLIER_MILLIONTHS = -90_000


@dataclass(frozen=True, slots=True)
class Coin:
    """One base asset and its perpetual.

    Attributes:
        swing_percent: how much of the course it follows; 135 falls a third further than the course.
        quote_size: contracts that a market maker quotes on each side.
    """

    name: str
    opening_price: Decimal
    tick_size: Decimal
    swing_percent: int
    quote_size: Decimal
    quantity_scale: int

    @property
    def instrument(self) -> str:
        """The perpetual's name."""
        return f"{self.name}-PERP"


COINS = (
    Coin("BTC", Decimal(82_000), Decimal("0.1"), 100, Decimal(25), 3),
    Coin("ETH", Decimal(3_150), Decimal("0.01"), 135, Decimal(700), 2),
)


class PricePath:
    """The price of one coin, minute by minute; whole millionths, so that nothing is ever a float."""

    def __init__(self, coin: Coin, rng: random.Random) -> None:
        self._coin = coin
        self._rng = rng
        self._noise = 0

    def prices(self, minute: int) -> tuple[IndexPriceUpdated, MarkPriceUpdated]:
        """Return the index and mark of a minute; call it in rising order of minutes."""
        self._noise = self._noise * 9 // 10 + self._rng.randint(-300, 300)
        self._noise = max(-_LARGEST_NOISE, min(_LARGEST_NOISE, self._noise))
        away = interpolate(COURSE, minute) * self._coin.swing_percent // 100 + self._noise
        constituents = [
            IndexConstituent(
                source=source,
                price=self._at(away + self._rng.randint(-150, 150)),
                weight=Decimal(1),
                excluded=False,
            )
            for source in _SOURCES
        ]
        if minute == _OUTLIER_MINUTE:
            far = self._at(away + _OUTLIER_MILLIONTHS)
            reason = "deviates more than 5 % from the median"
            constituents[-1] = IndexConstituent(
                source=_SOURCES[-1], price=far, weight=Decimal(1), excluded=True, reason=reason
            )
        index = self._mean([each.price for each in constituents if not each.excluded])
        basis = self._rng.randint(-120, 180) - (400 if CRASH_BEGINS <= minute <= CRASH_ENDS else 0)
        mark = nudged(index, basis, self._coin.tick_size)
        return (
            IndexPriceUpdated(index=self._coin.name, price=index, constituents=constituents),
            MarkPriceUpdated(
                instrument=self._coin.instrument, price=mark, index_price=index, method="index with basis"
            ),
        )

    def _at(self, away: int) -> Decimal:
        return nudged(self._coin.opening_price, away, self._coin.tick_size)

    def _mean(self, prices: Sequence[Decimal]) -> Decimal:
        scale = -int(self._coin.tick_size.as_tuple().exponent)
        return divide(sum(prices, Decimal(0)), Decimal(len(prices)), scale=scale, rounding=Rounding.HALF_EVEN)


def interpolate(points: Sequence[tuple[int, int]], at: int) -> int:
    """Return the value of a broken line at a place, rounded down."""
    index = bisect_right(points, (at, MILLION)) - 1
    if index + 1 >= len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[index], points[index + 1]
    return y0 + (y1 - y0) * (at - x0) // (x1 - x0)


def nudged(price: Decimal, millionths: int, tick_size: Decimal) -> Decimal:
    """Return a price moved by so many millionths, on the nearest tick."""
    moved = price * (MILLION + millionths)
    ticks = divide(moved, tick_size * MILLION, scale=0, rounding=Rounding.HALF_EVEN)
    return ticks * tick_size


def contracts(notional: Decimal, price: Decimal, scale: int) -> Decimal:
    """Return how many contracts a notional buys, rounded down, but one smallest unit at least."""
    smallest = Decimal(1).scaleb(-scale)
    return max(
        round_to(divide(notional, price, scale=scale, rounding=Rounding.DOWN), scale, Rounding.DOWN), smallest
    )
