"""What the day's engine does to a unit in trouble, step by step; a fault makes one step wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.simulation.days.adl import queue_of
from tests.simulation.days.amounts import ZERO, of_fraction, on_step, rounded
from tests.simulation.days.faults import FAULTLESS, Fault
from tests.simulation.days.losses import charge, cover, move_fund
from tests.simulation.days.margin import (
    Figures,
    bankruptcy_prices,
    equity_in_settlement,
    legs_of,
    maintenance_of,
    notional_of,
)
from tests.simulation.days.terms import (
    FEES,
    FUND,
    INSTRUMENTS,
    PARTIAL_FRACTION,
    SETTLEMENT,
)
from tests.simulation.days.venue import Venue, fee_of

if TYPE_CHECKING:
    from tests.simulation.days.books import Unit
    from tests.simulation.days.records import Record


@dataclass(slots=True)
class Closing:
    """One trade by which a position is closed."""

    instrument: str
    side: str
    quantity: Decimal
    price: Decimal
    counterparty: str
    by: str
    trade_id: str
    rank: int = 0


@dataclass(slots=True)
class Liquidation:
    """What was recorded of a liquidation, for scenes that have to point at it."""

    name: str
    unit: Unit
    decision: Record
    executed: Record
    records: list[Record] = field(default_factory=list)

    def of(self, event_type: str) -> list[Record]:
        """Return its records of a type."""
        return [record for record in self.records if record.type == event_type]

    def fills(self) -> list[Record]:
        """Return the fills of the liquidated account."""
        return [each for each in self.of("FillRecorded") if each.data["account"] == self.unit[0]]


def partial_quantity(instrument: str, quantity: Decimal) -> Decimal:
    """Return the part of a position that a partial liquidation closes, in whole lots."""
    return on_step(PARTIAL_FRACTION * abs(quantity), INSTRUMENTS[instrument].lot, "ceiling")


def partial_cures(venue: Venue, unit: Unit) -> bool:
    """Tell whether closing the policy's part of every position at the marks ends the breach."""
    books = venue.books
    required = sum(
        (
            maintenance_of(books, name, abs(position.quantity) - partial_quantity(name, position.quantity))
            for name, position in legs_of(books, unit)
        ),
        ZERO,
    )
    figures = venue.figures(unit)
    required *= books.asset_prices[SETTLEMENT]
    return not Figures(figures.collateral, required, figures.equity).over


def step_for(venue: Venue, unit: Unit) -> str:
    """Return which step of the policy a unit over the boundary comes to."""
    figures = venue.figures(unit)
    if figures.collateral > 0 and figures.equity > 0 and partial_cures(venue, unit):
        return "partial"
    if figures.equity < 0:
        return "fund"
    legs = legs_of(venue.books, unit)
    if len(legs) == 1:
        name, position = legs[0]
        price = bankruptcy_prices(venue.books, unit)[name]
        size = position.quantity * INSTRUMENTS[name].contract_size
        gain = (venue.books.marks[name] - price) * size
        queue = queue_of(venue.books, unit[0], name, price)
        enough = sum((held for _, held in queue), ZERO) >= abs(position.quantity)
        if enough and not venue.fund_could_take(name, position.quantity, gain, ZERO):
            return "adl"
    return venue.rng.choice(("book", "fund"))


def liquidate(venue: Venue, unit: Unit, step: str | None = None, fault: Fault = FAULTLESS) -> Liquidation:
    """Liquidate a unit now: decision, orders, outcome, fills, and what is left or lacking."""
    books, journal = venue.books, venue.journal
    account = books.accounts[unit[0]]
    step = step or step_for(venue, unit)
    name = venue.number("liquidation")
    equity = equity_in_settlement(books, unit)
    wallet_before = account.cash()
    first = len(journal.records)
    decision = _decide(venue, unit, name, fault)
    for order in list(account.orders.values()):
        if unit[1] in (None, order.instrument):
            cancel_order(venue, unit[0], order.order_id, "liquidation")
    prices = bankruptcy_prices(books, unit)
    closings = _closings(venue, unit, step, equity, prices, fault)
    executed = _execute(venue, unit, name, closings, prices, equity, fault)
    for closing in closings:
        _close(venue, unit[0], name, closing)
    _settle(venue, unit, name, step, closings, wallet_before if unit[1] is not None else ZERO, fault)
    return Liquidation(name, unit, decision, executed, journal.records[first:])


