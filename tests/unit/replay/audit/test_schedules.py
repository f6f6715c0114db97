"""A schedule that contradicts itself is recorded as sent, and found."""

from __future__ import annotations

from typing import Any

import pytest

from replay.audit import audit
from tests.support.events import History

FIELDS = ("notional_floor", "notional_cap", "maintenance_margin_rate", "maintenance_amount", "max_leverage")
GOOD: list[dict[str, Any]] = [
    dict(zip(FIELDS, ("0", "50", "0.01", "0", "50"), strict=True)),
    dict(zip(FIELDS, ("50", None, "0.03", "1", "20"), strict=True)),
]
EFFECTIVE = "2026-01-01T00:00:00Z"


def findings(*tiers: dict[str, Any]) -> list[str]:
    history = History()
    history.add("MarginScheduleSet", instrument="BTC-PERP", effective_at=EFFECTIVE, tiers=list(tiers))
    return [each.message for each in audit(history.events).findings if each.code == "schedule_inconsistent"]


def test_a_schedule_whose_requirement_is_continuous_is_no_finding() -> None:
    assert findings(*GOOD) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"maintenance_amount": "2"},
            "tier 2 has the maintenance amount 2, a continuous requirement takes 1",
        ),
        (
            {"notional_floor": "60", "maintenance_amount": "1.2"},
            "tier 2 begins at 60, the one before ends at 50",
        ),
        ({"notional_cap": "50"}, "tier 2 has the cap 50 on the floor 50"),
    ],
)
def test_a_second_tier_that_does_not_continue_the_first_is_named(
    change: dict[str, Any], problem: str
) -> None:
    (message,) = findings(GOOD[0], {**GOOD[1], **change})
    assert problem in message


def test_a_schedule_without_tiers_or_not_from_zero_is_named() -> None:
    assert "it has no tiers" in findings()[0]
    assert "tier 1 begins at 50, not at 0" in findings(GOOD[1])[0]


def test_a_tier_after_one_without_a_cap_is_named() -> None:
    assert "tier 2 follows one without a cap" in findings(GOOD[1], GOOD[1])[0]


def test_assertions_that_no_check_compares_are_named_with_their_number() -> None:
    history = History()
    for _ in range(2):
        history.add("AccountStateReported", account="A17", wallet_balance={"USD": "999999"})
    reasons = [each.reason for each in audit(history.events).not_checked]
    assert "2 AccountStateReported were not compared with what is rebuilt" in reasons
