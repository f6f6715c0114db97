"""Filling an order against the book, by price and then time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ZERO
from ledger.events.trading import OrderCancelled
from replay.venue.book import Order, crosses, opposite
from replay.venue.fills import Party, Trade
from replay.venue.order_margin import can_bear_reduction, claim_at, claims_of, order_room, reduces

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from replay.state.records import Account
    from replay.venue.commands import Side
    from replay.venue.risk import RiskView
    from replay.venue.venue import Venue


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes what from the book; ``limit`` None takes any price."""

    party: Party
    instrument: str
    side: Side
    quantity: Decimal
    limit: Decimal | None


@dataclass(frozen=True, slots=True)
class Match:
    """A trade against a resting order."""

    maker: Order
    trade: Trade


@dataclass(frozen=True, slots=True)
class Removal:
    """A resting order that cannot stand when it is met."""

    order: Order
    reason: str


def match(view: RiskView, taker: Taker, causation: UUID | None) -> list[Match | Removal]:
    """Fill an order as far as the book and its limit go; return what happened, in order.

    A maker that could no longer bear its orders is taken out rather than filled, and nobody
    trades with himself.
    """
    venue = view.venue
    happened: list[Match | Removal] = []
    book = venue.books.get(taker.instrument)
    left = taker.quantity
    while book is not None and left:
        maker = book.best(opposite(taker.side))
        if maker is None or not crosses(taker.side, taker.limit, maker.price):
            break
        step = _meet(view, taker, maker, left)
        carry_out(view, step, causation)
        happened.append(step)
        if isinstance(step, Match):
            left -= step.trade.quantity
    return happened


def carry_out(
    view: RiskView, step: Match | Removal, causation: UUID | None, correlation: str | None = None
) -> None:
    """Record one step of a match and change the book accordingly."""
    if isinstance(step, Removal):
        cancel(view.venue, step.order, step.reason, causation, correlation)
        return
    view.venue.fill_resting(step.maker, step.trade.quantity)
    step.trade.record(view, causation)


def cancel(
    venue: Venue,
    order: Order,
    reason: str | None,
    causation: UUID | None = None,
    correlation: str | None = None,
) -> None:
    """Take a resting order out of the book."""
    venue.unrest(order)
    venue.journal.decide(
        OrderCancelled(
            order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            quantity=order.quantity,
            price=order.price,
            reason=reason,
        ),
        causation=causation,
        correlation=correlation,
    )


def _meet(view: RiskView, taker: Taker, maker: Order, left: Decimal) -> Match | Removal:
    if maker.account == taker.party.account:
        return Removal(maker, "self-trade prevention")
    if not _can_fill(view, maker):
        return Removal(maker, "insufficient margin")
    schedule = view.venue.fee_schedule(taker.instrument)
    rate = ZERO if schedule is None else schedule.maker_rate
    trade = Trade(
        view.venue.next_trade_id(),
        taker.instrument,
        taker.side,
        min(left, maker.quantity),
        maker.price,
        taker.party,
        Party(maker.account, "trade", rate, "maker", maker.order_id),
    )
    return Match(maker, trade)


def _can_fill(view: RiskView, maker: Order) -> bool:
    account = view.venue.account(maker.account)
    if _is_to_be_liquidated(view, account, maker.instrument):
        return False
    claims = claims_of(view, view.venue.orders_of(maker.account))
    own = claim_at(view, maker.instrument, maker.side, [(maker.price, maker.quantity)])
    if claims is None or own is None:
        return False
    room = order_room(view, account, claims)
    if room is not None and room.after_margin >= 0:
        return True
    return reduces(account, own) and can_bear_reduction(view, account, own)


def _is_to_be_liquidated(view: RiskView, account: Account, instrument: str) -> bool:
    """Tell whether what a fill would change is in breach: it is liquidated in its turn, not healed before."""
    isolated = instrument if account.margin_mode(instrument) == "isolated" else ""
    return any(
        view.policy.breached(standing.value, standing.maintenance_margin)
        for standing in view.standings(account)
        if standing.pot[1] == isolated
    )
