"""``ledger append``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Session, accept_restore_option, ledger_command
from ledger.importers.draft_file import DraftFile, clock_accepted


@ledger_command("append")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Check every line, record nothing.")
@click.option(
    "--accept-clock",
    metavar="REASON",
    help="Append although the newest event is ahead of the database clock; recorded as ClockSynchronised.",
)
@accept_restore_option
def append(
    session: Session, *, file: Path, dry_run: bool, accept_clock: str | None, accept_restore: str | None
) -> None:
    """Record the drafts in FILE (one JSON object a line; - is stdin), in the order of the lines.

    Every line is checked first; a file with a bad line is refused whole. A line with an id that is
    recorded already, with the same content, is not recorded again.
    """
    with DraftFile.open(file) as drafts:
        lines, without_id = drafts.validate()
        if without_id:
            session.tell(
                f"warning: {without_id} of {lines} lines have no id: they get random ones, and a "
                "repeat of this append would not be recognised"
            )
        document = {"schema": "ledger.append/1", "dry_run": dry_run, "lines": lines, "without_id": without_id}
        if dry_run:
            nothing = {"appended": 0, "already_recorded": 0, "first_sequence": None, "last_sequence": None}
            session.emit(
                {**document, **nothing}, f"{lines} lines are in order; nothing was recorded (--dry-run)."
            )
            return
        with session.ledger(writing=True, accept_restore=accept_restore) as ledger:
            if accept_clock is not None:
                clock_accepted(ledger, accept_clock)
            result = drafts.record(ledger, session.progress())
    where = (
        ""
        if result.first_sequence is None
        else f", sequences {result.first_sequence} to {result.last_sequence}"
    )
    session.emit(
        {
            **document,
            "appended": result.appended,
            "already_recorded": result.already_recorded,
            "first_sequence": result.first_sequence,
            "last_sequence": result.last_sequence,
        },
        f"{result.appended} events recorded{where}; {result.already_recorded} were recorded already.",
    )
