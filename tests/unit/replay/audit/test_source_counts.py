"""A source's own totals are held against what the ledger has of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.audit.checks.source_counts import _Counts
from tests.support.events import START, History
from tests.support.findings import found, not_checked, places

CODE = "source_counts_differ"


def deposits(*seconds: int, system: str | None = "venue") -> History:
    history = History()
    for second in seconds:
        at = START + timedelta(seconds=second)
        history.add("DepositRecorded", account="A", asset="USDT", amount="1", occurred_at=at, system=system)
    return history


def totals(history: History, begin: int, end: int, source: str = "venue", **counts: str) -> History:
    bounds = {"from": START + timedelta(seconds=begin), "to": START + timedelta(seconds=end)}
    data: dict[str, Any] = {"source": source, **bounds, "counts": counts}
    history.add("SourceTotalsReported", system="venue", **data)
    return history


@pytest.mark.parametrize(("count", "findings"), [("3", 0), ("2", 1), ("4", 1), ("0", 1)])
def test_a_number_that_is_not_there_is_found_at_the_report(count: str, findings: int) -> None:
    history = totals(deposits(0, 59, 61), 0, 120, DepositRecorded=count)
    found_at = found(history.events, CODE)
    assert [(each.account, each.sequence, each.evidence) for each in found_at] == [(None, 4, (4,))] * findings
    assert {(each.recorded, each.rebuilt) for each in found_at} <= {(count, "3")}


def test_a_type_of_which_nothing_is_there_is_found() -> None:
    history = totals(deposits(0), 0, 120, WithdrawalRecorded="1", DepositRecorded="1")
    (finding,) = found(history.events, CODE)
    assert finding.message == "source venue: 1 WithdrawalRecorded are reported, 0 recorded"


def test_of_types_and_sources_that_are_not_named_nothing_is_said() -> None:
    history = deposits(0)
    history.add("FeeCharged", account="A", asset="USDT", amount="1", reason="", system="venue")
    history.deposit("A", "1")
    history.add("DepositRecorded", account="A", asset="USDT", amount="1", system="other")
    totals(history, 0, 120, DepositRecorded="1", SourceTotalsReported="7", LedgerOpened="7")
    assert found(history.events, CODE) == []


def test_what_is_recorded_after_the_report_does_not_count() -> None:
    history = totals(deposits(0), 0, 120, DepositRecorded="2")
    history.add("DepositRecorded", account="A", asset="USDT", amount="1", system="venue")
    assert places(history.events, CODE) == [(None, 2)]


def test_a_bound_inside_a_minute_leaves_its_number_open() -> None:
    # Between 0:30 and 2:30: the minute from 1:00 is whole, those from 0:00 and 2:00 are cut.
    seconds = (10, 40, 70, 130, 170)
    for count, findings in (("0", 1), ("1", 0), ("3", 0), ("5", 0), ("6", 1)):
        history = totals(deposits(*seconds), 30, 150, DepositRecorded=count)
        assert len(found(history.events, CODE)) == findings
    assert not_checked(totals(deposits(*seconds), 30, 150, DepositRecorded="3").events, CODE) == [
        "1 reported counts are within what the minutes of their bounds leave open"
    ]


def test_a_cut_minute_is_known_where_nothing_occurred_beyond_the_cut() -> None:
    history = totals(deposits(40, 70, 130), 30, 150, DepositRecorded="3")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == []
    history = totals(deposits(40, 70, 130), 30, 150, DepositRecorded="2")
    assert len(found(history.events, CODE)) == 1


def test_the_time_of_the_last_event_as_bound_may_count_that_event_or_not() -> None:
    for count, findings in (("2", 0), ("3", 0), ("1", 1), ("4", 1)):
        history = totals(deposits(40, 70, 130), 30, 130, DepositRecorded=count)
        assert len(found(history.events, CODE)) == findings
        assert not_checked(history.events, CODE) == []


def test_what_occurred_right_after_the_last_minute_is_not_taken_for_its_end() -> None:
    for count, findings in (("1", 0), ("2", 1)):
        history = totals(deposits(10, 60, 70), 0, 60, DepositRecorded=count)
        assert len(found(history.events, CODE)) == findings


def test_a_source_that_reports_no_totals_is_named() -> None:
    assert not_checked(deposits(0, 1).events, CODE) == [
        "source venue reported no totals: whether its 2 events are all is not known"
    ]


class Looks(dict[int, int]):
    """Counts how often something is looked up or gone through."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def get(self, key: int, default: Any = None, /) -> Any:
        self.count += 1
        return super().get(key, default)

    def items(self) -> Any:
        self.count += len(self)
        return super().items()


def test_a_report_costs_no_more_where_years_of_minutes_were_counted_before() -> None:
    minute, day = 60_000_000, 1_440
    looks = []
    for days in (3, 400):
        counts = _Counts(0, 0)
        counts.minutes = seen = Looks()
        for at in range(days * day):
            counts.add(at * minute)
        seen.count = 0
        begin, end = (days * day - 2_000) * minute, days * day * minute - 90_000_000
        assert counts.between(begin + 1, end) == (1_997, 1_999)
        looks.append(seen.count)
    assert looks[0] == looks[1]


DAYS = st.integers(0, 5 * 86_400)


@given(st.lists(DAYS, max_size=30), DAYS, DAYS)
def test_the_bounds_are_those_of_looking_at_every_minute(seconds: list[int], begin: int, end: int) -> None:
    counts = _Counts(seconds[0] * 1_000_000, 0) if seconds else _Counts(0, 0)
    for second in seconds:
        counts.add(second * 1_000_000)
    least, most = counts.between(begin * 1_000_000, end * 1_000_000)
    true = sum(begin <= second < end for second in seconds)
    within = [-(-begin // 60) <= second // 60 < end // 60 for second in seconds]
    touched = [begin // 60 <= second // 60 <= (end - 1) // 60 for second in seconds]
    assert sum(within) <= least <= true <= most <= max(sum(touched), true)


SECONDS = st.integers(0, 400)


@given(st.lists(SECONDS, max_size=12), SECONDS, SECONDS)
def test_the_true_number_is_never_a_finding(seconds: list[int], begin: int, end: int) -> None:
    true = sum(begin <= second < end for second in seconds)
    history = totals(deposits(*seconds), begin, end, DepositRecorded=str(Decimal(true)))
    assert found(history.events, CODE) == []
