from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ledger.errors import ConflictingEventError
from ledger.importers.kinds import open_source
from ledger.importers.pipeline import ImportResult, import_sources
from ledger.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ledger.events.envelope import PreparedEvent
    from ledger.store.append import AppendResult

USER = "0x" + "a1" * 20
TABLES = {
    "fills.csv": "time,user,coin,side,px,sz,crossed\n"
    + f"2023-03-01T10:00:00Z,{USER},ETH,Bid,1600.5,0.25,true\n" * 3
    + f"2023-03-02T12:00:00Z,{USER},ETH,Ask,1500,0.75,false\n",
    "cash.csv": f"time,user,delta_usd\n2023-03-01T09:00:00Z,{USER},10.5\n",
    "liquidations.csv": "time,user,liquidated_ntl_pos,liquidated_account_value,leverage_type\n"
    f"2023-03-02T12:00:00Z,{USER},1125,5.5,Cross\n",
}


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin="venue.example/perpetuals") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, table in TABLES.items():
        (tmp_path / name).write_text(table)
    return tmp_path


def run(ledger: Ledger, folder: Path, batch_events: int = 5_000) -> ImportResult:
    source = open_source("hyperliquid", [str(folder)], {})
    return import_sources(
        [source], ledger.append_prepared, check=ledger.check_unchanged, batch_events=batch_events
    )


def types(ledger: Ledger) -> list[str]:
    return [event.type for event in ledger.events()]


def test_a_second_import_appends_nothing(ledger: Ledger, folder: Path) -> None:
    first = run(ledger, folder)
    recorded = types(ledger)
    second = run(ledger, folder)
    assert (first.first_sequence, first.last_sequence) == (1, len(recorded) - 1)
    assert (first.appended, second.appended) == (first.events, 0)
    assert second.already_recorded == first.events
    assert types(ledger) == recorded
    assert recorded.count("FillRecorded") == 4
    assert [name for name in recorded if not name.startswith("Source")][-2:] == [
        "LiquidationExecuted",
        "FillRecorded",
    ]


def test_identical_rows_stay_apart_when_batches_part_them(ledger: Ledger, folder: Path) -> None:
    assert run(ledger, folder, batch_events=1).appended == run(ledger, folder).already_recorded
    assert types(ledger).count("FillRecorded") == 4


def test_an_import_that_was_stopped_between_batches_goes_on(ledger: Ledger, folder: Path) -> None:
    taken = 0

    def record(batch: Sequence[PreparedEvent]) -> AppendResult:
        nonlocal taken
        if taken == 3:
            raise KeyboardInterrupt
        taken += 1
        return ledger.append_prepared(batch)

    source = open_source("hyperliquid", [str(folder)], {})
    with pytest.raises(KeyboardInterrupt):
        import_sources([source], record, batch_events=2)
    assert len(types(ledger)) == 7
    rest = run(ledger, folder)
    assert (rest.already_recorded, rest.appended) == (6, rest.events - 6)
    assert len(types(ledger)) == 1 + rest.events


def test_what_contradicts_the_ledger_is_refused_before_anything_is_recorded(
    ledger: Ledger, tmp_path: Path
) -> None:
    def line(account: str, event_id: str) -> str:
        data = {"account": account, "asset": "USDT", "amount": "1"}
        event = {
            "type": "DepositRecorded",
            "occurred_at": "2026-01-01T00:00:00Z",
            "id": event_id,
            "data": data,
        }
        return json.dumps(event) + "\n"

    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(30)]
    path = tmp_path / "a.ndjson"
    path.write_text(line("A", ids[29]))
    import_sources([open_source("ndjson", [str(path)], {})], ledger.append_prepared)
    path.write_text("".join(line("B", event_id) for event_id in ids))
    with pytest.raises(ConflictingEventError) as caught:
        import_sources(
            [open_source("ndjson", [str(path)], {})],
            ledger.append_prepared,
            check=ledger.check_unchanged,
            batch_events=5,
        )
    assert (caught.value.sequence, caught.value.differing_fields) == (1, ("data",))
    assert len(types(ledger)) == 2
