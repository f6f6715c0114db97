from __future__ import annotations

from typing import Any

import pytest

from replay.findings import Severity
from tests.support.decisions import DecidingVenue

DIFFER = "decision_figures_differ"


def decided(margin: str = "1000", *, isolated: bool = False, **figures: Any) -> DecidingVenue:
    # At 49,200: collateral value 200, maintenance margin 246, ratio 1.23.
    venue = DecidingVenue(policy={}, isolated=isolated, margin=margin)
    venue.mark(10, "49200")
    venue.start(11, **figures)
    return venue


@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_figures_of_the_state_are_right(isolated: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = decided(isolated=isolated, mark_price="49200", margin_ratio="1.23")
    assert venue.found(DIFFER) == ()
    assert venue.reasons(DIFFER) == []


@pytest.mark.parametrize(
    ("figures", "recorded", "rebuilt"),
    [
        ({"mark_price": "49200.1"}, "49200.1", "49200"),
        ({"margin_ratio": "1.2200001"}, "1.2200001", "1.23"),
        ({"mark_price": "49199", "margin_ratio": "1.300001"}, "49199, 1.300001", "49200, 1.23"),
    ],
)
def test_other_figures_are_an_error(figures: dict[str, Any], recorded: str, rebuilt: str) -> None:
    venue = decided(**figures)
    (finding,) = venue.found(DIFFER)
    mark, started = venue.history.events[-2:]
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.sequence) == ("A", started.sequence)
    assert (finding.recorded, finding.rebuilt) == (recorded, rebuilt)
    assert {mark.sequence, started.sequence} < set(finding.evidence)


@pytest.mark.parametrize(
    ("margin", "ratio", "findings"),
    [
        ("1000.5", "1.22", 0),  # 246 ÷ 200.5 = 1.22693…, cut to two places
        ("1000.5", "1.23", 0),  # or rounded
        ("1000.5", "1.24", 1),
        ("1000", "1.230001", 0),
        ("1000", "1.2300011", 1),
        ("1000", "1.229999", 0),
        ("1000", "1.23000000009", 0),  # finer than is asked for
    ],
)
def test_a_ratio_may_be_off_by_one_unit_in_its_last_place(margin: str, ratio: str, findings: int) -> None:
    assert len(decided(margin, margin_ratio=ratio).found(DIFFER)) == findings


def test_the_state_is_the_one_before_the_decision() -> None:
    venue = DecidingVenue(policy={})
    venue.mark(10, "49200")
    venue.mark(11, "49100")
    venue.start(12, mark_price="49200")
    venue.mark(13, "49200")
    assert len(venue.found(DIFFER)) == 1


def test_the_mark_of_several_positions_without_a_name_is_not_checked() -> None:
    venue = DecidingVenue(policy={})
    venue.history.list_instrument("ETH-PERP")
    venue.history.fill("A", "buy", "1", "100", "ETH-PERP")
    venue.mark(20, "49200")
    venue.start(21, "L1", mark_price="1")
    assert venue.found(DIFFER) == ()
    assert "mark price" in venue.reasons(DIFFER)[0]
    venue.start(22, "L2", mark_price="1", instrument="BTC-PERP")
    assert len(venue.found(DIFFER)) == 1


def test_what_is_undetermined_or_leaves_no_ratio_is_not_checked() -> None:
    without = DecidingVenue(policy={}, schedule=False)
    without.mark(10, "49200")
    nothing = DecidingVenue(policy={})
    nothing.mark(10, "49000")
    for venue in (without, nothing):
        venue.start(11, margin_ratio="5")
        assert venue.found(DIFFER) == ()
        assert "margin ratio" in venue.reasons(DIFFER)[0]
