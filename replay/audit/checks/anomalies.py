"""What could not be applied to the state as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.audit.check import Check, FindingKind
from replay.findings import Severity
from replay.projection import ANOMALIES
from replay.state.venue_state import ANOMALIES_KEPT

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

# A correction that replay cannot work out says nothing about the venue.
_WARNINGS = frozenset({"correction_not_applied"})

KINDS = {
    code: FindingKind(
        code,
        Severity.WARNING if code in _WARNINGS else Severity.ERROR,
        f"An anomaly of replay: {meaning}. The account is undetermined from there on. Evidence: the event.",
    )
    for code, meaning in ANOMALIES.items()
}


class Anomalies(Check):
    """Reports every anomaly of the fold, at the event that it met."""

    name = "anomalies"
    kinds = tuple(KINDS.values())
    event_types = None

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._counts: dict[str, int] = {}
        self._total = 0
        self._kept = 0

    def after(self, state: VenueState, event: Event) -> None:
        """Report what is new; the state keeps the first hundred in full, of later ones the code is known."""
        total = sum(state.anomaly_counts.values())
        if total == self._total:
            return
        new = {
            code: count - self._counts.get(code, 0)
            for code, count in state.anomaly_counts.items()
            if count != self._counts.get(code, 0)
        }
        for anomaly in state.anomalies[self._kept :]:
            new[anomaly.code] -= 1
            self.report(
                KINDS[anomaly.code],
                anomaly.message,
                account=anomaly.account,
                sequence=anomaly.sequence,
                evidence=(anomaly.sequence,),
            )
        for code, count in new.items():
            for _ in range(count):
                self.report(
                    KINDS[code],
                    f"{ANOMALIES[code]} (one of more than {ANOMALIES_KEPT})",
                    account=getattr(event.data, "account", None),
                    instrument=getattr(event.data, "instrument", None),
                    sequence=event.sequence,
                    evidence=(event.sequence,),
                )
        self._counts = dict(state.anomaly_counts)
        self._total = total
        self._kept = len(state.anomalies)
