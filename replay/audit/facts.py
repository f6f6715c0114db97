"""What several checks need to know, gathered once in the same fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.audit.breaches import BreachTracker
from replay.audit.precision import PrintedPrecision
from replay.audit.recorder import LiquidationRecorder

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState


@dataclass(slots=True)
class Facts:
    """The trackers of one audit.

    Attributes:
        precision: how finely prices are printed.
        breaches: who is at or over the liquidation boundary, and since when.
        liquidations: every liquidation with the state it met and the fills that followed.
    """

    precision: PrintedPrecision = field(default_factory=PrintedPrecision)
    breaches: BreachTracker = field(default_factory=BreachTracker)
    liquidations: LiquidationRecorder = field(init=False)

    def __post_init__(self) -> None:
        self.liquidations = LiquidationRecorder(self.breaches, self.precision)

    def before(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it meets."""
        self.precision.before(state, event)
        self.liquidations.before(state, event)

    def after(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it leaves."""
        self.breaches.after(state, event)
