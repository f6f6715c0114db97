"""Merkle trees against the recursive definitions of RFC 9162 §2.1."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import (
    MerkleFrontier,
    consistency_proof,
    inclusion_proof,
    root_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAVES = [hashlib.sha256(b"leaf %d" % number).digest() for number in range(70)]
SIZES = st.integers(0, len(LEAVES))
OTHER = hashlib.sha256(b"another").digest()


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def tree(leaves: Sequence[bytes]) -> bytes:
    """MTH of §2.1.1, over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of §2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of §2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [tree(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), tree(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), tree(leaves[:k])]


def subtree(level: int, index: int) -> bytes:
    """The root of a complete subtree."""
    return tree(LEAVES[index << level : (index + 1) << level])


@given(SIZES)
def test_root_and_proofs_are_those_of_the_recursive_definitions(size: int) -> None:
    assert tree_root(size, subtree) == tree(LEAVES[:size])
    for index in range(size):
        assert inclusion_proof(index, size, subtree) == path(index, LEAVES[:size])
        expected = subproof(index, LEAVES[:size]) if index else []
        assert consistency_proof(index, size, subtree) == expected
    assert consistency_proof(size, size, subtree) == []


@given(SIZES, SIZES)
def test_there_is_no_proof_of_a_leaf_that_is_not_there_or_of_a_tree_that_shrank(size: int, more: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(size + more, size, subtree)
    with pytest.raises(ValueError, match="did not grow"):
        consistency_proof(size + more + 1, size, subtree)


@given(SIZES)
def test_the_frontier_gives_the_root_of_the_recursive_definition(size: int) -> None:
    frontier = MerkleFrontier()
    for index, leaf in enumerate(LEAVES[:size]):
        assert frontier.root() == tree(LEAVES[:index])
        frontier.append(leaf)
    assert frontier.root() == root_hash(LEAVES[:size]) == tree(LEAVES[:size])


@given(st.data())
def test_inclusion_proofs_hold_and_hold_for_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    proof, root = path(index, leaves), tree(leaves)
    assert verify_inclusion(leaves[index], index, size, proof, root)
    assert not verify_inclusion(OTHER, index, size, proof, root)
    assert not verify_inclusion(leaves[index], index, size, proof, OTHER)
    assert not verify_inclusion(leaves[index], index, size, [*proof, OTHER], root)
    assert not verify_inclusion(leaves[index], size, size, proof, root)
    assert not verify_inclusion(leaves[index], -1, size, proof, root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not verify_inclusion(leaves[index], index, size, proof[:at] + proof[at + 1 :], root)
        assert not verify_inclusion(leaves[index], index, size, [*proof[:at], OTHER, *proof[at + 1 :]], root)
        assert not verify_inclusion(leaves[index], index, size, [*proof[:-1], proof[-1][:-1]], root)
    wrong = data.draw(st.integers(0, size - 1))
    assert verify_inclusion(leaves[index], wrong, size, proof, root) == (wrong == index)


@given(st.data())
def test_consistency_proofs_hold_and_hold_for_nothing_else(data: st.DataObject) -> None:
    new_size = data.draw(st.integers(1, len(LEAVES)))
    old_size = data.draw(st.integers(1, new_size))
    old_root, new_root = tree(LEAVES[:old_size]), tree(LEAVES[:new_size])
    proof = subproof(old_size, LEAVES[:new_size])
    assert verify_consistency(old_size, new_size, proof, old_root, new_root)
    assert not verify_consistency(old_size, new_size, proof, OTHER, new_root)
    assert not verify_consistency(old_size, new_size, proof, old_root, OTHER)
    assert not verify_consistency(old_size, new_size, [*proof, OTHER], old_root, new_root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not verify_consistency(
            old_size, new_size, [*proof[:at], OTHER, *proof[at + 1 :]], old_root, new_root
        )
        assert not verify_consistency(old_size, new_size, proof[:at] + proof[at + 1 :], old_root, new_root)
        assert not verify_consistency(new_size, old_size, proof, new_root, old_root)


@given(SIZES)
def test_every_tree_grew_from_the_empty_one(size: int) -> None:
    empty = tree([])
    assert verify_consistency(0, size, [], empty, tree(LEAVES[:size]))
    assert not verify_consistency(0, size, [OTHER], empty, tree(LEAVES[:size]))
    assert not verify_consistency(0, size, [], OTHER, tree(LEAVES[:size]))
    assert not verify_consistency(0, size, [], OTHER, OTHER)
