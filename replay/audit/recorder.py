"""Liquidations as they pass through the fold: the state that each met, and the fills that followed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, exact
from replay.audit.fills import CaseFill, CaseFills
from replay.audit.judgement import Judgement, judge, units_judged
from replay.audit.terms import moment_of
from replay.margin import Market, evaluate_account
from replay.state.records import Account
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.events.envelope import Event
    from ledger.events.liquidations import LiquidationExecuted, LiquidationStarted
    from ledger.events.trading import FillRecorded, TradeExecuted
    from replay.audit.breaches import BreachLog
    from replay.audit.precision import PrintedPrecision
    from replay.margin import AccountMargin
    from replay.state.records import Instrument, PositionKey
    from replay.state.venue_state import VenueState


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a liquidation met, just before its first event that moves anything.

    Attributes:
        account: the liquidated account.
        instruments: what it held, where listed.
        marks: mark price by instrument held.
        margin: the account's figures; None where no event had named it.
        rates: settlement asset → valuation currency; None without a price.
        cross_wallet: the account's cross wallet in the valuation currency; None without a price.
        amount_unit: one unit at the scale of the valuation currency, where that is listed.
        shared_by_notional: whether the policy in force shares account value by notional.
    """

    account: Account
    instruments: Mapping[str, Instrument]
    marks: Mapping[str, Decimal]
    margin: AccountMargin | None
    rates: Mapping[str, Decimal | None]
    cross_wallet: Decimal | None
    amount_unit: Decimal | None
    shared_by_notional: bool


@dataclass(slots=True)
class LiquidationCase:
    """A LiquidationExecuted with what it met; fills are added as they come.

    Attributes:
        place: of the event in the fold.
        before: what the liquidation met.
        judgement: what the rebuilt state says about the decision.
        partial_allowed: whether the risk policy in force has a partial step.
        fills: of the liquidated account.
    """

    event: Event
    place: int
    data: LiquidationExecuted
    before: Circumstances
    judgement: Judgement
    partial_allowed: bool
    fills: CaseFills


@dataclass(frozen=True, slots=True)
class EarlierTrade:
    """A trade of an account whose liquidation has begun; the LiquidationExecuted may yet list it.

    Attributes:
        event: the TradeExecuted.
        place: of that event in the fold.
        fill: the account's side.
        before: what the account met it with; None where a fill that names the liquidation came first.
    """

    trade_id: str
    event: Event
    place: int
    fill: CaseFill
    before: Circumstances | None


