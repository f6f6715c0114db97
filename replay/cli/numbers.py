"""Numbers as options take them: plain decimals, read exactly."""

from __future__ import annotations

from decimal import Decimal

import click

from ledger.amounts import parse_amount
from ledger.errors import AmountError


class Number(click.ParamType[Decimal]):
    """A plain decimal."""

    name = "number"

    def convert(
        self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Read the number or fail as a usage error."""
        if isinstance(value, Decimal):
            return value
        try:
            return parse_amount(value)
        except AmountError as error:
            self.fail(error.message, param, ctx)


class Seconds(Number):
    """A duration in seconds, not below zero."""

    name = "seconds"

    def convert(
        self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Read the duration or fail as a usage error."""
        number = super().convert(value, param, ctx)
        if number < 0:
            self.fail(f"{value} is below zero", param, ctx)
        return number


class Numbers(click.ParamType[tuple[Decimal, ...]]):
    """Plain decimals with commas between them."""

    name = "numbers"

    def convert(
        self, value: str | tuple[Decimal, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Decimal, ...]:
        """Read the numbers or fail as a usage error."""
        if isinstance(value, tuple):
            return value
        one = Number()
        return tuple(one.convert(each.strip(), param, ctx) for each in value.split(","))


maximum_age_option = click.option(
    "--max-age",
    "maximum_age_seconds",
    type=Seconds(),
    default="86400",  # DEFAULT_MAXIMUM_AGE_SECONDS, whose package takes long to import; a test compares them
    metavar="SECONDS",
    help="How old an attestation of reserves may be to count (default: 86400, a day).",
)
