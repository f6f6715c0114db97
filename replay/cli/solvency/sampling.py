"""``replay solvency sampling``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import click

from ledger.amounts import Rounding, divide, format_exact
from ledger.cli.common import Output, plain_command
from ledger.errors import ExitCode
from replay.cli.numbers import Number
from replay.cli.text import percent, table

if TYPE_CHECKING:
    from replay.solvency import Sampling

LADDER = tuple(map(Decimal, ("0.5", "0.9", "0.99", "0.999", "0.9999")))


@plain_command("sampling")
@click.option("--customers", type=int, required=True, metavar="N", help="How many customers the venue has.")
@click.option(
    "--cheated",
    type=int,
    required=True,
    metavar="K",
    help="How many of them a check of their own leaf would show to be cheated.",
)
@click.option(
    "--probability",
    type=Number(),
    metavar="P",
    help="With what probability the cheat has to be found (default: a table of 0.5 to 0.9999).",
)
def sampling(output: Output, *, customers: int, cheated: int, probability: Decimal | None) -> int:
    """Say how many random customers have to check their own leaf until a cheat is found.

    The number of cheated among those who check is hypergeometric. One check that fails is proof enough;
    that none fails says only this much, and a replay of the whole ledger says the rest.
    """
    from replay.solvency import SAMPLING_SCHEMA, Sampling

    asked = Sampling(customers, cheated)
    probabilities = LADDER if probability is None else (probability,)
    needed = {each: asked.checks_needed(each) for each in probabilities}
    output.emit(
        {
            "schema": SAMPLING_SCHEMA,
            "customers": customers,
            "cheated": cheated,
            "checks": [
                {"probability": format_exact(each), "checks": checks} for each, checks in needed.items()
            ],
        },
        words(asked, needed),
    )
    return ExitCode.OK


def words(asked: Sampling, needed: dict[Decimal, int]) -> str:
    """Return the answer for a person."""
    rows = [
        (_chance(each), f"{checks:,}", percent(_share(checks, asked.customers)))
        for each, checks in needed.items()
    ]
    heading = f"{asked.customers:,} customers, {asked.cheated:,} of them cheated; who checks is random"
    return f"{heading}\n\n" + table(("found with", "checks", "of all"), rows, indent="  ")


def _share(checks: int, customers: int) -> Decimal:
    return divide(Decimal(checks), Decimal(customers), scale=12, rounding=Rounding.HALF_EVEN)


def _chance(probability: Decimal) -> str:
    return f"{format_exact(probability * 100)} %"
