"""``ledger timestamp store``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.timestamp.checkpoints import checkpoint_option, named_checkpoint
from ledger.clock import format_time
from ledger.errors import EvidenceRefusedError
from ledger.outside.writing import read_small_file, write_file
from ledger.timestamp import check_reply
from ledger.trust import stamped_bytes


@ledger_command("store")
@click.argument("reply", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--request",
    "request_file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The request that was sent.",
)
@checkpoint_option
@click.option("--force", is_flag=True, help="Replace the token that is kept of this checkpoint.")
@click.option("--dry-run", is_flag=True, help="Check the reply, keep nothing.")
def store(
    session: Session,
    *,
    reply: Path,
    request_file: Path,
    checkpoint_file: Path | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Keep an authority's reply beside the kept checkpoint that it is of.

    The reply must answer the request and be over this checkpoint. Who signed it is checked by ledger
    timestamp check, against roots that you trust. A checkpoint that is given counts only if it is the
    kept one: nothing is added to what is kept.
    """
    note, checkpoint = named_checkpoint(session, checkpoint_file)
    data = read_small_file(reply)
    claimed = check_reply(data, stamped_bytes(note, checkpoint), read_small_file(request_file))
    checkpoints = session.checkpoints()
    kept, before = checkpoints.read(checkpoint.origin, checkpoint.size)
    if before != checkpoint or stamped_bytes(kept, before) != stamped_bytes(note, checkpoint):
        raise EvidenceRefusedError(
            "checkpoint",
            "the one that is kept, with the log's signatures on it",
            "another",
            place=str(checkpoint_file),
            next_step="ask for a timestamp of the one that is kept: ledger timestamp request",
        )
    if not dry_run:
        write_file(checkpoints.timestamp_path(checkpoint.origin, checkpoint.size), data, force=force)
    path = checkpoints.timestamp_path(checkpoint.origin, checkpoint.size)
    session.emit(
        {
            "schema": "ledger.timestamp-store/1",
            "dry_run": dry_run,
            "origin": checkpoint.origin,
            "tree_size": checkpoint.size,
            "claimed_time": format_time(claimed.time),
            "file": str(path),
        },
        f"The authority says {format_time(claimed.time)} of the checkpoint of {checkpoint.size} events; "
        f"kept in {path}.\nNext: ledger timestamp check {path} --tsa-root FILE",
    )
