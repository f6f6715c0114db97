from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.solvency.proofs.errors import InclusionPathError, SumOverflowError, SumTreeShapeError
from replay.solvency.proofs.sum_tree import (
    HASH_BYTES,
    MAXIMUM_DEPTH,
    SUM_LIMIT,
    Node,
    SumTree,
    pack,
    parent,
    root_from_path,
    unpack,
)

MOST = SUM_LIMIT - 1


def leaf(name: str, *sums: int) -> Node:
    return Node(hashlib.sha256(name.encode()).digest(), sums)


def tree_of(*leaves: Node) -> SumTree:
    return SumTree([(node.hash, pack(node.sums)) for node in leaves], assets=len(leaves[0].sums))


FOUR = (leaf("a", 1, 10), leaf("b", 2, 20), leaf("c", 3, 0), leaf("d", 4, 40))


@st.composite
def leaves(draw: st.DrawFn) -> list[Node]:
    """Up to 32 leaves of up to four assets, whose sums stay below the limit together."""
    assets = draw(st.integers(1, 4))
    amounts = st.lists(st.integers(0, MOST >> 5), min_size=assets, max_size=assets)
    count = 1 << draw(st.integers(0, 5))
    return [leaf(str(place), *draw(amounts)) for place in range(count)]


def test_the_root_has_the_sum_of_every_asset() -> None:
    assert tree_of(*FOUR).root.sums == (10, 70)


def test_a_tree_of_one_leaf_is_that_leaf() -> None:
    tree = tree_of(FOUR[0])
    assert tree.root == FOUR[0]
    assert tree.depth == 0
    assert tree.path(0) == ()


def test_a_node_hashes_both_hashes_and_both_sums() -> None:
    left, right = leaf("a", 1), leaf("b", 258)
    expected = hashlib.sha256(
        b"margin-ledger/liabilities/node/1\n"
        + left.hash + bytes(15) + b"\x01"
        + right.hash + bytes(14) + b"\x01\x02"
    ).digest()  # fmt: skip
    assert parent(left, right) == Node(expected, (259,))


@given(leaves(), st.data())
def test_every_leaf_leads_to_the_root_and_the_tree_adds_as_single_nodes_do(
    given_leaves: list[Node], data: st.DataObject
) -> None:
    tree = tree_of(*given_leaves)
    level = given_leaves
    while len(level) > 1:
        level = [parent(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    assert tree.root == level[0]
    index = data.draw(st.integers(0, len(given_leaves) - 1))
    assert tree.leaf(index) == given_leaves[index]
    assert root_from_path(given_leaves[index], index, tree.path(index)) == tree.root


@given(leaves().filter(lambda given_leaves: len(given_leaves) > 1), st.data())
def test_a_changed_sum_anywhere_on_a_path_changes_the_root_hash(
    given_leaves: list[Node], data: st.DataObject
) -> None:
    """Child sums are bound one by one: an amount moved between children is seen (eprint 2018/1139)."""
    tree = tree_of(*given_leaves)
    index = data.draw(st.integers(0, len(given_leaves) - 1))
    path = list(tree.path(index))
    level = data.draw(st.integers(0, len(path) - 1))
    moved = data.draw(st.integers(1, 1 << 40))
    mine = given_leaves[index]
    path[level] = replace(path[level], sums=(path[level].sums[0] + moved, *path[level].sums[1:]))
    changed = root_from_path(mine, index, path)
    assert changed.hash != tree.root.hash
    assert changed.sums[0] == tree.root.sums[0] + moved
    if mine.sums[0] >= moved:
        mine = replace(mine, sums=(mine.sums[0] - moved, *mine.sums[1:]))
        kept_total = root_from_path(mine, index, path)
        assert kept_total.sums == tree.root.sums
        assert kept_total.hash != tree.root.hash


@pytest.mark.parametrize("amount", [-1, SUM_LIMIT, 1 << 128])
def test_a_sum_out_of_range_is_refused_in_a_leaf(amount: int) -> None:
    with pytest.raises(SumOverflowError) as raised:
        pack((5, amount))
    assert (raised.value.place, raised.value.amount) == (1, amount)


def test_a_leaf_that_was_packed_elsewhere_is_held_to_the_range() -> None:
    with pytest.raises(SumOverflowError):
        SumTree([(bytes(HASH_BYTES), b"\x80" + bytes(15))], assets=1)


def test_a_total_that_would_wrap_is_refused() -> None:
    """A debt written as 2^128 − 8 would vanish in a wrapping sum."""
    with pytest.raises(SumOverflowError) as raised:
        tree_of(leaf("a", 0, MOST), leaf("b", MOST, 1))
    assert (raised.value.place, raised.value.amount) == (1, SUM_LIMIT)
    with pytest.raises(SumOverflowError):
        parent(leaf("a", MOST), leaf("b", 1))
    with pytest.raises(SumOverflowError):
        root_from_path(leaf("a", 1), 0, [leaf("b", MOST)])
    with pytest.raises(SumOverflowError):
        root_from_path(leaf("a", 1), 0, [leaf("b", -1)])


def test_no_sum_carries_into_its_neighbour() -> None:
    assert tree_of(leaf("a", 0, MOST - 7), leaf("b", 0, 7)).root.sums == (0, MOST)


@pytest.mark.parametrize("count", [0, 3, 6])
def test_leaves_that_are_no_power_of_two_are_refused(count: int) -> None:
    given_leaves = [(bytes(HASH_BYTES), bytes(16))] * count
    with pytest.raises(SumTreeShapeError):
        SumTree(given_leaves, assets=1)


@pytest.mark.parametrize(("digest", "packed"), [(bytes(31), bytes(32)), (bytes(32), bytes(16))])
def test_a_leaf_of_another_size_is_refused(digest: bytes, packed: bytes) -> None:
    with pytest.raises(SumTreeShapeError, match="leaf 0"):
        SumTree([(digest, packed)], assets=2)


@pytest.mark.parametrize("index", [-1, 4])
def test_an_index_beyond_the_tree_is_refused(index: int) -> None:
    with pytest.raises(InclusionPathError, match="no place"):
        root_from_path(FOUR[0], index, tree_of(*FOUR).path(0))
    with pytest.raises(IndexError):
        tree_of(*FOUR).leaf(index)


def test_a_path_that_is_too_long_is_refused_before_it_is_walked() -> None:
    with pytest.raises(InclusionPathError, match="no place"):
        root_from_path(FOUR[0], 0, [FOUR[1]] * (MAXIMUM_DEPTH + 1))


@pytest.mark.parametrize("sibling", [Node(bytes(31), (1, 1)), Node(bytes(32), (1,)), Node(bytes(64), (1, 1))])
def test_a_sibling_of_another_shape_is_refused(sibling: Node) -> None:
    with pytest.raises(InclusionPathError, match="sibling 0"):
        root_from_path(FOUR[0], 0, [sibling])


def test_packing_has_an_inverse() -> None:
    assert unpack(pack((0, 1, MOST))) == (0, 1, MOST)
