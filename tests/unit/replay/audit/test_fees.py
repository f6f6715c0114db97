"""A fee is at most rate × notional, rounded up to one unit of its asset; a rebate at most what is given."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.events import START, History
from tests.support.findings import found, not_checked, places

CODE = "fee_beyond_schedule"
RATES = {"maker_rate": "-0.0001", "taker_rate": "0.0005", "liquidation_rate": "0.0075"}


def venue(*, scale: str | None = "2", rates: dict[str, Any] | None = None, **listing: Any) -> History:
    history = History()
    if scale is not None:
        history.add("AssetListed", asset="USDT", scale=scale)
    history.list_instrument(**listing)
    history.add("FeeScheduleSet", effective_at=START, **(rates or RATES))
    return history


def a_fill(history: History, fee: str, **more: Any) -> History:
    """Buy 1 contract at 10,001: the taker's fee is 5.0005, the maker's −1.0001."""
    history.fill("A", "buy", "1", "10001", fee=fee, fee_asset="USDT", **more)
    return history


@pytest.mark.parametrize(
    ("fee", "more"),
    [
        ("5.01", {"liquidity": "taker"}),
        ("5.01", {}),
        ("-1.01", {"liquidity": "maker"}),
        ("-1", {"liquidity": "maker"}),
        ("75.01", {"purpose": "liquidation"}),
        ("75.01", {"purpose": "adl", "liquidity": "taker"}),
    ],
)
def test_what_the_schedule_gives_rounded_up_is_no_finding(fee: str, more: dict[str, Any]) -> None:
    assert found(a_fill(venue(), fee, **more).events, CODE) == []


@pytest.mark.parametrize(
    ("fee", "more", "limit"),
    [
        ("5.02", {"liquidity": "taker"}, "5.01"),
        ("5.02", {}, "5.01"),
        ("0.01", {"liquidity": "maker"}, "0"),
        ("-1.02", {"liquidity": "maker"}, "-1.01"),
        ("-0.01", {"liquidity": "taker"}, "0"),
        ("75.02", {"purpose": "liquidation"}, "75.01"),
    ],
)
def test_one_unit_more_is_a_finding(fee: str, more: dict[str, Any], limit: str) -> None:
    history = a_fill(venue(), fee, **more)
    (finding,) = found(history.events, CODE)
    assert (finding.account, finding.instrument, finding.sequence) == ("A", "BTC-PERP", 4)
    assert (finding.recorded, finding.rebuilt) == (fee, limit)
    assert finding.evidence == (3, 4)


def test_the_instruments_own_schedule_goes_before_that_of_all() -> None:
    history = venue()
    own: dict[str, Any] = {**RATES, "taker_rate": "0.001"}
    history.add("FeeScheduleSet", instrument="BTC-PERP", effective_at=START, **own)
    assert found(a_fill(history, "10.01", liquidity="taker").events, CODE) == []


def test_without_a_listed_scale_the_fees_own_last_place_is_the_unit() -> None:
    assert found(a_fill(venue(scale=None), "5.0005").events, CODE) == []
    assert found(a_fill(venue(scale=None), "5.0006").events, CODE) != []
    # 6 may be printed as 6.00, not as whole units.
    assert found(a_fill(venue(scale=None), "6").events, CODE) != []


def test_both_sides_of_a_trade_may_pay_the_greater_rate() -> None:
    history = venue()
    trade: dict[str, Any] = {
        "instrument": "BTC-PERP",
        "quantity": "1",
        "price": "10001",
        "buyer": "A",
        "seller": "B",
    }
    more: dict[str, Any] = {"fee_asset": "USDT", "trade_id": "T1"}
    history.add("TradeExecuted", **trade, buyer_fee="5.01", seller_fee="5.02", **more)
    assert places(history.events, CODE) == [("B", 4)]


def test_an_inverse_contract_pays_on_its_value_in_the_base() -> None:
    inverse: dict[str, Any] = {"contract": "inverse", "settlement_asset": "BTC", "contract_size": "100"}
    for fee, findings in (("0.00050001", 0), ("0.00050002", 1)):
        history = venue(quote="USD", **inverse)
        history.add("AssetListed", asset="BTC", scale="8")
        # 100 USD ÷ 99.999 × 0.0005 = 0.000500005000…
        history.fill("A", "buy", "1", "99.999", fee=fee, fee_asset="BTC")
        assert len(found(history.events, CODE)) == findings


def test_what_cannot_be_compared_is_counted() -> None:
    history = venue()
    history.fill("A", "buy", "1", "10001", fee="99", fee_asset="BNB")
    history.fill("A", "buy", "1", "10001", "ETH-PERP", fee="99", fee_asset="USDT")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == [
        "1 fees are in another asset than the settlement asset",
        "1 fees are of an instrument that is not listed",
    ]
    history = History()
    history.list_instrument()
    assert not_checked(a_fill(history, "99").events, CODE) == ["1 fees have no fee schedule in force"]


def liquidated(*charges: str, account: str = "A") -> History:
    """Close 2 contracts at 10,001 in two fills: each allows 75.0075, rounded up 75.01."""
    history = venue()
    history.fill("A", "buy", "2", "10001")
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    for _ in range(2):
        history.fill("A", "sell", "1", "10001", purpose="liquidation", liquidation="L1")
        history.fill("B", "buy", "1", "10001", liquidation="L1")
    for amount in charges:
        history.add(
            "FeeCharged", account=account, asset="USDT", amount=amount, reason="liquidation", reference="L1"
        )
    return history


def test_a_liquidation_fee_is_rounded_up_for_each_fill() -> None:
    assert found(liquidated("75.01", "75.01").events, CODE) == []
    history = liquidated("75.01", "75.01", "0.01")
    (finding,) = found(history.events, CODE)
    assert (finding.account, finding.sequence) == ("A", history.events[-1].sequence)
    assert (finding.recorded, finding.rebuilt) == ("150.03", "150.02")
    assert finding.evidence == (6, 8, 10, 11, 12)


def test_a_liquidation_fee_that_is_given_back_counts_as_not_charged() -> None:
    assert found(liquidated("200", "-60").events, CODE) == []


def test_a_charge_of_somebody_else_is_no_fee_of_the_liquidation() -> None:
    assert found(liquidated("999", account="B").events, CODE) == []


def inverse_liquidated(*charges: str, scale: str | None = None) -> History:
    """Close 30 contracts of 100 USD at 23,000: 0.13043… BTC, of which 0.0075 are 0.000978260869…."""
    inverse: dict[str, Any] = {"contract": "inverse", "settlement_asset": "BTC", "contract_size": "100"}
    history = venue(scale=None, quote="USD", **inverse)
    if scale is not None:
        history.add("AssetListed", asset="BTC", scale=scale)
    history.fill("A", "buy", "30", "30000")
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    history.fill("A", "sell", "30", "23000", purpose="liquidation", liquidation="L1")
    for amount in charges:
        history.add(
            "FeeCharged", account="A", asset="BTC", amount=amount, reason="liquidation", reference="L1"
        )
    return history


@pytest.mark.parametrize(
    ("charges", "rebuilt"),
    [
        (("0.00097827",), None),
        (("0.00097828",), "0.00097827"),
        (("0.0099",), "0.001"),
        # The finest charge shows the unit; the coarser one may have had superfluous zeros.
        (("0.0009", "0.00007827"), None),
        (("0.0009", "0.00007828"), "0.00097827"),
    ],
)
def test_a_liquidation_fee_in_an_asset_that_is_not_listed_is_rounded_by_its_own_last_place(
    charges: tuple[str, ...], rebuilt: str | None
) -> None:
    limits = [finding.rebuilt for finding in found(inverse_liquidated(*charges).events, CODE)]
    assert limits == ([] if rebuilt is None else [rebuilt])


def test_a_liquidation_fee_in_a_listed_asset_is_rounded_by_its_scale() -> None:
    assert found(inverse_liquidated("0.001", scale="3").events, CODE) == []
    assert found(inverse_liquidated("0.001", scale="6").events, CODE) != []


@pytest.mark.parametrize("contract", ["linear", "inverse"])
def test_fees_on_options_are_not_judged_by_the_premium(contract: str) -> None:
    option: dict[str, Any] = {"kind": "option", "contract": contract, "index": "BTC", "strike": "40000"}
    asset = "USDT" if contract == "linear" else "BTC"
    more: dict[str, Any] = {"option_type": "call", "settlement_asset": asset}
    history = venue(**option, **more, expires_at=START + timedelta(days=30))
    history.fill("A", "buy", "1", "0.05", fee="0.005", fee_asset=asset)
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    history.fill("A", "sell", "1", "0.05", purpose="liquidation", liquidation="L1")
    history.add("FeeCharged", account="A", asset=asset, amount="1", reason="liquidation", reference="L1")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == [
        "2 fees are on options, whose fees on the underlying are not modelled"
    ]
