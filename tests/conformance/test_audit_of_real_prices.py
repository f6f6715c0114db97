"""The audit's checks of prices and terms on published ones (shared/data/README.md)."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from replay.audit import audit
from tests.support.importing import imported
from tests.support.sealing import opened, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.events.envelope import Event, PreparedEvent

DAY = "2020-03-13"
TIER_DATES = ("2022-02-12", "2022-11-25", "2024-08-08", "2025-10-09")


def bars_of_the_day(shared_data: Path, tmp_path: Path, coin: str) -> list[Event]:
    """The hourly mark and last bars of a coin that opened on one day, as an import merges them."""
    prepared: list[PreparedEvent] = []
    for source, kind in (("mark", "mark"), ("trade", "last")):
        name = f"binance_{coin}USDT_1h_{source}_2019-2026.csv.gz"
        with gzip.open(shared_data / "binance_history" / name, "rt") as stream:
            rows = [row for number, row in enumerate(stream) if number == 0 or row.startswith(DAY)]
        path = tmp_path / name.removesuffix(".gz")
        path.write_text("".join(rows))
        memory, _ = imported("binance-klines", path, instrument=f"{coin}USDT", **{"as": kind})
        prepared += memory.events
    prepared.sort(key=lambda event: event.occurred_at)
    return list(sealed([opened("USDT"), *prepared]))


def test_the_last_price_of_323_on_a_day_of_marks_below_140_is_an_outlier(
    shared_data: Path, tmp_path: Path
) -> None:
    events = bars_of_the_day(shared_data, tmp_path, "ETH")
    assert sum(event.type == "PriceBarRecorded" for event in events) == 48
    report = audit(events)
    assert set(report.counts()) == {"price_outlier"}
    assert not report.has_errors
    highest = max(report.findings, key=lambda finding: float(finding.recorded or 0))
    assert highest.instrument == "ETHUSDT"
    assert highest.recorded == "323"
    assert not any(each.check == "price_outlier" for each in report.not_checked)


@pytest.mark.parametrize("date", TIER_DATES)
def test_no_published_tier_opens_with_less_than_it_maintains(shared_data: Path, date: str) -> None:
    path = shared_data / "binance_tiers" / f"binance_leverage_tiers_{date}.json.gz"
    memory, _ = imported("binance-tiers", path, effective_at=f"{date}T00:00:00Z")
    report = audit(sealed([opened("USDT"), *memory.events]), checks=["schedule_inconsistent"])
    assert report.findings == ()
