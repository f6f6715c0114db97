"""Did a second person approve what was set or corrected by hand?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from ledger.events.governance import CorrectionRecorded, PriceOverridden
    from replay.state.venue_state import VenueState

UNAPPROVED = FindingKind(
    "override_unapproved",
    Severity.ERROR,
    "A PriceOverridden or CorrectionRecorded names no approver, or none but its own actor. Evidence: the "
    "event.",
)


class Overrides(Check):
    """Looks at who approved."""

    name = "override_unapproved"
    kinds = (UNAPPROVED,)
    event_types = frozenset({"PriceOverridden", "CorrectionRecorded"})

    def before(self, _state: VenueState, event: Event) -> None:
        """Look at an event that someone set by hand."""
        data = cast("PriceOverridden | CorrectionRecorded", event.data)
        if set(data.approvers) - {event.actor}:
            return
        who = f"nobody but its own actor {event.actor} approved" if data.approvers else "nobody approved"
        what = "a price override" if event.type == "PriceOverridden" else "a correction"
        self.report(
            UNAPPROVED,
            f"{who} {what}: {data.reason}",
            instrument=getattr(data, "instrument", None),
            sequence=event.sequence,
            evidence=(event.sequence,),
        )
