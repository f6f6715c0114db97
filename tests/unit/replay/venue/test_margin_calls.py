from decimal import Decimal
from typing import Any

from ledger.events.liquidations import MarginCallCured, MarginCallIssued
from tests.support.venue import TestVenue, figures, payloads, types


def venue_with_a_long(**policy: Any) -> TestVenue:
    """A is long 10 at 1,000 with 1,500; at a mark of 944 he has 940 against a requirement of 472."""
    venue = TestVenue(fund="90000", **policy)
    venue.open("A", "1500")
    venue.open("M", "10000")
    venue.trade("A", "M", "10", "1000")
    return venue


def test_a_call_is_issued_once_when_the_ratio_is_reached_and_says_what_cures_it() -> None:
    venue = venue_with_a_long(margin_call_ratio="0.5")
    assert types(venue.mark("945")) == ["MarkPriceUpdated"]
    (call,) = payloads(venue.mark("944").drafts, MarginCallIssued)
    assert (call.account, call.instrument, call.margin_ratio) == ("A", None, Decimal("0.502127659574"))
    assert call.required == Decimal("4.000001")
    assert types(venue.mark("943.5")) == ["MarkPriceUpdated"]


def test_a_deposit_of_the_amount_required_cures_a_call_and_a_smaller_one_does_not() -> None:
    venue = venue_with_a_long(margin_call_ratio="0.5")
    venue.mark("944")
    assert types(venue.deposit("A", "4")) == ["DepositRecorded"]  # exactly at the ratio
    outcome = venue.deposit("A", "0.000001")
    assert types(outcome) == ["DepositRecorded", "MarginCallCured"]
    assert payloads(outcome.drafts, MarginCallCured)[0].required == 0


def test_a_rising_price_and_a_smaller_position_cure_a_call_too() -> None:
    venue = venue_with_a_long(margin_call_ratio="0.5")
    venue.mark("944")
    assert types(venue.mark("946"))[-1] == "MarginCallCured"
    venue.mark("944")
    venue.order("M", "buy", "10", "944")
    assert types(venue.order("A", "sell", "10"))[-1] == "MarginCallCured"


def test_without_a_ratio_nobody_is_called() -> None:
    venue = venue_with_a_long()
    assert types(venue.mark("900")) == ["MarkPriceUpdated"]


def test_a_liquidation_ends_a_call_without_curing_it() -> None:
    venue = venue_with_a_long(margin_call_ratio="0.5")
    venue.mark("944")
    assert "MarginCallCured" not in types(venue.mark("890"))
    assert types(venue.deposit("A", "1")) == ["DepositRecorded"]


def test_an_isolated_position_is_called_by_its_instrument() -> None:
    venue = TestVenue(fund="90000", margin_call_ratio="0.6")
    venue.open("A", "1000", mode="isolated")
    venue.open("M", "10000")
    venue.trade("A", "M", "10", "1000")
    (call,) = payloads(venue.mark("980").drafts, MarginCallIssued)  # 800, 490
    assert (call.account, call.instrument) == ("A", "BTC-PERP")
    venue.order("M", "buy", "10", "980")
    (cured,) = payloads(venue.order("A", "sell", "10").drafts, MarginCallCured)
    assert figures(cured.instrument, cured.margin_ratio) == ("BTC-PERP", 0)


def test_the_insurance_fund_is_neither_called_nor_liquidated() -> None:
    venue = TestVenue(fund="700", margin_call_ratio="0.5")
    venue.open("A", "1000")
    venue.open("M", "10000")
    venue.trade("A", "M", "10", "1000")
    venue.mark("940")
    assert venue.held("fund") == 10
    assert types(venue.mark("500")) == ["MarkPriceUpdated"]
    venue.order("M", "buy", "10", "500")
    assert types(venue.order("fund", "sell", "10", "500", reduce_only=True))[-1] == "FillRecorded"
    assert venue.held("fund") == 0
