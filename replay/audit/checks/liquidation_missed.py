"""Was everyone liquidated who had to be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact
from replay.audit.check import Check, FindingKind
from replay.audit.cooldown import PartialSteps
from replay.audit.judgement import exact_seconds
from replay.audit.terms import unit_name
from replay.findings import Severity

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from replay.audit.breaches import UnansweredBreach
    from replay.state.venue_state import VenueState

MISSED = FindingKind(
    "liquidation_missed",
    Severity.ERROR,
    "An account, or an isolated position, was at or over the liquidation boundary, and no liquidation of "
    "it was recorded before it recovered, was closed, or the ledger ended, at a later time than it began. "
    "Where the risk policy in force when it began, or `--max-latency`, says how long the engine may take, "
    "only if it lasted longer; the cooldown after a partial liquidation does not count. A warning where no "
    "risk policy was in force and the default one was assumed. Evidence: the event that began it with the "
    "marks, schedules and policy that it was judged by, and the event that ended it.",
)


class LiquidationMissed(Check):
    """Reports breaches that no liquidation answered."""

    name = "liquidation_missed"
    kinds = (MISSED,)

    @exact()
    def finish(self, state: VenueState) -> None:
        """Report what ended unanswered, and what lasts while time has gone on."""
        breaches = self.facts.breaches
        steps = PartialSteps(self.facts.liquidations.cases)
        for each in breaches.unanswered:
            if each.ended_at is not None and self._was_due(each, each.ended_at, steps):
                self._missed(each)
        for each in breaches.lasting():
            if each.breach.occurred_at < state.occurred_at and self._was_due(each, state.occurred_at, steps):
                self._missed(each)
        held = {key[0] for account in state.accounts.values() for key in account.positions}
        unknown = sorted(held - state.margin_schedules.keys())
        if unknown:
            shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            self.could_not_check(
                f"no margin schedule is recorded for {shown}: nobody who holds them has a boundary"
            )
        for sentence in self.facts.undetermined.sentences(state):
            self.could_not_check(sentence)

    def _was_due(self, each: UnansweredBreach, until: datetime, steps: PartialSteps) -> bool:
        """Tell whether the engine had its time to act, apart from a cooldown that it had to wait out."""
        breach = each.breach
        lasted = exact_seconds(until - breach.occurred_at)
        limit: Decimal | None = self.facts.latency_limit(breach.policy)
        step = steps.last_before(each.unit, breach.place)
        waiting = ZERO if step is None else max(step.cooldown_left(breach.occurred_at), ZERO)
        return lasted - waiting > (limit or ZERO)

    def _missed(self, missed: UnansweredBreach) -> None:
        unit, breach = missed.unit, missed.breach
        if missed.ended is None:
            end = "and still is at the end"
        else:
            end = f"until sequence {missed.ended}, when it {'was closed' if missed.closed else 'recovered'}"
        self.report(
            MISSED,
            f"{unit_name(unit)} was at or over the liquidation boundary from sequence {breach.sequence} "
            f"{end}, and was not liquidated",
            severity=None if breach.policy_recorded else Severity.WARNING,
            account=unit.account,
            instrument=None if unit.position is None else unit.position[0],
            sequence=breach.sequence,
            evidence=(*breach.evidence, *(() if missed.ended is None else (missed.ended,))),
            recorded="not liquidated",
            rebuilt="liquidatable",
        )
