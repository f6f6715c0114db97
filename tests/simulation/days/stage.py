"""A stage: short scenes between two steps of the market, each with guests of its own.

While a scene plays, nothing else happens and no mark moves; a charge of interest takes a guest's
margin ratio to where the scene wants it. A scene plays right, or with one fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.simulation.days.amounts import ZERO, of_fraction, on_step, rounded
from tests.simulation.days.engine import call, end_call
from tests.simulation.days.liquidation import cancel_order
from tests.simulation.days.losses import move_fund
from tests.simulation.days.margin import (
    equity_in_settlement,
    initial_of,
    legs_of,
    maintenance_of,
    notional_of,
)
from tests.simulation.days.opening import GUESTS
from tests.simulation.days.records import SECOND
from tests.simulation.days.terms import FUND, HOUSE, INSTRUMENTS, SETTLEMENT, STAGED, tier_for

if TYPE_CHECKING:
    from tests.simulation.days.books import Unit
    from tests.simulation.days.crowd import Crowd
    from tests.simulation.days.engine import Engine
    from tests.simulation.days.margin import Figures
    from tests.simulation.days.market import Market
    from tests.simulation.days.records import Record
    from tests.simulation.days.venue import Venue


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """A violation that was planted, and the finding that it has to lead to.

    Attributes:
        code: of the finding.
        account: whom the finding is about, None where it is about nobody.
        sequence: the event the finding is about.
    """

    code: str
    account: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class Guest:
    """An account that a scene uses, and what it holds."""

    name: str
    instrument: str
    direction: int
    isolated: bool = False

    @property
    def unit(self) -> Unit:
        """What its position is margined with."""
        return (self.name, self.instrument if self.isolated else None)

    @property
    def opening(self) -> str:
        """The side that opens its position."""
        return "buy" if self.direction > 0 else "sell"


class Stage:
    """What scenes are played with.

    Attributes:
        planted: the faults so far.
        mark_max_age: microseconds.
    """

    def __init__(self, venue: Venue, engine: Engine, market: Market, crowd: Crowd, mark_max_age: int) -> None:
        self.venue, self.engine, self.market, self.crowd = venue, engine, market, crowd
        self.rng, self.books, self.journal = venue.rng, venue.books, venue.journal
        self.mark_max_age = mark_max_age
        self.planted: list[PlantedFault] = []
        self._marks_before: dict[str, Decimal] = {}
        self._names = [f"guest-{number}" for number in range(1, GUESTS + 1)]
        venue.by_hand.update(self._names)

    def expect(self, code: str, account: str | None, record: Record) -> None:
        """Note that a fault was planted in a record."""
        self.planted.append(PlantedFault(code, account, record.sequence))

    def amount(self, low: int, high: int) -> Decimal:
        """Return a random amount between two whole ones, to a millionth."""
        return Decimal(self.rng.randrange(low * 10**6, high * 10**6)) / 10**6

    def ticks(self, guest: Guest, low: int, high: int) -> Decimal:
        """Return a random number of ticks, up or down."""
        number = self.rng.randrange(low, high) * self.rng.choice((-1, 1))
        return number * INSTRUMENTS[guest.instrument].tick

    def wait(self, low: float, high: float) -> None:
        """Let time pass, by chance between two numbers of seconds."""
        self.engine.review()
        self.journal.now += self.rng.randrange(int(low * SECOND), int(high * SECOND))

    def soon(self) -> None:
        """Let as much time pass as a decision may take."""
        self.wait(0.05, 1.5)

    def guest(self, direction: int | None = None, instrument: str | None = None) -> Guest:
        """Return a guest who holds nothing yet; everybody is a guest once only."""
        return Guest(
            self._names.pop(0),
            instrument or self.rng.choice(list(INSTRUMENTS)),
            direction or self.rng.choice((-1, 1)),
        )

    def anyone(self) -> Guest:
        """Return a guest with a position, in one of three with a margin of its own."""
        return self.isolated() if self.rng.random() < 0.33 else self.opened()

    def isolated(self) -> Guest:
        """Return a guest with an isolated position, five times its maintenance margin, and some cash."""
        guest = replace(self.guest(instrument=STAGED), isolated=True)
        quantity = self.quantity(STAGED, self.rng.randrange(20_000, 150_000))
        margin = rounded(maintenance_of(self.books, STAGED, quantity) * 5, 2, "ceiling")
        self.venue.deposit(guest.name, margin * 2)
        common = {"account": guest.name, "instrument": STAGED}
        self.venue.emit("MarginModeSet", {**common, "margin_mode": "isolated"})
        self.venue.emit("MarginAdjusted", {**common, "amount": margin, "reason": "opening"})
        self.venue.trade(guest.name, STAGED, guest.opening, quantity, self.books.marks[STAGED])
        return guest

    def quantity(self, instrument: str, notional: int) -> Decimal:
        """Return how many contracts a notional comes to, at least four lots."""
        terms = INSTRUMENTS[instrument]
        each = Fraction(terms.contract_size) * Fraction(self.books.marks[instrument])
        return max(4 * terms.lot, on_step(Fraction(notional) / each, terms.lot, "floor"))

    def opened(
        self,
        direction: int | None = None,
        instrument: str | None = None,
        *,
        notional: tuple[int, int] = (20_000, 150_000),
        better: Fraction = Fraction(0),
    ) -> Guest:
        """Return a guest with a position and five times its maintenance margin.

        Args:
            direction: long or short; by chance if not given.
            instrument: by chance if not given.
            notional: between which two amounts the position lies.
            better: by which part of the mark its entry is better than the mark.
        """
        guest = self.guest(direction, instrument)
        quantity = self.quantity(guest.instrument, self.rng.randrange(*notional))
        mark = self.books.marks[guest.instrument]
        price = on_step(
            Fraction(mark) * (1 - guest.direction * better), INSTRUMENTS[guest.instrument].tick, "half_even"
        )
        needed = maintenance_of(self.books, guest.instrument, quantity) * 5
        fee = notional_of(self.books, guest.instrument, quantity) / 1000
        self.venue.deposit(guest.name, rounded(needed + fee, 2, "ceiling"))
        self.venue.trade(guest.name, guest.instrument, guest.opening, quantity, price)
        return guest

    def position(self, guest: Guest) -> Decimal:
        """Return the contracts that a guest holds."""
        held = self.books.accounts[guest.name].positions.get(guest.instrument)
        return ZERO if held is None else held.quantity

    def figures(self, guest: Guest) -> Figures:
        """Return a guest's figures."""
        return self.venue.figures(guest.unit)

    def ratio(self, low: str, high: str) -> Decimal:
        """Return a ratio by chance between two."""
        low_units, high_units = int(Decimal(low) * 10_000), int(Decimal(high) * 10_000)
        return Decimal(self.rng.randrange(low_units, high_units)) / 10_000

    def to_ratio(self, guest: Guest, ratio: Decimal) -> Record:
        """Bring a guest's margin ratio to this one or a hair above it, by interest or by the mark."""
        if guest.isolated or (guest.instrument == STAGED and self.rng.random() < 0.5):
            return self._move_mark(guest, ratio)
        figures = self.figures(guest)
        dollar = Fraction(self.books.asset_prices[SETTLEMENT])
        surplus = Fraction(figures.collateral) - Fraction(figures.maintenance) / Fraction(ratio)
        return self.interest(guest, of_fraction(surplus / dollar, 6, "ceiling"))

    def _move_mark(self, guest: Guest, ratio: Decimal) -> Record:
        """Move the mark to where maintenance margin is ratio × what there is; both are straight lines."""
        mark = Fraction(self.books.marks[STAGED])
        size = Fraction(self.position(guest) * INSTRUMENTS[STAGED].contract_size)
        tier = tier_for(
            self.books.schedules[STAGED][1], notional_of(self.books, STAGED, self.position(guest))
        )
        base = Fraction(equity_in_settlement(self.books, guest.unit)) - size * mark
        price = (Fraction(tier.amount) + Fraction(ratio) * base) / (
            abs(size) * Fraction(tier.rate) - Fraction(ratio) * size
        )
        tick = INSTRUMENTS[STAGED].tick
        self._marks_before.setdefault(STAGED, self.books.marks[STAGED])
        return self.market.mark(STAGED, on_step(price, tick, "floor" if size > 0 else "ceiling"))

    def restore_mark(self) -> None:
        """Bring the mark back to where it was before a scene moved it; nobody's guest holds it now."""
        for name, mark in self._marks_before.items():
            self.market.mark(name, mark)
        self._marks_before.clear()

    def to_equity(self, guest: Guest, equity: Decimal) -> Record:
        """Charge interest until a guest's equity is this one, in the settlement asset."""
        return self.interest(guest, equity_in_settlement(self.books, guest.unit) - equity)

    def interest(self, guest: Guest, amount: Decimal) -> Record:
        """Charge interest."""
        data = {"account": guest.name, "asset": SETTLEMENT, "amount": amount, "reason": "borrowed"}
        return self.venue.emit("InterestAccrued", data)

    def recover(self, guest: Guest) -> Record:
        """Let a guest pay in so much that nothing is wrong any more."""
        figures = self.figures(guest)
        lacking = Fraction(figures.maintenance) * 5 - Fraction(figures.collateral)
        amount = of_fraction(lacking / Fraction(self.books.asset_prices[SETTLEMENT]), 2, "ceiling")
        deposit = self.venue.deposit(guest.name, max(amount, Decimal(10)))
        if not guest.isolated:
            return deposit
        data = {"account": guest.name, "instrument": guest.instrument, "amount": deposit.data["amount"]}
        return self.venue.emit("MarginAdjusted", {**data, "reason": "paid in"})

    def call(self, guest: Guest) -> Record:
        """Call for margin."""
        return call(self.venue, guest.unit, self.figures(guest))

    def end_call(self, issued: Record) -> Record:
        """End a margin call."""
        return end_call(self.venue, issued)

    def leave(self, *guests: Guest) -> None:
        """Let guests close what they hold and take home what they have."""
        for guest in guests:
            account = self.books.accounts[guest.name]
            for order_id in list(account.orders):
                cancel_order(self.venue, guest.name, order_id, "asked for")
            for name, position in list(account.positions.items()):
                side = "sell" if position.quantity > 0 else "buy"
                self.venue.trade(guest.name, name, side, abs(position.quantity), self.books.marks[name])
            for asset, amount in list(account.wallet.items()):
                if amount > 0:
                    self.venue.withdraw(guest.name, amount, asset)
                elif amount < 0:
                    self.venue.deposit(guest.name, -amount, asset)
        self.engine.review()

    def drain_fund(self, low: int, high: int) -> None:
        """Leave the fund with no position and next to nothing."""
        self.venue.unwind_fund()
        spare = self.books.accounts[FUND].cash() - self.amount(low, high)
        self.venue.transfer(FUND, HOUSE, spare)

    def refill_fund(self) -> None:
        """Let the house pay the fund what it had."""
        self.venue.support_fund()
        lacking = 250_000 - self.books.accounts[FUND].cash()
        if lacking > 0:
            self.venue.transfer(HOUSE, FUND, lacking)

    def draw(self, guest: Guest, amount: Decimal, liquidation: str | None) -> Record:
        """Let the fund pay a guest."""
        return move_fund(
            self.venue, "InsuranceFundDrawn", guest.name, amount, liquidation, "a liquidation's shortfall"
        )

    def initial(self, guest: Guest) -> Decimal:
        """Return the initial margin of what a guest holds, in the valuation currency."""
        account = self.books.accounts[guest.name]
        dollar = self.books.asset_prices[SETTLEMENT]
        return initial_of(self.books, account, guest.instrument, self.position(guest)) * dollar

    def fund_is_flat(self) -> bool:
        """Tell whether the fund holds no position."""
        return not legs_of(self.books, (FUND, None))
