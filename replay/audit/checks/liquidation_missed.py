"""Was everyone liquidated who had to be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from replay.audit.breaches import UnansweredBreach
    from replay.state.venue_state import VenueState

MISSED = FindingKind(
    "liquidation_missed",
    Severity.ERROR,
    "An account, or an isolated position, was at or over the liquidation boundary, and no liquidation of it "
    "was recorded before it recovered, was closed, or the ledger ended at a later time. A warning where no "
    "risk policy was in force and the default one was assumed. Evidence: the event that began it with the "
    "marks, schedules and policy that it was judged by, and the event that ended it.",
)


class LiquidationMissed(Check):
    """Reports breaches that no liquidation answered."""

    name = "liquidation_missed"
    kinds = (MISSED,)

    def finish(self, state: VenueState) -> None:
        """Report what ended unanswered, and what lasts while time has gone on."""
        breaches = self.facts.breaches
        for each in breaches.unanswered:
            self._missed(each)
        for each in breaches.lasting():
            if each.breach.occurred_at < state.occurred_at:
                self._missed(each)
        held = {key[0] for account in state.accounts.values() for key in account.positions}
        unknown = sorted(held - state.margin_schedules.keys())
        if unknown:
            shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            self.could_not_check(
                f"no margin schedule is recorded for {shown}: nobody who holds them has a boundary"
            )

    def _missed(self, missed: UnansweredBreach) -> None:
        unit, breach = missed.unit, missed.breach
        if missed.ended is None:
            end = "and still is at the end"
        else:
            end = f"until sequence {missed.ended}, when it {'was closed' if missed.closed else 'recovered'}"
        what = unit.account if unit.position is None else f"{unit.account} in {unit.position[0]} (isolated)"
        self.report(
            MISSED,
            f"{what} was at or over the liquidation boundary from sequence {breach.sequence} {end}, and was "
            "not liquidated",
            severity=None if breach.policy_recorded else Severity.WARNING,
            account=unit.account,
            instrument=None if unit.position is None else unit.position[0],
            sequence=breach.sequence,
            evidence=(*breach.evidence, *(() if missed.ended is None else (missed.ended,))),
            recorded="not liquidated",
            rebuilt="liquidatable",
        )
