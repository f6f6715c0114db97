"""``replay solvency stress``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger.amounts import exact, format_exact
from ledger.cli.common import Session, ledger_command
from ledger.errors import ExitCode
from replay.cli.cuts import Replay, cut_options
from replay.cli.numbers import Numbers, maximum_age_option
from replay.cli.text import UNKNOWN, amounts, moment, percent, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from replay.solvency import StressReport, StressScenario

NOTES_SHOWN = 20
VERDICTS = {True: "solvent", False: "FAILS", None: "unknown"}


@ledger_command("stress")
@click.option(
    "--moves",
    type=Numbers(),
    metavar="P,…",
    help="Shares by which all prices move together, such as -0.3,0,0.3 (default: eleven from -0.5 to 0.5).",
)
@click.option(
    "--haircuts",
    type=Numbers(),
    metavar="H,…",
    help="Shares of what is attested that do not count, such as 0,0.25 (default: 0,0.1,0.2,0.5).",
)
@maximum_age_option
@cut_options
def stress(
    session: Session,
    *,
    moves: tuple[Decimal, ...] | None,
    haircuts: tuple[Decimal, ...] | None,
    maximum_age_seconds: Decimal,
    replay: Replay,
) -> int:
    """Ask whether the venue could pay if prices moved, and if its reserves were worth less.

    All marks and recorded conversion prices move by the same share, and every claim is computed anew; nobody
    is liquidated on the way and no insurance fund pays. A haircut applies to every attested reserve. Exits 1
    only where the venue is not solvent as it stands (no move, no haircut) and that was asked.
    """
    from replay.solvency import (
        HAIRCUTS,
        PRICE_MOVES,
        solvency_under_stress,
        stress_haircuts,
        stress_moves,
    )

    price_moves = PRICE_MOVES if moves is None else stress_moves(moves)
    cuts = HAIRCUTS if haircuts is None else stress_haircuts(haircuts)
    with session.ledger() as ledger:
        result = replay.fold(session, ledger)
    report = solvency_under_stress(
        result.state, price_moves=price_moves, haircuts=cuts, maximum_age_seconds=maximum_age_seconds
    )
    heading = (
        f"{result.state.origin}   after sequence {report.sequence}, {moment(report.at)}   "
        f"({replay.words(result)})"
    )
    session.emit({**report.document(), "replay": replay.document(result)}, words(report, heading))
    as_it_stands = report.unstressed
    failed = as_it_stands is not None and as_it_stands.solvent is False
    return ExitCode.NEGATIVE_VERDICT if failed else ExitCode.OK


def words(report: StressReport, heading: str) -> str:
    """Return the report for a person."""
    parts = [
        heading,
        f"solvent, and reserves ÷ liabilities in {report.valuation_currency}, when prices move (down the "
        "rows) and\nreserves lose a share of what is attested (across)\n\n" + _grid(report),
        "the least moves at which it is not solvent any more, and the asset that fails first\n\n"
        + _breaking(report),
        "what accounts owe, and the insurance fund, which covers nothing here\n\n" + _shortfall(report),
    ]
    failing = _failing(report)
    parts += [f"not covered\n\n{failing}"] if failing else []
    unknown = [*_unknown(report)]
    parts += ["not known\n\n" + "\n".join(f"  {line}" for line in unknown)] if unknown else []
    parts.append(_what_moves(report))
    return "\n\n".join(parts)


def _grid(report: StressReport) -> str:
    cells = {(each.move, each.haircut): _cell(each) for each in report.scenarios}
    header = ("", *(f"{_share(haircut)} haircut" for haircut in report.haircuts))
    rows = [(_signed(move), *(cells[move, haircut] for haircut in report.haircuts)) for move in report.moves]
    return table(header, rows, left=0, indent="  ")


def _cell(scenario: StressScenario) -> str:
    return f"{VERDICTS[scenario.solvent]} {percent(scenario.asset_to_liability_ratio)}"


def _breaking(report: StressReport) -> str:
    rows = []
    for each in report.breaking_moves():
        sides = [
            (UNKNOWN, "") if side is None else (_signed(side.move), side.fails_first or "")
            for side in (each.down, each.up)
        ]
        rows.append((_share(each.haircut), *sides[0], *sides[1]))
    return table(("haircut", "down", "", "up", ""), rows, left=0, indent="  ")


def _shortfall(report: StressReport) -> str:
    rows = [
        (
            _signed(each.move),
            f"{each.accounts_owing:,}",
            amounts(each.negative_equity),
            amounts(each.insurance_fund),
        )
        for each in report.claims
    ]
    return table(("", "accounts", "negative equity", "insurance fund"), rows, left=0, indent="  ")


def _failing(report: StressReport) -> str:
    rows = []
    for haircut in report.haircuts:
        scenarios = [each for each in report.scenarios if each.haircut == haircut]
        for asset in sorted({asset for each in scenarios for asset in each.failing}):
            moves = [each.move for each in scenarios if asset in each.failing]
            rows.append((_share(haircut), asset, _list(moves, report)))
    return table(("haircut", "asset", "moves"), rows, left=3, indent="  ") if rows else ""


def _unknown(report: StressReport) -> Iterator[str]:
    for asset in sorted({asset for each in report.claims for asset in each.undetermined}):
        moves = [each.move for each in report.claims if asset in each.undetermined]
        yield f"not all that is owed in {asset} is known; moves: {_list(moves, report)}"
    yield from (note.message for note in report.notes[:NOTES_SHOWN])
    more = len(report.notes) - NOTES_SHOWN
    if more > 0:
        yield f"… and {more:,} more: --json"


def _what_moves(report: StressReport) -> str:
    moving = report.moved_assets
    prices = (
        f" and the recorded price{'s' if len(moving) > 1 else ''} of {', '.join(moving)}" if moving else ""
    )
    still = (*report.still_assets, *report.still_options)
    stands = f" {', '.join(still)} stand{'' if len(still) > 1 else 's'} still." if still else ""
    return (
        f"Every mark{prices} move{'' if moving else 's'} by the same share.{stands}\n"
        "Each asset has to be covered in kind: the ratio over all of them decides nothing.\n"
        "Scenarios, not forecasts; --json has every figure."
    )


def _list(moves: Sequence[Decimal], report: StressReport) -> str:
    return ", ".join(map(_signed, moves)) if len(moves) < len(report.moves) else "all"


@exact()
def _share(value: Decimal) -> str:
    return f"{format_exact(value * 100)} %"


def _signed(move: Decimal) -> str:
    return f"{'+' if move > 0 else ''}{_share(move)}"
