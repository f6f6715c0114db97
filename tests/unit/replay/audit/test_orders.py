"""An order may be accepted only with initial margin for it."""

from __future__ import annotations

from typing import Any

from tests.support.events import History
from tests.support.findings import found, not_checked, places

CODE = "order_below_requirement"


def trader() -> History:
    """``A`` has 1,000 USDT; a contract at 10,000 with leverage 20 requires 500."""
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, "0.005", "0", "20"))
    history.deposit("A", "1000")
    history.mark("10000")
    return history


def order(history: History, quantity: str, order_id: str = "O1", side: str = "buy", **more: Any) -> History:
    data: dict[str, Any] = {"order_id": order_id, "account": "A", "instrument": "BTC-PERP", "side": side}
    history.add("OrderAccepted", **data, quantity=quantity, price="10000", **more)
    return history


def test_an_order_that_takes_exactly_what_is_there_is_no_finding() -> None:
    assert found(order(trader(), "2").events, CODE) == []


def test_an_order_that_takes_more_is_a_finding_with_what_is_lacking() -> None:
    history = order(trader(), "2.001")
    (finding,) = found(history.events, CODE)
    assert (finding.account, finding.instrument, finding.sequence) == ("A", "BTC-PERP", 5)
    assert finding.rebuilt == "-0.5"
    assert finding.evidence[-1] == 5


def test_orders_add_up_and_one_that_is_cancelled_claims_nothing() -> None:
    history = order(order(trader(), "1.5"), "1", "O2")
    assert places(history.events, CODE) == [("A", 6)]
    history = order(trader(), "1.5")
    history.add(
        "OrderCancelled", order_id="O1", account="A", instrument="BTC-PERP", side="buy", quantity="1.5"
    )
    assert found(order(history, "1", "O2").events, CODE) == []


def test_an_order_that_raises_nothing_is_none_that_lacks_margin() -> None:
    history = trader()
    history.fill("A", "buy", "2", "10000")
    history.mark("9900")
    # 800 left and 990 required: closing is allowed, by either kind of order.
    order(history, "1", side="sell", reduce_only=True)
    order(history, "2", "O2", side="sell")
    assert found(history.events, CODE) == []


def test_a_requirement_that_is_not_known_is_not_guessed() -> None:
    history = History()
    history.list_instrument()
    history.fill("A", "buy", "1", "10000")
    order(history, "1")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == ["1 accepted orders whose requirement is not known"]
