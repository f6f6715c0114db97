"""Options: valued at a recorded mark; short ones are never charged zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from replay.fold import replay_events
from replay.margin import AccountMargin, evaluate
from tests.support.events import History

CALL = "BTC-60000-C"


def venue(contract: str = "linear", **terms: Any) -> History:
    history = History()
    listed: dict[str, Any] = {
        "kind": "option",
        "contract": contract,
        "base": "BTC",
        "index": "BTC",
        "strike": "60000",
        "option_type": "call",
        **terms,
    }
    history.list_instrument(CALL, **listed)
    history.deposit("A", "10000")
    return history


def evaluated(history: History) -> AccountMargin:
    return evaluate(replay_events(history.events), "A")


def codes(margin: AccountMargin) -> set[str]:
    return {note.code for note in margin.notes}


def test_a_long_option_is_worth_its_mark_and_requires_nothing() -> None:
    history = venue()
    history.fill("A", "buy", "2", "500", CALL)
    history.mark("650", CALL)
    margin = evaluated(history)
    assert margin.unrealised_pnl == Decimal(300)
    assert margin.equity == Decimal(10300)
    assert margin.maintenance_margin == margin.initial_margin == Decimal(0)
    assert margin.state == "healthy"


def test_an_account_with_a_short_option_and_no_schedule_for_it_is_undetermined() -> None:
    history = venue()
    history.fill("A", "sell", "2", "500", CALL)
    history.mark("650", CALL)
    margin = evaluated(history)
    assert margin.state == "undetermined"
    assert margin.maintenance_margin is margin.initial_margin is None
    assert margin.unrealised_pnl == Decimal(-300)  # it is valued all the same
    assert "no_option_margin_schedule" in codes(margin)


def test_a_short_option_with_a_schedule_requires_its_rate_of_the_underlying() -> None:
    history = venue()
    history.schedule(CALL, ("0", None, "0.075", "0", "10"))
    history.fill("A", "sell", "0.5", "500", CALL)
    history.mark("650", CALL)
    assert "no_index_price" in codes(evaluated(history))
    history.add("IndexPriceUpdated", index="BTC", price="58000")
    margin = evaluated(history)
    assert margin.maintenance_margin == Decimal(2175)  # 0.5 × 58,000 × 7.5 %
    assert margin.initial_margin == Decimal(2900)
    assert margin.state == "healthy"


def test_an_option_without_a_mark_is_undetermined() -> None:
    history = venue()
    history.fill("A", "buy", "2", "500", CALL)
    assert evaluated(history).state == "undetermined"


def test_an_option_settled_in_the_base_is_priced_in_the_base() -> None:
    """A premium of 0.01 BTC is no reciprocal price."""
    history = venue("inverse", quote="USD", settlement_asset="BTC")
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USDT", price="60000")
    history.schedule(CALL, ("0", None, "0.1", "0", "10"))
    history.fill("A", "sell", "2", "0.01", CALL)
    history.mark("0.015", CALL)
    margin = evaluated(history)
    assert margin.unrealised_pnl == Decimal(-600)
    assert margin.maintenance_margin == Decimal(12000)  # 2 BTC × 10 %


def test_settlement_pays_the_value_at_expiry() -> None:
    history = venue()
    history.fill("A", "buy", "2", "500", CALL)
    history.add("InstrumentSettled", instrument=CALL, price="1200", reason="expiry")
    account = replay_events(history.events).accounts["A"]
    assert account.balances["USDT"] == Decimal(11400)
    assert not account.positions


def test_tiers_in_the_quote_of_an_option_that_settles_in_the_base_go_by_the_index() -> None:
    history = venue("inverse", quote="USD", settlement_asset="BTC")
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USDT", price="50000")
    tiers = (("0", "100000", "0.1", "0", "5"), ("100000", None, "0.2", "10000", "2"))
    history.schedule(CALL, *tiers, notional_asset="USD")
    history.fill("A", "sell", "5", "0.03", CALL)
    history.mark("0.03", CALL)
    assert "no_index_price" in codes(evaluated(history))
    history.add("IndexPriceUpdated", index="BTC", price="50000")
    margin = evaluated(history)
    assert margin.maintenance_margin == Decimal(40000)  # 250,000 USD × 20 % − 10,000


def test_both_sides_of_an_option_move_with_its_price() -> None:
    history = venue()
    history.schedule(CALL, ("0", None, "0.1", "0", "5"))
    history.add("IndexPriceUpdated", index="BTC", price="50000")
    history.add("AccountOpened", account="B", margin_mode="cross", position_mode="hedge", kind="customer")
    history.deposit("B", "6000")
    history.fill("B", "sell", "1", "1500", CALL, position_side="short")
    history.fill("B", "buy", "1", "1500", CALL, position_side="long")
    history.mark("1500", CALL)
    margin = evaluate(replay_events(history.events), "B")
    assert margin.state == "healthy"
    assert [each.liquidation_price for each in margin.positions] == [None, None]
