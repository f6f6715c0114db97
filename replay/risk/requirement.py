"""Margin requirement testing: how often losses would have exceeded a requirement."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from heapq import nlargest
from typing import TYPE_CHECKING, TypeAlias

from ledger.amounts import MAXIMUM_SCALE, Rounding, divide, exact, format_exact
from ledger.clock import format_time
from replay.risk.assumptions import DAY
from replay.risk.errors import InsufficientPricesError
from replay.risk.prices import EPOCH
from replay.risk.schedules import applied_schedule, required_rate
from replay.risk.statistics.coverage import Kupiec, kupiec
from replay.risk.statistics.returns import SIDES, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from ledger.canonical import JsonObject
    from replay.margin.contracts import Contract
    from replay.risk.assumptions import Assumptions
    from replay.risk.prices import Samples
    from replay.risk.recommendation import PriceHistory
    from replay.state.schedules import MarginSchedule

WORST_KEPT = 10


@dataclass(frozen=True, slots=True)
class Requirement:
    """A rate that is required at a time; ``substituted`` where its schedule was not in force yet."""

    rate: Decimal
    substituted: bool = False


@dataclass(frozen=True, slots=True)
class Exceedance:
    """A window whose loss was greater than what was required at its beginning.

    Attributes:
        loss_rate: loss ÷ price at the beginning (inverse: at the end), scale 18, half-even; for reading, it
            decides nothing.
    """

    begins_at: datetime
    ends_at: datetime
    first_sequence: int
    last_sequence: int
    first_price: Decimal
    last_price: Decimal
    loss_rate: Decimal
    rate: Decimal

    def json_value(self) -> JsonObject:
        """Return the window as JSON."""
        return {
            "begins_at": format_time(self.begins_at),
            "ends_at": format_time(self.ends_at),
            "first_sequence": self.first_sequence,
            "last_sequence": self.last_sequence,
            "first_price": format_exact(self.first_price),
            "last_price": format_exact(self.last_price),
            "loss_rate": format_exact(self.loss_rate),
            "rate": format_exact(self.rate),
        }


@dataclass(frozen=True, slots=True)
class RequirementTest:
    """What became of one requirement on one side.

    Attributes:
        requirement: ``schedule_in_force``, ``dynamic`` or ``given``.
        windows: how many were tested.
        untested: windows for which nothing was required yet.
        substituted: tested windows whose schedule was not in force yet.
        lowest_rate: of the windows tested.
        highest_rate: likewise.
        coverage: Kupiec's test.
        worst: the exceptions with the greatest losses, ten at most.
    """

    requirement: str
    side: Side
    windows: int
    untested: int
    substituted: int
    lowest_rate: Decimal
    highest_rate: Decimal
    coverage: Kupiec
    worst: tuple[Exceedance, ...]

    @property
    def exceptions(self) -> int:
        """In how many windows the loss exceeded what was required."""
        return self.coverage.exceptions

    @property
    def exception_share(self) -> Decimal:
        """Exceptions ÷ windows, scale 18, half-even."""
        return divide(
            Decimal(self.exceptions), Decimal(self.windows), scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN
        )

    def json_value(self) -> JsonObject:
        """Return the test as JSON."""
        return {
            "requirement": self.requirement,
            "side": self.side,
            "windows": self.windows,
            "untested": self.untested,
            "substituted": self.substituted,
            "lowest_rate": format_exact(self.lowest_rate),
            "highest_rate": format_exact(self.highest_rate),
            "exceptions": self.exceptions,
            "exception_share": format_exact(self.exception_share),
            "kupiec": self.coverage.json_value(),
            "worst": [each.json_value() for each in self.worst],
        }


RequiredAt: TypeAlias = "Callable[[datetime], Requirement | None]"
"""What is required at a time; None where nothing is."""


@exact()
def examine_requirement(
    samples: Samples,
    assumptions: Assumptions,
    requirement: str,
    required_at: RequiredAt,
    contract: Contract = "linear",
) -> list[RequirementTest]:
    """Compare the loss of every window of the horizon with what was required at its beginning, by side.

    Windows lie side by side, as Kupiec's test needs. Losses are compared as products of exact prices: a
    long loses price − later price, which is more than required where it exceeds rate × price. An inverse
    contract of n in its quote loses n ÷ later price − n ÷ price in the asset that it settles in, of which
    rate × n ÷ price is required: where price − later price exceeds rate × later price.

    Args:
        samples: the prices.
        assumptions: the horizon, and the share of exceptions that the confidence allows.
        requirement: its name.
        required_at: what is required.
        contract: how the instrument is valued.

    Raises:
        InsufficientPricesError: there is no window that something was required for.
    """
    tallies = {side: _Tally() for side in SIDES}
    untested = 0
    for first, last in samples.windows(assumptions.steps):
        begins_at = samples.time(samples.places[first])
        required = required_at(begins_at)
        if required is None:
            untested += 1
            continue
        change = samples.prices[last] - samples.prices[first]
        for side, tally in tallies.items():
            base = samples.prices[last if contract == "inverse" else first]
            tally.take(samples, first, last, -change if side == "long" else change, base, required)
    if not tallies["long"].rates:
        raise InsufficientPricesError(samples.instrument, 0, 1)
    return [
        tally.result(requirement, side, untested, assumptions.exception_probability)
        for side, tally in tallies.items()
    ]


def schedule_requirement(versions: Sequence[MarginSchedule], notional: Decimal | None) -> RequiredAt:
    """Return what the schedule in force requires of a notional (the first tier's rate where None is given).

    Where none is in force yet the earliest recorded one is substituted.
    """

    def required_at(at: datetime) -> Requirement | None:
        applied = applied_schedule(versions, at)
        if applied is None or not applied.schedule.tiers:
            return None
        return Requirement(required_rate(applied.schedule, notional), applied.substituted)

    return required_at


def given_requirement(rate: Decimal) -> RequiredAt:
    """Return what one rate requires at all times."""
    required = Requirement(rate)
    return lambda _: required


def dynamic_requirement(history: PriceHistory, every: timedelta = DAY) -> RequiredAt:
    """Return what a rate requires that is recommended anew from time to time, from earlier prices alone."""
    latest: dict[int, Requirement | None] = {}

    def required_at(at: datetime) -> Requirement | None:
        number = (at - EPOCH) // every
        if number not in latest:
            try:
                rate = history.recommend(EPOCH + number * every).rate
                latest[number] = Requirement(rate)
            except InsufficientPricesError:
                latest[number] = None
        return latest[number]

    return required_at


@dataclass(slots=True)
class _Tally:
    """One side's windows so far."""

    rates: set[Decimal] = field(default_factory=set)
    windows: int = 0
    substituted: int = 0
    exceptions: list[Exceedance] = field(default_factory=list)

    def take(
        self,
        samples: Samples,
        first: int,
        last: int,
        loss: Decimal,
        base: Decimal,
        required: Requirement,
    ) -> None:
        """Count a window whose loss is to what was required as ``loss`` to rate × ``base``."""
        self.windows += 1
        self.rates.add(required.rate)
        self.substituted += required.substituted
        if loss <= required.rate * base:
            return
        self.exceptions.append(
            Exceedance(
                samples.time(samples.places[first]),
                samples.time(samples.places[last]),
                samples.sequences[first],
                samples.sequences[last],
                samples.prices[first],
                samples.prices[last],
                divide(loss, base, scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN),
                required.rate,
            )
        )

    def result(self, requirement: str, side: Side, untested: int, probability: Decimal) -> RequirementTest:
        return RequirementTest(
            requirement,
            side,
            self.windows,
            untested,
            self.substituted,
            min(self.rates),
            max(self.rates),
            kupiec(self.windows, len(self.exceptions), probability),
            tuple(nlargest(WORST_KEPT, self.exceptions, key=lambda each: each.loss_rate)),
        )
