"""Partial liquidations, and how long they keep the engine away from what they left open."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from ledger.amounts import ZERO
from replay.audit.judgement import exact_seconds
from replay.audit.terms import open_positions
from replay.audit.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from replay.audit.breaches import Breach
    from replay.audit.judgement import Judgement
    from replay.audit.recorder import LiquidationCase
    from replay.state.records import PositionKey


@dataclass(frozen=True, slots=True)
class PartialStep:
    """A liquidation that closed some of a unit and left something open.

    Attributes:
        sequence: its LiquidationExecuted.
        place: of that event in the fold.
        ended_at: the latest ``occurred_at`` of that event and its fills.
        cooldown_seconds: by the policy at its decision; None where that says nothing.
        evidence: decision, LiquidationExecuted and fills.
    """

    liquidation: str
    sequence: int
    place: int
    ended_at: datetime
    cooldown_seconds: Decimal | None
    evidence: tuple[int, ...]

    def cooldown_left(self, at: datetime) -> Decimal:
        """Return for how many seconds from ``at`` on the unit is still left alone; zero or less is over."""
        return (self.cooldown_seconds or ZERO) - exact_seconds(at - self.ended_at)

    def cools_down(self, at: datetime) -> bool:
        """Tell whether a moment lies between the end of the step and that of its cooldown."""
        return at >= self.ended_at and self.cooldown_left(at) > 0


class PartialSteps:
    """The partial steps of every unit; memory grows with their number."""

    def __init__(self, cases: Iterable[LiquidationCase]) -> None:
        self._steps: dict[Unit, list[PartialStep]] = {}
        for case in cases:
            units = {*case.judgement.units, *(_unit(case, key) for key in case.fills.by_position)}
            for unit in units:
                if _leaves_some_open(case, unit):
                    self._steps.setdefault(unit, []).append(_step(case))

    def last_before(self, unit: Unit, place: int) -> PartialStep | None:
        """Return a unit's last partial step that was reported before an event at a place in the fold."""
        steps = self._steps.get(unit, [])
        earlier = bisect_left(steps, place, key=attrgetter("place"))
        return steps[earlier - 1] if earlier else None

    def cooling(self, unit: Unit, breach: Breach) -> bool:
        """Tell whether a breach began while its unit was to be left alone."""
        step = self.last_before(unit, breach.place)
        return step is not None and step.cooldown_left(breach.occurred_at) > 0

    def leave_free(self, judgement: Judgement) -> bool:
        """Tell whether a decision is the first in each of its breaches, and none began in a cooldown."""
        breaches = zip(judgement.units, judgement.breaches, strict=True)
        return judgement.first_step and not any(
            breach is not None and self.cooling(unit, breach) for unit, breach in breaches
        )


def _step(case: LiquidationCase) -> PartialStep:
    ended_at = case.event.occurred_at
    if case.fills.last_at is not None:
        ended_at = max(ended_at, case.fills.last_at)
    return PartialStep(
        liquidation=case.data.liquidation,
        sequence=case.event.sequence,
        place=case.place,
        ended_at=ended_at,
        cooldown_seconds=case.judgement.policy.cooldown_seconds,
        evidence=(case.judgement.sequence, case.event.sequence, *case.fills.sequences),
    )


def _leaves_some_open(case: LiquidationCase, unit: Unit) -> bool:
    """Tell whether fills of a liquidation closed some of a unit and left some of it."""
    held = open_positions(case.before.account, unit.position)
    filled = {key: each.quantity for key, each in case.fills.by_position.items() if _unit(case, key) == unit}
    left = any(position.quantity + filled.get(key, ZERO) for key, position in held.items())
    return left and any(filled.values())


def _unit(case: LiquidationCase, key: PositionKey) -> Unit:
    isolated = case.before.account.margin_mode(key[0]) == "isolated"
    return Unit(case.data.account, key if isolated else None)
