"""Were facts recorded in the order in which they occurred?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact, format_exact
from ledger.events.registry import PAYLOADS
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.findings import Severity
from replay.projection import RECORD_KEEPING
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

OUT_OF_ORDER = FindingKind(
    "out_of_time_order",
    Severity.WARNING,
    "An event occurred earlier than something that is recorded before it, by more than the engine may take"
    " to act (where nothing says how long, by anything at all): what was decided between did not know of "
    "it. Events about the records themselves (openings, exports, corrections, …) are apart. Evidence: the "
    "event, and the one before it with the latest time.",
)


class TimeOrder(Check):
    """Follows the latest time recorded."""

    name = "out_of_time_order"
    kinds = (OUT_OF_ORDER,)
    event_types = frozenset(PAYLOADS) - RECORD_KEEPING

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._latest: Event | None = None

    def before(self, state: VenueState, event: Event) -> None:
        """Compare an event's time with the latest one before it."""
        latest = self._latest
        if latest is None or event.occurred_at >= latest.occurred_at:
            self._latest = event
            return
        self._late(state, event, latest)

    @exact()
    def _late(self, state: VenueState, event: Event, latest: Event) -> None:
        late_by = exact_seconds(latest.occurred_at - event.occurred_at)
        allowed = self.facts.latency_limit(in_force(state.risk_policies, state.occurred_at)) or ZERO
        if late_by > allowed:
            self.report(
                OUT_OF_ORDER,
                f"{event.type} occurred {format_exact(late_by)} s before sequence {latest.sequence}, which "
                "is recorded before it",
                account=getattr(event.data, "account", None),
                instrument=getattr(event.data, "instrument", None),
                sequence=event.sequence,
                evidence=(latest.sequence, event.sequence),
                recorded=f"{event.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            )
