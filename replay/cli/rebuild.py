"""``replay rebuild``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from ledger.errors import ExitCode, InvalidInputError
from replay.cli.text import moment

if TYPE_CHECKING:
    from replay.store.check import CheckReport
    from replay.store.progress import StoredProgress

DIFFERENCES_SHOWN = 20
DIFFERENCES_PRINTED = 1000


@ledger_command("rebuild")
@click.option("--catch-up", "only_new", is_flag=True, help="Only fold what was recorded since the last time.")
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing; compare what is stored with a fresh fold."
)
def rebuild(session: Session, *, only_new: bool, only_check: bool) -> int:
    """Make the read models in the database anew from the first event, and swap them in.

    Readers see the old ones until the swap, and a rebuild that is interrupted leaves them in place.
    With --check, exits 3 where stored rows are not what the events say.
    """
    from replay.store.catch_up import catch_up
    from replay.store.catch_up import rebuild as rebuild_all
    from replay.store.check import check

    if only_new and only_check:
        raise InvalidInputError(
            "--catch-up and --check do not go together",
            next_step="replay rebuild --catch-up first, then --check",
        )
    with session.ledger() as ledger:
        if only_check:
            report = check(ledger, progress=session.progress())
            session.emit(_check_document(report), _check_words(report))
            return ExitCode.OK if report.ok else ExitCode.INTEGRITY_BROKEN
        updated = (catch_up if only_new else rebuild_all)(ledger, progress=session.progress())
    document = {
        **_progress_document("catch_up" if only_new else "rebuild", updated.progress),
        "events": updated.events,
        "accounts": updated.accounts,
    }
    done = "caught up with" if only_new else "rebuilt from"
    session.emit(
        document,
        f"Read models {done} {updated.events:,} events; {updated.accounts:,} accounts.\n"
        + _where(updated.progress),
    )
    return ExitCode.OK


def _progress_document(mode: str, progress: StoredProgress) -> dict[str, Any]:
    return {
        "schema": "replay.rebuild/1",
        "mode": mode,
        "projection": progress.projection,
        "projection_version": progress.projection_version,
        "processed_sequence": progress.processed_sequence,
        "processed_hash": progress.processed_hash.hex(),
        "priced_sequence": progress.priced_sequence,
        "time": format_time(progress.state_time),
        "updated_at": format_time(progress.updated_at),
    }


def _where(progress: StoredProgress) -> str:
    return f"They hold after sequence {progress.processed_sequence}, {moment(progress.state_time)}."


def _check_document(report: CheckReport) -> dict[str, Any]:
    return {
        **_progress_document("check", report.progress),
        "ok": report.ok,
        "events": report.events,
        "rows": report.rows,
        "difference_count": len(report.differences),
        "differences": [each.json_value() for each in report.differences[:DIFFERENCES_PRINTED]],
    }


def _check_words(report: CheckReport) -> str:
    lines = [
        f"{report.rows:,} rows compared with a fresh fold of {report.events:,} events.",
        _where(report.progress),
    ]
    for each in report.differences[:DIFFERENCES_SHOWN]:
        whose = f"account {each.account}" if each.account is not None else "the venue"
        where = " ".join(filter(None, (each.table, "/".join(each.key), each.column)))
        lines.append(
            f"{whose}: {where}: stored {each.stored or 'nothing'}, folded {each.folded or 'nothing'}"
        )
    more = len(report.differences) - DIFFERENCES_SHOWN
    lines += [f"… and {more:,} more"] if more > 0 else []
    lines.append(
        "The read models are what the events say."
        if report.ok
        else "The read models are NOT what the events say. Next: replay rebuild makes them anew."
    )
    return "\n".join(lines)
