"""Numbers that venues and open-source engines publish; each test names its source."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.amounts import Rounding, exact, read_amount, round_to
from replay.fold import replay_events
from replay.margin import (
    Leg,
    bankruptcy_notional,
    evaluate,
    initial_margin,
    insurance_fund_change,
    maintenance_amounts,
    maintenance_margin,
    quantity_to_close,
    threshold_prices,
)
from replay.margin.closed_forms import (
    inverse_bankruptcy_price_by_leverage,
    inverse_bankruptcy_price_with_fee,
    inverse_liquidation_price_with_fee,
    liquidation_price_with_fee,
    to_tick,
)
from replay.state import MarginTier
from tests.support.events import History

if TYPE_CHECKING:
    from pathlib import Path

WALLET = Decimal("1535443.01")
BINANCE = {
    "ETHUSDT": ("3683.979", "1456.84", "1335.18", "0.1", "135365"),
    "BTCUSDT": ("109.488", "32481.98", "31967.27", "0.025", "16300"),
}


def cents(price: Decimal | None) -> Decimal:
    assert price is not None
    return round_to(price, 2, Rounding.HALF_EVEN)


def flat(rate: str, amount: str = "0", leverage: str = "100") -> tuple[MarginTier, ...]:
    return (MarginTier(Decimal(0), None, Decimal(rate), Decimal(amount), Decimal(leverage)),)


def binance_account(margin_mode: str, isolated: str | None = None) -> History:
    history = History()
    for instrument, (quantity, entry, mark, rate, amount) in BINANCE.items():
        history.list_instrument(instrument)
        history.schedule(instrument, ("0", None, rate, amount, "20"))
        history.mark(mark, instrument)
        if isolated in (None, instrument):
            history.add("MarginModeSet", account="A", instrument=instrument, margin_mode=margin_mode)
            history.fill("A", "buy", quantity, entry, instrument)
    history.deposit("A", str(WALLET))
    return history


def test_binance_faq_cross_liquidation_prices_of_two_longs() -> None:
    """Binance FAQ on the liquidation price of USDⓈ-M futures; freqtrade tests/exchange/test_binance.py."""
    account = evaluate(replay_events(binance_account("cross").events), "A")
    assert {each.instrument: cents(each.liquidation_price) for each in account.positions} == {
        "ETHUSDT": Decimal("1153.26"),
        "BTCUSDT": Decimal("26316.89"),
    }


@pytest.mark.parametrize(("instrument", "published"), [("ETHUSDT", "1114.78"), ("BTCUSDT", "18778.73")])
def test_binance_faq_isolated_liquidation_price(instrument: str, published: str) -> None:
    """The same example with the whole wallet as isolated margin; freqtrade tests/exchange/test_binance.py."""
    history = binance_account("isolated", instrument)
    history.add("MarginAdjusted", account="A", instrument=instrument, amount=str(WALLET), reason="allocation")
    (position,) = evaluate(replay_events(history.events), "A").positions
    assert cents(position.liquidation_price) == Decimal(published)


def test_bybit_linear_liquidation_price() -> None:
    """Bybit help centre: 1 BTC at 20,000, 50 times, 0.5 % of the entry value; LP = EP − (IM − MM)/q."""
    margin = initial_margin(Decimal(20000), Decimal(50))
    required = maintenance_margin(flat("0.005"), Decimal(20000))
    leg = Leg(size=Decimal(1), cost=Decimal(20000))
    assert threshold_prices(margin, required, (leg,), Decimal(20000)).below == Decimal(19700)


@pytest.mark.parametrize(
    ("amount", "exactly", "published"),
    [("11.605", "33599.42", "33599.40"), ("11.81", "33578.8597", "33578.8597")],
)
def test_binance_coin_margined_liquidation_price(amount: str, exactly: str, published: str) -> None:
    """Binance developer forum 6292: 101 BTC, long 10 M USD at 45,000, 12.5 %; two tables, two prices.

    Published with the older table's cents cut to a tick; which table was in force decides by 20 USD.
    """
    history = History(valuation_currency="BTC")
    history.list_instrument(
        "BTCUSD_PERP",
        contract="inverse",
        base="BTC",
        quote="USD",
        settlement_asset="BTC",
        contract_size="100",
        tick_size="0.1",
    )
    history.schedule("BTCUSD_PERP", ("0", None, "0.125", amount, "4"))
    history.deposit("A", "101", "BTC")
    history.fill("A", "buy", "100000", "45000", "BTCUSD_PERP")
    history.mark("45000", "BTCUSD_PERP")
    (position,) = evaluate(replay_events(history.events), "A").positions
    price = position.liquidation_price
    assert price is not None
    scale = -int(Decimal(exactly).as_tuple().exponent)
    assert round_to(price, scale, Rounding.HALF_EVEN) == Decimal(exactly)
    assert abs(price - Decimal(published)) < Decimal("0.1")


def test_bybit_inverse_liquidation_with_a_closing_fee() -> None:
    """Bybit help centre, inverse: 10,000 USD at 8,000 with 0.5 BTC, 0.5 % of the entry value, fee 0.075 %."""
    face, entry, wallet = Decimal(10000), Decimal(8000), Decimal("0.5")
    fee = Decimal("0.00075")
    bankruptcy = inverse_bankruptcy_price_with_fee(face, entry, wallet, fee)
    assert cents(bankruptcy) == Decimal("5718.57")
    liquidation = inverse_liquidation_price_with_fee(face, entry, wallet, Decimal("0.005"), fee)
    assert cents(liquidation) == Decimal("5739.08")
    assert to_tick(liquidation, Decimal("0.5"), up=True) == Decimal("5739.50")


def test_without_a_fee_the_closed_form_of_bybit_is_what_the_general_search_finds() -> None:
    """The same position, maintenance margin on the entry value by policy."""
    history = History(valuation_currency="BTC")
    history.policy(maintenance_basis="entry")
    inverse = {"contract": "inverse", "base": "BTC", "quote": "USD", "settlement_asset": "BTC"}
    history.list_instrument("BTCUSD", **inverse)
    history.schedule("BTCUSD", ("0", None, "0.005", "0", "100"))
    history.deposit("A", "0.5", "BTC")
    history.fill("A", "buy", "10000", "8000", "BTCUSD")
    history.mark("8000", "BTCUSD")
    (position,) = evaluate(replay_events(history.events), "A").positions
    terms = (Decimal(10000), Decimal(8000), Decimal("0.5"))
    free = Decimal(0)
    assert position.liquidation_price == inverse_liquidation_price_with_fee(*terms, Decimal("0.005"), free)
    assert position.bankruptcy_price == inverse_bankruptcy_price_with_fee(*terms, free)


def test_bybit_inverse_bankruptcy_price_by_leverage() -> None:
    """Bybit help centre, inverse: 7890.08 at 50 times → 7735.37; on the tick, against the trader, 7735.5."""
    price = inverse_bankruptcy_price_by_leverage(Decimal("7890.08"), Decimal(50), long=True)
    assert cents(price) == Decimal("7735.37")
    assert to_tick(price, Decimal("0.5"), up=True) == Decimal("7735.5")


@pytest.mark.parametrize("quantity", ["2", "-2"])
def test_a_fee_of_okx_is_a_higher_rate_in_the_general_search(quantity: str) -> None:
    """OKX, Gate: LP = (EP ∓ margin/q) / (1 ∓ (mmr + fee)) (DOMAIN §2)."""
    size, entry = Decimal(quantity), Decimal(30000)
    price = liquidation_price_with_fee(entry, Decimal(3000), size, Decimal("0.005"), Decimal("0.0005"))
    leg = Leg(size=size, cost=size * entry, tiers=flat("0.0055"))
    found = threshold_prices(Decimal(3000), Decimal(0), (leg,), entry)
    assert price == (found.below if size > 0 else found.above)


def test_nautilus_margin_models() -> None:
    """nautilus_trader test_margin_models.py: 80,000 at 3 %, and that by a leverage of 50."""
    with exact():
        margin = maintenance_margin(flat("0.03"), Decimal(80000))
    assert margin == Decimal(2400)
    assert initial_margin(margin, Decimal(50)) == Decimal(48)


def test_dydx_bankruptcy_price_of_a_whole_position() -> None:
    """dYdX v4 protocol/x/clob/keeper/liquidations_test.go: long 0.1 BTC at 50,000 with −4,501 USDC."""
    notional = Decimal(5000)
    requirement = Decimal(500)
    assert bankruptcy_notional(-notional, Decimal(499), -requirement, requirement) == Decimal(4501)


@pytest.mark.parametrize(("fee", "published"), [("0.005", "28.05"), ("0.025", "140.25"), ("1", "510")])
def test_dydx_insurance_fund_change(fee: str, published: str) -> None:
    """dYdX v4 liquidations_test.go: sold for 5,610 against a bankruptcy price of 5,100."""
    assert insurance_fund_change(Decimal(fee), Decimal(5610), Decimal(5100)) == Decimal(published)


def test_drift_quantity_that_covers_a_shortage() -> None:
    """Drift protocol-v2 math/liquidation/tests.rs: shortage 10, ratio 10 %, fee 1 %, price 100 → 10/9."""
    assert quantity_to_close(Decimal(10), Decimal(100), Decimal("0.1"), Decimal("0.01")) == Decimal(
        "1.111111111111111112"
    )


@pytest.mark.parametrize("date", ["2022-02-12", "2022-11-25", "2024-08-08", "2025-10-09"])
def test_binance_maintenance_amounts_follow_the_recursion_on_every_row(shared_data: Path, date: str) -> None:
    """Leverage brackets published by Binance: cum_n = cum_(n−1) + floor_n × (rate_n − rate_(n−1))."""
    path = shared_data / "binance_tiers" / f"binance_leverage_tiers_{date}.json.gz"
    table = json.loads(gzip.decompress(path.read_bytes()), parse_float=str, parse_int=str)
    rows = 0
    for symbol, published in table.items():
        info = [row["info"] for row in published]
        tiers = [
            MarginTier(
                read_amount(row["notionalFloor"]),
                None,
                read_amount(row["maintMarginRatio"]),
                Decimal(0),
                Decimal(1),
            )
            for row in info
        ]
        assert maintenance_amounts(tiers) == [read_amount(row["cum"]) for row in info], symbol
        rows += len(tiers)
    assert rows > 100
