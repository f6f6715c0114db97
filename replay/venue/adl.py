"""Whose positions are closed when nobody else can take a bankrupt one: the ADL queue.

Two rankings, highest first:

- ``pnl_leverage`` (BitMEX): PnL % × leverage = (PnL ÷ cost) × (notional ÷ equity)
- ``price_leverage`` (Hyperliquid): (mark ÷ entry) × (notional ÷ equity); for shorts entry ÷ mark

Notional and equity are those of the position's margin pot. Scores are fractions that are compared
by cross-multiplying and never divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, Rounding, divide
from replay.venue.policy import PRICE_LEVERAGE

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.venue.risk import Exposure, RiskView, Standing

_NOT_DELEVERAGED = frozenset({"insurance_fund", "external"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account with a profitable position on the other side.

    Attributes:
        numerator: of its score.
        denominator: of its score, above zero.
        quantity: how many contracts it can give up and keep its maintenance margin.
    """

    account: str
    numerator: Decimal
    denominator: Decimal
    quantity: Decimal


def adl_queue(view: RiskView, bankrupt: str, exposure: Exposure, price: Decimal) -> list[Candidate]:
    """Return who can be deleveraged against a position at a price, in rank order.

    In the queue is who gains on the position both at the mark and at the price, so that nobody is
    closed at a loss.
    """
    candidates = []
    for name in sorted(view.venue.state.accounts):
        account = view.venue.state.accounts[name]
        if name == bankrupt or account.profile.kind in _NOT_DELEVERAGED:
            continue
        for standing in view.standings(account):
            for opposing in standing.exposures:
                if opposing.position.instrument == exposure.position.instrument:
                    candidate = _candidate(view, standing, opposing, exposure, price)
                    if candidate is not None:
                        candidates.append(candidate)
    # The sort is stable: of equal scores the name that comes first stands first.
    return sorted(candidates, key=cmp_to_key(_compare))


def _candidate(
    view: RiskView, standing: Standing, opposing: Exposure, exposure: Exposure, price: Decimal
) -> Candidate | None:
    profit_at_price = opposing.size * price - opposing.position.cost
    if opposing.size * exposure.size >= 0 or opposing.unrealised_pnl <= 0 or profit_at_price <= 0:
        return None
    if standing.equity <= 0:
        return None
    cost = abs(opposing.position.cost)
    if view.policy.adl_rank != PRICE_LEVERAGE:
        gain, basis = opposing.unrealised_pnl, cost
    elif opposing.size > 0:
        gain, basis = opposing.notional, cost
    else:
        gain, basis = cost, opposing.notional
    return Candidate(
        standing.account,
        gain * standing.notional,
        basis * standing.equity,
        _quantity_to_spare(view, standing, opposing, price),
    )


def _quantity_to_spare(view: RiskView, standing: Standing, opposing: Exposure, price: Decimal) -> Decimal:
    held = abs(opposing.position.quantity)
    given_up = (opposing.mark_price - price) * opposing.size
    if given_up <= 0:
        return held
    buffer = max(-standing.shortfall, ZERO)
    scale = view.venue.configuration.quantity_scale
    return min(held, divide(buffer * held, given_up * standing.rate, scale=scale, rounding=Rounding.FLOOR))


def _compare(one: Candidate, other: Candidate) -> int:
    difference = other.numerator * one.denominator - one.numerator * other.denominator
    return (difference > 0) - (difference < 0)
