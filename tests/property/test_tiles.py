"""Tiles of C2SP tlog-tiles: which there are, what stands in them, and proofs made from them."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInputError
from ledger.merkle import root_hash, verify_consistency, verify_inclusion
from ledger.tiles import NodeBuilder, Tile, TileTree, decode_entries, encode_entries, tiles_of

LARGEST = 70_000
SIZES = st.one_of(
    st.integers(1, LARGEST), st.sampled_from([1, 255, 256, 257, 65_535, 65_536, 65_537, LARGEST])
)


@cache
def leaves() -> list[bytes]:
    return [hashlib.sha256(b"leaf %d" % number).digest() for number in range(LARGEST)]


@cache
def nodes() -> dict[tuple[int, int], bytes]:
    builder = NodeBuilder()
    return {(level, index): node for leaf in leaves() for level, index, node in builder.append(leaf)}


@cache
def root(size: int) -> bytes:
    return root_hash(leaves()[:size])


def contents(tile: Tile) -> bytes:
    places = range(tile.first, tile.first + tile.width)
    if tile.level == 0:
        return b"".join(leaves()[place] for place in places)
    return b"".join(nodes()[tile.level, place] for place in places)


def test_a_tree_of_70_000_has_the_tiles_that_the_specification_counts() -> None:
    tiles = list(tiles_of(70_000))
    assert sum(tile.level == 0 and tile.is_full for tile in tiles) == 273
    assert [tile.path() for tile in tiles if tile.level or not tile.is_full] == [
        "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1",
    ]  # fmt: skip
    assert [tile.path() for tile in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert Tile(0, 1_234_067).path() == "tile/0/x001/x234/067"
    assert Tile(0, 7, 12, entries=True).path() == "tile/entries/007.p/12"


def test_a_node_is_the_root_of_the_leaves_under_it() -> None:
    assert set(nodes()) == {(1, index) for index in range(273)} | {(2, 0)}
    assert nodes()[1, 200] == root_hash(leaves()[200 * 256 : 201 * 256])
    assert nodes()[2, 0] == root(65_536)


@given(SIZES, st.data())
@settings(max_examples=40, deadline=None)
def test_proofs_made_from_tiles_hold_and_few_tiles_are_read_for_them(size: int, data: st.DataObject) -> None:
    read: list[Tile] = []

    def reading(tile: Tile) -> bytes:
        read.append(tile)
        return contents(tile)

    leaf = data.draw(st.integers(0, size - 1))
    old_size = data.draw(st.integers(0, size))
    assert TileTree(size, reading).root() == root(size)
    tree = TileTree(size, reading)
    read.clear()
    assert verify_inclusion(leaves()[leaf], leaf, size, tree.inclusion_proof(leaf), root(size))
    assert len(read) <= 6
    proof = tree.consistency_proof(old_size)
    assert verify_consistency(old_size, size, proof, root(old_size), root(size))
    assert tree.root(old_size) == root(old_size)
    assert set(read) <= set(tiles_of(size))


@given(SIZES, SIZES)
@settings(max_examples=40, deadline=None)
def test_tiles_of_growth_are_those_that_were_not_there(one: int, other: int) -> None:
    old_size, size = sorted((one, other))
    assert set(tiles_of(size, old_size)) == set(tiles_of(size)) - set(tiles_of(old_size))


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256), st.booleans())
def test_a_path_is_read_as_it_is_written(level: int, index: int, width: int, entries: bool) -> None:  # noqa: FBT001 (Hypothesis gives it by name)
    tile = Tile(0 if entries else level, index, width, entries=entries)
    assert Tile.parse(tile.path()) == tile


@pytest.mark.parametrize(
    "path",
    ["tile/00/000", "tile/64/000", "tile/0/1", "tile/0/x000/001", "tile/0/001.p/0", "tile/0/001.p/256",
     "tile/0/001.p/01", "tile/0/1234", "tile/0/001/002", "tile/data/000", "/tile/0/000", "tile/0/001\n",
     "tile/0/" + "x999/" * 6 + "999", "tile/0/" + "x999/" * 2000 + "999"],
)  # fmt: skip
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidInputError, match="is not the path of a tile"):
        Tile.parse(path)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_entries_are_read_as_they_are_written(entries: list[bytes]) -> None:
    bundle = encode_entries(entries)
    assert decode_entries(bundle) == entries
    assert [
        entry for end in range(len(bundle)) for entry in _tried(bundle[:end]) if entry not in entries
    ] == []


def _tried(bundle: bytes) -> list[bytes]:
    try:
        return decode_entries(bundle)
    except InvalidInputError:
        return []


def test_an_entry_of_more_than_65_535_bytes_does_not_fit() -> None:
    assert decode_entries(encode_entries([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(InvalidInputError, match="65536 bytes"):
        encode_entries([bytes(65_536)])
