"""What each step of an event's way costs, in microseconds and as a multiple of SHA-256 over the same bytes.

    python -m benchmarks.event_costs [--events 5000] [--repeats 7] [--database URL]

Steps in this process are measured as processor time, steps in the database as elapsed time; of the
repeats the fastest counts. Only the multiples compare between machines and versions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import secrets
import sys
import tempfile
import time
import uuid
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks.databases import own_database
from benchmarks.ledger_throughput import draft
from ledger.canonical import decode, decode_canonical
from ledger.chain import ZERO_HASH, ChainVerifier, Sealer, decode_event, parse_entry
from ledger.events.envelope import Draft, prepare, subjects_of
from ledger.settings import Settings
from ledger.store.append import append_batch
from ledger.store.ledger import Ledger, check_opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ledger.events.envelope import PreparedEvent

ORIGIN = "benchmark.example/costs"


def fastest(repeats: int, step: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the seconds of the fastest of several runs."""
    best = float("inf")
    for _ in range(repeats):
        begun = clock()
        step()
        best = min(best, clock() - begun)
    return best


def exhaust(results: Callable[[], Iterable[object]]) -> None:
    """Make every result and keep none: what is kept makes the garbage collector look at it."""
    deque(results(), maxlen=0)


def draft_lines(events: int, seed: int) -> list[bytes]:
    """Return drafts as an importer finds them, one JSON text each, with their source."""
    choose = random.Random(seed)
    lines = []
    for number in range(events):
        source = {"file": "drafts.ndjson", "row": str(number + 1)}
        lines.append(json.dumps({**draft(number, choose), "source": source}).encode())
    return lines


def sealed(batch: Iterable[PreparedEvent]) -> Iterator[bytes]:
    """Yield the batch as the entries of a chain."""
    sealer = Sealer(ORIGIN, "writer", datetime.now(UTC), 0, ZERO_HASH)
    for event in batch:
        yield sealer.seal(event.event_bytes, secrets.token_bytes(16))[0]


def process_costs(lines: list[bytes], repeats: int) -> dict[str, float]:
    """Return seconds for all events, by step, of what happens in Python."""
    values = [decode(line) for line in lines]
    drafts = [Draft.from_json(value) for value in values]
    ids = [one.id or uuid.uuid4() for one in drafts]
    prepared = [prepare(one, event_id) for one, event_id in zip(drafts, ids, strict=True)]
    entries = list(sealed([check_opening(ORIGIN, "USD"), *prepared]))
    events = [parse_entry(entry).event for entry in entries]

    def verified() -> Iterator[None]:
        verifier = ChainVerifier(ORIGIN)
        for sequence, entry in enumerate(entries):
            failures, _, _ = verifier.take(sequence, entry)
            assert not failures, failures
            yield

    steps: dict[str, Callable[[], Iterable[object]]] = {
        "SHA-256": lambda: (hashlib.sha256(b"\x00" + entry).digest() for entry in entries),
        "read JSON": lambda: map(decode, lines),
        "check draft": lambda: map(Draft.from_json, values),
        "prepare": lambda: map(prepare, drafts, ids),
        "seal": lambda: sealed(prepared),
        "read canonical JSON": lambda: map(decode_canonical, entries),
        "parse entry": lambda: map(parse_entry, entries),
        "decode event": lambda: map(decode_event, entries),
        "subjects": lambda: (subjects_of(event["data"]) for event in events),
        "verify in memory": verified,
    }
    return {name: fastest(repeats, partial(exhaust, step), time.process_time) for name, step in steps.items()}


def database_costs(url: str, lines: list[bytes], repeats: int) -> dict[str, float]:
    """Return seconds for all events of an append with and without the guard; nothing is committed."""
    drafts = [Draft.from_json(decode(line)) for line in lines]
    batch = [prepare(one, one.id or uuid.uuid4()) for one in drafts]
    Ledger.initialise(url, origin=ORIGIN).close()
    with psycopg.connect(url) as connection:

        def append() -> None:
            append_batch(connection, batch)

        def run(statement: str) -> float:
            best = float("inf")
            for _ in range(repeats):
                connection.execute(statement.encode())
                best = min(best, fastest(1, append, time.perf_counter))
                connection.rollback()
            return best

        disable = "ALTER EVENT TRIGGER ledger_refuse_ddl DISABLE; ALTER TABLE events DISABLE TRIGGER"
        return {
            "append": run("SELECT"),
            "append without guard": run(f"{disable} guard_append"),
            "append without roles": run(f"{disable} guard_roles"),
        }


def main() -> None:
    """Measure, and print one line a step and one JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="a server's URL; a database of its own is made there")
    given = parser.parse_args()
    lines = draft_lines(given.events, given.seed)
    costs = process_costs(lines, given.repeats)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings.load(database=given.database, home=folder / "home")
        server = stack.enter_context(settings.database())
        url = stack.enter_context(own_database(server))
        costs |= database_costs(url, lines, given.repeats)
    costs["guard"] = costs["append"] - costs["append without guard"]
    costs["guard of roles"] = costs["append"] - costs["append without roles"]
    document = {}
    for step, seconds in costs.items():
        microseconds = seconds / given.events * 1e6
        document[step] = {
            "microseconds": round(microseconds, 2),
            "times_sha256": round(seconds / costs["SHA-256"], 1),
        }
        print(f"{step:<24}{microseconds:>8.2f} µs{seconds / costs['SHA-256']:>8.1f} ×", file=sys.stderr)
    print(json.dumps({"events": given.events, "seed": given.seed, "steps": document}, indent=2))


if __name__ == "__main__":
    main()
