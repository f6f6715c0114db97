"""``replay margin test``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger.amounts import format_exact
from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from ledger.errors import InvalidInputError
from replay.cli.cuts import Replay, cut_options
from replay.cli.margin.options import assumption_options, contract_of, span, unknown_instrument
from replay.cli.numbers import Number
from replay.cli.text import figure, percent, price, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from replay.risk.assumptions import Assumptions
    from replay.risk.prices import Samples
    from replay.risk.recommendation import PriceHistory
    from replay.risk.requirement import RequiredAt, RequirementTest
    from replay.state.schedules import MarginSchedule

REQUIREMENTS = {"schedule_in_force": "schedule in force", "dynamic": "dynamic", "given": "given"}
VERDICTS = {"as_expected": "as expected", "too_many": "TOO MANY", "too_few": "too few"}
WORST_SHOWN = 5


@ledger_command("test")
@click.argument("instrument")
@click.option("--rate", "rates", type=Number(), multiple=True, metavar="RATE", help="Test this rate too.")
@click.option(
    "--notional",
    type=Number(),
    metavar="N",
    help="Test what the schedule requires of this notional (default: the rate of the first tier).",
)
@assumption_options
@cut_options
def test(
    session: Session,
    *,
    instrument: str,
    rates: tuple[Decimal, ...],
    notional: Decimal | None,
    assumptions: Assumptions,
    replay: Replay,
) -> None:
    """Test requirements on INSTRUMENT: how often losses would have exceeded them, and whether by chance.

    Tested are the schedule in force at each time (where none is, the earliest recorded one is substituted)
    and a dynamic rate recommended anew each day from earlier prices alone. Windows of the horizon lie
    side by side. What it says is a statistic and no verdict about the venue, so it exits 0.
    """
    from replay.risk.libraries import require_libraries

    require_libraries()
    if notional is not None and notional <= 0:
        raise InvalidInputError("must be above zero", place=("--notional",))
    from replay.risk.prices import MarkPrices
    from replay.risk.recommendation import PriceHistory

    prices = MarkPrices()
    with session.ledger() as ledger:
        result = replay.fold(session, ledger, after=[prices.observe])
    if instrument not in prices.instruments():
        raise unknown_instrument(instrument, prices.instruments())
    contract = contract_of(result.state, instrument)
    history = PriceHistory(prices.series(instrument), assumptions, contract)
    schedules = result.state.margin_schedules.get(instrument, ())
    tests = list(_tests(history, schedules, rates, notional))
    document = {
        "schema": "replay.margin_test/1",
        "sequence": result.state.sequence,
        "time": format_time(result.state.occurred_at),
        "instrument": instrument,
        "contract": contract,
        "notional": None if notional is None else format_exact(notional),
        "exception_probability": format_exact(assumptions.exception_probability),
        "assumptions": assumptions.json_value(),
        "evidence": history.samples.json_value(),
        "tests": [each.json_value() for each in tests],
        "replay": replay.document(result),
    }
    session.emit(document, _words(history.samples, assumptions, tests, replay.words(result)))


def _tests(
    history: PriceHistory,
    schedules: Sequence[MarginSchedule],
    rates: Sequence[Decimal],
    notional: Decimal | None,
) -> Iterator[RequirementTest]:
    from replay.risk.errors import InsufficientPricesError
    from replay.risk.requirement import (
        dynamic_requirement,
        examine_requirement,
        given_requirement,
        schedule_requirement,
    )

    def examined(name: str, required: RequiredAt) -> list[RequirementTest]:
        return examine_requirement(history.samples, history.assumptions, name, required, history.contract)

    if schedules:
        yield from examined("schedule_in_force", schedule_requirement(schedules, notional))
    for rate in rates:
        yield from examined("given", given_requirement(rate))
    try:
        yield from examined("dynamic", dynamic_requirement(history))
    except InsufficientPricesError:
        if not schedules and not rates:
            raise


def _words(samples: Samples, assumptions: Assumptions, tests: Sequence[RequirementTest], folded: str) -> str:
    header = (
        "requirement", "side", "rate", "windows", "exceptions", "expected", "share", "p (Kupiec)",
        "exceptions are",
    )  # fmt: skip
    rows = [
        (
            REQUIREMENTS[each.requirement],
            each.side,
            _rates(each),
            f"{each.windows:,}",
            f"{each.exceptions:,}",
            figure(each.coverage.expected),
            percent(each.exception_share),
            figure(each.coverage.p_value),
            VERDICTS[each.coverage.verdict],
        )
        for each in tests
    ]
    parts = [
        f"{samples.instrument}   losses of {span(assumptions.horizon)} against what was required at their "
        f"beginning   ({folded})\n"
        f"a requirement may be exceeded in {percent(assumptions.exception_probability)} of windows",
        table(header, rows, left=2, indent="  "),
        *_worst(tests),
        *_remarks(tests),
    ]
    return "\n\n".join(parts)


def _rates(test_of: RequirementTest) -> str:
    if test_of.lowest_rate == test_of.highest_rate:
        return percent(test_of.lowest_rate)
    return f"{percent(test_of.lowest_rate)} to {percent(test_of.highest_rate)}"


def _worst(tests: Sequence[RequirementTest]) -> Iterator[str]:
    worst = sorted(
        {each for tested in tests for each in tested.worst if tested.requirement == tests[0].requirement},
        key=lambda each: -each.loss_rate,
    )[:WORST_SHOWN]
    if worst:
        rows = [
            (
                f"{each.begins_at:%Y-%m-%d %H:%M}",
                f"{each.ends_at:%Y-%m-%d %H:%M}",
                price(each.first_price),
                price(each.last_price),
                percent(each.loss_rate),
                percent(each.rate),
            )
            for each in worst
        ]
        yield (
            f"greatest losses beyond the requirement: {REQUIREMENTS[tests[0].requirement]}\n"
            + table(("from", "to", "price", "price then", "loss", "required"), rows, left=2, indent="  ")
        )


def _remarks(tests: Sequence[RequirementTest]) -> Iterator[str]:
    substituted = {each.requirement: each.substituted for each in tests if each.substituted}
    untested = {each.requirement: each.untested for each in tests if each.untested}
    lines = [
        f"  {count:,} windows are before any schedule was in force: the earliest one is substituted"
        for count in substituted.values()
    ]
    lines += [
        f"  {count:,} windows are untested by {REQUIREMENTS[name]}: nothing was required yet"
        for name, count in untested.items()
    ]
    if lines:
        yield "\n".join(["notes", *lines])