def cancel_order(venue: Venue, account: str, order_id: str, reason: str) -> Record:
    """Record that an order is no longer open."""
    order = venue.books.accounts[account].orders[order_id]
    data: dict[str, Any] = {
        "order_id": order_id,
        "account": account,
        "instrument": order.instrument,
        "side": order.side,
        "quantity": order.left,
        "reason": reason,
    }
    return venue.emit("OrderCancelled", data)


def _decide(venue: Venue, unit: Unit, name: str, fault: Fault) -> Record:
    legs = legs_of(venue.books, unit)
    named = venue.rng.choice(legs)[0]
    data: dict[str, Any] = {
        "liquidation": name,
        "account": unit[0],
        "scope": "account" if unit[1] is None else "position",
        "schedule_event": fault.schedule or venue.books.schedules[named][0],
        "reason": "maintenance margin",
    }
    if unit[1] is not None or len(legs) == 1:
        data["mark_price"] = venue.books.marks[named] + fault.mark_off
    if unit[1] is not None:
        data["instrument"] = unit[1]
    ratio = venue.figures(unit).ratio()
    if ratio is not None:
        data["margin_ratio"] = ratio + fault.ratio_off
    return venue.emit("LiquidationStarted", data, correlation=name, processed=venue.journal.now)


def _closings(
    venue: Venue, unit: Unit, step: str, equity: Decimal, prices: dict[str, Decimal], fault: Fault
) -> list[Closing]:
    closings: list[Closing] = []
    for instrument, position in legs_of(venue.books, unit):
        mark, bankruptcy = venue.books.marks[instrument], prices[instrument]
        side = "sell" if position.quantity > 0 else "buy"
        held = abs(position.quantity) + fault.quantity_off
        trade_id = venue.number("trade")
        if step == "partial":
            closed = partial_quantity(instrument, position.quantity)
            closings.append(Closing(instrument, side, closed, mark, venue.maker(), step, trade_id))
        elif step == "fund":
            price = fault.price or (bankruptcy if equity >= 0 else mark)
            closings.append(Closing(instrument, side, held, price, FUND, step, trade_id))
        elif step == "adl":
            closings += _deleveraging(venue, unit, instrument, bankruptcy, fault)
        else:
            tick = INSTRUMENTS[instrument].tick
            part = Fraction(venue.rng.randrange(1, 100), 100)
            between = Fraction(bankruptcy) + Fraction(mark - bankruptcy) * part
            price = fault.price or on_step(between, tick, "ceiling" if position.quantity > 0 else "floor")
            closings.append(Closing(instrument, side, held, price, venue.maker(), step, trade_id))
    return closings


def _deleveraging(venue: Venue, unit: Unit, instrument: str, price: Decimal, fault: Fault) -> list[Closing]:
    left = venue.books.accounts[unit[0]].positions[instrument].quantity
    side = "sell" if left > 0 else "buy"
    left = abs(left)
    closings = []
    queue = queue_of(venue.books, unit[0], instrument, price)
    for rank, (counterparty, held) in enumerate(queue, start=1):
        if rank <= fault.rank_off or not left:
            continue
        quantity = min(held, left)
        trade_id = venue.number("trade")
        closings.append(Closing(instrument, side, quantity, price, counterparty, "adl", trade_id, rank))
        left -= quantity
    if left:
        closings.append(Closing(instrument, side, left, price, FUND, "fund", venue.number("trade")))
    return closings


