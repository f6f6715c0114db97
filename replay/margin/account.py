"""Evaluate an account: what it holds and requires, its state, and the prices at which that changes.

Account figures cover the cross wallet, cross positions and portfolios; each isolated position stands
on its own. What cannot be known leaves the figure None and the state ``undetermined``, never zero.
The model is explained in docs/explanation/margin.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO, Rounding, divide, exact
from replay.margin.cross import CrossFigures, Notes, cross_figures, total
from replay.margin.market import Market
from replay.margin.position import PositionFigures, position_figures
from replay.margin.prices import DerivedPrices, cross_prices, isolated_prices
from replay.margin.results import AccountMargin, PositionMargin
from replay.margin.thresholds import MarginState, margin_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from replay.margin.liquidation_price import ThresholdPrices
    from replay.state.records import Account, Flow
    from replay.state.venue_state import VenueState

# Ratios are for reading; decisions compare products (replay.margin.thresholds).
RATIO_SCALE = 12
RATIO_ROUNDING = Rounding.HALF_EVEN
_COST_OF_MAINTENANCE: tuple[Flow, ...] = ("funding", "interest", "fee")


def evaluate(
    state: VenueState, account: str, *, at: datetime | None = None, with_prices: bool = True
) -> AccountMargin:
    """Return an account's margin state after the last event of a venue state.

    Args:
        state: the venue's state.
        account: the account's name.
        at: the moment for which schedules and policy are chosen; the state's latest time if None.
        with_prices: whether liquidation, margin call and bankruptcy prices are worked out too.

    Raises:
        KeyError: no event named the account.
    """
    return evaluate_account(state.accounts[account], Market.of(state, at), with_prices=with_prices)


@exact()
def evaluate_account(account: Account, market: Market, *, with_prices: bool = True) -> AccountMargin:
    """Return an account's margin state in a market, which may be a hypothetical one."""
    notes = Notes()
    doubts = _doubts(account, market, notes)
    figures = [position_figures(account, account.positions[key], market) for key in sorted(account.positions)]
    for each in figures:
        notes.extend(each.notes)
    isolated = [each for each in figures if each.margin_mode == "isolated"]
    cross = [each for each in figures if each.margin_mode != "isolated"]
    if figures and not market.policy_recorded:
        notes.add(
            "no_risk_policy", "no risk policy is in force: liquidation at a margin ratio of 1, no warnings"
        )
    sums = cross_figures(account, market, cross, notes, doubts=doubts)
    ratio = _cross_ratio(sums, cross, notes)
    prices = [DerivedPrices() for _ in figures]
    if with_prices:
        prices = [
            isolated_prices(each, market) if each.margin_mode == "isolated" else DerivedPrices()
            for each in figures
        ]
        cross_prices(figures, prices, sums, market, notes)
    total_equity = total([sums.equity, *(each.equity for each in isolated)])
    costs = _cost_of_maintenance(account)
    return AccountMargin(
        account=account.account,
        sequence=market.sequence,
        at=market.at,
        valuation_currency=market.valuation_currency,
        wallet_balance=account.wallet_balances(),
        cross_wallet_balance=dict(account.balances),
        notional=sums.notional,
        unrealised_pnl=sums.unrealised_pnl,
        equity=sums.equity,
        collateral_value=sums.collateral_value,
        initial_margin=sums.initial_margin,
        open_order_initial_margin=sums.open_order_initial_margin,
        maintenance_margin=sums.maintenance_margin,
        margin_ratio=ratio,
        equity_ratio=_quotient(sums.equity, sums.notional, "equity_ratio", "notional", notes),
        margin_utilisation=_quotient(
            sums.initial_margin, sums.collateral_value, "margin_utilisation", "collateral value", notes
        ),
        leverage=_quotient(sums.notional, sums.equity, "leverage", "equity", notes),
        buffer=_difference(sums.collateral_value, sums.maintenance_margin),
        cost_of_maintenance=_valued(costs, market, notes),
        cost_of_maintenance_by_asset=costs,
        state=sums.state,
        total_equity=total_equity,
        positions=tuple(
            _position(each, price, market, sums.state, ratio, notes, doubts=doubts)
            for each, price in zip(figures, prices, strict=True)
        ),
        notes=tuple(notes.notes),
    )


