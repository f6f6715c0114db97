"""Fills, trades and final settlement: what moves positions."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

from replay.projection.booking import Booking, record_anomaly
from replay.projection.orders import close_orders_in, fill_order
from replay.state.records import AccountProfile, Anomaly, Instrument

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.instruments import InstrumentListed, InstrumentSettled
    from ledger.events.trading import FillRecorded, TradeExecuted
    from replay.state.records import PositionSide
    from replay.state.venue_state import VenueState

EXTERNAL_PROFILE = AccountProfile(kind="external")


def external_account(source: str) -> str:
    """Return the name of the account that stands for the unrecorded other side of a one-sided source."""
    return f"external/{source}"


def instrument_listed(state: VenueState, event: Event, data: InstrumentListed) -> None:
    """List a contract; new terms for one that is held are not applied and put its holders in doubt."""
    listed = Instrument(
        data.instrument,
        event.sequence,
        data.kind,
        data.contract,
        data.base,
        data.quote,
        data.settlement_asset,
        data.contract_size,
        data.tick_size,
        data.index,
        data.expires_at,
        data.strike,
        data.option_type,
    )
    before = state.instruments.get(data.instrument)
    if before is None or _same_value(before, listed):
        state.instruments[data.instrument] = listed
        return
    holders = _holders(state, data.instrument)
    if not holders:
        state.instruments[data.instrument] = listed
    for account in holders:
        booking = Booking(state, account)
        booking.doubt(
            event.sequence,
            "instrument_terms_changed",
            f"{data.instrument} is listed anew with other terms while it is held; the first terms stay",
        )
        booking.commit(event.sequence)


def fill_recorded(state: VenueState, event: Event, data: FillRecorded) -> None:
    """Book one account's side of a trade, and the other side where the source shows one side only."""
    sequence = event.sequence
    booking = Booking(state, data.account)
    instrument = state.instruments.get(data.instrument)
    if instrument is None:
        booking.doubt(
            sequence, "instrument_not_listed", f"fill of {data.instrument}, which is not listed, not applied"
        )
        booking.commit(sequence)
        return
    quantity = data.quantity if data.side == "buy" else -data.quantity
    if not _trade(booking, instrument, data.position_side, quantity, data.price, sequence):
        booking.commit(sequence)
        return
    if data.order_id is not None:
        fill_order(state, booking, data.order_id, data.quantity)
    fee = data.fee
    fee_asset = data.fee_asset or instrument.settlement_asset
    if fee:
        booking.cash("fee", fee_asset, -fee)
    booking.commit(sequence)
    source = event.source
    if source is not None and source.system is not None and state.sources.get(source.system) == "one_sided":
        mirror = Booking(state, external_account(source.system), default=EXTERNAL_PROFILE)
        mirror.trade("trade", instrument, "both", -quantity, data.price)
        if fee:
            mirror.cash("fee", fee_asset, fee)
        mirror.commit(sequence)


def trade_executed(state: VenueState, event: Event, data: TradeExecuted) -> None:
    """Book both sides of a trade."""
    instrument = state.instruments.get(data.instrument)
    sides = (
        (data.buyer, data.quantity, data.buyer_fee, data.buyer_order_id),
        (data.seller, -data.quantity, data.seller_fee, data.seller_order_id),
    )
    for account, quantity, fee, order_id in sides:
        booking = Booking(state, account)
        if instrument is None:
            booking.doubt(
                event.sequence,
                "instrument_not_listed",
                f"trade of {data.instrument}, which is not listed, not applied",
            )
        elif _trade(booking, instrument, None, quantity, data.price, event.sequence):
            if order_id is not None:
                fill_order(state, booking, order_id, data.quantity)
            if fee:
                booking.cash("fee", data.fee_asset, -fee)
        booking.commit(event.sequence)


def instrument_settled(state: VenueState, event: Event, data: InstrumentSettled) -> None:
    """Close every open position in an instrument at one price, and its open orders.

    Isolated margin returns to the wallet.
    """
    instrument = state.instruments.get(data.instrument)
    if instrument is None:
        record_anomaly(
            state,
            Anomaly(
                event.sequence,
                "instrument_not_listed",
                f"settlement of {data.instrument}, which is not listed",
            ),
        )
        return
    for account in _holders(state, data.instrument):
        booking = Booking(state, account)
        try:
            for key, position in sorted(booking.positions.items(), key=itemgetter(0)):
                if key[0] == data.instrument:
                    if position.quantity:
                        booking.trade("settlement", instrument, key[1], -position.quantity, data.price)
                    else:
                        booking.release_margin(key)
        except ZeroDivisionError:
            booking.doubt(
                event.sequence, "price_without_value", f"{data.instrument} is inverse and settles at price 0"
            )
        booking.commit(event.sequence)
    close_orders_in(state, data.instrument, event.sequence)
    state.instruments[data.instrument] = replace(instrument, settled_price=data.price)


def _trade(
    booking: Booking,
    instrument: Instrument,
    side: PositionSide | None,
    quantity: Decimal,
    price: Decimal,
    sequence: int,
) -> bool:
    """Book a fill as it says it is; what contradicts the account's position mode puts it in doubt."""
    name = instrument.instrument
    try:
        booking.trade("trade", instrument, side or "both", quantity, price)
    except ZeroDivisionError:
        booking.doubt(
            sequence, "price_without_value", f"{name} is inverse and trades at price 0; not applied"
        )
        return False
    mode = booking.position_mode(name)
    if side is None:
        if mode == "hedge":
            booking.doubt(
                sequence, "position_side_missing", f"fill of {name} in hedge mode names no position side"
            )
        return True
    if mode != "hedge" and not booking.adopt_hedge_mode(name):
        booking.doubt(
            sequence, "position_side_unexpected", f"fill of {name} in one-way mode names the {side} side"
        )
    position = booking.positions.get((name, side))
    if position is not None and position.quantity and (position.quantity > 0) != (side == "long"):
        booking.doubt(
            sequence, "position_side_overrun", f"the {side} side of {name} holds {position.quantity}"
        )
    return True


def _holders(state: VenueState, instrument: str) -> list[str]:
    """Return who holds an instrument, in an order that does not depend on how the state came about."""
    return sorted(
        account.account
        for account in state.accounts.values()
        if any(key[0] == instrument for key in account.positions)
    )


def _same_value(before: Instrument, listed: Instrument) -> bool:
    """Tell whether a position's cost and value mean the same under both listings."""
    return (before.priced_as, before.settlement_asset, before.contract_size) == (
        listed.priced_as,
        listed.settlement_asset,
        listed.contract_size,
    )
