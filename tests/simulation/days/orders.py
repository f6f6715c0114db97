"""Orders on their way: they rest, are met by a maker, or are cancelled."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ZERO, on_step
from tests.simulation.days.liquidation import cancel_order
from tests.simulation.days.records import SECOND
from tests.simulation.days.terms import FEES, INSTRUMENTS, SETTLEMENT
from tests.simulation.days.venue import fee_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.days.books import Account, Order, Unit
    from tests.simulation.days.records import Record
    from tests.simulation.days.venue import Venue

CALM = Decimal("0.5")
"""Up to which margin ratio customers add to what they hold."""


class OrderDesk:
    """Fills orders at the mark or their own price, with a maker on the other side."""

    def __init__(self, venue: Venue, later: Callable[[int, Callable[[], object]], None]) -> None:
        self.venue, self.later, self.rng = venue, later, venue.rng

    def rest(self, account: Account, data: dict[str, Any]) -> None:
        """Accept an order that waits to be met, or to be cancelled."""
        self.venue.emit("OrderAccepted", data)
        times = self.rng.choice((1, 1, 2))
        filled = self.rng.random() < 0.7
        for _ in range(times):
            wait = self.rng.randrange(5, 400) * SECOND
            if filled:
                self.later(wait, lambda: self._meet(account.name, data["order_id"], 2))
            else:
                self.later(wait, lambda: self._cancel(account.name, data["order_id"]))

    def _order(self, name: str, order_id: str) -> Order | None:
        return self.venue.books.accounts[name].orders.get(order_id)

    def _cancel(self, name: str, order_id: str) -> None:
        if self._order(name, order_id) is not None:
            cancel_order(self.venue, name, order_id, "asked for")

    def _meet(self, name: str, order_id: str, parts: int) -> None:
        order = self._order(name, order_id)
        if order is None:
            return
        mark = self.venue.books.marks[order.instrument]
        price = order.price or mark
        units = [(name, None), (name, order.instrument)]
        calm = not any(self.venue.figures(unit).at_ratio(CALM) for unit in units if unit in self._held(name))
        if abs(price - mark) * 200 > mark or not (calm or order.reduce_only):
            self._cancel(name, order_id)
        else:
            self.fill(name, order_id, parts)

    def _held(self, name: str) -> set[Unit]:
        account = self.venue.books.accounts[name]
        return {account.unit(instrument) for instrument in account.positions}

    def fill(self, name: str, order_id: str, parts: int) -> None:
        """Fill an open order at the mark or its own price, in a few trades; what is too much is cancelled."""
        order = self._order(name, order_id)
        if order is None:
            return
        terms = INSTRUMENTS[order.instrument]
        left = order.left
        if order.reduce_only:
            position = self.venue.books.accounts[name].positions.get(order.instrument)
            left = min(left, abs(position.quantity)) if position else ZERO
        resting = order.price is not None
        while left > 0:
            parts -= 1
            quantity = (
                left if parts <= 0 else min(left, max(terms.lot, contracts_for(left, Decimal(2), terms.lot)))
            )
            mark = self.venue.books.marks[order.instrument]
            sign = 1 if order.side == "buy" else -1
            price = mark + sign * terms.tick * self.rng.randrange(0, 5)
            if order.price is not None:
                price = min(price, order.price) if sign > 0 else max(price, order.price)
            liquidity = "maker" if resting else "taker"
            trade_id, maker = self.venue.number("trade"), self.venue.maker()
            other = "sell" if order.side == "buy" else "buy"
            terms_of_fill = (order.instrument, order.side, quantity, price, trade_id)
            self.venue.fill(name, *terms_of_fill, liquidity=liquidity, order_id=order_id)
            theirs = "taker" if resting else "maker"
            self.venue.fill(maker, order.instrument, other, quantity, price, trade_id, liquidity=theirs)
            left -= quantity
        if self._order(name, order_id) is not None:
            cancel_order(self.venue, name, order_id, "nothing left to reduce")

    def execute(
        self,
        name: str,
        quantity: Decimal,
        price: Decimal,
        buyer: str,
        seller: str,
        more: tuple[Decimal, Decimal] = (ZERO, ZERO),
    ) -> Record:
        """Record a trade; both sides pay the taker's fee, and ``more`` (buyer, seller) if that is wrong."""
        fee = fee_of(name, quantity, price, FEES[name].taker)
        data = {
            "instrument": name,
            "quantity": quantity,
            "price": price,
            "buyer": buyer,
            "seller": seller,
            "buyer_fee": fee + more[0],
            "seller_fee": fee + more[1],
            "fee_asset": SETTLEMENT,
            "trade_id": self.venue.number("trade"),
        }
        return self.venue.emit("TradeExecuted", data)


def contracts_for(value: Decimal, each: Decimal, lot: Decimal) -> Decimal:
    """Return how many contracts a value comes to, in whole lots, rounded down."""
    return on_step(Fraction(value) / Fraction(each), lot, "floor")
