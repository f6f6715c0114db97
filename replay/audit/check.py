"""What a check is: a small class that reads the fold and reports findings of documented kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from replay.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.canonical import JsonObject
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.audit.liquidation import AuditedLiquidation
    from replay.state.venue_state import VenueState


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A documented kind of finding.

    Attributes:
        code: its name, unique among all checks.
        severity: the usual one; ``description`` says where another is used.
        description: what it means, when it is reported and what its evidence is, in whole sentences.
    """

    code: str
    severity: Severity
    description: str


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that a check could not look at.

    Attributes:
        check: the check's name.
        reason: what is not in the ledger, with numbers.
    """

    check: str
    reason: str

    def json_value(self) -> JsonObject:
        """Return it as JSON."""
        return {"check": self.check, "reason": self.reason}


class Check:
    """Base of all checks: hooks that the audit calls, and :meth:`report` for what they conclude.

    A check reads the state and never changes it. It keeps no more than it needs until it can
    conclude, so that memory does not grow with the number of events.

    Attributes:
        name: by which ``replay audit --check`` selects it.
        kinds: the kinds of findings it reports.
        event_types: for which event types :meth:`before` and :meth:`after` are called; None is all.
        findings: what it concluded so far.
        not_checked: what it could not look at.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[FindingKind, ...]]
    event_types: ClassVar[frozenset[str] | None] = frozenset()

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.findings: list[Finding] = []
        self.not_checked: list[NotChecked] = []

    def before(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it meets."""

    def after(self, state: VenueState, event: Event) -> None:
        """See an event with the state that it leaves."""

    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """See a liquidation together with all its fills; called at the end, in sequence order."""

    def finish(self, state: VenueState) -> None:
        """See the state after the last event."""

    def report(
        self,
        kind: FindingKind,
        message: str,
        *,
        severity: Severity | None = None,
        account: str | None = None,
        instrument: str | None = None,
        sequence: int | None = None,
        evidence: Iterable[int] = (),
        recorded: str | None = None,
        rebuilt: str | None = None,
    ) -> None:
        """Add a finding; its evidence is sorted, each sequence once."""
        self.findings.append(
            Finding(
                code=kind.code,
                severity=severity or kind.severity,
                message=message,
                account=account,
                instrument=instrument,
                sequence=sequence,
                evidence=tuple(sorted(set(evidence))),
                recorded=recorded,
                rebuilt=rebuilt,
            )
        )

    def could_not_check(self, reason: str) -> None:
        """Say what was not looked at."""
        self.not_checked.append(NotChecked(self.name, reason))