@dataclass(slots=True)
class BegunLiquidation:
    """A LiquidationStarted whose LiquidationExecuted has not come yet.

    Attributes:
        before: what its first fill met, where fills came before the LiquidationExecuted.
        trades: of the account since.
    """

    account: str
    judgement: Judgement
    before: Circumstances | None = None
    fills: CaseFills = field(default_factory=CaseFills)
    trades: list[EarlierTrade] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision to liquidate: a LiquidationStarted, or a LiquidationExecuted that none came before.

    Attributes:
        account: whom the liquidation is of.
        judgement: what rebuilt state says about it.
    """

    liquidation: str
    account: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class StrayFill:
    """A liquidation fill that no recorded liquidation calls for."""

    sequence: int
    account: str
    instrument: str
    liquidation: str | None


class LiquidationRecorder:
    """Collects a case for every LiquidationExecuted; memory grows with their number.

    It also grows with the trades of accounts between LiquidationStarted and LiquidationExecuted,
    since a TradeExecuted does not say that it is part of a liquidation.

    Where a LiquidationStarted of the same id and account came first, it is the decision and is
    judged by the state that it met; else the LiquidationExecuted is. Fills follow the
    LiquidationExecuted, or stand between it and its LiquidationStarted; either way the case is
    what the first of these events met.

    Attributes:
        cases: every LiquidationExecuted so far.
        decisions: every decision so far.
        stray_fills: liquidation fills that no recorded liquidation called for.
        begun: what a LiquidationExecuted has yet to come of, by liquidation.
        listed_trades: those trades before the last LiquidationExecuted that it lists; to be asked before
            the fold goes on to the next event.
    """

    def __init__(self, breaches: BreachLog, precision: PrintedPrecision) -> None:
        self.cases: list[LiquidationCase] = []
        self.decisions: list[Decision] = []
        self.stray_fills: list[StrayFill] = []
        self.begun: dict[str, BegunLiquidation] = {}
        self.listed_trades: list[EarlierTrade] = []
        self._begun_of: dict[str, dict[str, BegunLiquidation]] = {}
        self._breaches = breaches
        self._precision = precision
        self._latest: dict[str, LiquidationCase] = {}
        self._by_trade: dict[str, LiquidationCase] = {}

    @property
    def place(self) -> int:
        """How many events the fold has met: where the one that it meets now stands."""
        return self._breaches.place

    def decision(self, liquidation: str | None, trade_id: str | None = None) -> Decision | None:
        """Return the decision behind a liquidation that was recorded so far.

        Args:
            liquidation: its id, where something names one.
            trade_id: else, of a trade that a LiquidationExecuted lists.
        """
        begun = None if liquidation is None else self.begun.get(liquidation)
        if liquidation is not None and begun is not None:
            return Decision(liquidation, begun.account, begun.judgement)
        case = None if liquidation is None else self._latest.get(liquidation)
        if liquidation is None and trade_id is not None:
            case = self._by_trade.get(trade_id)
        if case is None:
            return None
        return Decision(case.data.liquidation, case.data.account, case.judgement)

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
            case _:
                pass

    def judgement_of(self, event: Event) -> Judgement | None:
        """Return the judgement of an event that is a decision to liquidate; None where it is none.

        To be asked before the fold goes on to the next event.
        """
        judgement = self.decisions[-1].judgement if self.decisions else None
        return judgement if judgement is not None and judgement.sequence == event.sequence else None

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
        judgement = judge(state, self._breaches, event, account, units)
        self._end(data.liquidation)
        begun = BegunLiquidation(data.account, judgement)
        self.begun[data.liquidation] = begun
        self._begun_of.setdefault(data.account, {})[data.liquidation] = begun
        self.decisions.append(Decision(data.liquidation, data.account, judgement))
        self._breaches.answer(units)

    def _end(self, liquidation: str) -> None:
        """Forget a liquidation that had begun."""
        begun = self.begun.pop(liquidation, None)
        if begun is not None:
            others = self._begun_of[begun.account]
            del others[liquidation]
            if not others:
                del self._begun_of[begun.account]

    def _executed(self, state: VenueState, event: Event, data: LiquidationExecuted) -> None:
        before = circumstances(state, data.account)
        keys = list(dict.fromkeys((each.instrument, each.position_side or "both") for each in data.takeovers))
        units = units_judged(before.account, data.scope, keys)
        begun = self.begun.get(data.liquidation)
        self.listed_trades = []
        if begun is not None and begun.account == data.account:
            self._end(data.liquidation)
            judgement, fills = begun.judgement, begun.fills
            listed = {name for takeover in data.takeovers for name in takeover.trade_ids}
            self.listed_trades = [each for each in begun.trades if each.trade_id in listed]
            before = begun.before or before
            for each in reversed(self.listed_trades):
                before = each.before or before
            for each in self.listed_trades:
                fills.add(each.fill)
        else:
            fills = CaseFills()
            judgement = judge(
                state, self._breaches, event, before.account, units, leverage_type=data.leverage_type
            )
            self.decisions.append(Decision(data.liquidation, data.account, judgement))
        self._breaches.answer(units)
        moment = moment_of(state, event)
        policy = in_force(state.risk_policies, moment)
        partial = policy is not None and (policy.partial_fraction or ONE) < 1
        case = LiquidationCase(event, self.place, data, before, judgement, partial, fills)
        self.cases.append(case)
        self._latest[data.liquidation] = case
        for takeover in data.takeovers:
            self._by_trade.update(dict.fromkeys(takeover.trade_ids, case))

    def _fill(self, state: VenueState, event: Event, fill: FillRecorded) -> None:
        fills: CaseFills | None = None
        account: str | None = None
        begun = None if fill.liquidation is None else self.begun.get(fill.liquidation)
        if begun is not None:
            account, fills = begun.account, begun.fills
            if begun.before is None and fill.account == account:
                begun.before = circumstances(state, account)
        else:
            case = None if fill.liquidation is None else self._latest.get(fill.liquidation)
            if case is None and fill.liquidation is None and fill.trade_id is not None:
                case = self._by_trade.get(fill.trade_id)
            if case is not None:
                account, fills = case.data.account, case.fills
        if fills is None:
            if fill.purpose == "liquidation":
                stray = StrayFill(event.sequence, fill.account, fill.instrument, fill.liquidation)
                self.stray_fills.append(stray)
        elif fill.account == account:
            fills.add(
                CaseFill.of(
                    state,
                    event,
                    self._precision,
                    key=(fill.instrument, fill.position_side or "both"),
                    quantity=fill.quantity if fill.side == "buy" else -fill.quantity,
                    price=fill.price,
                    fee=(fill.fee, fill.fee_asset),
                    deleveraged=fill.purpose == "adl",
                )
            )

    def _trade(self, state: VenueState, event: Event, trade: TradeExecuted) -> None:
        if trade.buyer == trade.seller:
            return
        case = self._by_trade.get(trade.trade_id)
        sides = (
            (trade.buyer, trade.quantity, trade.buyer_fee),
            (trade.seller, -trade.quantity, trade.seller_fee),
        )
        for account, quantity, fee in sides:
            begun = self._begun_of.get(account, {}).values() if case is None else ()
            if not begun and (case is None or case.data.account != account):
                continue
            fill = CaseFill.of(
                state,
                event,
                self._precision,
                key=(trade.instrument, "both"),
                quantity=quantity,
                price=trade.price,
                fee=(fee, trade.fee_asset),
            )
            if case is not None:
                case.fills.add(fill)
            for each in begun:
                before = circumstances(state, account) if each.before is None else None
                each.trades.append(EarlierTrade(trade.trade_id, event, self.place, fill, before))


def circumstances(state: VenueState, name: str) -> Circumstances:
    """Return what a liquidation of an account meets now; called inside ``exact()``."""
    account = state.accounts.get(name, Account(name))
    market = Market.of(state)
    held = {key[0] for key in account.positions}
    instruments = {each: state.instruments[each] for each in held if each in state.instruments}
    scale = state.assets.get(state.valuation_currency)
    assets = {instrument.settlement_asset for instrument in instruments.values()}
    return Circumstances(
        account=account,
        instruments=instruments,
        marks={each: state.mark_prices[each].price for each in held if each in state.mark_prices},
        margin=evaluate_account(account, market, with_prices=False) if name in state.accounts else None,
        rates={asset: market.rate(asset) for asset in assets},
        cross_wallet=_cross_wallet(account, market),
        # No amount has more places than this, whatever scale is listed.
        amount_unit=None if scale is None else Decimal(1).scaleb(-min(int(scale), MAXIMUM_SCALE)),
        shared_by_notional=market.policy.bankruptcy_allocation == "notional",
    )


def _cross_wallet(account: Account, market: Market) -> Decimal | None:
    """Return the cross wallet in the valuation currency, without haircuts."""
    total = ZERO
    for asset, amount in account.balances.items():
        rate = market.rate(asset) if amount else ZERO
        if rate is None:
            return None
        total += amount * rate
    return total
