"""Who breaches when in five real crashes, held against what follows from the published rows alone.

Accounts with leverages of 2 to 50, long and short, are opened a day before each crash at the mark and
followed through two days of hourly bars (shared/data/README.md).
"""

from __future__ import annotations

import csv
import gzip
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ledger.clock import parse_time
from replay.fold import fold
from replay.risk.assumptions import DEFAULTS
from replay.risk.breaches import BreachWatch, Rule
from replay.risk.prices import MarkPrices
from replay.risk.recommendation import PriceHistory, Recommendation, flat_schedule
from replay.risk.requirement import dynamic_requirement, examine_requirement
from tests.support.crashes import (
    CRASHES,
    INSTRUMENTS,
    LEVERAGES,
    MARGIN_CALL_RATIO,
    SIDES,
    Window,
    account_name,
    crash_events,
)

if TYPE_CHECKING:
    from pathlib import Path

    from replay.risk.breach_report import BreachReport, BreachRow
    from replay.risk.units import Level

HOUR = timedelta(hours=1)
START = "start"
# The recommended rates of the day before, from prices up to then.
DYNAMIC_RATES = {
    "2020-03-13": {"BTCUSDT": "0.023", "ETHUSDT": "0.0305"},
    "2021-05-19": {"BTCUSDT": "0.0336", "ETHUSDT": "0.0417"},
    "2022-11-09": {"BTCUSDT": "0.0292", "ETHUSDT": "0.0372"},
    "2024-08-05": {"BTCUSDT": "0.0218", "ETHUSDT": "0.0247"},
    "2025-10-10": {"BTCUSDT": "0.0208", "ETHUSDT": "0.0325"},
}
# Which table is the latest with an effective time by then; the first two crashes lie before all of them.
TABLE_APPLIED = {
    "2020-03-13": ("2022-02-12", True),
    "2021-05-19": ("2022-02-12", True),
    "2022-11-09": ("2022-02-12", False),
    "2024-08-05": ("2022-11-25", False),
    "2025-10-10": ("2025-10-09", False),
}
# Day and hour of the bar in which a BTC long becomes liquidatable, by leverage: (recorded, dynamic).
BTC_LONGS = {
    "2020-03-13": {2: ("13 02", "13 02"), 5: ("12 10", "12 10"), 10: ("12 10", "12 10"),
                   20: ("12 06", "12 01"), 50: ("12 01", START)},
    "2021-05-19": {2: (None, None), 5: ("19 12", "19 12"), 10: ("19 04", "19 01"),
                   20: ("19 01", "18 14"), 50: ("18 14", START)},
    "2022-11-09": {2: (None, None), 5: ("09 18", "09 15"), 10: ("08 18", "08 18"),
                   20: ("08 04", "08 03"), 50: ("08 03", START)},
    "2024-08-05": {2: (None, None), 5: (None, "05 06"), 10: ("05 01", "05 00"),
                   20: ("04 17", "04 16"), 50: ("04 14", START)},
    "2025-10-10": {2: (None, None), 5: (None, None), 10: ("10 21", "10 20"),
                   20: ("10 17", "10 15"), 50: ("09 08", START)},
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A published row: an hour of mark prices."""

    begins_at: datetime
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True)
class Crashes:
    """What the ledger says of all crashes."""

    reports: dict[str, BreachReport]
    recommended: dict[str, dict[str, Recommendation]]
    histories: dict[str, PriceHistory]

    def row(self, crash: str, instrument: str, side: str, leverage: int, rule: str) -> BreachRow:
        account = account_name(crash, instrument, side, leverage)
        (found,) = [row for row in self.reports[crash].rows if (row.account, row.rule) == (account, rule)]
        return found


@pytest.fixture(scope="module")
def crashes(shared_data: Path) -> Crashes:
    events = crash_events(shared_data)
    prices = MarkPrices()
    schedules = fold(events, after=[prices.observe]).state.margin_schedules
    recommended, watches = {}, {}
    for crash in CRASHES:
        window = Window(crash)
        series = {name: prices.series(name).until(window.start) for name in INSTRUMENTS}
        recommended[crash] = {name: PriceHistory(series[name], DEFAULTS).recommend() for name in INSTRUMENTS}
        rules = [
            Rule("recorded", schedules),
            Rule("dynamic", {name: (flat_schedule(each),) for name, each in recommended[crash].items()}),
        ]
        accounts = [
            account_name(crash, name, side, leverage)
            for name in INSTRUMENTS
            for side in SIDES
            for leverage in LEVERAGES
        ]
        watches[crash] = BreachWatch(rules, window.start, window.end, accounts)
    fold(
        events,
        before=[watch.before for watch in watches.values()],
        after=[watch.after for watch in watches.values()],
    )
    histories = {name: PriceHistory(prices.series(name), DEFAULTS) for name in INSTRUMENTS}
    return Crashes({crash: watch.report() for crash, watch in watches.items()}, recommended, histories)


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, list[Row]]:
    published = {}
    for name in INSTRUMENTS:
        path = shared_data / "binance_history" / f"binance_{name}_1h_mark_2019-2026.csv.gz"
        with gzip.open(path, "rt") as stream:
            published[name] = [
                Row(
                    parse_time(line["date"]),
                    Decimal(line["high"]),
                    Decimal(line["low"]),
                    Decimal(line["close"]),
                )
                for line in csv.DictReader(stream)
            ]
    return published


def first_hour(published: list[Row], entry: Decimal, *, long: bool, price: Decimal) -> datetime | str | None:
    """Return the start of the first bar that reaches a price, ``start`` where the entry is beyond it."""
    if (entry <= price) if long else (entry >= price):
        return START
    return next(
        (row.begins_at for row in published if (row.low <= price if long else row.high >= price)), None
    )


def boundary(entry: Decimal, leverage: int, rate: Decimal, ratio: Decimal, *, long: bool) -> Decimal:
    """Return the price at which rate × price = ratio × (entry ÷ leverage ± (price − entry))."""
    if long:
        return entry * (1 - 1 / Decimal(leverage)) * ratio / (ratio - rate)
    return entry * (1 + 1 / Decimal(leverage)) * ratio / (ratio + rate)


def seen(row: BreachRow, level: Level) -> datetime | str | None:
    breach = row.breach(level)
    if breach is None:
        return None
    if breach.after is None:
        return START
    assert breach.until - breach.after == HOUR
    return breach.after


@pytest.mark.parametrize("crash", CRASHES)
def test_every_breach_is_in_the_hour_that_the_published_rows_give(
    crashes: Crashes, rows: dict[str, list[Row]], crash: str
) -> None:
    window = Window(crash)
    for name in INSTRUMENTS:
        (entry,) = [row.close for row in rows[name] if row.begins_at + HOUR == window.start]
        within = [row for row in rows[name] if window.start <= row.begins_at < window.end]
        assert len(within) == 48
        for side in SIDES:
            for leverage in LEVERAGES:
                for rule in ("recorded", "dynamic"):
                    row = crashes.row(crash, name, side, leverage, rule)
                    rate = row.schedules[0].rate
                    assert rate is not None
                    long = side == "long"
                    levels: dict[Level, Decimal] = {
                        "margin_call": boundary(entry, leverage, rate, MARGIN_CALL_RATIO, long=long),
                        "liquidatable": boundary(entry, leverage, rate, Decimal(1), long=long),
                        "bankrupt": boundary(entry, leverage, Decimal(0), Decimal(1), long=long),
                    }
                    expected = {
                        level: first_hour(within, entry, long=long, price=price)
                        for level, price in levels.items()
                    }
                    assert {level: seen(row, level) for level in levels} == expected, row.account


@pytest.mark.parametrize("crash", CRASHES)
def test_the_hours_of_the_longs_of_bitcoin(crashes: Crashes, crash: str) -> None:
    found = {}
    for leverage in LEVERAGES:
        hours = []
        for rule in ("recorded", "dynamic"):
            when = seen(crashes.row(crash, "BTCUSDT", "long", leverage, rule), "liquidatable")
            hours.append(f"{when:%d %H}" if isinstance(when, datetime) else when)
        found[leverage] = tuple(hours)
    assert found == BTC_LONGS[crash]


@pytest.mark.parametrize("crash", CRASHES)
def test_the_schedule_is_the_latest_by_then_or_the_earliest_substituted(crashes: Crashes, crash: str) -> None:
    table, substituted = TABLE_APPLIED[crash]
    for row in crashes.reports[crash].rows:
        if row.rule == "recorded":
            (part,) = row.schedules
            assert part.effective_at == parse_time(f"{table}T00:00:00Z")
            assert (row.substituted, part.substituted) == (substituted, substituted)
        else:
            assert not row.substituted
        assert row.notes == ()
    assert len(crashes.reports[crash].rows) == 2 * 2 * 5 * 2


@pytest.mark.parametrize("crash", CRASHES)
def test_the_dynamic_rate_is_the_shortfall_of_earlier_prices_and_of_no_later_one(
    crashes: Crashes, rows: dict[str, list[Row]], crash: str
) -> None:
    start = Window(crash).start
    for name, found in crashes.recommended[crash].items():
        assert str(found.rate.normalize()) == DYNAMIC_RATES[crash][name]
        assert found.binding.method == "expected_shortfall"
        assert found.samples.time(found.samples.places[-1]) == start
        # The same in plain floats: the mean of the worst hundredth of a year of hourly losses.
        closes = [
            float(row.close)
            for row in rows[name]
            if start - timedelta(days=365) <= row.begins_at + HOUR <= start
        ]
        losses = sorted((1 - now / before for before, now in pairwise(closes)), reverse=True)
        tail = len(losses) / 100
        whole = math.floor(tail)
        shortfall = (sum(losses[:whole]) + (tail - whole) * losses[whole]) / tail
        (rate,) = [
            each.rate
            for each in found.estimates
            if (each.method, each.side) == ("expected_shortfall", "long")
        ]
        assert float(rate) == pytest.approx(shortfall, abs=1e-11)
        assert found.horizon_returns == len(losses)


def test_the_dynamic_schedule_gives_notice_at_or_before_the_recorded_one(crashes: Crashes) -> None:
    for crash in CRASHES:
        for name in INSTRUMENTS:
            for side in SIDES:
                for leverage in LEVERAGES:
                    recorded, dynamic = (
                        crashes.row(crash, name, side, leverage, rule).breach("liquidatable")
                        for rule in ("recorded", "dynamic")
                    )
                    if recorded is not None:
                        assert dynamic is not None
                        assert dynamic.until <= recorded.until


def test_a_rate_recommended_daily_is_exceeded_less_often_than_its_confidence_allows(crashes: Crashes) -> None:
    history = crashes.histories["BTCUSDT"]
    long, short = examine_requirement(history.samples, DEFAULTS, "dynamic", dynamic_requirement(history))
    # Of 55,975 hours 1 % may exceed it; Expected Shortfall is more cautious than the quantile.
    assert {(tested.windows, tested.coverage.verdict) for tested in (long, short)} == {(55_975, "too_few")}
    assert (long.exceptions, short.exceptions) == (167, 135)
