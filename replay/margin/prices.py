"""The prices at which an account's state changes: liquidation, margin call and bankruptcy, by position.

Every instrument's price varies alone; all else, conversion prices too, stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO
from replay.margin.contracts import signed_value
from replay.margin.liquidation_price import NOWHERE, ThresholdPrices, threshold_prices
from replay.margin.portfolio import portfolio_prices
from replay.margin.takeover import allocated_value, bankruptcy_price, inverse_bankruptcy_price

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.margin.cross import CrossFigures, Notes
    from replay.margin.market import Market
    from replay.margin.position import PositionFigures


@dataclass(slots=True)
class DerivedPrices:
    """The derived prices of one position."""

    liquidation: ThresholdPrices = NOWHERE
    margin_call: ThresholdPrices = NOWHERE
    bankruptcy: Decimal | None = None


def isolated_prices(figures: PositionFigures, market: Market) -> DerivedPrices:
    """Return the prices of an isolated position, behind which its own margin stands alone."""
    leg, mark, margin = figures.leg, figures.mark_price, figures.isolated_margin
    if leg is None or mark is None or margin is None or figures.equity is None:
        return DerivedPrices()
    fixed = ZERO if leg.tiers else figures.maintenance_margin or ZERO
    call = market.policy.margin_call_ratio
    return DerivedPrices(
        threshold_prices(margin, fixed, (leg,), mark),
        NOWHERE if call is None else threshold_prices(margin, fixed, (leg,), mark, call),
        position_bankruptcy_price(figures, figures.equity, leg.value_rate),
    )


def cross_prices(
    figures: list[PositionFigures],
    prices: list[DerivedPrices],
    sums: CrossFigures,
    market: Market,
    notes: Notes,
) -> None:
    """Fill in the prices of cross positions: every instrument varies alone, all else at its mark."""
    if sums.collateral_value is None or sums.maintenance_margin is None:
        return
    call = market.policy.margin_call_ratio
    _portfolio_prices(figures, prices, sums, market)
    for name in sorted({each.position.instrument for each in figures if each.margin_mode == "cross"}):
        here = [
            (index, each)
            for index, each in enumerate(figures)
            if each.position.instrument == name and each.margin_mode == "cross" and each.leg is not None
        ]
        legs = [each.leg for _, each in here if each.leg is not None]
        mark = here[0][1].mark_price if here else None
        if mark is None:
            continue
        collateral, maintenance = sums.collateral_value, sums.maintenance_margin
        for _, each in here:
            collateral -= each.unrealised_pnl or ZERO
            if each.leg is not None and each.leg.tiers:
                maintenance -= each.maintenance_margin or ZERO
        liquidation = threshold_prices(collateral, maintenance, legs, mark)
        margin_call = NOWHERE if call is None else threshold_prices(collateral, maintenance, legs, mark, call)
        for index, each in here:
            prices[index] = DerivedPrices(
                liquidation, margin_call, _cross_bankruptcy(each, sums, market, notes)
            )


def _portfolio_prices(
    figures: list[PositionFigures], prices: list[DerivedPrices], sums: CrossFigures, market: Market
) -> None:
    """Fill in the prices of positions under portfolio margin."""
    if sums.collateral_value is None or sums.maintenance_margin is None:
        return
    call = market.policy.margin_call_ratio
    for index, each in enumerate(figures):
        name = each.position.instrument
        portfolio = sums.portfolios.get(market.instruments[name].base) if each.portfolio is not None else None
        if portfolio is None:
            continue
        others = sums.maintenance_margin - portfolio.maintenance_margin
        found = [
            portfolio_prices(
                sums.collateral_value, others, portfolio.holdings, name, portfolio.terms, threshold
            )
            for threshold in (ONE, *(() if call is None else (call,)))
        ]
        prices[index] = DerivedPrices(found[0], found[1] if call is not None else NOWHERE)


def _cross_bankruptcy(
    figures: PositionFigures, sums: CrossFigures, market: Market, notes: Notes
) -> Decimal | None:
    """Return the price at which a position has used up its share of the account's equity.

    Equity, not collateral value: a haircut is a reserve and nothing that is gone.
    """
    allocation = market.policy.bankruptcy_allocation
    if allocation in (None, "maintenance", "maintenance_margin"):
        share, total = figures.maintenance_margin, sums.maintenance_margin
    elif allocation == "notional":
        share, total = figures.notional, sums.notional
    else:
        message = f"the policy shares account value by {allocation}, which is not known: no bankruptcy prices"
        notes.add("bankruptcy_allocation_unknown", message)
        return None
    value, rate = sums.equity, market.rate(figures.position.settlement_asset)
    if value is None or rate is None or not share or not total:
        return None
    return position_bankruptcy_price(figures, allocated_value(value, share, total), rate)


def position_bankruptcy_price(
    figures: PositionFigures, value_behind: Decimal, value_rate: Decimal
) -> Decimal | None:
    """Return where a value, in the valuation currency, that stands behind a position is used up.

    None where no price above zero does it, or the mark is not known.
    """
    mark, size = figures.mark_price, figures.position.quantity * figures.contract_size
    if mark is None or not value_rate or not size:
        return None
    if not figures.inverse:
        return _positive(bankruptcy_price(mark, size * value_rate, value_behind))
    value = signed_value("inverse", figures.position.quantity, figures.contract_size, mark) * value_rate
    return inverse_bankruptcy_price(value, -size * value_rate, value_behind)


def _positive(price: Decimal) -> Decimal | None:
    return price if price > 0 else None
