"""``ledger demo``, which the ``ledger`` command finds through the entry point ``ledger.commands``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, ledger_command
from ledger.errors import ExitCode
from ledger.progress import SILENT

if TYPE_CHECKING:
    from ledger.progress import Progress
    from replay.demo import Demo

EXPORT_FOLDER = Path("ledger-demo-export")


@ledger_command("demo")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Draw another day (default: 7).")
@click.option(
    "--export-to",
    type=click.Path(path_type=Path),
    default=EXPORT_FOLDER,
    show_default=True,
    metavar="DIR",
    help="Where the evidence bundle goes; it must not exist.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and record nothing.")
def demo(session: Session, *, seed: int | None, export_to: Path, dry_run: bool) -> int:
    """Record a small venue's day with a crash, then verify, replay, audit, add up and export it.

    Takes ten to twenty seconds. The ledger stays where it is, for every other command to look at. A ledger
    that holds anything but its opening is refused and left as it is.
    """
    from ledger.store.database import displayed_url
    from replay.demo import Demo, check_export_folder, empty_ledger
    from replay.venue.demo import DEMO_DATE, DEMO_SEED

    check_export_folder(export_to)
    drawn = DEMO_SEED if seed is None else seed
    with session.settings.database() as url:
        document: dict[str, Any] = {
            "schema": "ledger.demo/1",
            "database_url": displayed_url(url),
            "seed": drawn,
            "day": DEMO_DATE.isoformat(),
            "export": str(export_to),
            "dry_run": dry_run,
        }
        if dry_run:
            session.emit(
                document,
                f"Would record a venue's day in {displayed_url(url)} if there is no ledger or an empty one,\n"
                f"and export it to {export_to}.",
            )
            return ExitCode.OK
        with empty_ledger(url, session.checkpoints()) as ledger:
            run = Demo(ledger, drawn, _status(session))
            return _tell(session, run, {**document, "origin": ledger.origin}, export_to)


class _Status:
    """One line that says what is going on, and goes away again."""

    def __init__(self) -> None:
        self._label = ""

    def start(self, total: int | None, label: str) -> None:
        """Show the line."""
        del total
        self.finish()
        self._label = f"   {label} …"
        click.echo(f"\r{self._label}", err=True, nl=False)

    def advance(self, steps: int) -> None:
        """Leave it as it is: no step takes long."""

    def finish(self) -> None:
        """Take the line away."""
        click.echo(f"\r{' ' * len(self._label)}\r", err=True, nl=False)
        self._label = ""


def _status(session: Session) -> Progress:
    return _Status() if sys.stderr.isatty() and not session.as_json else SILENT


def _tell(session: Session, run: Demo, document: dict[str, Any], export_to: Path) -> int:
    """Take one step after the other and say what each shows as soon as it is known."""
    from replay.cli import demo_words as words
    from replay.demo import story_document

    def say(text: str) -> None:
        if not session.as_json:
            click.echo(text)

    story, recorded = run.record()
    say(words.recorded(story, document))
    verified = run.verify()
    say(words.verified(verified))
    audited = run.audit()
    replayed = run.replay(audited)
    say(words.replayed(replayed))
    say(words.audited(audited))
    venue = run.solvency()
    say(words.solvency(venue))
    exported, checked = run.export(export_to)
    say(words.exported(exported, checked, export_to))
    ok = verified.ok and checked.ok and not audited.has_errors and venue.solvent is True
    say(words.ending(story, audited, session.settings, document, export_to, ok=ok))
    if session.as_json:
        before = replayed.before_liquidation
        session.emit(
            {
                **document,
                "ok": ok,
                "recorded": {
                    "appended": recorded.appended,
                    "first_sequence": recorded.first_sequence,
                    "last_sequence": recorded.last_sequence,
                },
                "story": story_document(story),
                "verify": verified.document(),
                "replay": {
                    "processed_sequence": replayed.updated.progress.processed_sequence,
                    "accounts": replayed.updated.accounts,
                    "before_first_liquidation": None if before is None else before.json_value(),
                },
                "audit": audited.document(),
                "venue": venue.document(),
                "export": exported.document(),
                "check_bundle": checked.document(),
            },
            "",
        )
    if not (verified.ok and checked.ok):
        return ExitCode.INTEGRITY_BROKEN
    return ExitCode.OK if ok else ExitCode.NEGATIVE_VERDICT
