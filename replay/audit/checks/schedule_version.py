"""Was a liquidation decided under the margin schedule in force?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from replay.audit.check import Check, FindingKind
from replay.audit.terms import moment_of
from replay.audit.units import unit_positions
from replay.findings import Severity
from replay.state.records import Account
from replay.state.schedules import in_force, of_mode

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from ledger.events.liquidations import LiquidationStarted
    from replay.audit.facts import Facts
    from replay.state.schedules import MarginSchedule
    from replay.state.venue_state import VenueState

WRONG = FindingKind(
    "schedule_version_wrong",
    Severity.ERROR,
    "A LiquidationStarted names in `schedule_event` another event than the margin schedule that was in "
    "force at the decision for its instrument or, where it names none, for one of the instruments of what "
    "is liquidated. Evidence: the LiquidationStarted, the schedules in force, and the one it names where "
    "that is a recorded one of these instruments.",
)


class ScheduleVersion(Check):
    """Compares the schedule that a decision names with the ones in force."""

    name = "schedule_version_wrong"
    kinds = (WRONG,)
    event_types = frozenset({"LiquidationStarted"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._unknown = 0

    def before(self, state: VenueState, event: Event) -> None:
        """Look at a decision with the schedules that it met."""
        started = cast("LiquidationStarted", event.data)
        if started.schedule_event is None:
            return
        instruments = self._instruments(started)
        recorded = [each for name in instruments for each in state.margin_schedules.get(name, ())]
        if not recorded:
            self._unknown += 1
            return
        moment = moment_of(state, event)
        account = state.accounts.get(started.account, Account(started.account))
        versions = [
            in_force(
                of_mode(
                    state.margin_schedules.get(name, ()), portfolio=account.margin_mode(name) == "portfolio"
                ),
                moment,
            )
            for name in instruments
        ]
        valid = [each for each in versions if each is not None]
        if any(each.event_id == started.schedule_event for each in valid):
            return
        named = [each for each in recorded if each.event_id == started.schedule_event]
        self.report(
            WRONG,
            f"liquidation {started.liquidation} of {started.account} names {_name(named)} as its margin "
            f"schedule; in force for {', '.join(instruments)} was {_name(valid)}",
            account=started.account,
            instrument=instruments[0] if len(instruments) == 1 else None,
            sequence=event.sequence,
            evidence=(event.sequence, *(each.sequence for each in (*valid, *named))),
            recorded=str(started.schedule_event),
            rebuilt=str(valid[0].event_id) if len(valid) == 1 else None,
        )

    def _instruments(self, started: LiquidationStarted) -> list[str]:
        if started.instrument is not None:
            return [started.instrument]
        judgement = self.facts.liquidations.begun[started.liquidation].judgement
        return sorted(
            {
                each.instrument
                for unit in judgement.units
                for each in unit_positions(judgement.margin, unit.position)
            }
        )

    def finish(self, _state: VenueState) -> None:
        """Say how many decisions name a schedule of what has none in the ledger."""
        if self._unknown:
            self.could_not_check(
                f"{self._unknown} decisions name a margin schedule, and none of what they are of is recorded"
            )


def _name(schedules: list[MarginSchedule]) -> str:
    sequences = ", ".join(str(each.sequence) for each in schedules)
    return f"sequence {sequences}" if schedules else "none of the recorded ones"
