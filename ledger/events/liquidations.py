"""What the venue's engine did to accounts in trouble; only asserts, its fills are what moves."""

from __future__ import annotations

from typing import Literal

from ledger.events.accounts import PositionSide
from ledger.events.base import (
    Amount,
    Count,
    EventId,
    Identifier,
    Payload,
    PositiveAmount,
    Reference,
    Strict,
    Text,
    Time,
)


class _MarginCall(Payload):
    account: Identifier
    instrument: Identifier | None = None
    margin_ratio: Amount
    required: Amount
    deadline: Time | None = None


class MarginCallIssued(_MarginCall):
    """The venue asked for more margin; ``required`` is the amount that cures it.

    An instrument names the isolated position that is called; without one it is the account.
    """


class MarginCallCured(_MarginCall):
    """A margin call is no longer open."""


class LiquidationStarted(Payload):
    """The venue decided to liquidate a position or the whole account, and what it knew then."""

    liquidation: Reference
    account: Identifier
    scope: Literal["account", "position"]
    instrument: Identifier | None = None
    position_side: PositionSide | None = None
    mark_price: Amount | None = None
    margin_ratio: Amount | None = None
    schedule_event: EventId | None = None
    reason: Text | None = None


class Takeover(Strict):
    """One position that was taken over, by quantity in contracts (without sign) and average price."""

    instrument: Identifier
    position_side: PositionSide | None = None
    quantity: PositiveAmount
    price: Amount
    bankruptcy_price: Amount | None = None
    counterparty_account: Identifier | None = None
    trade_ids: list[Reference]


class LiquidationExecuted(Payload):
    """A liquidation's outcome as the venue reports it; it precedes its own fills in the ledger."""

    liquidation: Reference
    account: Identifier
    scope: Literal["account", "position"]
    notional: Amount
    account_value: Amount
    takeovers: list[Takeover]
    fee: Amount | None = None
    leverage_type: Text | None = None


class PositionAutoDeleveraged(Payload):
    """A profitable account's position was used to close a bankrupt one; its two fills move the positions."""

    liquidation: Reference
    bankrupt_account: Identifier
    counterparty_account: Identifier
    instrument: Identifier
    quantity: PositiveAmount
    price: Amount
    rank: Count
    trade_id: Reference
