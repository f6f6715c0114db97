"""A grid of scenarios in the manner of portfolio margin: price steps by volatility, and an extended table.

The steps are Deribit's (help page "Portfolio Margin", segregated portfolio margin: ±16 % in nine steps by
volatility up, same and down; an extended table from −66 % to +500 % at volatility up). Its dampener and the
share at which the extended table counts are not applied: each row is the whole profit or loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from ledger.amounts import exact, format_exact
from replay.margin import evaluate_account
from replay.risk.markets import held_instruments, held_options, moved

if TYPE_CHECKING:
    from ledger.canonical import JsonObject
    from replay.margin import MarginState, Market
    from replay.state.records import Account

PRICE_MOVES = tuple(Decimal(percent).scaleb(-2) for percent in range(-16, 17, 4))
VOLATILITIES = ("up", "same", "down")
EXTENDED_MOVES = tuple(Decimal(percent).scaleb(-2) for percent in (-66, -33, 50, 100, 200, 300, 400, 500))
EXTENDED_VOLATILITIES = ("up",)

Table = Literal["main", "extended"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One price move, at every volatility of its table.

    Attributes:
        volatilities: for which the figures are the same, because no position here depends on volatility.
        total_equity: of the account in the scenario; None is unknown.
        profit: total equity there − total equity now.
        state: of the cross part.
    """

    table: Table
    move: Decimal
    volatilities: tuple[str, ...]
    total_equity: Decimal | None
    profit: Decimal | None
    state: MarginState

    def json_value(self) -> JsonObject:
        """Return the scenario as JSON."""
        return {
            "table": self.table,
            "move": format_exact(self.move),
            "volatilities": list(self.volatilities),
            "total_equity": None if self.total_equity is None else format_exact(self.total_equity),
            "profit": None if self.profit is None else format_exact(self.profit),
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class ScenarioGrid:
    """Every scenario of an account.

    Attributes:
        volatility_matters: whether volatility changes a figure; it does not for linear and inverse contracts,
            whose value depends on the price alone.
        options: those that are held; their value would depend on it, and their marks stand still here.
    """

    scenarios: tuple[Scenario, ...]
    volatility_matters: bool
    options: tuple[str, ...]

    def worst_loss(self, table: Table) -> Decimal | None:
        """Return the greatest loss of a table, not below zero; None where a scenario has no figures."""
        profits = [scenario.profit for scenario in self.scenarios if scenario.table == table]
        known = [profit for profit in profits if profit is not None]
        return None if len(known) < len(profits) else max(-min(known), Decimal(0))

    def json_value(self) -> JsonObject:
        """Return the grid as JSON."""
        worst = {table: self.worst_loss(table) for table in ("main", "extended")}
        return {
            "worst_loss": {
                table: None if loss is None else format_exact(loss) for table, loss in worst.items()
            },
            "volatility_matters": self.volatility_matters,
            "options_standing_still": list(self.options),
            "scenarios": [scenario.json_value() for scenario in self.scenarios],
        }


@exact()
def scenario_grid(account: Account, market: Market) -> ScenarioGrid:
    """Evaluate an account in every scenario, all its instruments moving by the same share."""
    held = held_instruments(account, market)
    now = evaluate_account(account, market, with_prices=False).total_equity
    scenarios = []
    tables: tuple[tuple[Table, tuple[Decimal, ...], tuple[str, ...]], ...] = (
        ("main", PRICE_MOVES, VOLATILITIES),
        ("extended", EXTENDED_MOVES, EXTENDED_VOLATILITIES),
    )
    for table, moves, volatilities in tables:
        for move in moves:
            margin = evaluate_account(account, moved(market, held, move), with_prices=False)
            there = margin.total_equity
            profit = None if now is None or there is None else there - now
            scenarios.append(Scenario(table, move, volatilities, there, profit, margin.state))
    return ScenarioGrid(tuple(scenarios), volatility_matters=False, options=held_options(account, market))
