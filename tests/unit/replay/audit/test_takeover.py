from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.amounts import exact
from replay.audit.precision import PrintedPrecision
from replay.audit.takeover import TakenOver, liquidated_notional, printed_unit
from replay.fold import replay_events
from replay.state.venue_state import VenueState
from tests.support.events import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.events.envelope import Event
    from replay.state.records import Instrument


def total(rows: Sequence[TakenOver], account_value: Decimal, notional: Decimal) -> Decimal:
    found = liquidated_notional(rows, account_value, notional)
    assert found is not None
    with exact():
        return found.total


def test_a_long_taken_over_at_its_bankruptcy_price_comes_to_its_notional() -> None:
    assert total([TakenOver(Decimal(980), long=True)], Decimal(20), Decimal(1000)) == 1000


def test_a_short_taken_over_at_its_bankruptcy_price_comes_to_its_notional() -> None:
    assert total([TakenOver(Decimal(1020), long=False)], Decimal(20), Decimal(1000)) == 1000


def test_a_bankrupt_account_is_taken_over_beyond_the_mark() -> None:
    assert total([TakenOver(Decimal(1020), long=True)], Decimal(-20), Decimal(1000)) == 1000


@pytest.mark.parametrize(
    ("account_value", "notional", "long"),
    [(1000, 1000, True), (-1000, 1000, False), (1001, 1000, True), (0, 0, True), (5, -10, True)],
)
def test_no_notional_follows_where_there_is_no_bankruptcy_price(
    account_value: int, notional: int, *, long: bool
) -> None:
    rows = [TakenOver(Decimal(500), long=long)]
    assert liquidated_notional(rows, Decimal(account_value), Decimal(notional)) is None


def test_nothing_taken_over_has_no_notional() -> None:
    assert liquidated_notional([], Decimal(1), Decimal(100)) is None


def test_printing_explains_no_more_than_a_ten_thousandth() -> None:
    found = liquidated_notional(
        [TakenOver(Decimal(980), long=True, uncertainty=Decimal(500))],
        Decimal(20),
        Decimal(1000),
        amount_unit=Decimal("1e-6"),
    )
    assert found is not None
    assert found.tolerance == Decimal("0.100002") + Decimal("1e-18")


@pytest.mark.parametrize(
    ("amount", "listed", "unit"),
    [
        ("1.5", None, "0.01"),
        ("1.123", None, "0.001"),
        ("1000", None, "0.01"),
        ("1.123", "0.000001", "0.000001"),
    ],
)
def test_an_amount_is_printed_to_the_scale_of_its_currency_or_as_it_shows(
    amount: str, listed: str | None, unit: str
) -> None:
    given_scale = None if listed is None else Decimal(listed)
    assert printed_unit(Decimal(amount), given_scale) == Decimal(unit)


class TestPrintedPrecision:
    def test_a_price_on_the_listed_tick_is_off_by_no_more_than_the_tick(self) -> None:
        assert self._unit("27482", tick_size="0.5") == Decimal("0.5")

    def test_zeros_that_were_dropped_are_restored_from_finer_prices_of_the_instrument(self) -> None:
        assert self._unit("27482", "27000.1", "1.23456") == Decimal("0.1")

    def test_a_source_of_fixed_significant_digits_is_as_fine_as_these_say(self) -> None:
        # 18.312 of six digits is 18.3120; finer steps of the instrument are known from lower prices.
        assert self._unit("18.312", "9.87654") == Decimal("0.0001")

    def test_a_price_is_never_off_by_more_than_it_shows(self) -> None:
        assert self._unit("18.3125", "20") == Decimal("0.0001")

    def test_with_nothing_else_known_the_price_itself_says(self) -> None:
        assert self._unit("12.1137") == Decimal("0.0001")

    @staticmethod
    def _unit(price: str, *earlier: str, tick_size: str | None = None) -> Decimal:
        history = History()
        history.list_instrument(**({} if tick_size is None else {"tick_size": tick_size}))
        precision, state = PrintedPrecision(), VenueState()
        fills = [history.fill("A", "buy", "1", each) for each in (*earlier, price)]
        for fill in fills:
            precision.before(state, fill)
        return precision.unit(Decimal(price), _listed(history.events), fills[-1])


def _listed(events: list[Event]) -> Instrument:
    return replay_events(events).instruments["BTC-PERP"]
