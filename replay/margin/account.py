"""Evaluate an account: what it holds and requires, its state, and the prices at which that changes.

Account figures cover the cross wallet and cross positions; each isolated position stands on its
own. What cannot be known leaves the figure None and the state ``undetermined``, never zero.
The model is explained in docs/explanation/margin-model.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO, Rounding, divide, exact
from replay.margin.liquidation_price import NOWHERE, ThresholdPrices, threshold_prices
from replay.margin.market import Market
from replay.margin.position import PositionFigures, position_figures
from replay.margin.results import AccountMargin, Note, PositionMargin
from replay.margin.takeover import allocated_value, bankruptcy_price
from replay.margin.thresholds import MarginState, margin_state
from replay.margin.tiered import collateral_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from replay.state.records import Account, Flow
    from replay.state.venue_state import VenueState

# Ratios are for reading; decisions compare products (replay.margin.thresholds).
RATIO_SCALE = 12
RATIO_ROUNDING = Rounding.HALF_EVEN
_COST_OF_MAINTENANCE: tuple[Flow, ...] = ("funding", "interest", "fee")


@dataclass(frozen=True, slots=True)
class _Cross:
    """Sums over the cross wallet and cross positions; None is unknown."""

    notional: Decimal | None
    unrealised_pnl: Decimal | None
    equity: Decimal | None
    collateral_value: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    state: MarginState


@dataclass(slots=True)
class _Prices:
    """The derived prices of one position."""

    liquidation: ThresholdPrices = NOWHERE
    margin_call: ThresholdPrices = NOWHERE
    bankruptcy: Decimal | None = None


@dataclass(slots=True)
class _Notes:
    """Notes in the order in which they came up, each once."""

    notes: dict[Note, None] = field(default_factory=dict)

    def add(self, code: str, message: str, subject: str | None = None) -> None:
        self.notes[Note(code, message, subject)] = None

    def extend(self, notes: Iterable[Note]) -> None:
        self.notes.update(dict.fromkeys(notes))


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
    notes = _Notes()
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
    sums = _cross_sums(account, market, cross, notes, doubts=doubts)
    ratio = _cross_ratio(sums, cross, notes)
    prices = [_Prices() for _ in figures]
    if with_prices:
        prices = [
            _isolated_prices(each, market) if each.margin_mode == "isolated" else _Prices()
            for each in figures
        ]
        _cross_prices(figures, prices, sums, market, notes)
    total_equity = _total([sums.equity, *(each.equity for each in isolated)])
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


def _doubts(account: Account, market: Market, notes: _Notes) -> bool:
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


def _cross_sums(
    account: Account, market: Market, cross: list[PositionFigures], notes: _Notes, *, doubts: bool
) -> _Cross:
    wallet, collateral = _wallet(account, market, notes)
    unrealised = _total([each.unrealised_pnl for each in cross])
    maintenance = _total([each.maintenance_margin for each in cross])
    collateral_sum = _total([collateral, unrealised])
    certain = not doubts and all(each.determined for each in cross)
    state: MarginState = "undetermined"
    if certain and collateral_sum is not None and maintenance is not None:
        state = margin_state(collateral_sum, maintenance, market.policy)
    return _Cross(
        notional=_total([each.notional for each in cross]),
        unrealised_pnl=unrealised,
        equity=_total([wallet, unrealised]),
        collateral_value=collateral_sum,
        initial_margin=_total([each.initial_margin for each in cross]),
        maintenance_margin=maintenance,
        state=state,
    )


def _wallet(account: Account, market: Market, notes: _Notes) -> tuple[Decimal | None, Decimal | None]:
    """Return the cross wallet's value without and with haircuts."""
    value: Decimal | None = ZERO
    collateral: Decimal | None = ZERO
    for asset in sorted(account.balances):
        amount = account.balances[asset]
        if not amount:
            continue
        rate = market.rate(asset)
        if rate is None:
            message = f"no price of {asset} in {market.valuation_currency} is recorded"
            notes.add("no_asset_price", message, f"asset/{asset}")
            value = collateral = None
            continue
        holding = amount * rate
        schedule = market.collateral_schedule(asset)
        counted = holding if schedule is None else collateral_value(schedule.tiers, holding)
        if schedule is None and asset != market.valuation_currency and account.positions:
            message = f"no haircut schedule of {asset} is in force; it counts in full"
            notes.add("no_collateral_schedule", message, f"asset/{asset}")
        value = _total([value, holding])
        collateral = _total([collateral, counted])
    return value, collateral


