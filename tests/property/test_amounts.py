"""Exact decimals against fractions, for every rounding."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.amounts import Rounding, divide, exact, format_amount, is_normal, parse_amount, round_to
from tests.support.strategies import amounts

ROUNDINGS = st.sampled_from(list(Rounding))
SCALES = st.integers(min_value=0, max_value=18)


def rounded(value: Fraction, rounding: Rounding) -> int:
    """Round to an integer, as the names say."""
    match rounding:
        case Rounding.FLOOR:
            return math.floor(value)
        case Rounding.CEILING:
            return math.ceil(value)
        case Rounding.DOWN:
            return math.trunc(value)
        case Rounding.UP:
            return math.floor(value) if value < 0 else math.ceil(value)
        case Rounding.HALF_EVEN:
            return round(value)


@given(amounts(), amounts(), SCALES, ROUNDINGS)
def test_division_is_the_fraction_rounded_once(
    dividend: Decimal, divisor: Decimal, scale: int, rounding: Rounding
) -> None:
    assume(divisor)
    quotient = Fraction(dividend) / Fraction(divisor) * 10**scale
    result = divide(dividend, divisor, scale=scale, rounding=rounding)
    assert Fraction(result) * 10**scale == rounded(quotient, rounding)


@given(st.integers(-1000, 1000), st.sampled_from([2, 4, 5, 8, -2, -20]), ROUNDINGS)
def test_ties_are_decided_as_named(dividend: int, divisor: int, rounding: Rounding) -> None:
    result = divide(Decimal(dividend), Decimal(divisor), scale=0, rounding=rounding)
    assert Fraction(result) == rounded(Fraction(dividend, divisor), rounding)


@given(amounts(), SCALES, ROUNDINGS)
def test_rounding_is_the_fraction_rounded_once(value: Decimal, scale: int, rounding: Rounding) -> None:
    assert Fraction(round_to(value, scale, rounding)) * 10**scale == rounded(
        Fraction(value) * 10**scale, rounding
    )


@given(amounts())
def test_normal_form_is_one_text_a_number(value: Decimal) -> None:
    text = format_amount(value)
    assert is_normal(text)
    assert Fraction(parse_amount(text)) == Fraction(value)
    assert format_amount(parse_amount(text)) == text


@given(st.text(alphabet="0123456789.-+e ", max_size=45))
def test_only_normal_form_is_normal(text: str) -> None:
    try:
        normal = format_amount(parse_amount(text))
    except ValueError:
        assert not is_normal(text)
    else:
        assert is_normal(text) == (text == normal)


@given(amounts(), amounts(), amounts())
def test_sums_and_products_are_exact(one: Decimal, two: Decimal, three: Decimal) -> None:
    with exact():
        assert Fraction(one * two + three) == Fraction(one) * Fraction(two) + Fraction(three)
