"""Placing and cancelling orders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger.amounts import ZERO, format_exact, round_to
from ledger.amounts import Rounding as Round
from ledger.events.trading import OrderAccepted, OrderCancelled, OrderRejected
from replay.venue.book import Order, crosses, opposite
from replay.venue.commands import Refusal
from replay.venue.fills import Party
from replay.venue.matching import Match, Taker, cancel, match
from replay.venue.order_margin import (
    can_bear_reduction,
    claim_at,
    claims_of,
    expected_fills,
    order_room,
    reduces,
)

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from replay.venue.commands import CancelOrder, PlaceOrder
    from replay.venue.risk import RiskView
    from replay.venue.venue import Venue


def place_order(view: RiskView, command: PlaceOrder) -> Refusal | None:
    """Accept an order and fill it as far as it goes, or reject it."""
    venue = view.venue
    if command.order_id in venue.order_ids:
        return Refusal("order_id_used", f"an order {command.order_id} was accepted before")
    refusal = _form(view, command) or _margin(view, command)
    terms: dict[str, Any] = {
        "order_id": command.order_id,
        "account": command.account,
        "instrument": command.instrument,
        "side": command.side,
        "price": command.price,
    }
    if refusal is not None:
        reason = f"{refusal.code}: {refusal.message}"
        venue.journal.record(OrderRejected(**terms, quantity=command.quantity, reason=reason))
        return refusal
    venue.order_ids.add(command.order_id)
    accepted = venue.journal.record(OrderAccepted(**terms, quantity=command.quantity))
    left = command.quantity - _fill(view, command, accepted)
    if not left:
        return None
    if command.price is None or command.reduce_only:
        reason = "nothing left in the book within the order's price"
        venue.journal.decide(OrderCancelled(**terms, quantity=left, reason=reason))
        return None
    venue.rest(
        Order(
            command.order_id,
            command.account,
            command.instrument,
            command.side,
            left,
            command.price,
            venue.next_priority(),
        )
    )
    return None


def cancel_order(venue: Venue, command: CancelOrder) -> Refusal | None:
    """Take a resting order out of the book."""
    order = venue.find_order(command.order_id)
    if order is None:
        return Refusal("order_not_open", f"no order {command.order_id} is open")
    cancel(venue, order, command.reason)
    return None


def _fill(view: RiskView, command: PlaceOrder, accepted: UUID) -> Decimal:
    schedule = view.venue.fee_schedule(command.instrument)
    rate = ZERO if schedule is None else schedule.taker_rate
    party = Party(command.account, "trade", rate, "taker", command.order_id)
    taker = Taker(party, command.instrument, command.side, command.quantity, command.price)
    steps = match(view, taker, accepted)
    return sum((step.trade.quantity for step in steps if isinstance(step, Match)), ZERO)


def _form(view: RiskView, command: PlaceOrder) -> Refusal | None:
    """Return what is wrong with an order apart from its margin."""
    venue = view.venue
    account = venue.state.accounts.get(command.account)
    if account is None or not account.profile.opened or account.profile.closed:
        return Refusal("account_not_open", f"account {command.account} is not open")
    instrument = venue.state.instruments.get(command.instrument)
    if instrument is None:
        return Refusal("instrument_not_listed", f"{command.instrument} is not listed")
    if round_to(command.quantity, venue.configuration.quantity_scale, Round.DOWN) != command.quantity:
        message = f"quantity {format_exact(command.quantity)} is finer than contracts are traded"
        return Refusal("quantity_too_fine", message)
    price, tick = command.price, instrument.tick_size
    if price is not None and (price <= 0 or (tick is not None and price % tick)):
        return Refusal("price_off_tick", f"price {format_exact(price)} is not a multiple of the tick size")
    best = None
    if command.instrument in venue.books:
        best = venue.books[command.instrument].best(opposite(command.side))
    if command.post_only and (
        price is None or (best is not None and crosses(command.side, price, best.price))
    ):
        return Refusal("would_take", "a post-only order would fill at once")
    if view.rate is None or view.mark_price(command.instrument) is None or not view.tiers(command.instrument):
        message = f"{command.instrument} has no usable mark price, margin schedule or conversion price"
        return Refusal("margin_undetermined", message)
    return None


def _margin(view: RiskView, command: PlaceOrder) -> Refusal | None:
    """Return why the account cannot bear an order, or None where it can."""
    venue = view.venue
    account = venue.account(command.account)
    fills = [(command.price, command.quantity)] if command.price is not None else []
    if command.price is None or command.reduce_only:
        fills = expected_fills(view, command.instrument, command.side, command.quantity, command.price)
    claim = claim_at(view, command.instrument, command.side, fills)
    resting = venue.orders_of(command.account)
    claims = claims_of(view, resting)
    if claim is None or claims is None:
        return Refusal("margin_undetermined", "an instrument with open orders has no usable mark price")
    claim = replace(claim, quantity=command.quantity if command.side == "buy" else -command.quantity)
    same_side = sum(
        (
            each.quantity
            for each in resting
            if (each.instrument, each.side) == (command.instrument, command.side)
        ),
        ZERO,
    )
    is_fund = command.account == venue.configuration.insurance_fund
    if reduces(account, claim, same_side):
        # The fund gets rid of what it took over even when that is at a loss beyond what it has.
        if is_fund or can_bear_reduction(view, account, claim):
            return None
        if command.reduce_only:
            return Refusal("insufficient_margin", "closing at this price leaves less than nothing")
    elif is_fund or command.reduce_only:
        return Refusal("would_not_reduce", "the order would not only make a position smaller")
    room = order_room(view, account, [*claims, claim])
    if room is None:
        return Refusal("margin_undetermined", "the account's margin is undetermined")
    if room.after_margin < 0:
        lacking = format_exact(round_to(-room.after_margin, venue.settlement_scale(), Round.UP))
        return Refusal(
            "insufficient_margin", f"{lacking} {venue.configuration.valuation_currency} are lacking"
        )
    return None
