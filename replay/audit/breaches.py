"""Which units are at or over the liquidation boundary, since which event, and whether it was answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from replay.audit.units import Level, Unit, judged_by
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ledger.events.envelope import Event
    from replay.margin import AccountMargin
    from replay.state.schedules import RiskPolicy
    from replay.state.venue_state import VenueState

# Whatever these fills end was ended by the venue's engine.
_PURPOSES_OF_THE_ENGINE = frozenset({"liquidation", "adl"})


@dataclass(frozen=True, slots=True)
class Breach:
    """A unit at or over the liquidation boundary without interruption.

    Attributes:
        sequence: the first event after which it was.
        place: of that event in the fold, which goes by time where that is asked for.
        occurred_at: of that event.
        policy: the risk policy in force then; None where the default one was assumed.
        evidence: that event, the marks, schedules and policy that it was judged by.
        continues: whether a breach that a liquidation had answered ended at the same instant, as between
            the fills of a liquidation and its fee.
        answered: whether a liquidation of the unit was recorded since.
    """

    sequence: int
    place: int
    occurred_at: datetime
    policy: RiskPolicy | None
    evidence: tuple[int, ...]
    continues: bool = False
    answered: bool = False

    @property
    def policy_recorded(self) -> bool:
        """Whether a risk policy was in force when it began."""
        return self.policy is not None

    @property
    def first_step_is_due(self) -> bool:
        """Whether no liquidation of the unit has come in this breach, nor in one that it continues."""
        return not (self.answered or self.continues)


@dataclass(frozen=True, slots=True)
class UnansweredBreach:
    """A breach that ended, or lasts to the end, without a liquidation.

    Attributes:
        ended: the event after which the unit was within the boundary or closed; None if it never was.
        ended_at: when that was.
        closed: whether it ended because nothing was held any more.
    """

    unit: Unit
    breach: Breach
    ended: int | None
    ended_at: datetime | None = None
    closed: bool = False


class BreachLog:
    """Keeps the breaches that last, and those that ended without a liquidation.

    Attributes:
        unanswered: those that ended without one.
        place: how many events the fold has met. Sequences do not say what came first in a fold by time.
    """

    def __init__(self) -> None:
        self.place = 0
        self.unanswered: list[UnansweredBreach] = []
        self._open: dict[Unit, Breach] = {}
        self._answered_until: dict[Unit, datetime] = {}

    def before(self, _state: VenueState, _event: Event) -> None:
        """Count an event that is met."""
        self.place += 1

    def since(self, unit: Unit) -> Breach | None:
        """Return the breach that a unit is in."""
        return self._open.get(unit)

    def answer(self, units: Iterable[Unit]) -> None:
        """Take note that units are being liquidated."""
        for unit in units:
            breach = self._open.get(unit)
            if breach is not None:
                self._open[unit] = replace(breach, answered=True)

    def lasting(self) -> list[UnansweredBreach]:
        """Return the breaches that no liquidation has answered and nothing has ended."""
        return [
            UnansweredBreach(unit, breach, None) for unit, breach in self._open.items() if not breach.answered
        ]

    def changed(
        self, unit: Unit, now: Level | None, event: Event, state: VenueState, margin: AccountMargin | None
    ) -> None:
        """Begin a breach where a unit is over, and end the one it was in where it is over no more."""
        if now == "over" and margin is not None:
            policy = in_force(state.risk_policies, state.occurred_at)
            evidence = (event.sequence, *judged_by(margin, unit.position, state))
            at = event.occurred_at
            continues = self._answered_until.get(unit) == at
            self._open[unit] = Breach(event.sequence, self.place, at, policy, evidence, continues)
            return
        breach = self._open.pop(unit, None)
        if breach is not None and not breach.first_step_is_due:
            self._answered_until[unit] = event.occurred_at
        if breach is None or breach.answered or now == "undetermined":
            return
        if getattr(event.data, "purpose", None) not in _PURPOSES_OF_THE_ENGINE:
            at = max(event.occurred_at, breach.occurred_at)
            self.unanswered.append(UnansweredBreach(unit, breach, event.sequence, at, closed=now is None))
