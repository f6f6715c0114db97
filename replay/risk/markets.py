"""Hypothetical markets: every price of what an account holds moved by the same share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.amounts import ONE, exact

if TYPE_CHECKING:
    from collections.abc import Collection
    from decimal import Decimal

    from replay.margin import Market
    from replay.state.records import Account


def held_instruments(account: Account, market: Market) -> frozenset[str]:
    """Return the instruments in which an account has an open position, but for options.

    What an option is worth after a move of its underlying takes a model and a volatility, which no event
    records; its mark stands still.
    """
    held = {name for (name, _), position in account.positions.items() if position.quantity}
    return frozenset(held.difference(held_options(account, market)))


def held_options(account: Account, market: Market) -> tuple[str, ...]:
    """Return the options in which an account has an open position, by name."""
    held = {name for (name, _), position in account.positions.items() if position.quantity}
    return tuple(
        name
        for name in sorted(held)
        if name in market.instruments and market.instruments[name].kind == "option"
    )


@exact()
def moved(market: Market, instruments: Collection[str], move: Decimal) -> Market:
    """Return the market with the mark prices of instruments multiplied by 1 + move, exactly.

    The recorded conversion price of an asset that is the base of one of them moves with it: whoever backs a
    BTC contract with BTC loses on both.

    Args:
        market: as it stands.
        instruments: whose marks move.
        move: as a fraction, above −1.
    """
    factor = ONE + move
    bases = {market.instruments[name].base for name in instruments if name in market.instruments}
    marks = {
        name: replace(price, price=price.price * factor) if name in instruments else price
        for name, price in market.mark_prices.items()
    }
    conversions = {
        key: replace(price, price=price.price * factor) if key[0] in bases else price
        for key, price in market.asset_prices.items()
    }
    return replace(market, mark_prices=marks, asset_prices=conversions)
