"""Figures that are kept are those that a new evaluation would give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replay.audit.evaluations import Evaluations
from replay.fold import fold
from replay.margin import Market, evaluate_account
from tests.support.events import START
from tests.support.waterfall import INSTRUMENT, Waterfall

CHANGES: dict[str, dict[str, Any]] = {
    "mark": {"MarkPriceUpdated": {"instrument": INSTRUMENT, "price": "990"}},
    "account": {"DepositRecorded": {"account": "B", "asset": "USDT", "amount": "1"}},
    "policy": {
        "RiskPolicySet": {"effective_at": START, "liquidation_boundary": "above", "margin_call_ratio": "0.01"}
    },
    "haircut": {
        "CollateralScheduleSet": {
            "asset": "USDT",
            "effective_at": START,
            "tiers": [{"value_floor": "0", "collateral_rate": "0.5"}],
        }
    },
    "nothing": {"LastPriceUpdated": {"instrument": INSTRUMENT, "price": "990"}},
    "nothing of his": {
        "FillRecorded": {
            "account": "Z",
            "instrument": INSTRUMENT,
            "side": "buy",
            "quantity": "1",
            "price": "990",
            "purpose": "adl",
        }
    },
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_evaluated_anew(change: str) -> None:
    venue = Waterfall()
    evaluations = Evaluations()
    before = fold(venue.events).state
    evaluations.enter(Market.of(before))
    first = evaluations.evaluate(before.accounts["B"], Market.of(before))
    for event_type, data in CHANGES[change].items():
        venue.add(event_type, **data)
    # The fold of the longer history makes equal records; those that no event touched are the same ones.
    state = fold(venue.events).state
    if change != "account":
        state.accounts["B"] = before.accounts["B"]
    market = Market.of(state)
    evaluations.enter(market)
    found = evaluations.evaluate(state.accounts["B"], market)
    fresh = evaluate_account(state.accounts["B"], market, with_prices=False)
    assert replace(found, sequence=0, at=START) == replace(fresh, sequence=0, at=START)
    assert (found is first) is change.startswith("nothing")


@pytest.mark.parametrize(("limit", "kept"), [(None, True), ("60", False)])
def test_time_alone_changes_something_only_where_marks_can_become_too_old(
    limit: str | None,
    kept: bool,  # noqa: FBT001 (parametrised)
) -> None:
    venue = Waterfall(policy={} if limit is None else {"mark_max_age_seconds": limit})
    state = fold(venue.events).state
    evaluations = Evaluations()
    evaluations.enter(Market.of(state))
    first = evaluations.evaluate(state.accounts["B"], Market.of(state))
    later = Market.of(state, START.replace(year=2027))
    evaluations.enter(later)
    again = evaluations.evaluate(state.accounts["B"], later)
    assert (again is first) is kept
    assert again.state == ("healthy" if kept else "undetermined")
