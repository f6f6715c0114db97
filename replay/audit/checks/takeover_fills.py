"""Do a liquidation's recorded takeovers agree with its fills, and every such fill with a liquidation?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from replay.audit.liquidation import AuditedLiquidation
    from replay.audit.recorder import StrayFill
    from replay.state.venue_state import VenueState

TAKEOVER_DIFFERS = FindingKind(
    "takeover_differs_from_fills",
    Severity.ERROR,
    "The takeovers that a LiquidationExecuted lists and the fills of the same liquidation differ in quantity "
    "or price. Quantities of auto-deleveraging may be counted on either side; an average price over several "
    "fills may be off by its printing. Evidence: the liquidation and its fills.",
)
FILLS_DO_NOT_MATCH = FindingKind(
    "fills_do_not_match_liquidation",
    Severity.ERROR,
    "A liquidation has no fills of the liquidated account; a fill with purpose `liquidation` names no "
    "liquidation that was recorded before it; or a LiquidationStarted has fills and its LiquidationExecuted "
    "never came. Evidence: the liquidation, or the fills.",
)


class TakeoverFills(Check):
    """Compares what was reported as taken over with the fills that did it."""

    name = "takeover_differs_from_fills"
    kinds = (TAKEOVER_DIFFERS,)

    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """Report every difference of a liquidation in one finding."""
        if not liquidation.takeover_differences:
            return
        self.report(
            TAKEOVER_DIFFERS,
            f"the takeovers of liquidation {liquidation.liquidation} of {liquidation.account} differ from "
            f"its fills: {'; '.join(liquidation.takeover_differences)}",
            account=liquidation.account,
            sequence=liquidation.sequence,
            evidence=liquidation.evidence,
        )


class LiquidationFills(Check):
    """Reports liquidations without fills and liquidation fills without a liquidation."""

    name = "fills_do_not_match_liquidation"
    kinds = (FILLS_DO_NOT_MATCH,)

    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """Report a liquidation that no fill carried out."""
        if not liquidation.fill_sequences:
            self.report(
                FILLS_DO_NOT_MATCH,
                f"liquidation {liquidation.liquidation} of {liquidation.account} has no fills",
                account=liquidation.account,
                sequence=liquidation.sequence,
                evidence=liquidation.evidence,
            )

    def finish(self, _state: VenueState) -> None:
        """Report stray fills, one finding for each account and liquidation that they name."""
        for name, begun in self.facts.liquidations.begun.items():
            if begun.fills.sequences:
                self.report(
                    FILLS_DO_NOT_MATCH,
                    f"liquidation {name} of {begun.account} was started and has {len(begun.fills.sequences)} "
                    "fills, but no LiquidationExecuted",
                    account=begun.account,
                    sequence=begun.judgement.sequence,
                    evidence=(begun.judgement.sequence, *begun.fills.sequences),
                )
        groups: dict[tuple[str, str | None], list[StrayFill]] = defaultdict(list)
        for fill in self.facts.liquidations.stray_fills:
            groups[fill.account, fill.liquidation].append(fill)
        for (account, liquidation), fills in groups.items():
            named = "name no liquidation" if liquidation is None else f"name liquidation {liquidation}"
            instruments = {fill.instrument for fill in fills}
            self.report(
                FILLS_DO_NOT_MATCH,
                f"{len(fills)} liquidation fills of {account} {named}; none such was recorded before them",
                account=account,
                instrument=min(instruments) if len(instruments) == 1 else None,
                sequence=fills[0].sequence,
                evidence=(fill.sequence for fill in fills),
            )