def _execute(
    venue: Venue,
    unit: Unit,
    name: str,
    closings: list[Closing],
    prices: dict[str, Decimal],
    equity: Decimal,
    fault: Fault,
) -> Record:
    dollar = venue.books.asset_prices[SETTLEMENT]
    takeovers = [
        {
            "instrument": each.instrument,
            "quantity": each.quantity,
            "price": each.price,
            "bankruptcy_price": prices[each.instrument],
            "counterparty_account": each.counterparty,
            "trade_ids": [each.trade_id],
        }
        for each in closings
    ]
    takeovers[0]["bankruptcy_price"] = prices[closings[0].instrument] + fault.bankruptcy_off
    takeovers[0]["price"] = closings[0].price + fault.listed_price_off
    notional = sum((notional_of(venue.books, each.instrument, each.quantity) for each in closings), ZERO)
    data = {
        "liquidation": name,
        "account": unit[0],
        "scope": "account" if unit[1] is None else "position",
        "notional": rounded(notional * dollar, 6, "half_even") + fault.notional_off,
        "account_value": rounded(equity * dollar, 6, "half_even") + fault.value_off,
        "takeovers": takeovers,
    }
    return venue.emit("LiquidationExecuted", data, correlation=name)


def _close(venue: Venue, account: str, name: str, closing: Closing) -> None:
    purpose = "adl" if closing.by == "adl" else "liquidation"
    if closing.by == "adl":
        data: dict[str, Any] = {
            "liquidation": name,
            "bankrupt_account": account,
            "counterparty_account": closing.counterparty,
            "instrument": closing.instrument,
            "quantity": closing.quantity,
            "price": closing.price,
            "rank": Decimal(closing.rank),
            "trade_id": closing.trade_id,
        }
        venue.emit("PositionAutoDeleveraged", data, correlation=name)
    other = "buy" if closing.side == "sell" else "sell"
    common: dict[str, Any] = {"purpose": purpose, "liquidation": name, "fee": ZERO}
    terms = (closing.instrument, closing.quantity, closing.price, closing.trade_id)
    instrument, quantity, price, trade_id = terms
    venue.fill(account, instrument, closing.side, quantity, price, trade_id, **common)
    venue.fill(
        closing.counterparty, instrument, other, quantity, price, trade_id, liquidity="maker", **common
    )


def _settle(
    venue: Venue,
    unit: Unit,
    name: str,
    step: str,
    closings: list[Closing],
    floor: Decimal,
    fault: Fault,
) -> None:
    """Take the fee and what is left, or cover what is lacking."""
    account = venue.books.accounts[unit[0]]
    allowed = sum(
        (
            fee_of(each.instrument, each.quantity, each.price, FEES[each.instrument].liquidation)
            for each in closings
        ),
        ZERO,
    )
    left = account.cash() - floor
    if fault.fee_factor:
        charge(venue, unit[0], rounded(allowed * fault.fee_factor, 6, "ceiling"), name)
    elif step == "partial":
        if unit[1] is None:
            charge(venue, unit[0], min(allowed, _half_of_spare(venue, venue.figures(unit))), name)
        else:
            _keep_behind(venue, unit, left)
    elif step == "book" and left > 0:
        charge(venue, unit[0], min(allowed, rounded(left, 6, "down")), name)
    left = account.cash() - floor
    if step != "partial" and left > 0 and not legs_of(venue.books, unit):
        move_fund(venue, "InsuranceFundContributed", unit[0], left, name, "what a liquidation left")
    elif left < 0 and not legs_of(venue.books, unit) and step != "partial":
        cover(venue, unit[0], -left, name, fault)


def _keep_behind(venue: Venue, unit: Unit, released: Decimal) -> None:
    """Move what a partial liquidation set free back behind the isolated position that is left."""
    if released > 0 and legs_of(venue.books, unit):
        data = {"account": unit[0], "instrument": unit[1], "amount": released}
        venue.emit("MarginAdjusted", {**data, "reason": "partial liquidation"})


def _half_of_spare(venue: Venue, figures: Figures) -> Decimal:
    """Return half of what a unit has above its maintenance margin, in the settlement asset."""
    price = Fraction(venue.books.asset_prices[SETTLEMENT])
    spare = (Fraction(figures.collateral) - Fraction(figures.maintenance)) / 2 / price
    return max(ZERO, of_fraction(spare, 6, "down"))
