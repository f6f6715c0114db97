"""``replay margin breaches``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.amounts import format_exact
from ledger.cli.common import TIME, Session, ledger_command
from ledger.clock import format_time
from ledger.errors import InvalidInputError
from replay.cli.account import unknown_account
from replay.cli.cuts import Replay, cut_options
from replay.cli.margin.options import assumption_options, contract_of
from replay.cli.text import UNKNOWN, fixed, percent, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from replay.fold import FoldResult
    from replay.risk.assumptions import Assumptions
    from replay.risk.breach_report import Breach, BreachReport, BreachRow
    from replay.risk.breaches import Rule
    from replay.risk.prices import MarkPrices
    from replay.risk.recommendation import Recommendation
    from replay.state.venue_state import VenueState


ACCOUNTS_NAMED = 5


@ledger_command("breaches")
@click.option("--from", "start", type=TIME, required=True, metavar="TIME", help="What is after it counts.")
@click.option("--to", "end", type=TIME, required=True, metavar="TIME", help="What is after it does not.")
@click.option(
    "--account", "accounts", multiple=True, metavar="A", help="Follow this account; may be repeated."
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw prices and breaches into this file.",
)
@click.option("--force", is_flag=True, help="Replace the file of --svg.")
@assumption_options
@cut_options
def breaches(
    session: Session,
    *,
    start: datetime,
    end: datetime,
    accounts: tuple[str, ...],
    svg: Path | None,
    force: bool,
    assumptions: Assumptions,
    replay: Replay,
) -> None:
    """Show who breaches when between two times, under the recorded and under a dynamic schedule.

    A breach that a price bar shows is an interval. The recorded schedule is the one in force at each time;
    where none is yet, the earliest recorded one is substituted, and the row says so. The dynamic one is a
    flat rate recommended from prices up to --from. Positions change only as the ledger records it.
    """
    from replay.risk.libraries import require_libraries

    require_libraries()
    if end <= start:
        raise InvalidInputError("must be after --from", place=("--to",))
    from replay.risk.breaches import BreachWatch
    from replay.risk.picture import picture
    from replay.risk.prices import MarkPrices

    prices = MarkPrices()
    with session.ledger() as ledger:
        result = replay.fold(session, ledger, after=[prices.observe])
        for account in accounts:
            if account not in result.state.accounts:
                raise unknown_account(account, result.state.accounts)
        recommended, missing = _recommended(prices, start, assumptions, result.state)
        watch = BreachWatch(_rules(result, recommended), start, end, accounts)
        replay.fold(session, ledger, before=[watch.before], after=[watch.after])
    report = watch.report()
    if svg is not None:
        from ledger.outside.writing import write_file

        write_file(svg, picture(report).encode(), force=force)
    document = {
        "schema": "replay.margin_breaches/1",
        "sequence": result.state.sequence,
        "time": format_time(result.state.occurred_at),
        **report.json_value(),
        "dynamic": {name: each.json_value() for name, each in recommended.items()},
        "dynamic_missing": missing,
        "replay": replay.document(result),
    }
    session.emit(document, _words(report, recommended, missing, replay.words(result), svg))


def _rules(result: FoldResult, recommended: Mapping[str, Recommendation]) -> list[Rule]:
    from replay.risk.breaches import Rule
    from replay.risk.recommendation import flat_schedule

    dynamic = {name: (flat_schedule(each),) for name, each in recommended.items()}
    return [Rule("recorded", result.state.margin_schedules), Rule("dynamic", dynamic)]


def _recommended(
    prices: MarkPrices, start: datetime, assumptions: Assumptions, state: VenueState
) -> tuple[dict[str, Recommendation], dict[str, str]]:
    """Return the rates recommended from what was known at the start, and why others are missing."""
    from replay.risk.errors import InsufficientPricesError
    from replay.risk.recommendation import PriceHistory

    recommended, missing = {}, {}
    for name in sorted(prices.instruments()):
        try:
            known, contract = prices.series(name).until(start), contract_of(state, name)
            recommended[name] = PriceHistory(known, assumptions, contract).recommend()
        except InsufficientPricesError as error:
            missing[name] = error.message
    return recommended, missing


def _words(
    report: BreachReport,
    recommended: Mapping[str, Recommendation],
    missing: Mapping[str, str],
    folded: str,
    svg: Path | None,
) -> str:
    held = {each.instrument for row in report.rows for each in row.positions}
    breached = [row for row in report.rows if row.breaches]
    lines = [
        f"{format_time(report.start)} to {format_time(report.end)}   ({folded})",
        f"{len({row.account for row in report.rows}):,} accounts followed, "
        f"{len({row.account for row in breached}):,} breach",
        *(
            f"  dynamic rate of {name}: {percent(each.rate)}, from prices up to "
            f"{each.samples.time(each.samples.places[-1]):%Y-%m-%d %H:%M}"
            for name, each in recommended.items()
            if name in held
        ),
        *(f"  no dynamic rate: {why}" for name, why in missing.items() if name in held),
    ]
    parts = ["\n".join(lines)]
    if breached:
        header = (
            "account",
            "position",
            "leverage",
            "rule",
            "rate",
            "margin call",
            "liquidatable",
            "bankrupt",
        )
        parts.append(table(header, [_row(row) for row in breached], left=2, indent="  "))
    parts += list(_notes(report))
    if svg is not None:
        parts.append(f"drawn into {svg}")
    return "\n\n".join(parts)


def _row(row: BreachRow) -> tuple[str, ...]:
    positions = ", ".join(
        f"{each.side} {format_exact(abs(each.quantity))} {each.instrument}" for each in row.positions
    )
    isolated = " isolated" if row.unit != "cross" else ""
    rates = "/".join(percent(part.rate) for part in row.schedules)
    return (
        row.account,
        positions + isolated,
        f"{fixed(row.leverage, 1)}×" if row.leverage is not None else UNKNOWN,
        f"{row.rule}*" if row.substituted else row.rule,
        rates,
        *(_breaches(row.of(level)) for level in ("margin_call", "liquidatable", "bankrupt")),
    )  # fmt: skip


def _breaches(of_level: Sequence[Breach]) -> str:
    """Return the first breach of a level, when and how it ended, and how often it came again."""
    if not of_level:
        return UNKNOWN
    breach = of_level[0]
    if breach.after is None:
        words = "from the start"
    elif breach.after == breach.until:
        words = f"{breach.until:%m-%d %H:%M:%S}"
    else:
        words = f"{breach.after:%m-%d %H:%M}–{breach.until:%H:%M}"
    if breach.ended_at is not None:
        words += f" ({breach.ended_by} {breach.ended_at:%m-%d %H:%M})"
    return words if len(of_level) == 1 else f"{words} +{len(of_level) - 1}"


def _notes(report: BreachReport) -> Iterator[str]:
    lines = []
    if any(row.substituted for row in report.rows):
        lines.append("  * no schedule was in force yet: the earliest recorded one is substituted")
    undetermined: dict[str, dict[str, None]] = {}
    for row in report.rows:
        if row.notes:
            undetermined.setdefault(row.rule, {})[row.account] = None
    for rule, accounts in sorted(undetermined.items()):
        named = ", ".join(list(accounts)[:ACCOUNTS_NAMED])
        more = len(accounts) - ACCOUNTS_NAMED
        lines.append(
            f"  under the {rule} rule these could not be judged at all times, and may have breached: {named}"
            f"{f' and {more} more' if more > 0 else ''}; replay account NAME --at TIME says why"
        )
    if not report.rows:
        lines.append(
            "  nobody held a position in this window as it was recorded; facts that were recorded after "
            "later ones are seen with --order occurred"
        )
    if any(len(row.of(breach.level)) > 1 for row in report.rows for breach in row.breaches):
        lines.append("  +N: reached N times more after it had ended")
    lines.append("  positions change only as recorded; other prices stand as recorded while a bar's vary")
    yield "\n".join(["notes", *lines])
