"""The customers of a day: they pay in and out, place orders, trade, and answer margin calls."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ZERO, on_step, rounded
from tests.simulation.days.margin import initial_margin, initial_of, legs_of, maintenance_of
from tests.simulation.days.orders import CALM, OrderDesk, contracts_for
from tests.simulation.days.records import SECOND
from tests.simulation.days.terms import INSTRUMENTS, OTHER, SETTLEMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.days.books import Account, Unit
    from tests.simulation.days.engine import Engine
    from tests.simulation.days.venue import Venue


@dataclass(frozen=True, slots=True)
class Customer:
    """What a customer is like.

    Attributes:
        name: the account.
        direction: +1 buys and later sells, −1 the other way round; the account is never both long and short.
        instruments: what it trades.
        isolated: whether its positions are margined apart.
        appetite: how much of what is free it uses for an order, in 1/100.
        wealth: what it pays in at a time.
    """

    name: str
    direction: int
    instruments: tuple[str, ...]
    isolated: bool
    appetite: int
    wealth: Decimal


class Crowd:
    """All customers, and what they do next.

    Attributes:
        later: called with (microseconds from now, what happens then).
        desk: where their orders are filled.
    """

    def __init__(
        self,
        venue: Venue,
        engine: Engine,
        customers: list[Customer],
        later: Callable[[int, Callable[[], object]], None],
    ) -> None:
        self.venue, self.engine, self.rng = venue, engine, venue.rng
        self.customers = {each.name: each for each in customers}
        self.later = later
        self.desk = OrderDesk(venue, later)
        self._names = list(self.customers)
        engine.hears = self._called
        self._deeds: list[tuple[Callable[[Customer], None], int]] = [
            (self._open, 50),
            (self._reduce, 22),
            (self._trade, 10),
            (self._pay_in, 4),
            (self._pay_out, 5),
            (self._pass_on, 3),
            (self._interest, 3),
            (self._adjust, 4),
        ]

    def act(self) -> None:
        """Let one customer do one thing, unless he is in trouble."""
        customer = self.customers[self.rng.choice(self._names)]
        if any(unit[0] == customer.name for unit in self.engine.called):
            self._answer(customer)
            return
        last = max((self.engine.liquidated.get(unit, -1) for unit in self._units(customer)), default=-1)
        if last >= 0 and self.venue.journal.now - last < 60 * SECOND:
            return
        deeds, weights = zip(*self._deeds, strict=True)
        self.rng.choices(deeds, weights)[0](customer)

    def _account(self, customer: Customer) -> Account:
        return self.venue.books.accounts[customer.name]

    def _units(self, customer: Customer) -> list[Unit]:
        return [(customer.name, None), *((customer.name, name) for name in customer.instruments)]

    def _free(self, account: Account) -> Decimal:
        figures = self.venue.figures((account.name, None))
        if figures.at_ratio(CALM):
            return ZERO
        return figures.collateral - initial_margin(self.venue.books, account)

    def _open(self, customer: Customer) -> None:
        account, books = self._account(customer), self.venue.books
        free = self._free(account)
        if free < 200:
            self._pay_in(customer)
            return
        name = self.rng.choice(customer.instruments)
        unit = account.unit(name)
        if unit[1] is not None and self.venue.figures(unit).at_ratio(CALM):
            return
        leverage = account.leverage[name]
        used = free * customer.appetite * self.rng.randrange(20, 100) / 10_000
        terms = INSTRUMENTS[name]
        quantity = contracts_for(used * leverage, terms.contract_size * books.marks[name], terms.lot)
        if quantity <= 0:
            return
        side = "buy" if customer.direction > 0 else "sell"
        data: dict[str, Any] = {
            "order_id": self.venue.number("order"),
            "account": customer.name,
            "instrument": name,
            "side": side,
            "quantity": quantity,
        }
        if not self._bearable(account, name, side, quantity):
            self.venue.emit("OrderRejected", {**data, "reason": "insufficient margin"})
            return
        if unit[1] is not None:
            self._open_isolated(account, data)
        elif self.rng.random() < 0.45:
            self.venue.emit("OrderAccepted", data)
            self.desk.fill(account.name, data["order_id"], self.rng.choice((1, 1, 2, 3)))
        else:
            offset = Decimal(self.rng.randrange(0, 8)) * terms.tick * customer.direction
            self.desk.rest(account, {**data, "price": books.marks[name] - offset})

    def _bearable(self, account: Account, name: str, side: str, quantity: Decimal) -> bool:
        books = self.venue.books
        figures = self.venue.figures((account.name, None))
        required = initial_margin(books, account, {name: (side, quantity)})
        if figures.collateral * 100 < required * 105:
            return False
        if name in account.isolated:
            return True
        sign = 1 if side == "buy" else -1
        held = {leg: position.quantity for leg, position in legs_of(books, (account.name, None))}
        held[name] = held.get(name, ZERO) + sign * quantity
        needed = sum((maintenance_of(books, leg, each) for leg, each in held.items()), ZERO)
        return needed * books.asset_prices[SETTLEMENT] <= figures.collateral * CALM

    def _open_isolated(self, account: Account, data: dict[str, Any]) -> None:
        books = self.venue.books
        held = account.positions.get(data["instrument"])
        after = (abs(held.quantity) if held else ZERO) + data["quantity"]
        more = initial_of(books, account, data["instrument"], after)
        margin = rounded(
            more - (initial_of(books, account, data["instrument"], held.quantity) if held else ZERO),
            2,
            "ceiling",
        )
        adjusted = {"account": account.name, "instrument": data["instrument"], "amount": margin}
        self.venue.emit("OrderAccepted", data)
        self.venue.emit("MarginAdjusted", {**adjusted, "reason": "opening"})
        self.desk.fill(account.name, data["order_id"], 1)

    def _reduce(self, customer: Customer) -> None:
        account = self._account(customer)
        held = [(name, each) for name, each in account.positions.items() if each.quantity]
        if not held:
            self._open(customer)
            return
        name, position = self.rng.choice(held)
        lot = INSTRUMENTS[name].lot
        part = abs(position.quantity) * self.rng.choice((25, 50, 100, 100)) / 100
        data: dict[str, Any] = {
            "order_id": self.venue.number("order"),
            "account": account.name,
            "instrument": name,
            "side": "sell" if position.quantity > 0 else "buy",
            "quantity": on_step(part, lot, "ceiling"),
            "reduce_only": True,
        }
        if self.rng.random() < 0.5 or name in account.isolated:
            self.venue.emit("OrderAccepted", data)
            self.desk.fill(account.name, data["order_id"], 1)
        else:
            self.desk.rest(account, {**data, "price": self.venue.books.marks[name]})

    def _trade(self, customer: Customer) -> None:
        """Close a small part of a position in one event for both sides, without an order."""
        account = self._account(customer)
        for name, position in account.positions.items():
            if position.quantity:
                quantity = min(abs(position.quantity), INSTRUMENTS[name].lot * self.rng.randrange(1, 40))
                price = self.venue.books.marks[name]
                buyer, seller = self.venue.maker(), account.name
                if position.quantity < 0:
                    buyer, seller = seller, buyer
                self.desk.execute(name, quantity, price, buyer, seller)
                return

    def _pay_in(self, customer: Customer) -> None:
        amount = rounded(customer.wealth * self.rng.randrange(20, 120) / 100, 2, "down")
        self.venue.deposit(customer.name, amount)

    def _spare(self, customer: Customer) -> Decimal:
        """Return what can leave the wallet with room to spare."""
        account = self._account(customer)
        if OTHER in account.wallet:
            return ZERO  # careful, as in _called
        spare = _quarter(self._free(account))
        return min(spare, rounded(account.cash() / 2, 2, "floor") if account.cash() > 0 else ZERO)

    def _pay_out(self, customer: Customer) -> None:
        amount = self._spare(customer)
        if amount > 10:
            self.venue.withdraw(customer.name, amount)
        account = self._account(customer)
        if OTHER in account.wallet and self.rng.random() < 0.3 and self._free(account) > 200_000:
            self.venue.withdraw(customer.name, Decimal("0.01"), OTHER)

    def _pass_on(self, customer: Customer) -> None:
        amount = self._spare(customer)
        other = self.rng.choice(self._names)
        if amount > 10 and other != customer.name:
            self.venue.transfer(customer.name, other, amount)

    def _interest(self, customer: Customer) -> None:
        account = self._account(customer)
        if account.cash() > 1000 and self._free(account) > 100:
            amount = rounded(account.cash() * self.rng.randrange(1, 9) / 1_000_000, 6, "floor")
            data = {"account": customer.name, "asset": SETTLEMENT, "amount": amount, "reason": "borrowed"}
            self.venue.emit("InterestAccrued", data)

    def _adjust(self, customer: Customer) -> None:
        """Move isolated margin in, or a little of it out."""
        account, books = self._account(customer), self.venue.books
        for name in sorted(account.isolated):
            position = account.positions.get(name)
            if position is None or not position.quantity:
                continue
            unit = (account.name, name)
            spare = (
                self.venue.figures(unit).equity
                - initial_of(books, account, name, position.quantity) * books.asset_prices[SETTLEMENT]
            )
            if spare > 200 and self.rng.random() < 0.5:
                amount = -_quarter(min(spare, position.margin))
            else:
                amount = _quarter(_quarter(self._free(account)))
            if amount:
                data = {"account": account.name, "instrument": name, "amount": amount, "reason": "adjusted"}
                self.venue.emit("MarginAdjusted", data)
            return

    def _called(self, unit: Unit) -> None:
        if unit[0] in self.customers and OTHER in self.venue.books.accounts[unit[0]].wallet:
            # Who holds the other asset too is careful, and never comes to be liquidated.
            self.later(SECOND, lambda: self._pay_what_is_asked(self.customers[unit[0]]))
            return
        wait = self.rng.randrange(5, 240) * SECOND
        if unit[0] in self.customers and self.rng.random() < 0.5:
            self.later(wait, lambda: self._answer(self.customers[unit[0]]))

    def _pay_what_is_asked(self, customer: Customer) -> None:
        """Answer a call of the account with many times what is asked."""
        issued = self.engine.called.get((customer.name, None))
        if issued is not None:
            self.venue.deposit(customer.name, rounded(issued.data["required"] * 20, 2, "ceiling"))

    def _answer(self, customer: Customer) -> None:
        """Answer a margin call: some pay in what is asked and more."""
        for unit, issued in list(self.engine.called.items()):
            if unit[0] != customer.name or self.rng.random() < 0.4:
                continue
            amount = rounded(issued.data["required"] * self.rng.randrange(110, 300) / 100, 2, "ceiling")
            if unit[1] is None:
                self.venue.deposit(customer.name, amount)
            elif self._account(customer).cash() > amount * 2:
                data = {"account": unit[0], "instrument": unit[1], "amount": amount, "reason": "margin call"}
                self.venue.emit("MarginAdjusted", data)


def _quarter(value: Decimal) -> Decimal:
    return rounded(value / 4, 2, "down") if value > 0 else ZERO
