"""Units that could not be judged: for how long, and for want of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.events.envelope import Event
    from replay.audit.units import Level, Unit
    from replay.margin import AccountMargin
    from replay.state.venue_state import VenueState

# How many units a sentence names.
_NAMED = 5
# Notes that leave a state certain.
_FOR_INFORMATION = frozenset(
    {"above_last_tier", "no_collateral_schedule", "no_position", "no_risk_policy", "ratio_undefined"}
)


@dataclass(frozen=True, slots=True)
class _Span:
    sequence: int
    began_at: datetime
    reason: str


class UndeterminedLog:
    """Adds up, by reason, which units were undetermined for some time; memory grows with units and reasons.

    What lasts no longer than the instant in which it began is no gap: an isolated position whose
    margin is recorded right after its fill.
    """

    def __init__(self) -> None:
        self._open: dict[Unit, _Span] = {}
        self._gaps: dict[str, dict[Unit, int]] = {}

    def changed(
        self, unit: Unit, now: Level | None, event: Event, _state: VenueState, margin: AccountMargin | None
    ) -> None:
        """Begin a gap where a unit can no longer be judged, and end the one it was in."""
        span = self._open.pop(unit, None)
        if span is not None and event.occurred_at > span.began_at:
            self._keep(unit, span)
        if now == "undetermined":
            self._open[unit] = _Span(event.sequence, event.occurred_at, _reason(margin))

    def sentences(self, state: VenueState) -> list[str]:
        """Return what could not be judged, one sentence a reason, gaps that last to the end included."""
        for unit, span in self._open.items():
            if state.occurred_at > span.began_at:
                self._keep(unit, span)
        found = []
        for reason, units in sorted(self._gaps.items()):
            named = [f"{unit.account} from sequence {first}" for unit, first in list(units.items())[:_NAMED]]
            more = f" and {len(units) - _NAMED} more" if len(units) > _NAMED else ""
            plural = "" if len(units) == 1 else "s"
            count = f"{len(units)} account{plural} or isolated position{plural}"
            found.append(f"{count} could not be judged for some time ({', '.join(named)}{more}): {reason}")
        return found

    def _keep(self, unit: Unit, span: _Span) -> None:
        self._gaps.setdefault(span.reason, {}).setdefault(unit, span.sequence)


def _reason(margin: AccountMargin | None) -> str:
    if margin is None:
        return "no margin schedule of what they hold is recorded"
    why = [note.message for note in margin.notes if note.code not in _FOR_INFORMATION]
    return why[0] if why else "their figures are not known"
