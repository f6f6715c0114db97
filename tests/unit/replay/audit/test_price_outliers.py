"""Mark, last and index prices of the same time keep within 10 % of each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from replay.audit.checks import price_outliers
from tests.support.events import START, History
from tests.support.findings import found, not_checked

CODE = "price_outlier"


def venue() -> History:
    history = History()
    history.list_instrument(index="BTC")
    return history


def bar(history: History, kind: str, high: str, low: str, end: int = 3600, interval: str = "3600") -> None:
    prices = {"open": low, "high": high, "low": low, "close": high}
    history.add(
        "PriceBarRecorded",
        instrument="BTC-PERP",
        kind=kind,
        interval_seconds=interval,
        occurred_at=START + timedelta(seconds=end),
        **prices,
    )


@pytest.mark.parametrize(("mark", "findings"), [("110", 0), ("90", 0), ("110.01", 1), ("89.99", 1)])
def test_a_mark_may_deviate_by_ten_percent_from_its_index(mark: str, findings: int) -> None:
    history = venue()
    history.add("IndexPriceUpdated", index="BTC", price="100")
    history.mark(mark)
    outliers = found(history.events, CODE)
    assert [(each.instrument, each.sequence, each.evidence) for each in outliers] == [
        ("BTC-PERP", 3, (2, 3))
    ] * findings


def test_a_last_price_is_held_against_the_mark_and_not_against_the_index() -> None:
    history = venue()
    history.add("IndexPriceUpdated", index="BTC", price="100")
    history.mark("105")
    history.add("LastPriceUpdated", instrument="BTC-PERP", price="115.5")
    assert found(history.events, CODE) == []
    history.add("LastPriceUpdated", instrument="BTC-PERP", price="115.51")
    (finding,) = found(history.events, CODE)
    assert (finding.sequence, finding.recorded, finding.rebuilt) == (5, "115.51", "105")


@pytest.mark.parametrize(("age", "findings"), [(60, 1), (61, 0)])
def test_a_price_older_than_a_minute_is_no_measure(age: int, findings: int) -> None:
    history = venue()
    history.mark("100")
    at = START + timedelta(seconds=2 + age)
    history.add("LastPriceUpdated", instrument="BTC-PERP", price="200", occurred_at=at)
    assert len(found(history.events, CODE)) == findings


def test_an_index_that_moves_first_is_not_held_against_the_mark_before() -> None:
    history = venue()
    history.add("IndexPriceUpdated", index="BTC", price="100")
    history.mark("100")
    history.add("IndexPriceUpdated", index="BTC", price="80")
    history.mark("80")
    assert found(history.events, CODE) == []


def test_a_mark_that_is_set_by_hand_can_be_an_outlier() -> None:
    history = venue()
    history.add("IndexPriceUpdated", index="BTC", price="100")
    override: dict[str, Any] = {
        "instrument": "BTC-PERP",
        "kind": "mark",
        "price": "50",
        "reason": "",
        "approvers": ["x"],
    }
    history.add("PriceOverridden", **override)
    assert [each.sequence for each in found(history.events, CODE)] == [3]


@pytest.mark.parametrize(
    ("high", "low", "findings"),
    [("121", "90", 0), ("121.01", "90", 1), ("121", "89.99", 1), ("100", "110", 0)],
)
def test_a_bar_of_last_prices_may_go_ten_percent_beyond_that_of_marks(
    high: str, low: str, findings: int
) -> None:
    for first, second in (("mark", "last"), ("last", "mark")):
        history = venue()
        for kind in (first, second):
            bar(history, kind, *((high, low) if kind == "last" else ("110", "100")))
        outliers = found(history.events, CODE)
        assert [(each.sequence, each.evidence) for each in outliers] == [(3, (2, 3))] * findings


def test_bars_of_another_end_or_interval_are_not_compared() -> None:
    history = venue()
    bar(history, "mark", "110", "100", end=3600)
    bar(history, "last", "500", "100", end=7200)
    bar(history, "last", "500", "100", end=3600, interval="60")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == [
        "2 bars of last prices have no bar of mark prices beside them"
    ]


def test_only_so_many_bars_wait_for_their_counterpart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_outliers, "BARS_KEPT", 2)
    history = venue()
    for end in (1, 2, 3):
        bar(history, "last", "500", "100", end=end * 3600)
    for end in (1, 3):
        bar(history, "mark", "110", "100", end=end * 3600)
    assert [each.evidence for each in found(history.events, CODE)] == [(4, 6)]
    assert not_checked(history.events, CODE) == [
        "2 bars of last prices have no bar of mark prices beside them"
    ]


def test_an_options_premium_is_held_against_no_other_price() -> None:
    history = venue()
    option = {"kind": "option", "strike": "100", "option_type": "call"}
    history.list_instrument("BTC-PERP", index="BTC", expires_at="2026-01-10T00:00:00Z", **option)
    history.add("IndexPriceUpdated", index="BTC", price="100")
    history.mark("5")
    history.add("LastPriceUpdated", instrument="BTC-PERP", price="9")
    bar(history, "mark", "5", "4")
    bar(history, "last", "9", "1")
    bar(history, "index", "100", "90")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == [
        "4 prices and bars are of options: a premium is no price of the underlying"
    ]
