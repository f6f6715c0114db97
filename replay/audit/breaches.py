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
    from replay.state.venue_state import VenueState

# Whatever these fills end was ended by the venue's engine.
_PURPOSES_OF_THE_ENGINE = frozenset({"liquidation", "adl"})


@dataclass(frozen=True, slots=True)
class Breach:
    """A unit at or over the liquidation boundary without interruption.

    Attributes:
        sequence: the first event after which it was.
        occurred_at: of that event.
        policy_recorded: whether a risk policy was in force then, or the default one was assumed.
        evidence: that event, the marks, schedules and policy that it was judged by.
        answered: whether a liquidation of the unit was recorded since.
    """

    sequence: int
    occurred_at: datetime
    policy_recorded: bool
    evidence: tuple[int, ...]
    answered: bool = False


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
    """Keeps the breaches that last, and those that ended without a liquidation."""

    def __init__(self) -> None:
        self.unanswered: list[UnansweredBreach] = []
        self._open: dict[Unit, Breach] = {}

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
            self._open[unit] = Breach(event.sequence, at, policy is not None, evidence)
            return
        breach = self._open.pop(unit, None)
        if breach is None or breach.answered or now == "undetermined":
            return
        if getattr(event.data, "purpose", None) not in _PURPOSES_OF_THE_ENGINE:
            at = max(event.occurred_at, breach.occurred_at)
            self.unanswered.append(UnansweredBreach(unit, breach, event.sequence, at, closed=now is None))
