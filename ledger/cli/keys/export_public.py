"""``ledger keys export-public``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.keys.documents import SCHEMA, key_documents, purpose_option
from ledger.errors import NotFoundError
from ledger.outside.writing import write_file

if TYPE_CHECKING:
    from ledger.outside.keyring import Purpose


@ledger_command("export-public")
@purpose_option
@click.option("--retired", is_flag=True, help="Those that sign no more, too.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="A file (default: stdout)."
)
@click.option("--force", is_flag=True, help="Replace FILE.")
def export_public(
    session: Session, *, purpose: Purpose, retired: bool, out: Path | None, force: bool
) -> None:
    """Print the public keys as text, one a line, to be published and given as --trusted-key."""
    keys = [key for key in session.keyring().find(purpose) if retired or key.state == "current"]
    if not keys:
        raise NotFoundError(
            f"there is no {purpose} key in {session.keyring().folder}",
            next_step=f"ledger keys generate --purpose {purpose}",
        )
    text = "\n".join(key.verifier.encode() for key in keys)
    if out is not None:
        write_file(out, f"{text}\n".encode(), force=force)
        text = f"{len(keys)} public keys are in {out}"
    session.emit({"schema": SCHEMA, "keys": key_documents(keys), "file": out and str(out)}, text)
