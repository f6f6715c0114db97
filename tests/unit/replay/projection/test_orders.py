"""Open orders: what is accepted and not yet filled or cancelled."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replay.fold import replay_events
from tests.support.events import History, by_id

if TYPE_CHECKING:
    from replay.state import VenueState


def history() -> History:
    history = History()
    history.list_instrument()
    return history


def order(history: History, order_id: str, side: str = "buy", quantity: str = "2", **more: Any) -> Any:
    terms: dict[str, Any] = {"account": "A", "instrument": "BTC-PERP", "price": "100", **more}
    event_type = terms.pop("event_type", "OrderAccepted")
    return history.add(event_type, order_id=order_id, side=side, quantity=quantity, **terms)


def claims(history: History) -> dict[Any, Decimal]:
    return dict(replay_events(history.events, resolve=by_id(history.events).get).accounts["A"].open_orders)


BUY = ("BTC-PERP", "both", "buy")
SELL = ("BTC-PERP", "both", "sell")


def test_open_orders_are_added_up_by_side() -> None:
    day = history()
    order(day, "1")
    order(day, "2", quantity="3")
    order(day, "3", "sell", "1")
    assert claims(day) == {BUY: Decimal(5), SELL: Decimal(1)}


def test_a_fill_takes_its_quantity_off_and_a_filled_order_is_gone() -> None:
    day = history()
    order(day, "1")
    day.fill("A", "buy", "0.5", "100", order_id="1")
    assert claims(day) == {BUY: Decimal("1.5")}
    day.fill("A", "buy", "1.5", "100", order_id="1")
    state: VenueState = replay_events(day.events)
    assert not state.orders
    assert not state.accounts["A"].open_orders


def test_a_fill_of_another_account_leaves_the_order_alone() -> None:
    day = history()
    order(day, "1")
    day.fill("B", "buy", "2", "100", order_id="1")
    assert claims(day) == {BUY: Decimal(2)}


def test_a_cancellation_takes_all_that_is_left() -> None:
    day = history()
    order(day, "1")
    day.fill("A", "buy", "0.5", "100", order_id="1")
    order(day, "1", quantity="1.5", event_type="OrderCancelled")
    assert claims(day) == {}


def test_an_order_accepted_again_is_an_amendment() -> None:
    day = history()
    order(day, "1")
    order(day, "1", quantity="7")
    assert claims(day) == {BUY: Decimal(7)}


def test_what_only_reduces_claims_nothing() -> None:
    day = history()
    order(day, "1", reduce_only=True)
    state = replay_events(day.events)
    assert len(state.orders) == 1
    assert not state.accounts["A"].open_orders


def test_a_rejected_order_was_never_open() -> None:
    day = history()
    order(day, "1", event_type="OrderRejected")
    assert claims(day) == {}


def test_sides_of_hedge_mode_are_kept_apart() -> None:
    day = history()
    order(day, "1", position_side="long")
    order(day, "2", "sell", position_side="short")
    assert claims(day) == {
        ("BTC-PERP", "long", "buy"): Decimal(2),
        ("BTC-PERP", "short", "sell"): Decimal(2),
    }


def test_a_voided_order_is_closed_and_a_voided_cancellation_opens_it_again() -> None:
    day = history()
    accepted = order(day, "1")
    day.add("CorrectionRecorded", corrects=accepted.id, action="void", reason="", approvers=["x"])
    assert claims(day) == {}
    order(day, "2")
    cancelled = order(day, "2", event_type="OrderCancelled")
    day.add("CorrectionRecorded", corrects=cancelled.id, action="void", reason="", approvers=["x"])
    assert claims(day) == {BUY: Decimal(2)}


def test_open_interest_counts_the_contracts_of_long_positions() -> None:
    day = history()
    day.fill("A", "buy", "3", "100")
    day.fill("B", "sell", "3", "100")
    assert replay_events(day.events).open_interest == {"BTC-PERP": Decimal(3)}
    day.fill("A", "sell", "5", "100")
    day.fill("C", "buy", "5", "100")
    state = replay_events(day.events)
    held = [
        position.quantity for account in state.accounts.values() for position in account.positions.values()
    ]
    assert state.open_interest["BTC-PERP"] == sum(each for each in held if each > 0) == Decimal(5)


def corrected(history: History, root: Any, **replacement: str) -> None:
    terms = {"order_id": "1", "account": "A", "instrument": "BTC-PERP", "side": "buy", "price": "100"}
    history.add(
        "CorrectionRecorded",
        corrects=root.id,
        action="replace",
        replacement={**terms, **replacement},
        reason="",
        approvers=["x"],
    )


def test_a_corrected_order_keeps_what_was_filled_of_it() -> None:
    day = history()
    accepted = order(day, "1", quantity="5")
    day.fill("A", "buy", "4", "100", order_id="1")
    corrected(day, accepted, quantity="5", price="101")
    assert claims(day) == {BUY: Decimal(1)}
    corrected(day, accepted, quantity="7")
    assert claims(day) == {BUY: Decimal(3)}
    corrected(day, accepted, quantity="3")
    assert claims(day) == {}


def test_correcting_an_order_that_is_open_no_more_opens_nothing() -> None:
    filled, cancelled = history(), history()
    for day in (filled, cancelled):
        accepted = order(day, "1", quantity="5")
        if day is filled:
            day.fill("A", "buy", "5", "100", order_id="1")
        else:
            order(day, "1", quantity="5", event_type="OrderCancelled")
        corrected(day, accepted, quantity="5", price="101")
        assert claims(day) == {}


def test_a_voided_order_can_be_put_back_in_effect() -> None:
    day = history()
    accepted = order(day, "1", quantity="5")
    day.add("CorrectionRecorded", corrects=accepted.id, action="void", reason="", approvers=["x"])
    corrected(day, accepted, quantity="2")
    assert claims(day) == {BUY: Decimal(2)}


def test_a_trade_takes_its_quantity_off_the_orders_that_it_names() -> None:
    day = history()
    order(day, "1", quantity="5")
    order(day, "2", "sell", "5", account="B")
    trade: dict[str, Any] = {"instrument": "BTC-PERP", "quantity": "3", "price": "100"}
    day.add(
        "TradeExecuted",
        buyer="A",
        seller="B",
        fee_asset="USDT",
        trade_id="T",
        buyer_order_id="1",
        seller_order_id="2",
        buyer_fee="0",
        seller_fee="0",
        **trade,
    )
    state = replay_events(day.events)
    assert [each.quantity for each in state.orders.values()] == [Decimal(2), Decimal(2)]


def test_settlement_leaves_no_order_open() -> None:
    day = history()
    order(day, "1")
    day.add("InstrumentSettled", instrument="BTC-PERP", price="100", reason="expiry")
    state = replay_events(day.events)
    assert not state.orders
    assert not state.accounts["A"].open_orders
