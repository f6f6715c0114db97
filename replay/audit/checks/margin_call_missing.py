"""Was everyone called for margin who had to be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.audit.terms import unit_name
from replay.findings import Severity

if TYPE_CHECKING:
    from datetime import datetime

    from replay.audit.calls import CallPeriod
    from replay.state.venue_state import VenueState

MISSING = FindingKind(
    "margin_call_missing",
    Severity.ERROR,
    "An account, or an isolated position, was at or over the policy's margin call ratio and within the "
    "liquidation boundary, without interruption for longer than the engine may take "
    "(`engine_max_latency_seconds` of the policy in force when that began, or `--max-latency`; 60 seconds "
    "where neither is known), and no MarginCallIssued for it came in that time, nor was one still open from "
    "before. Evidence: the event that began it with the marks, schedules and policy that it was judged by, "
    "and the event that ended it.",
)


class MarginCallMissing(Check):
    """Reports periods in call that nothing answered."""

    name = "margin_call_missing"
    kinds = (MISSING,)

    @exact()
    def finish(self, state: VenueState) -> None:
        """Look at the periods that ended, and at those that last."""
        calls = self.facts.calls
        for each in calls.unanswered:
            if each.ended_at is not None:
                self._look(each, each.ended_at)
        for each in calls.lasting():
            self._look(each, state.occurred_at)
        if not state.risk_policies:
            holders = sum(
                any(position.quantity for position in account.positions.values())
                for account in state.accounts.values()
            )
            if holders:
                self.could_not_check(
                    f"no risk policy is recorded: nothing says when the {holders} accounts that hold "
                    "positions are to be called"
                )

    def _look(self, period: CallPeriod, until: datetime) -> None:
        lasted = exact_seconds(until - period.began_at)
        grace = self.facts.grace(period.policy)
        if lasted <= grace:
            return
        unit = period.unit
        end = "to the end" if period.ended is None else f"until sequence {period.ended}"
        self.report(
            MISSING,
            f"{unit_name(unit)} was at or over the margin call ratio from sequence {period.sequence} {end}, "
            f"for {format_exact(lasted)} s, and was not called; {format_exact(grace)} s are allowed",
            account=unit.account,
            instrument=None if unit.position is None else unit.position[0],
            sequence=period.sequence,
            evidence=(*period.evidence, *(() if period.ended is None else (period.ended,))),
            recorded="not called",
            rebuilt="margin_call",
        )
