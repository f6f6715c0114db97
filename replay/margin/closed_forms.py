"""Prices in the closed forms in which venues publish them, closing fee included.

The general search (:mod:`replay.margin.liquidation_price`) knows no fee; these do, one position
alone. They serve to hold a venue to its own help page, and its help page to the general search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, Rounding, divide, exact

if TYPE_CHECKING:
    from decimal import Decimal

PRICE_SCALE = MAXIMUM_SCALE


@exact()
def to_tick(price: Decimal, tick_size: Decimal, *, up: bool) -> Decimal:
    """Return a price on the tick; up is against the trader of a long, down against that of a short."""
    rounding = Rounding.CEILING if up else Rounding.FLOOR
    return divide(price, tick_size, scale=0, rounding=rounding) * tick_size


@exact()
def liquidation_price_with_fee(
    entry_price: Decimal,
    margin: Decimal,
    quantity: Decimal,
    maintenance_margin_rate: Decimal,
    fee_rate: Decimal,
) -> Decimal:
    """Return (EP ∓ margin ÷ q) ÷ (1 ∓ (mmr + fee)) of a linear position, towards danger at scale 18.

    Source: OKX, Gate (DOMAIN §2).

    Args:
        entry_price: of the position.
        margin: what stands behind it, in the settlement asset.
        quantity: signed, in units of the base.
        maintenance_margin_rate: per notional at the mark.
        fee_rate: of closing, per notional at the mark.

    Raises:
        ZeroDivisionError: quantity is zero, or rate and fee are the whole notional of a long.
    """
    rate = maintenance_margin_rate + fee_rate
    size = abs(quantity)
    if quantity > 0:
        numerator, denominator, rounding = entry_price * size - margin, ONE - rate, Rounding.FLOOR
    else:
        numerator, denominator, rounding = entry_price * size + margin, ONE + rate, Rounding.CEILING
    return divide(numerator, denominator * size, scale=PRICE_SCALE, rounding=rounding)


@exact()
def inverse_bankruptcy_price_by_leverage(entry_price: Decimal, leverage: Decimal, *, long: bool) -> Decimal:
    """Return EP × leverage ÷ (leverage ± 1), against the trader at scale 18. Source: Bybit (DOMAIN §2)."""
    denominator = leverage + ONE if long else leverage - ONE
    rounding = Rounding.CEILING if long else Rounding.FLOOR
    return divide(entry_price * leverage, denominator, scale=PRICE_SCALE, rounding=rounding)


@exact()
def inverse_bankruptcy_price_with_fee(
    face: Decimal, entry_price: Decimal, wallet: Decimal, fee_rate: Decimal
) -> Decimal:
    """Return Q ÷ (WB + Q ÷ EP) × (1 + fee) of an inverse long, up at scale 18. Source: Bybit (DOMAIN §3).

    Args:
        face: Q, in the quote.
        entry_price: EP.
        wallet: WB, in the settlement asset.
        fee_rate: of closing.
    """
    return divide(
        face * (ONE + fee_rate) * entry_price,
        wallet * entry_price + face,
        scale=PRICE_SCALE,
        rounding=Rounding.CEILING,
    )


@exact()
def inverse_liquidation_price_with_fee(
    face: Decimal,
    entry_price: Decimal,
    wallet: Decimal,
    maintenance_margin_rate: Decimal,
    fee_rate: Decimal,
) -> Decimal:
    """Return Q ÷ (WB + Q ÷ EP − mmr × Q ÷ EP − fee × Q ÷ BP) of an inverse long, down at scale 18.

    The maintenance margin is taken on the entry value and the fee at the bankruptcy price BP, which
    is inserted exactly: fee × Q ÷ BP = fee × (WB + Q ÷ EP) ÷ (1 + fee). Source: Bybit (DOMAIN §3).
    """
    behind = wallet * entry_price + face  # WB + Q ÷ EP, times EP
    left = behind * (ONE + fee_rate) - maintenance_margin_rate * face * (ONE + fee_rate) - fee_rate * behind
    return divide(face * entry_price * (ONE + fee_rate), left, scale=PRICE_SCALE, rounding=Rounding.FLOOR)
