"""``replay solvency verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.trust_options import Trust, checkpoints_option, given_checkpoints, trust_options
from ledger.errors import ExitCode, InvalidInputError
from replay.cli.solvency.options import expected_options, stamped_at
from replay.cli.solvency.words import asset_table, attested_lines, totals_lines
from replay.cli.text import moment

if TYPE_CHECKING:
    from replay.commitments import ProofReport
    from replay.solvency import Expected

FAILURES_SHOWN = 20


@ledger_command("verify")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--ledger", "with_ledger", is_flag=True, help="Read every event and compute all of it anew; compare."
)
@checkpoints_option("With --ledger: a checkpoint that you kept, which the events have to be under, too.")
@expected_options
@trust_options
def verify(
    session: Session,
    *,
    directory: Path,
    with_ledger: bool,
    checkpoint_files: tuple[Path, ...],
    expected: Expected,
    trust: Trust,
) -> int:
    """Verify a proof of solvency: signatures, the commitment's place in the log, roots, sums, reserves.

    Without --ledger it needs no database and does not say whether liabilities are what the events come to.
    Whether what is attested is there, no proof says.

    Exits 3 where something does not hold, 4 where --ledger cannot compute anew because the proof is by
    rules of another version, and 1 where all holds and liabilities are not covered.
    """
    from replay.commitments import ProofFolder, verify_proof

    policy = trust.policy()
    if checkpoint_files and not with_ledger:
        raise InvalidInputError("a kept checkpoint is compared with events", next_step="give --ledger, too")
    folder = ProofFolder(directory)
    stamped = stamped_at(trust, folder.inclusion)
    if not with_ledger:
        report = verify_proof(folder, policy, expected=expected, stamped_at=stamped)
    else:
        kept = given_checkpoints(checkpoint_files, trust, stamped=False)
        with session.ledger() as ledger:
            report = verify_proof(
                folder,
                policy,
                expected=expected,
                stamped_at=stamped,
                ledger=ledger,
                kept=kept,
                progress=session.progress(),
            )
    session.emit(report.document(), _words(report))
    if not report.ok:
        return ExitCode.INTEGRITY_BROKEN
    if report.other_rules:
        return ExitCode.ENVIRONMENT
    return ExitCode.NEGATIVE_VERDICT if report.solvent is False else ExitCode.OK


def _words(report: ProofReport) -> str:
    lines = []
    checked = report.checked
    if checked is not None:
        header, trusted = checked.proof.header, checked.in_log.trusted
        lines += [
            f"{header.origin}   state after sequence {header.as_of_sequence}, {moment(header.time)}",
            f"committed at sequence {checked.in_log.sequence}, under the checkpoint of "
            f"{trusted.checkpoint.size} events",
            f"signed by  {', '.join(str(each.key) for each in trusted.log_signatures)}",
            f"witnesses  {', '.join(trusted.witnesses) or 'none that you trust'}",
            "",
            asset_table(checked.liabilities, checked.reserves),
        ]
        if report.ok:
            given = (checked.commitment.totals, header, checked.attestations, report.solvent)
            lines += ["", *totals_lines(*given)]
        lines += [*attested_lines(checked.attestations, header), ""]
    lines += [f"  {'ok    ' if held else 'BROKEN'} {name}" for name, held in report.checks.items()]
    for failure in report.failures[:FAILURES_SHOWN]:
        where = f"{failure.file}: " if failure.file else ""
        lines.append(f"{where}{failure.check}: expected {failure.expected}, found {failure.actual}")
    more = report.failure_count - FAILURES_SHOWN
    lines += [f"… and {more:,} more: --json"] if more > 0 else []
    lines += [f"not checked: {what}" for what in report.not_checked]
    lines.append(_verdict(report))
    return "\n".join(lines)


def _verdict(report: ProofReport) -> str:
    if not report.ok:
        return "The proof does NOT hold: believe none of its figures."
    if report.other_rules:
        return "The proof holds in itself, but was NOT compared with what the events come to."
    return "The proof holds."
