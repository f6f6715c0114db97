"""Inverse contracts: settled in the base, straight lines in the reciprocal price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.amounts import Rounding, divide, exact
from replay.fold import replay_events
from replay.margin import AccountMargin, PositionMargin, evaluate
from tests.support.events import History

INVERSE = {"contract": "inverse", "quote": "USD", "settlement_asset": "BTC", "contract_size": "100"}


def venue(currency: str = "BTC", *tiers: tuple[str, str | None, str, str, str], **more: str) -> History:
    history = History(valuation_currency=currency)
    history.list_instrument("BTC-INVERSE", base="BTC", **INVERSE)
    history.schedule("BTC-INVERSE", *tiers, **more)
    return history


def evaluated(history: History) -> tuple[AccountMargin, PositionMargin]:
    margin = evaluate(replay_events(history.events), "A")
    (position,) = margin.positions
    return margin, position


def test_a_long_in_figures() -> None:
    history = venue("BTC", ("0", None, "0.005", "0", "50"))
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "200", "40000", "BTC-INVERSE")  # 20,000 USD
    history.mark("50000", "BTC-INVERSE")
    margin, position = evaluated(history)
    assert position.notional == Decimal("0.4")
    assert position.unrealised_pnl == Decimal("0.1")  # 20,000 × (1/40,000 − 1/50,000)
    assert position.entry_price == Decimal(40000)
    assert margin.maintenance_margin == Decimal("0.002")
    assert margin.initial_margin == Decimal("0.008")
    assert margin.collateral_value == Decimal("1.1")
    assert margin.state == "healthy"
    assert margin.notes[0].code == "no_risk_policy"


def test_the_liquidation_price_is_the_published_formula() -> None:
    """LP = Q·(mmr + s) / (WB + cum + s·Q/EP) (Binance COIN-M)."""
    history = venue("BTC", ("0", None, "0.005", "0", "50"))
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "2000", "40000", "BTC-INVERSE")
    history.mark("40000", "BTC-INVERSE")
    _, position = evaluated(history)
    with exact():
        quantity = Decimal(200_000)
        expected = divide(
            quantity * Decimal("1.005"), Decimal(1) + Decimal(5), scale=18, rounding=Rounding.FLOOR
        )
    assert position.liquidation_price == position.liquidation_price_below == expected
    assert position.liquidation_price_above is None
    assert position.bankruptcy_price == Decimal("33333.333333333333333334")


def test_a_short_is_liquidated_by_a_rise_and_may_have_no_price_at_all() -> None:
    history = venue("BTC", ("0", None, "0.005", "0", "50"))
    history.deposit("A", "1", "BTC")
    history.fill("A", "sell", "2000", "40000", "BTC-INVERSE")
    history.mark("40000", "BTC-INVERSE")
    _, position = evaluated(history)
    assert position.liquidation_price == position.liquidation_price_above == Decimal(49750)
    assert position.bankruptcy_price == Decimal(50000)
    hedged = venue("BTC", ("0", None, "0.005", "0", "50"))
    hedged.deposit("A", "6", "BTC")  # more than the 5 bitcoin that were sold
    hedged.fill("A", "sell", "2000", "40000", "BTC-INVERSE")
    hedged.mark("40000", "BTC-INVERSE")
    _, position = evaluated(hedged)
    assert position.liquidation_price is None
    assert position.bankruptcy_price is None


def test_the_next_tier_is_searched_in_the_reciprocal_price() -> None:
    """A fall makes the notional in bitcoin grow; the price is found in the tier that holds there."""
    tiers = (("0", "5", "0.004", "0", "125"), ("5", None, "0.1", "0.48", "20"))
    history = venue("BTC", *tiers)
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "2000", "40000", "BTC-INVERSE")
    history.mark("41000", "BTC-INVERSE")
    margin, position = evaluated(history)
    assert margin.maintenance_margin == Decimal("0.019512195121951219512")  # 4.878… × 0.004
    expected = divide(Decimal(200_000) * Decimal("1.1"), Decimal("6.48"), scale=18, rounding=Rounding.FLOOR)
    assert position.liquidation_price == expected


@pytest.mark.parametrize("quote", ["USD", None])
def test_tiers_may_be_in_the_quote_or_in_the_settlement_asset(quote: str | None) -> None:
    """One rate without an amount requires the same either way."""
    more = {} if quote is None else {"notional_asset": quote}
    history = venue("BTC", ("0", None, "0.005", "0", "50"), **more)
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "2000", "40000", "BTC-INVERSE")
    history.mark("40000", "BTC-INVERSE")
    margin, position = evaluated(history)
    assert margin.maintenance_margin == Decimal("0.025")
    assert position.liquidation_price == Decimal(33500)


def test_tiers_in_the_quote_are_chosen_by_face_value_whatever_the_price() -> None:
    tiers = (("0", "100000", "0.004", "0", "125"), ("100000", None, "0.01", "600", "50"))
    history = venue("BTC", *tiers, notional_asset="USD")
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "2000", "40000", "BTC-INVERSE")
    for price in ("40000", "90000"):
        history.mark(price, "BTC-INVERSE")
        margin, position = evaluated(history)
        required = divide(Decimal(1400), Decimal(price), scale=18, rounding=Rounding.UP)
        assert margin.maintenance_margin == required  # 200,000 × 1 % − 600, through the mark
    expected = divide(Decimal(200_000 + 1400), Decimal(6), scale=18, rounding=Rounding.FLOOR)
    assert position.liquidation_price == expected


def test_amounts_are_in_the_valuation_currency() -> None:
    history = venue("USD", ("0", None, "0.005", "0", "50"))
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USD", price="50000")
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "200", "40000", "BTC-INVERSE")
    history.mark("50000", "BTC-INVERSE")
    margin, position = evaluated(history)
    assert position.notional == Decimal(20000)
    assert position.unrealised_pnl == Decimal(5000)
    assert margin.equity == Decimal(55000)
    assert margin.maintenance_margin == Decimal(100)


def test_an_isolated_inverse_position_stands_on_its_margin() -> None:
    history = venue("BTC", ("0", None, "0.005", "0", "50"))
    history.add("MarginModeSet", account="A", instrument="BTC-INVERSE", margin_mode="isolated")
    history.deposit("A", "5", "BTC")
    history.add("MarginAdjusted", account="A", instrument="BTC-INVERSE", amount="1", reason="open")
    history.fill("A", "buy", "2000", "40000", "BTC-INVERSE")
    history.mark("40000", "BTC-INVERSE")
    _, position = evaluated(history)
    assert position.liquidation_price == Decimal(33500)
    assert position.bankruptcy_price == Decimal("33333.333333333333333334")


def test_maintenance_on_the_entry_value_does_not_move_with_the_mark() -> None:
    history = venue("BTC", ("0", None, "0.005", "0", "50"))
    history.policy(maintenance_basis="entry")
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "2000", "40000", "BTC-INVERSE")
    for price in ("40000", "80000"):
        history.mark(price, "BTC-INVERSE")
        assert evaluated(history)[0].maintenance_margin == Decimal("0.025")


def test_a_mark_of_zero_says_nothing() -> None:
    history = venue("BTC", ("0", None, "0.005", "0", "50"))
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "200", "40000", "BTC-INVERSE")
    history.mark("0", "BTC-INVERSE")
    margin, _ = evaluated(history)
    assert margin.state == "undetermined"
    assert "mark_price_without_value" in {note.code for note in margin.notes}
