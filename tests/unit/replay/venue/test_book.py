from decimal import Decimal

import pytest

from replay.venue.book import Order, OrderBook, crosses
from replay.venue.commands import Side


def order(order_id: str, side: Side, price: int, priority: int, quantity: int = 1) -> Order:
    return Order(order_id, "A", "BTC-PERP", side, Decimal(quantity), Decimal(price), priority)


def names(book: OrderBook, side: Side) -> list[str]:
    return [each.order_id for each in book.orders(side)]


def test_bids_stand_from_high_to_low_and_of_equal_price_in_order_of_arrival() -> None:
    book = OrderBook()
    for each in (order("a", "buy", 99, 1), order("b", "buy", 100, 2), order("c", "buy", 99, 3)):
        book.add(each)
    assert names(book, "buy") == ["b", "a", "c"]
    assert book.best("buy") == order("b", "buy", 100, 2)
    assert book.best("sell") is None


def test_asks_stand_from_low_to_high() -> None:
    book = OrderBook()
    for each in (order("a", "sell", 101, 1), order("b", "sell", 100, 2), order("c", "sell", 101, 3)):
        book.add(each)
    assert names(book, "sell") == ["b", "a", "c"]


def test_an_order_that_is_filled_in_part_keeps_its_place() -> None:
    book = OrderBook()
    book.add(order("a", "buy", 100, 1, quantity=5))
    book.add(order("b", "buy", 100, 2, quantity=5))
    book.fill("a", Decimal(2))
    assert book.best("buy") == order("a", "buy", 100, 1, quantity=3)
    book.fill("a", Decimal(3))
    assert names(book, "buy") == ["b"]
    assert book.get("a") is None


def test_an_order_is_removed_by_its_id() -> None:
    book = OrderBook()
    for priority in range(5):
        book.add(order(f"o{priority}", "buy", 100, priority))
    assert book.remove("o2").order_id == "o2"
    assert names(book, "buy") == ["o0", "o1", "o3", "o4"]
    with pytest.raises(KeyError):
        book.remove("o2")


def test_a_copy_lives_on_its_own() -> None:
    book = OrderBook()
    book.add(order("a", "buy", 100, 1))
    other = book.copy()
    other.remove("a")
    assert names(book, "buy") == ["a"]
    assert names(other, "buy") == []


@pytest.mark.parametrize(
    ("side", "limit", "maker", "trades"),
    [("buy", 100, 100, True), ("buy", 100, 101, False), ("sell", 100, 100, True), ("sell", 100, 99, False)],
)
def test_an_order_trades_at_its_limit_or_better(side: Side, limit: int, maker: int, trades: bool) -> None:  # noqa: FBT001 (parametrised)
    assert crosses(side, Decimal(limit), Decimal(maker)) is trades
    assert crosses(side, None, Decimal(maker))
