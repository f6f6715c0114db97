"""Open orders: what is accepted and not yet filled or cancelled claims initial margin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replay.projection.booking import Booking
from replay.state.records import OpenOrder

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.trading import OrderAccepted, OrderCancelled
    from replay.state.venue_state import VenueState


def order_accepted(state: VenueState, event: Event, data: OrderAccepted) -> None:
    """Open an order; one that is accepted again under the same id is an amendment and replaces it."""
    booking = Booking(state, data.account)
    open_order(state, booking, data)
    booking.commit(event.sequence)


def order_cancelled(state: VenueState, event: Event, data: OrderCancelled) -> None:
    """Close whatever is left of an order."""
    booking = Booking(state, data.account)
    close_order(state, booking, data.order_id)
    booking.commit(event.sequence)


def open_order(state: VenueState, booking: Booking, data: OrderAccepted | OrderCancelled) -> None:
    """Count an order among the open ones, in place of one with the same id."""
    close_order(state, booking, data.order_id)
    order = OpenOrder(
        data.order_id,
        data.account,
        data.instrument,
        data.side,
        data.quantity,
        data.position_side or "both",
        bool(data.reduce_only),
    )
    state.orders[data.account, data.order_id] = order
    _claim(booking, order, order.quantity)


def close_order(state: VenueState, booking: Booking, order_id: str) -> None:
    """Count an order as open no more; one that is not open leaves everything as it is."""
    order = state.orders.pop((booking.name, order_id), None)
    if order is not None:
        _claim(booking, order, -order.quantity)


def close_orders_in(state: VenueState, instrument: str, sequence: int) -> None:
    """Count every order in an instrument as open no more: there is nothing left to trade."""
    for account, order_id in sorted(
        key for key, order in state.orders.items() if order.instrument == instrument
    ):
        booking = Booking(state, account)
        close_order(state, booking, order_id)
        booking.commit(sequence)


def order_corrected(
    state: VenueState, event: Event, standing: OrderAccepted | None, replacement: OrderAccepted | None
) -> None:
    """Put a corrected acceptance in effect: what was filled or cancelled since stays filled or cancelled.

    Args:
        state: the state, changed in place.
        event: the correction.
        standing: what was in effect before; None if it was void.
        replacement: what is in effect from now on; None if it is void.
    """
    data = replacement or standing
    if data is None:
        return
    booking = Booking(state, data.account)
    if standing is None:
        open_order(state, booking, data)
    else:
        order = state.orders.get((standing.account, standing.order_id))
        owner = booking if standing.account == data.account else Booking(state, standing.account)
        close_order(state, owner, standing.order_id)
        if owner is not booking:
            owner.commit(event.sequence)
        left = None if order is None or replacement is None else order.quantity - standing.quantity
        if left is not None and replacement is not None and replacement.quantity + left > 0:
            quantity = replacement.quantity + left
            open_order(state, booking, replacement.model_copy(update={"quantity": quantity}))
    booking.commit(event.sequence)


def fill_order(state: VenueState, booking: Booking, order_id: str, quantity: Decimal) -> None:
    """Take a fill off an open order; one that is filled is open no more."""
    order = state.orders.get((booking.name, order_id))
    if order is None:
        return
    if quantity >= order.quantity:
        close_order(state, booking, order_id)
        return
    state.orders[booking.name, order_id] = replace(order, quantity=order.quantity - quantity)
    _claim(booking, order, -quantity)


def _claim(booking: Booking, order: OpenOrder, quantity: Decimal) -> None:
    if not order.reduce_only:
        booking.order((order.instrument, order.position_side, order.side), quantity)
