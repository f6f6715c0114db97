"""Did a recorded margin call come in time, and was it, or the end of it, right?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.audit.terms import unit_name
from replay.findings import Severity

if TYPE_CHECKING:
    from replay.audit.calls import RecordedCall
    from replay.state.venue_state import VenueState

LATE = FindingKind(
    "margin_call_late",
    Severity.ERROR,
    "A MarginCallIssued came later after the account, or the isolated position, reached the margin call "
    "ratio than the risk policy in force then allows (`engine_max_latency_seconds`), or `--max-latency` "
    "where given. Only the first call since. Evidence: the call, and the event that began the time in call "
    "with the marks, schedules and policy that it was judged by.",
)
UNJUSTIFIED = FindingKind(
    "margin_call_unjustified",
    Severity.ERROR,
    "A MarginCallIssued came while the account, or the isolated position, was below the policy's margin call "
    "ratio or held nothing; or a MarginCallCured while it still was at or over that ratio, or at or over the "
    "liquidation boundary. Evidence: the event, and the policy in force.",
)


class MarginCallLate(Check):
    """Compares the time from reaching the ratio to the call with what the engine is allowed."""

    name = "margin_call_late"
    kinds = (LATE,)

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Look at every call that answers a time in call."""
        without_limit = 0
        for call in self.facts.calls.recorded:
            period = call.period
            if period is None or period.issued is not None:
                continue
            limit = self.facts.latency_limit(period.policy)
            waited = exact_seconds(call.occurred_at - period.began_at)
            if limit is None:
                without_limit += 1
            elif waited > limit:
                self.report(
                    LATE,
                    f"{unit_name(call.unit)} was called {format_exact(waited)} s after the margin call ratio "
                    f"was reached at sequence {period.sequence}; {format_exact(limit)} s are allowed",
                    account=call.unit.account,
                    instrument=_instrument(call),
                    sequence=call.sequence,
                    evidence=(call.sequence, *period.evidence),
                    recorded=format_exact(waited),
                    rebuilt=format_exact(limit),
                )
        if without_limit:
            self.could_not_check(
                f"{without_limit} margin calls: no limit to the engine's latency is recorded, and "
                "--max-latency was not given"
            )


class MarginCallUnjustified(Check):
    """Holds every call, and every end of one, against the state that it met."""

    name = "margin_call_unjustified"
    kinds = (UNJUSTIFIED,)

    def finish(self, _state: VenueState) -> None:
        """Look at everything that was recorded."""
        unknown = without_policy = 0
        for call in self.facts.calls.recorded:
            in_need = call.level in ("call", "over")
            if call.level == "undetermined":
                unknown += 1
            elif call.kind == "issued" and call.policy is None:
                without_policy += not in_need
            elif (call.kind == "issued") != in_need:
                self._report(call)
        if unknown:
            self.could_not_check(
                f"{unknown} margin calls and ends of calls: what decides about them (marks, margin "
                "schedules, isolated margin) is not in the ledger"
            )
        if without_policy:
            self.could_not_check(
                f"{without_policy} margin calls: no risk policy says from which ratio accounts are called"
            )

    def _report(self, call: RecordedCall) -> None:
        states = {"within": "below the margin call ratio", "call": "at or over the margin call ratio"}
        state = states.get(call.level or "", "at or over the liquidation boundary")
        rebuilt = state if call.level is not None else "without a position"
        was = "was called for margin" if call.kind == "issued" else "was said to have met its margin call"
        self.report(
            UNJUSTIFIED,
            f"{unit_name(call.unit)} {was} while it was {rebuilt}",
            account=call.unit.account,
            instrument=_instrument(call),
            sequence=call.sequence,
            evidence=(call.sequence, *(() if call.policy is None else (call.policy.sequence,))),
            recorded="called" if call.kind == "issued" else "cured",
            rebuilt=rebuilt,
        )


def _instrument(call: RecordedCall) -> str | None:
    return None if call.unit.position is None else call.unit.position[0]
