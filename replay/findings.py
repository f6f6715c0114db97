"""What an audit concludes: data, returned and never raised."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.canonical import JsonObject


class Severity(StrEnum):
    """How much a finding weighs; ``error`` is a negative verdict about the world."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion with what proves it.

    Attributes:
        code: the documented name of the kind of finding.
        severity: how much it weighs.
        message: what differs, in one sentence with its numbers.
        account: whom it is about, or None.
        instrument: which instrument it is about, or None.
        sequence: the event it is about, or None where it is about an absence.
        evidence: sequences of the events that prove it, in rising order.
        recorded: what the ledger says, as text, or None.
        rebuilt: what replay says, as text, or None.
    """

    code: str
    severity: Severity
    message: str
    account: str | None = None
    instrument: str | None = None
    sequence: int | None = None
    evidence: tuple[int, ...] = ()
    recorded: str | None = None
    rebuilt: str | None = None

    def json_value(self) -> JsonObject:
        """Return the finding as ``replay audit --json`` prints it; what is unknown is null."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "account": self.account,
            "instrument": self.instrument,
            "sequence": self.sequence,
            "evidence": list(self.evidence),
            "recorded": self.recorded,
            "rebuilt": self.rebuilt,
            "message": self.message,
        }
