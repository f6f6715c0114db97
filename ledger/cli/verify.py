"""``ledger verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.cli.common import Session, ledger_command
from ledger.errors import ExitCode

if TYPE_CHECKING:
    from ledger.verify import VerifyReport


@ledger_command("verify")
def verify(session: Session) -> int:
    """Check every event: form, hash, link, place, derived columns, index, and the tree's root.

    Exits 3 and names the first bad event where something does not hold.
    """
    from ledger.verify import verify_database

    with session.settings.existing_database() as url:
        report = verify_database(url, session.progress())
    session.emit(report.document(), _words(report))
    return ExitCode.OK if report.ok else ExitCode.INTEGRITY_BROKEN


def _words(report: VerifyReport) -> str:
    document = report.document()
    lines = [
        f"{report.origin}: {report.events} events, newest {report.head_sequence}",
        f"head hash  {report.head_hash.hex()}",
        f"tree root  {document['root_hash']}",
        *(f"  {'ok    ' if held else 'BROKEN'} {name}" for name, held in report.checks.items()),
    ]
    for failure in report.failures[:20]:
        where = "ledger" if failure.sequence is None else f"sequence {failure.sequence}"
        lines.append(f"{where}: {failure.check}: expected {failure.expected}, found {failure.actual}")
    if report.failure_count > 20:
        lines.append(f"… and {report.failure_count - 20} more")
    lines += [f"not checked: {what}" for what in report.not_checked]
    lines.append("The chain holds." if report.ok else "The chain is BROKEN.")
    return "\n".join(lines)
