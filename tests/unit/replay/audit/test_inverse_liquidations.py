"""Liquidations of inverse contracts are judged like all others: 200,000 USD long at 40,000 with 0.2 BTC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from replay.audit import audit
from tests.support.events import History

INVERSE = "BTC-INVERSE"
# 200,000 ÷ (0.2 + 5) = 38,461.53…, on the tick against the trader; the boundary is 1.005 times as high.
BANKRUPTCY = "38462"


def liquidated(mark: str, price: str, *, bankruptcy: str = BANKRUPTCY) -> list[tuple[str, str | None]]:
    history = History(valuation_currency="BTC")
    history.add("SourceDeclared", source="venue", coverage="complete", description="")
    history.add("AssetListed", asset="BTC", scale="8")
    terms = {"contract": "inverse", "base": "BTC", "quote": "USD", "settlement_asset": "BTC"}
    history.list_instrument(INVERSE, contract_size="100", tick_size="0.5", **terms)
    history.schedule(INVERSE, ("0", None, "0.005", "0", "100"))
    history.policy()
    for account, kind, amount in (
        ("F", "insurance_fund", "10"),
        ("A", "customer", "0.2"),
        ("B", "customer", "10"),
    ):
        history.add("AccountOpened", account=account, margin_mode="cross", position_mode="one_way", kind=kind)
        history.deposit(account, amount, "BTC")
    history.mark("40000", INVERSE)
    trade(history, "A", "buy", "B", "40000")
    history.mark(mark, INVERSE)
    takeover: dict[str, Any] = {
        "instrument": INVERSE,
        "quantity": "2000",
        "price": price,
        "bankruptcy_price": bankruptcy,
        "counterparty_account": "F",
        "trade_ids": ["T2"],
    }
    with_notional = Decimal(200_000) / Decimal(mark)
    value = Decimal("0.2") + Decimal(5) - with_notional
    history.add(
        "LiquidationExecuted",
        liquidation="L1",
        account="A",
        scope="account",
        notional=str(round(with_notional, 8)),
        account_value=str(round(value, 8)),
        takeovers=[takeover],
    )
    trade(history, "A", "sell", "F", price, trade_id="T2", purpose="liquidation", liquidation="L1")
    return [(finding.code, finding.account) for finding in audit(history.events).findings]


def trade(history: History, one: str, side: str, other: str, price: str, **more: str) -> None:
    more.setdefault("trade_id", "T1")
    opposite = "sell" if side == "buy" else "buy"
    for account, taken in ((one, side), (other, opposite)):
        history.fill(account, taken, "2000", price, INVERSE, system="venue", **more)


def test_at_its_bankruptcy_price_there_is_nothing_to_say() -> None:
    assert liquidated("38600", "38462") == []


def test_a_takeover_away_from_it_is_found() -> None:
    assert ("takeover_price_wrong", "A") in liquidated("38600", "38300")


def test_a_recorded_bankruptcy_price_that_is_another_is_found() -> None:
    assert ("bankruptcy_price_differs", "A") in liquidated("38600", "38462", bankruptcy="38300")


def test_the_boundary_is_that_of_the_reciprocal_price() -> None:
    """38,461.53… × 1.005 = 38,653.84…"""
    unjustified = ("liquidation_unjustified", "A")
    assert unjustified not in liquidated("38653.5", "38462")
    assert unjustified in liquidated("38654", "38462")
