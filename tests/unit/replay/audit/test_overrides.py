"""What is set or corrected by hand takes somebody else's approval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.events import History, event_id
from tests.support.findings import found

CODE = "override_unapproved"
OVERRIDE: dict[str, Any] = {"instrument": "BTC-PERP", "kind": "mark", "price": "1", "reason": "feed down"}
CORRECTION = {"corrects": event_id(0), "action": "void", "reason": "typing mistake"}


@pytest.mark.parametrize(
    ("approvers", "findings"),
    [([], 1), (["trader"], 1), (["trader", "trader"], 1), (["risk"], 0), (["trader", "risk"], 0)],
)
@pytest.mark.parametrize(
    ("event_type", "data"), [("PriceOverridden", OVERRIDE), ("CorrectionRecorded", CORRECTION)]
)
def test_an_override_or_correction_is_approved_by_another_than_its_actor(
    event_type: str, data: dict[str, Any], approvers: list[str], findings: int
) -> None:
    history = History()
    history.add(event_type, **data, approvers=approvers)
    history.events[1] = replace(history.events[1], actor="trader")
    unapproved = found(history.events, CODE)
    assert [(each.sequence, each.evidence) for each in unapproved] == [(1, (1,))] * findings
    assert {each.instrument for each in unapproved} <= {data.get("instrument")}


def test_an_approver_of_an_event_that_names_no_actor_is_taken_as_another() -> None:
    history = History()
    history.add("PriceOverridden", **OVERRIDE, approvers=["risk"])
    assert found(history.events, CODE) == []
