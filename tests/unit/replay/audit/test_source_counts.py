"""A source's own totals are held against what the ledger has of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


SECONDS = st.integers(0, 400)


@given(st.lists(SECONDS, max_size=12), SECONDS, SECONDS)
def test_the_true_number_is_never_a_finding(seconds: list[int], begin: int, end: int) -> None:
    true = sum(begin <= second < end for second in seconds)
    history = totals(deposits(*seconds), begin, end, DepositRecorded=str(Decimal(true)))
    assert found(history.events, CODE) == []
