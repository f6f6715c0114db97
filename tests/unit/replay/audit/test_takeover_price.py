"""A's bankruptcy price is 900, the mark 940, the tick 0.5."""

from __future__ import annotations

import pytest

from tests.support.waterfall import INSTRUMENT, Waterfall, found, not_checked, places

CODE = "takeover_price_wrong"


@pytest.mark.parametrize("price", ["899.5", "900", "900.5", "939.5", "940", "940.5"])
def test_the_fund_takes_over_within_a_tick_of_bankruptcy_price_or_mark(price: str) -> None:
    venue = Waterfall()
    venue.start()
    venue.execute()
    venue.close("F", price=price)
    assert places(venue, CODE) == []


@pytest.mark.parametrize("price", ["899", "901", "920", "939", "941"])
def test_any_other_price_of_the_fund_is_wrong(price: str) -> None:
    venue = Waterfall()
    decision = venue.start()
    venue.execute()
    fill = venue.close("F", price=price)
    (finding,) = found(venue, CODE)
    assert (finding.account, finding.instrument, finding.sequence) == ("A", INSTRUMENT, fill)
    assert {decision, fill} <= set(finding.evidence)
    assert (finding.recorded, finding.rebuilt) == (price, "900")


@pytest.mark.parametrize(("price", "wrong"), [("920", False), ("899.5", False), ("899", True)])
@pytest.mark.parametrize("other_purpose", ["trade", "adl"])
def test_nobody_else_buys_below_the_bankruptcy_price(price: str, wrong: bool, other_purpose: str) -> None:  # noqa: FBT001 (parametrised)
    venue = Waterfall()
    venue.start()
    venue.execute()
    fill = venue.close("B", price=price, other_purpose=other_purpose)
    assert places(venue, CODE) == ([("A", fill)] if wrong else [])


def test_an_order_of_the_fund_that_is_met_in_the_book_is_no_takeover() -> None:
    venue = Waterfall()
    venue.start()
    venue.execute()
    venue.close("F", price="920", other_purpose="trade")
    assert places(venue, CODE) == []


@pytest.mark.parametrize(("price", "wrong"), [("1100.5", False), ("1101", True)])
def test_a_short_is_not_bought_back_above_its_bankruptcy_price(price: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    # C sold 4 at 1,000 on 400: bankrupt at 1,100.
    venue = Waterfall(mark="1080")
    venue.start("C", "L2")
    venue.execute(account="C", liquidation="L2")
    fill = venue.trade("C", "buy", "B", "4", price, "liquidation", liquidation="L2")
    assert places(venue, CODE) == ([("C", fill)] if wrong else [])


def test_of_a_bankrupt_account_the_fund_takes_at_the_mark_and_the_market_only_at_better_than_bankruptcy() -> (
    None
):
    by_fund, by_market = Waterfall(mark="880"), Waterfall(mark="880")
    for venue in (by_fund, by_market):
        venue.start()
        venue.execute()
    by_fund.close("F", price="880")
    fill = by_market.close("B", price="880")
    assert places(by_fund, CODE) == []
    assert places(by_market, CODE) == [("A", fill)]


def test_the_mark_of_the_decision_counts_and_not_a_later_one() -> None:
    venue = Waterfall()
    venue.start()
    venue.mark("930")
    venue.execute()
    fill = venue.close("F", price="930")
    assert places(venue, CODE) == [("A", fill)]


def test_a_takeover_may_name_its_counterparty_in_the_liquidation() -> None:
    venue = Waterfall(complete=False)
    venue.start()
    venue.execute({"counterparty_account": "F", "trade_ids": ["T9"], "price": "920"})
    event = venue.fill("A", "sell", "10", "920", purpose="liquidation", liquidation="L1", trade_id="T9")
    assert places(venue, CODE) == [("A", event.sequence)]


@pytest.mark.parametrize(("price", "verdict"), [("920", "fine"), ("880", "unknown"), ("870", "wrong")])
def test_without_a_counterparty_only_what_nobody_may_pay_is_wrong(price: str, verdict: str) -> None:
    venue = Waterfall(mark="880", complete=False)
    venue.start()
    venue.execute()
    event = venue.fill("A", "sell", "10", price, purpose="liquidation", liquidation="L1")
    assert places(venue, CODE) == ([("A", event.sequence)] if verdict == "wrong" else [])
    assert bool(not_checked(venue, CODE)) is (verdict == "unknown")


def test_an_isolated_position_has_a_bankruptcy_price_of_its_own() -> None:
    # 1,000 of margin stand behind it; the 70 in the wallet do not.
    right, wrong = Waterfall(margin_mode="isolated"), Waterfall(margin_mode="isolated")
    for venue in (right, wrong):
        venue.start(scope="position", instrument=INSTRUMENT)
        venue.execute()
    right.close("F", price="900")
    fill = wrong.close("F", price="893")
    assert places(right, CODE) == []
    assert places(wrong, CODE) == [("A", fill)]


@pytest.mark.parametrize(("allocation", "price"), [("maintenance_margin", "950"), ("notional", "920")])
def test_the_equity_is_shared_among_positions_as_the_policy_says(allocation: str, price: str) -> None:
    # 10 ETH at 100 × 20 %, 1 BTC at 1,000 × 5 %: 250 of equity are shared 4 : 1, or by halves.
    venue = Waterfall(mark="1000", policy={"bankruptcy_allocation": allocation})
    venue.list_instrument("ETH-PERP", tick_size="0.5")
    venue.schedule("ETH-PERP", ("0", None, "0.2", "0", "5"))
    venue.mark("100", "ETH-PERP")
    venue.open("D", "250")
    venue.trade("D", "buy", "B", "1", "1000")
    venue.trade("D", "buy", "B", "10", "100", instrument="ETH-PERP")
    venue.start("D", "L2")
    venue.execute(account="D", liquidation="L2")
    venue.trade("D", "sell", "F", "1", {"950": "950", "920": "875"}[price], "liquidation", liquidation="L2")
    assert places(venue, CODE) == []
    fill = venue.trade("D", "sell", "F", "10", "90", "liquidation", liquidation="L2", instrument="ETH-PERP")
    assert places(venue, CODE) == [("D", fill)]


def test_without_a_margin_schedule_it_is_not_checked() -> None:
    venue = Waterfall()
    venue.list_instrument("BTC-INV", contract="inverse", settlement_asset="BTC", quote="USD")
    venue.mark("940", "BTC-INV")
    venue.deposit("D", "1", "BTC")
    venue.fill("D", "buy", "10", "1000", "BTC-INV")
    venue.start("D", "L2")
    venue.execute(account="D", liquidation="L2")
    venue.fill("D", "sell", "10", "1", "BTC-INV", purpose="liquidation", liquidation="L2")
    assert places(venue, CODE) == []
    (reason,) = not_checked(venue, CODE)
    assert reason.startswith("1 fills of liquidated accounts have no bankruptcy price")
