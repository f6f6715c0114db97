from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from replay.margin import DEFAULT_POLICY, margin_state

POLICY = replace(DEFAULT_POLICY, warning_ratio=Decimal("0.5"), margin_call_ratio=Decimal("0.8"))
STRICT = replace(POLICY, liquidation_boundary="above")


@pytest.mark.parametrize(
    ("value", "required", "state"),
    [
        ("100", "49.999999999999999999", "healthy"),
        ("100", "50", "warning"),
        ("100", "80", "margin_call"),
        ("100", "99.999999999999999999", "margin_call"),
        ("100", "100", "liquidatable"),
        ("0", "1", "liquidatable"),
        ("-0.000000000000000001", "1", "bankrupt"),
        ("-1", "0", "bankrupt"),
        ("0", "0", "healthy"),
    ],
)
def test_states_begin_at_equality_with_their_threshold(value: str, required: str, state: str) -> None:
    assert margin_state(Decimal(value), Decimal(required), POLICY) == state


@pytest.mark.parametrize(
    ("required", "state"), [("100", "margin_call"), ("100.000000000000000001", "liquidatable")]
)
def test_under_the_boundary_above_equality_does_not_liquidate(required: str, state: str) -> None:
    """dYdX v4: liquidatable iff MMR > 0 and MMR > total net collateral."""
    assert margin_state(Decimal(100), Decimal(required), STRICT) == state


def test_without_recorded_thresholds_nobody_is_warned_or_called() -> None:
    assert margin_state(Decimal(100), Decimal("99.9"), DEFAULT_POLICY) == "healthy"
    assert margin_state(Decimal(100), Decimal(100), DEFAULT_POLICY) == "liquidatable"
