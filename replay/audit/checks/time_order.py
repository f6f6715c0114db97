"""Were facts recorded in the order in which they occurred?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact, format_exact
from ledger.events.registry import PAYLOADS
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.findings import Severity
from replay.projection import RECORD_KEEPING
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

OUT_OF_ORDER = FindingKind(
    "out_of_time_order",
    Severity.WARNING,
    "An event occurred earlier than something that is recorded before it, by more than the engine may take"
    " to act (where nothing says how long, by anything at all): what was decided between did not know of "
    "it. Events that are late against the same one make one finding, which stands at the first of them. "
    "Events about the records themselves (openings, exports, corrections, …) are apart. Evidence: the first "
    "late event and the last, and the one before them with the latest time.",
)


@dataclass(slots=True)
class _Run:
    """Events that are late against the same one.

    Attributes:
        account: which all of them name; None where they differ.
        instrument: likewise.
        late_by: the greatest lateness, in seconds.
    """

    latest: Event
    first: Event
    last: Event
    account: str | None
    instrument: str | None
    late_by: Decimal
    count: int = 1


class TimeOrder(Check):
    """Follows the latest time recorded, and the run of events that are late against it."""

    name = "out_of_time_order"
    kinds = (OUT_OF_ORDER,)
    event_types = frozenset(PAYLOADS) - RECORD_KEEPING

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._latest: Event | None = None
        self._run: _Run | None = None

    def before(self, state: VenueState, event: Event) -> None:
        """Compare an event's time with the latest one before it."""
        latest = self._latest
        if latest is None or event.occurred_at >= latest.occurred_at:
            self._conclude()
            self._latest = event
            return
        self._late(state, event, latest)

    def finish(self, _state: VenueState) -> None:
        """Conclude the run that lasts to the end."""
        self._conclude()

    @exact()
    def _late(self, state: VenueState, event: Event, latest: Event) -> None:
        late_by = exact_seconds(latest.occurred_at - event.occurred_at)
        allowed = self.facts.latency_limit(in_force(state.risk_policies, state.occurred_at)) or ZERO
        if late_by <= allowed:
            return
        account = getattr(event.data, "account", None)
        instrument = getattr(event.data, "instrument", None)
        run = self._run
        if run is None:
            self._run = _Run(latest, event, event, account, instrument, late_by)
            return
        run.last = event
        run.count += 1
        run.late_by = max(run.late_by, late_by)
        run.account = account if account == run.account else None
        run.instrument = instrument if instrument == run.instrument else None

    def _conclude(self) -> None:
        run = self._run
        if run is None:
            return
        self._run = None
        late_by, latest = format_exact(run.late_by), run.latest.sequence
        first, last = run.first.sequence, run.last.sequence
        if run.count == 1:
            message = (
                f"{run.first.type} occurred {late_by} s before sequence {latest}, which is recorded before it"
            )
        else:
            message = (
                f"{run.count} events from sequence {first} to {last} occurred up to {late_by} s before "
                f"sequence {latest}, which is recorded before them"
            )
        self.report(
            OUT_OF_ORDER,
            message,
            account=run.account,
            instrument=run.instrument,
            sequence=first,
            evidence=(latest, first, last),
            recorded=f"{run.first.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        )
