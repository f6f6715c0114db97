"""``ledger timestamp check``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.timestamp.checkpoints import checkpoint_option, named_checkpoint
from ledger.cli.trust_options import verified_timestamp
from ledger.clock import format_time

NOT_CHECKED = "revocation of the authority's certificate, and the log's signature (ledger verify)"


@ledger_command("check")
@click.argument("token", type=click.Path(path_type=Path, dir_okay=False))
@checkpoint_option
@click.option(
    "--tsa-root", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
    help="Certificates of the timestamp authority that you trust (PEM or DER).",
)  # fmt: skip
def check(session: Session, *, token: Path, checkpoint_file: Path | None, tsa_root: Path) -> None:
    """Check that a token shows that a signed checkpoint existed at its time.

    Exits 3 where it does not. With --checkpoint no database is needed.
    """
    note, checkpoint = named_checkpoint(session, checkpoint_file)
    found = verified_timestamp(token, tsa_root, note, checkpoint)
    session.emit(
        {
            "schema": "ledger.timestamp-check/1",
            "ok": True,
            "origin": checkpoint.origin,
            "tree_size": checkpoint.size,
            "time": format_time(found.time),
            "latest": format_time(found.latest),
            "authority": found.authority,
            "accuracy_microseconds": found.accuracy_microseconds,
            "not_checked": [
                "revocation of the authority's certificate",
                "the log's signature (ledger verify)",
            ],
        },
        f"The checkpoint of {checkpoint.size} events of {checkpoint.origin} was signed before "
        f"{format_time(found.latest)}, says {found.authority}.\n"
        f"not checked: {NOT_CHECKED}",
    )
