"""Did the engine act in time?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.cooldown import PartialSteps
from replay.audit.judgement import exact_seconds
from replay.audit.terms import unit_name
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.audit.breaches import Breach
    from replay.audit.judgement import Judgement
    from replay.audit.recorder import Decision
    from replay.audit.units import Unit
    from replay.state.venue_state import VenueState

LATE = FindingKind(
    "liquidation_late",
    Severity.ERROR,
    "The decision to liquidate (LiquidationStarted where recorded, else LiquidationExecuted) came later "
    "after the account, or the isolated position, reached the liquidation boundary than the risk policy in "
    "force then allows (`engine_max_latency_seconds`), or `--max-latency` where given. Only the first "
    "decision of a breach, and only where the breach did not begin in the cooldown after a partial "
    "liquidation. Evidence: the decision, and the event that began the breach with the marks, schedules "
    "and policy that it was judged by.",
)
_NO_LIMIT = "no limit to the engine's latency is recorded, and --max-latency was not given"
_NO_BREACH = "whether and since when the boundary was reached is undetermined"
_COOLING = "the breach began in the cooldown after a partial liquidation"


class LiquidationLate(Check):
    """Compares the time from each breach to its decision with what the engine is allowed."""

    name = "liquidation_late"
    kinds = (LATE,)

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Look at every decision, also of liquidations that were never reported as executed."""
        steps = PartialSteps(self.facts.liquidations.cases)
        unknown: Counter[str] = Counter()
        for decision in self.facts.liquidations.decisions:
            reasons = self._look(decision, steps)
            unknown.update(reasons)
        for reason, count in sorted(unknown.items()):
            self.could_not_check(f"{count} decisions to liquidate: {reason}")

    def _look(self, decision: Decision, steps: PartialSteps) -> set[str]:
        """Report a decision that came late; return why one of its units could not be looked at."""
        judgement = decision.judgement
        reasons: set[str] = set()
        late: list[tuple[Decimal, Decimal, Unit, Breach]] = []
        for unit, breach in zip(judgement.units, judgement.breaches, strict=True):
            if breach is None:
                if judgement.verdict == "undetermined":
                    reasons.add(_NO_BREACH)
                continue
            if not breach.first_step_is_due:
                continue
            limit = self.facts.latency_limit(breach.policy)
            if steps.cooling(unit, breach):
                reasons.add(_COOLING)
            elif limit is None:
                reasons.add(_NO_LIMIT)
            elif (waited := exact_seconds(judgement.occurred_at - breach.occurred_at)) > limit:
                late.append((waited, limit, unit, breach))
        if late:
            self._late(decision.liquidation, judgement, *max(late, key=lambda each: each[0]))
        return reasons

    def _late(
        self,
        liquidation: str,
        judgement: Judgement,
        waited: Decimal,
        limit: Decimal,
        unit: Unit,
        breach: Breach,
    ) -> None:
        self.report(
            LATE,
            f"liquidation {liquidation} of {unit_name(unit)} was decided {format_exact(waited)} s "
            f"after the boundary was reached at sequence {breach.sequence}; {format_exact(limit)} s are "
            "allowed",
            account=unit.account,
            instrument=None if unit.position is None else unit.position[0],
            sequence=judgement.sequence,
            evidence=(judgement.sequence, *breach.evidence),
            recorded=format_exact(waited),
            rebuilt=format_exact(limit),
        )
