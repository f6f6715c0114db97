from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ledger.amounts import ZERO
from ledger.events.cash import FundingPaid, FundingSettled
from replay.state import FundingSchedule
from replay.venue.funding import funding_rate
from tests.support.venue import START, TestVenue, figures, payloads


@pytest.mark.parametrize(
    ("premium", "rate"),
    [("0", "0.0001"), ("0.0004", "0.0001"), ("0.001", "0.0005"), ("-0.001", "-0.0005"), ("0.0006", "0.0001")],
)
def test_the_rate_is_the_premium_and_the_clamped_interest(premium: str, rate: str) -> None:
    schedule = FundingSchedule(
        0, datetime(2026, 1, 1, tzinfo=UTC), Decimal(28800), Decimal("0.0001"), Decimal("0.0005")
    )
    assert funding_rate(schedule, Decimal(premium)) == Decimal(rate)


def venue_with_positions() -> TestVenue:
    venue = TestVenue(fund="90000")
    venue.record(
        "FundingScheduleSet",
        effective_at=START,
        interval_seconds="28800",
        interest_rate="0.0001",
        clamp="0.0005",
    )
    for account in ("A", "B", "M"):
        venue.open(account, "5000")
    venue.trade("A", "M", "1.234567", "1000")
    venue.trade("B", "M", "2.000001", "1000")
    return venue


def test_longs_pay_shorts_and_what_rounding_leaves_over_goes_to_the_house() -> None:
    venue = venue_with_positions()
    outcome = venue.fund_interval("0.00050001")
    (settled,) = payloads(outcome.drafts, FundingSettled)
    assert figures(settled.rate, settled.mark_price) == (Decimal("0.0001"), 1000)
    paid = {each.account: each.amount for each in payloads(outcome.drafts, FundingPaid)}
    # 0.1234567 and 0.2000001 rounded up; the short receives 0.3234568 rounded down.
    assert paid == {"A": Decimal("0.123457"), "B": Decimal("0.200001"), "M": Decimal("-0.323456")}
    assert venue.wallet("house") == sum(paid.values(), ZERO) == Decimal("0.000002")


def test_the_premium_is_taken_from_mark_and_index() -> None:
    venue = venue_with_positions()
    assert venue.fund_interval().refusal is not None
    venue.record("IndexPriceUpdated", index="BTC", price="1002")
    (settled,) = payloads(venue.fund_interval().drafts, FundingSettled)
    # (1000 − 1002) ÷ 1002 = −0.00199601; the clamp adds 0.0005.
    assert settled.rate == Decimal("-0.00149601")


def test_funding_can_bring_an_account_over_the_boundary() -> None:
    venue = TestVenue(fund="90000")
    venue.record(
        "FundingScheduleSet", effective_at=START, interval_seconds="28800", interest_rate="0", clamp="0"
    )
    venue.open("A", "1000")
    venue.open("M", "10000")
    venue.trade("A", "M", "10", "1000")
    venue.mark("950")  # 500 against 475
    types = [draft.type for draft in venue.fund_interval("0.003").drafts]  # costs 28.5
    assert types[:3] == ["FundingSettled", "FundingPaid", "FundingPaid"]
    assert "LiquidationStarted" in types
