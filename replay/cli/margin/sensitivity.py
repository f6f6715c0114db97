"""``replay margin sensitivity``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import click

from ledger.amounts import exact
from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from ledger.errors import InvalidInputError
from replay.cli.account import unknown_account
from replay.cli.cuts import Replay, cut_options
from replay.cli.margin.options import Duration, assumption_options, span
from replay.cli.numbers import Number
from replay.cli.text import figure, moment, percent, price, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from replay.risk.assumptions import Assumptions
    from replay.risk.prices import MarkPrices
    from replay.risk.scenarios import ScenarioGrid
    from replay.risk.sensitivity import Distance, Sensitivity, SensitivityRow
    from replay.risk.statistics.volatility import Volatility


@ledger_command("sensitivity")
@click.argument("account")
@click.option(
    "--move",
    "moves",
    type=Number(),
    multiple=True,
    metavar="PERCENT",
    help="A price move to evaluate, in percent; may be repeated (default: thirteen from -50 to 50).",
)
@click.option(
    "--leverage",
    "leverages",
    type=Number(),
    multiple=True,
    metavar="L",
    help="A leverage to evaluate (notional ÷ equity); may be repeated (default: 1 to 100).",
)
@click.option(
    "--within",
    type=Duration(),
    default="1d",
    show_default=True,
    metavar="DURATION",
    help="The time for which probabilities of liquidation are given.",
)
@assumption_options
@cut_options
def sensitivity(
    session: Session,
    *,
    account: str,
    moves: tuple[Decimal, ...],
    leverages: tuple[Decimal, ...],
    within: timedelta,
    assumptions: Assumptions,
    replay: Replay,
) -> None:
    """Show how ACCOUNT's margin answers to price and leverage, and how near its liquidation is.

    All marks of what it holds move together, of options the index alone. Leverage changes by paying in or
    out. Probabilities are those of a driftless random walk of the logarithmic price with the weighted
    volatility.
    """
    from replay.risk.libraries import require_libraries

    require_libraries()
    from replay.margin import Market
    from replay.risk.prices import MarkPrices
    from replay.risk.scenarios import scenario_grid
    from replay.risk.sensitivity import LEVERAGES, MOVES, SensitivityStudy

    fractions = _fractions(moves) or MOVES
    if any(leverage <= 0 for leverage in leverages):
        raise InvalidInputError("must be above zero", place=("--leverage",))
    prices = MarkPrices()
    with session.ledger() as ledger:
        result = replay.fold(session, ledger, after=[prices.observe])
    state = result.state
    if account not in state.accounts:
        raise unknown_account(account, state.accounts)
    record, market = state.accounts[account], Market.of(state)
    held = sorted({name for name, _ in record.positions})
    volatilities = _volatilities(prices, held, assumptions)
    study = SensitivityStudy(record, market, volatilities, assumptions.interval, within)
    answer = study.study(fractions, leverages or LEVERAGES)
    grid = scenario_grid(record, market)
    document = {
        "schema": "replay.margin_sensitivity/1",
        "account": account,
        "sequence": state.sequence,
        "time": format_time(state.occurred_at),
        "valuation_currency": state.valuation_currency,
        "assumptions": assumptions.json_value(),
        "volatility": {name: each.json_value() for name, each in volatilities.items()},
        **answer.json_value(),
        "scenarios": grid.json_value(),
        "replay": replay.document(result),
    }
    heading = (
        f"{account}   after sequence {state.sequence}, {moment(state.occurred_at)}   ({replay.words(result)})"
    )
    session.emit(document, _words(heading, answer, grid))


@exact()
def _fractions(moves: Sequence[Decimal]) -> tuple[Decimal, ...]:
    fractions = tuple(move * Decimal("0.01") for move in moves)
    if any(fraction <= -1 for fraction in fractions):
        raise InvalidInputError("a price cannot fall by all of it", place=("--move",))
    return fractions


def _volatilities(prices: MarkPrices, held: Sequence[str], assumptions: Assumptions) -> dict[str, Volatility]:
    from replay.risk.errors import InsufficientPricesError
    from replay.risk.recommendation import PriceHistory

    known = {}
    for name in held:
        try:
            known[name] = PriceHistory(prices.series(name), assumptions).volatility()
        except InsufficientPricesError:
            continue  # its probabilities are null
    return known


def _words(heading: str, answer: Sensitivity, grid: ScenarioGrid) -> str:
    if not answer.now:
        return f"{heading}\n\nno open position: nothing moves with a price"
    within = span(answer.horizon)
    now = (
        f"{row.unit}: {row.state}, margin ratio {percent(row.margin_ratio)}\n{_near(row, within)}"
        for row in answer.now
    )
    parts = [heading, *now]
    parts += [
        "when every mark moves\n" + _table("move", answer.by_price, within),
        "when leverage changes\n" + _table("leverage", answer.by_leverage, within),
        _scenarios(grid),
        *_missing(answer),
        "Estimates. Others' prices and conversion prices are as recorded unless they move with a mark; "
        "--json has every figure.",
    ]
    return "\n\n".join(parts)


def _missing(answer: Sensitivity) -> Iterator[str]:
    names = {each.instrument for row in answer.now for each in row.distances if each.probability is None}
    if names:
        yield (
            f"no probability for {', '.join(sorted(names))}: its margin is undetermined, "
            "or no two prices an --interval apart are recorded"
        )


def _near(row: SensitivityRow, within: str) -> str:
    header = ("position", "mark", "margin call", "", "liquidation", "", f"liquidated in {within}")
    rows = [
        (
            each.instrument if each.position_side == "both" else f"{each.instrument} {each.position_side}",
            price(each.mark_price),
            price(each.margin_call_price),
            percent(each.margin_call_distance),
            _sides(each),
            percent(each.liquidation_distance),
            percent(each.probability),
        )
        for each in row.distances
    ]
    return table(header, rows, indent="  ")


def _sides(each: Distance) -> str:
    below, above = each.liquidation_price_below, each.liquidation_price_above
    sides = [f"≤ {price(below)}"] if below is not None else []
    sides += [f"≥ {price(above)}"] if above is not None else []
    return ", ".join(sides) or price(None)


def _table(change: str, rows: Sequence[SensitivityRow], within: str) -> str:
    header = (
        change, "unit", "state", "equity", "leverage", "margin ratio", "to call", "to liquidation",
        f"liquidated in {within}",
    )  # fmt: skip
    lines = [
        (
            percent(row.change) if change == "move" else figure(row.change, "×"),
            row.unit,
            row.state.replace("_", " "),
            figure(row.equity),
            figure(row.leverage),
            percent(row.margin_ratio),
            _nearest(row, "margin_call_distance"),
            _nearest(row, "liquidation_distance"),
            percent(
                max(
                    (each.probability for each in row.distances if each.probability is not None), default=None
                )
            ),
        )
        for row in rows
    ]
    return table(header, lines, left=3, indent="  ")


def _nearest(row: SensitivityRow, name: str) -> str:
    distances = [getattr(each, name) for each in row.distances]
    known = [distance for distance in distances if distance is not None]
    return percent(min(known, key=abs) if known else None)


def _scenarios(grid: ScenarioGrid) -> str:
    rows = [
        (
            percent(each.move),
            " ".join(each.volatilities),
            figure(each.total_equity),
            figure(each.profit),
            each.state.replace("_", " "),
        )
        for each in grid.scenarios
    ]
    main, extended = grid.worst_loss("main"), grid.worst_loss("extended")
    remark = "volatility has no effect on linear and inverse contracts"
    worst = f"worst loss {figure(main)}, in the extended table {figure(extended)}"
    if grid.options:
        worst = (
            f"NO worst loss: {', '.join(grid.options)} is not valued anew; its mark stands still while its "
            "index moves, and profits and equity below are without it"
        )
    return f"scenarios: {worst}; {remark}\n" + table(
        ("move", "volatility", "total equity", "profit", "state"), rows, left=2, indent="  "
    )
