"""What an evaluation returns: the fields of ``replay account --json``, as exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import format_exact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.margin.thresholds import MarginState
    from replay.state.records import MarginMode, PositionSide


ACCOUNT_FIGURES = (
    "notional",
    "unrealised_pnl",
    "equity",
    "collateral_value",
    "initial_margin",
    "open_order_initial_margin",
    "maintenance_margin",
    "margin_ratio",
    "equity_ratio",
    "margin_utilisation",
    "leverage",
    "buffer",
    "cost_of_maintenance",
    "total_equity",
)
"""The decimal figures of an :class:`AccountMargin`, in the order of tables."""

POSITION_FIGURES = (
    "entry_price",
    "mark_price",
    "notional",
    "unrealised_pnl",
    "initial_margin",
    "maintenance_margin",
    "isolated_margin",
    "equity",
    "margin_ratio",
    "leverage",
    "liquidation_price",
    "liquidation_price_below",
    "liquidation_price_above",
    "bankruptcy_price",
    "margin_call_price",
)
"""The decimal figures of a :class:`PositionMargin`, quantity apart, in the order of tables."""


@dataclass(frozen=True, slots=True)
class Note:
    """Why a figure is missing, or what the reader of it has to know.

    Attributes:
        code: the kind of note, for programs.
        message: for people, with names.
        subject: what it is about, for example ``instrument/BTC-PERP``, or None for the account.
    """

    code: str
    message: str
    subject: str | None = None

    def json_value(self) -> JsonObject:
        """Return the note as JSON."""
        return {"code": self.code, "message": self.message, "subject": self.subject}


@dataclass(frozen=True, slots=True)
class PositionMargin:
    """One position's figures, in the valuation currency but for quantity and prices; None is unknown.

    Attributes:
        quantity: signed contracts.
        entry_price: average, scale 18, half-even.
        isolated_margin: of an isolated position only.
        equity: isolated margin + unrealised PnL; of an isolated position only.
        margin_ratio: of an isolated position its own, of a cross position the account's.
        state: likewise.
        leverage: what the initial margin is taken with.
        liquidation_price: the one of ``liquidation_price_below`` and ``_above`` on the position's losing
            side, else the other.
        bankruptcy_price: where the value that stands behind the position is used up.
        margin_call_price: where the policy's margin call ratio is reached.
        schedule_sequence: where the margin schedule in force was recorded.
        mark_sequence: where the mark price was recorded.
    """

    instrument: str
    position_side: PositionSide
    margin_mode: MarginMode
    quantity: Decimal
    settlement_asset: str
    entry_price: Decimal | None
    mark_price: Decimal | None
    notional: Decimal | None
    unrealised_pnl: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    isolated_margin: Decimal | None
    equity: Decimal | None
    margin_ratio: Decimal | None
    state: MarginState
    leverage: Decimal | None
    liquidation_price: Decimal | None
    liquidation_price_below: Decimal | None
    liquidation_price_above: Decimal | None
    bankruptcy_price: Decimal | None
    margin_call_price: Decimal | None
    schedule_sequence: int | None
    mark_sequence: int | None

    def json_value(self) -> JsonObject:
        """Return the position as ``replay account --json`` prints it."""
        return {
            "instrument": self.instrument,
            "position_side": self.position_side,
            "margin_mode": self.margin_mode,
            "quantity": format_exact(self.quantity),
            "settlement_asset": self.settlement_asset,
            "entry_price": _text(self.entry_price),
            "mark_price": _text(self.mark_price),
            "notional": _text(self.notional),
            "unrealised_pnl": _text(self.unrealised_pnl),
            "initial_margin": _text(self.initial_margin),
            "maintenance_margin": _text(self.maintenance_margin),
            "isolated_margin": _text(self.isolated_margin),
            "equity": _text(self.equity),
            "margin_ratio": _text(self.margin_ratio),
            "state": self.state,
            "leverage": _text(self.leverage),
            "liquidation_price": _text(self.liquidation_price),
            "liquidation_price_below": _text(self.liquidation_price_below),
            "liquidation_price_above": _text(self.liquidation_price_above),
            "bankruptcy_price": _text(self.bankruptcy_price),
            "margin_call_price": _text(self.margin_call_price),
            "schedule_sequence": self.schedule_sequence,
            "mark_sequence": self.mark_sequence,
        }


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """One account's margin state after an event; None is unknown or undefined, and ``notes`` say why.

    Account figures cover the cross wallet and cross positions, in the valuation currency.

    Attributes:
        wallet_balance: by asset, cross wallet and isolated margins together.
        cross_wallet_balance: by asset, without isolated margins.
        equity: wallet value without haircut + unrealised PnL.
        collateral_value: wallet value after haircuts + unrealised PnL; what the ratios use.
        initial_margin: of positions and open orders.
        open_order_initial_margin: the part of it that open orders claim.
        margin_ratio: maintenance margin / collateral value, scale 12, half-even.
        equity_ratio: equity / notional.
        margin_utilisation: initial margin / collateral value.
        leverage: notional / equity.
        buffer: collateral value − maintenance margin.
        cost_of_maintenance: funding, interest and fees paid so far, at present conversion prices.
        cost_of_maintenance_by_asset: the same, unconverted.
        state: of the cross part.
        total_equity: cross equity + equity of isolated positions.
    """

    account: str
    sequence: int
    at: datetime
    valuation_currency: str
    wallet_balance: Mapping[str, Decimal]
    cross_wallet_balance: Mapping[str, Decimal]
    notional: Decimal | None
    unrealised_pnl: Decimal | None
    equity: Decimal | None
    collateral_value: Decimal | None
    initial_margin: Decimal | None
    open_order_initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    margin_ratio: Decimal | None
    equity_ratio: Decimal | None
    margin_utilisation: Decimal | None
    leverage: Decimal | None
    buffer: Decimal | None
    cost_of_maintenance: Decimal | None
    cost_of_maintenance_by_asset: Mapping[str, Decimal]
    state: MarginState
    total_equity: Decimal | None
    positions: tuple[PositionMargin, ...]
    notes: tuple[Note, ...]

    def json_value(self) -> JsonObject:
        """Return the account as ``replay account --json`` prints it (without ``schema``)."""
        return {
            "account": self.account,
            "sequence": self.sequence,
            "valuation_currency": self.valuation_currency,
            "wallet_balance": _texts(self.wallet_balance),
            "cross_wallet_balance": _texts(self.cross_wallet_balance),
            "notional": _text(self.notional),
            "unrealised_pnl": _text(self.unrealised_pnl),
            "equity": _text(self.equity),
            "collateral_value": _text(self.collateral_value),
            "initial_margin": _text(self.initial_margin),
            "open_order_initial_margin": _text(self.open_order_initial_margin),
            "maintenance_margin": _text(self.maintenance_margin),
            "margin_ratio": _text(self.margin_ratio),
            "equity_ratio": _text(self.equity_ratio),
            "margin_utilisation": _text(self.margin_utilisation),
            "leverage": _text(self.leverage),
            "buffer": _text(self.buffer),
            "cost_of_maintenance": _text(self.cost_of_maintenance),
            "cost_of_maintenance_by_asset": _texts(self.cost_of_maintenance_by_asset),
            "state": self.state,
            "total_equity": _text(self.total_equity),
            "positions": [position.json_value() for position in self.positions],
            "notes": [note.json_value() for note in self.notes],
        }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_exact(value)


def _texts(amounts: Mapping[str, Decimal]) -> JsonObject:
    return {asset: format_exact(amounts[asset]) for asset in sorted(amounts)}
