"""Does a liquidation close exactly what was open?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from replay.audit.liquidation import AuditedLiquidation, ClosedPosition

DOES_NOT_CLOSE = FindingKind(
    "liquidation_does_not_close",
    Severity.ERROR,
    "The fills of a liquidation do not bring the positions that it is of to exactly zero: of scope "
    "`account` all open positions but isolated ones, of scope `position` those that were taken over. "
    "Where the risk policy in force liquidates in partial steps, a position that becomes smaller without "
    "changing sides is no finding. Either the venue took over another quantity than was open, or a fill "
    "before it is missing or altered. Evidence: the liquidation, its decision and its fills.",
)


class LiquidationCloses(Check):
    """Compares positions rebuilt from all earlier fills with what was taken over."""

    name = "liquidation_does_not_close"
    kinds = (DOES_NOT_CLOSE,)

    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """Report a liquidation that leaves a remainder, once, with every position concerned."""
        wrong = [
            each
            for each in liquidation.positions
            if each.remaining and not (liquidation.partial_allowed and _is_partial_step(each))
        ]
        if liquidation.closes_exactly or not wrong:
            return
        details = "; ".join(
            f"{each.instrument}: {format_exact(each.rebuilt_quantity)} open, "
            f"{format_exact(each.taken_over)} filled, {format_exact(each.remaining)} left"
            for each in wrong
        )
        only = wrong[0] if len(wrong) == 1 else None
        self.report(
            DOES_NOT_CLOSE,
            f"liquidation {liquidation.liquidation} of {liquidation.account} does not close exactly: "
            f"{details}",
            account=liquidation.account,
            instrument=None if only is None else only.instrument,
            sequence=liquidation.sequence,
            evidence=liquidation.evidence,
            recorded=None if only is None else format_exact(-only.taken_over),
            rebuilt=None if only is None else format_exact(only.rebuilt_quantity),
        )


def _is_partial_step(position: ClosedPosition) -> bool:
    before, left = position.rebuilt_quantity, position.remaining
    return (before > 0) == (left > 0) and abs(left) <= abs(before)
