"""The price of one instrument at which an account's margin reaches a threshold, across margin tiers.

With every other price fixed, collateral value and maintenance margin of an account are straight
lines in the instrument's price within each tier, so the crossing is found tier by tier, walking
away from the mark, in exact fractions. Within one tier this is Binance's formula (DOMAIN §2):

    LP = (WB − TMM + UPNL + Σcum − Σ s·q·EP) / (Σ q·mmr − Σ s·q)

It holds for one-way and hedge mode, cross (other positions enter through collateral and
maintenance) and isolated (they do not). A hedged pair can be liquidated by a rise as well as by a
fall, hence two prices. Inverse contracts are straight lines in the reciprocal price, in which the
same search is made: LP = Q·(mmr + s) / (WB + cum + s·Q/EP).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, exact
from replay.margin.tiered import tier_for_notional

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.state.schedules import MarginTier

# The stated price is the last one, on this scale, at which the threshold is still reached: a price
# below is rounded down and a price above is rounded up. One unit further from danger it is not.
LIQUIDATION_PRICE_SCALE = MAXIMUM_SCALE
ROUNDING_BELOW = Rounding.FLOOR
ROUNDING_ABOVE = Rounding.CEILING


@dataclass(frozen=True, slots=True)
class Leg:
    """One position in the instrument whose price varies.

    Attributes:
        size: its value per unit of price: signed, quantity × contract_size; of an inverse position per
            unit of reciprocal price: −quantity × contract_size.
        cost: signed cost basis in the settlement asset.
        tiers: the margin tiers, in rising order; empty where the maintenance margin does not depend
            on the price (it is then part of the caller's ``maintenance_margin``).
        value_rate: settlement asset → valuation currency.
        notional_rate: settlement asset → notional asset of the tiers.
        margin_rate: notional asset → valuation currency.
        inverse: whether the contract is inverse; all legs of one search are, or none.
        notional: of an inverse position whose tiers are in the quote, its notional there, which no
            price changes; what it requires is divided by the price.
    """

    size: Decimal
    cost: Decimal
    tiers: Sequence[MarginTier] = ()
    value_rate: Decimal = ONE
    notional_rate: Decimal = ONE
    margin_rate: Decimal = ONE
    inverse: bool = False
    notional: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ThresholdPrices:
    """Where an account crosses a threshold; None where no price above zero does.

    Attributes:
        below: the threshold is reached at this price and stays reached for some way under it.
        above: likewise over it.
    """

    below: Decimal | None
    above: Decimal | None


NOWHERE = ThresholdPrices(None, None)


@dataclass(frozen=True, slots=True)
class _Line:
    """threshold × collateral − maintenance margin = slope × price + constant, for start < price ≤ end."""

    start: Fraction
    end: Fraction | None
    slope: Fraction
    constant: Fraction

    def at(self, price: Fraction) -> Fraction:
        return self.slope * price + self.constant


@exact()
def threshold_prices(
    collateral: Decimal,
    maintenance_margin: Decimal,
    legs: Sequence[Leg],
    mark_price: Decimal,
    threshold: Decimal = ONE,
) -> ThresholdPrices:
    """Return the prices nearest to the mark at which maintenance margin = threshold × collateral value.

    Where the account is within the threshold at the mark, these are the first price under it and
    the first over it at which the threshold is reached. Where it is beyond already, they are where
    a rise (``below``) and a fall (``above``) would bring it back.

    Args:
        collateral: collateral value of all else, in the valuation currency.
        maintenance_margin: maintenance margin of all else, in the valuation currency.
        legs: the account's positions in the instrument; in hedge mode there are two.
        mark_price: where to look from; above zero.
        threshold: margin ratio to reach: 1 for liquidation, less for a margin call.
    """
    if not legs or mark_price <= 0:
        return NOWHERE
    inverse = legs[0].inverse
    lines = _lines(collateral, maintenance_margin, legs, threshold)
    mark = 1 / Fraction(mark_price) if inverse else Fraction(mark_price)
    here = next(i for i, line in enumerate(lines) if line.end is None or mark <= line.end)
    beyond = lines[here].at(mark) <= 0
    down = _walk_down(lines, here, mark, beyond=beyond)
    up = _walk_up(lines, here, mark, beyond=beyond)
    below, above = (up, down) if beyond else (down, up)
    return stated(below, above, inverse=inverse)


def stated(below: Fraction | None, above: Fraction | None, *, inverse: bool = False) -> ThresholdPrices:
    """Return exact prices at scale 18, rounded towards danger; of reciprocal prices, their reciprocals."""
    if inverse:
        below, above = (1 / each if each else None for each in (above, below))
    return ThresholdPrices(_decimal(below, ROUNDING_BELOW), _decimal(above, ROUNDING_ABOVE))


def _walk_down(lines: Sequence[_Line], here: int, mark: Fraction, *, beyond: bool) -> Fraction | None:
    """Return the first price under the mark at which the sign changes."""
    price = mark
    for line in reversed(lines[: here + 1]):
        if (line.at(price) <= 0) != beyond:
            return price  # the requirement jumps at the edge of the tier
        root = _root(line)
        if root is not None and line.start < root <= price and (line.slope > 0) != beyond:
            return root
        price = line.start
    return None


def _walk_up(lines: Sequence[_Line], here: int, mark: Fraction, *, beyond: bool) -> Fraction | None:
    """Return the first price over the mark at which the sign changes."""
    price = mark
    for line in lines[here:]:
        just_over = line.at(price)
        if (just_over < 0 or (just_over == 0 and line.slope <= 0)) != beyond:
            return price
        root = _root(line)
        within = root is not None and price <= root and (line.end is None or root <= line.end)
        if root is not None and within and (line.slope < 0) != beyond:
            return root
        if line.end is None:
            return None
        price = line.end
    return None


def _root(line: _Line) -> Fraction | None:
    return -line.constant / line.slope if line.slope else None


def _lines(
    collateral: Decimal, maintenance_margin: Decimal, legs: Sequence[Leg], threshold: Decimal
) -> list[_Line]:
    """Cut the prices above zero where a leg's tier changes, and give the line of each piece."""
    edges = sorted({edge for leg in legs for edge in _tier_edges(leg)})
    bounds: list[Fraction | None] = [Fraction(0), *edges, None]
    lines = []
    for start, end in pairwise(bounds):
        assert start is not None  # noqa: S101 (only the last bound is open)
        inside = end if end is not None else start + 1
        slope = ZERO
        constant = threshold * collateral - maintenance_margin
        for leg in legs:
            slope += threshold * leg.size * leg.value_rate
            constant -= threshold * leg.cost * leg.value_rate
            if leg.tiers and leg.notional is not None:
                tier = tier_for_notional(leg.tiers, leg.notional)
                required = leg.notional * tier.maintenance_margin_rate - tier.maintenance_amount
                slope -= max(required, ZERO) * leg.margin_rate
            elif leg.tiers:
                tier = _tier_at(leg, inside)
                if _requires_nothing(leg, tier, inside):
                    continue
                slope -= abs(leg.size) * leg.notional_rate * tier.maintenance_margin_rate * leg.margin_rate
                constant += tier.maintenance_amount * leg.margin_rate
        lines.append(_Line(start, end, Fraction(slope), Fraction(constant)))
    return lines


def _tier_edges(leg: Leg) -> Iterator[Fraction]:
    if leg.notional is not None:
        return
    scale = Fraction(abs(leg.size) * leg.notional_rate)
    for tier in leg.tiers[1:]:
        if tier.notional_floor > 0:
            yield Fraction(tier.notional_floor) / scale
    # Where an amount is more than the rate asks for, nothing is required, and not less than nothing.
    for tier in leg.tiers:
        if tier.maintenance_amount > 0 and tier.maintenance_margin_rate > 0:
            yield Fraction(tier.maintenance_amount) / Fraction(tier.maintenance_margin_rate) / scale


def _tier_at(leg: Leg, price: Fraction) -> MarginTier:
    notional = Fraction(abs(leg.size) * leg.notional_rate) * price
    chosen = leg.tiers[0]
    for tier in leg.tiers:
        if Fraction(tier.notional_floor) >= notional:
            break
        chosen = tier
    return chosen


def _requires_nothing(leg: Leg, tier: MarginTier, price: Fraction) -> bool:
    notional = Fraction(abs(leg.size) * leg.notional_rate) * price
    return notional * Fraction(tier.maintenance_margin_rate) <= Fraction(tier.maintenance_amount)


def _decimal(price: Fraction | None, rounding: Rounding) -> Decimal | None:
    if price is None or price <= 0:
        return None
    return divide(
        Decimal(price.numerator), Decimal(price.denominator), scale=LIQUIDATION_PRICE_SCALE, rounding=rounding
    )
