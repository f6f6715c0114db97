"""The real files: their counts, and relations that must hold in them (shared/data/README.md)."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ledger.events.policies import MarginScheduleSet
from ledger.importers.binance_tiers import schedule_problems
from ledger.importers.kinds import open_source
from tests.support.importing import Memory, import_into, imported

if TYPE_CHECKING:
    from pathlib import Path

TIER_DATES = ("2022-02-12", "2022-11-25", "2024-08-08", "2025-10-09")


@pytest.fixture(scope="module")
def hyperliquid(shared_data: Path) -> Memory:
    return imported("hyperliquid", shared_data / "hyperliquid_2023")[0]


def test_the_hyperliquid_files_hold_the_published_numbers(hyperliquid: Memory) -> None:
    counts = Counter(event.type for event in hyperliquid.events)
    assert counts["FillRecorded"] == 16_387
    assert counts["DepositRecorded"] + counts["WithdrawalRecorded"] == 306
    assert counts["LiquidationExecuted"] == 37
    assert len({event.id for event in hyperliquid.events}) == len(hyperliquid.events)


def test_all_496_repeated_rows_are_recorded(hyperliquid: Memory) -> None:
    contents = Counter(
        json.dumps([value["occurred_at"], value["data"]], sort_keys=True)
        for value in hyperliquid.of("FillRecorded")
    )
    assert sum(count - 1 for count in contents.values()) == 496


def test_time_never_runs_backwards(hyperliquid: Memory) -> None:
    times = [event.occurred_at for event in hyperliquid.events]
    assert times == sorted(times)


def test_takeovers_close_exactly_the_positions_of_all_earlier_fills(hyperliquid: Memory) -> None:
    positions: dict[tuple[str, str], Decimal] = {}
    closed = 0
    for value in hyperliquid.values:
        data = value["data"]
        if value["type"] == "LiquidationExecuted":
            before = {
                takeover["instrument"]: positions[data["account"], takeover["instrument"]]
                for takeover in data["takeovers"]
            }
            taken: dict[str, Decimal] = {}
            for takeover in data["takeovers"]:
                taken[takeover["instrument"]] = taken.get(takeover["instrument"], Decimal(0)) + Decimal(
                    takeover["quantity"]
                )
            assert {instrument: abs(quantity) for instrument, quantity in before.items()} == taken
            closed += 1
        elif value["type"] == "FillRecorded":
            key = data["account"], data["instrument"]
            signed = Decimal(data["quantity"]) * (1 if data["side"] == "buy" else -1)
            positions[key] = positions.get(key, Decimal(0)) + signed
            if data["purpose"] == "liquidation":
                assert positions[key] == 0
    assert closed == 37


def test_a_second_import_appends_nothing(hyperliquid: Memory, shared_data: Path) -> None:
    memory = Memory(list(hyperliquid.events))
    result = import_into(memory, open_source("hyperliquid", [str(shared_data / "hyperliquid_2023")], {}))
    assert (result.appended, result.already_recorded) == (0, len(hyperliquid.events))


def test_a_copy_with_one_fill_altered_differs_in_that_fill_alone(
    hyperliquid: Memory, shared_data: Path, tmp_path: Path
) -> None:
    for file in (shared_data / "hyperliquid_2023").iterdir():
        content = gzip.decompress(file.read_bytes()) if file.name.endswith(".gz") else file.read_bytes()
        (tmp_path / file.name.removesuffix(".gz")).write_bytes(content)
    trades = tmp_path / "non_mm_trades.csv"
    lines = trades.read_text().splitlines(keepends=True)
    assert lines[1].endswith(",0.0452,true\n")
    trades.write_text(lines[0] + lines[1].replace(",0.0452,", ",0.0453,") + "".join(lines[2:]))
    altered, result = imported("hyperliquid", tmp_path)
    known = {event.id for event in hyperliquid.events}
    assert [event.type for event in altered.events if event.id not in known] == ["FillRecorded"]
    assert result.warnings == ()


@pytest.mark.parametrize("date", TIER_DATES)
def test_every_tier_table_is_read_whole_and_its_amounts_make_no_jump(shared_data: Path, date: str) -> None:
    path = shared_data / "binance_tiers" / f"binance_leverage_tiers_{date}.json.gz"
    memory, result = imported("binance-tiers", path, effective_at=f"{date}T00:00:00Z", strict=True)
    raw: dict[str, list[dict[str, Any]]] = json.loads(
        gzip.decompress(path.read_bytes()), parse_float=str, parse_int=str
    )
    schedules = memory.of("MarginScheduleSet")
    assert len(schedules) == len(raw) == len(memory.of("InstrumentListed"))
    assert sum(len(value["data"]["tiers"]) for value in schedules) == sum(map(len, raw.values()))
    assert not any("inferred" in value["source"] for value in schedules)
    assert result.warnings == ()
    for value, tiers in zip(schedules, raw.values(), strict=True):
        assert [Decimal(tier["maintenance_amount"]) for tier in value["data"]["tiers"]] == [
            Decimal(tier["info"]["cum"]) for tier in tiers
        ]
        schedule = MarginScheduleSet.model_validate(value["data"])
        assert schedule_problems(schedule.tiers) == []


def test_an_instrument_has_one_name_at_all_dates(shared_data: Path) -> None:
    names = []
    for date in TIER_DATES:
        path = shared_data / "binance_tiers" / f"binance_leverage_tiers_{date}.json.gz"
        memory, _ = imported("binance-tiers", path, effective_at=f"{date}T00:00:00Z")
        names.append({value["data"]["instrument"] for value in memory.of("MarginScheduleSet")})
    assert names[0] & names[1] & names[2] & names[3] >= {"BTCUSDT", "ETHUSDT", "1000SHIBUSDT", "BTCSTUSDT"}
    assert len(names[0] & names[3]) > 100


def test_the_history_of_marks_is_read_whole(shared_data: Path) -> None:
    path = shared_data / "binance_history" / "binance_BTCUSDT_1h_mark_2019-2026.csv.gz"
    memory, result = imported("binance-klines", path, instrument="BTCUSDT", **{"as": "mark"})
    with gzip.open(path, "rt") as stream:
        expected = [[Decimal(price) for price in row[1:]] for row in list(csv.reader(stream))[1:]]
    bars = [value["data"] for value in memory.of("PriceBarRecorded")]
    assert len(bars) == 56_084
    assert [[Decimal(bar[name]) for name in ("open", "high", "low", "close")] for bar in bars] == expected
    assert {bar["interval_seconds"] for bar in bars} == {"3600"}
    crash = [
        Decimal(value["data"]["low"])
        for value in memory.values
        if "2020-03-13" <= value["occurred_at"] < "2020-03-14"
    ]
    assert str(min(crash).quantize(Decimal("0.01"))) == "3801.83"
    assert result.warnings == ()


def test_the_archives_of_the_crash_are_read(shared_data: Path) -> None:
    folder = shared_data / "binance_2025_10_10"
    for name, rows, seconds in (("BTCUSDT-5m", 576, "300"), ("BTCUSD_PERP-1m", 2880, "60")):
        paths = sorted(folder.glob(f"{name}-*.zip"))
        memory, result = imported("binance-klines", *paths, instrument=name[:-3], **{"as": "mark"})
        bars = memory.of("PriceBarRecorded")
        assert len(bars) == rows
        assert {bar["data"]["interval_seconds"] for bar in bars} == {seconds}
        assert (bars[0]["occurred_at"][:10], bars[-1]["occurred_at"]) == (
            "2025-10-09",
            "2025-10-11T00:00:00.000000Z",
        )
        assert result.warnings == ()


def test_the_depeg_and_the_funding_rates_are_read(shared_data: Path) -> None:
    depeg = shared_data / "depeg" / "binance_USDEUSDT_1m_2025-10-09_12.csv.gz"
    options = {"as": "asset-price", "asset": "USDe", "valuation_currency": "USDT"}
    memory, _ = imported("binance-klines", depeg, **options)
    assert len(memory.of("AssetPriceUpdated")) == 4 * 24 * 60
    bars, _ = imported("binance-klines", depeg, instrument="USDEUSDT", **{"as": "last"})
    lowest = min(bars.of("PriceBarRecorded"), key=lambda bar: Decimal(bar["data"]["low"]))
    assert (lowest["data"]["low"], lowest["occurred_at"]) == ("0.65", "2025-10-10T21:55:00.000000Z")
    funding = shared_data / "binance_history" / "binance_BTCUSDT_funding_rate_2019-2026.csv.gz"
    memory, _ = imported("binance-funding", funding, instrument="BTCUSDT")
    with gzip.open(funding, "rt") as stream:
        expected = [Decimal(row[1]) for row in list(csv.reader(stream))[1:]]
    assert [Decimal(value["data"]["rate"]) for value in memory.of("FundingSettled")] == expected
