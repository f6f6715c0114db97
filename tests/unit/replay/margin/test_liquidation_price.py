from __future__ import annotations

from decimal import Decimal

import pytest

from replay.margin import Leg, ThresholdPrices, threshold_prices
from replay.state import MarginTier

FLAT = (MarginTier(Decimal(0), None, Decimal("0.01"), Decimal(0), Decimal(100)),)
STEPPED = (
    MarginTier(Decimal(0), Decimal(1000), Decimal("0.01"), Decimal(0), Decimal(100)),
    MarginTier(Decimal(1000), None, Decimal("0.2"), Decimal(190), Decimal(5)),
)
JUMPING = (
    MarginTier(Decimal(0), Decimal(1000), Decimal("0.01"), Decimal(0), Decimal(100)),
    MarginTier(Decimal(1000), None, Decimal("0.2"), Decimal(0), Decimal(5)),
)


def test_a_long_has_a_price_below_and_a_short_one_above() -> None:
    long = threshold_prices(Decimal(10), Decimal(0), [Leg(Decimal(1), Decimal(100), FLAT)], Decimal(100))
    assert long == ThresholdPrices(below=Decimal("90.909090909090909090"), above=None)
    short = threshold_prices(Decimal(10), Decimal(0), [Leg(Decimal(-1), Decimal(-100), FLAT)], Decimal(100))
    assert short == ThresholdPrices(below=None, above=Decimal("108.910891089108910892"))


def test_a_margin_call_comes_before_the_liquidation() -> None:
    legs = [Leg(Decimal(1), Decimal(100), FLAT)]
    call = threshold_prices(Decimal(10), Decimal(0), legs, Decimal(100), Decimal("0.5")).below
    liquidation = threshold_prices(Decimal(10), Decimal(0), legs, Decimal(100)).below
    assert call == Decimal("91.836734693877551020")
    assert liquidation is not None
    assert call > liquidation


def test_a_hedged_pair_is_liquidated_by_a_rise_as_well_as_by_a_fall() -> None:
    legs = [Leg(Decimal(10), Decimal(1000), FLAT), Leg(Decimal("-9.9"), Decimal(-990), FLAT)]
    found = threshold_prices(Decimal(25), Decimal(0), legs, Decimal(100))
    assert found.below is None
    assert found.above == Decimal("151.515151515151515152")
    tilted = [Leg(Decimal(10), Decimal(1000), FLAT), Leg(Decimal(-9), Decimal(-900), FLAT)]
    assert threshold_prices(Decimal(25), Decimal(0), tilted, Decimal(100)).below == Decimal(
        "92.592592592592592592"
    )


def test_the_price_is_found_in_the_tier_that_holds_there_and_not_in_the_present_one() -> None:
    """A short of 9 at 100 is in the first tier; the rise that liquidates it takes it into the second."""
    short = [Leg(Decimal(-9), Decimal(-900), STEPPED)]
    assert threshold_prices(Decimal(500), Decimal(0), short, Decimal(100)).above == Decimal(
        "147.222222222222222223"
    )


def test_where_the_requirement_jumps_at_an_edge_the_edge_is_the_price() -> None:
    short = [Leg(Decimal(-10), Decimal(-900), JUMPING)]
    assert threshold_prices(Decimal(200), Decimal(0), short, Decimal(90)).above == Decimal(100)
    long = [Leg(Decimal(10), Decimal(1500), JUMPING)]
    assert threshold_prices(Decimal(600), Decimal(0), long, Decimal(150)).below == Decimal("112.5")
    assert threshold_prices(Decimal(560), Decimal(0), long, Decimal(99)).below == Decimal(
        "94.949494949494949494"
    )


def test_a_fall_into_a_tier_that_requires_more_is_found_too() -> None:
    falling = (
        MarginTier(Decimal(0), Decimal(1000), Decimal("0.5"), Decimal(0), Decimal(2)),
        MarginTier(Decimal(1000), None, Decimal("0.01"), Decimal(0), Decimal(100)),
    )
    long = [Leg(Decimal(10), Decimal(1500), falling)]
    assert threshold_prices(Decimal(600), Decimal(0), long, Decimal(150)).below == Decimal(100)


def test_an_account_beyond_the_threshold_is_told_where_it_would_come_back() -> None:
    legs = [Leg(Decimal(1), Decimal(100), FLAT)]
    assert threshold_prices(Decimal(10), Decimal(0), legs, Decimal(80)).below == Decimal(
        "90.909090909090909090"
    )


def test_an_account_exactly_at_the_boundary_has_the_mark_as_its_price() -> None:
    legs = [Leg(Decimal(1), Decimal(100), FLAT)]
    assert threshold_prices(Decimal("20.8"), Decimal(0), legs, Decimal(80)).below == Decimal(80)
    short = [Leg(Decimal(-1), Decimal(-100), FLAT)]
    assert threshold_prices(Decimal("21.2"), Decimal(0), short, Decimal(120)).above == Decimal(120)


@pytest.mark.parametrize("collateral", ["100", "1000"])
def test_a_long_that_no_price_above_zero_endangers_has_no_price(collateral: str) -> None:
    assert threshold_prices(
        Decimal(collateral), Decimal(0), [Leg(Decimal(1), Decimal(100), FLAT)], Decimal(100)
    ) == ThresholdPrices(None, None)


def test_amounts_are_converted_on_both_sides() -> None:
    """Everything twice as dear in the valuation currency: the price is the same with twice the collateral."""
    leg = Leg(
        Decimal(1),
        Decimal(100),
        FLAT,
        value_rate=Decimal(2),
        notional_rate=Decimal(1),
        margin_rate=Decimal(2),
    )
    assert threshold_prices(Decimal(20), Decimal(0), [leg], Decimal(100)).below == Decimal(
        "90.909090909090909090"
    )
    in_valuation = Leg(
        Decimal(1),
        Decimal(100),
        FLAT,
        value_rate=Decimal(2),
        notional_rate=Decimal(2),
        margin_rate=Decimal(1),
    )
    assert threshold_prices(Decimal(20), Decimal(0), [in_valuation], Decimal(100)).below == Decimal(
        "90.909090909090909090"
    )


def test_an_amount_greater_than_the_rate_asks_for_requires_nothing_and_not_less() -> None:
    tiers = (MarginTier(Decimal(0), None, Decimal("0.01"), Decimal(100), Decimal(10)),)
    found = threshold_prices(Decimal(100), Decimal(0), [Leg(Decimal(1), Decimal(1000), tiers)], Decimal(1000))
    assert found.below == Decimal(900)
