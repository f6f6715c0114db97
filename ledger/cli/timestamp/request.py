"""``ledger timestamp request``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.timestamp.checkpoints import checkpoint_option, named_checkpoint
from ledger.outside.writing import write_file
from ledger.timestamp import make_request
from ledger.trust import stamped_bytes


@ledger_command("request")
@checkpoint_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
    help="Where to write the request (.tsq), to be sent to an authority.",
)  # fmt: skip
@click.option(
    "--data-out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the stamped bytes, too: the checkpoint with the log's own signatures, for openssl ts.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--dry-run", is_flag=True, help="Say what would be stamped, write nothing.")
def request(
    session: Session,
    *,
    checkpoint_file: Path | None,
    out: Path,
    data_out: Path | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Make the request for a timestamp over a signed checkpoint; only a hash goes out.

    ledger checkpoint --tsa URL asks, checks and keeps in one step.
    """
    note, checkpoint = named_checkpoint(session, checkpoint_file)
    message = stamped_bytes(note, checkpoint)
    if not dry_run:
        write_file(out, make_request(message), force=force)
        if data_out is not None:
            write_file(data_out, message, force=force)
    session.emit(
        {
            "schema": "ledger.timestamp-request/1",
            "dry_run": dry_run,
            "origin": checkpoint.origin,
            "tree_size": checkpoint.size,
            "file": str(out),
        },
        f"Request over the checkpoint of {checkpoint.size} events of {checkpoint.origin} in {out}.\n"
        f"Next: ledger timestamp store REPLY --request {out}",
    )
