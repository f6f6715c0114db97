"""Liquidations as they pass through the fold: the state that each met, and the fills that followed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact
from replay.audit.judgement import Judgement, judge, units_judged
from replay.margin import Market, evaluate_account
from replay.state.records import Account
from replay.state.schedules import in_force, with_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.liquidations import LiquidationExecuted, LiquidationStarted
    from ledger.events.policies import RiskPolicySet
    from ledger.events.trading import FillRecorded, TradeExecuted
    from replay.audit.breaches import BreachTracker
    from replay.audit.precision import PrintedPrecision
    from replay.margin import AccountMargin
    from replay.state.records import Instrument, PositionKey
    from replay.state.venue_state import VenueState


@dataclass(slots=True)
class FillSum:
    """The fills that closed one position in a liquidation.

    Attributes:
        quantity: signed contracts, bought positive.
        value: Σ quantity × contract_size × price, signed, in the settlement asset.
        uncertainty: by how much |value| may be off because prices are printed to so many places.
        quantity_at: unsigned contracts of fills that are no auto-deleveraging, by price.
        deleveraged: unsigned contracts of auto-deleveraging fills.
        units: in what unit a price may be off, by price.
    """

    quantity: Decimal = ZERO
    value: Decimal = ZERO
    uncertainty: Decimal = ZERO
    quantity_at: dict[Decimal, Decimal] = field(default_factory=dict)
    deleveraged: Decimal = ZERO
    units: dict[Decimal, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class LiquidationCase:
    """A LiquidationExecuted with what it met; fills are added as they come.

    Attributes:
        account: the liquidated account just before.
        instruments: what it held or was taken over, where listed.
        margin: the account's figures just before, None where no event had named it.
        market_rates: settlement asset → valuation currency just before; None without a price.
        cross_wallet: the account's cross wallet in the valuation currency just before; None without a price.
        shared_by_notional: whether the policy in force shares account value by notional.
        judgement: what the rebuilt state says about the decision.
        partial_allowed: whether the risk policy in force has a partial step.
        fills: by position; only those of the liquidated account.
        fill_sequences: the events that hold them.
    """

    event: Event
    data: LiquidationExecuted
    account: Account
    instruments: Mapping[str, Instrument]
    margin: AccountMargin | None
    market_rates: Mapping[str, Decimal | None]
    cross_wallet: Decimal | None
    shared_by_notional: bool
    judgement: Judgement
    partial_allowed: bool
    fills: dict[PositionKey, FillSum] = field(default_factory=dict)
    fill_sequences: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _PartialSteps:
    """Whether a recorded risk policy liquidates step by step."""

    sequence: int
    effective_at: datetime
    partial: bool


@dataclass(frozen=True, slots=True)
class StrayFill:
    """A liquidation fill that no recorded liquidation calls for."""

    sequence: int
    account: str
    instrument: str
    liquidation: str | None


class LiquidationRecorder:
    """Collects a case for every LiquidationExecuted; memory grows with their number alone.

    Where a LiquidationStarted of the same id and account came first, it is the decision and is
    judged by the state that it met; else the LiquidationExecuted is.
    """

    def __init__(self, breaches: BreachTracker, precision: PrintedPrecision) -> None:
        self.cases: list[LiquidationCase] = []
        self.stray_fills: list[StrayFill] = []
        self._breaches = breaches
        self._precision = precision
        self._decisions: dict[tuple[str, str], Judgement] = {}
        self._latest: dict[str, LiquidationCase] = {}
        self._by_trade: dict[str, LiquidationCase] = {}
        self._policies: tuple[_PartialSteps, ...] = ()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it meets."""
        match event.type:
            case "LiquidationStarted":
                self._started(state, event, cast("LiquidationStarted", event.data))
            case "LiquidationExecuted":
                self._executed(state, event, cast("LiquidationExecuted", event.data))
            case "FillRecorded":
                self._fill(state, event, cast("FillRecorded", event.data))
            case "TradeExecuted":
                self._trade(state, event, cast("TradeExecuted", event.data))
            case "RiskPolicySet":
                policy = cast("RiskPolicySet", event.data)
                version = _PartialSteps(
                    event.sequence, policy.effective_at, policy.partial_fraction is not None
                )
                self._policies = with_version(self._policies, version)
            case _:
                pass

    def _started(self, state: VenueState, event: Event, data: LiquidationStarted) -> None:
        account = state.accounts.get(data.account, Account(data.account))
        keys: list[PositionKey] = []
        if data.instrument is not None:
            keys = [
                key
                for key in account.positions
                if key[0] == data.instrument and data.position_side in (None, key[1])
            ] or [(data.instrument, data.position_side or "both")]
        units = units_judged(account, data.scope, keys)
        self._decisions[data.liquidation, data.account] = judge(state, self._breaches, event, account, units)
        self._breaches.answer(units)

    def _executed(self, state: VenueState, event: Event, data: LiquidationExecuted) -> None:
        account = state.accounts.get(data.account, Account(data.account))
        keys = list(dict.fromkeys((each.instrument, each.position_side or "both") for each in data.takeovers))
        units = units_judged(account, data.scope, keys)
        judgement = self._decisions.pop((data.liquidation, data.account), None)
        if judgement is None:
            judgement = judge(state, self._breaches, event, account, units, leverage_type=data.leverage_type)
        self._breaches.answer(units)
        market = Market.of(state)
        names = {key[0] for key in (*account.positions, *keys)}
        instruments = {name: state.instruments[name] for name in names if name in state.instruments}
        assets = {instrument.settlement_asset for instrument in instruments.values()}
        known = data.account in state.accounts
        case = LiquidationCase(
            event=event,
            data=data,
            account=account,
            instruments=instruments,
            margin=evaluate_account(account, market, with_prices=False) if known else None,
            market_rates={asset: market.rate(asset) for asset in assets},
            cross_wallet=_cross_wallet(account, market),
            shared_by_notional=market.policy.bankruptcy_allocation == "notional",
            judgement=judgement,
            partial_allowed=self._partial_allowed(state, event),
        )
        self.cases.append(case)
        self._latest[data.liquidation] = case
        for takeover in data.takeovers:
            self._by_trade.update(dict.fromkeys(takeover.trade_ids, case))

    def _partial_allowed(self, state: VenueState, event: Event) -> bool:
        moment = max(state.occurred_at, event.occurred_at)
        policy = in_force(self._policies, moment)
        return policy is not None and policy.partial

    def _fill(self, state: VenueState, event: Event, fill: FillRecorded) -> None:
        case = None if fill.liquidation is None else self._latest.get(fill.liquidation)
        if case is None and fill.liquidation is None and fill.trade_id is not None:
            case = self._by_trade.get(fill.trade_id)
        if case is None:
            if fill.purpose == "liquidation":
                stray = StrayFill(event.sequence, fill.account, fill.instrument, fill.liquidation)
                self.stray_fills.append(stray)
            return
        if fill.account == case.data.account:
            quantity = fill.quantity if fill.side == "buy" else -fill.quantity
            key: PositionKey = (fill.instrument, fill.position_side or "both")
            self._add(state, event, case, key, quantity, fill.price, deleveraged=fill.purpose == "adl")

    def _trade(self, state: VenueState, event: Event, trade: TradeExecuted) -> None:
        case = self._by_trade.get(trade.trade_id)
        if case is None or trade.buyer == trade.seller:
            return
        for account, quantity in ((trade.buyer, trade.quantity), (trade.seller, -trade.quantity)):
            if account == case.data.account:
                self._add(
                    state, event, case, (trade.instrument, "both"), quantity, trade.price, deleveraged=False
                )

    def _add(
        self,
        state: VenueState,
        event: Event,
        case: LiquidationCase,
        key: PositionKey,
        quantity: Decimal,
        price: Decimal,
        *,
        deleveraged: bool,
    ) -> None:
        case.fill_sequences.append(event.sequence)
        total = case.fills.setdefault(key, FillSum())
        total.quantity += quantity
        if deleveraged:
            total.deleveraged += abs(quantity)
        else:
            total.quantity_at[price] = total.quantity_at.get(price, ZERO) + abs(quantity)
        instrument = state.instruments.get(key[0])
        if instrument is not None:
            unit = self._precision.unit(price, instrument, event)
            total.value += quantity * instrument.contract_size * price
            total.uncertainty += abs(quantity) * instrument.contract_size * unit
            total.units[price] = unit


def _cross_wallet(account: Account, market: Market) -> Decimal | None:
    """Return the cross wallet in the valuation currency, without haircuts."""
    total = ZERO
    for asset, amount in account.balances.items():
        rate = market.rate(asset) if amount else ZERO
        if rate is None:
            return None
        total += amount * rate
    return total
