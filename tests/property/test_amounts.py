"""Exact decimals against fractions, for every rounding."""

from __future__ import annotations

import math
import re
from decimal import Decimal, Inexact, getcontext
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.amounts import Rounding, divide, exact, format_amount, is_normal, parse_amount, round_to
from ledger.errors import AmountError
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
    assert not (result.is_zero() and result.is_signed())


@given(amounts(), amounts(), SCALES, ROUNDINGS)
def test_division_is_the_same_in_every_context(
    dividend: Decimal, divisor: Decimal, scale: int, rounding: Rounding
) -> None:
    assume(divisor)
    outside = divide(dividend, divisor, scale=scale, rounding=rounding)
    with exact():
        assert divide(dividend, divisor, scale=scale, rounding=rounding) == outside


def test_an_exact_function_called_by_another_stays_exact_and_leaves_the_context_as_it_was() -> None:
    @exact()
    def inner() -> Decimal:
        return Decimal(10) ** 60 + Decimal(1)

    @exact()
    def outer() -> Decimal:
        return inner() + Decimal(1)

    assert outer() == 10**60 + 2
    assert getcontext().prec == 28
    with pytest.raises(Inexact), exact():
        Decimal(1) / Decimal(3)
    assert getcontext().prec == 28


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


def written_out(text: str) -> str | None:
    """The normal form by arithmetic on integers; None where the text is no amount or out of range."""
    form = re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]+))?", text, re.ASCII)
    if form is None:
        return None
    fraction = (form[3] or "").rstrip("0")
    scaled = int(form[2] + fraction)
    if len(fraction) > 18 or len(str(scaled)) > 38:
        return None
    whole, rest = divmod(scaled, 10 ** len(fraction))
    sign = "-" if form[1] and scaled else ""
    return f"{sign}{whole}.{rest:0{len(fraction)}}" if fraction else f"{sign}{whole}"


PIECES = st.sampled_from(["0", "1", "00", "12345", "9" * 18, "9" * 38, "-", "+", ".", "e", " ", "\n", "٣"])


@given(st.one_of(st.lists(PIECES, max_size=6).map("".join), st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,20})?")))
def test_reading_an_amount_is_arithmetic_on_its_digits(text: str) -> None:
    expected = written_out(text)
    if expected is None:
        with pytest.raises(AmountError):
            parse_amount(text)
    else:
        assert format_amount(parse_amount(text)) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=None) | amounts())
def test_an_amount_has_the_text_of_its_digits(value: Decimal) -> None:
    expected = written_out(f"{value:f}") if abs(value.adjusted()) < 100 else None
    if expected is None:
        with pytest.raises(AmountError):
            format_amount(value)
    else:
        assert format_amount(value) == expected


@given(amounts(), amounts(), amounts())
def test_sums_and_products_are_exact(one: Decimal, two: Decimal, three: Decimal) -> None:
    with exact():
        assert Fraction(one * two + three) == Fraction(one) * Fraction(two) + Fraction(three)
