"""The Merkle sum tree of liabilities: each node binds both child hashes and both child sums.

A tree over hashes alone, with sums beside them, lets a venue state a total that leaves out all
but one customer (eprint 2018/1139). Here a parent hashes what it adds up::

    parent.sums[a] = left.sums[a] + right.sums[a]
    parent.hash    = SHA-256(NODE ‖ left.hash ‖ left.sums ‖ right.hash ‖ right.sums)

Sums are unsigned, one of 16 bytes for each asset in a fixed order, in the asset's own scale. The
first bit of each stays clear: a sum that would need it is refused, so that none can wrap. All
leaves stand at one depth, a power of two of them.

Pure: numbers and bytes in, numbers and bytes out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.solvency.proofs.errors import InclusionPathError, SumOverflowError, SumTreeShapeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SUM_BYTES = 16
SUM_LIMIT = 1 << (8 * SUM_BYTES - 1)
"""Every sum of every node is below it, 2^127."""
HASH_BYTES = 32
MAXIMUM_DEPTH = 40
NODE = b"margin-ledger/liabilities/node/1\n"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree, leaf or not.

    Attributes:
        hash: 32 bytes.
        sums: by asset, in the order of the tree's assets; each in units of the asset's scale.
    """

    hash: bytes
    sums: tuple[int, ...]


def pack(sums: Iterable[int]) -> bytes:
    """Return sums as they are hashed, 16 bytes each, most significant byte first.

    Raises:
        SumOverflowError: a sum is negative, or 2^127 or more.
    """
    given = tuple(sums)
    for place, amount in enumerate(given):
        if not 0 <= amount < SUM_LIMIT:
            raise SumOverflowError(place=place, amount=amount)
    return b"".join([amount.to_bytes(SUM_BYTES, "big") for amount in given])


def unpack(packed: bytes) -> tuple[int, ...]:
    """Return the sums of :func:`pack`."""
    return tuple(
        int.from_bytes(packed[start : start + SUM_BYTES], "big") for start in range(0, len(packed), SUM_BYTES)
    )


def parent(left: Node, right: Node) -> Node:
    """Return the node over two children.

    Raises:
        SumOverflowError: a sum of a child is out of range, or theirs together is.
    """
    content = NODE + left.hash + pack(left.sums) + right.hash + pack(right.sums)
    sums = tuple(ours + theirs for ours, theirs in zip(left.sums, right.sums, strict=True))
    pack(sums)
    return Node(hashlib.sha256(content).digest(), sums)


def root_from_path(leaf: Node, index: int, siblings: Sequence[Node]) -> Node:
    """Return the root to which a leaf and its siblings lead, lowest sibling first.

    Args:
        leaf: the customer's own.
        index: the leaf's place; its bits, lowest first, say on which side each sibling stands.
        siblings: one for each level.

    Raises:
        InclusionPathError: the index has no place at this depth, a hash is not of 32 bytes, or a
            sibling has sums of other assets.
        SumOverflowError: a sum on the way is out of range.
    """
    depth = len(siblings)
    if depth > MAXIMUM_DEPTH or not 0 <= index < 1 << depth:
        raise InclusionPathError(f"leaf {index} has no place in a tree of depth {depth}")
    for level, node in enumerate((leaf, *siblings)):
        if len(node.hash) != HASH_BYTES or len(node.sums) != len(leaf.sums):
            where = "the leaf" if level == 0 else f"sibling {level - 1}"
            raise InclusionPathError(f"{where} is not 32 bytes of hash with {len(leaf.sums)} sums")
    node = leaf
    for level, sibling in enumerate(siblings):
        node = parent(sibling, node) if index >> level & 1 else parent(node, sibling)
    return node


class SumTree:
    """A tree of liabilities in memory: every level's hashes and sums, as bytes.

    Twice the leaves × (32 + 16 × assets) bytes; a million leaves of 20 assets take 740 MB.
    """

    def __init__(self, leaves: Sequence[tuple[bytes, bytes]], *, assets: int) -> None:
        """Build the tree.

        Args:
            leaves: (hash, packed sums) of each, as many as a power of two.
            assets: how many sums each has.

        Raises:
            SumTreeShapeError: the leaves are not a power of two, or one has other sizes.
            SumOverflowError: a sum is out of range, in a leaf or further up.
        """
        if not leaves or len(leaves) & (len(leaves) - 1):
            raise SumTreeShapeError(f"{len(leaves)} leaves are not a power of two")
        self.assets = assets
        self._width = HASH_BYTES + SUM_BYTES * assets
        self._guard = int.from_bytes((b"\x80" + b"\0" * (SUM_BYTES - 1)) * assets, "big")
        lowest = bytearray()
        for place, (digest, packed) in enumerate(leaves):
            if len(digest) != HASH_BYTES or len(packed) != SUM_BYTES * assets:
                raise SumTreeShapeError(f"leaf {place} is not 32 bytes of hash with {assets} sums")
            self._refuse_overflow(int.from_bytes(packed, "big"))
            lowest += digest
            lowest += packed
        self._levels = [bytes(lowest)]
        del lowest
        while len(self._levels[-1]) > self._width:
            self._levels.append(self._level_above(self._levels[-1]))

    @property
    def depth(self) -> int:
        """How many siblings lead from a leaf to the root."""
        return len(self._levels) - 1

    @property
    def size(self) -> int:
        """How many leaves there are, padding included."""
        return 1 << self.depth

    @property
    def root(self) -> Node:
        """The node over all."""
        return self._node(self.depth, 0)

    def leaf(self, index: int) -> Node:
        """Return a leaf."""
        return self._node(0, index)

    def path(self, index: int) -> tuple[Node, ...]:
        """Return the siblings that lead from a leaf to the root, lowest first."""
        return tuple(self._node(level, (index >> level) ^ 1) for level in range(self.depth))

    def levels(self) -> Iterator[bytes]:
        """Yield each level's nodes from the leaves up, every node as its hash and packed sums."""
        yield from self._levels

    def _node(self, level: int, index: int) -> Node:
        start = index * self._width
        node = self._levels[level][start : start + self._width]
        if len(node) != self._width or index < 0:
            raise IndexError(index)
        return Node(node[:HASH_BYTES], unpack(node[HASH_BYTES:]))

    def _level_above(self, level: bytes) -> bytes:
        """Add a level up two by two; all sums of a node are added as one number.

        With every first bit clear two children never carry from one sum into the next, and a sum
        that has become too large shows in its first bit.
        """
        width, sums = self._width, self._width - HASH_BYTES
        above = []
        for start in range(0, len(level), 2 * width):
            pair = level[start : start + 2 * width]
            total = int.from_bytes(pair[HASH_BYTES:width], "big") + int.from_bytes(
                pair[width + HASH_BYTES :], "big"
            )
            if total & self._guard:
                self._refuse_overflow(total)
            above.append(hashlib.sha256(NODE + pair).digest())
            above.append(total.to_bytes(sums, "big"))
        return b"".join(above)

    def _refuse_overflow(self, total: int) -> None:
        if total & self._guard:
            sums = unpack(total.to_bytes(SUM_BYTES * self.assets, "big"))
            place, amount = next((n, amount) for n, amount in enumerate(sums) if amount >= SUM_LIMIT)
            raise SumOverflowError(place=place, amount=amount)
