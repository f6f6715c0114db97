"""Does a margin or collateral schedule, or a risk policy, contradict itself?"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ledger.amounts import ONE, exact, format_exact
from ledger.events.policies import CollateralScheduleSet, MarginScheduleSet, RiskPolicySet
from replay.audit.bankruptcy import ALLOCATIONS
from replay.audit.check import Check, FindingKind
from replay.audit.terms import LOSS_ALLOCATIONS, WATERFALL
from replay.findings import Severity
from replay.margin import open_interest, portfolio
from replay.margin.adl import ADL_RANKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.policies import MarginTier
    from replay.state.venue_state import VenueState

INCONSISTENT = FindingKind(
    "schedule_inconsistent",
    Severity.WARNING,
    "A margin schedule, collateral schedule or risk policy contradicts itself. Of tiers: there are none, a"
    " tier does not begin where the one before it ends, a cap is not above its floor, a tier follows one "
    "without a cap, a maintenance amount is not the one that makes the requirement continuous (the amount "
    "of the tier before, plus floor × the difference of the rates), or the initial margin at a tier's "
    "greatest leverage is below its maintenance margin rate. Of the other models: a parameter is missing "
    "or out of its range, so that nothing is margined by it. Of a policy: the warning ratio is above the "
    "margin call ratio, the margin call ratio is not below 1, the partial fraction is above 1, the "
    "waterfall has steps that are not known or not in their order, or the ADL rank, the bankruptcy "
    "allocation or the loss allocation is not known. It is recorded as sent and used as recorded. "
    "Evidence: the schedule or policy.",
)


class Schedules(Check):
    """Holds every schedule and policy against itself, when it is recorded."""

    name = "schedule_inconsistent"
    kinds = (INCONSISTENT,)
    event_types = frozenset({"MarginScheduleSet", "CollateralScheduleSet", "RiskPolicySet"})

    @exact()
    def before(self, _state: VenueState, event: Event) -> None:
        """Look at a schedule or policy."""
        schedule = event.data
        instrument = None
        if isinstance(schedule, MarginScheduleSet):
            subject, instrument = f"the margin schedule of {schedule.instrument}", schedule.instrument
            problems = list(_margin_schedule(schedule))
        elif isinstance(schedule, CollateralScheduleSet):
            subject = f"the collateral schedule of {schedule.asset}"
            problems = list(_steps([(tier.value_floor, tier.value_cap) for tier in schedule.tiers]))
        elif isinstance(schedule, RiskPolicySet):
            subject, problems = "the risk policy", list(_policy(schedule))
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


def _margin_schedule(schedule: MarginScheduleSet) -> Iterator[str]:
    if schedule.tiers or schedule.model in (None, "tiered"):
        yield from _steps([(tier.notional_floor, tier.notional_cap) for tier in schedule.tiers])
        yield from _amounts(schedule.tiers)
        yield from _leverages(schedule.tiers)
    if schedule.model == "open_interest_scaled":
        yield from _open_interest(schedule.parameters or {})
    elif schedule.model == "portfolio":
        yield from _portfolio(schedule.parameters or {})


def _open_interest(parameters: Mapping[str, Decimal]) -> Iterator[str]:
    yield from _missing(parameters, open_interest.PARAMETERS)
    for name in (open_interest.BASE, open_interest.MAINTENANCE):
        value = parameters.get(name)
        if value is not None and not 0 < value <= ONE:
            yield f"{name} is {format_exact(value)}, not above 0 and at most 1"
    lower, upper = parameters.get(open_interest.LOWER), parameters.get(open_interest.UPPER)
    if lower is not None and lower < 0:
        yield f"{open_interest.LOWER} is {format_exact(lower)}, below 0"
    if lower is not None and upper is not None and lower > upper:
        yield (
            f"{open_interest.LOWER} {format_exact(lower)} is above "
            f"{open_interest.UPPER} {format_exact(upper)}"
        )


def _portfolio(parameters: Mapping[str, Decimal]) -> Iterator[str]:
    yield from _missing(parameters, (portfolio.PRICE_RANGE, portfolio.PRICE_STEPS))
    price_range, steps = parameters.get(portfolio.PRICE_RANGE), parameters.get(portfolio.PRICE_STEPS)
    if price_range is not None and not 0 < price_range < ONE:
        yield f"{portfolio.PRICE_RANGE} is {format_exact(price_range)}, not between 0 and 1"
    if steps is not None and not (
        steps == steps.to_integral_value() and ONE <= steps <= portfolio.MOST_STEPS
    ):
        yield (
            f"{portfolio.PRICE_STEPS} is {format_exact(steps)}, not a whole number from 1 to "
            f"{portfolio.MOST_STEPS}"
        )
    minimum, factor = parameters.get(portfolio.MINIMUM_RATE), parameters.get(portfolio.INITIAL_FACTOR)
    if minimum is not None and minimum < 0:
        yield f"{portfolio.MINIMUM_RATE} is {format_exact(minimum)}, below 0"
    if factor is not None and factor < ONE:
        yield f"{portfolio.INITIAL_FACTOR} is {format_exact(factor)}, below 1"


def _missing(parameters: Mapping[str, Decimal], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name not in parameters:
            yield f"the parameter {name} is missing"


def _policy(policy: RiskPolicySet) -> Iterator[str]:
    warning, call = policy.warning_ratio, policy.margin_call_ratio
    if warning is not None and call is not None and warning > call:
        yield f"the warning ratio {format_exact(warning)} is above the margin call ratio {format_exact(call)}"
    if call is not None and call >= ONE:
        yield f"the margin call ratio is {format_exact(call)}, where liquidation has begun"
    if policy.partial_fraction is not None and policy.partial_fraction > ONE:
        yield f"the partial fraction is {format_exact(policy.partial_fraction)}, above 1"
    steps = policy.waterfall or []
    unknown = [step for step in steps if step not in WATERFALL]
    if unknown:
        yield f"the waterfall has steps that are not known: {', '.join(unknown)}"
    known = [step for step in steps if step in WATERFALL]
    if known != [step for step in WATERFALL if step in known]:
        yield f"the waterfall is {', '.join(known)}; the order is {', '.join(WATERFALL)}"
    if policy.adl_rank is not None and policy.adl_rank not in ADL_RANKS:
        yield f"the ADL rank {policy.adl_rank} is not known"
    if policy.bankruptcy_allocation not in ALLOCATIONS:
        yield f"the bankruptcy allocation {policy.bankruptcy_allocation} is not known"
    if policy.loss_allocation not in (None, *LOSS_ALLOCATIONS):
        yield f"the loss allocation {policy.loss_allocation} is not known"


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


def _leverages(tiers: Sequence[MarginTier]) -> Iterator[str]:
    for number, tier in enumerate(tiers, start=1):
        if tier.maintenance_margin_rate * tier.max_leverage > ONE:
            yield (
                f"tier {number} requires {format_exact(tier.maintenance_margin_rate)} to maintain what "
                f"leverage {format_exact(tier.max_leverage)} opens with less"
            )
