"""Margin of a unit by the rules: what it has, what it must have, and how far marks may move."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.days.amounts import ZERO, at_most, of_fraction, on_step, quotient
from tests.simulation.days.terms import CALL_RATIO, HAIRCUTS, INSTRUMENTS, OTHER, SETTLEMENT, tier_for

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.simulation.days.books import Account, Books, Position, Unit


class Figures(NamedTuple):
    """A unit in the valuation currency.

    Attributes:
        collateral: after haircuts, with unrealised PnL.
        maintenance: maintenance margin.
        equity: as collateral, without haircuts.
    """

    collateral: Decimal
    maintenance: Decimal
    equity: Decimal

    @property
    def over(self) -> bool:
        """Whether it is at or over the liquidation boundary."""
        return self.collateral < 0 or (self.maintenance > 0 and self.maintenance >= self.collateral)

    @property
    def in_call(self) -> bool:
        """Whether margin is called."""
        return not self.over and self.maintenance > 0 and self.maintenance >= CALL_RATIO * self.collateral

    def at_ratio(self, ratio: Decimal) -> bool:
        """Tell whether maintenance margin is at least this part of what there is."""
        return self.maintenance > 0 and self.maintenance >= ratio * self.collateral

    def ratio(self) -> Decimal | None:
        """Return the margin ratio in 12 digits, None where it is undefined."""
        if self.collateral <= 0 or not self.maintenance:
            return None
        return quotient(self.maintenance, self.collateral, 12, "half_even")


def legs_of(books: Books, unit: Unit) -> list[tuple[str, Position]]:
    """Return the open positions of a unit."""
    account, instrument = books.accounts[unit[0]], unit[1]
    return [
        (name, position)
        for name, position in account.positions.items()
        if position.quantity
        and (name == instrument if instrument is not None else name not in account.isolated)
    ]


def notional_of(books: Books, instrument: str, quantity: Decimal) -> Decimal:
    """Return a quantity's notional at the mark, in the settlement asset."""
    return abs(quantity) * INSTRUMENTS[instrument].contract_size * books.marks[instrument]


def maintenance_of(books: Books, instrument: str, quantity: Decimal) -> Decimal:
    """Return a quantity's maintenance margin at the mark, in the settlement asset."""
    notional = notional_of(books, instrument, quantity)
    tier = tier_for(books.schedules[instrument][1], notional)
    return notional * tier.rate - tier.amount


def unrealised_of(books: Books, instrument: str, position: Position) -> Decimal:
    """Return a position's unrealised PnL at the mark, in the settlement asset."""
    size = position.quantity * INSTRUMENTS[instrument].contract_size
    return size * books.marks[instrument] - position.cost


def after_haircut(value: Decimal) -> Decimal:
    """Return what of a holding of the other asset counts as collateral."""
    if value <= 0:
        return value
    counted = ZERO
    for floor, cap, rate in HAIRCUTS:
        counted += max(ZERO, min(value, cap) - floor) * rate
    return counted


def figures_of(books: Books, unit: Unit) -> Figures:
    """Return a unit's figures at the marks."""
    account = books.accounts[unit[0]]
    settlement = maintenance = ZERO
    for instrument, position in legs_of(books, unit):
        maintenance += maintenance_of(books, instrument, position.quantity)
        settlement += unrealised_of(books, instrument, position)
    other = ZERO
    if unit[1] is None:
        settlement += account.cash()
        if OTHER in account.wallet:
            other = account.wallet[OTHER] * books.asset_prices[OTHER]
    elif unit[1] in account.positions:
        settlement += account.positions[unit[1]].margin
    price = books.asset_prices[SETTLEMENT]
    value = settlement * price
    return Figures(value + after_haircut(other), maintenance * price, value + other)


def equity_in_settlement(books: Books, unit: Unit) -> Decimal:
    """Return equity in the settlement asset; for units that hold nothing else."""
    account = books.accounts[unit[0]]
    own = account.cash() if unit[1] is None else account.positions[unit[1]].margin
    return own + sum((unrealised_of(books, *leg) for leg in legs_of(books, unit)), ZERO)


