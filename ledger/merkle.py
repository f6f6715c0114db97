"""Merkle tree hashing of RFC 9162 §2.1: bytes in, roots and verdicts out.

Leaf hashes are made by :func:`ledger.canonical.leaf_hash`; inner nodes here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    SubtreeHash = Callable[[int, int], bytes]
    """(level, index) → the root of the complete subtree over leaves index · 2^level and 2^level − 1 more."""

HASH_SIZE_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 9162 §2.1.1)."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleFrontier:
    """The roots of the complete subtrees to the left: all that appending needs, log₂(n) hashes.

    Attributes:
        size: number of leaves taken so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []  # one for each 1 bit of size, largest subtree first

    @classmethod
    def of_tree(cls, size: int, subtree: SubtreeHash) -> MerkleFrontier:
        """Return the frontier of a tree whose complete subtrees are known, to go on from there."""
        frontier = cls()
        frontier.size = size
        start = 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                frontier._subtrees.append(subtree(level, start >> level))
                start += 1 << level
        return frontier

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        node = leaf
        size = self.size
        while size & 1:
            node = node_hash(self._subtrees.pop(), node)
            size >>= 1
        self._subtrees.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root hash of the tree of all leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        root = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            root = node_hash(subtree, root)
        return root


def root_hash(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes, holding log₂(n) of them at a time."""
    frontier = MerkleFrontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def tree_root(size: int, subtree: SubtreeHash) -> bytes:
    """Return the root of the first ``size`` leaves from the roots of log₂(size) complete subtrees."""
    return _range_root(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(leaf_index: int, tree_size: int, subtree: SubtreeHash) -> list[bytes]:
    """Return the path from a leaf to the root, its sibling first (RFC 9162 §2.1.3.1).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= leaf_index < tree_size:
        raise ValueError(f"a tree of {tree_size} leaves has no leaf {leaf_index}")
    path: list[bytes] = []
    start, end = 0, tree_size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf_index < middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency_proof(old_size: int, new_size: int, subtree: SubtreeHash) -> list[bytes]:
    """Return what shows that a tree only grew from a smaller one (RFC 9162 §2.1.4.1).

    Empty for equal sizes and for an old tree without leaves.

    Raises:
        ValueError: the old tree is larger than the new one.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} leaves did not grow from one of {old_size}")
    if old_size in {0, new_size}:
        return []
    path: list[bytes] = []
    start, end = 0, new_size
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start = middle
    if start:  # from 0 on it is the old root, which the verifier has
        path.append(_range_root(start, end, subtree))
    return path[::-1]


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_root(start: int, end: int, subtree: SubtreeHash) -> bytes:
    """Return the root over leaves [start, end), where start is a multiple of what the left half spans."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return subtree(level, start >> level)
    middle = start + _split(size)
    return node_hash(_range_root(start, middle, subtree), _range_root(middle, end, subtree))


def verify_inclusion(
    leaf: bytes, leaf_index: int, tree_size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether a proof shows the leaf hash at ``leaf_index`` of a tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= leaf_index < tree_size or not _are_hashes(leaf, root, *proof):
        return False
    first, last = leaf_index, tree_size - 1
    node = leaf
    for sibling in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            node = node_hash(sibling, node)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        first >>= 1
        last >>= 1
    return last == 0 and node == root


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Tell whether a proof shows that the larger tree only grew from the smaller one (RFC 9162 §2.1.4.2).

    A tree without leaves is consistent with every tree, by an empty proof.
    """
    if not 0 <= old_size <= new_size or (old_size == 0 and old_root != EMPTY_ROOT):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if not _are_hashes(old_root, new_root, *proof):
        return False
    if old_size == 0:
        return not proof
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        return False
    first, last = old_size - 1, new_size - 1
    while first & 1:
        first >>= 1
        last >>= 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new_node = node_hash(new_node, sibling)
        first >>= 1
        last >>= 1
    return last == 0 and old_node == old_root and new_node == new_root


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE_BYTES for value in values)
