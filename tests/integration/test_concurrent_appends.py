"""Many appenders and readers at once: dense sequences, nothing lost, nothing twice, nothing seen late."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from ledger.errors import LedgerExistsError
from ledger.store.append import AppendCondition
from ledger.store.ledger import Ledger
from ledger.store.read import EventQuery
from ledger.verify import verify_ledger
from tests.support.examples import deposit, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "venue.example/perpetuals"
REPOSITORY = Path(__file__).resolve().parents[2]
APPENDER = """
import json, sys, uuid
from ledger.store.ledger import Ledger
from tests.support.examples import deposit, prepared

url, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
recorded = []
with Ledger.open(url) as ledger:
    for number in range(first, first + count):
        event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))
        recorded += ledger.append_prepared([prepared(deposit(f"A{number}"), event_id)]).sequences
print(json.dumps(recorded))
"""


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin=ORIGIN) as opened:
        yield opened


def start_appender(url: str, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", APPENDER, url, str(first), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def sequences_from(process: subprocess.Popen[str]) -> list[int]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    recorded: list[int] = json.loads(output)
    return recorded


def test_processes_that_overlap_record_each_event_once(database_url: str, ledger: Ledger) -> None:
    """Three appenders of forty events each, every event offered by two of them."""
    starts, count = (0, 20, 40), 40
    appenders = [start_appender(database_url, first, count) for first in starts]
    recorded = {first: sequences_from(appender) for first, appender in zip(starts, appenders, strict=True)}
    events = list(ledger.events(EventQuery(from_sequence=1)))
    assert [event.sequence for event in events] == list(range(1, 81))
    assert len({event.id for event in events}) == 80
    assert {str(event.data.json_value()["account"]) for event in events} == {f"A{n}" for n in range(80)}
    place = {event.data.json_value()["account"]: event.sequence for event in events}
    for first, sequences in recorded.items():
        assert sequences == [place[f"A{number}"] for number in range(first, first + count)]
    assert verify_ledger(ledger).ok


def test_threads_share_a_ledger(ledger: Ledger) -> None:
    def append(number: int) -> tuple[int, ...]:
        batch = [prepared(deposit(f"A{number}-{part}")) for part in range(3)]
        return ledger.append_prepared(batch).sequences

    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(append, range(24)))
    assert sorted(sequence for batch in batches for sequence in batch) == list(range(1, 73))
    assert all(batch == tuple(range(batch[0], batch[0] + 3)) for batch in batches)
    assert verify_ledger(ledger).ok


def test_a_reader_that_follows_never_sees_a_smaller_sequence_appear_later(
    database_url: str, ledger: Ledger
) -> None:
    appenders = [start_appender(database_url, first, 60) for first in (0, 1000)]
    seen: list[int] = []
    while len(seen) < 120:
        newest = seen[-1] if seen else 0
        seen += [entry[0] for entry in ledger.entries(EventQuery(from_sequence=newest + 1))]
        assert len(seen) == (seen[-1] if seen else 0), "a sequence was missing when a later one was seen"
    for appender in appenders:
        sequences_from(appender)
    assert seen == list(range(1, 121))


def test_of_two_deciders_with_one_condition_one_wins(ledger: Ledger) -> None:
    def decide(number: int) -> bool:
        try:
            ledger.append(
                [deposit("A17", amount=str(number + 1))],
                condition=AppendCondition(0, subjects=("account/A17",)),
            )
        except Exception as error:  # noqa: BLE001 (which error it is, is what is tested)
            assert type(error).__name__ == "AppendConditionFailedError"  # noqa: PT017
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(decide, range(6))) == [False] * 5 + [True]
    assert ledger.head().sequence == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_the_servers_default_isolation_level_does_not_matter(
    database_url: str, ledger: Ledger, level: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = {}").format(name, level)
        )
    with ThreadPoolExecutor(6) as pool:
        batches = pool.map(lambda _: ledger.append_prepared([prepared(deposit())]).sequences, range(18))
        assert sorted(sequence for batch in batches for sequence in batch) == list(range(1, 19))


def test_an_append_that_is_rolled_back_leaves_no_gap(ledger: Ledger) -> None:
    def batches() -> Iterator[list[object]]:
        yield [prepared(deposit("A18"))]
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError):
        ledger.append_atomically(batches())  # type: ignore[arg-type]
    assert ledger.append([deposit("A19", id=str(uuid.uuid4()))]).first_sequence == 1
    assert verify_ledger(ledger).ok


def test_of_many_initialisations_one_opens_the_ledger(database_url: str) -> None:
    def initialise(number: int) -> bool:
        try:
            Ledger.initialise(database_url, origin=f"venue.example/{number}").close()
        except LedgerExistsError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(initialise, range(4))) == [False, False, False, True]
    with Ledger.open(database_url) as opened:
        assert verify_ledger(opened).ok
