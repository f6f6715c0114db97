"""Who stands where in the queue for auto-deleveraging.

Scores are fractions that are compared by cross-multiplying and never divided. Two rankings,
highest first:

- ``pnl_leverage`` (BitMEX): PnL % × effective leverage if PnL % > 0, else PnL % ÷ it, with PnL % =
  PnL ÷ cost without sign, and effective leverage = notional ÷ equity
- ``price_leverage`` (Hyperliquid): (mark ÷ entry) × (notional ÷ equity); for shorts entry ÷ mark

Notional and equity are those of what is margined as one: the account's cross part, or the isolated
position. Who is eligible, and how much is closed, is for the engine to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from typing import TYPE_CHECKING

from ledger.amounts import exact
from replay.margin.account import evaluate_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from replay.margin.market import Market
    from replay.margin.results import AccountMargin, PositionMargin
    from replay.state.records import Account, Position

PNL_LEVERAGE = "pnl_leverage"
PRICE_LEVERAGE = "price_leverage"
ADL_RANKS = (PNL_LEVERAGE, PRICE_LEVERAGE)
"""The rankings that a risk policy can name; None is the first."""


@dataclass(frozen=True, slots=True)
class Score:
    """A fraction; its denominator is never below zero, and one over zero is above every number."""

    numerator: Decimal
    denominator: Decimal

    @exact()
    def compare(self, other: Score) -> int:
        """Return 1 where this score is higher than the other, -1 where lower, 0 where equal."""
        difference = self.numerator * other.denominator - other.numerator * self.denominator
        return (difference > 0) - (difference < 0)


@exact()
def pnl_leverage(unrealised_pnl: Decimal, cost: Decimal, notional: Decimal, equity: Decimal) -> Score:
    """Return a gain's PnL % × leverage, a loss's PnL % ÷ leverage. Source: BitMEX.

    PnL % is PnL ÷ cost (without sign), leverage is notional ÷ equity.

    Args:
        unrealised_pnl: of the position, in the currency of its cost.
        cost: of the position; its sign does not matter.
        notional: of all that is margined with the position.
        equity: likewise, above zero, in the currency of the notional.
    """
    if unrealised_pnl > 0:
        return Score(unrealised_pnl * notional, abs(cost) * equity)
    return Score(unrealised_pnl * equity, abs(cost) * notional)


@exact()
def price_leverage(value: Decimal, cost: Decimal, notional: Decimal, equity: Decimal) -> Score:
    """Return (mark ÷ entry) × (notional ÷ equity) of a long, (entry ÷ mark) × (notional ÷ equity) of a short.

    Source: Hyperliquid; the same size stands in value and cost and cancels. An inverse long is worth
    less than zero, and its value falls towards zero as the price rises: mark ÷ entry is cost ÷ value.

    Args:
        value: signed value of the position at its mark.
        cost: of the position, in the same currency; its sign does not matter.
        notional: of all that is margined with the position.
        equity: likewise, above zero, in the currency of the notional.
    """
    gain, basis = (value, abs(cost)) if value > 0 else (abs(cost), -value)
    return Score(gain * notional, basis * equity)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A position in the queue.

    Attributes:
        unrealised_pnl: of the position, in the valuation currency.
        score: its rank; highest first.
        margin: figures of the account that holds it.
    """

    account: str
    position: Position
    unrealised_pnl: Decimal
    score: Score
    margin: AccountMargin


@dataclass(frozen=True, slots=True)
class DeleveragingQueue:
    """All who hold one side of an instrument.

    Attributes:
        candidates: in rank order; of equal scores the account whose name comes first stands first.
        unranked: accounts whose position has no score: something that it hangs on is not known, or
            nothing is left behind it (equity not above zero).
    """

    candidates: tuple[Candidate, ...]
    unranked: tuple[str, ...]


def _evaluated(account: Account, market: Market) -> AccountMargin:
    return evaluate_account(account, market, with_prices=False)


@exact()
def deleveraging_queue(
    accounts: Iterable[Account],
    market: Market,
    instrument: str,
    *,
    long: bool,
    rank: str | None = None,
    evaluate: Callable[[Account, Market], AccountMargin] = _evaluated,
) -> DeleveragingQueue:
    """Return who holds a perpetual or future on one side, in the order of the ranking.

    Those without a gain stand in it too, behind all others or by their leverage, as the ranking has it.

    Args:
        accounts: whoever may hold it.
        market: prices, schedules and policy by which they are valued.
        instrument: which.
        long: which side of it is to be deleveraged.
        rank: one of :data:`ADL_RANKS`; None is the first.
        evaluate: returns an account's figures, for whoever has them already.

    Raises:
        ValueError: there is no such ranking.
    """
    if rank is not None and rank not in ADL_RANKS:
        raise ValueError(f"there is no ranking {rank!r} for auto-deleveraging")
    candidates: list[Candidate] = []
    unranked: list[str] = []
    for account in sorted(accounts, key=lambda each: each.account):
        held = [
            position
            for key, position in sorted(account.positions.items())
            if key[0] == instrument and position.quantity and (position.quantity > 0) == long
        ]
        if not held:
            continue
        margin = evaluate(account, market)
        for position in held:
            candidate = _candidate(account, position, margin, market, rank)
            if candidate is None:
                unranked.append(account.account)
            else:
                candidates.append(candidate)
    return DeleveragingQueue(tuple(sorted(candidates, key=cmp_to_key(_compare))), tuple(unranked))


def _candidate(
    account: Account, position: Position, margin: AccountMargin, market: Market, rank: str | None
) -> Candidate | None:
    figures = _figures(margin, position)
    if figures is None or figures.state == "undetermined":
        return None
    isolated = figures.margin_mode == "isolated"
    notional = figures.notional if isolated else margin.notional
    equity = figures.equity if isolated else margin.equity
    rate = market.rate(position.settlement_asset)
    pnl, own_notional = figures.unrealised_pnl, figures.notional
    if rate is None or pnl is None or own_notional is None or notional is None or equity is None:
        return None
    instrument = market.instruments[position.instrument]
    if equity <= 0 or instrument.kind == "option":
        return None
    cost = position.cost * rate
    if rank == PRICE_LEVERAGE:
        worth_more_than_nothing = (position.quantity > 0) == (instrument.priced_as == "linear")
        value = own_notional if worth_more_than_nothing else -own_notional
        score = price_leverage(value, cost, notional, equity)
    else:
        score = pnl_leverage(pnl, cost, notional, equity)
    return Candidate(account.account, position, pnl, score, margin)


def _figures(margin: AccountMargin, position: Position) -> PositionMargin | None:
    for each in margin.positions:
        if (each.instrument, each.position_side) == (position.instrument, position.position_side):
            return each
    return None


def _compare(one: Candidate, other: Candidate) -> int:
    return other.score.compare(one.score)
