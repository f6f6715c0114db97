"""Does the reported notional come to what was taken over?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import Rounding, exact, format_exact, round_to
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.audit.facts import Facts
    from replay.audit.liquidation import AuditedLiquidation
    from replay.state.venue_state import VenueState

NOTIONAL_DIFFERS = FindingKind(
    "liquidation_notional_differs",
    Severity.WARNING,
    "The recorded notional of a liquidation is neither that of what was taken over at recorded marks, nor "
    "what its takeover at bankruptcy prices comes to, brought back to the mark with the recorded account "
    "value: the report covers more or less than what was taken over. Of the second, what the "
    "printing of prices and amounts explains is allowed: one unit in the last printed place of each "
    "takeover price times its quantity, at most 1/10,000 of the notional, and one unit in the last place "
    "of both recorded amounts (docs/explanation/audit.md). Evidence: the liquidation, "
    "its decision and its fills.",
)
_READABLE_SCALE = 6


class LiquidationNotional(Check):
    """Compares the recorded notional with the takeover fills."""

    name = "liquidation_notional_differs"
    kinds = (NOTIONAL_DIFFERS,)

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._unknown = 0

    @exact()
    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """Report a residual beyond what printing explains."""
        residual, tolerance = liquidation.residual, liquidation.residual_tolerance
        rebuilt = liquidation.rebuilt_takeover_notional
        if residual is None or tolerance is None or rebuilt is None:
            self._unknown += 1
            return
        if abs(residual) <= tolerance or _is_at_recorded_marks(liquidation):
            return
        taken = [each.instrument for each in liquidation.positions if each.taken_over]
        left = [f"{format_exact(each.rebuilt_quantity)} {each.instrument}" for each in liquidation.left_open]
        beside = f" Open beside it and not taken over: {', '.join(left)}." if left else ""
        self.report(
            NOTIONAL_DIFFERS,
            f"liquidation {liquidation.liquidation} of {liquidation.account} reports a notional of "
            f"{format_exact(liquidation.recorded_notional)}, which covers "
            f"{'more' if residual < 0 else 'less'} than what was taken over: the fills ({', '.join(taken)}) "
            f"come to {_readable(rebuilt)} at the mark, a difference of {_readable(residual)} where "
            f"printing explains {_readable(tolerance)}."
            f"{beside}",
            account=liquidation.account,
            instrument=taken[0] if len(taken) == 1 else None,
            sequence=liquidation.sequence,
            evidence=liquidation.evidence,
            recorded=format_exact(liquidation.recorded_notional),
            rebuilt=format_exact(rebuilt),
        )

    def finish(self, _state: VenueState) -> None:
        """Say how many liquidations have no rebuilt takeover notional."""
        if self._unknown:
            self.could_not_check(
                f"{self._unknown} liquidations have no rebuilt takeover notional; their notes say why"
            )


def _is_at_recorded_marks(liquidation: AuditedLiquidation) -> bool:
    rebuilt = liquidation.rebuilt_notional
    recorded = liquidation.recorded_notional
    return rebuilt is not None and abs(rebuilt - recorded) < liquidation.amount_unit


def _readable(amount: Decimal) -> str:
    return format_exact(round_to(amount, _READABLE_SCALE, Rounding.HALF_EVEN))
