"""Portfolio (hybrid) margin: the worst loss of all positions in one underlying over a grid of price moves.

Positions in the same base offset each other, whatever contract they are in; bases do not. The grid
has ``price_steps`` equal steps on either side up to ``price_range``, as Deribit's portfolio margin
has ±16 % in 9 prices (DOMAIN §2). The volatility axis of such grids moves options alone, which are
not part of this requirement.

    maintenance margin of a base = max(worst loss over the grid, minimum_rate × gross notional, 0)
    initial margin = maintenance margin × initial_factor
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, exact
from replay.margin.contracts import signed_value
from replay.margin.liquidation_price import NOWHERE, ThresholdPrices, stated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from replay.state.records import Instrument

PRICE_RANGE = "price_range"
PRICE_STEPS = "price_steps"
MINIMUM_RATE = "minimum_rate"
INITIAL_FACTOR = "initial_factor"
# The largest grid that is evaluated; a venue's own has a handful of steps.
MOST_STEPS = 100
MOVE_SCALE = MAXIMUM_SCALE


@dataclass(frozen=True, slots=True)
class PortfolioTerms:
    """The parameters of a ``MarginScheduleSet`` of the model ``portfolio``.

    Attributes:
        price_range: the largest move, as a fraction above 0 and below 1.
        price_steps: how many steps there are on each side.
        minimum_rate: the least requirement per gross notional; 0 where it is not given.
        initial_factor: initial per maintenance margin; 1 where it is not given.
    """

    price_range: Decimal
    price_steps: int
    minimum_rate: Decimal = ZERO
    initial_factor: Decimal = ONE

    @classmethod
    def of(cls, parameters: Mapping[str, Decimal]) -> PortfolioTerms | None:
        """Return the terms that a schedule's parameters state, or None where they state none."""
        price_range, steps = parameters.get(PRICE_RANGE), parameters.get(PRICE_STEPS)
        if price_range is None or steps is None:
            return None
        minimum, factor = parameters.get(MINIMUM_RATE, ZERO), parameters.get(INITIAL_FACTOR, ONE)
        whole = steps == steps.to_integral_value() and 1 <= steps <= MOST_STEPS
        if not whole or not 0 < price_range < 1 or minimum < 0 or factor < 1:
            return None
        return cls(price_range, int(steps), minimum, factor)

    def joined(self, other: PortfolioTerms) -> PortfolioTerms:
        """Return the stricter of both, which holds for positions that are margined together."""
        return PortfolioTerms(
            max(self.price_range, other.price_range),
            max(self.price_steps, other.price_steps),
            max(self.minimum_rate, other.minimum_rate),
            max(self.initial_factor, other.initial_factor),
        )

    def moves(self) -> list[Decimal]:
        """Return the relative price moves of the grid, at scale 18, half-even; call it inside ``exact()``."""
        return [
            divide(
                self.price_range * step, ONE * self.price_steps, scale=MOVE_SCALE, rounding=Rounding.HALF_EVEN
            )
            for step in range(-self.price_steps, self.price_steps + 1)
            if step
        ]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position for the grid.

    Attributes:
        quantity: signed contracts.
        value_rate: settlement asset → valuation currency.
    """

    instrument: Instrument
    quantity: Decimal
    mark_price: Decimal
    value_rate: Decimal

    def value(self, price: Decimal) -> Decimal:
        """Return its signed value at a price, in the valuation currency."""
        contract_size = self.instrument.contract_size
        return signed_value(self.instrument.priced_as, self.quantity, contract_size, price) * self.value_rate


@dataclass(frozen=True, slots=True)
class ScenarioLoss:
    """What one scenario of the grid would cost; negative is a gain."""

    move: Decimal
    loss: Decimal


@exact()
def scenario_losses(holdings: Sequence[Holding], terms: PortfolioTerms) -> list[ScenarioLoss]:
    """Return the loss of each price move, in the valuation currency: all marks move by the same part."""
    losses = []
    for move in terms.moves():
        moved = [
            each.value(each.mark_price * (ONE + move)) - each.value(each.mark_price) for each in holdings
        ]
        losses.append(ScenarioLoss(move, -sum(moved, ZERO)))
    return losses


@exact()
def portfolio_margin(holdings: Sequence[Holding], terms: PortfolioTerms) -> tuple[Decimal, Decimal]:
    """Return (initial margin, maintenance margin) of the positions of one base, in the valuation currency."""
    worst = max((each.loss for each in scenario_losses(holdings, terms)), default=ZERO)
    gross = sum((abs(each.value(each.mark_price)) for each in holdings), ZERO)
    maintenance = max(worst, terms.minimum_rate * gross, ZERO)
    return maintenance * terms.initial_factor, maintenance


@exact()
def portfolio_prices(
    collateral: Decimal,
    maintenance_margin: Decimal,
    holdings: Sequence[Holding],
    varying: str,
    terms: PortfolioTerms,
    threshold: Decimal = ONE,
) -> ThresholdPrices:
    """Return the prices of one instrument between which a portfolio stays within a threshold.

    Each scenario requires a straight line in the instrument's price (an inverse one's reciprocal
    price), and the requirement is the greatest of them: within the threshold is where every line is.

    Args:
        collateral: collateral value at the marks, in the valuation currency.
        maintenance_margin: of everything but the positions of this base.
        holdings: the positions of the base.
        varying: the instrument whose price varies; the others stay at their marks.
        terms: of the grid.
        threshold: margin ratio to reach.
    """
    here = [each for each in holdings if each.instrument.instrument == varying]
    if not here or here[0].mark_price <= 0:
        return NOWHERE
    inverse = here[0].instrument.priced_as == "inverse"
    mark = Fraction(here[0].mark_price)
    at_mark = 1 / mark if inverse else mark
    size = sum((_size(each) for each in here), Fraction(0))
    gross = sum((abs(_size(each)) for each in here), Fraction(0))
    fixed = Fraction(threshold) * (Fraction(collateral) - size * at_mark) - Fraction(maintenance_margin)
    slope = Fraction(threshold) * size
    others = [each for each in holdings if each.instrument.instrument != varying]
    other_gross = Fraction(sum((abs(each.value(each.mark_price)) for each in others), ZERO))
    rate = Fraction(terms.minimum_rate)
    lines = [(slope, fixed), (slope - rate * gross, fixed - rate * other_gross)]
    for move in terms.moves():
        moved = [each.value(each.mark_price * (ONE + move)) - each.value(each.mark_price) for each in others]
        factor = 1 + Fraction(move)
        change = (1 / factor if inverse else factor) - 1
        lines.append((slope + size * change, fixed + Fraction(sum(moved, ZERO))))
    low, high = Fraction(0), None
    for line_slope, constant in lines:
        if not line_slope:
            if constant <= 0:
                return NOWHERE
            continue
        root = -constant / line_slope
        if line_slope > 0:
            low = max(low, root)
        else:
            high = root if high is None else min(high, root)
    if high is not None and high <= low:
        return NOWHERE
    return stated(low or None, high, inverse=inverse)


def _size(holding: Holding) -> Fraction:
    """Return value per unit of price (inverse: of reciprocal price), in the valuation currency."""
    size = Fraction(holding.quantity * holding.instrument.contract_size * holding.value_rate)
    return -size if holding.instrument.priced_as == "inverse" else size
