"""Recorded mark prices as a series, sampled at a fixed distance."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from replay.fold import fold
from replay.risk.prices import Gap, MarkPrices, PriceSeries
from tests.support.events import START, History, by_id
from tests.support.prices import BEGIN, HOUR, series


def bar(history: History, close: str, *, kind: str = "mark", hours: int = 0) -> UUID:
    return history.add(
        "PriceBarRecorded",
        occurred_at=START + HOUR * hours,
        instrument="BTC-PERP",
        kind=kind,
        interval_seconds="3600",
        open=close,
        high=close,
        low=close,
        close=close,
    ).id


def collected(history: History) -> PriceSeries:
    prices = MarkPrices()
    fold(history.events, after=[prices.observe], resolve=by_id(history.events).get)
    return prices.series("BTC-PERP")


def closes(found: PriceSeries) -> list[str]:
    return [str(point.price) for point in found.points]


def test_marks_and_closes_of_mark_bars_are_taken_in_the_order_of_time_and_no_other_price() -> None:
    history = History()
    history.list_instrument()
    bar(history, "102", hours=2)
    bar(history, "101", hours=1)
    bar(history, "999", kind="last", hours=1)
    history.add("LastPriceUpdated", instrument="BTC-PERP", price="998")
    history.add("MarkPriceUpdated", occurred_at=START + HOUR * 3, instrument="BTC-PERP", price="103")
    history.add("MarkPriceUpdated", instrument="ETH-PERP", price="5")
    assert closes(collected(history)) == ["101", "102", "103"]


def test_a_price_set_by_hand_is_no_price_of_the_market() -> None:
    history = History()
    history.list_instrument()
    history.mark("100")
    history.add(
        "PriceOverridden", instrument="BTC-PERP", kind="mark", price="1", reason="an outlier", approvers=[]
    )
    assert closes(collected(history)) == ["100"]


def correct(history: History, event: UUID, **more: Any) -> UUID:
    return history.add("CorrectionRecorded", corrects=str(event), reason="wrong", approvers=[], **more).id


def test_a_corrected_price_counts_as_corrected_and_a_voided_one_not_at_all() -> None:
    history = History()
    history.list_instrument()
    first, second = bar(history, "100", hours=1), bar(history, "200", hours=2)
    correct(history, first, action="void")
    data = {
        "instrument": "BTC-PERP",
        "kind": "mark",
        "interval_seconds": "3600",
        **dict.fromkeys(("open", "high", "low", "close"), "201"),
    }
    replaced = correct(history, second, action="replace", replacement=data)
    (point,) = collected(history).points
    assert (str(point.price), point.at) == ("201", START + HOUR * 2)
    assert point.sequence == history.events[-1].sequence
    # A chain of corrections ends with the latest.
    correct(history, replaced, action="void")
    assert collected(history).points == ()


def test_the_price_at_a_sampling_time_is_the_last_one_within_the_interval_that_ends_there() -> None:
    samples = series([100, 101, 102, 103, 104], step=timedelta(minutes=30)).sampled(HOUR)
    # 00:00 stands for itself; 00:30 and 01:00 end at 01:00, 01:30 and 02:00 at 02:00.
    assert [str(price) for price in samples.prices] == ["100", "102", "104"]
    assert samples.sequences == (10, 12, 14)
    assert [samples.time(place) for place in samples.places] == [BEGIN + HOUR * n for n in range(3)]
    assert samples.place_at(BEGIN + timedelta(minutes=59)) == samples.places[0]


def test_gaps_are_named_and_no_price_stands_for_a_time_without_one() -> None:
    whole = series(range(100, 110))
    holed = PriceSeries("BTC-PERP", whole.points[:3] + whole.points[6:])
    samples = holed.sampled(HOUR)
    assert list(samples.gaps()) == [Gap(BEGIN + HOUR * 2, BEGIN + HOUR * 6, 3)]
    evidence = samples.json_value()
    assert (evidence["prices"], evidence["missing"]) == (7, 3)
    assert (evidence["first_sequence"], evidence["last_sequence"]) == (10, 19)


def test_prices_of_zero_and_less_are_left_out_and_counted() -> None:
    samples = series(["100", "0", "-1", "101"]).sampled(HOUR)
    assert [str(price) for price in samples.prices] == ["100", "101"]
    assert samples.unusable == 2


def test_nothing_after_a_time_is_seen() -> None:
    early = series(range(100, 110)).until(BEGIN + HOUR * 4)
    assert [point.price for point in early.points] == [Decimal(price) for price in range(100, 105)]


def test_windows_lie_side_by_side_at_whole_multiples_of_their_length() -> None:
    samples = series(range(100, 110)).sampled(HOUR)
    windows = [(samples.prices[first], samples.prices[last]) for first, last in samples.windows(4)]
    assert windows == [(Decimal(100), Decimal(104)), (Decimal(104), Decimal(108))]
