"""Orders, fills and trades."""

from __future__ import annotations

from typing import Literal

from ledger.events.accounts import PositionSide
from ledger.events.base import Amount, Identifier, Payload, PositiveAmount, Reference, Text


class _Order(Payload):
    order_id: Reference
    account: Identifier
    instrument: Identifier
    side: Literal["buy", "sell"]
    quantity: PositiveAmount
    price: Amount | None = None
    position_side: PositionSide | None = None
    reduce_only: bool | None = None
    reason: Text | None = None


class OrderAccepted(_Order):
    """The venue took an order; without a price it is a market order."""


class OrderCancelled(_Order):
    """An order is no longer open."""


class OrderRejected(_Order):
    """The venue refused an order."""


class FillRecorded(Payload):
    """One account's side of a trade; quantity counts contracts, a positive fee is paid by the account."""

    account: Identifier
    instrument: Identifier
    side: Literal["buy", "sell"]
    quantity: PositiveAmount
    price: Amount
    fee: Amount | None = None
    fee_asset: Identifier | None = None
    trade_id: Reference | None = None
    liquidity: Literal["maker", "taker"] | None = None
    purpose: Literal["trade", "liquidation", "adl"]
    position_side: PositionSide | None = None
    order_id: Reference | None = None
    liquidation: Reference | None = None


class TradeExecuted(Payload):
    """Both sides of a trade in one event."""

    instrument: Identifier
    quantity: PositiveAmount
    price: Amount
    buyer: Identifier
    seller: Identifier
    buyer_fee: Amount
    seller_fee: Amount
    fee_asset: Identifier
    trade_id: Reference
    buyer_order_id: Reference | None = None
    seller_order_id: Reference | None = None
