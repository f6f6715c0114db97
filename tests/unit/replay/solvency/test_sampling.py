from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInputError
from replay.solvency.sampling import Sampling

NINETY_NINE = Decimal("0.99")


@st.composite
def samplings(draw: st.DrawFn) -> Sampling:
    customers = draw(st.integers(1, 60))
    return Sampling(customers, draw(st.integers(1, customers)))


@given(samplings(), st.data())
def test_the_chance_of_missing_is_hypergeometric(sampling: Sampling, data: st.DataObject) -> None:
    checks = data.draw(st.integers(0, sampling.customers))
    exact = Fraction(comb(sampling.customers - sampling.cheated, checks), comb(sampling.customers, checks))
    found = Fraction(sampling.missed(checks))
    assert exact <= found <= exact * (1 + Fraction(1, 10**50))


@given(samplings(), st.integers(1, 999))
def test_one_check_fewer_is_not_enough(sampling: Sampling, thousandths: int) -> None:
    probability = Decimal(thousandths) / 1000
    checks = sampling.checks_needed(probability)
    assert sampling.missed(checks) <= 1 - probability
    assert sampling.missed(checks - 1) > 1 - probability


def test_who_checks_everybody_finds_the_only_one() -> None:
    assert Sampling(1, 1).checks_needed(NINETY_NINE) == 1
    assert Sampling(7, 7).checks_needed(NINETY_NINE) == 1
    assert Sampling(10, 1).checks_needed(NINETY_NINE) == 10


@pytest.mark.parametrize(("customers", "cheated"), [(0, 0), (0, 1), (5, 0), (5, 6), (-5, 1)])
def test_numbers_that_no_venue_has_are_refused(customers: int, cheated: int) -> None:
    with pytest.raises(InvalidInputError, match="1 to as many"):
        Sampling(customers, cheated)


@pytest.mark.parametrize("probability", ["0", "1", "-0.5", "1.01"])
def test_a_probability_out_of_range_is_refused(probability: str) -> None:
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        Sampling(10, 1).checks_needed(Decimal(probability))


@pytest.mark.parametrize("checks", [-1, 11])
def test_more_checks_than_customers_are_refused(checks: int) -> None:
    with pytest.raises(InvalidInputError, match="of 10 customers"):
        Sampling(10, 1).missed(checks)
