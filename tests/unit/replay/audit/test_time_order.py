"""Facts are recorded in the order in which they occurred, give or take what the engine may take to act."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from replay.audit import audit
from tests.support.events import START, History
from tests.support.findings import found, places

CODE = "out_of_time_order"


def deposit(history: History, seconds: str) -> History:
    at = START + timedelta(seconds=float(seconds))
    history.add("DepositRecorded", account="A", asset="USDT", amount="1", occurred_at=at)
    return history


def test_a_fact_from_before_what_is_recorded_is_found_with_both() -> None:
    (late,) = found(deposit(deposit(deposit(History(), "100"), "90"), "105").events, CODE)
    assert (late.account, late.sequence, late.evidence) == ("A", 2, (1, 2))
    assert late.message == "DepositRecorded occurred 10 s before sequence 1, which is recorded before it"
    assert late.recorded == "2026-01-01T00:01:30.000000Z"


def test_facts_that_are_late_against_the_same_one_are_one_finding() -> None:
    history = deposit(deposit(deposit(deposit(History(), "100"), "95"), "90"), "99")
    (late,) = found(history.events, CODE)
    assert (late.account, late.sequence, late.evidence) == ("A", 2, (1, 2, 4))
    assert late.message == (
        "3 events from sequence 2 to 4 occurred up to 10 s before sequence 1, which is recorded before them"
    )
    history.add("DepositRecorded", account="B", asset="USDT", amount="1", occurred_at=START)
    assert [(each.account, each.evidence) for each in found(history.events, CODE)] == [(None, (1, 2, 5))]


def test_a_time_that_is_reached_again_begins_a_new_run() -> None:
    history = deposit(deposit(deposit(deposit(History(), "100"), "90"), "100"), "95")
    assert [(each.sequence, each.evidence) for each in found(history.events, CODE)] == [
        (2, (1, 2)),
        (4, (3, 4)),
    ]


def test_facts_of_one_time_are_in_order() -> None:
    assert found(deposit(deposit(History(), "100"), "100").events, CODE) == []


@pytest.mark.parametrize(("second", "findings"), [("99", 0), ("98.999", 1)])
def test_the_engines_latency_is_tolerated_where_it_is_known(second: str, findings: int) -> None:
    history = History()
    history.policy(engine_max_latency_seconds="1")
    deposit(deposit(history, "100"), second)
    assert len(found(history.events, CODE)) == findings


def test_an_allowance_that_is_given_goes_before_the_policy() -> None:
    history = deposit(deposit(History(), "100"), "90")
    assert audit(history.events, checks=[CODE], max_latency_seconds=Decimal(10)).findings == ()
    assert audit(history.events, checks=[CODE], max_latency_seconds=Decimal(9)).findings != ()


def test_events_about_the_records_are_apart() -> None:
    history = deposit(History(), "100")
    at = START + timedelta(seconds=1_000)
    clock = {"source": "ntp", "divergence_microseconds": "1"}
    history.add("ClockSynchronised", occurred_at=at, **clock)
    deposit(history, "200")
    history.add("ClockSynchronised", occurred_at=START, **clock)
    assert places(history.events, CODE) == []


def test_folded_as_it_occurred_everything_is_in_order() -> None:
    history = deposit(deposit(History(), "100"), "90")
    assert audit(history.events, checks=[CODE], order="occurred").findings == ()
