"""The recommended rate, its assumptions, and the test of requirements."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.errors import EnvironmentFaultError, ExitCode, InvalidInputError
from replay.risk import libraries
from replay.risk.assumptions import Assumptions
from replay.risk.errors import InsufficientPricesError
from replay.risk.recommendation import PriceHistory, flat_schedule
from replay.risk.requirement import (
    dynamic_requirement,
    examine_requirement,
    given_requirement,
    schedule_requirement,
)
from replay.risk.schedules import applied_schedule, required_rate
from replay.state.schedules import MarginSchedule, MarginTier
from tests.support.events import event_id
from tests.support.prices import BEGIN, HOUR, series

# Nine tenths of the losses, so that ten returns are enough.
NINE_TENTHS = Assumptions(confidence=Decimal("0.9"), lookback=100 * HOUR)
# Ten returns: eight rises of 1 %, a fall of 10 % and a rise of 5 %.
COURSE = ["100", "101", "102.01", "91.809", "92.72709", "93.6543609", "94.590904509",
          "99.32044973445", "100.3136542317945", "101.316790774112445", "102.32995868185356945"]  # fmt: skip


def schedule(rate: str, *, hours: int = 0, sequence: int = 1) -> MarginSchedule:
    tiers = (
        MarginTier(Decimal(0), Decimal(1000), Decimal(rate), Decimal(0), Decimal(20)),
        MarginTier(Decimal(1000), None, Decimal(rate) * 2, Decimal(rate) * 1000, Decimal(10)),
    )
    return MarginSchedule(sequence, event_id(sequence), BEGIN + HOUR * hours, "tiered", None, tiers)


def test_the_rate_is_the_greatest_estimate_rounded_up_and_says_which() -> None:
    found = PriceHistory(series(COURSE), NINE_TENTHS).recommend()
    by_name = {(each.method, each.side): each.rate for each in found.estimates}
    # Of ten losses the worst one is the tail: 10 % of longs, 5 % of shorts; the next is Value at Risk.
    assert by_name["expected_shortfall", "long"].quantize(Decimal("1e-9")) == Decimal("0.1")
    assert by_name["expected_shortfall", "short"].quantize(Decimal("1e-9")) == Decimal("0.05")
    assert by_name["historical_var", "long"].quantize(Decimal("1e-9")) == Decimal("-0.01")
    assert by_name["floor", None] == Decimal("0.005")
    assert (found.binding.method, found.binding.side) == ("expected_shortfall", "long")
    assert found.rate in (
        Decimal("0.1"),
        Decimal("0.1001"),
    )  # the loss as a float may be a bit more than 10 %
    assert found.rate >= by_name["expected_shortfall", "long"]


def test_the_evidence_names_the_events_it_rests_on() -> None:
    document = PriceHistory(series(COURSE), NINE_TENTHS).recommend().json_value()
    evidence = document["evidence"]
    assert isinstance(evidence, dict)
    assert (evidence["first_sequence"], evidence["last_sequence"], evidence["prices"]) == (10, 20, 11)
    assert document["horizon_returns"] == 10


def test_where_prices_hardly_move_the_floor_holds() -> None:
    found = PriceHistory(series([100] * 20), NINE_TENTHS).recommend()
    assert (found.rate, found.binding.method) == (Decimal("0.005"), "floor")


def test_prices_after_a_time_change_nothing_that_was_recommended_at_it() -> None:
    calm, crash = [100 + place % 2 for place in range(20)], [50, 20, 10]
    then = BEGIN + HOUR * 19
    whole = PriceHistory(series([*calm, *crash]), NINE_TENTHS)
    assert whole.recommend(then) == PriceHistory(series(calm), NINE_TENTHS).recommend()
    assert whole.recommend().rate > whole.recommend(then).rate


def test_returns_older_than_the_look_back_are_forgotten() -> None:
    crash, calm = [100, 50], [50 + place % 2 for place in range(40)]
    short = Assumptions(confidence=Decimal("0.9"), lookback=20 * HOUR)
    assert PriceHistory(series([*crash, *calm]), short).recommend().rate < Decimal("0.1")
    assert PriceHistory(series([*crash, *calm]), NINE_TENTHS).recommend().rate > Decimal("0.1")


def test_too_few_returns_are_refused_with_the_count() -> None:
    with pytest.raises(InsufficientPricesError, match=r"9 returns .* needs 10") as refused:
        PriceHistory(series(COURSE[:-1]), NINE_TENTHS).recommend()
    assert (refused.value.returns, refused.value.needed) == (9, 10)
    assert refused.value.exit_code is ExitCode.NOT_FOUND
    with pytest.raises(InsufficientPricesError):
        PriceHistory(series([]), NINE_TENTHS).volatility()


def test_a_flat_schedule_never_lets_an_initial_margin_below_the_maintenance_margin() -> None:
    found = PriceHistory(series(COURSE), NINE_TENTHS).recommend()
    (tier,) = flat_schedule(found).tiers
    assert tier.maintenance_margin_rate == found.rate
    assert tier.max_leverage * tier.maintenance_margin_rate <= 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"confidence": Decimal(1)}, "confidence"),
        ({"decay_per_day": Decimal(0)}, "decay_per_day"),
        ({"minimum_rate": Decimal(-1)}, "minimum_rate"),
        ({"interval": timedelta(0)}, "interval"),
        ({"horizon": timedelta(minutes=90)}, "horizon"),
        ({"lookback": timedelta(minutes=1)}, "lookback"),
    ],
)
def test_assumptions_that_no_estimate_can_be_made_with_are_refused_by_name(
    change: dict[str, object], named: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Assumptions(**change)  # type: ignore[arg-type]
    assert refused.value.place == (named,)


def test_exceptions_are_counted_by_side_and_equality_is_none() -> None:
    samples = series(COURSE).sampled(HOUR)
    long, short = examine_requirement(samples, NINE_TENTHS, "given", given_requirement(Decimal("0.05")))
    # The fall of 10 % exceeds 5 %; the rise of 5 % is exactly 5 %.
    assert (long.windows, long.exceptions, short.exceptions) == (10, 1, 0)
    (worst,) = long.worst
    assert (worst.loss_rate, worst.first_sequence, worst.last_sequence) == (Decimal("0.1"), 12, 13)
    barely, _ = examine_requirement(samples, NINE_TENTHS, "given", given_requirement(Decimal("0.1")))
    assert barely.exceptions == 0


@pytest.mark.parametrize(
    ("rate", "exceptions"), [("0.1111", (1, 0)), ("0.1112", (0, 0)), ("0.0476", (1, 1)), ("0.0477", (1, 0))]
)
def test_an_inverse_contract_is_tested_by_what_it_loses_in_its_settlement_asset(
    rate: str, exceptions: tuple[int, int]
) -> None:
    samples = series(COURSE).sampled(HOUR)
    tests = examine_requirement(samples, NINE_TENTHS, "given", given_requirement(Decimal(rate)), "inverse")
    # A fall of 10 % costs a long 1 ÷ 0.9 − 1, a rise of 5 % a short 1 − 1 ÷ 1.05 of what it began with.
    assert tuple(each.exceptions for each in tests) == exceptions
    for each in tests:
        for worst in each.worst:
            longs_loss = worst.first_price / worst.last_price - 1
            expected = longs_loss if each.side == "long" else -longs_loss
            assert worst.loss_rate == expected.quantize(Decimal("1e-18"))


def test_an_inverse_contract_is_recommended_more_for_falls_than_for_rises() -> None:
    found = PriceHistory(series(COURSE), NINE_TENTHS, "inverse").recommend()
    by_name = {(each.method, each.side): each.rate for each in found.estimates}
    assert by_name["expected_shortfall", "long"].quantize(Decimal("1e-9")) == Decimal("0.111111111")
    assert by_name["expected_shortfall", "short"].quantize(Decimal("1e-9")) == Decimal("0.047619048")
    assert by_name["ewma_quantile", "long"] > by_name["ewma_quantile", "short"]
    assert found.rate == Decimal("0.1112")
    assert found.json_value()["contract"] == "inverse"


def test_the_schedule_in_force_at_each_window_is_tested_and_the_earliest_substituted_before_it() -> None:
    versions = (schedule("0.2", hours=5), schedule("0.01", hours=8, sequence=2))
    samples = series(COURSE).sampled(HOUR)
    long, short = examine_requirement(
        samples, NINE_TENTHS, "schedule_in_force", schedule_requirement(versions, None)
    )
    assert (long.substituted, long.lowest_rate, long.highest_rate) == (5, Decimal("0.01"), Decimal("0.2"))
    assert (long.exceptions, short.exceptions) == (0, 0)


def test_a_dynamic_rate_is_tested_with_what_was_known_before_each_window() -> None:
    prices = [100 + place % 2 for place in range(60)] + [50] + [50 + place % 2 for place in range(60)]
    history = PriceHistory(series(prices), NINE_TENTHS)
    long, _ = examine_requirement(
        history.samples, NINE_TENTHS, "dynamic", dynamic_requirement(history, every=HOUR)
    )
    # The fall by half comes unforeseen, and the rate is high after it.
    assert long.worst[0].loss_rate > Decimal("0.5")
    assert long.worst[0].rate < Decimal("0.1") < long.highest_rate
    assert long.untested == 10


def test_a_schedule_not_in_force_yet_is_substituted_and_says_so() -> None:
    versions = (schedule("0.2", hours=5), schedule("0.01", hours=8, sequence=2))
    before, then = (applied_schedule(versions, BEGIN + HOUR * hours) for hours in (4, 9))
    assert before is not None
    assert then is not None
    assert (before.schedule.sequence, before.substituted) == (1, True)
    assert (then.schedule.sequence, then.substituted) == (2, False)
    assert applied_schedule((), BEGIN) is None


def test_the_rate_of_a_notional_is_that_of_its_maintenance_margin() -> None:
    tiered = schedule("0.01")
    # 1,500 × 2 % − 10 = 20.
    assert required_rate(tiered, Decimal(1500)).quantize(Decimal("1e-6")) == Decimal("0.013333")
    assert required_rate(tiered, None) == Decimal("0.01")


def test_missing_libraries_are_named_with_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    libraries.require_libraries()
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "scipy" else object())
    with pytest.raises(EnvironmentFaultError, match="scipy is not installed") as refused:
        libraries.require_libraries()
    assert refused.value.exit_code == 4
    assert refused.value.next_step == "pip install 'margin-ledger[risk]'"
