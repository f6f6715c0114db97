from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.amounts import exact
from replay.margin import entry_price, released_cost, signed_cost, signed_value


def test_a_linear_long_is_worth_quantity_times_size_times_price() -> None:
    with exact():
        assert signed_value("linear", Decimal("2.5"), Decimal("0.1"), Decimal("30000.5")) == Decimal(
            "7500.125"
        )
        assert signed_value("linear", Decimal("-2.5"), Decimal("0.1"), Decimal("30000.5")) == Decimal(
            "-7500.125"
        )


def test_the_pnl_of_an_inverse_long_is_its_face_value_times_the_difference_of_reciprocal_prices() -> None:
    """DOMAIN §2: PnL = s·Q·(1/EP − 1/P)."""
    with exact():
        cost = signed_value("inverse", Decimal(100), Decimal(100), Decimal(8000))
        value = signed_value("inverse", Decimal(100), Decimal(100), Decimal(10000))
        assert value - cost == Decimal("0.25")


def test_the_two_sides_of_a_trade_have_costs_that_cancel_however_fine_the_numbers() -> None:
    fine = Decimal("0.000000000000000003")
    with exact():
        for contract in ("linear", "inverse"):
            buyer = signed_cost(contract, fine, Decimal("0.7"), Decimal("1.3"))
            assert buyer + signed_cost(contract, -fine, Decimal("0.7"), Decimal("1.3")) == 0


def test_a_cost_is_rounded_half_even_to_eighteen_places() -> None:
    with exact():
        assert signed_cost("linear", Decimal("0.000000000000000001"), Decimal("0.5"), Decimal(1)) == 0
        assert signed_cost("linear", Decimal("0.000000000000000003"), Decimal("0.5"), Decimal(1)) == Decimal(
            "0.000000000000000002"
        )


def test_released_cost_is_pro_rata_and_a_full_close_releases_all_of_it() -> None:
    with exact():
        assert released_cost(Decimal(100), Decimal(3), Decimal(1)) == Decimal("33.333333333333333333")
        assert released_cost(Decimal("66.666666666666666667"), Decimal(2), Decimal(2)) == Decimal(
            "66.666666666666666667"
        )


@pytest.mark.parametrize(
    ("contract", "cost", "price"), [("linear", "300", "150"), ("inverse", "-0.02", "100")]
)
def test_the_entry_price_follows_from_the_cost(contract: str, cost: str, price: str) -> None:
    assert entry_price(contract, Decimal(2), Decimal(1), Decimal(cost)) == Decimal(price)  # type: ignore[arg-type]


def test_there_is_no_entry_price_without_quantity_and_a_linear_one_may_be_zero() -> None:
    assert entry_price("linear", Decimal(0), Decimal(1), Decimal(0)) is None
    assert entry_price("linear", Decimal(2), Decimal(1), Decimal(0)) == 0
    assert entry_price("inverse", Decimal(2), Decimal(1), Decimal(0)) is None


def test_an_inverse_contract_has_no_value_at_price_zero() -> None:
    with exact(), pytest.raises(ZeroDivisionError):
        signed_value("inverse", Decimal(1), Decimal(1), Decimal(0))