def bankruptcy_prices(books: Books, unit: Unit) -> dict[str, Decimal]:
    """Return the price at which each position has used up its share of the equity, against the trader."""
    legs = legs_of(books, unit)
    equity = Fraction(equity_in_settlement(books, unit))
    required = {name: maintenance_of(books, name, position.quantity) for name, position in legs}
    total = Fraction(sum(required.values(), ZERO))
    prices = {}
    for name, position in legs:
        terms = INSTRUMENTS[name]
        size = Fraction(position.quantity * terms.contract_size)
        price = Fraction(books.marks[name]) - equity * Fraction(required[name]) / total / size
        prices[name] = on_step(price, terms.tick, "ceiling" if size > 0 else "floor")
    return prices


def leverage_of(books: Books, account: Account, instrument: str, notional: Decimal) -> Decimal:
    """Return the leverage that a notional is margined with."""
    greatest = tier_for(books.schedules[instrument][1], notional).max_leverage
    return min(account.leverage.get(instrument, greatest), greatest)


def initial_of(books: Books, account: Account, instrument: str, quantity: Decimal) -> Decimal:
    """Return a quantity's initial margin in the settlement asset."""
    notional = notional_of(books, instrument, quantity)
    return quotient(notional, leverage_of(books, account, instrument, notional), 18, "ceiling")


def initial_margin(
    books: Books, account: Account, extra: dict[str, tuple[str, Decimal]] | None = None
) -> Decimal:
    """Return the cross initial margin in the valuation currency: positions and open orders.

    Args:
        books: the state.
        account: whose.
        extra: instrument → (side, quantity) of an order that is not open yet.
    """
    opened: dict[tuple[str, str], Decimal] = {}
    for order in account.orders.values():
        if not order.reduce_only:
            key = (order.instrument, order.side)
            opened[key] = opened.get(key, ZERO) + order.left
    for instrument, (side, quantity) in (extra or {}).items():
        opened[instrument, side] = opened.get((instrument, side), ZERO) + quantity
    held = {name: position.quantity for name, position in account.positions.items()}
    total = ZERO
    for instrument in held.keys() | {name for name, _ in opened}:
        quantity = held.get(instrument, ZERO)
        buys, sells = opened.get((instrument, "buy"), ZERO), opened.get((instrument, "sell"), ZERO)
        worst = max(abs(quantity + buys), abs(quantity - sells))
        if instrument in account.isolated:
            if worst > abs(quantity):
                total += initial_of(books, account, instrument, worst) - initial_of(
                    books, account, instrument, quantity
                )
        else:
            total += initial_of(books, account, instrument, worst)
    return total * books.asset_prices[SETTLEMENT]


def required_to_cure(books: Books, figures: Figures) -> Decimal:
    """Return how much of the settlement asset ends a margin call, in whole units and one more."""
    lacking = Fraction(figures.maintenance) / Fraction(CALL_RATIO) - Fraction(figures.collateral)
    units = of_fraction(lacking / Fraction(books.asset_prices[SETTLEMENT]), 6, "ceiling")
    return units + of_fraction(Fraction(1, 10**6), 6, "ceiling")


def bands_of(books: Books, unit: Unit, figures: Figures) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the marks, by instrument, between which the unit surely stays in the state it is in.

    With size s, a mark that moves by d moves neither collateral − maintenance margin nor
    ratio × collateral − maintenance margin by more than s × (1 + highest rate) × d.
    """
    legs = legs_of(books, unit)
    slack = min(
        abs(figures.collateral - figures.maintenance),
        abs(CALL_RATIO * figures.collateral - figures.maintenance),
        abs(figures.collateral),
    )
    bands = {}
    for name, position in legs:
        mark = books.marks[name]
        steepest = max(tier.rate for tier in books.schedules[name][1])
        reach = (
            abs(position.quantity)
            * INSTRUMENTS[name].contract_size
            * books.asset_prices[SETTLEMENT]
            * (1 + steepest)
            * len(legs)
        )
        width = at_most(slack, reach)
        bands[name] = (mark - width, mark + width)
    return bands
