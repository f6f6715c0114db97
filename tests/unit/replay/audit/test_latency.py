from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.audit import audit
from replay.audit.latency import LatencyDistribution, nearest_rank
from tests.support.decisions import DecidingVenue


def numbers(*values: str) -> list[Decimal]:
    return [Decimal(value) for value in values]


def test_percentiles_are_values_that_occurred() -> None:
    # The ordinary example of nearest rank: of five values the median is the third.
    found = LatencyDistribution.of(numbers("0.5", "0.12", "0.2", "3", "0.35"))
    assert found == LatencyDistribution(5, *numbers("0.12", "0.35", "3", "3", "3"))
    hundred = [Decimal(each) for each in range(1, 101)]
    assert LatencyDistribution.of(hundred) == LatencyDistribution(100, *numbers("1", "50", "90", "99", "100"))


def test_of_an_even_number_the_median_is_the_lower_of_the_middle_two() -> None:
    assert LatencyDistribution.of(numbers("2", "1")).median == 1


def test_without_latencies_there_is_nothing_but_the_count() -> None:
    assert LatencyDistribution.of([]) == LatencyDistribution(0, None, None, None, None, None)
    assert audit([]).document()["latency"] == {
        "count": 0,
        "minimum": None,
        "median": None,
        "p90": None,
        "p99": None,
        "maximum": None,
    }


@given(st.lists(st.decimals(0, 100, places=6), min_size=1), st.integers(1, 99))
def test_enough_are_at_or_below_a_percentile_and_too_few_below_it(
    values: list[Decimal], percent: int
) -> None:
    ordered = sorted(values)
    found = nearest_rank(ordered, percent)
    at_or_below = sum(value <= found for value in values)
    below = sum(value < found for value in values)
    assert at_or_below * 100 >= percent * len(values) > below * 100


def test_a_report_counts_first_decisions_only() -> None:
    venue = DecidingVenue(policy={"partial_fraction": "0.2", "cooldown_seconds": "30"})
    venue.mark(10, "49050")  # 0.2 less is not enough
    venue.execute("10.25", "0.2", "49050", "L1")
    venue.execute(50, "0.8", "49050", "L2")
    report = audit(venue.history.events)
    assert [each.latency_seconds for each in report.liquidations] == numbers("0.25", "40")
    assert [each.latency_counts for each in report.liquidations] == [True, False]
    assert report.latency == LatencyDistribution(1, *numbers("0.25", "0.25", "0.25", "0.25", "0.25"))


def test_a_report_leaves_out_what_had_to_wait_for_the_end_of_a_cooldown() -> None:
    venue = DecidingVenue(policy={"partial_fraction": "0.2", "cooldown_seconds": "30"})
    venue.mark(10, "49200")
    venue.execute(11, "0.2", "49200", "L1")  # brings it within
    venue.mark(20, "49100")
    venue.execute(41, "0.8", "49100", "L2")
    assert [each.latency_seconds for each in audit(venue.history.events).liquidations] == numbers("1", "21")
    assert audit(venue.history.events).latency.maximum == 1


@pytest.mark.parametrize("account", ["A", "B"])
def test_a_report_about_one_account_has_its_latencies(account: str) -> None:
    venue = DecidingVenue()
    venue.mark(10, "49200")
    venue.execute(11)
    assert audit(venue.history.events, account=account).latency.count == (account == "A")
