from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import InvalidInputError
from replay.venue import Outcome
from tests.support.venue import START, TestVenue


def set_policy(venue: TestVenue, **terms: Any) -> Outcome:
    return venue.record("RiskPolicySet", **{"effective_at": START, "liquidation_boundary": "at", **terms})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("waterfall", ["insurance_fund", "order_book", "socialised_loss"]),
        ("waterfall", ["order_book", "insurance_fund", "adl"]),
        ("waterfall", ["order_book", "auction", "socialised_loss"]),
        ("waterfall", []),
        ("adl_rank", "alphabetical"),
        ("bankruptcy_allocation", "equally"),
        ("partial_fraction", "1.5"),
        ("margin_call_ratio", "1"),
    ],
)
def test_a_policy_that_the_engine_does_not_carry_out_is_refused(field: str, value: object) -> None:
    venue = TestVenue()
    before = venue.engine.state.sequence
    with pytest.raises(InvalidInputError) as refused:
        set_policy(venue, **{field: value})
    assert refused.value.place == (field,)
    assert refused.value.next_step is not None
    assert venue.engine.state.sequence == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": "open_interest_scaled"}, "model"),
        ({"notional_asset": "BTC"}, "notional_asset"),
        ({"parameters": {"lower_cap": "1"}}, "parameters"),
        ({"tiers": []}, "tiers"),
    ],
)
def test_a_margin_schedule_that_the_engine_does_not_carry_out_is_refused(
    change: dict[str, Any], field: str
) -> None:
    venue = TestVenue()
    tier = {
        "notional_floor": "0",
        "maintenance_margin_rate": "0.1",
        "maintenance_amount": "0",
        "max_leverage": "5",
    }
    with pytest.raises(InvalidInputError) as refused:
        venue.record(
            "MarginScheduleSet",
            **{"instrument": "BTC-PERP", "effective_at": START, "tiers": [tier], **change},
        )
    assert refused.value.place == (field,)


def test_how_long_the_engine_may_take_is_recorded_and_changes_nothing() -> None:
    venue = TestVenue()
    set_policy(venue, engine_max_latency_seconds="0.5")
    policy = venue.engine._venue.policy()
    assert policy.max_latency_seconds == Decimal("0.5")
    assert venue.engine.state.risk_policies[-1].engine_max_latency_seconds == Decimal("0.5")


def venue_with_a_long() -> TestVenue:
    venue = TestVenue(fund="90000")
    venue.open("A", "1000")
    venue.open("M", "90000")
    venue.trade("A", "M", "10", "1000")
    return venue


def test_a_new_policy_acts_at_once() -> None:
    outcome = set_policy(venue_with_a_long(), margin_call_ratio="0.45")
    assert [draft.type for draft in outcome.drafts] == ["RiskPolicySet", "MarginCallIssued"]


def test_a_policy_for_later_acts_from_its_effective_time_on() -> None:
    venue = venue_with_a_long()
    set_policy(venue, margin_call_ratio="0.45", effective_at=START + timedelta(hours=1))
    assert [draft.type for draft in venue.mark("1000").drafts] == ["MarkPriceUpdated"]
    later = venue.mark("1000", after=3600)
    assert [draft.type for draft in later.drafts] == ["MarkPriceUpdated", "MarginCallIssued"]


def test_a_stricter_margin_schedule_liquidates_at_once() -> None:
    venue = venue_with_a_long()
    tier = {
        "notional_floor": "0",
        "maintenance_margin_rate": "0.1",
        "maintenance_amount": "0",
        "max_leverage": "5",
    }
    outcome = venue.record("MarginScheduleSet", instrument="BTC-PERP", effective_at=START, tiers=[tier])
    assert [draft.type for draft in outcome.drafts][:2] == ["MarginScheduleSet", "LiquidationStarted"]
