"""What a decision to liquidate implies: bankruptcy prices, and what is left over or lacking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide
from replay.audit.units import unit_positions, unit_states
from replay.margin import allocated_value

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.audit.judgement import Judgement
    from replay.audit.precision import PrintedPrecision
    from replay.margin import PositionMargin
    from replay.state.records import Account, Instrument, PositionKey
    from replay.state.venue_state import VenueState

BANKRUPTCY_SCALE = MAXIMUM_SCALE
_BY_MAINTENANCE = frozenset({None, "maintenance", "maintenance_margin"})
_BY_NOTIONAL = "notional"
ALLOCATIONS = _BY_MAINTENANCE | {_BY_NOTIONAL}
"""By what a policy can share account value among positions; None is by maintenance margin."""


def tick_of(price: Decimal, instrument: Instrument, event: Event, precision: PrintedPrecision) -> Decimal:
    """Return the tick of an instrument; where none is listed, the unit in which a price is printed."""
    if instrument.tick_size is not None and instrument.tick_size > 0:
        return instrument.tick_size
    return precision.unit(price, instrument, event)


def unit_of(judgement: Judgement, key: PositionKey) -> PositionKey | None:
    """Return to which unit a position belonged at the decision: the isolated position, or None for cross."""
    for each in judgement.margin.positions:
        if (each.instrument, each.position_side) == key and each.margin_mode == "isolated":
            return key
    return None


def determined_equity(judgement: Judgement, unit: PositionKey | None) -> Decimal | None:
    """Return a unit's equity at the decision, in the valuation currency; None where it is not determined."""
    if unit_states(judgement.margin).get(unit, "undetermined") == "undetermined":
        return None
    if unit is None:
        return judgement.margin.equity
    return unit_positions(judgement.margin, unit)[0].equity


def position_at(judgement: Judgement, key: PositionKey) -> PositionMargin | None:
    """Return the figures of an open position at the decision."""
    for each in judgement.margin.positions:
        if (each.instrument, each.position_side) == key and each.quantity:
            return each
    return None


def bankruptcy_price_at(
    judgement: Judgement, key: PositionKey, instrument: Instrument, tick: Decimal
) -> Decimal | None:
    """Return the price at which a position uses up its share of its unit's equity; called in ``exact()``.

    mark − share ÷ size, of an inverse contract mark × notional ÷ (notional ± share), where the equity
    is shared by maintenance margin, or by notional where the policy says so or nothing is required.
    Rounded to the tick against the trader (a long's up, a short's down), and at least one tick,
    since no lower price exists.

    Returns:
        None where it cannot be known: the unit was undetermined or held no such position, the
        contract is an option, the policy names another allocation, or no price uses the share up.
    """
    if instrument.kind == "option":
        return None
    unit = unit_of(judgement, key)
    position = position_at(judgement, key)
    equity = determined_equity(judgement, unit)
    if position is None or equity is None:
        return None
    share = _share(judgement, unit, position, equity)
    mark, notional = position.mark_price, position.notional
    if share is None or mark is None or not notional:
        return None
    # Size × rate is notional ÷ mark (inverse: notional × mark), with the position's sign.
    long = position.quantity > 0
    rounding = Rounding.CEILING if long else Rounding.FLOOR
    if instrument.priced_as == "linear":
        value, divisor = mark * (notional - share if long else notional + share), notional
    else:
        value, divisor = mark * notional, notional + share if long else notional - share
    if divisor <= 0:
        return None
    price = divide(value, divisor, scale=BANKRUPTCY_SCALE, rounding=rounding)
    return max(divide(price, tick, scale=0, rounding=rounding) * tick, tick)


def _share(
    judgement: Judgement, unit: PositionKey | None, position: PositionMargin, equity: Decimal
) -> Decimal | None:
    """Return the part of the equity that stands behind a position, in the valuation currency."""
    members = unit_positions(judgement.margin, unit)
    allocation = judgement.policy.bankruptcy_allocation
    by_notional = allocation == _BY_NOTIONAL
    if not by_notional and allocation not in _BY_MAINTENANCE:
        return None
    required = [each.maintenance_margin for each in members]
    if any(each is None for each in required):
        return None
    if by_notional or not any(required):
        total = sum((each.notional or ZERO for each in members), ZERO)
        own = position.notional or ZERO
    else:
        total = sum((each or ZERO for each in required), ZERO)
        own = position.maintenance_margin or ZERO
    return allocated_value(equity, own, total) if total else None


def left_over(state: VenueState, judgement: Judgement, asset: str) -> Decimal:
    """Return what a liquidation has left in the wallet so far; below zero is its shortfall.

    Of a cross account that is its wallet; of isolated positions, what came into the wallet since
    the decision.
    """
    account = state.accounts.get(judgement.margin.account)
    wallet = ZERO if account is None else account.balances.get(asset, ZERO)
    if any(unit.position is None for unit in judgement.units):
        return wallet
    return wallet - judgement.margin.cross_wallet_balance.get(asset, ZERO)


def insurance_funds(state: VenueState, asset: str) -> list[Account]:
    """Return the insurance funds that answer for an asset: those whose wallet ever held it, by name."""
    return [
        state.accounts[name]
        for name in sorted(state.accounts)
        if state.accounts[name].profile.kind == "insurance_fund" and asset in state.accounts[name].balances
    ]
