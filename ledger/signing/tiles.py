"""Publishing the log as tiles, so that outsiders never query the database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.canonical import leaf_hash
from ledger.errors import EvidenceRefusedError
from ledger.outside.tiles import TileFolder
from ledger.progress import SILENT, Progress
from ledger.store.tree import event_tree, read_entries_under, read_tile
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, decode_entries, hashes_of, root_of, tiles_of
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from ledger.checkpoint import Checkpoint
    from ledger.note import Note
    from ledger.store.ledger import Ledger
    from ledger.tiles import TileTree

_ANOTHER_FOLDER = "publish to another folder, and keep this one as evidence"
_NEXT = "ledger verify"


@dataclass(frozen=True, slots=True)
class Published:
    """What was written.

    Attributes:
        size: events under the published checkpoint.
        tiles_written: files of hashes and of entries that were not there before.
    """

    size: int
    tiles_written: int


def publish_tiles(
    ledger: Ledger,
    note: Note,
    checkpoint: Checkpoint,
    directory: Path,
    *,
    entries: bool = False,
    progress: Progress = SILENT,
) -> Published:
    """Bring a folder of tiles up to a signed checkpoint; only what is new is written, the checkpoint last.

    Args:
        ledger: what the checkpoint is of.
        note: the signed checkpoint.
        checkpoint: what it says.
        directory: made where it is missing.
        entries: write the events' bytes too, not only hashes.
        progress: told one step a tile.

    Raises:
        EvidenceRefusedError: the folder is another log's, ahead, or not one that this log grew from.
        IntegrityError: rows are missing, a tile is not what its node is made of, an entry not that of its
            hash, or the tiles do not lead to the checkpoint's root; the checkpoint is not published then.
        EnvironmentFaultError: a file cannot be written.
    """
    folder = TileFolder(directory)
    with ledger.reading() as connection:
        old_size = _published_size(folder, connection, checkpoint)
        tiles = list(_missing(folder, checkpoint.size, old_size, entries=entries))
        progress.start(len(tiles), "writing tiles")
        try:
            written = sum(_written(connection, folder, tiles, checkpoint.size, progress))
            folder.settle()
        finally:
            folder.discard()  # where it went wrong, nothing nameless stays
        progress.finish()
    root = folder.tree(checkpoint.size).root()
    if root != checkpoint.root_hash:
        raise EvidenceRefusedError("root", checkpoint.root_hash.hex(), root.hex(), place=str(directory))
    folder.publish(note.encode())
    for tile in tiles:
        if tile.is_full:
            folder.drop_partial(tile)
    return Published(checkpoint.size, written)


def _written(
    connection: Connection, folder: TileFolder, tiles: list[Tile], size: int, progress: Progress
) -> Iterator[bool]:
    """Write tiles, each held to the node above it and each entry to its hash; yield which were new."""
    tree = event_tree(connection, size)
    for tile in tiles:
        read = read_entries_under if tile.entries else read_tile
        contents = read(connection, tile)
        _check_under_its_node(tree, tile, contents)
        if tile.entries:
            _check_entries(contents, read_tile(connection, replace(tile, entries=False)), tile)
        yield folder.write(tile, contents)
        progress.advance(1)


def _check_under_its_node(tree: TileTree, tile: Tile, contents: bytes) -> None:
    """Hold a full tile to the node above it; what of the tree is in no full tile makes up the root."""
    if not tile.is_full or tile.entries:
        return
    node, above = root_of(hashes_of(contents)), tree.subtree(TILE_HEIGHT * (tile.level + 1), tile.index)
    if node != above:
        raise EvidenceRefusedError("node", above.hex(), node.hex(), place=tile.path(), next_step=_NEXT)


def _check_entries(bundle: bytes, hashes: bytes, tile: Tile) -> None:
    for place, (entry, wanted) in enumerate(zip(decode_entries(bundle), hashes_of(hashes), strict=True)):
        actual = leaf_hash(entry)
        if actual != wanted:
            raise EvidenceRefusedError(
                "entries",
                f"the hash {wanted.hex()} of event {tile.first + place}",
                actual.hex(),
                place=tile.path(),
                next_step=_NEXT,
            )


def _published_size(folder: TileFolder, connection: Connection, checkpoint: Checkpoint) -> int:
    data = folder.checkpoint()
    if data is None:
        return 0
    place = str(folder.folder)
    _, before = read_checkpoint(data)
    if before.origin != checkpoint.origin:
        raise EvidenceRefusedError(
            "origin", checkpoint.origin, before.origin, place=place, next_step=_ANOTHER_FOLDER
        )
    if before.size > checkpoint.size:
        raise EvidenceRefusedError(
            "consistency",
            f"at most {checkpoint.size} events",
            f"{before.size} events",
            place=place,
            next_step=_ANOTHER_FOLDER,
        )
    if event_tree(connection, checkpoint.size).root(before.size) != before.root_hash:
        raise EvidenceRefusedError(
            "consistency",
            f"the root of the first {before.size} events",
            "another root",
            place=place,
            next_step=_ANOTHER_FOLDER,
        )
    return before.size


def _missing(folder: TileFolder, size: int, old_size: int, *, entries: bool) -> Iterator[Tile]:
    """Yield what the folder has not; bundles of entries back to the newest there, for they come in order."""
    yield from tiles_of(size, old_size)
    if not entries:
        return
    bundles: list[Tile] = []
    for index in reversed(range(-(-size // TILE_WIDTH))):
        tile = Tile(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH), entries=True)
        if (folder.folder / tile.path()).exists():
            break
        bundles.append(tile)
    yield from reversed(bundles)
