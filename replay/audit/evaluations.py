"""Account figures that are asked for again and again while next to nothing has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from replay.margin import evaluate_account

if TYPE_CHECKING:
    from replay.margin import AccountMargin, Market
    from replay.state.records import Account


class Evaluations:
    """Evaluates accounts, each once while its record and everything about the market stay as they are.

    A chain of auto-deleveragings asks for the figures of the same accounts at every link, and
    changes two of them.
    """

    def __init__(self) -> None:
        self._circumstances: tuple[Any, ...] = ()
        self._known: dict[str, tuple[Account, AccountMargin]] = {}

    def enter(self, market: Market) -> None:
        """Begin to evaluate in a market; what was known is forgotten where that is another one."""
        circumstances = _circumstances(market)
        if circumstances != self._circumstances:
            self._circumstances = circumstances
            self._known.clear()

    def evaluate(self, account: Account, market: Market) -> AccountMargin:
        """Return an account's figures in the market that was entered last."""
        known = self._known.get(account.account)
        # Records are replaced when they change, and never changed in place.
        if known is None or known[0] is not account:
            known = (account, evaluate_account(account, market, with_prices=False))
            self._known[account.account] = known
        return known[1]


def _circumstances(market: Market) -> tuple[Any, ...]:
    """Return a copy of all that figures hang on.

    The moment itself is among it only where marks can become too old, open interest only where a
    schedule is scaled by it: every link of a chain changes both.
    """
    kept: list[Any] = []
    for each in fields(market):
        value = getattr(market, each.name)
        if each.name not in {"sequence", "at", "open_interest"}:
            kept.append(dict(value) if isinstance(value, Mapping) else value)
    in_force = (
        {name: market.margin_schedule(name) for name in market.margin_schedules},
        {name: market.margin_schedule(name, portfolio=True) for name in market.margin_schedules},
        {asset: market.collateral_schedule(asset) for asset in market.collateral_schedules},
    )
    scaled = {
        name: market.open_interest.get(name)
        for name, schedule in in_force[0].items()
        if schedule is not None and schedule.model == "open_interest_scaled"
    }
    return (*kept, *in_force, scaled, None if market.policy.mark_max_age_seconds is None else market.at)
