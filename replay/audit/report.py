"""What an audit concludes: the document of ``replay audit --json``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replay.audit.latency import LatencyDistribution
from replay.findings import Severity

if TYPE_CHECKING:
    from ledger.canonical import JsonObject
    from replay.audit.check import NotChecked
    from replay.audit.liquidation import AuditedLiquidation
    from replay.findings import Finding

AUDIT_SCHEMA: Final = "replay.audit/1"


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The conclusions of one audit.

    Attributes:
        events: how many were folded.
        sequence: the last of them; -1 where there were none.
        checks: names of the checks that ran.
        findings: by the sequence that they are about, those about none last.
        liquidations: in sequence order.
        not_checked: what the checks could not look at, and why.
        events_reported: how many of the events lie in the part that is reported on.
    """

    events: int
    sequence: int
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    liquidations: tuple[AuditedLiquidation, ...]
    not_checked: tuple[NotChecked, ...]
    events_reported: int

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error: the command's exit code 1."""
        return self.has(Severity.ERROR)

    def has(self, severity: Severity) -> bool:
        """Tell whether any finding has this severity."""
        return any(finding.severity is severity for finding in self.findings)

    @property
    def latency(self) -> LatencyDistribution:
        """From breaches to decisions (solvency engine latency).

        Of every first liquidation in its breach, where that did not begin in a cooldown: what waits for
        the end of one does not show how fast the engine is.
        """
        return LatencyDistribution.of(
            each.latency_seconds
            for each in self.liquidations
            if each.latency_seconds is not None and each.latency_counts
        )

    def counts(self) -> dict[str, int]:
        """Return the number of findings by code."""
        return dict(sorted(Counter(finding.code for finding in self.findings).items()))

    def document(self) -> JsonObject:
        """Return the report as ``replay audit --json`` prints it."""
        return {
            "schema": AUDIT_SCHEMA,
            "events": self.events,
            "events_reported": self.events_reported,
            "sequence": self.sequence,
            "checks": list(self.checks),
            "findings": [finding.json_value() for finding in self.findings],
            "liquidations": [liquidation.json_value() for liquidation in self.liquidations],
            "latency": self.latency.json_value(),
            "not_checked": [each.json_value() for each in self.not_checked],
        }
