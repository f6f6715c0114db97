"""Tiles of a Merkle tree as C2SP tlog-tiles lays them out: names, contents, and proofs made from them.

A tile of level L holds up to 256 hashes, each the root over 256^L leaves; where they come from
(a database, a folder, a network) is the caller's part. Bytes in, bytes and verdicts out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ledger.errors import InvalidInputError
from ledger.merkle import (
    HASH_SIZE_BYTES,
    consistency_proof,
    inclusion_proof,
    node_hash,
    tree_root,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
LARGEST_ENTRY_BYTES = 65_535
_TILES_KEPT = 64
_HIGHEST_LEVEL = 63
# A log has fewer than 2^63 leaves, so an index has at most 17 digits: six groups.
_NAME = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile, or the bundle of entries under a tile of level 0.

    Attributes:
        level: 0 for leaf hashes; each hash of the next level is the root of a full tile of this one.
        index: its place within the level, from 0.
        width: how many hashes it holds, 1 to 256.
        entries: whether it is the bundle of entries instead of their hashes; then level is 0.
    """

    level: int
    index: int
    width: int = TILE_WIDTH
    entries: bool = False

    @property
    def is_full(self) -> bool:
        """Whether it holds all of its 256 hashes."""
        return self.width == TILE_WIDTH

    @property
    def first(self) -> int:
        """The first of its hashes within the level; for level 0 the first leaf."""
        return self.index * TILE_WIDTH

    def path(self) -> str:
        """Return where it stands below a log's prefix, for example ``tile/0/x001/234.p/5``."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
        place = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.is_full else f".p/{self.width}"
        return f"tile/{'entries' if self.entries else self.level}/{place}{partial}"

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read such a path.

        Raises:
            InvalidInputError: it is none, or not written in the one way there is.
        """
        form = _NAME.fullmatch(path)
        if form is not None:
            level, place, width = form.groups()
            tile = cls(
                0 if level == "entries" else int(level),
                int(place.replace("x", "").replace("/", "")),
                int(width or TILE_WIDTH),
                entries=level == "entries",
            )
            if tile.path() == path and tile.level <= _HIGHEST_LEVEL:
                return tile
        raise InvalidInputError(f"{path!r} is not the path of a tile", next_step="see C2SP tlog-tiles")


def tiles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a tree that a smaller, older one did not have, level by level.

    A partial tile is yielded for the right end of each level; those of the old tree stay valid.
    """
    level = 0
    while size > 0:
        for index in range(old_size // TILE_WIDTH, size // TILE_WIDTH):
            yield Tile(level, index)
        if size % TILE_WIDTH and size != old_size:
            yield Tile(level, size // TILE_WIDTH, size % TILE_WIDTH)
        size, old_size, level = size // TILE_WIDTH, old_size // TILE_WIDTH, level + 1


def hashes_of(contents: bytes) -> list[bytes]:
    """Return the hashes that a tile's contents are made of, in order."""
    return [contents[place : place + HASH_SIZE_BYTES] for place in range(0, len(contents), HASH_SIZE_BYTES)]


def root_of(hashes: list[bytes]) -> bytes:
    """Return the root over 2^n consecutive hashes, such as a full tile's."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


class TileTree:
    """A tree of which single tiles can be read: roots and proofs, reading O(log n) tiles for each.

    What comes out is as good as the tiles: check a proof against a signed root before it is given away.

    Args:
        size: number of leaves.
        read: returns a tile's contents, which must be 32 bytes for each hash of its width; a reader
            raises its own error for a tile that is missing or not so long.
    """

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._tile = lru_cache(_TILES_KEPT)(lambda tile: hashes_of(read(tile)))

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of the complete subtree of 2^level leaves that starts at leaf index · 2^level."""
        # A subtree that spans a full tile is one hash of the level above.
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        tile = self.tile(tile_level, first // TILE_WIDTH)
        place = first - tile.first
        return root_of(self._tile(tile)[place : place + (1 << height)])

    def tile(self, level: int, index: int) -> Tile:
        """Return a tile with the width that it has in this tree."""
        hashes_in_level = self.size >> (TILE_HEIGHT * level)
        return Tile(level, index, min(TILE_WIDTH, hashes_in_level - index * TILE_WIDTH))

    def root(self, size: int | None = None) -> bytes:
        """Return the root of this tree, or of the smaller one that its first ``size`` leaves are."""
        return tree_root(self.size if size is None else size, self.subtree)

    def leaf(self, index: int) -> bytes:
        """Return a leaf hash."""
        return self.subtree(0, index)

    def inclusion_proof(self, leaf_index: int, tree_size: int | None = None) -> list[bytes]:
        """Return the path of a leaf, in this tree or in a smaller one; see ledger.merkle."""
        return inclusion_proof(leaf_index, self.size if tree_size is None else tree_size, self.subtree)

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """Return what shows that this tree, or a smaller one, grew from one yet smaller."""
        return consistency_proof(old_size, self.size if new_size is None else new_size, self.subtree)


class NodeBuilder:
    """Takes leaf hashes in order and gives the root of every full tile as soon as it is full."""

    def __init__(self) -> None:
        self.size = 0
        self._open: list[list[bytes]] = [[]]  # per level the hashes of the tile that is not full yet

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Take the next leaf and return the nodes that it completes: (level ≥ 1, index, hash)."""
        self.size += 1
        nodes: list[tuple[int, int, bytes]] = []
        node, level = leaf, 0
        while True:
            self._open[level].append(node)
            if len(self._open[level]) < TILE_WIDTH:
                return nodes
            node = root_of(self._open[level])
            self._open[level].clear()
            level += 1
            if level == len(self._open):
                self._open.append([])
            nodes.append((level, (self.size >> (TILE_HEIGHT * level)) - 1, node))


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Return an entry bundle: each entry after its length in two bytes, the higher first.

    Raises:
        InvalidInputError: an entry is longer than 65,535 bytes.
    """
    parts = []
    for entry in entries:
        if len(entry) > LARGEST_ENTRY_BYTES:
            raise InvalidInputError(f"an entry of {len(entry)} bytes does not fit a bundle of entries")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_entries(contents: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        InvalidInputError: the bundle ends inside an entry.
    """
    entries: list[bytes] = []
    place = 0
    while place < len(contents):
        end = place + 2 + int.from_bytes(contents[place : place + 2], "big")
        if place + 2 > len(contents) or end > len(contents):
            raise InvalidInputError(f"the bundle of entries ends inside its entry {len(entries)}")
        entries.append(contents[place + 2 : end])
        place = end
    return entries
