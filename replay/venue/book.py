"""An order book with price-time priority."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from replay.venue.commands import Side


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is open; ``quantity`` is what is left of it, ``priority`` rises with its arrival."""

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    priority: int

    @property
    def signed_quantity(self) -> Decimal:
        """The quantity, negative for a sale."""
        return self.quantity if self.side == "buy" else -self.quantity


_Key = tuple["Decimal", int]


class OrderBook:
    """The resting orders of one instrument: best price first, and of equal prices the one that came first."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._queues: dict[Side, list[tuple[_Key, str]]] = {"buy": [], "sell": []}

    def copy(self) -> OrderBook:
        """Return an independent book."""
        book = OrderBook()
        book._orders = dict(self._orders)
        book._queues = {side: list(queue) for side, queue in self._queues.items()}
        return book

    def add(self, order: Order) -> None:
        """Put an order behind those of its price."""
        self._orders[order.order_id] = order
        insort(self._queues[order.side], (_key(order), order.order_id))

    def remove(self, order_id: str) -> Order:
        """Take an order out and return it.

        Raises:
            KeyError: it is not in the book.
        """
        order = self._orders.pop(order_id)
        queue = self._queues[order.side]
        del queue[bisect_left(queue, (_key(order), order_id))]
        return order

    def fill(self, order_id: str, quantity: Decimal) -> None:
        """Take ``quantity`` off an order, which keeps its place; one that is filled leaves the book."""
        order = self._orders[order_id]
        if quantity == order.quantity:
            self.remove(order_id)
        else:
            self._orders[order_id] = replace(order, quantity=order.quantity - quantity)

    def best(self, side: Side) -> Order | None:
        """Return the order that is filled first on a side, or None."""
        queue = self._queues[side]
        return self._orders[queue[0][1]] if queue else None

    def get(self, order_id: str) -> Order | None:
        """Return an order, or None if it is not in the book."""
        return self._orders.get(order_id)

    def orders(self, side: Side) -> Iterable[Order]:
        """Return the orders of a side, best first."""
        return (self._orders[order_id] for _, order_id in self._queues[side])


def crosses(taker_side: Side, limit: Decimal | None, maker_price: Decimal) -> bool:
    """Tell whether an order with this limit (None: any price) trades at a resting order's price."""
    if limit is None:
        return True
    return maker_price <= limit if taker_side == "buy" else maker_price >= limit


def opposite(side: Side) -> Side:
    """Return the other side."""
    return "sell" if side == "buy" else "buy"


def _key(order: Order) -> _Key:
    return (-order.price if order.side == "buy" else order.price, order.priority)
