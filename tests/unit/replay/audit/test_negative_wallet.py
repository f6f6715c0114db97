"""A debt with nothing open against it is to be covered by somebody, soon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.events import START, History
from tests.support.findings import found, not_checked, places

CODE = "negative_wallet"


def at(seconds: int) -> dict[str, Any]:
    return {"occurred_at": START + timedelta(seconds=seconds)}


def indebted(**policy: Any) -> History:
    """``A`` loses 1,500 of 1,000 USDT at second 10 (sequence 5, or 6 with a policy)."""
    history = History()
    if policy:
        history.policy(**policy)
    history.list_instrument()
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "10000")
    history.mark("8500")
    history.fill("A", "sell", "1", "8500", **at(10))
    return history


def cover(history: History, second: int) -> History:
    history.add(
        "InsuranceFundDrawn", fund="F", asset="USDT", amount="500", account="A", reason="", **at(second)
    )
    return history


def test_a_debt_that_is_covered_within_the_grace_is_no_finding() -> None:
    assert found(cover(indebted(), 70).events, CODE) == []


def test_a_debt_that_stands_for_longer_is_a_finding() -> None:
    (finding,) = found(cover(indebted(), 71).events, CODE)
    assert (finding.account, finding.sequence, finding.rebuilt) == ("A", 5, "-500")
    assert finding.evidence == (5, 6)


def test_the_engines_latency_is_the_grace_where_it_is_known() -> None:
    quick = {"engine_max_latency_seconds": "1"}
    assert found(cover(indebted(**quick), 11).events, CODE) == []
    assert places(cover(indebted(**quick), 12).events, CODE) == [("A", 6)]


def test_a_debt_at_the_end_counts_where_time_has_gone_on() -> None:
    history = indebted()
    assert found(history.events, CODE) == []
    history.add("MarkPriceUpdated", instrument="BTC-PERP", price="8500", **at(11))
    (finding,) = found(history.events, CODE)
    assert finding.evidence == (5,)
    assert "still is at the end" in finding.message


def test_a_debt_against_which_something_is_open_is_none_yet() -> None:
    history = History()
    history.list_instrument()
    history.fill("A", "buy", "1", "10000")
    history.add("FeeCharged", account="A", asset="USDT", amount="5", reason="", **at(10))
    history.add("MarkPriceUpdated", instrument="BTC-PERP", price="20000", **at(500))
    assert found(history.events, CODE) == []
    # Closed at a loss, the debt stands from there on.
    history.fill("A", "sell", "1", "9999", **at(501))
    history.add("MarkPriceUpdated", instrument="BTC-PERP", price="20000", **at(600))
    assert places(history.events, CODE) == [("A", 5)]


def test_isolated_margin_counts_towards_the_wallet() -> None:
    history = History()
    history.list_instrument()
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.deposit("A", "100")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="80", reason="")
    history.add("FeeCharged", account="A", asset="USDT", amount="50", reason="", **at(10))
    history.mark("1")
    history.add("MarkPriceUpdated", instrument="BTC-PERP", price="1", **at(500))
    assert found(history.events, CODE) == []


def test_debts_of_the_fund_are_another_matter() -> None:
    history = History()
    history.list_instrument()
    opened: dict[str, Any] = {"margin_mode": "cross", "position_mode": "one_way", "kind": "insurance_fund"}
    history.add("AccountOpened", account="F", **opened)
    history.add("FeeCharged", account="F", asset="USDT", amount="50", reason="", **at(10))
    history.add("MarkPriceUpdated", instrument="BTC-PERP", price="1", **at(500))
    assert found(history.events, CODE) == []


def test_a_loss_that_is_shared_out_can_cover_a_debt_or_make_one() -> None:
    history = indebted()
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account", **at(10))
    loss: dict[str, Any] = {"liquidation": "L1", "asset": "USDT", "amount": "500", "part": "1", "parts": "1"}
    history.add("LossSocialised", **loss, allocations=[{"account": "B", "amount": "500"}], **at(20))
    history.add("MarkPriceUpdated", instrument="BTC-PERP", price="1", **at(500))
    assert places(history.events, CODE) == [("B", 7)]


def test_the_cash_of_a_source_that_shows_one_side_is_not_judged() -> None:
    history = History()
    history.add("SourceDeclared", source="S", coverage="one_sided", description="")
    for _ in range(2):
        history.add("WithdrawalRecorded", account="A", asset="USDT", amount="5", system="S")
    assert found(history.events, CODE) == []
    (reason,) = not_checked(history.events, CODE)
    assert reason.startswith("1 wallets were below zero where a source shows one side only")
