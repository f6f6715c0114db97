"""A schedule that contradicts itself is recorded as sent, and found."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.audit import audit
from replay.margin import OpenInterestMargin, PortfolioTerms
from tests.support.events import History
from tests.support.findings import found

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


def test_leverage_that_opens_with_less_than_is_to_be_maintained_is_named() -> None:
    assert findings({**GOOD[0], "max_leverage": "100"}, GOOD[1]) == []
    (message,) = findings({**GOOD[0], "max_leverage": "100.1"}, GOOD[1])
    assert "tier 1 requires 0.01 to maintain what leverage 100.1 opens with less" in message


OPEN_INTEREST = {
    "base_initial_margin_fraction": "0.05",
    "maintenance_fraction": "0.6",
    "open_interest_lower_cap": "1000",
    "open_interest_upper_cap": "5000",
}
PORTFOLIO = {"price_range": "0.16", "price_steps": "9", "minimum_rate": "0", "initial_factor": "1"}


def of_model(model: str, parameters: dict[str, Any], *tiers: dict[str, Any]) -> list[str]:
    history = History()
    history.add(
        "MarginScheduleSet",
        instrument="BTC-PERP",
        effective_at=EFFECTIVE,
        model=model,
        tiers=list(tiers),
        parameters=parameters,
    )
    return [each.message for each in found(history.events, "schedule_inconsistent")]


def test_parameters_in_their_range_are_no_finding_and_need_no_tiers() -> None:
    assert of_model("open_interest_scaled", OPEN_INTEREST) == []
    equal = {**OPEN_INTEREST, "open_interest_upper_cap": "1000", "maintenance_fraction": "1"}
    assert of_model("open_interest_scaled", equal, *GOOD) == []
    assert of_model("portfolio", {"price_range": "0.16", "price_steps": "1"}) == []


@pytest.mark.parametrize("missing", OPEN_INTEREST)
def test_every_parameter_of_open_interest_is_needed(missing: str) -> None:
    given = {name: value for name, value in OPEN_INTEREST.items() if name != missing}
    (message,) = of_model("open_interest_scaled", given)
    assert f"the parameter {missing} is missing" in message


@pytest.mark.parametrize(
    ("model", "change", "problem"),
    [
        ("open_interest_scaled", {"base_initial_margin_fraction": "0"}, "is 0, not above 0 and at most 1"),
        ("open_interest_scaled", {"maintenance_fraction": "1.01"}, "is 1.01, not above 0 and at most 1"),
        ("open_interest_scaled", {"open_interest_lower_cap": "5001"}, "5001 is above open_interest_upper"),
        ("portfolio", {"price_range": "1"}, "price_range is 1, not between 0 and 1"),
        ("portfolio", {"price_range": "0"}, "price_range is 0, not between 0 and 1"),
        ("portfolio", {"price_steps": "0"}, "price_steps is 0, not a whole number from 1 to 100"),
        ("portfolio", {"price_steps": "4.5"}, "price_steps is 4.5, not a whole number"),
        ("portfolio", {"price_steps": "101"}, "price_steps is 101, not a whole number"),
        ("portfolio", {"minimum_rate": "-0.01"}, "minimum_rate is -0.01, below 0"),
        ("portfolio", {"initial_factor": "0.99"}, "initial_factor is 0.99, below 1"),
        ("open_interest_scaled", {"open_interest_lower_cap": "-1"}, "open_interest_lower_cap is -1, below 0"),
    ],
)
def test_parameters_out_of_their_range_are_named(model: str, change: dict[str, Any], problem: str) -> None:
    good = OPEN_INTEREST if model == "open_interest_scaled" else PORTFOLIO
    (message,) = of_model(model, {**good, **change})
    assert problem in message


_NUMBERS = st.sampled_from(["-1", "0", "0.01", "0.16", "0.5", "1", "1.3", "4.5", "9", "100", "101"])


@given(st.dictionaries(st.sampled_from([*OPEN_INTEREST, *PORTFOLIO]), _NUMBERS))
@settings(deadline=None)
def test_parameters_are_named_just_where_they_state_no_terms(parameters: dict[str, str]) -> None:
    exactly = {name: Decimal(value) for name, value in parameters.items()}
    by_interest, by_grid = OpenInterestMargin.of(exactly), PortfolioTerms.of(exactly)
    assert bool(of_model("open_interest_scaled", parameters)) == (by_interest is None)
    assert bool(of_model("portfolio", parameters)) == (by_grid is None)


POLICY = {"warning_ratio": "0.8", "margin_call_ratio": "0.9", "partial_fraction": "0.2"}


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        (POLICY, None),
        ({"warning_ratio": "0.9", "margin_call_ratio": "0.9"}, None),
        ({"warning_ratio": "0.91", "margin_call_ratio": "0.9"}, "the warning ratio 0.91 is above"),
        ({"margin_call_ratio": "1"}, "the margin call ratio is 1, where liquidation has begun"),
        ({"partial_fraction": "1"}, None),
        ({"partial_fraction": "1.1"}, "the partial fraction is 1.1, above 1"),
        ({"waterfall": ["order_book", "adl"]}, None),
        ({"waterfall": ["adl", "order_book"]}, "the waterfall is adl, order_book; the order is order_book, "),
        ({"waterfall": ["adl", "adl"]}, "the waterfall is adl, adl"),
        ({"waterfall": ["order_book", "prayer"]}, "the waterfall has steps that are not known: prayer"),
        ({"adl_rank": "price_leverage"}, None),
        ({"adl_rank": "alphabet"}, "the ADL rank alphabet is not known"),
        ({"bankruptcy_allocation": "notional"}, None),
        ({"bankruptcy_allocation": "maintenance"}, None),
        ({"bankruptcy_allocation": "equally"}, "the bankruptcy allocation equally is not known"),
        ({"loss_allocation": "equity"}, None),
        ({"loss_allocation": "equally"}, "the loss allocation equally is not known"),
    ],
)
def test_a_policy_that_contradicts_itself_is_named(terms: dict[str, Any], problem: str | None) -> None:
    history = History()
    history.policy(**terms)
    messages = [each.message for each in found(history.events, "schedule_inconsistent")]
    assert len(messages) == (problem is not None)
    assert all(problem is not None and problem in message for message in messages)


def test_assertions_that_no_check_compares_are_named_with_their_number() -> None:
    history = History()
    roots: dict[str, Any] = dict.fromkeys(("state_root", "liabilities_root", "subjects_root"), "0" * 64)
    state: dict[str, Any] = {
        "as_of_sequence": "0",
        "projection": "margin",
        "projection_version": "2",
        "totals": {},
    }
    for _ in range(2):
        history.add("StateCommitted", **state, **roots)
    reasons = [each.reason for each in audit(history.events).not_checked]
    assert "2 StateCommitted were not compared with what is rebuilt" in reasons
