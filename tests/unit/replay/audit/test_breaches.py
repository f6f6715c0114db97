from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from ledger.events.registry import PAYLOADS
from replay.audit.breaches import Breach, BreachLog
from replay.audit.units import REACH, Unit, UnitTracker
from replay.fold import fold
from replay.margin import evaluate_account
from tests.support.events import START, History

CROSS = Unit("A")
# What names an account, an instrument or an asset and yet moves nobody across the boundary.
ASSERT_ONLY = {
    "AccountStateReported",
    "AssetListed",
    "ClockSynchronised",
    "ExportIssued",
    "FeeScheduleSet",
    "FundingScheduleSet",
    "FundingSettled",
    "LastPriceUpdated",
    "LegalHoldPlaced",
    "LegalHoldReleased",
    "LiquidationExecuted",
    "LiquidationStarted",
    "MarginCallCured",
    "MarginCallIssued",
    "OrderAccepted",
    "OrderCancelled",
    "OrderRejected",
    "PositionAutoDeleveraged",
    "ReserveAttested",
    "RestoreAccepted",
    "SigningKeyRegistered",
    "SigningKeyRetired",
    "SourceDeclared",
    "SourceTotalsReported",
    "StateCommitted",
}


def since(history: History, unit: Unit = CROSS) -> Breach | None:
    breaches = BreachLog()
    fold(history.events, after=(UnitTracker(breaches).after,))
    return breaches.since(unit)


def long_of_thirty(deposit: str) -> History:
    history = History()
    history.list_instrument()
    history.deposit("A", deposit)
    history.fill("A", "buy", "30", "100")
    return history


def test_every_event_type_has_a_reach_or_asserts_only() -> None:
    assert REACH.keys() | ASSERT_ONLY == PAYLOADS.keys()
    assert not REACH.keys() & ASSERT_ONLY


def test_a_schedule_whose_maintenance_margin_jumps_is_evaluated_at_every_mark() -> None:
    history = long_of_thirty("130")
    history.schedule("BTC-PERP", ("0", "3000", "0.01", "0", "50"), ("3000", None, "0.05", "0", "10"))
    history.mark("99")
    assert since(history) is None
    history.mark("100.5")  # a gain of 45, and 121 more maintenance margin
    breach = since(history)
    assert breach is not None
    assert breach.sequence == history.events[-1].sequence


def test_a_schedule_that_comes_into_force_begins_a_breach_at_the_next_event_of_any_kind() -> None:
    history = long_of_thirty("300")
    history.schedule()
    history.mark("100")
    history.schedule("BTC-PERP", ("0", None, "0.2", "0", "5"), effective_at=START + timedelta(minutes=1))
    history.mark("100.01")
    assert since(history) is None
    later = history.add(
        "FundingSettled", instrument="BTC-PERP", rate="0", occurred_at=START + timedelta(minutes=1)
    )
    breach = since(history)
    assert breach is not None
    assert breach.sequence == later.sequence


def test_what_is_not_known_is_no_breach() -> None:
    history = long_of_thirty("1")
    history.mark("50")
    assert since(history) is None  # no schedule
    history.schedule()
    assert since(history) is not None


def test_an_isolated_position_and_the_cross_account_are_two_units() -> None:
    history = History()
    history.list_instrument()
    history.list_instrument("ETH-PERP")
    history.schedule()
    history.schedule("ETH-PERP")
    history.add("MarginModeSet", account="A", instrument="ETH-PERP", margin_mode="isolated")
    history.deposit("A", "1000")
    history.add("MarginAdjusted", account="A", instrument="ETH-PERP", amount="10", reason="entry")
    history.fill("A", "buy", "1", "1000")
    history.fill("A", "buy", "1", "1000", "ETH-PERP")
    history.mark("1000")
    history.mark("990", "ETH-PERP")
    assert since(history) is None
    assert since(history, Unit("A", ("ETH-PERP", "both"))) is not None


def test_the_evidence_is_the_event_and_what_it_was_judged_by() -> None:
    history = long_of_thirty("40")
    history.schedule()
    history.policy()
    history.mark("100")
    history.mark("99")
    breach = since(history)
    assert breach is not None
    schedule, policy, _, mark = (event.sequence for event in history.events[-4:])
    assert breach.evidence == (mark, schedule, policy, mark)
    assert breach.policy_recorded


def test_marks_inside_the_band_cost_no_evaluation() -> None:
    history = long_of_thirty("3000")
    history.schedule()
    history.mark("100")
    for price in range(90, 110):
        history.mark(str(price))
    with patch("replay.audit.units.evaluate_account", wraps=evaluate_account) as evaluated:
        since(history)
    # The schedule, the first mark, and nothing for the twenty that follow.
    assert evaluated.call_count == 2


def test_the_other_side_of_a_one_sided_fill_is_followed_where_it_was_opened_as_a_customer() -> None:
    history = History()
    history.add("SourceDeclared", source="feed", coverage="one_sided", description="")
    history.list_instrument()
    history.schedule()
    history.mark("100")
    history.deposit("external/feed", "1")
    fill: dict[str, Any] = {
        "account": "A",
        "instrument": "BTC-PERP",
        "side": "buy",
        "quantity": "30",
        "price": "100",
    }
    mirrored = history.add("FillRecorded", system="feed", purpose="trade", **fill)
    breach = since(history, Unit("external/feed"))
    assert breach is not None
    assert breach.sequence == mirrored.sequence


def test_a_mark_of_zero_of_an_inverse_contract_is_cured_by_the_next_one() -> None:
    history = History(valuation_currency="BTC")
    terms = {"contract": "inverse", "base": "BTC", "quote": "USD", "settlement_asset": "BTC"}
    history.list_instrument("BTC-INV", contract_size="100", **terms)
    history.schedule("BTC-INV")
    history.deposit("A", "0.1", "BTC")
    history.fill("A", "buy", "300", "30000", "BTC-INV")
    for price in ("0", "30000", "20000"):
        history.mark(price, "BTC-INV")
    breach = since(history)
    assert breach is not None
    assert breach.sequence == len(history.events) - 1


def test_who_holds_long_options_alone_is_followed_too() -> None:
    history = History()
    history.list_instrument("BTC-C", kind="option", index="BTC", strike="100", option_type="call")
    history.deposit("A", "10")
    history.mark("30", "BTC-C")
    history.fill("A", "buy", "1", "30", "BTC-C")
    assert since(history) is None
    history.mark("19", "BTC-C")
    assert since(history) is not None
