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
    """Return the instruments in which an account has an open position.

    What an option is worth after a move of its underlying takes a model and a volatility, which no event
    records: :func:`moved` leaves its mark as it is.
    """
    held = {name for (name, _), position in account.positions.items() if position.quantity}
    return frozenset(held.intersection(market.instruments))


def held_options(account: Account, market: Market) -> tuple[str, ...]:
    """Return the options in which an account has an open position, by name."""
    held = {name for (name, _), position in account.positions.items() if position.quantity}
    return tuple(name for name in sorted(held) if name in market.instruments and _is_option(market, name))


@exact()
def moved(market: Market, instruments: Collection[str], move: Decimal) -> Market:
    """Return the market with the mark prices of instruments multiplied by 1 + move, exactly.

    The index on which an option of one of their bases is written moves too: what a short one requires
    hangs on it, whatever its own price does. The recorded conversion price of an asset that is the base of
    one of them moves with it: whoever backs a BTC contract with BTC loses on both.

    Args:
        market: as it stands.
        instruments: whose marks move; of an option among them only the index does.
        move: as a fraction, above −1.
    """
    factor = ONE + move
    bases = {market.instruments[name].base for name in instruments if name in market.instruments}
    marks = {
        name: replace(price, price=price.price * factor)
        if name in instruments and not _is_option(market, name)
        else price
        for name, price in market.mark_prices.items()
    }
    indexes = {
        each.index
        for each in market.instruments.values()
        if each.kind == "option" and each.base in bases and each.index is not None
    }
    index_prices = {
        name: replace(price, price=price.price * factor) if name in indexes else price
        for name, price in market.index_prices.items()
    }
    conversions = {
        key: replace(price, price=price.price * factor) if key[0] in bases else price
        for key, price in market.asset_prices.items()
    }
    return replace(market, mark_prices=marks, index_prices=index_prices, asset_prices=conversions)


def _is_option(market: Market, instrument: str) -> bool:
    listed = market.instruments.get(instrument)
    return listed is not None and listed.kind == "option"
