from __future__ import annotations

from decimal import Decimal

import pytest

from replay.margin import allocated_value, bankruptcy_price, quantity_to_close


def test_the_account_value_is_shared_in_proportion_to_requirement_rounded_down() -> None:
    assert allocated_value(Decimal(100), Decimal(1), Decimal(3)) == Decimal("33.333333333333333333")
    assert allocated_value(Decimal(-100), Decimal(1), Decimal(3)) == Decimal("-33.333333333333333334")
    assert allocated_value(Decimal(100), Decimal(3), Decimal(3)) == Decimal(100)


@pytest.mark.parametrize(
    ("size", "price"), [("3", "66.666666666666666667"), ("-3", "133.333333333333333333")]
)
def test_a_bankruptcy_price_is_rounded_against_the_trader(size: str, price: str) -> None:
    assert bankruptcy_price(Decimal(100), Decimal(size), Decimal(100)) == Decimal(price)


def test_no_quantity_covers_a_shortage_where_fees_eat_the_freed_margin() -> None:
    with pytest.raises(ValueError, match="frees no margin"):
        quantity_to_close(Decimal(10), Decimal(100), Decimal("0.02"), Decimal("0.01"), Decimal("0.01"))
