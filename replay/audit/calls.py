"""Margin calls: which units are at or over the margin call ratio, since when, and who was called or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from replay.audit.terms import moment_of, open_positions
from replay.audit.units import Level, Unit, judged_by
from replay.state.records import Account
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.events.envelope import Event
    from ledger.events.liquidations import MarginCallCured, MarginCallIssued
    from replay.margin import AccountMargin
    from replay.state.schedules import RiskPolicy
    from replay.state.venue_state import VenueState

_CALLABLE: frozenset[Level | None] = frozenset({"call", "over"})


@dataclass(frozen=True, slots=True)
class CallPeriod:
    """A unit at or over the margin call ratio and within the liquidation boundary, without interruption.

    Attributes:
        sequence: the first event after which it was.
        began_at: of that event.
        policy: the risk policy in force then.
        evidence: that event, the marks, schedules and policy that it was judged by.
        issued: the MarginCallIssued that answered it, or one that was open before.
        ended: the event after which it was not in call any more; None if it lasts to the end.
        ended_at: of that event.
    """

    unit: Unit
    sequence: int
    began_at: datetime
    policy: RiskPolicy | None
    evidence: tuple[int, ...]
    issued: int | None = None
    ended: int | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A MarginCallIssued or MarginCallCured, with what rebuilt state says of the unit at that moment.

    Attributes:
        level: of the unit just before; None where it holds nothing.
        policy: the risk policy in force; None where none is recorded.
        period: the period in which a MarginCallIssued comes, as it was before; where there is one.
    """

    kind: Literal["issued", "cured"]
    unit: Unit
    sequence: int
    occurred_at: datetime
    level: Level | None
    policy: RiskPolicy | None
    period: CallPeriod | None


class CallLog:
    """Keeps unanswered periods and every recorded call; memory grows with their number alone."""

    def __init__(self) -> None:
        self.recorded: list[RecordedCall] = []
        self.unanswered: list[CallPeriod] = []
        self._levels: dict[Unit, Level] = {}
        self._periods: dict[Unit, CallPeriod] = {}
        self._open_calls: dict[Unit, int] = {}

    def lasting(self) -> list[CallPeriod]:
        """Return the periods that no call has answered and nothing has ended."""
        return [period for period in self._periods.values() if period.issued is None]

    def changed(
        self, unit: Unit, now: Level | None, event: Event, state: VenueState, margin: AccountMargin | None
    ) -> None:
        """Begin a period where a unit is in call, and end the one it was in."""
        if now is None:
            self._levels.pop(unit, None)
            self._open_calls.pop(unit, None)
        else:
            self._levels[unit] = now
        period = self._periods.pop(unit, None)
        if period is not None and period.issued is None and now != "undetermined":
            ended_at = max(event.occurred_at, period.began_at)
            self.unanswered.append(replace(period, ended=event.sequence, ended_at=ended_at))
        if now == "call" and margin is not None:
            evidence = (event.sequence, *judged_by(margin, unit.position, state))
            policy = in_force(state.risk_policies, state.occurred_at)
            self._periods[unit] = CallPeriod(
                unit, event.sequence, event.occurred_at, policy, evidence, self._open_calls.get(unit)
            )

    def before(self, state: VenueState, event: Event) -> None:
        """See a call or the end of one, with the state that it meets."""
        if event.type == "MarginCallIssued":
            issued = cast("MarginCallIssued", event.data)
            unit = min(_units(state, issued.account, issued.instrument), key=self._least_called)
            period = self._periods.get(unit)
            if period is not None and period.issued is None:
                self._periods[unit] = replace(period, issued=event.sequence)
            self._open_calls[unit] = event.sequence
            self._record("issued", unit, event, period, state)
        elif event.type == "MarginCallCured":
            cured = cast("MarginCallCured", event.data)
            unit = min(_units(state, cured.account, cured.instrument), key=self._least_in_need)
            self._open_calls.pop(unit, None)
            self._record("cured", unit, event, None, state)

    def _least_called(self, unit: Unit) -> tuple[bool, bool]:
        """Put first, of the two sides of a hedged position, the one that a call is about."""
        return (self._levels.get(unit) not in _CALLABLE, unit in self._open_calls)

    def _least_in_need(self, unit: Unit) -> tuple[bool, bool]:
        """Put first, of the two sides of a hedged position, the one whose call ends."""
        return (unit not in self._open_calls, self._levels.get(unit) in _CALLABLE)

    def _record(
        self,
        kind: Literal["issued", "cured"],
        unit: Unit,
        event: Event,
        period: CallPeriod | None,
        state: VenueState,
    ) -> None:
        level = self._levels.get(unit)
        if level is None and _holds(state, unit):
            level = "undetermined"
        policy = in_force(state.risk_policies, moment_of(state, event))
        self.recorded.append(
            RecordedCall(kind, unit, event.sequence, event.occurred_at, level, policy, period)
        )


def _units(state: VenueState, name: str, instrument: str | None) -> list[Unit]:
    """Return the units that a call can be of: the isolated positions it names, else the cross account.

    A call that names nothing, of an account whose cross part holds nothing, is of the only isolated
    position that is open, where there is just one.
    """
    account = state.accounts.get(name, Account(name))
    if instrument is None and not open_positions(account, None):
        isolated = [key for key in account.positions if account.positions[key].quantity]
        if len(isolated) == 1:
            return [Unit(name, isolated[0])]
    if instrument is None or account.margin_mode(instrument) != "isolated":
        return [Unit(name)]
    open_sides = [
        Unit(name, key)
        for key in sorted(account.positions)
        if key[0] == instrument and account.positions[key].quantity
    ]
    return open_sides or [Unit(name, (instrument, "both"))]


def _holds(state: VenueState, unit: Unit) -> bool:
    """Tell whether a unit holds anything; without a level that is because nobody knows its level."""
    account = state.accounts.get(unit.account, Account(unit.account))
    return bool(open_positions(account, unit.position))
