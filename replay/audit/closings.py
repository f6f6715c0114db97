"""The trades that carry liquidations out, seen once for all checks that ask about prices and parties."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from ledger.amounts import exact
from replay.audit.bankruptcy import bankruptcy_price_at, position_at, tick_of

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.liquidations import LiquidationExecuted
    from ledger.events.trading import FillRecorded, TradeExecuted
    from replay.audit.precision import PrintedPrecision
    from replay.audit.recorder import Decision, LiquidationRecorder
    from replay.state.records import PositionKey
    from replay.state.venue_state import VenueState

_PURPOSES = frozenset({"liquidation", "adl"})

Counterparty = Literal["fund", "other", "unknown"]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a trade.

    Attributes:
        key: the position that it moves.
        quantity: signed contracts, bought positive.
    """

    key: PositionKey
    quantity: Decimal
    price: Decimal
    trade_id: str | None


@dataclass(frozen=True, slots=True)
class Closing:
    """A trade by which a liquidated account closed (part of) a position.

    Attributes:
        decision: of the liquidation.
        sequence: the account's fill.
        trade: the account's side.
        counterparty: who stands on the other side, as far as the ledger says so.
        long: whether a long was held at the decision; None where nothing was.
        mark: at the decision; None without one.
        bankruptcy_price: None where it cannot be known.
        tick: of the instrument, or the unit in which its prices are printed.
    """

    decision: Decision
    sequence: int
    trade: Side
    counterparty: Counterparty
    long: bool | None
    mark: Decimal | None
    bankruptcy_price: Decimal | None
    tick: Decimal


@dataclass(frozen=True, slots=True)
class FundTakeover:
    """The insurance fund's side of a trade in a liquidation.

    Attributes:
        sequence: the fund's fill.
        place: of that fill in the fold.
    """

    decision: Decision
    sequence: int
    place: int
    fund: str
    trade: Side


class ClosingLog:
    """Collects closings and takeovers by the fund; memory grows with their number alone.

    A fill of purpose ``trade`` is nobody's takeover: an order of the fund that rests in the book and
    is met there is an order like any other.
    """

    def __init__(self, liquidations: LiquidationRecorder, precision: PrintedPrecision) -> None:
        self._liquidations = liquidations
        self._precision = precision
        self._closings: dict[str, list[Closing]] = {}
        self._takeovers: dict[str, list[FundTakeover]] = {}
        # (liquidation, trade id), and (liquidation, instrument) of takeovers that list no trades.
        self._fund_trades: set[tuple[str, str | None]] = set()
        self._other_trades: set[tuple[str, str | None]] = set()
        self._fund_named: set[tuple[str, str]] = set()

    def liquidations(self) -> list[str]:
        """Return the liquidations that were closed by anybody."""
        return list(dict.fromkeys((*self._closings, *self._takeovers)))

    def closings(self, liquidation: str) -> list[Closing]:
        """Return a liquidation's closings with their counterparties, as far as they are known by now."""
        found = self._closings.get(liquidation, [])
        return [replace(each, counterparty=self._counterparty(each)) for each in found]

    def takeovers(self, liquidation: str) -> list[FundTakeover]:
        """Return what the insurance fund has taken over in a liquidation by now."""
        return self._takeovers.get(liquidation, [])

    def _counterparty(self, closing: Closing) -> Counterparty:
        liquidation = closing.decision.liquidation
        if (liquidation, closing.trade.trade_id) in self._fund_trades:
            return "fund"
        if (liquidation, closing.trade.trade_id) in self._other_trades:
            return "other"
        if (liquidation, closing.trade.key[0]) in self._fund_named:
            return "fund"
        return closing.counterparty

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it meets, after the recorder of liquidations has."""
        match event.type:
            case "FillRecorded":
                fill = cast("FillRecorded", event.data)
                if fill.purpose in _PURPOSES:
                    self._fill(state, event, fill)
            case "TradeExecuted":
                self._trade(state, event, self._liquidations.place)
            case "LiquidationExecuted":
                self._executed(state, cast("LiquidationExecuted", event.data))
                for each in self._liquidations.listed_trades:
                    self._trade(state, each.event, each.place)
            case _:
                pass

    def _executed(self, state: VenueState, data: LiquidationExecuted) -> None:
        for takeover in data.takeovers:
            if takeover.counterparty_account is None or not _is_fund(state, takeover.counterparty_account):
                continue
            self._fund_trades.update((data.liquidation, trade_id) for trade_id in takeover.trade_ids)
            if not takeover.trade_ids:
                self._fund_named.add((data.liquidation, takeover.instrument))

    def _fill(self, state: VenueState, event: Event, fill: FillRecorded) -> None:
        decision = self._liquidations.decision(fill.liquidation, fill.trade_id)
        if decision is None:
            return
        quantity = fill.quantity if fill.side == "buy" else -fill.quantity
        side = Side((fill.instrument, fill.position_side or "both"), quantity, fill.price, fill.trade_id)
        if fill.account == decision.account:
            system = None if event.source is None else event.source.system
            complete = system is not None and state.sources.get(system) == "complete"
            self._close(state, event, decision, side, "other" if complete else "unknown")
            return
        fund = _is_fund(state, fill.account)
        if fill.trade_id is not None:
            trades = self._fund_trades if fund else self._other_trades
            trades.add((decision.liquidation, fill.trade_id))
        if fund:
            place = self._liquidations.place
            self._take_over(FundTakeover(decision, event.sequence, place, fill.account, side))

    def _trade(self, state: VenueState, event: Event, place: int) -> None:
        """Look at a trade, as soon as a LiquidationExecuted lists it."""
        trade = cast("TradeExecuted", event.data)
        decision = self._liquidations.decision(None, trade.trade_id)
        if decision is None or trade.buyer == trade.seller:
            return
        sides = ((trade.buyer, trade.seller, trade.quantity), (trade.seller, trade.buyer, -trade.quantity))
        for account, other, quantity in sides:
            if account != decision.account:
                continue
            side = Side((trade.instrument, "both"), quantity, trade.price, trade.trade_id)
            fund = _is_fund(state, other)
            self._close(state, event, decision, side, "fund" if fund else "other")
            if fund:
                other_side = replace(side, quantity=-quantity)
                self._take_over(FundTakeover(decision, event.sequence, place, other, other_side))

    def _take_over(self, takeover: FundTakeover) -> None:
        self._takeovers.setdefault(takeover.decision.liquidation, []).append(takeover)

    def _close(
        self, state: VenueState, event: Event, decision: Decision, side: Side, counterparty: Counterparty
    ) -> None:
        instrument = state.instruments.get(side.key[0])
        if instrument is None:
            return
        position = position_at(decision.judgement, side.key)
        tick = tick_of(side.price, instrument, event, self._precision)
        self._closings.setdefault(decision.liquidation, []).append(
            Closing(
                decision=decision,
                sequence=event.sequence,
                trade=side,
                counterparty=counterparty,
                long=None if position is None else position.quantity > 0,
                mark=None if position is None else position.mark_price,
                bankruptcy_price=bankruptcy_price_at(decision.judgement, side.key, instrument, tick),
                tick=tick,
            )
        )


def _is_fund(state: VenueState, name: str) -> bool:
    account = state.accounts.get(name)
    return account is not None and account.profile.kind == "insurance_fund"
