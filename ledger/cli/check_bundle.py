"""``ledger check-bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.errors import ExitCode

if TYPE_CHECKING:
    from ledger.report import BundleReport

FAILURES_SHOWN = 20


@ledger_command("check-bundle")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--expect-root", metavar="BASE64", help="The tree root that the bundle must have, from elsewhere."
)
@click.option("--expect-head", metavar="HEX", help="The hash that its last event must have, from elsewhere.")
def check_bundle(
    session: Session, *, directory: Path, expect_root: str | None, expect_head: str | None
) -> int:
    """Check an evidence bundle offline: its files, every event, the chain, and the tree's root.

    Nothing in the bundle is executed or trusted. Without a root or head from elsewhere a bundle can
    only be shown to agree with itself. Exits 3 where something does not hold.
    """
    from ledger.export.check import check_bundle as check

    report = check(
        directory, expected_root=expect_root, expected_head=expect_head, progress=session.progress()
    )
    session.emit(report.document(), _words(report))
    return ExitCode.OK if report.ok else ExitCode.INTEGRITY_BROKEN


def _words(report: BundleReport) -> str:
    document = report.document()
    lines = [
        f"{document['origin'] or 'no manifest'}: {report.events} events, newest {report.head_sequence}",
        f"head hash  {document['head']['hash']}",
        f"tree root  {document['root_hash']}",
        *(f"  {'ok    ' if held else 'BROKEN'} {name}" for name, held in report.checks.items()),
    ]
    for failure in document["failures"][:FAILURES_SHOWN]:
        places = (failure["file"], None if failure["sequence"] is None else f"sequence {failure['sequence']}")
        where = ", ".join(filter(None, places)) or "bundle"
        lines.append(
            f"{where}: {failure['check']}: expected {failure['expected']}, found {failure['actual']}"
        )
    if report.failure_count > FAILURES_SHOWN:
        lines.append(f"… and {report.failure_count - FAILURES_SHOWN} more")
    lines += [f"warning: {warning}" for warning in report.warnings]
    lines += [f"not checked: {what}" for what in report.not_checked]
    lines.append("The bundle holds." if report.ok else "The bundle is BROKEN.")
    return "\n".join(lines)
