"""Laws of estimates: what holds whatever the prices were."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ledger.amounts import format_exact
from replay.fold import replay_events
from replay.margin import Market
from replay.risk.assumptions import Assumptions
from replay.risk.recommendation import PriceHistory
from replay.risk.requirement import examine_requirement, given_requirement
from replay.risk.sensitivity import SensitivityStudy
from replay.risk.statistics.coverage import kupiec
from replay.risk.statistics.passage import touch_probability
from tests.support.events import History
from tests.support.prices import HOUR, series

if TYPE_CHECKING:
    from fractions import Fraction

    from replay.margin.contracts import Contract
    from replay.risk.prices import Samples

PRICES = st.decimals(min_value="0.01", max_value="100000", places=2)
COURSES = st.lists(PRICES, min_size=25, max_size=60)
NINE_TENTHS = Assumptions(confidence=Decimal("0.9"))
CONTRACTS: st.SearchStrategy[Contract] = st.sampled_from(("linear", "inverse"))
DAY = timedelta(days=1)


@given(prices=COURSES, horizon=st.integers(1, 3), contract=CONTRACTS)
def test_a_recommended_rate_is_never_below_any_of_its_estimates(
    prices: list[Decimal], horizon: int, contract: Contract
) -> None:
    assumptions = Assumptions(confidence=Decimal("0.9"), horizon=horizon * HOUR)
    found = PriceHistory(series(prices), assumptions, contract).recommend()
    assert all(found.rate >= estimate.rate for estimate in found.estimates)
    assert found.rate < max(estimate.rate for estimate in found.estimates) + Decimal("0.0001")
    for side in ("long", "short"):
        rates = {each.method: each.rate for each in found.estimates if each.side == side}
        assert rates["expected_shortfall"] >= rates["historical_var"]


@given(prices=COURSES, contract=CONTRACTS)
def test_value_at_risk_is_exceeded_no_more_often_than_its_confidence_allows(
    prices: list[Decimal], contract: Contract
) -> None:
    found = PriceHistory(series(prices), NINE_TENTHS, contract).recommend()
    for estimate in found.estimates:
        if estimate.method == "historical_var":
            # A loss many times the notional is known to fewer digits after the point.
            required = given_requirement(estimate.rate * (1 + Decimal("1e-9")) + Decimal("1e-9"))
            tests = examine_requirement(found.samples, NINE_TENTHS, "given", required, contract)
            (tested,) = [each for each in tests if each.side == estimate.side]
            assert tested.exceptions <= tested.windows * NINE_TENTHS.exception_probability


@given(prices=COURSES, rates=st.tuples(*[st.decimals(min_value="0", max_value="2", places=3)] * 2))
def test_a_greater_requirement_has_no_more_exceptions(
    prices: list[Decimal], rates: tuple[Decimal, Decimal]
) -> None:
    samples: Samples = series(prices).sampled(HOUR)
    low, high = (
        [
            each.exceptions
            for each in examine_requirement(samples, NINE_TENTHS, "given", given_requirement(rate))
        ]
        for rate in sorted(rates)
    )
    assert all(more >= fewer for more, fewer in zip(low, high, strict=True))


@given(count=st.integers(1, 5000), share=st.fractions(0, 1), parts=st.integers(1, 999))
def test_the_test_of_coverage_is_a_probability_and_best_where_it_is_met(
    count: int, share: Fraction, parts: int
) -> None:
    exceptions = int(count * share)
    tested = kupiec(count, exceptions, Decimal(parts) / 1000)
    assert 0 <= tested.p_value <= 1
    assert 0 <= tested.exact_p_value <= 1
    assert tested.statistic >= 0
    met = kupiec(1000, parts, Decimal(parts) / 1000)
    assert met.verdict == "as_expected"
    assert met.statistic < Decimal("1e-9")


VOLATILITIES = st.decimals(min_value="0", max_value="1", places=4)


@given(
    price=PRICES,
    barrier=PRICES,
    volatility=VOLATILITIES,
    hours=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
)
def test_touching_a_price_is_a_probability_that_grows_with_time(
    price: Decimal, barrier: Decimal, volatility: Decimal, hours: tuple[int, int]
) -> None:
    sooner, later = (
        touch_probability(price, barrier, volatility, DAY, count * HOUR) for count in sorted(hours)
    )
    assert 0 <= sooner <= later <= 1


@given(
    price=PRICES,
    barriers=st.tuples(PRICES, PRICES),
    volatility=VOLATILITIES,
)
def test_a_price_further_away_is_touched_no_more_likely(
    price: Decimal, barriers: tuple[Decimal, Decimal], volatility: Decimal
) -> None:
    below = sorted(price * each / 100_000 for each in barriers)
    further, nearer = (touch_probability(price, each, volatility, DAY, DAY) for each in below)
    assert further <= nearer


@given(
    leverage=st.integers(1, 60),
    side=st.sampled_from(["buy", "sell"]),
    rate=st.sampled_from(["0.004", "0.01", "0.025"]),
    beyond=st.sampled_from([Decimal("-1e-6"), Decimal("1e-6")]),
)
def test_a_move_to_the_stated_liquidation_price_reaches_the_boundary_and_one_short_of_it_does_not(
    leverage: int, side: str, rate: str, beyond: Decimal
) -> None:
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, rate, "0", "125"))
    history.policy(margin_call_ratio="0.8")
    history.deposit("A", format_exact((Decimal(50_000) / leverage).quantize(Decimal("0.01"))))
    history.fill("A", side, "1", "50000")
    history.mark("50000")
    state = replay_events(history.events)
    account, market = state.accounts["A"], Market.of(state)
    (now,) = SensitivityStudy(account, market, {}, DAY, DAY).study([], []).now
    liquidation = now.distances[0].liquidation_distance
    if now.state in ("liquidatable", "bankrupt") or liquidation is None:
        return
    move = liquidation + beyond
    (row,) = SensitivityStudy(account, market, {}, DAY, DAY).study([move], []).by_price
    reached = (beyond < 0) == (side == "buy")
    assert (row.state in ("liquidatable", "bankrupt")) == reached
