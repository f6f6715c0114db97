"""Between which marks a unit cannot change its level: what saves the audit most evaluations.

With everything else fixed, ratio × collateral value − maintenance margin of a unit moves by at most
size × (ratio + highest rate) per unit of a linear instrument's price, and of an inverse one's
reciprocal price. As long as every mark is inside a band that uses up an equal share of the
distance to each threshold, the sign of that difference stays.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replay.margin import AccountMargin, MarginState, Market, PositionMargin
    from replay.state.records import PositionKey
    from replay.state.schedules import MarginSchedule

Band = tuple[Decimal, Decimal]
"""Marks strictly between the two change nothing."""

ALWAYS: Band = (Decimal("Infinity"), Decimal("-Infinity"))
"""Every mark asks for an evaluation."""

NEVER: Band = (Decimal("-Infinity"), Decimal("Infinity"))
"""No mark can change anything."""

# What a mark price can make determined that was not.
_CURED_BY_A_MARK = frozenset({"no_mark_price", "mark_price_stale", "mark_price_without_value"})


def bands_of(
    margin: AccountMargin, market: Market, states: Mapping[PositionKey | None, MarginState]
) -> dict[str, Band]:
    """Return for each instrument held the marks between which no unit of the account changes its level."""
    bands: dict[str, Band] = {}
    curable = any(note.code in _CURED_BY_A_MARK for note in margin.notes)
    for unit, unit_state in states.items():
        members = [
            each
            for each in margin.positions
            if each.quantity
            and (
                each.margin_mode != "isolated"
                if unit is None
                else each.margin_mode == "isolated" and (each.instrument, each.position_side) == unit
            )
        ]
        if unit_state == "undetermined":
            found = dict.fromkeys((each.instrument for each in members), ALWAYS if curable else NEVER)
        else:
            found = _unit_bands(margin, market, unit, members)
        for instrument, (low, high) in found.items():
            other = bands.get(instrument, NEVER)
            bands[instrument] = (max(low, other[0]), min(high, other[1]))
    return bands


def _unit_bands(
    margin: AccountMargin, market: Market, unit: PositionKey | None, members: list[PositionMargin]
) -> dict[str, Band]:
    always = {each.instrument: ALWAYS for each in members}
    value = margin.collateral_value if unit is None else members[0].equity
    required = margin.maintenance_margin if unit is None else members[0].maintenance_margin
    if value is None or required is None:
        return always
    sizes: dict[str, Decimal] = {}
    rates: dict[str, Decimal] = {}
    for each in members:
        rate = market.rate(each.settlement_asset)
        instrument = market.instruments[each.instrument]
        schedule = market.margin_schedule(each.instrument)
        no_line = instrument.kind == "option" or each.margin_mode == "portfolio"
        highest = None if schedule is None or no_line else highest_rate(schedule)
        if rate is None or highest is None:
            return always
        size = abs(each.quantity) * instrument.contract_size * rate
        sizes[each.instrument] = sizes.get(each.instrument, ZERO) + size
        rates[each.instrument] = highest
    ratios = [ONE] if market.policy.margin_call_ratio is None else [ONE, market.policy.margin_call_ratio]
    bands: dict[str, Band] = {}
    for name, size in sizes.items():
        if not size:
            bands[name] = ALWAYS
            continue
        width = min(
            divide(
                abs(ratio * value - required),
                size * (ratio + rates[name]) * len(sizes),
                scale=MAXIMUM_SCALE,
                rounding=Rounding.FLOOR,
            )
            for ratio in ratios
        )
        bands[name] = _band(market.mark_prices[name].price, width, inverse=_is_inverse(market, name))
    return bands


def _band(mark: Decimal, width: Decimal, *, inverse: bool) -> Band:
    """Return the band of a width, which of an inverse instrument is one of the reciprocal price."""
    if not inverse:
        return (mark - width, mark + width)
    if not mark:
        return ALWAYS
    # 1 ÷ (1 ÷ mark ± width) = mark ÷ (1 ± mark × width), rounded towards the mark.
    low = divide(mark, ONE + mark * width, scale=MAXIMUM_SCALE, rounding=Rounding.CEILING)
    rest = ONE - mark * width
    if rest <= 0:
        return (low, Decimal("Infinity"))
    return (low, divide(mark, rest, scale=MAXIMUM_SCALE, rounding=Rounding.FLOOR))


def _is_inverse(market: Market, instrument: str) -> bool:
    return market.instruments[instrument].contract == "inverse"


def highest_rate(schedule: MarginSchedule) -> Decimal | None:
    """Return the highest maintenance margin rate, or None where maintenance margin can jump."""
    if schedule.model != "tiered":
        return None
    tiers = schedule.tiers
    for lower, upper in pairwise(tiers):
        step = upper.maintenance_margin_rate - lower.maintenance_margin_rate
        if upper.maintenance_amount - lower.maintenance_amount != upper.notional_floor * step:
            return None
    return max((tier.maintenance_margin_rate for tier in tiers), default=None)
