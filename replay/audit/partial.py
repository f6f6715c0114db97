"""What closing only a part would have left of an account, at the marks of the decision to liquidate it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, round_to
from replay.audit.kept import kept_market
from replay.audit.terms import open_positions
from replay.margin import Market, evaluate_account, released_cost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from replay.audit.fills import CaseFills, FillSum
    from replay.audit.units import Unit
    from replay.margin import AccountMargin
    from replay.state.records import Account, Position, PositionKey
    from replay.state.venue_state import VenueState


@dataclass(frozen=True, slots=True)
class DecidedOn:
    """What a decision to liquidate met, kept until its fills are complete."""

    account: Account
    market: Market

    @classmethod
    def of(cls, state: VenueState, account: Account, moment: datetime) -> DecidedOn:
        """Keep an account and of the market what the account is evaluated by."""
        return cls(account, kept_market(Market.of(state, moment), account))

    def positions(self, unit: Unit) -> dict[PositionKey, Position]:
        """Return a unit's open positions."""
        return open_positions(self.account, unit.position)

    def is_linear(self, instrument: str) -> bool:
        """Tell whether a contract is listed and linear."""
        listed = self.market.instruments.get(instrument)
        return listed is not None and listed.contract == "linear"


def part_of(position: Position, fraction: Decimal, quantity_scale: int) -> Decimal:
    """Return how many contracts a fraction of a position is, without sign, rounded up to the lot."""
    held = abs(position.quantity)
    return min(held, round_to(held * fraction, quantity_scale, Rounding.UP))


def closing_part(
    decided: DecidedOn,
    unit: Unit,
    fills: CaseFills,
    parts: Mapping[PositionKey, Decimal],
    charged: Mapping[str, Decimal],
) -> AccountMargin:
    """Evaluate an account as if only a part of each of a unit's positions had been closed.

    The part goes at the average price of the liquidation's fills, with their fees and the
    liquidation's other fees in proportion; what the fills do not touch stays. What an isolated
    position's part sets free stays behind the position, as its margin.

    Args:
        decided: what the decision met.
        unit: whose positions.
        fills: of the liquidation.
        parts: contracts to close, without sign.
        charged: the liquidation's fees apart from those of fills, by asset.
    """
    positions = dict(decided.account.positions)
    balances = dict(decided.account.balances)
    fees = _charged_in_proportion(fills, parts, charged)
    for key, part in parts.items():
        position, filled = positions[key], fills.by_position.get(key)
        if filled is None or not filled.quantity or not part:
            continue
        closed = part if position.quantity > 0 else -part
        released = released_cost(position.cost, position.quantity, closed)
        realised = _share(-filled.value, part, abs(filled.quantity)) - released
        for asset, fee in filled.fees.items():
            fees[asset] = fees.get(asset, ZERO) + _share(fee, part, abs(filled.quantity))
        margin = position.isolated_margin
        asset = position.settlement_asset
        if unit.position is None:
            balances[asset] = balances.get(asset, ZERO) + realised
        elif margin is not None:
            margin += realised - fees.pop(asset, ZERO)
        positions[key] = replace(
            position,
            quantity=position.quantity - closed,
            cost=position.cost - released,
            isolated_margin=margin,
        )
    for asset, fee in fees.items():
        balances[asset] = balances.get(asset, ZERO) - fee
    account = replace(decided.account, positions=positions, balances=balances)
    return evaluate_account(account, decided.market, with_prices=False)


def _charged_in_proportion(
    fills: CaseFills, parts: Mapping[PositionKey, Decimal], charged: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Return fees on the whole liquidation, as far as they fall on the parts by traded value."""
    whole = sum((_value(each) for each in fills.by_position.values()), ZERO)
    wanted = ZERO
    for key, part in parts.items():
        filled = fills.by_position.get(key)
        if filled is not None and filled.quantity:
            wanted += _share(_value(filled), part, abs(filled.quantity))
    return {asset: _share(fee, wanted, whole) for asset, fee in charged.items() if whole}


def _value(filled: FillSum) -> Decimal:
    """Return the traded value of fills in the valuation currency; without a price, in their own."""
    return abs(filled.value) * (ONE if filled.rate is None else filled.rate)


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return divide(amount * part, whole, scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN)