def _cross_ratio(sums: _Cross, cross: list[PositionFigures], notes: _Notes) -> Decimal | None:
    if not any(each.position.quantity for each in cross):
        notes.add("no_position", "no cross position: the margin ratio is undefined")
        return None
    return _quotient(
        sums.maintenance_margin, sums.collateral_value, "margin_ratio", "collateral value", notes
    )


def _isolated_prices(figures: PositionFigures, market: Market) -> _Prices:
    leg, mark, margin = figures.leg, figures.mark_price, figures.isolated_margin
    if leg is None or mark is None or margin is None or figures.equity is None:
        return _Prices()
    fixed = ZERO if leg.tiers else figures.maintenance_margin or ZERO
    call = market.policy.margin_call_ratio
    return _Prices(
        threshold_prices(margin, fixed, (leg,), mark),
        NOWHERE if call is None else threshold_prices(margin, fixed, (leg,), mark, call),
        _positive(bankruptcy_price(mark, leg.size * leg.value_rate, figures.equity))
        if leg.value_rate
        else None,
    )


def _cross_prices(
    figures: list[PositionFigures], prices: list[_Prices], sums: _Cross, market: Market, notes: _Notes
) -> None:
    """Fill in the prices of cross positions: every instrument varies alone, all else at its mark."""
    if sums.collateral_value is None or sums.maintenance_margin is None:
        return
    call = market.policy.margin_call_ratio
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
            prices[index] = _Prices(liquidation, margin_call, _cross_bankruptcy(each, sums, market, notes))


def _cross_bankruptcy(
    figures: PositionFigures, sums: _Cross, market: Market, notes: _Notes
) -> Decimal | None:
    """Return the price at which a position has used up its share of the account's collateral value."""
    allocation = market.policy.bankruptcy_allocation
    if allocation in (None, "maintenance", "maintenance_margin"):
        share, total = figures.maintenance_margin, sums.maintenance_margin
    elif allocation == "notional":
        share, total = figures.notional, sums.notional
    else:
        message = f"the policy shares account value by {allocation}, which is not known: no bankruptcy prices"
        notes.add("bankruptcy_allocation_unknown", message)
        return None
    leg, mark, value = figures.leg, figures.mark_price, sums.collateral_value
    if leg is None or mark is None or value is None or not share or not total or not leg.value_rate:
        return None
    return _positive(bankruptcy_price(mark, leg.size * leg.value_rate, allocated_value(value, share, total)))


def _position(
    figures: PositionFigures,
    prices: _Prices,
    market: Market,
    account_state: MarginState,
    account_ratio: Decimal | None,
    notes: _Notes,
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


def _valued(amounts: Mapping[str, Decimal], market: Market, notes: _Notes) -> Decimal | None:
    total = ZERO
    for asset, amount in amounts.items():
        rate = market.rate(asset) if amount else ONE
        if rate is None:
            message = f"no price of {asset} in {market.valuation_currency} is recorded"
            notes.add("no_asset_price", message, f"asset/{asset}")
            return None
        total += amount * rate
    return total


def _total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum, or None where a part is unknown."""
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _difference(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


def _quotient(
    dividend: Decimal | None, divisor: Decimal | None, name: str, divisor_name: str, notes: _Notes
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


def _positive(price: Decimal) -> Decimal | None:
    return price if price > 0 else None
