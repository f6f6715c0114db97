"""Where a proof is made from: the ledger in its database, or a folder of tiles."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import whole_number
from ledger.errors import NotFoundError
from ledger.outside.tiles import CHECKPOINT_FILE, TileFolder
from ledger.outside.writing import read_small_file
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.checkpoint import Checkpoint
    from ledger.cli.common import Session
    from ledger.note import Note
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.store.ledger import Ledger
    from ledger.tiles import TileTree

tiles_option = click.option(
    "--tiles",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Make the proof from published tiles; no database is needed.",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """A log to make proofs from.

    Attributes:
        name: its origin.
        tree: its hashes.
        checkpoints: kept ones, or None for a folder of tiles, which has one.
        published: the checkpoint of the folder of tiles.
        ledger: the ledger in its database, or None.
    """

    name: str
    tree: TileTree
    checkpoints: CheckpointFolder | None = None
    published: tuple[Note, Checkpoint] | None = None
    ledger: Ledger | None = None

    def newest(self) -> tuple[Note, Checkpoint]:
        """Return the newest checkpoint.

        Raises:
            NotFoundError: there is none.
        """
        if self.published is not None:
            return self.published
        assert self.checkpoints is not None  # noqa: S101 (the one or the other)
        size = self.checkpoints.newest(self.name)
        if size is None:
            raise NotFoundError(
                f"there is no checkpoint of {self.name} in {self.checkpoints.folder}",
                next_step="ledger checkpoint",
            )
        return self.checkpoints.read(self.name, size)

    def at(self, size: int) -> tuple[Note, Checkpoint] | None:
        """Return the checkpoint of a size, or None where there is none."""
        if self.published is not None:
            return self.published if self.published[1].size == size else None
        assert self.checkpoints is not None  # noqa: S101 (the one or the other)
        known = size in self.checkpoints.sizes(self.name)
        return self.checkpoints.read(self.name, size) if known else None


@contextmanager
def opened(session: Session, tiles: Path | None) -> Iterator[Origin]:
    """Give the log to make proofs from.

    Raises:
        NotFoundError: there is no checkpoint in the folder of tiles.
    """
    if tiles is not None:
        folder = TileFolder(tiles)
        data = folder.checkpoint()
        if data is None:
            raise NotFoundError(f"there is no file {tiles / CHECKPOINT_FILE}")
        note, checkpoint = read_checkpoint(data)
        yield Origin(checkpoint.origin, folder.tree(checkpoint.size), published=(note, checkpoint))
        return
    from ledger.store.rollback import ledger_size
    from ledger.store.tree import event_tree

    with session.ledger() as ledger, ledger.reading() as connection:
        tree = event_tree(connection, ledger_size(connection))
        yield Origin(ledger.origin, tree, session.checkpoints(), ledger=ledger)


def size_or_checkpoint(value: str) -> tuple[int, tuple[Note, Checkpoint] | None]:
    """Read a tree size, or a file with a checkpoint.

    Raises:
        InvalidInputError: neither.
        EvidenceRefusedError: the file is no checkpoint.
    """
    size = whole_number(value)
    if size is not None:
        return size, None
    note, checkpoint = read_checkpoint(read_small_file(Path(value)))
    return checkpoint.size, (note, checkpoint)
