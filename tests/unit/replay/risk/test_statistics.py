"""Statistics on samples small enough to check by hand, and against published tables."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from ledger.amounts import Rounding
from replay.risk.assumptions import Assumptions
from replay.risk.statistics.coverage import kupiec
from replay.risk.statistics.edge import to_estimate
from replay.risk.statistics.passage import touch_probability
from replay.risk.statistics.returns import SIDES, Returns, log_returns
from replay.risk.statistics.tail import historical_tail
from replay.risk.statistics.volatility import ewma_volatility, normal_loss
from tests.support.prices import HOUR, series

DAY = timedelta(days=1)


def of_losses(*losses: float) -> Returns:
    """Return returns whose longs lose these shares."""
    values = np.log1p(-np.array(losses))
    return Returns(values, np.arange(len(losses), dtype=np.int64), 1)


def close_to(value: Decimal, expected: float) -> bool:
    return float(value) == pytest.approx(expected, abs=2e-12)


def test_returns_bridge_no_gap() -> None:
    samples = series([100, 110, 121, 133]).sampled(HOUR)
    holed = type(samples)("BTC-PERP", HOUR, (1, 2, 5, 6), samples.prices, samples.sequences)
    found = log_returns(holed)
    assert found.ends.tolist() == [2, 6]
    assert np.exp(found.values).tolist() == pytest.approx([1.1, 133 / 121])
    # Over four intervals: 1 → 5 and 2 → 6, whatever lies between.
    over_four = log_returns(holed, 4)
    assert np.exp(over_four.values).tolist() == pytest.approx([1.21, 133 / 110])


def test_a_long_loses_what_the_price_falls_and_a_short_what_it_rises() -> None:
    returns = log_returns(series([100, 90, 108]).sampled(HOUR))
    assert returns.losses("long").tolist() == pytest.approx([0.1, -0.2])
    assert returns.losses("short").tolist() == pytest.approx([-0.1, 0.2])


def test_an_inverse_contract_loses_what_its_number_over_the_price_does() -> None:
    returns = log_returns(series([100, 50, 80]).sampled(HOUR), contract="inverse")
    # 1 ÷ price: 0.01, 0.02, 0.0125. A long owes what it rose by, of the 0.01 and the 0.02 that it began with.
    assert returns.losses("long").tolist() == pytest.approx([1, -0.375])
    assert returns.losses("short").tolist() == pytest.approx([-1, 0.375])
    assert returns.within(0, 10**9).contract == "inverse"


def test_no_returns_come_of_no_prices() -> None:
    assert len(log_returns(series([]).sampled(HOUR))) == 0
    assert len(log_returns(series([1]).sampled(HOUR))) == 0


def test_value_at_risk_is_an_observed_loss_and_shortfall_the_mean_of_those_beyond() -> None:
    returns = of_losses(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10)
    # 80 % of ten: eight losses do not exceed 0.08; the worst two are 0.09 and 0.10.
    at_risk, shortfall = historical_tail(returns, Decimal("0.8"), "long")
    assert close_to(at_risk, 0.08)
    assert close_to(shortfall, 0.095)


def test_a_tail_that_is_no_whole_number_takes_the_last_loss_in_part() -> None:
    returns = of_losses(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10)
    # 75 % of ten is eight, rounded up; the worst 2.5 are 0.10, 0.09 and half of 0.08: 0.23 ÷ 2.5.
    at_risk, shortfall = historical_tail(returns, Decimal("0.75"), "long")
    assert close_to(at_risk, 0.08)
    assert close_to(shortfall, 0.092)


def test_value_at_risk_is_numpys_quantile_without_interpolation() -> None:
    losses = np.random.default_rng(7).normal(size=997) / 100
    returns = of_losses(*losses.tolist())
    for confidence in ("0.9", "0.95", "0.99"):
        at_risk, _ = historical_tail(returns, Decimal(confidence), "long")
        expected = np.quantile(returns.losses("long"), float(confidence), method="inverted_cdf")
        assert close_to(at_risk, float(expected))


def test_places_in_the_tail_are_counted_exactly() -> None:
    # 100 × (1 − 0.99) is exactly one, though it is a little more in binary floats: the second worst loss.
    returns = of_losses(*[0.001 * place for place in range(1, 101)])
    at_risk, shortfall = historical_tail(returns, Decimal("0.99"), "long")
    assert close_to(at_risk, 0.099)
    assert close_to(shortfall, 0.1)


def test_too_few_returns_have_no_tail() -> None:
    with pytest.raises(ValueError, match="no tail"):
        historical_tail(of_losses(0.1, 0.2), Decimal("0.9"), "long")


def test_the_weighted_variance_is_the_recursion_of_riskmetrics() -> None:
    # Daily returns 1 %, −2 %, 3 %: weights 0.94², 0.94, 1 over their sum.
    returns = Returns(np.array([0.01, -0.02, 0.03]), np.array([5, 6, 7]), 1)
    found = ewma_volatility(returns, Assumptions(interval=DAY, horizon=4 * DAY))
    variance = (0.8836 * 0.0001 + 0.94 * 0.0004 + 0.0009) / (0.8836 + 0.94 + 1)
    assert close_to(found.per_interval, math.sqrt(variance))
    assert close_to(found.per_horizon, 2 * math.sqrt(variance))
    assert close_to(found.per_year, math.sqrt(365 * variance))
    assert found.returns == 3


def test_a_day_weighs_the_same_however_it_is_sampled() -> None:
    returns = Returns(np.array([0.01, 0.02]), np.array([0, 24]), 1)
    hourly = ewma_volatility(returns, Assumptions(interval=HOUR))
    assert float(hourly.decay_per_interval) ** 24 == pytest.approx(0.94)
    # 24 hours lie between the two: the older one weighs 0.94.
    assert close_to(hourly.per_interval, math.sqrt((0.94 * 0.0001 + 0.0004) / 1.94))


def test_the_normal_loss_of_an_inverse_contract_is_that_of_the_other_side() -> None:
    volatility, confidence = Decimal("0.02"), Decimal("0.99")
    long, short = (normal_loss(volatility, confidence, side) for side in SIDES)
    assert [normal_loss(volatility, confidence, side, "inverse") for side in SIDES] == [short, long]


def test_the_normal_loss_is_the_quantile_on_either_side() -> None:
    # z(99 %) = 2.326347874.
    reach = 2.3263478740408408 * 0.02
    assert close_to(normal_loss(Decimal("0.02"), Decimal("0.99"), "long"), 1 - math.exp(-reach))
    assert close_to(normal_loss(Decimal("0.02"), Decimal("0.99"), "short"), math.exp(reach) - 1)


# Kupiec (1995): numbers of failures for which the model is not rejected at the 5 % level.
NOT_REJECTED = [
    (255, "0.05", 7, 20),
    (255, "0.10", 17, 35),
    (510, "0.01", 2, 10),
    (510, "0.05", 17, 35),
    (1000, "0.01", 5, 16),
    (1000, "0.025", 16, 35),
    (1000, "0.05", 38, 64),
    (1000, "0.10", 82, 119),
]


@pytest.mark.parametrize(("count", "probability", "fewest", "most"), NOT_REJECTED)
def test_the_regions_that_kupiec_published(count: int, probability: str, fewest: int, most: int) -> None:
    verdicts = {
        exceptions: kupiec(count, exceptions, Decimal(probability)).verdict
        for exceptions in (fewest - 1, fewest, most, most + 1)
    }
    assert verdicts == {
        fewest - 1: "too_few",
        fewest: "as_expected",
        most: "as_expected",
        most + 1: "too_many",
    }


def test_a_year_of_days_at_one_percent_stands_up_to_six_exceptions() -> None:
    assert [kupiec(250, count, Decimal("0.01")).verdict for count in (1, 6, 7)] == [
        "as_expected",
        "as_expected",
        "too_many",
    ]
    # By hand: −2 ln(0.99^243 × 0.01^7) + 2 ln((243/250)^243 × (7/250)^7) = 5.497.
    seven = kupiec(250, 7, Decimal("0.01"))
    assert float(seven.statistic) == pytest.approx(5.497, abs=0.0005)
    assert float(seven.p_value) == pytest.approx(0.01905, abs=0.0001)
    assert seven.expected == Decimal("2.5")


def test_no_exception_and_nothing_but_exceptions_have_a_finite_ratio() -> None:
    # −2 × 250 × ln 0.99 = 5.025; −2 × 250 × ln 0.01 = 2302.585.
    assert float(kupiec(250, 0, Decimal("0.01")).statistic) == pytest.approx(5.0252, abs=0.0001)
    assert float(kupiec(250, 250, Decimal("0.01")).statistic) == pytest.approx(2302.585, abs=0.001)


def test_the_probability_to_touch_is_twice_that_to_end_beyond() -> None:
    # 10 % a day over four days: 20 %; ln(100 ÷ 81.873…) = 0.2 is one deviation: 2 × Φ(−1) = 0.3173.
    barrier = Decimal("81.87307530779818")
    found = touch_probability(Decimal(100), barrier, Decimal("0.1"), DAY, 4 * DAY)
    assert float(found) == pytest.approx(0.317310507863, abs=1e-11)
    above = touch_probability(Decimal(100), Decimal("122.14027581601699"), Decimal("0.1"), DAY, 4 * DAY)
    assert float(above) == pytest.approx(float(found), abs=1e-11)
    assert touch_probability(Decimal(100), Decimal(100), Decimal("0.1"), DAY, DAY) == 1
    assert touch_probability(Decimal(100), barrier, Decimal(0), DAY, DAY) == 0


def test_an_estimate_goes_back_to_decimals_by_a_named_rounding() -> None:
    assert to_estimate(1 / 3) == Decimal("0.333333333333")
    assert to_estimate(1 / 3, Rounding.CEILING) == Decimal("0.333333333334")
    for value in (math.inf, math.nan):
        with pytest.raises(ValueError, match="finite"):
            to_estimate(value)
