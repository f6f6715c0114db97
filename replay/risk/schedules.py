"""Which margin schedule holds for an instrument at a time, where the record may begin too late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, Rounding, divide, exact
from replay.margin import maintenance_margin
from replay.state.schedules import in_force
from replay.state.venue_state import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from replay.state.schedules import MarginSchedule


@dataclass(frozen=True, slots=True)
class Applied:
    """A schedule that is applied at a time.

    Attributes:
        substituted: none was in force yet, and this is the earliest that was recorded for later.
    """

    schedule: MarginSchedule
    substituted: bool

    @property
    def always(self) -> MarginSchedule:
        """The same schedule, in force from the beginning of time."""
        return replace(self.schedule, effective_at=BEGINNING)


def applied_schedule(versions: Sequence[MarginSchedule], at: datetime) -> Applied | None:
    """Return the schedule in force at a time, else the earliest one; None where none is recorded.

    Args:
        versions: the recorded ones, in the order of :func:`replay.state.schedules.in_force`.
        at: the time asked about.
    """
    schedule = in_force(versions, at)
    if schedule is not None:
        return Applied(schedule, substituted=False)
    return Applied(versions[0], substituted=True) if versions else None


@exact()
def required_rate(schedule: MarginSchedule, notional: Decimal | None) -> Decimal:
    """Return the maintenance margin per notional of a position; without a notional, that of the first tier.

    Where a notional is given the quotient is rounded down at scale 18: a requirement under test is never
    flattered.

    Args:
        schedule: with at least one tier.
        notional: above zero, in the schedule's notional asset, or None.
    """
    if notional is None:
        return schedule.tiers[0].maintenance_margin_rate
    required = maintenance_margin(schedule.tiers, notional)
    return divide(required, notional, scale=MAXIMUM_SCALE, rounding=Rounding.FLOOR)
