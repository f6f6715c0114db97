from __future__ import annotations

from decimal import Decimal

import pytest

from replay.cli.text import amounts, figure, fixed, percent, price, seconds, table


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "0.00"),
        ("1234567.891", "1,234,567.89"),
        ("0.125", "0.1250"),
        ("-0.00012345678", "-0.0001235"),
        ("2.345", "2.34"),
        ("2.355", "2.36"),
        ("1e-18", "0.000000000000000001"),
    ],
)
def test_amounts_are_rounded_half_even_and_small_ones_keep_what_counts(value: str, shown: str) -> None:
    assert figure(Decimal(value)) == shown
    assert figure(Decimal(value), "USD") == f"{shown} USD"


def test_what_is_unknown_is_never_shown_as_a_number() -> None:
    assert {figure(None), figure(None, "USD"), percent(None), price(None), seconds(None), fixed(None, 4)} == {
        "–"
    }


@pytest.mark.parametrize(
    ("value", "shown"), [("0.13", "13.00 %"), ("1.589655611974", "158.97 %"), ("-0.5", "-50.00 %")]
)
def test_ratios_are_percentages(value: str, shown: str) -> None:
    assert percent(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("25125.628140703517587940", "25,125.63"),
        ("0.000012345678", "0.0000123457"),
        ("65570.4", "65,570.4"),
        ("0", "0"),
    ],
)
def test_prices_show_six_digits_that_count(value: str, shown: str) -> None:
    assert price(Decimal(value)) == shown


def test_durations_and_fixed_scales() -> None:
    assert seconds(Decimal("0.1200004")) == "0.12 s"
    assert seconds(Decimal(30)) == "30 s"
    assert fixed(Decimal("-0.00249"), 4) == "-0.0025"


def test_amounts_by_asset_stand_in_order_on_one_line() -> None:
    assert amounts({"USDT": Decimal(2), "BTC": Decimal("0.5")}) == "0.5000 BTC, 2.00 USDT"
    assert amounts({}) == "nothing"


def test_a_table_aligns_names_left_and_figures_right() -> None:
    assert table(("name", "n"), [("a", "1"), ("long name", "100")]).splitlines() == [
        "name         n",
        "a            1",
        "long name  100",
    ]
