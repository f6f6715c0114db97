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
