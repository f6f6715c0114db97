"""The verdict on a folder of evidence: a bundle, or a log's tiles."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ledger.chain import Failure

MOST_FAILURES_KEPT = 100
_LONGEST_SHOWN = 400


@dataclass(frozen=True, slots=True)
class FolderFailure:
    """One thing in a folder that does not hold; texts are safe to print.

    Attributes:
        sequence: the event's place, where the failure is about an event.
        check: name of the check.
        expected: what should be there.
        actual: what is there.
        file: name of the file below the folder.
    """

    sequence: int | None
    check: str
    expected: str
    actual: str
    file: str | None = None


@dataclass(slots=True)
class FolderReport:
    """The verdict on a folder.

    Attributes:
        directory: the folder that was checked.
        origin: the log that the folder says it is of, None where that cannot be read.
        events: entries or leaves that were read.
        head_sequence: the last event's place, −1 for none.
        head_hash: its hash.
        root_hash: RFC 9162 root over all of them.
        checks: name of each check and whether it held everywhere.
        not_checked: what this verdict does not say.
        warnings: what does not make the verdict negative and should be known.
        failures: the first hundred things that do not hold.
        failure_count: how many there are.
    """

    schema: ClassVar[str]

    directory: Path
    origin: str | None = None
    events: int = 0
    head_sequence: int = -1
    head_hash: bytes = b""
    root_hash: bytes = b""
    checks: dict[str, bool] = field(default_factory=dict)
    not_checked: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: list[FolderFailure] = field(default_factory=list)
    failure_count: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything that was checked holds."""
        return self.failure_count == 0

    def fail(
        self,
        check: str,
        expected: object,
        actual: object,
        *,
        file: str | None = None,
        sequence: int | None = None,
    ) -> None:
        """Take note of a failure; beyond a hundred they are only counted."""
        self.failure_count += 1
        self.checks[check] = False
        if len(self.failures) < MOST_FAILURES_KEPT:
            shown = None if file is None else printable(file)
            self.failures.append(
                FolderFailure(sequence, check, printable(expected), printable(actual), shown)
            )

    def add(self, failures: Iterable[Failure], file: str) -> None:
        """Take note of what the check of a chain found in a file."""
        for failure in failures:
            self.fail(failure.check, failure.expected, failure.actual, file=file, sequence=failure.sequence)

    def compare(self, check: str, expected: object, actual: object, *, file: str | None = None) -> None:
        """Note that a check was made, and a failure where two values differ."""
        self.checks.setdefault(check, True)
        if expected != actual:
            self.fail(check, expected, actual, file=file)

    def document(self) -> dict[str, Any]:
        """Return the verdict as a JSON document."""
        return {
            "schema": self.schema,
            "ok": self.ok,
            "directory": printable(self.directory),
            "origin": self.origin,
            "events": self.events,
            "head": {"sequence": self.head_sequence, "hash": self.head_hash.hex()},
            "root_hash": base64.b64encode(self.root_hash).decode("ascii"),
            "checks": self.checks,
            "not_checked": self.not_checked,
            "warnings": self.warnings,
            "failures": [
                {
                    "sequence": f.sequence,
                    "check": f.check,
                    "expected": f.expected,
                    "actual": f.actual,
                    "file": f.file,
                }
                for f in self.failures
            ],
            "failure_count": self.failure_count,
        }


@dataclass(slots=True)
class BundleReport(FolderReport):
    """The verdict on an evidence bundle; document ``ledger.check-bundle/1``."""

    schema = "ledger.check-bundle/1"


def printable(value: object) -> str:
    """Return text of a stranger's choosing so that it can be printed and encoded, and is not endless."""
    text = str(value)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
