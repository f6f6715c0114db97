"""Names of tiles, trees with their tiles, bundles of entries, and whole folders, good and bad."""

from __future__ import annotations

import hashlib
from typing import Any

from signed_material import (
    ENTRIES,
    LEAVES,
    policy,
    signed,
    text,
)

from ledger.canonical import leaf_hash
from ledger.merkle import root_hash
from ledger.tiles import NodeBuilder, Tile, encode_entries, tiles_of


def tile_vectors() -> dict[str, Any]:
    """Return names of tiles, trees with their tiles, bundles, and whole folders."""
    named = [
        Tile(0, 0), Tile(0, 5), Tile(0, 999), Tile(0, 1000), Tile(0, 1_234_067), Tile(0, 1_234_067, 5),
        Tile(1, 0, 1), Tile(63, 0, 255), Tile(0, 2**55 - 1), Tile(0, 7, entries=True),
        Tile(0, 7, 12, entries=True),
    ]  # fmt: skip
    paths_refused = [
        "", "tile/0", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/-1/000",
        "tile/0/x000/001", "tile/0/001/002", "tile/0/x001/x002", "tile/0/X001/002", "tile/0/1000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
        "tile/0/000.p", "tile/0/000/", "/tile/0/000", "tile/8/0/000x", "tile/data/000",
        "tile/entries/x000/001", "tile/0/000\n",
        "tile/٠/000", "tile/0/x001/x002/x003/x004/x005/x006/007",
    ]  # fmt: skip
    leaves = [leaf_hash(b"record %d" % number) for number in range(70_000)]
    trees = [_tree(size, leaves) for size in (1, 2, 255, 256, 257, 512, 1000, 65_536, 70_000)]
    bundles = [[], [b""], [b"one"], [b"one", b"", b"\x00\x01", bytes(300)], ENTRIES]
    full = encode_entries([b"one", b"three"])
    return {
        "paths": [
            {"path": t.path(), "level": t.level, "index": t.index, "width": t.width, "entries": t.entries}
            for t in named
        ],
        "paths_refused": paths_refused,
        "trees_of_records": trees,
        "bundles": [
            {"entries": [text(entry) for entry in entries], "contents": text(encode_entries(entries))}
            for entries in bundles
        ],
        "bundles_refused": [
            {"why": why, "contents": text(data)}
            for why, data in (
                ("a length of one byte", b"\x00"),
                ("a length and no entry", b"\x00\x01"),
                ("an entry cut off", full[:-1]),
                ("a byte after the last entry", full + b"\x00"),
                ("a length with the lower byte first", b"\x01\x00x"),
            )
        ],
        "folders": [_events_folder(), _records_folder(leaves)],
    }


def _tree(size: int, leaves: list[bytes]) -> dict[str, Any]:
    """Return what stands in each tile of a tree as one SHA-256 over names and contents, tile after tile."""
    builder = NodeBuilder()
    rows: dict[int, list[bytes]] = {0: leaves[:size]}
    for leaf in leaves[:size]:
        for level, _, node in builder.append(leaf):
            rows.setdefault(level, []).append(node)
    digest, count = hashlib.sha256(), 0
    partial = []
    for tile in tiles_of(size):
        digest.update(tile.path().encode() + b"\n")
        digest.update(b"".join(rows[tile.level][tile.first : tile.first + tile.width]))
        count += 1
        if not tile.is_full:
            partial.append(tile.path())
    root = text(root_hash(leaves[:size]))
    return {
        "size": size,
        "root_hash": root,
        "tiles": count,
        "partial_tiles": partial,
        "sha256": digest.hexdigest(),
    }


def _events_folder() -> dict[str, Any]:
    hashes, entries = "tile/0/000.p/4", "tile/entries/000.p/4"
    files = {"checkpoint": signed(4, LEAVES), hashes: b"".join(LEAVES), entries: encode_entries(ENTRIES)}
    other = [*ENTRIES[:3], ENTRIES[3].replace(b'"amount":"3"', b'"amount":"4"')]
    swapped = [ENTRIES[0], ENTRIES[2], ENTRIES[1], ENTRIES[3]]
    flipped = bytes([files[hashes][0] ^ 1]) + files[hashes][1:]
    swapped_leaves = [leaf_hash(entry) for entry in swapped]
    cases: list[tuple[str, str, dict[str, bytes | None]]] = [
        ("a checkpoint that another key signed", "signature",
         {"checkpoint": signed(4, LEAVES, "log's name, another key")}),
        ("a tile is missing", "tile", {hashes: None}),
        ("a tile is too short", "tile", {hashes: files[hashes][:-1]}),
        ("a tile is too long", "tile", {hashes: files[hashes] + bytes(32)}),
        ("a leaf hash is changed", "root", {hashes: flipped}),
        ("an entry is changed", "entries", {entries: encode_entries(other)}),
        ("an entry is missing", "entries", {entries: encode_entries(ENTRIES[:3])}),
        ("an entry is cut off", "entries", {entries: encode_entries(ENTRIES)[:-1]}),
        ("two entries are swapped, signed so", "chain",
         {"checkpoint": signed(4, swapped_leaves), hashes: b"".join(swapped_leaves),
          entries: encode_entries(swapped)}),
    ]  # fmt: skip
    return _folder("four events with their entries", files, cases)


def _records_folder(leaves: list[bytes]) -> dict[str, Any]:
    full, upper, rest = "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/1"
    files = {
        "checkpoint": signed(257, leaves),
        full: b"".join(leaves[:256]),
        rest: leaves[256],
        upper: root_hash(leaves[:256]),
    }
    cases: list[tuple[str, str, dict[str, bytes | None]]] = [
        ("an upper hash is changed", "node", {upper: bytes(32)}),
        ("an upper tile is missing", "tile", {upper: None}),
        ("the last leaf is another", "root", {rest: leaves[257]}),
    ]
    return _folder("257 records, hashes alone", files, cases)


def _folder(
    what: str, files: dict[str, bytes], cases: list[tuple[str, str, dict[str, bytes | None]]]
) -> dict[str, Any]:
    return {
        "what": what,
        "policy": policy(),
        "files": {path: text(data) for path, data in files.items()},
        "refused": [
            {
                "why": why,
                "check": check,
                "files": {path: None if data is None else text(data) for path, data in changes.items()},
            }
            for why, check, changes in cases
        ],
    }
