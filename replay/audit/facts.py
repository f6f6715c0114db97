"""What several checks need to know, gathered once in the same fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from replay.audit.breaches import BreachLog
from replay.audit.calls import CallLog
from replay.audit.closings import ClosingLog
from replay.audit.precision import PrintedPrecision
from replay.audit.recorder import LiquidationRecorder
from replay.audit.undetermined import UndeterminedLog
from replay.audit.units import UnitTracker

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.state.schedules import RiskPolicy
    from replay.state.venue_state import VenueState


GRACE_SECONDS = Decimal(60)
"""How long the engine is given where nothing says how long it may take."""


@dataclass(slots=True)
class Facts:
    """The trackers of one audit.

    Attributes:
        max_latency_seconds: how long the engine may take, whatever the policy says; None leaves it to the
            policy in force.
        precision: how finely prices are printed.
        breaches: who is at or over the liquidation boundary, and since when.
        calls: who is at or over the margin call ratio, since when, and what was done about it.
        undetermined: who could not be judged for some time, and why.
        units: the level of every unit after every event.
        liquidations: every liquidation with the state it met and the fills that followed.
        closings: the trades that carried them out, with their parties.
    """

    max_latency_seconds: Decimal | None = None
    precision: PrintedPrecision = field(default_factory=PrintedPrecision)
    breaches: BreachLog = field(default_factory=BreachLog)
    calls: CallLog = field(default_factory=CallLog)
    undetermined: UndeterminedLog = field(default_factory=UndeterminedLog)
    units: UnitTracker = field(init=False)
    liquidations: LiquidationRecorder = field(init=False)
    closings: ClosingLog = field(init=False)

    def __post_init__(self) -> None:
        self.units = UnitTracker(self.breaches, self.calls, self.undetermined)
        self.liquidations = LiquidationRecorder(self.breaches, self.precision)
        self.closings = ClosingLog(self.liquidations, self.precision)

    def latency_limit(self, policy: RiskPolicy | None) -> Decimal | None:
        """Return within how many seconds the engine has to act; None where nothing says so."""
        if self.max_latency_seconds is not None:
            return self.max_latency_seconds
        return None if policy is None else policy.engine_max_latency_seconds

    def grace(self, policy: RiskPolicy | None) -> Decimal:
        """Return after how many seconds something that was not done counts as left undone."""
        limit = self.latency_limit(policy)
        return GRACE_SECONDS if limit is None else limit

    def before(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it meets."""
        self.breaches.before(state, event)
        self.precision.before(state, event)
        self.calls.before(state, event)
        self.liquidations.before(state, event)
        self.closings.before(state, event)

    def after(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it leaves."""
        self.units.after(state, event)
