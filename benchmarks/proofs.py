"""Milliseconds and tiles read of an inclusion proof as the log grows, from the database and from tiles.

    python -m benchmarks.proofs --events 10000000 [--database URL] [--proofs 500]

Rows are made by the server past the guards, as large as real ones; the tree over them is grown by the
function that the guard calls. The floor beside each figure is one round trip to the server (SELECT 1).
A proof counts with its check against the root, as ``ledger prove`` makes it. What the operating system
has not cached is slower: the first proofs after the tree was grown are printed apart.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.databases import own_database
from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ledger.outside.tiles import TileFolder
from ledger.prove import prove_inclusion
from ledger.settings import Settings
from ledger.signing.tiles import publish_tiles
from ledger.store.ledger import Ledger
from ledger.store.tree import event_tree, read_tile
from ledger.tiles import TileTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.note import Note
    from ledger.tiles import Tile

ORIGIN = "benchmark.example/proofs"
ROWS = """
    INSERT INTO events (sequence, id, type, occurred_at, appended_at, writer, canonical)
    SELECT n, gen_random_uuid(), 'FillRecorded', now(), now(), 'benchmark',
        convert_to(rpad('{"event":{"account":"A' || n || '","nonce":"' || md5(n::text), 520, '.'), 'UTF8')
    FROM generate_series(%s::bigint, %s::bigint) AS n
"""


def fill(url: str, events: int) -> dict[str, float]:
    """Make rows up to a number and grow the tree; return the seconds of both."""
    with psycopg.connect(url) as connection:
        for trigger in ("ledger_refuse_ddl", "ledger_refuse_ddl_start"):
            connection.execute(f"ALTER EVENT TRIGGER {trigger} DISABLE".encode())
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("ALTER TABLE tree_nodes DISABLE TRIGGER ALL")
        begun = time.perf_counter()
        connection.execute(ROWS, (1, events - 1))
        connection.commit()
        rows = time.perf_counter() - begun
        begun = time.perf_counter()
        connection.execute("SELECT ledger_grow_tree(0, %s)", [events])
        connection.commit()
        grown = time.perf_counter() - begun
        connection.execute("ANALYZE events, tree_nodes")
        connection.commit()
    return {"rows": rows, "tree": grown}


class Counting:
    """Reads tiles and counts them."""

    def __init__(self, read: Callable[[Tile], bytes]) -> None:
        self.count = 0
        self._read = read

    def __call__(self, tile: Tile) -> bytes:
        """Read one."""
        self.count += 1
        return self._read(tile)


def times(
    size: int,
    read: Callable[[Tile], bytes],
    note: Note,
    checkpoint: Checkpoint,
    choose: random.Random,
    proofs: int,
) -> dict[str, Any]:
    """Make proofs of random entries, each from a tree that has read nothing yet."""
    taken, counts, lengths = [], set(), set()
    for _ in range(proofs):
        index = choose.randrange(size)
        counting = Counting(read)
        begun = time.perf_counter()
        proof = prove_inclusion(TileTree(size, counting), index, note, checkpoint)
        taken.append(1000 * (time.perf_counter() - begun))
        counts.add(counting.count)
        lengths.add(len(proof.hashes))
    taken.sort()
    return {
        "median_ms": round(statistics.median(taken), 2),
        "p99_ms": round(taken[int(0.99 * (len(taken) - 1))], 2),
        "most_ms": round(taken[-1], 2),
        "tiles_read": [min(counts), max(counts)],
        "hashes": [min(lengths), max(lengths)],
    }


def round_trip(ledger: Ledger) -> float:
    """Return the median milliseconds of asking the server for nothing."""
    taken = []
    with ledger.reading() as connection:
        for _ in range(200):
            begun = time.perf_counter()
            connection.exec_driver_sql("SELECT 1").scalar_one()
            taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def measure(url: str, folder: Path, events: int, proofs: int) -> dict[str, Any]:
    """Return the figures of one size."""
    choose = random.Random(1)
    with Ledger.initialise(url, origin=ORIGIN) as ledger:
        filled = fill(url, events)
        key = SigningKey.of(ORIGIN, Ed25519PrivateKey.generate())
        with ledger.reading() as connection:
            checkpoint = Checkpoint(ORIGIN, events, event_tree(connection, events).root())
            note = sign_checkpoint(checkpoint, (key,), datetime.now(UTC))

            def read(tile: Tile) -> bytes:
                return read_tile(connection, tile)

            first = times(events, read, note, checkpoint, choose, 20)
            database = times(events, read, note, checkpoint, choose, proofs)
        begun = time.perf_counter()
        published = publish_tiles(ledger, note, checkpoint, folder)
        publishing = time.perf_counter() - begun
        tiles = times(events, TileFolder(folder).read, note, checkpoint, choose, proofs)
        return {
            "events": events,
            "seconds": {
                **{name: round(value, 1) for name, value in filled.items()},
                "publish": round(publishing, 1),
            },
            "tiles_written": published.tiles_written,
            "round_trip_ms": round(round_trip(ledger), 2),
            "first_from_database": first,
            "from_database": database,
            "from_tiles": tiles,
        }


def main() -> None:
    """Measure sizes up to the one given, each ten times the one before, and print a JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--proofs", type=int, default=500)
    parser.add_argument("--database", help="a server's URL; a database of its own is made there")
    given = parser.parse_args()
    sizes = sorted({max(1_000, given.events // 10**step) for step in range(3)})
    figures = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings.load(database=given.database, home=folder / "home")
        server = stack.enter_context(settings.database())
        for size in sizes:
            with own_database(server) as url:
                figures.append(measure(url, folder / str(size), size, given.proofs))
            print(json.dumps(figures[-1]), file=sys.stderr)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
