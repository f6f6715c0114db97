"""``ledger verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.trust_options import Trust, checkpoints_option, given_checkpoints, trust_options
from ledger.errors import ExitCode, InvalidInputError

if TYPE_CHECKING:
    from ledger.growth import GivenCheckpoint
    from ledger.verify import VerifyReport
    from ledger.verify.tiles import TilesReport

FAILURES_SHOWN = 20


@ledger_command("verify")
@click.option(
    "--tiles",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Check a folder of tiles (C2SP tlog-tiles) instead of the database; needs --trusted-key.",
)
@checkpoints_option("A checkpoint kept elsewhere, from which the log must have grown; may be repeated.")
@trust_options
def verify(session: Session, *, tiles: Path | None, checkpoint_files: tuple[Path, ...], trust: Trust) -> int:
    """Check every event: form, hash, link, place, derived columns, index, and the tree.

    With --trusted-checkpoint the log is shown to have only grown since it was signed, so that a cut
    tail, an old backup or a rewrite shows. With --tiles no database is needed, and the log may be
    anybody's. Exits 3 and names the first bad place where something does not hold.
    """
    if tiles is None and not checkpoint_files and (trust.demands_signatures or trust.origin is not None):
        raise InvalidInputError(
            "keys, witnesses and timestamps are of signed checkpoints, and none is given to be checked",
            next_step="give the one that you kept: --trusted-checkpoint FILE",
        )
    given = given_checkpoints(checkpoint_files, trust, stamped=tiles is None)
    if tiles is not None:
        return _verify_tiles(session, tiles, given, trust)
    from ledger.verify import verify_database

    with session.settings.existing_database() as url:
        report = verify_database(url, session.progress(), checkpoints=given, kept=session.checkpoints())
    session.emit(report.document(), _words(report))
    return ExitCode.OK if report.ok else ExitCode.INTEGRITY_BROKEN


def _verify_tiles(session: Session, tiles: Path, given: list[GivenCheckpoint], trust: Trust) -> int:
    from ledger.verify.tiles import verify_tiles

    if not trust.log_keys:
        raise InvalidInputError(
            "a folder of tiles can only be shown to agree with itself without a key that you trust",
            place=("--tiles",),
            next_step="give --trusted-key, as the log's operator published it",
        )
    report = verify_tiles(
        tiles, trust.policy(), stamped_at=trust.stamped_at, checkpoints=given, progress=session.progress()
    )
    session.emit(report.document(), _tiles_words(report))
    return ExitCode.OK if report.ok else ExitCode.INTEGRITY_BROKEN


def _words(report: VerifyReport) -> str:
    document = report.document()
    lines = [
        f"{report.origin}: {report.events} events, newest {report.head_sequence}",
        f"head hash  {report.head_hash.hex()}",
        f"tree root  {document['root_hash']}",
        *_checks(report.checks),
    ]
    for failure in report.failures[:FAILURES_SHOWN]:
        where = "ledger" if failure.sequence is None else f"sequence {failure.sequence}"
        lines.append(f"{where}: {failure.check}: expected {failure.expected}, found {failure.actual}")
    return _ended(lines, report.failure_count, report.not_checked, "chain", holds=report.ok)


def _tiles_words(report: TilesReport) -> str:
    document = report.document()
    trusted = report.trusted
    lines = [f"{report.origin or 'no trusted checkpoint'}: {report.events} entries in {report.tiles} tiles"]
    if trusted is not None:
        lines += [
            f"tree root  {document['root_hash']}",
            f"signed by  {', '.join(document['signed_by'])}",
            f"witnesses  {', '.join(trusted.witnesses) or 'none that you trust'}",
        ]
    lines += _checks(report.checks)
    for failure in document["failures"][:FAILURES_SHOWN]:
        places = (failure["file"], None if failure["sequence"] is None else f"sequence {failure['sequence']}")
        where = ", ".join(filter(None, places)) or "folder"
        lines.append(
            f"{where}: {failure['check']}: expected {failure['expected']}, found {failure['actual']}"
        )
    if trusted is None:
        lines += [f"not checked: {each}" for each in report.not_checked]
        lines += [
            "The checkpoint does not stand up to the keys and rules that were given; no more was looked at.",
            "Next: make sure that the keys are those of this log, and its newest; keys are rotated at times.",
        ]
        return "\n".join(lines)
    return _ended(lines, report.failure_count, report.not_checked, "log", holds=report.ok)


def _checks(checks: dict[str, bool]) -> list[str]:
    return [f"  {'ok    ' if held else 'BROKEN'} {name}" for name, held in checks.items()]


def _ended(lines: list[str], failures: int, not_checked: list[str], what: str, *, holds: bool) -> str:
    if failures > FAILURES_SHOWN:
        lines.append(f"… and {failures - FAILURES_SHOWN} more")
    lines += [f"not checked: {each}" for each in not_checked]
    lines.append(f"The {what} holds." if holds else f"The {what} is BROKEN.")
    return "\n".join(lines)
