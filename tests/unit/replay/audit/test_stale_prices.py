"""No decision, call or index may rest on prices that are older than the policy accepts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.events import START, History
from tests.support.findings import found

CODE = "price_stale"
DECIDED: dict[str, Any] = {"liquidation": "L1", "account": "A", "scope": "account"}
OUTCOME: dict[str, Any] = {"notional": "1", "account_value": "1", "takeovers": []}


def venue(limit: str | None = "600") -> History:
    """``A`` holds two instruments that were marked at seconds 5 and 6; the policy is sequence 1."""
    history = History()
    history.policy(**({} if limit is None else {"mark_max_age_seconds": limit}))
    for name in ("BTC-PERP", "ETH-PERP"):
        history.list_instrument(name)
        history.fill("A", "buy", "1", "100", name)
    history.mark("100", "BTC-PERP")
    history.mark("100", "ETH-PERP")
    return history


@pytest.mark.parametrize(("second", "evidence"), [(605, None), (606, (1, 6, 8)), (607, (1, 6, 7, 8))])
def test_a_decision_may_rest_on_marks_as_old_as_the_policy_accepts(
    second: int, evidence: tuple[int, ...] | None
) -> None:
    # The mark of BTC-PERP is sequence 6, that of ETH-PERP sequence 7.
    history = venue()
    at = START + timedelta(seconds=second + 1)
    history.add("LiquidationStarted", occurred_at=at, **DECIDED)
    stale = found(history.events, CODE)
    assert [each.evidence for each in stale] == ([] if evidence is None else [evidence])
    assert {(each.account, each.sequence) for each in stale} <= {("A", 8)}


def test_the_execution_of_a_decision_is_none_of_its_own() -> None:
    history = venue()
    history.add("LiquidationStarted", occurred_at=START + timedelta(seconds=10), **DECIDED)
    history.add("LiquidationExecuted", occurred_at=START + timedelta(seconds=900), **DECIDED, **OUTCOME)
    assert found(history.events, CODE) == []
    history = venue()
    history.add("LiquidationExecuted", occurred_at=START + timedelta(seconds=900), **DECIDED, **OUTCOME)
    assert [(each.account, each.sequence) for each in found(history.events, CODE)] == [("A", 8)]


def test_a_margin_call_may_not_rest_on_old_marks() -> None:
    history = venue()
    call: dict[str, Any] = {"account": "A", "margin_ratio": "0.9", "required": "1"}
    history.add("MarginCallIssued", occurred_at=START + timedelta(seconds=500), **call)
    assert found(history.events, CODE) == []
    history.add("MarginCallIssued", occurred_at=START + timedelta(seconds=900), **call)
    (finding,) = found(history.events, CODE)
    assert (finding.account, finding.sequence) == ("A", 9)


def test_a_call_for_an_isolated_position_rests_on_its_own_mark_alone() -> None:
    history = History()
    history.policy(mark_max_age_seconds="600")
    for name in ("BTC-PERP", "ETH-PERP"):
        history.list_instrument(name)
        history.add("MarginModeSet", account="A", instrument=name, margin_mode="isolated")
        history.fill("A", "buy", "1", "100", name)
    history.mark("100", "BTC-PERP")
    at = START + timedelta(seconds=900)
    history.add("MarkPriceUpdated", instrument="ETH-PERP", price="100", occurred_at=at)
    call: dict[str, Any] = {"account": "A", "margin_ratio": "0.9", "required": "1", "occurred_at": at}
    history.add("MarginCallIssued", instrument="ETH-PERP", **call)
    assert found(history.events, CODE) == []
    history.add("MarginCallIssued", instrument="BTC-PERP", **call)
    assert [each.instrument for each in found(history.events, CODE)] == ["BTC-PERP"]


def test_without_a_limit_no_mark_is_too_old() -> None:
    history = venue(limit=None)
    history.add("LiquidationStarted", occurred_at=START + timedelta(days=9), **DECIDED)
    assert found(history.events, CODE) == []


@pytest.mark.parametrize(
    ("age", "excluded", "findings"), [(600, False, 0), (601, False, 1), (601, True, 0), (None, False, 0)]
)
def test_an_index_counts_no_constituent_that_is_older(
    *, age: int | None, excluded: bool, findings: int
) -> None:
    history = History()
    history.policy(mark_max_age_seconds="600")
    at = START + timedelta(seconds=900)
    constituent = {"source": "exchange", "price": "100", "weight": "1", "excluded": excluded}
    if age is not None:
        constituent["observed_at"] = at - timedelta(seconds=age)
    history.add("IndexPriceUpdated", index="BTC", price="100", constituents=[constituent], occurred_at=at)
    assert [(each.account, each.evidence) for each in found(history.events, CODE)] == [
        (None, (1, 2))
    ] * findings
