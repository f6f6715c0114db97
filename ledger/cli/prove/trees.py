"""Where a proof is made from: the ledger in its database, or a folder of tiles."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from ledger.cli.common import whole_number
from ledger.errors import InvalidInputError, NotFoundError
from ledger.outside.tiles import CHECKPOINT_FILE, TileFolder
from ledger.outside.writing import read_small_file
from ledger.tiles import TILE_WIDTH
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

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


class Log(Protocol):
    """A log to make proofs from.

    Attributes:
        name: its origin.
        tree: its hashes.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 (above)

    @property
    def tree(self) -> TileTree: ...  # noqa: D102 (above)

    def newest(self) -> tuple[Note, Checkpoint]:
        """Return the newest checkpoint.

        Raises:
            NotFoundError: there is none.
        """

    def at(self, size: int) -> tuple[Note, Checkpoint] | None:
        """Return the checkpoint of a size, or None where there is none."""

    def place_of(self, event_id: UUID) -> int:
        """Return the sequence of the event with an id.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: this log finds nothing by an id.
        """

    def entry(self, index: int) -> bytes:
        """Return an entry's bytes, unchecked.

        Raises:
            NotFoundError: they are not there.
        """


@dataclass(frozen=True, slots=True)
class DatabaseLog:
    """The ledger in its database, with the checkpoints that its home keeps."""

    ledger: Ledger
    tree: TileTree
    checkpoints: CheckpointFolder

    @property
    def name(self) -> str:
        """The ledger's origin."""
        return self.ledger.origin

    def newest(self) -> tuple[Note, Checkpoint]:
        """Return the newest checkpoint that is kept."""
        size = self.checkpoints.newest(self.name)
        if size is None:
            raise NotFoundError(
                f"there is no checkpoint of {self.name} in {self.checkpoints.folder}",
                next_step="ledger checkpoint",
            )
        return self.checkpoints.read(self.name, size)

    def at(self, size: int) -> tuple[Note, Checkpoint] | None:
        """Return the kept checkpoint of a size."""
        known = size in self.checkpoints.sizes(self.name)
        return self.checkpoints.read(self.name, size) if known else None

    def place_of(self, event_id: UUID) -> int:
        """Look an id up."""
        return self.ledger.event_by_id(event_id).sequence

    def entry(self, index: int) -> bytes:
        """Return the stored bytes."""
        return self.ledger.event(index).canonical


@dataclass(frozen=True, slots=True)
class TilesLog:
    """A log that was published as tiles, with its one checkpoint."""

    folder: TileFolder
    note: Note
    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        """The origin that the checkpoint names."""
        return self.checkpoint.origin

    @property
    def tree(self) -> TileTree:
        """The tree of the checkpoint's size."""
        return self.folder.tree(self.checkpoint.size)

    def newest(self) -> tuple[Note, Checkpoint]:
        """Return the published checkpoint."""
        return self.note, self.checkpoint

    def at(self, size: int) -> tuple[Note, Checkpoint] | None:
        """Return the published checkpoint, if it is of this size."""
        return (self.note, self.checkpoint) if self.checkpoint.size == size else None

    def place_of(self, event_id: UUID) -> int:
        """Refuse: tiles have no index of ids."""
        raise InvalidInputError(
            f"from tiles an event is named by its sequence, not by {event_id}", next_step="give a number"
        )

    def entry(self, index: int) -> bytes:
        """Return a published entry."""
        tile = self.tree.tile(0, index // TILE_WIDTH)
        entries = self.folder.entries(tile)
        if entries is None:
            raise NotFoundError(
                f"the tiles in {self.folder.folder} hold hashes, not the bytes of event {index}",
                next_step="ask for the event's bytes: ledger show SEQUENCE --canonical",
            )
        return entries[index % TILE_WIDTH]


@contextmanager
def opened(session: Session, tiles: Path | None) -> Iterator[Log]:
    """Give the log to make proofs from.

    Raises:
        NotFoundError: there is no checkpoint in the folder of tiles.
    """
    if tiles is not None:
        folder = TileFolder(tiles)
        data = folder.checkpoint()
        if data is None:
            raise NotFoundError(f"there is no file {tiles / CHECKPOINT_FILE}")
        yield TilesLog(folder, *read_checkpoint(data))
        return
    from ledger.store.rollback import ledger_size
    from ledger.store.tree import event_tree

    with session.ledger() as ledger, ledger.reading() as connection:
        tree = event_tree(connection, ledger_size(connection))
        yield DatabaseLog(ledger, tree, session.checkpoints())


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
