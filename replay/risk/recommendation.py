"""The recommended maintenance rate: the greatest of named estimates, rounded up, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from ledger.amounts import ONE, ZERO, Rounding, divide, format_exact, round_to
from replay.risk.errors import InsufficientPricesError
from replay.risk.statistics.returns import SIDES, Returns, log_returns
from replay.risk.statistics.tail import historical_tail
from replay.risk.statistics.volatility import Volatility, ewma_volatility, normal_loss
from replay.state.schedules import MarginSchedule, MarginTier
from replay.state.venue_state import BEGINNING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.margin.contracts import Contract
    from replay.risk.assumptions import Assumptions
    from replay.risk.prices import PriceSeries, Samples
    from replay.risk.statistics.returns import Side

Method = Literal["ewma_quantile", "historical_var", "expected_shortfall", "floor"]

_NEVER_RECORDED = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimate of the loss per notional that a maintenance margin has to cover.

    Attributes:
        method: how it was made.
        side: whose loss; None where it is the same for both.
        rate: the loss, rounded up at scale 12.
    """

    method: Method
    side: Side | None
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A maintenance rate and what it was concluded from.

    Attributes:
        contract: how the instrument is valued; losses per notional are its own.
        rate: the greatest estimate, rounded up at the scale that the assumptions name.
        estimates: all of them; Value at Risk is among them for comparison, since Expected Shortfall is
            never below it.
        volatility: at the end of the returns.
        horizon_returns: how many returns over the horizon went in; they overlap where the horizon is
            longer than the interval.
        samples: the prices, those of the look-back alone.
    """

    instrument: str
    contract: Contract
    assumptions: Assumptions
    rate: Decimal
    estimates: tuple[Estimate, ...]
    volatility: Volatility
    horizon_returns: int
    samples: Samples

    @property
    def binding(self) -> Estimate:
        """The estimate that the rate follows."""
        return max(self.estimates, key=lambda estimate: estimate.rate)

    def json_value(self) -> JsonObject:
        """Return the recommendation as JSON."""
        binding = self.binding
        return {
            "instrument": self.instrument,
            "contract": self.contract,
            "maintenance_margin_rate": format_exact(self.rate),
            "binding": {"method": binding.method, "side": binding.side},
            "estimates": [
                {"method": each.method, "side": each.side, "rate": format_exact(each.rate)}
                for each in self.estimates
            ],
            "volatility": self.volatility.json_value(),
            "assumptions": self.assumptions.json_value(),
            "horizon_returns": self.horizon_returns,
            "evidence": self.samples.json_value(),
        }


class PriceHistory:
    """An instrument's sampled prices and their returns, from which estimates are made as of any time."""

    def __init__(self, series: PriceSeries, assumptions: Assumptions, contract: Contract = "linear") -> None:
        self.assumptions = assumptions
        self.contract: Contract = contract
        self.samples = series.sampled(assumptions.interval)
        self._by_interval = log_returns(self.samples, contract=contract)
        self._by_horizon = log_returns(self.samples, assumptions.steps, contract)

    def recommend(self, until: datetime | None = None) -> Recommendation:
        """Return the rate that the prices up to a time lead to; later ones are not looked at.

        Raises:
            InsufficientPricesError: the tail beyond the confidence would hold no return.
        """
        assumptions, samples = self.assumptions, self.samples
        last = samples.places[-1] if samples.places else 0
        if until is not None:
            last = min(last, samples.place_at(until))
        first = last - assumptions.lookback // assumptions.interval
        by_interval = self._by_interval.within(first, last)
        by_horizon = self._by_horizon.within(first, last)
        self._check(min(len(by_interval), len(by_horizon)), until)
        volatility = ewma_volatility(by_interval, assumptions)
        estimates = tuple(_estimates(by_horizon, volatility, assumptions))
        greatest = max(estimate.rate for estimate in estimates)
        return Recommendation(
            samples.instrument,
            self.contract,
            assumptions,
            round_to(greatest, assumptions.rate_scale, Rounding.CEILING),
            estimates,
            volatility,
            len(by_horizon),
            samples.within(first, last),
        )

    def volatility(self) -> Volatility:
        """Return the volatility at the end of the prices, which fewer returns are enough for.

        Raises:
            InsufficientPricesError: there is no return.
        """
        if not len(self._by_interval):
            raise InsufficientPricesError(self.samples.instrument, 0, 1)
        last = self.samples.places[-1]
        first = last - self.assumptions.lookback // self.assumptions.interval
        return ewma_volatility(self._by_interval.within(first, last), self.assumptions)

    def _check(self, returns: int, until: datetime | None) -> None:
        needed = self.assumptions.returns_needed
        if returns < needed:
            raise InsufficientPricesError(self.samples.instrument, returns, needed, until)


def flat_schedule(recommendation: Recommendation) -> MarginSchedule:
    """Return a schedule of one tier that requires the recommended rate of every notional, at all times.

    It was never recorded: its sequence is that of the last price it rests on. Its greatest leverage is
    1 ÷ rate, rounded down to a whole number but not below 1, so that no initial margin is below the
    maintenance margin.
    """
    rate = recommendation.rate
    leverage = max(divide(ONE, rate, scale=0, rounding=Rounding.FLOOR), ONE) if rate else ONE
    tier = MarginTier(ZERO, None, rate, ZERO, leverage)
    last = max(recommendation.samples.sequences)
    return MarginSchedule(last, _NEVER_RECORDED, BEGINNING, "tiered", None, (tier,))


def _estimates(by_horizon: Returns, volatility: Volatility, assumptions: Assumptions) -> list[Estimate]:
    estimates = []
    for side in SIDES:
        at_risk, shortfall = historical_tail(by_horizon, assumptions.confidence, side)
        normal = normal_loss(volatility.per_horizon, assumptions.confidence, side, by_horizon.contract)
        estimates += [
            Estimate("ewma_quantile", side, normal),
            Estimate("historical_var", side, at_risk),
            Estimate("expected_shortfall", side, shortfall),
        ]
    return [*estimates, Estimate("floor", None, assumptions.minimum_rate)]
