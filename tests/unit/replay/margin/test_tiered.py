from __future__ import annotations

from decimal import Decimal

import pytest

from replay.margin import (
    collateral_value,
    effective_leverage,
    initial_margin,
    maintenance_amounts,
    maintenance_margin,
    tier_for_notional,
)
from replay.state import CollateralTier, MarginTier

LOW = MarginTier(Decimal(0), Decimal(50_000), Decimal("0.004"), Decimal(0), Decimal(125))
MIDDLE = MarginTier(Decimal(50_000), Decimal(250_000), Decimal("0.005"), Decimal(50), Decimal(100))
HIGH = MarginTier(Decimal(250_000), Decimal(1_000_000), Decimal("0.01"), Decimal(1300), Decimal(50))
TIERS = (LOW, MIDDLE, HIGH)


@pytest.mark.parametrize(
    ("notional", "tier"),
    [
        ("0", LOW),
        ("49999.99", LOW),
        ("50000", LOW),
        ("50000.000000000000000001", MIDDLE),
        ("250000", MIDDLE),
        ("250001", HIGH),
        ("99999999", HIGH),
    ],
)
def test_a_tier_holds_up_to_and_including_its_cap_and_the_last_one_beyond(
    notional: str, tier: MarginTier
) -> None:
    assert tier_for_notional(TIERS, Decimal(notional)) is tier


def test_maintenance_margin_is_rate_times_notional_less_the_amount() -> None:
    assert maintenance_margin(TIERS, Decimal(100_000)) == Decimal(450)


@pytest.mark.parametrize("edge", ["50000", "250000"])
def test_at_an_edge_both_tiers_require_the_same(edge: str) -> None:
    notional = Decimal(edge)
    lower = tier_for_notional(TIERS, notional)
    upper = TIERS[TIERS.index(lower) + 1]
    assert maintenance_margin((lower,), notional) == maintenance_margin((upper,), notional)
    assert lower.max_leverage > upper.max_leverage


def test_the_recursion_gives_the_amounts_that_make_it_so() -> None:
    assert maintenance_amounts(TIERS) == [tier.maintenance_amount for tier in TIERS]


def test_initial_margin_is_notional_over_leverage_rounded_up() -> None:
    assert initial_margin(Decimal(100), Decimal(3)) == Decimal("33.333333333333333334")
    assert initial_margin(Decimal(100), Decimal(4)) == Decimal(25)


@pytest.mark.parametrize(("chosen", "used"), [(None, "100"), ("20", "20"), ("125", "100")])
def test_leverage_is_the_accounts_own_and_at_most_the_tiers(chosen: str | None, used: str) -> None:
    assert effective_leverage(None if chosen is None else Decimal(chosen), MIDDLE) == Decimal(used)


HAIRCUTS = (
    CollateralTier(Decimal(0), Decimal(1000), Decimal(1)),
    CollateralTier(Decimal(1000), Decimal(2000), Decimal("0.9")),
    CollateralTier(Decimal(2000), Decimal(5000), Decimal("0.5")),
)


@pytest.mark.parametrize(
    ("value", "counted"), [("0", "0"), ("400", "400"), ("1500", "1450"), ("3000", "2400"), ("9000", "3400")]
)
def test_each_part_of_a_holding_counts_at_its_own_rate_and_nothing_beyond_the_last(
    value: str, counted: str
) -> None:
    assert collateral_value(HAIRCUTS, Decimal(value)) == Decimal(counted)


def test_a_debt_counts_in_full() -> None:
    assert collateral_value(HAIRCUTS, Decimal(-1500)) == Decimal(-1500)
