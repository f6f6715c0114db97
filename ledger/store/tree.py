"""The Merkle tree of the events in the database: roots and proofs from O(log n) rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from ledger.errors import IntegrityError
from ledger.merkle import HASH_SIZE_BYTES
from ledger.store.schema import events, tree_nodes
from ledger.tiles import Tile, TileTree, encode_entries

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection
    from sqlalchemy.sql.functions import Function


def event_tree(connection: Connection, size: int) -> TileTree:
    """Return the tree over the first ``size`` events; reading it raises IntegrityError where rows miss.

    Hashes are taken as stored: compare a root with one that is known, and check a proof before it is used.
    """
    return TileTree(size, lambda tile: read_tile(connection, tile))


def read_tile(connection: Connection, tile: Tile) -> bytes:
    """Return a tile's contents: 32 bytes for each of its hashes.

    Raises:
        IntegrityError: rows are missing.
    """
    if tile.level == 0:
        place, hashes = events.c.sequence, events.c.hash
        query = select(_joined(hashes, place))
    else:
        place, hashes = tree_nodes.c.index, tree_nodes.c.hash
        query = select(_joined(hashes, place)).where(tree_nodes.c.level == tile.level)
    found: bytes | None = connection.execute(
        query.where(place >= tile.first, place < tile.first + tile.width)
    ).scalar_one()
    if len(found or b"") != tile.width * HASH_SIZE_BYTES:
        raise IntegrityError(
            f"{len(found or b'') // HASH_SIZE_BYTES} of the {tile.width} hashes of {tile.path()} are there",
            next_step="ledger verify",
        )
    return found or b""


def read_entries_under(connection: Connection, tile: Tile) -> bytes:
    """Return the bundle of entries under a tile of level 0.

    Raises:
        IntegrityError: events are missing.
    """
    query = select(events.c.canonical).where(
        events.c.sequence >= tile.first, events.c.sequence < tile.first + tile.width
    )
    entries = connection.execute(query.order_by(events.c.sequence)).scalars().all()
    if len(entries) != tile.width:
        raise IntegrityError(
            f"there are {len(entries)} of the {tile.width} events from sequence {tile.first} on",
            next_step="ledger verify",
        )
    return encode_entries(entries)


def _joined(hashes: Column[Any], place: Column[Any]) -> Function[bytes]:
    return func.string_agg(hashes, aggregate_order_by(literal(b"", LargeBinary), place))
