"""Does a margin or collateral schedule contradict itself?"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from ledger.events.policies import CollateralScheduleSet, MarginScheduleSet
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.policies import MarginTier
    from replay.state.venue_state import VenueState

INCONSISTENT = FindingKind(
    "schedule_inconsistent",
    Severity.WARNING,
    "A margin or collateral schedule contradicts itself: it has no tiers, a tier does not begin where the "
    "one before it ends, a cap is not above its floor, a tier follows one without a cap, or a maintenance "
    "amount is not the one that makes the requirement continuous: the amount of the tier before, plus floor "
    "× the difference of the rates. It is recorded as sent and used as recorded. Evidence: the schedule.",
)


class Schedules(Check):
    """Holds every schedule against itself, when it is recorded."""

    name = "schedule_inconsistent"
    kinds = (INCONSISTENT,)
    event_types = frozenset({"MarginScheduleSet", "CollateralScheduleSet"})

    @exact()
    def before(self, _state: VenueState, event: Event) -> None:
        """Look at a schedule."""
        schedule = event.data
        if isinstance(schedule, MarginScheduleSet):
            subject, instrument = f"the margin schedule of {schedule.instrument}", schedule.instrument
            problems = [
                *_steps([(tier.notional_floor, tier.notional_cap) for tier in schedule.tiers]),
                *_amounts(schedule.tiers),
            ]
        elif isinstance(schedule, CollateralScheduleSet):
            subject, instrument = f"the collateral schedule of {schedule.asset}", None
            problems = list(_steps([(tier.value_floor, tier.value_cap) for tier in schedule.tiers]))
        else:
            return
        if problems:
            self.report(
                INCONSISTENT,
                f"{subject} contradicts itself: {'; '.join(problems)}",
                instrument=instrument,
                sequence=event.sequence,
                evidence=(event.sequence,),
            )


def _steps(tiers: Sequence[tuple[Decimal, Decimal | None]]) -> Iterator[str]:
    """Tell where tiers leave gaps, overlap or run backwards; numbered from 1."""
    if not tiers:
        yield "it has no tiers"
        return
    if tiers[0][0]:
        yield f"tier 1 begins at {format_exact(tiers[0][0])}, not at 0"
    for number, (floor, cap) in enumerate(tiers, start=1):
        if cap is not None and cap <= floor:
            yield f"tier {number} has the cap {format_exact(cap)} on the floor {format_exact(floor)}"
    for number, ((_, cap), (floor, _)) in enumerate(pairwise(tiers), start=2):
        if cap is None:
            yield f"tier {number} follows one without a cap"
        elif floor != cap:
            yield f"tier {number} begins at {format_exact(floor)}, the one before ends at {format_exact(cap)}"


def _amounts(tiers: Sequence[MarginTier]) -> Iterator[str]:
    if tiers and tiers[0].maintenance_amount:
        yield f"tier 1 has the maintenance amount {format_exact(tiers[0].maintenance_amount)}, not 0"
    for number, (before, tier) in enumerate(pairwise(tiers), start=2):
        step = tier.maintenance_margin_rate - before.maintenance_margin_rate
        expected = before.maintenance_amount + tier.notional_floor * step
        if tier.maintenance_amount != expected:
            yield (
                f"tier {number} has the maintenance amount {format_exact(tier.maintenance_amount)}, "
                f"a continuous requirement takes {format_exact(expected)}"
            )
