"""Initial margin of open orders: what an account would have to hold more if its orders filled.

Per instrument the worse of two is taken, all buys filling and all sells filling, at the mark; orders
that only reduce a position or are marked reduce-only claim nothing. In hedge mode each side is
opened by its own orders: the long one by buys, the short one by sells. Of options only what would be
short requires margin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact
from replay.margin.results import Note
from replay.margin.terms import margin_terms

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.margin.market import Market
    from replay.margin.terms import MarginTerms
    from replay.state.records import Account, PositionSide


@exact()
def open_order_initial_margin(account: Account, market: Market, notes: list[Note]) -> Decimal | None:
    """Return what open orders claim beside the positions, in the valuation currency; None is unknown.

    What an isolated instrument's orders would add claims the cross wallet, from which its margin
    would have to come.
    """
    total: Decimal | None = ZERO
    for name in sorted({instrument for instrument, _, _ in account.open_orders}):
        claimed = _claim(account, market, name, notes)
        total = None if total is None or claimed is None else total + claimed
    return total


def _claim(account: Account, market: Market, name: str, notes: list[Note]) -> Decimal | None:
    instrument = market.instruments.get(name)
    subject = f"instrument/{name}"
    if instrument is None:
        notes.append(Note("instrument_not_listed", f"orders in {name}, which is not listed", subject))
        return None
    if account.margin_mode(name) == "portfolio":
        message = f"what open orders in {name} add to a portfolio's requirement is not evaluated"
        notes.append(Note("portfolio_order_margin", message, subject))
        return None
    why: list[Note] = []
    terms = margin_terms(market, instrument, why)
    if terms is None:
        message = f"the initial margin of open orders in {name} is not known"
        notes.append(Note("order_margin_unknown", message, subject))
        return None
    if account.position_mode(name) == "hedge":
        return _hedged(account, terms)
    held = _held(account, name, "both")
    most = held + _ordered(account, name, "buy")
    least = held - _ordered(account, name, "sell")
    chosen = account.leverage(name)
    if instrument.kind == "option":
        short = terms.initial_margin(max(-held, ZERO), chosen)
        return max(terms.initial_margin(max(-least, ZERO), chosen) - short, ZERO)
    if account.margin_mode(name) == "isolated":
        more = max(max(most, ZERO) - max(held, ZERO), max(-least, ZERO) - max(-held, ZERO))
        return terms.initial_margin(more, chosen, within=max(abs(most), abs(least)))
    worst = max(abs(most), abs(least))
    return max(terms.initial_margin(worst, chosen) - terms.initial_margin(held, chosen), ZERO)


def _hedged(account: Account, terms: MarginTerms) -> Decimal:
    """Return what opening orders of both sides claim; an order that names no side opens its own."""
    name = terms.instrument.instrument
    chosen = account.leverage(name)
    total = ZERO
    sides = (("long", "buy"), ("short", "sell"))
    for side, order_side in sides[1:] if terms.instrument.kind == "option" else sides:
        held = abs(_held(account, name, "long" if side == "long" else "short"))
        opening = sum(
            (
                quantity
                for (instrument, position_side, ordered), quantity in account.open_orders.items()
                if instrument == name and ordered == order_side and position_side in ("both", side)
            ),
            ZERO,
        )
        total += terms.initial_margin(held + opening, chosen) - terms.initial_margin(held, chosen)
    return total


def _held(account: Account, name: str, side: PositionSide) -> Decimal:
    position = account.positions.get((name, side))
    return ZERO if position is None else position.quantity


def _ordered(account: Account, name: str, order_side: str) -> Decimal:
    return sum(
        (
            quantity
            for (instrument, _, ordered), quantity in account.open_orders.items()
            if instrument == name and ordered == order_side
        ),
        ZERO,
    )
