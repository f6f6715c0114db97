"""Takeovers at bankruptcy prices, made forwards and read backwards."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.amounts import Rounding, divide, exact
from replay.audit.takeover import TakenOver, liquidated_notional

amounts = st.integers(1, 10**12).map(lambda number: Decimal(number) / 1_000_000)
positions = st.lists(st.tuples(amounts, st.booleans(), st.integers(1, 50)), min_size=1, max_size=5)


@given(positions, st.integers(-99, 99))
def test_by_maintenance_margin_every_position_comes_to_its_mark_notional(
    drawn: list[tuple[Decimal, bool, int]], percent: int
) -> None:
    with exact():
        notional = sum((mark for mark, _, _ in drawn), Decimal(0))
        account_value = notional * Decimal(percent) * Decimal("0.0001")
        margins = [mark * Decimal(rate) * Decimal("0.001") for mark, _, rate in drawn]
        whole = sum(margins, Decimal(0))
        rows = []
        for (mark, long, _), margin in zip(drawn, margins, strict=True):
            share = divide(account_value * margin, whole, scale=40, rounding=Rounding.HALF_EVEN)
            rows.append(TakenOver(mark - share if long else mark + share, long, Decimal(0), mark, margin))
        found = liquidated_notional(rows, account_value, notional)
        assert found is not None
        same_rate = len({rate for _, _, rate in drawn}) == 1
        assert found.by_maintenance_margin == (not same_rate)
        for row, (mark, _, _) in zip(found.at_mark, drawn, strict=True):
            assert abs(row - mark) <= Decimal("1e-17") * 5
        assert abs(found.total - notional) <= found.tolerance


@given(positions, st.integers(-99, 99), st.integers(5, 12))
def test_prices_cut_to_so_many_digits_stay_within_the_tolerance(
    drawn: list[tuple[Decimal, bool, int]], percent: int, digits: int
) -> None:
    # The drawn amount is the mark price and the drawn integer the quantity.
    with exact():
        notional = sum((mark * quantity for mark, _, quantity in drawn), Decimal(0))
        account_value = notional * Decimal(percent) * Decimal("0.001")
        rows = []
        for mark, long, quantity in drawn:
            behind = mark * Decimal(percent) * Decimal("0.001")
            price = mark - behind if long else mark + behind
            places = digits - 1 - price.adjusted()
            printed = divide(price, Decimal(1), scale=places, rounding=Rounding.DOWN)
            rows.append(TakenOver(printed * quantity, long, Decimal(1).scaleb(-places) * quantity))
        found = liquidated_notional(rows, account_value, notional)
        assert found is not None
        assert abs(found.total - notional) <= found.tolerance
