"""An import that is killed leaves a ledger that verifies, and finishes when it is run again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from ledger.events.cash import DepositRecorded
from ledger.store.ledger import Ledger
from ledger.verify import verify_ledger

KILLS = 20
EVENTS = 3_000
REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = "from ledger.cli import main; main()"
# The command's own steps with batches so small that a kill falls between and into many of them.
IMPORT_IN_SMALL_BATCHES = """
import sys
from ledger.importers.kinds import open_source
from ledger.importers.pipeline import import_sources
from ledger.store.ledger import Ledger

path, url = sys.argv[1:]
with Ledger.open(url) as ledger:
    source = open_source("ndjson", [path], {})
    import_sources([source], ledger.append_prepared, check=ledger.check_unchanged, batch_events=100)
"""


def drafts(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(EVENTS):
            data = {"account": f"A{number % 97}", "asset": "USD", "amount": str(number + 1)}
            occurred_at = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
            draft = {"type": "DepositRecorded", "occurred_at": occurred_at, "data": data}
            file.write(json.dumps(draft) + "\n")


def run(program: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
    )


def recorded(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def wait_for(url: str, process: subprocess.Popen[bytes], events: int) -> None:
    """Return when the import has recorded so many events, or is over."""
    with psycopg.connect(url, autocommit=True) as connection:
        while process.poll() is None:
            row = connection.execute("SELECT count(*) FROM events").fetchone()
            if row is not None and row[0] >= events:
                return


def test_an_import_killed_at_twenty_random_moments_never_breaks_the_chain_and_finishes_at_last(
    database_url: str, tmp_path: Path
) -> None:
    choose = random.Random(20260310)
    path = tmp_path / "drafts.ndjson"
    drafts(path)
    with Ledger.initialise(database_url, origin="test.example/killed") as ledger:
        killed_half_way = 0
        for _ in range(KILLS):
            before = recorded(database_url)
            process = run(IMPORT_IN_SMALL_BATCHES, str(path), database_url)
            # A random moment: while it is starting and checking, or once some more events are recorded.
            if choose.random() < 0.9:
                wait_for(database_url, process, before + choose.randrange(1, EVENTS // KILLS))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            after = recorded(database_url)
            report = verify_ledger(ledger)
            assert report.ok, report.failures
            assert report.events == after >= before
            killed_half_way += before < after < EVENTS + 1
        assert killed_half_way >= KILLS // 2, "the kills missed the recording"

        command = ("import", "ndjson", str(path), "--json", "--database", database_url)
        process = run(COMMAND, *command)
        result = json.loads(process.communicate()[0])
        assert process.returncode == 0
        assert result["appended"] + result["already_recorded"] == EVENTS
        report = verify_ledger(ledger)
        assert report.ok, report.failures
        deposits = [event.data for event in ledger.events() if isinstance(event.data, DepositRecorded)]
        assert sorted(deposit.amount for deposit in deposits) == list(range(1, EVENTS + 1))

        again = json.loads(run(COMMAND, *command).communicate()[0])
        assert (again["appended"], again["already_recorded"]) == (0, EVENTS)
