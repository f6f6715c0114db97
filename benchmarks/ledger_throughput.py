"""Events per second and peak memory of import, verify and read, beside two floors measured in the same run.

    python -m benchmarks.ledger_throughput --events 1000000 [--database URL]

The floors are what no ledger on this machine could beat: SHA-256 over the same bytes, and COPY of
the same bytes into a table without any guard. Figures depend on the machine; the ratios to the
floors are what to compare between versions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.databases import own_database
from ledger.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS, INSTRUMENTS = 10_000, 20


def draft(number: int, choose: random.Random) -> dict[str, Any]:
    """Return one made-up draft: mostly fills, some prices and funding, as a venue's day has them."""
    occurred_at = (START + timedelta(milliseconds=10 * number)).isoformat()
    instrument = f"I{choose.randrange(INSTRUMENTS)}-PERP"
    account = f"A{choose.randrange(ACCOUNTS)}"
    price = f"{choose.randrange(1_000_000, 9_000_000) / 100:.2f}"
    kind = choose.random()
    data: dict[str, str]
    if kind < 0.75:
        name = "FillRecorded"
        data = {
            "account": account,
            "instrument": instrument,
            "side": choose.choice(("buy", "sell")),
            "quantity": str(choose.randrange(1, 500)),
            "price": price,
            "fee": "0.25",
            "fee_asset": "USDT",
            "trade_id": f"T{number}",
            "liquidity": "taker",
            "purpose": "trade",
        }
    elif kind < 0.95:
        name, data = "MarkPriceUpdated", {"instrument": instrument, "price": price}
    else:
        name = "FundingPaid"
        data = {
            "account": account,
            "instrument": instrument,
            "quantity": "5",
            "price": price,
            "rate": "0.0001",
            "asset": "USDT",
            "amount": "0.5",
        }
    event_id = str(uuid.UUID(int=choose.getrandbits(128), version=4))
    return {"type": name, "id": event_id, "occurred_at": occurred_at, "data": data}


def write_drafts(path: Path, events: int, seed: int) -> int:
    """Write the drafts and return the file's size in bytes."""
    choose = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(events):
            file.write(json.dumps(draft(number, choose)) + "\n")
    return path.stat().st_size


def run(*words: str, url: str) -> tuple[float, float, dict[str, Any]]:
    """Run a command in a process of its own; return seconds, peak memory in MB, and its JSON document."""
    program = "from ledger.cli import main; main()"
    begun = time.perf_counter()
    command = [sys.executable, "-c", program, *words, "--json", "--database", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    document = json.loads(output) if output.startswith(b"{\n") else {}
    return time.perf_counter() - begun, usage.ru_maxrss / 1024, document


def floors(url: str, path: Path) -> dict[str, float]:
    """Return the seconds of hashing the drafts' bytes and of copying them into a plain table."""
    begun = time.perf_counter()
    with path.open("rb") as file:
        for line in file:
            hashlib.sha256(b"\x00" + line).digest()
    hashing = time.perf_counter() - begun
    begun = time.perf_counter()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE floor (sequence bigint PRIMARY KEY, canonical bytea)")
        with (
            path.open("rb") as file,
            connection.cursor() as cursor,
            cursor.copy("COPY floor FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.set_types(("int8", "bytea"))
            for number, line in enumerate(file):
                copy.write_row((number, line))
        connection.commit()
        connection.execute("DROP TABLE floor")
    return {"hash": hashing, "copy": time.perf_counter() - begun}


def main() -> None:
    """Measure, and print one table and one JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--database", help="a server's URL; a database of its own is made there")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings.load(database=given.database, home=folder / "home")
        server = stack.enter_context(settings.database())
        url = stack.enter_context(own_database(server))
        figures = measure(url, folder / "drafts.ndjson", given.events, given.seed)
    print(json.dumps(figures, indent=2))


def measure(url: str, path: Path, events: int, seed: int) -> dict[str, Any]:
    """Return the figures of one run."""
    size = write_drafts(path, events, seed)
    floor = floors(url, path)
    run("init", "--origin", "benchmark.example/throughput", url=url)
    figures: dict[str, Any] = {"events": events, "bytes_per_draft": round(size / events, 1), "seed": seed}
    print(f"{'':<16}{'seconds':>9}{'events/s':>11}{'peak MB':>9}{'× hash':>8}{'× copy':>8}", file=sys.stderr)
    for label, words in {
        "import": ("import", "ndjson", str(path)),
        "import again": ("import", "ndjson", str(path)),
        "verify": ("verify",),
        "log": ("log",),
    }.items():
        seconds, megabytes, document = run(*words, url=url)
        if label == "verify":
            assert document["ok"], document
        figures[label] = {
            "seconds": round(seconds, 2),
            "events_per_second": round(events / seconds),
            "peak_memory_mb": round(megabytes, 1),
            "times_hash_floor": round(seconds / floor["hash"], 1),
            "times_copy_floor": round(seconds / floor["copy"], 1),
        }
        print(
            f"{label:<16}{seconds:>9.1f}{events / seconds:>11,.0f}{megabytes:>9.0f}"
            f"{seconds / floor['hash']:>8.1f}{seconds / floor['copy']:>8.1f}",
            file=sys.stderr,
        )
    return figures


if __name__ == "__main__":
    main()
