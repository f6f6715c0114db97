"""Tiered margin: maintenance margin = notional × rate − maintenance amount (Binance USDⓈ-M, DOMAIN §2).

Which side an edge belongs to: a tier covers floor < notional ≤ cap, so a notional exactly at a cap
still has the lower tier's rate and leverage. Where the maintenance amounts follow the recursion
both sides give the same maintenance margin; they differ in ``max_leverage`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide, exact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from replay.state.schedules import CollateralTier, MarginTier

INITIAL_MARGIN_SCALE = MAXIMUM_SCALE
# Never less than is required (dYdX v4 rounds its initial margin fraction up).
INITIAL_MARGIN_ROUNDING = Rounding.UP


def tier_for_notional(tiers: Sequence[MarginTier], notional: Decimal) -> MarginTier:
    """Return the tier with floor < notional ≤ cap.

    A notional under the first floor has the first tier; one over the last cap has the last.

    Args:
        tiers: at least one, in rising order of floors.
        notional: not negative, in the schedule's notional asset.
    """
    chosen = tiers[0]
    for tier in tiers:
        if tier.notional_floor >= notional:
            break
        chosen = tier
    return chosen


@exact()
def maintenance_margin(tiers: Sequence[MarginTier], notional: Decimal) -> Decimal:
    """Return notional × rate − maintenance amount of the notional's tier, exact and not below zero.

    Source: Binance, "Leverage and Margin of USDⓈ-M Futures".
    """
    tier = tier_for_notional(tiers, notional)
    return max(notional * tier.maintenance_margin_rate - tier.maintenance_amount, ZERO)


@exact()
def maintenance_amounts(tiers: Sequence[MarginTier]) -> list[Decimal]:
    """Return the amounts that make the maintenance margin continuous across tiers.

    cum_1 = 0, cum_n = cum_(n−1) + floor_n × (rate_n − rate_(n−1)). Source: Binance (DOMAIN §2).
    """
    amounts: list[Decimal] = []
    for index, tier in enumerate(tiers):
        if index == 0:
            amounts.append(ZERO)
            continue
        step = tier.maintenance_margin_rate - tiers[index - 1].maintenance_margin_rate
        amounts.append(amounts[-1] + tier.notional_floor * step)
    return amounts


@exact()
def initial_margin(notional: Decimal, leverage: Decimal) -> Decimal:
    """Return notional ÷ leverage at scale 18, rounded up.

    Raises:
        ZeroDivisionError: leverage is zero.
    """
    return divide(notional, leverage, scale=INITIAL_MARGIN_SCALE, rounding=INITIAL_MARGIN_ROUNDING)


def effective_leverage(leverage: Decimal | None, tier: MarginTier) -> Decimal:
    """Return the leverage set by the account, at most the tier's; the tier's where none is set."""
    if leverage is None or leverage > tier.max_leverage:
        return tier.max_leverage
    return leverage


@exact()
def collateral_value(tiers: Sequence[CollateralTier], value: Decimal) -> Decimal:
    """Return what a holding counts for after its haircut: each part of its value at its tier's rate.

    A debt (negative value) counts in full. What lies outside every tier counts for nothing.

    Args:
        tiers: the asset's haircut tiers; floors and caps in the valuation currency.
        value: the holding's value in the valuation currency.
    """
    if value <= 0:
        return value
    counted = ZERO
    for tier in tiers:
        end = value if tier.value_cap is None else min(value, tier.value_cap)
        if end > tier.value_floor:
            counted += (end - tier.value_floor) * tier.collateral_rate
    return counted
