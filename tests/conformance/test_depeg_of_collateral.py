"""A depeg of collateral: an account goes healthy, margin call, liquidatable and back, minute by minute.

USDe on 2025-10-10 (shared/data/README.md). The account holds 10,000 USDe, of which the first 5,000 USDT of
value count in full and the rest at 90 %, and a position that requires 7,000 USDT at a mark that stands still.
"""

from __future__ import annotations

import csv
import gzip
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ledger.clock import format_time, parse_time
from ledger.events.registry import PAYLOADS
from replay.fold import fold
from replay.margin import evaluate
from replay.risk.breaches import BreachWatch, Rule
from tests.support.events import History, recorded
from tests.support.importing import imported

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.events.envelope import Event
    from replay.state import VenueState

FILE = "depeg/binance_USDEUSDT_1m_2025-10-09_12.csv.gz"
BEFORE = parse_time("2025-10-08T00:00:00Z")
MINUTE = timedelta(minutes=1)
CHANGES = [
    ("2025-10-09T00:01", "healthy"),
    ("2025-10-10T21:23", "margin_call"),
    ("2025-10-10T21:28", "healthy"),
    ("2025-10-10T21:36", "margin_call"),
    ("2025-10-10T21:43", "liquidatable"),
    ("2025-10-10T21:46", "margin_call"),
    ("2025-10-10T21:51", "healthy"),
    ("2025-10-10T21:54", "margin_call"),
    ("2025-10-10T21:59", "healthy"),
    ("2025-10-10T22:07", "margin_call"),
    ("2025-10-10T22:08", "healthy"),
]


@pytest.fixture(scope="module")
def events(shared_data: Path) -> list[Event]:
    history = History()
    history.list_instrument("BTC-PERP")
    history.schedule("BTC-PERP", ("0", None, "0.07", "0", "10"), effective_at=BEFORE)
    history.policy(effective_at=BEFORE, margin_call_ratio="0.8")
    tiers = [
        {"value_floor": "0", "value_cap": "5000", "collateral_rate": "1"},
        {"value_floor": "5000", "collateral_rate": "0.9"},
    ]
    history.add("CollateralScheduleSet", asset="USDe", effective_at=BEFORE, tiers=tiers)
    history.deposit("A", "10000", "USDe")
    history.fill("A", "buy", "1", "100000")
    history.mark("100000")
    first = [recorded(event.sequence, event.data, occurred_at=BEFORE) for event in history.events]
    options = {"as": "asset-price", "asset": "USDe", "valuation_currency": "USDT"}
    memory, _ = imported("binance-klines", shared_data / FILE, **options)
    closes = [value for value in memory.values if value["type"] == "AssetPriceUpdated"]
    return first + [
        recorded(
            len(first) + number,
            PAYLOADS[value["type"]].model_validate(value["data"]),
            occurred_at=parse_time(value["occurred_at"]),
        )
        for number, value in enumerate(closes)
    ]


def state_of(price: Decimal) -> str:
    """Return the state by the definitions alone: M = 7,000 against C, the value after the haircut."""
    value = 10_000 * price
    counted = min(value, Decimal(5_000)) + max(value - 5_000, Decimal(0)) * Decimal("0.9")
    if counted < 0:
        return "bankrupt"
    if counted <= 7_000:
        return "liquidatable"
    return "margin_call" if Decimal("0.8") * counted <= 7_000 else "healthy"


def test_the_states_change_at_the_minutes_that_the_published_closes_give(
    events: list[Event], shared_data: Path
) -> None:
    rebuilt: list[tuple[datetime, str]] = []

    def observe(state: VenueState, event: Event) -> None:
        if event.type == "AssetPriceUpdated":
            rebuilt.append((event.occurred_at, evaluate(state, "A", with_prices=False).state))

    fold(events, after=[observe])
    with gzip.open(shared_data / FILE, "rt") as stream:
        published = [
            (parse_time(row["minute_utc"].replace(" ", "T") + "Z") + MINUTE, state_of(Decimal(row["close"])))
            for row in csv.DictReader(stream)
        ]
    assert len(rebuilt) == 4 * 24 * 60
    assert rebuilt == published
    before = [("", ""), *((format_time(at)[:16], state) for at, state in rebuilt)]
    changes = [(at, state) for (_, earlier), (at, state) in pairwise(before) if state != earlier]
    assert changes == CHANGES


def test_the_watch_sees_the_same_minutes_and_that_they_end(events: list[Event]) -> None:
    schedules = fold(events).state.margin_schedules
    start = parse_time("2025-10-10T21:00:00Z")
    watch = BreachWatch([Rule("recorded", schedules)], start, start + timedelta(hours=2))
    fold(events, before=[watch.before], after=[watch.after])
    (row,) = watch.report().rows
    calls = [(f"{each.until:%H:%M}", f"{each.ended_at:%H:%M}") for each in row.of("margin_call")]
    assert calls == [("21:23", "21:28"), ("21:36", "21:51"), ("21:54", "21:59"), ("22:07", "22:08")]
    (liquidatable,) = row.of("liquidatable")
    assert (f"{liquidatable.until:%H:%M}", f"{liquidatable.ended_at:%H:%M}") == ("21:43", "21:46")
    # A conversion price is of a moment, not of an interval.
    assert liquidatable.after == liquidatable.until
    assert liquidatable.ended_by == "recovered"
    assert row.breach("bankrupt") is None
