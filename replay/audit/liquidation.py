"""One audited liquidation: what was recorded, what replay rebuilds, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import format_exact
from ledger.clock import format_time

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.audit.judgement import Judgement, Verdict
    from replay.margin import Note
    from replay.state.records import PositionSide


@dataclass(frozen=True, slots=True)
class ClosedPosition:
    """A position that a liquidation touched or had to touch; quantities are signed contracts.

    Attributes:
        rebuilt_quantity: just before, from all earlier fills.
        taken_over: what the liquidation's own fills bought (positive) or sold.
        remaining: the sum of both; zero when closed exactly.
    """

    instrument: str
    position_side: PositionSide
    rebuilt_quantity: Decimal
    taken_over: Decimal
    remaining: Decimal

    def json_value(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "instrument": self.instrument,
            "position_side": self.position_side,
            "rebuilt_quantity": format_exact(self.rebuilt_quantity),
            "taken_over": format_exact(self.taken_over),
            "remaining": format_exact(self.remaining),
        }


@dataclass(frozen=True, slots=True)
class AuditedLiquidation:
    """One row of ``liquidations``; amounts in the valuation currency, None is unknown.

    Attributes:
        recorded_ratio: recorded account value ÷ recorded notional, scale 12, half-even.
        closes_exactly: every position that had to be closed is at zero after the liquidation's fills: of
            scope ``account`` all open positions but isolated ones, of ``position`` the ones taken over.
        positions: those positions.
        left_open: the account's other open positions.
        rebuilt_takeover_notional: the takeover brought back to the mark (:mod:`replay.audit.takeover`).
        residual: rebuilt takeover notional − recorded notional.
        residual_tolerance: what of a residual is put down to the printing of prices and amounts.
        amount_unit: one unit in the last place to which the recorded notional is printed.
        rebuilt_notional: of what was taken over, at recorded marks.
        rebuilt_account_value: equity of what is liquidated just before, at recorded marks.
        unexplained_cash: recorded account value − rebuilt account value; without recorded marks the rebuilt
            one is taken at the marks that the takeover implies. What fees, funding and other movements
            that are not in the ledger leave over.
        judgement: verdict, margin state, breach and latency.
        latency_counts: whether the latency is the engine's own: of the first decision in a breach that did
            not begin in the cooldown after a partial liquidation.
        partial_allowed: whether the policy in force liquidates step by step.
        takeover_differences: how the recorded takeovers differ from the fills; empty where they agree.
        fill_sequences: the liquidation's own fills of the account.
    """

    liquidation: str
    account: str
    sequence: int
    occurred_at: datetime
    scope: str
    leverage_type: str | None
    recorded_notional: Decimal
    recorded_account_value: Decimal
    recorded_ratio: Decimal | None
    positions: tuple[ClosedPosition, ...]
    left_open: tuple[ClosedPosition, ...]
    closes_exactly: bool
    rebuilt_takeover_notional: Decimal | None
    residual: Decimal | None
    residual_tolerance: Decimal | None
    amount_unit: Decimal
    rebuilt_notional: Decimal | None
    rebuilt_account_value: Decimal | None
    unexplained_cash: Decimal | None
    judgement: Judgement
    latency_counts: bool
    partial_allowed: bool
    takeover_differences: tuple[str, ...]
    fill_sequences: tuple[int, ...]
    notes: tuple[Note, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether it was right to liquidate, from rebuilt state only."""
        return self.judgement.verdict

    @property
    def breach_sequence(self) -> int | None:
        """The first event since which the boundary was reached without interruption."""
        return self.judgement.breach_sequence

    @property
    def latency_seconds(self) -> Decimal | None:
        """From the breach to the decision."""
        return self.judgement.latency_seconds

    @property
    def evidence(self) -> tuple[int, ...]:
        """The liquidation, its decision and its fills."""
        return tuple(sorted({self.sequence, self.judgement.sequence, *self.fill_sequences}))

    def json_value(self) -> JsonObject:
        """Return the row as JSON."""
        judgement = self.judgement
        return {
            "liquidation": self.liquidation,
            "account": self.account,
            "sequence": self.sequence,
            "occurred_at": format_time(self.occurred_at),
            "scope": self.scope,
            "leverage_type": self.leverage_type,
            "recorded_notional": format_exact(self.recorded_notional),
            "recorded_account_value": format_exact(self.recorded_account_value),
            "recorded_ratio": _text(self.recorded_ratio),
            "positions": [position.json_value() for position in self.positions],
            "closes_exactly": self.closes_exactly,
            "rebuilt_takeover_notional": _text(self.rebuilt_takeover_notional),
            "residual": _text(self.residual),
            "residual_tolerance": _text(self.residual_tolerance),
            "rebuilt_notional": _text(self.rebuilt_notional),
            "rebuilt_account_value": _text(self.rebuilt_account_value),
            "unexplained_cash": _text(self.unexplained_cash),
            "verdict": judgement.verdict,
            "decision_sequence": judgement.sequence,
            "rebuilt_state": judgement.state,
            "rebuilt_margin_ratio": _text(judgement.margin_ratio),
            "rebuilt_maintenance_margin": _text(judgement.maintenance_margin),
            "breach_sequence": judgement.breach_sequence,
            "latency_seconds": _text(judgement.latency_seconds),
            "latency_counts": self.latency_counts,
            "notes": [note.json_value() for note in self.notes],
        }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_exact(value)
