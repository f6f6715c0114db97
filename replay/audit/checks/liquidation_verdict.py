"""Was it right to liquidate?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from replay.audit.facts import Facts
    from replay.audit.liquidation import AuditedLiquidation
    from replay.state.venue_state import VenueState

UNJUSTIFIED = FindingKind(
    "liquidation_unjustified",
    Severity.ERROR,
    "By the rebuilt state that the decision met (LiquidationStarted where recorded, else "
    "LiquidationExecuted) the account, or the isolated position, was within the liquidation boundary. Only "
    "where marks, schedules and books determine it. Evidence: the liquidation, its decision and its fills, "
    "and the marks, schedules and policy that it was judged by.",
)


class LiquidationVerdict(Check):
    """Reports liquidations that rebuilt state does not justify."""

    name = "liquidation_unjustified"
    kinds = (UNJUSTIFIED,)

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._undetermined = 0

    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """Report a verdict of ``unjustified``."""
        judgement = liquidation.judgement
        if judgement.verdict == "undetermined":
            self._undetermined += 1
        if judgement.verdict != "unjustified":
            return
        ratio = "none" if judgement.margin_ratio is None else format_exact(judgement.margin_ratio)
        self.report(
            UNJUSTIFIED,
            f"liquidation {liquidation.liquidation} of {liquidation.account} was decided at sequence "
            f"{judgement.sequence}, when its margin ratio was {ratio} ({judgement.state})",
            account=liquidation.account,
            instrument=liquidation.positions[0].instrument if len(liquidation.positions) == 1 else None,
            sequence=liquidation.sequence,
            evidence=(*liquidation.evidence, *judgement.evidence),
            recorded="liquidated",
            rebuilt=judgement.state,
        )

    def finish(self, _state: VenueState) -> None:
        """Say how many liquidations the ledger does not allow to judge."""
        if self._undetermined:
            self.could_not_check(
                f"{self._undetermined} liquidations are undetermined: what decides about them (marks, margin "
                "schedules, isolated margin) is not in the ledger; the recorded ratio stands beside them"
            )
