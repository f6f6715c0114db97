"""What the commands of ``replay margin`` share: the assumptions of an estimate, and the words for it."""

from __future__ import annotations

import difflib
import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from ledger.errors import InvalidInputError, NotFoundError
from ledger.importers.binance_prices import parse_interval
from replay.cli.numbers import Number
from replay.risk.assumptions import DEFAULTS, Assumptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.margin.contracts import Contract
    from replay.state.venue_state import VenueState

NAMES_SUGGESTED = 3
_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


class Duration(click.ParamType[timedelta]):
    """A duration such as ``30m``, ``1h`` or ``365d``."""

    name = "duration"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read the duration or fail as a usage error."""
        if isinstance(value, timedelta):
            return value
        try:
            return parse_interval(value)
        except InvalidInputError as error:
            self.fail(f"{error.message}; {error.next_step}", param, ctx)


def assumption_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what an estimate assumes; the command gets it as one :class:`Assumptions`."""

    @functools.wraps(function)
    def with_assumptions(*arguments: Any, **given: Any) -> Any:
        values = {name: given.pop(name) for name in _ASSUMPTIONS}
        chosen = {name: value for name, value in values.items() if value is not None}
        return function(*arguments, assumptions=Assumptions(**chosen), **given)

    for option in reversed(_OPTIONS):
        option(with_assumptions)
    return with_assumptions


def span(duration: timedelta) -> str:
    """Return a duration in the largest unit that it is a whole number of."""
    for unit, word in _UNITS:
        if duration and not duration % unit:
            return f"{duration // unit} {word}"
    return f"{duration // timedelta(seconds=1)} s"


def unknown_instrument(instrument: str, known: Iterable[str]) -> NotFoundError:
    """Return the error for an instrument that has no recorded mark prices, with the names most like it."""
    names = sorted(known)
    near = difflib.get_close_matches(instrument, names, n=NAMES_SUGGESTED, cutoff=0.5)
    suggestion = (
        f"did you mean {' or '.join(near)}?" if near else "ledger log --type MarkPriceUpdated lists prices"
    )
    return NotFoundError(
        f"no folded event gives a mark price of {instrument}; {len(names)} instruments have one",
        next_step=suggestion,
    )


def contract_of(state: VenueState, instrument: str) -> Contract:
    """Return how an instrument is valued; one that is not listed counts as linear."""
    listed = state.instruments.get(instrument)
    return "linear" if listed is None else listed.priced_as


_ASSUMPTIONS = ("confidence", "horizon", "interval", "decay_per_day", "lookback", "minimum_rate")
_OPTIONS = (
    click.option(
        "--confidence",
        type=Number(),
        metavar="SHARE",
        help=f"Share of losses to be covered (default: {DEFAULTS.confidence}).",
    ),
    click.option(
        "--horizon",
        type=Duration(),
        metavar="DURATION",
        help="How long a loss may run before a position is closed, such as 1h or 1d (default: 1h).",
    ),
    click.option(
        "--interval",
        type=Duration(),
        metavar="DURATION",
        help="Distance of the sampled prices (default: 1h); the horizon is a multiple of it.",
    ),
    click.option(
        "--decay",
        "decay_per_day",
        type=Number(),
        metavar="SHARE",
        help=f"Decay of the weighted variance per day (default: {DEFAULTS.decay_per_day}).",
    ),
    click.option(
        "--lookback",
        type=Duration(),
        metavar="DURATION",
        help="How far back the returns reach (default: 365d).",
    ),
    click.option(
        "--floor",
        "minimum_rate",
        type=Number(),
        metavar="RATE",
        help=f"No recommended rate is below it (default: {DEFAULTS.minimum_rate}).",
    ),
)
