"""How many random checks find a cheat with 99 % probability, hypergeometric (DOMAIN §4)."""

from decimal import Decimal

import pytest

from replay.solvency.sampling import Sampling


@pytest.mark.parametrize(
    ("customers", "cheated", "checks"),
    [(1_000_000, 10_000, 459), (1_000_000, 1_000, 4_593), (1_000_000, 100, 45_006), (10_000, 1, 9_900)],
)
def test_checks_that_find_a_cheat(customers: int, cheated: int, checks: int) -> None:
    assert Sampling(customers, cheated).checks_needed(Decimal("0.99")) == checks
