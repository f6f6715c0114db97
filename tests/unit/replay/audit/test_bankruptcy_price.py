"""A's bankruptcy price is 900; with a deposit of 3 more it is 899.7, on a tick of 0.5 900 all the same."""

from __future__ import annotations

import pytest

from tests.support.waterfall import INSTRUMENT, Waterfall, found, not_checked, places

CODE = "bankruptcy_price_differs"


@pytest.mark.parametrize("price", ["899.5", "900", "900.5"])
def test_a_reported_price_within_a_tick_is_right(price: str) -> None:
    venue = Waterfall()
    venue.start()
    venue.execute({"bankruptcy_price": price})
    assert places(venue, CODE) == []


@pytest.mark.parametrize("price", ["899", "901"])
def test_a_reported_price_further_off_is_found_at_the_liquidation(price: str) -> None:
    venue = Waterfall()
    decision = venue.start()
    executed = venue.execute({"bankruptcy_price": price})
    (finding,) = found(venue, CODE)
    assert (finding.account, finding.instrument, finding.sequence) == ("A", INSTRUMENT, executed)
    assert {decision, executed} <= set(finding.evidence)
    assert (finding.recorded, finding.rebuilt) == (price, "900")


def test_it_is_rounded_to_the_tick_against_the_trader() -> None:
    venue = Waterfall()
    venue.deposit("A", "3")
    venue.start()
    venue.execute({"bankruptcy_price": "899"})
    assert found(venue, CODE)[0].rebuilt == "900"


def test_without_a_listed_tick_one_unit_of_printed_prices_is_allowed() -> None:
    venue = Waterfall(tick=None)
    venue.deposit("A", "3")
    venue.fill("B", "buy", "0.1", "940.1")
    venue.start()
    venue.execute({"bankruptcy_price": "899.8"})
    assert places(venue, CODE) == []
    venue.execute({"bankruptcy_price": "899.9"}, liquidation="L2")
    assert [finding.rebuilt for finding in found(venue, CODE)] == ["899.7"]


def test_a_haircut_does_not_lower_what_stands_behind_a_position() -> None:
    venue = Waterfall()
    tier = {"value_floor": "0", "collateral_rate": "0.5"}
    venue.add("CollateralScheduleSet", asset="USDT", effective_at="2026-01-01T00:00:00Z", tiers=[tier])
    venue.start()
    venue.execute({"bankruptcy_price": "900"})
    assert places(venue, CODE) == []


def test_the_books_of_the_decision_count_and_not_those_of_the_execution() -> None:
    venue = Waterfall()
    venue.start()
    venue.deposit("A", "100")
    venue.execute({"bankruptcy_price": "900"})
    assert places(venue, CODE) == []


def test_without_a_decision_before_the_execution_is_the_decision() -> None:
    venue = Waterfall()
    venue.deposit("A", "100")
    executed = venue.execute({"bankruptcy_price": "900"})
    assert places(venue, CODE) == [("A", executed)]


def test_a_price_of_zero_or_less_does_not_exist_and_one_tick_is_the_lowest() -> None:
    venue = Waterfall()
    venue.deposit("A", "20000")
    venue.start()
    venue.execute({"bankruptcy_price": "0.5"})
    assert places(venue, CODE) == []


def test_what_the_books_do_not_determine_is_not_checked() -> None:
    venue = Waterfall(policy={"mark_max_age_seconds": "1"})
    venue.deposit("B", "1")
    venue.deposit("B", "1")
    venue.start()
    venue.execute({"bankruptcy_price": "1"})
    assert places(venue, CODE) == []
    assert len(not_checked(venue, CODE)) == 1
