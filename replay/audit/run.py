"""Run the audit: one streaming fold, with every check looking on."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ledger.amounts import exact
from replay.audit.check import NotChecked
from replay.audit.cooldown import PartialSteps
from replay.audit.facts import Facts
from replay.audit.place import Everywhere, Places
from replay.audit.reckoning import reckon
from replay.audit.registry import select_checks, selected_codes
from replay.audit.report import AuditReport
from replay.fold import EVERYTHING, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.audit.check import Check
    from replay.audit.place import Place
    from replay.findings import Finding
    from replay.fold import Cut, Order, Resolve
    from replay.state.venue_state import VenueState

NOT_COMPARED = frozenset(
    {
        "StateCommitted",
    }
)
"""Event types that assert something which no check compares with what is rebuilt yet."""


def audit(
    events: Iterable[Event],
    *,
    checks: Sequence[str] = (),
    account: str | None = None,
    cut: Cut = EVERYTHING,
    order: Order = "sequence",
    resolve: Resolve | None = None,
    max_latency_seconds: Decimal | None = None,
    since: Place | None = None,
    until: Place | None = None,
) -> AuditReport:
    """Fold events from the beginning and return what the checks conclude.

    In sequence order memory grows with the state, the liquidations and the findings, not with the
    number of events.

    Args:
        events: recorded events in sequence order, from the first.
        checks: names of checks or codes of findings; all checks if none is given.
        account: report what is about this account only; every event is folded all the same.
        cut: which events are folded.
        order: as in :func:`replay.fold.fold`.
        resolve: looks a recorded event up by its id, for corrections.
        max_latency_seconds: how long the engine may take to act; None leaves it to the policy in force.
        since: report only what is about this sequence or later ones, or about what occurred at this time
            or later; every event is folded all the same, and what is about no event is reported anyway.
        until: likewise, through this sequence or time.

    Raises:
        InvalidInputError: there is no such check.
    """
    facts = Facts(max_latency_seconds=max_latency_seconds)
    places = Everywhere() if since is None and until is None else Places(since, until)
    running = _Running(facts, [check(facts) for check in select_checks(checks)], places)
    codes = selected_codes(checks)
    result = fold(
        events, cut=cut, order=order, before=(running.before,), after=(running.after,), resolve=resolve
    )
    return running.conclude(result.state, result.events, codes, account)


class _Running:
    """The checks of one audit, called for the event types that each watches."""

    def __init__(self, facts: Facts, checks: list[Check], places: Places) -> None:
        self._facts = facts
        self._places = places
        self._checks = checks
        self._assertions: Counter[str] = Counter()
        self._everything = [check for check in checks if check.event_types is None]
        self._by_type: dict[str, list[Check]] = defaultdict(lambda: self._everything)
        for event_type in {name for check in checks for name in check.event_types or ()}:
            self._by_type[event_type] = [
                check for check in checks if check.event_types is None or event_type in check.event_types
            ]

    def before(self, state: VenueState, event: Event) -> None:
        self._places.see(event)
        self._facts.before(state, event)
        for check in self._by_type[event.type]:
            check.before(state, event)

    def after(self, state: VenueState, event: Event) -> None:
        self._facts.after(state, event)
        if event.type in NOT_COMPARED:
            self._assertions[event.type] += 1
        for check in self._by_type[event.type]:
            check.after(state, event)

    @exact()
    def conclude(
        self, state: VenueState, events: int, codes: frozenset[str], account: str | None
    ) -> AuditReport:
        steps = PartialSteps(self._facts.liquidations.cases)
        liquidations = [reckon(case, steps) for case in self._facts.liquidations.cases]
        for check in self._checks:
            for liquidation in liquidations:
                check.liquidation(liquidation)
            check.finish(state)
        findings = [finding for check in self._checks for finding in check.findings if finding.code in codes]
        if account is not None:
            findings = [finding for finding in findings if finding.account == account]
            liquidations = [each for each in liquidations if each.account == account]
        findings = [each for each in findings if each.sequence is None or self._places.holds(each.sequence)]
        liquidations = [each for each in liquidations if self._places.holds(each.sequence)]
        return AuditReport(
            events=events,
            sequence=state.sequence,
            checks=tuple(check.name for check in self._checks),
            findings=tuple(sorted(findings, key=_place)),
            liquidations=tuple(liquidations),
            events_reported=self._places.count,
            not_checked=(
                *(each for check in self._checks for each in check.not_checked),
                *(
                    NotChecked("assertions", f"{count} {name} were not compared with what is rebuilt")
                    for name, count in sorted(self._assertions.items())
                ),
            ),
        )


def _place(finding: Finding) -> tuple[bool, int, str, str]:
    return (finding.sequence is None, finding.sequence or 0, finding.code, finding.account or "")
