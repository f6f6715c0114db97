"""Taking a position over: bankruptcy price, insurance fund's share, and how much to close."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide, exact

if TYPE_CHECKING:
    from decimal import Decimal

BANKRUPTCY_SCALE = MAXIMUM_SCALE


@exact()
def allocated_value(account_value: Decimal, requirement: Decimal, total_requirement: Decimal) -> Decimal:
    """Return the share of the account value that stands behind one position, at scale 18, rounded down.

    Account value × requirement ÷ total requirement (dYdX v4, ``TNC·|ΔMMR|/TMMR``). With one
    maintenance rate for all positions this is in proportion to notional (Hyperliquid).

    Raises:
        ZeroDivisionError: the total requirement is zero.
    """
    if requirement == total_requirement:
        return account_value
    return divide(
        account_value * requirement, total_requirement, scale=BANKRUPTCY_SCALE, rounding=Rounding.FLOOR
    )


@exact()
def bankruptcy_price(mark_price: Decimal, size: Decimal, value_behind: Decimal) -> Decimal:
    """Return the price of a linear position at which the value behind it is used up.

    mark − value ÷ size, at scale 18, rounded against the trader: a long's up, a short's down, so
    that a takeover at the stated price never leaves the account below zero. May be negative.

    Args:
        mark_price: the price at which ``value_behind`` was found.
        size: signed, quantity × contract_size.
        value_behind: in the settlement asset; an isolated position's equity, or :func:`allocated_value`.

    Raises:
        ZeroDivisionError: size is zero.
    """
    rounding = Rounding.CEILING if size > 0 else Rounding.FLOOR
    return divide(mark_price * size - value_behind, size, scale=BANKRUPTCY_SCALE, rounding=rounding)


@exact()
def inverse_bankruptcy_price(value_at_mark: Decimal, size: Decimal, value_behind: Decimal) -> Decimal | None:
    """Return the price of an inverse position at which the value behind it is used up, or None without one.

    size ÷ (value at mark − value behind), at scale 18, rounded against the trader: a long's up, a
    short's down. Q ÷ (WB + Q ÷ EP) for a long alone in its account (Bybit, without the closing fee).

    Args:
        value_at_mark: signed, in the settlement asset; of a long below zero.
        size: value per unit of reciprocal price: −quantity × contract_size.
        value_behind: in the settlement asset.
    """
    left = value_at_mark - value_behind
    if not left or (left < 0) != (size < 0):
        return None
    rounding = Rounding.CEILING if size < 0 else Rounding.FLOOR
    return divide(size, left, scale=BANKRUPTCY_SCALE, rounding=rounding)


@exact()
def bankruptcy_notional(
    net_notional_change: Decimal,
    collateral: Decimal,
    maintenance_margin_change: Decimal,
    maintenance_margin: Decimal,
) -> Decimal:
    """Return the quote amount for which closing (part of) a position leaves its share of collateral at zero.

    −ΔNNV − TNC × |ΔMMR| ÷ TMMR at scale 18, rounded up (in the account's disfavour never below the
    true figure). Source: dYdX v4 ``GetBankruptcyPriceInQuoteQuantums``.

    Args:
        net_notional_change: signed notional after minus before; closing a long of 5,000 is −5,000.
        collateral: total net collateral of the account before.
        maintenance_margin_change: maintenance margin after minus before.
        maintenance_margin: total maintenance margin before.

    Raises:
        ZeroDivisionError: the maintenance margin is zero.
    """
    share = divide(
        collateral * abs(maintenance_margin_change),
        maintenance_margin,
        scale=BANKRUPTCY_SCALE,
        rounding=Rounding.FLOOR,
    )
    return -net_notional_change - share


@exact()
def insurance_fund_change(
    maximum_fee_rate: Decimal, fill_notional: Decimal, bankruptcy_notional: Decimal
) -> Decimal:
    """Return what the insurance fund receives from a liquidation fill; negative is what it pays.

    min(fee rate × fill notional, fill − bankruptcy) with signed notionals of what the account
    receives (a sale is positive, a purchase negative). Source: dYdX v4 ``GetLiquidationInsuranceFundDelta``.
    """
    return min(maximum_fee_rate * abs(fill_notional), fill_notional - bankruptcy_notional)


@exact()
def quantity_to_close(
    shortage: Decimal,
    price: Decimal,
    maintenance_margin_rate: Decimal,
    liquidation_fee_rate: Decimal,
    insurance_fee_rate: Decimal = ZERO,
) -> Decimal:
    """Return the quantity (base units) whose closing frees a margin shortage, at scale 18, rounded up.

    shortage ÷ (price × (maintenance rate − liquidation fee − insurance fee)). Source: Drift
    ``calculate_base_asset_amount_to_cover_margin_shortage``.

    Raises:
        ValueError: the fees eat up the freed margin, so that no quantity covers the shortage.
    """
    freed_rate = maintenance_margin_rate - liquidation_fee_rate - insurance_fee_rate
    if freed_rate <= 0 or price <= 0:
        raise ValueError(f"closing frees no margin: rate less fees is {freed_rate}, price {price}")
    return divide(shortage, price * freed_rate, scale=BANKRUPTCY_SCALE, rounding=Rounding.UP)
