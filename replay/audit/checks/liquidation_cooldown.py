"""Was an account left alone after a partial liquidation, as the policy says?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.cooldown import PartialSteps
from replay.audit.judgement import exact_seconds
from replay.audit.terms import unit_name
from replay.audit.units import unit_amounts, unit_equity
from replay.findings import Severity

if TYPE_CHECKING:
    from replay.audit.cooldown import PartialStep
    from replay.audit.judgement import Judgement
    from replay.audit.recorder import Decision
    from replay.audit.units import Unit
    from replay.state.venue_state import VenueState

DURING_COOLDOWN = FindingKind(
    "liquidation_during_cooldown",
    Severity.ERROR,
    "A further liquidation of an account, or of an isolated position, was decided earlier after the end of "
    "the partial one before it than the policy of that one allows (`cooldown_seconds`), though collateral "
    "value and equity were above zero. A partial liquidation is one whose fills left something of it open; "
    "it ends with the last of them, or with its LiquidationExecuted if that is later. Evidence: both "
    "decisions, the partial liquidation with its fills, and the marks, schedules and policy at the further "
    "decision.",
)


class LiquidationCooldown(Check):
    """Compares the time between partial liquidations and what follows with the cooldown."""

    name = "liquidation_during_cooldown"
    kinds = (DURING_COOLDOWN,)

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Look at every decision about something that was partly liquidated before."""
        steps = PartialSteps(self.facts.liquidations.cases)
        unknown = 0
        for decision in self.facts.liquidations.decisions:
            judgement = decision.judgement
            for unit in judgement.units:
                step = steps.last_before(unit, judgement.place)
                # A late fact may have been decided before the step ended: it is no further liquidation.
                if step is None or not step.cools_down(judgement.occurred_at):
                    continue
                solvent = _is_solvent(judgement, unit)
                if solvent is None:
                    unknown += 1
                elif solvent:
                    self._report(decision, unit, step)
        if unknown:
            self.could_not_check(
                f"{unknown} liquidations during a cooldown: whether collateral value and equity were above "
                "zero is undetermined"
            )

    def _report(self, decision: Decision, unit: Unit, step: PartialStep) -> None:
        judgement = decision.judgement
        after = format_exact(exact_seconds(judgement.occurred_at - step.ended_at))
        cooldown = None if step.cooldown_seconds is None else format_exact(step.cooldown_seconds)
        self.report(
            DURING_COOLDOWN,
            f"liquidation {decision.liquidation} of {unit_name(unit)} was decided {after} s after the "
            f"end of partial liquidation {step.liquidation} (sequence {step.sequence}); the cooldown is "
            f"{cooldown} s",
            account=unit.account,
            instrument=None if unit.position is None else unit.position[0],
            sequence=judgement.sequence,
            evidence=(judgement.sequence, *step.evidence, *judgement.evidence),
            recorded=after,
            rebuilt=cooldown,
        )


def _is_solvent(judgement: Judgement, unit: Unit) -> bool | None:
    """Tell whether a unit is worth something with and without haircuts; None is unknown."""
    value, _ = unit_amounts(judgement.margin, unit.position)
    equity = unit_equity(judgement.margin, unit.position)
    if value is None or equity is None:
        return None
    return value > 0 and equity > 0
