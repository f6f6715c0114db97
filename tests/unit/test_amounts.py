from __future__ import annotations

from decimal import Decimal, FloatOperation, Inexact

import pytest

from ledger.amounts import (
    Rounding,
    divide,
    exact,
    format_amount,
    format_exact,
    is_normal,
    parse_amount,
    read_amount,
    round_to,
)
from ledger.errors import AmountError

NORMAL_FORM_OF = {
    "0": "0",
    "-0": "0",
    "000": "0",
    "-0.000": "0",
    "1.50": "1.5",
    "0100": "100",
    "100": "100",
    "-007.700": "-7.7",
    "0.1": "0.1",
    "9" * 38: "9" * 38,
    "0." + "0" * 17 + "1": "0." + "0" * 17 + "1",
    "-" + "9" * 20 + "." + "9" * 18: "-" + "9" * 20 + "." + "9" * 18,
    "0" * 50 + "1." + "0" * 50: "1",
}
NOT_PLAIN_DECIMALS = [
    "", " ", "1 ", " 1", "1\n", "+1", "--1", "-", ".", ".5", "5.", "1e3", "1E-2", "1_000", "1,000", "1.2.3",
    "0x10", "NaN", "Infinity", "-inf", "١٢", "１", "²", "1\u200b", "−1",
]  # fmt: skip
OUT_OF_RANGE = ["1" + "0" * 38, "9" * 39, "0." + "0" * 18 + "1", "9" * 21 + "." + "9" * 18]


@pytest.mark.parametrize(("text", "normal"), NORMAL_FORM_OF.items())
def test_a_plain_decimal_is_read_into_its_normal_form(text: str, normal: str) -> None:
    assert format_amount(parse_amount(text)) == normal
    assert is_normal(normal)
    assert is_normal(text) == (text == normal)


@pytest.mark.parametrize("text", NOT_PLAIN_DECIMALS)
def test_only_plain_ascii_decimals_are_amounts(text: str) -> None:
    with pytest.raises(AmountError, match="is not a plain decimal"):
        parse_amount(text)
    assert not is_normal(text)


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_more_than_38_digits_or_18_after_the_point_are_refused(text: str) -> None:
    with pytest.raises(AmountError, match=r"more than (38 significant digits|18 digits after the point)"):
        parse_amount(text)
    assert not is_normal(text)
    with pytest.raises(AmountError):
        format_amount(Decimal(text))


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_has_no_text(value: str) -> None:
    with pytest.raises(AmountError, match="not a finite number"):
        format_amount(Decimal(value))


@pytest.mark.parametrize("value", ["1E+38", "1E+999999999999", "1E-19", "1E-999999999999"])
def test_an_exponent_out_of_range_is_refused_without_writing_the_number_out(value: str) -> None:
    with pytest.raises(AmountError):
        format_amount(Decimal(value))
    with pytest.raises(AmountError):
        read_amount(value)


def test_exponents_within_range_are_written_out() -> None:
    assert format_amount(Decimal("1E+37")) == "1" + "0" * 37
    assert format_amount(Decimal("1E-18")) == "0.000000000000000001"
    assert format_amount(Decimal("-0E+999999999999")) == "0"
    assert format_exact(Decimal("1.2300E+2")) == "123"


@pytest.mark.parametrize(
    ("text", "value"),
    [("-6.876e-05", "-0.00006876"), (" 1E3 ", "1000"), ("+2.50", "2.5"), ("0E+999999999999", "0")],
)
def test_foreign_numbers_may_have_exponents(text: str, value: str) -> None:
    assert format_amount(read_amount(text)) == value


@pytest.mark.parametrize("text", ["", "NaN", "inf", "1_0", "١", "1e", "0x1", "one", "1e9999999999999999999"])
def test_foreign_text_that_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        read_amount(text)


def test_exact_arithmetic_raises_rather_than_rounds() -> None:
    with exact():
        assert Decimal("9" * 38) * Decimal("9" * 38) == int("9" * 38) ** 2
        with pytest.raises(Inexact):
            Decimal(1) / Decimal(3)
        with pytest.raises(FloatOperation):
            Decimal(1) < 0.5  # noqa: B015 (it raises)


@pytest.mark.parametrize(
    ("rounding", "up", "down"),
    [
        (Rounding.HALF_EVEN, "0.3", "-0.3"),
        (Rounding.DOWN, "0.3", "-0.3"),
        (Rounding.UP, "0.4", "-0.4"),
        (Rounding.FLOOR, "0.3", "-0.4"),
        (Rounding.CEILING, "0.4", "-0.3"),
    ],
)
def test_division_rounds_as_named(rounding: Rounding, up: str, down: str) -> None:
    assert divide(Decimal(1), Decimal(3), scale=1, rounding=rounding) == Decimal(up)
    assert divide(Decimal(1), Decimal(-3), scale=1, rounding=rounding) == Decimal(down)


def test_a_tie_goes_to_the_even_neighbour() -> None:
    halves = {"0.5": "0", "1.5": "2", "2.5": "2", "-0.5": "0", "-1.5": "-2", "-2.5": "-2"}
    for value, rounded in halves.items():
        assert round_to(Decimal(value), 0, Rounding.HALF_EVEN) == Decimal(rounded)
        assert divide(Decimal(value), Decimal(1), scale=0, rounding=Rounding.HALF_EVEN) == Decimal(rounded)


def test_division_by_zero_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        divide(Decimal(1), Decimal("0.00"), scale=2, rounding=Rounding.DOWN)


def test_rounding_leaves_what_is_short_enough_alone() -> None:
    assert str(round_to(Decimal("1.50"), 2, Rounding.UP)) == "1.50"
    assert str(round_to(Decimal("1E+5"), 2, Rounding.UP)) == "1E+5"