def _doubts(account: Account, market: Market, notes: Notes) -> bool:
    """Note what puts the whole account in doubt; tell whether anything does."""
    before = len(notes.notes)
    if account.anomaly is not None:
        anomaly = account.anomaly
        more = f" (and {account.anomaly_count - 1} more)" if account.anomaly_count > 1 else ""
        notes.add(
            anomaly.code,
            f"sequence {anomaly.sequence}: {anomaly.message}{more}",
            f"account/{account.account}",
        )
    if market.unapplied_corrections:
        message = f"{market.unapplied_corrections} recorded corrections could not be applied"
        notes.add("correction_not_applied", message)
    if account.profile.kind == "external":
        message = "an external account stands for the unrecorded other side of trades; its margin is not here"
        notes.add("external_account", message, f"account/{account.account}")
    return len(notes.notes) > before


def _cross_ratio(sums: CrossFigures, cross: list[PositionFigures], notes: Notes) -> Decimal | None:
    if not any(each.position.quantity for each in cross):
        notes.add("no_position", "no cross position: the margin ratio is undefined")
        return None
    return _quotient(
        sums.maintenance_margin, sums.collateral_value, "margin_ratio", "collateral value", notes
    )


def _position(
    figures: PositionFigures,
    prices: DerivedPrices,
    market: Market,
    account_state: MarginState,
    account_ratio: Decimal | None,
    notes: Notes,
    *,
    doubts: bool,
) -> PositionMargin:
    position = figures.position
    state, ratio, equity = account_state, account_ratio, None
    if figures.margin_mode == "isolated":
        equity = figures.equity
        ratio, state = None, "undetermined"
        if position.quantity:
            what = f"margin_ratio of {position.instrument}"
            ratio = _quotient(figures.maintenance_margin, equity, what, "equity", notes)
        if (
            not doubts
            and figures.determined
            and equity is not None
            and figures.maintenance_margin is not None
        ):
            state = margin_state(equity, figures.maintenance_margin, market.policy)
    long = position.quantity > 0
    return PositionMargin(
        instrument=position.instrument,
        position_side=position.position_side,
        margin_mode=figures.margin_mode,
        quantity=position.quantity,
        settlement_asset=position.settlement_asset,
        entry_price=figures.entry_price,
        mark_price=figures.mark_price,
        notional=figures.notional,
        unrealised_pnl=figures.unrealised_pnl,
        initial_margin=figures.initial_margin,
        maintenance_margin=figures.maintenance_margin,
        isolated_margin=figures.isolated_margin,
        equity=equity,
        margin_ratio=ratio,
        state=state,
        leverage=figures.leverage,
        liquidation_price=_losing_side(prices.liquidation, long=long),
        liquidation_price_below=prices.liquidation.below,
        liquidation_price_above=prices.liquidation.above,
        bankruptcy_price=prices.bankruptcy,
        margin_call_price=_losing_side(prices.margin_call, long=long),
        schedule_sequence=figures.schedule_sequence,
        mark_sequence=figures.mark_sequence,
    )


def _losing_side(prices: ThresholdPrices, *, long: bool) -> Decimal | None:
    first, second = (prices.below, prices.above) if long else (prices.above, prices.below)
    return second if first is None else first


def _cost_of_maintenance(account: Account) -> dict[str, Decimal]:
    costs: dict[str, Decimal] = {}
    for (flow, asset), amount in sorted(account.flows.items()):
        if flow in _COST_OF_MAINTENANCE:
            costs[asset] = costs.get(asset, ZERO) - amount
    return costs


def _valued(amounts: Mapping[str, Decimal], market: Market, notes: Notes) -> Decimal | None:
    total = ZERO
    for asset, amount in amounts.items():
        rate = market.rate(asset) if amount else ONE
        if rate is None:
            message = f"no price of {asset} in {market.valuation_currency} is recorded"
            notes.add("no_asset_price", message, f"asset/{asset}")
            return None
        total += amount * rate
    return total


def _difference(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


def _quotient(
    dividend: Decimal | None, divisor: Decimal | None, name: str, divisor_name: str, notes: Notes
) -> Decimal | None:
    """Return a ratio at scale 12, or None with a note where it is undefined or would be negative."""
    if dividend is None or divisor is None:
        return None
    if divisor <= 0:
        notes.add("ratio_undefined", f"{name} is undefined: {divisor_name} is not above zero")
        return None
    if dividend < 0:
        notes.add("ratio_undefined", f"{name} would be negative")
        return None
    return divide(dividend, divisor, scale=RATIO_SCALE, rounding=RATIO_ROUNDING)
