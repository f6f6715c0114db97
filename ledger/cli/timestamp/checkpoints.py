"""Which checkpoint a timestamp is of: a file that is given, or the newest one kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.errors import NotFoundError
from ledger.outside.writing import read_small_file
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from ledger.checkpoint import Checkpoint
    from ledger.cli.common import Session
    from ledger.note import Note

checkpoint_option = click.option(
    "--checkpoint",
    "checkpoint_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The signed checkpoint (default: the newest one kept).",
)


def named_checkpoint(session: Session, file: Path | None) -> tuple[Note, Checkpoint]:
    """Return the checkpoint in a file, or the newest one kept.

    Raises:
        NotFoundError: none is kept.
        EvidenceRefusedError: the file is no checkpoint.
    """
    if file is not None:
        return read_checkpoint(read_small_file(file))
    checkpoints = session.checkpoints()
    with session.ledger() as ledger:
        origin = ledger.origin
    size = checkpoints.newest(origin)
    if size is None:
        raise NotFoundError(
            f"there is no checkpoint of {origin} in {checkpoints.folder}", next_step="ledger checkpoint"
        )
    return checkpoints.read(origin, size)
