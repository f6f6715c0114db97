"""A market that stays as it is while the fold goes on, for what can be judged only later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replay.margin import Market
    from replay.state.records import Account

Value = TypeVar("Value")


def kept_market(market: Market, account: Account, *others: str) -> Market:
    """Return a copy of a market with what the evaluation of an account takes from it.

    Args:
        market: which shares the dicts of a state that goes on.
        account: whose positions and open orders are evaluated.
        others: further instruments that it may come to hold.
    """
    names = {*others, *(key[0] for key in (*account.positions, *account.open_orders))}
    instruments = _of(market.instruments, names)
    return replace(
        market,
        instruments=instruments,
        mark_prices=_of(market.mark_prices, names),
        index_prices=_of(market.index_prices, {each.index for each in instruments.values()}),
        open_interest=_of(market.open_interest, names),
        margin_schedules=_of(market.margin_schedules, names),
        # The assets of a venue are few, and a payment may bring any of them in.
        asset_prices=dict(market.asset_prices),
        collateral_schedules=dict(market.collateral_schedules),
    )


def _of(values: Mapping[str, Value], names: set[str] | set[str | None]) -> dict[str, Value]:
    return {name: values[name] for name in names if name is not None and name in values}
