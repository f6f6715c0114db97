"""Open orders claim the initial margin of the worst that positions can become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from replay.fold import replay_events
from replay.margin import AccountMargin, evaluate
from tests.support.events import History


def venue() -> History:
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", "5000", "0.01", "0", "20"), ("5000", None, "0.05", "200", "10"))
    history.deposit("A", "10000")
    history.mark("100")
    return history


def order(history: History, order_id: str, side: str, quantity: str, **more: Any) -> None:
    terms = {"account": "A", "instrument": "BTC-PERP", "price": "90", **more}
    history.add("OrderAccepted", order_id=order_id, side=side, quantity=quantity, **terms)


def evaluated(history: History) -> AccountMargin:
    return evaluate(replay_events(history.events), "A")


def test_the_worse_side_counts() -> None:
    history = venue()
    order(history, "1", "buy", "10")
    order(history, "2", "sell", "15")
    margin = evaluated(history)
    assert margin.open_order_initial_margin == Decimal(75)  # 15 × 100 ÷ 20
    assert margin.initial_margin == Decimal(75)
    assert margin.margin_utilisation == Decimal("0.0075")
    assert margin.maintenance_margin == Decimal(0)


def test_what_only_reduces_claims_nothing_and_what_turns_claims_the_excess() -> None:
    history = venue()
    history.fill("A", "buy", "10", "100")
    order(history, "1", "sell", "10")
    assert evaluated(history).open_order_initial_margin == Decimal(0)
    order(history, "2", "sell", "15")
    margin = evaluated(history)
    assert margin.open_order_initial_margin == Decimal(25)  # 15 short against 10 long
    assert margin.initial_margin == Decimal(75)


def test_the_tier_is_that_of_what_the_position_would_become() -> None:
    history = venue()
    history.fill("A", "buy", "40", "100")
    order(history, "1", "buy", "20")
    margin = evaluated(history)
    assert margin.initial_margin == Decimal(600)  # 60 × 100 at 10 times, not at 20
    assert margin.open_order_initial_margin == Decimal(400)


def test_in_hedge_mode_each_side_is_opened_by_its_own_orders() -> None:
    history = venue()
    history.add("PositionModeSet", account="A", position_mode="hedge")
    order(history, "1", "buy", "10", position_side="long")
    order(history, "2", "sell", "10", position_side="short")
    order(history, "3", "sell", "5", position_side="long")  # closes the long side
    assert evaluated(history).open_order_initial_margin == Decimal(100)


def test_isolated_orders_claim_from_the_wallet_what_they_would_add() -> None:
    history = venue()
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="60", reason="open")
    history.fill("A", "buy", "10", "100")
    order(history, "1", "buy", "4")
    margin = evaluated(history)
    assert margin.open_order_initial_margin == margin.initial_margin == Decimal(20)


def test_orders_that_cannot_be_priced_leave_the_initial_margin_unknown_and_the_state_certain() -> None:
    history = venue()
    history.list_instrument("ETH-PERP")
    history.schedule("ETH-PERP")
    order(history, "1", "buy", "10", instrument="ETH-PERP")
    margin = evaluated(history)
    assert margin.initial_margin is margin.open_order_initial_margin is None
    assert margin.state == "healthy"
    assert "order_margin_unknown" in {note.code for note in margin.notes}


def test_of_options_only_what_would_be_short_claims_margin() -> None:
    history = venue()
    history.list_instrument("BTC-C", kind="option", index="BTC", strike="100", option_type="call")
    history.schedule("BTC-C", ("0", None, "0.1", "0", "5"))
    history.add("IndexPriceUpdated", index="BTC", price="100")
    history.mark("3", "BTC-C")
    order(history, "1", "buy", "7", instrument="BTC-C")
    assert evaluated(history).open_order_initial_margin == Decimal(0)
    history.fill("A", "buy", "10", "3", "BTC-C")
    order(history, "2", "sell", "11", instrument="BTC-C")
    assert evaluated(history).open_order_initial_margin == Decimal(20)  # 1 short × 100 ÷ 5
