"""Accounts: opening, closing, settings, and the state a venue itself reports."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ledger.events.base import Amount, Identifier, Payload, PositiveAmount, Strict, Text

MarginMode: TypeAlias = Literal["cross", "isolated", "portfolio"]
PositionMode: TypeAlias = Literal["one_way", "hedge"]
PositionSide: TypeAlias = Literal["long", "short"]
AccountKind: TypeAlias = Literal["customer", "insurance_fund", "market_maker", "house", "external"]


class AccountOpened(Payload):
    """An account, by pseudonym, with its margin mode and what it is for."""

    account: Identifier
    margin_mode: MarginMode
    position_mode: PositionMode
    kind: AccountKind
    customer: Identifier | None = None
    parent_account: Identifier | None = None


class AccountClosed(Payload):
    """An account is closed; what it held stays recorded."""

    account: Identifier
    margin_mode: MarginMode | None = None
    position_mode: PositionMode | None = None
    kind: AccountKind | None = None
    customer: Identifier | None = None
    parent_account: Identifier | None = None
    reason: Text | None = None


class LeverageSet(Payload):
    """An account chose its leverage in an instrument; initial margin = notional / leverage."""

    account: Identifier
    instrument: Identifier
    leverage: PositiveAmount


class MarginModeSet(Payload):
    """An account chose cross or isolated margin in an instrument."""

    account: Identifier
    instrument: Identifier
    margin_mode: MarginMode


class PositionModeSet(Payload):
    """An account chose one-way or hedge mode; without an instrument it holds for all of them."""

    account: Identifier
    instrument: Identifier | None = None
    position_mode: PositionMode


class ReportedPosition(Strict):
    """A position as the venue reports it; quantity is signed contracts."""

    instrument: Identifier
    position_side: PositionSide | None = None
    margin_mode: MarginMode | None = None
    quantity: Amount
    entry_price: Amount | None = None
    mark_price: Amount | None = None
    notional: Amount | None = None
    unrealised_pnl: Amount | None = None
    initial_margin: Amount | None = None
    maintenance_margin: Amount | None = None
    isolated_margin: Amount | None = None
    leverage: Amount | None = None
    liquidation_price: Amount | None = None


class AccountStateReported(Payload):
    """The venue's own figures for an account; asserts only, the audit compares."""

    account: Identifier
    wallet_balance: dict[Identifier, Amount]
    equity: Amount | None = None
    initial_margin: Amount | None = None
    maintenance_margin: Amount | None = None
    margin_ratio: Amount | None = None
    positions: list[ReportedPosition] | None = None
