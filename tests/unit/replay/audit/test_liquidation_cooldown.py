from __future__ import annotations

from typing import Any

import pytest

from replay.findings import Severity
from tests.support.decisions import DecidingVenue

COOLDOWN = "liquidation_during_cooldown"


def partly_liquidated(*, isolated: bool = False, **terms: Any) -> DecidingVenue:
    """Two tenths are closed at 11 seconds, which is not enough; the fund takes a moment longer."""
    policy = {"partial_fraction": "0.2", "cooldown_seconds": "30", **terms}
    venue = DecidingVenue(policy=policy, isolated=isolated)
    venue.mark(10, "49050")
    venue.start(11, "L1")
    venue.execute(11, "0.2", "49050", "L1")
    if isolated:
        venue.add("MarginAdjusted", 11, account="A", instrument="BTC-PERP", amount="10", reason="released")
    return venue


@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_a_further_liquidation_in_the_cooldown_is_an_error(isolated: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = partly_liquidated(isolated=isolated)
    first = [event.sequence for event in venue.history.events if event.data.__class__.__name__[:4] == "Liqu"]
    started = venue.start("40.999999", "L2")
    venue.execute(45, "0.8", "49050", "L2")
    (finding,) = venue.found(COOLDOWN)
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.sequence) == ("A", started.sequence)
    assert finding.instrument == ("BTC-PERP" if isolated else None)
    assert {*first, started.sequence} < set(finding.evidence)
    assert (finding.recorded, finding.rebuilt) == ("29.999999", "30")


def test_at_the_end_of_the_cooldown_it_may_go_on() -> None:
    venue = partly_liquidated()
    venue.start(41, "L2")
    venue.execute(41, "0.8", "49050", "L2")
    assert venue.found(COOLDOWN) == ()


def test_the_cooldown_runs_from_the_last_fill() -> None:
    venue = DecidingVenue(policy={"partial_fraction": "0.2", "cooldown_seconds": "30"})
    venue.mark(10, "49050")
    venue.execute(11, "0.1", "49050", "L1")
    venue.add(
        "FillRecorded", 13, account="A", instrument="BTC-PERP", side="sell", quantity="0.1", price="49050",
        purpose="liquidation", liquidation="L1",
    )  # fmt: skip
    venue.execute(42, "0.8", "49050", "L2")
    assert len(venue.found(COOLDOWN)) == 1


def test_a_recovery_in_between_does_not_end_the_cooldown() -> None:
    venue = partly_liquidated()
    venue.mark(15, "49900")
    venue.mark(20, "49050")
    venue.start(21, "L2")
    assert len(venue.found(COOLDOWN)) == 1


@pytest.mark.parametrize(("mark", "findings"), [("48987.5", 0), ("48988", 1)])
def test_who_is_worth_nothing_is_not_left_alone(mark: str, findings: int) -> None:
    # 50 are left at 49,050, and 0.8 BTC.
    venue = partly_liquidated()
    venue.mark(20, mark)
    venue.start(21, "L2")
    assert len(venue.found(COOLDOWN)) == findings


def test_after_a_liquidation_of_all_there_is_no_cooldown() -> None:
    venue = DecidingVenue(policy={"partial_fraction": "0.2", "cooldown_seconds": "30"})
    venue.mark(10, "48900")
    venue.execute(11, "1", "48900", "L1")
    venue.deposit(12, "1100")
    venue.trade(13, "A", "buy", "1", "48900")
    venue.start(14, "L2")
    assert venue.found(COOLDOWN) == ()


def test_without_a_cooldown_nothing_has_to_wait() -> None:
    venue = partly_liquidated(cooldown_seconds=None)
    venue.start(12, "L2")
    assert venue.found(COOLDOWN) == ()


def test_the_cooldown_is_the_one_of_the_partial_liquidation() -> None:
    venue = partly_liquidated()
    venue.policy(12, partial_fraction="0.2", cooldown_seconds="5")
    venue.start(20, "L2")
    assert len(venue.found(COOLDOWN)) == 1


def test_the_cooldown_of_one_position_is_none_of_another() -> None:
    venue = partly_liquidated(isolated=True)
    venue.history.list_instrument("ETH-PERP")
    venue.history.fill("A", "buy", "1", "100", "ETH-PERP")
    venue.start(25, "L2", scope="account", instrument=None)
    assert venue.found(COOLDOWN) == ()
    assert venue.reasons(COOLDOWN) == []


def test_where_nobody_knows_what_is_left_it_is_not_checked() -> None:
    venue = partly_liquidated()
    venue.history.list_instrument("ETH-PERP")
    venue.history.fill("A", "buy", "1", "100", "ETH-PERP")  # without a mark
    venue.start(20, "L2")
    assert venue.found(COOLDOWN) == ()
    assert "undetermined" in venue.reasons(COOLDOWN)[0]


@pytest.mark.parametrize("recorded", [("L1", "L2"), ("L2", "L1")])
@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_by_time_it_does_not_matter_which_was_recorded_first(
    recorded: tuple[str, str],
    isolated: bool,  # noqa: FBT001 (parametrised)
) -> None:
    terms = {"partial_fraction": "0.2", "cooldown_seconds": "30"}
    venue = DecidingVenue(policy=terms, isolated=isolated)
    venue.mark(10, "49050")
    started = {}
    for liquidation in recorded:
        seconds = {"L1": 11, "L2": 16}[liquidation]
        started[liquidation] = venue.start(seconds, liquidation).sequence
        venue.execute(seconds, "0.2", "49050", liquidation)
        if isolated:
            venue.add(
                "MarginAdjusted", seconds, account="A", instrument="BTC-PERP", amount="10", reason="rest"
            )
    found = venue.found(COOLDOWN, order="occurred")
    assert [(each.sequence, each.recorded) for each in found] == [(started["L2"], "5")]


def test_a_late_fact_of_a_decision_before_the_step_is_no_further_liquidation() -> None:
    venue = partly_liquidated()
    venue.start(9, "L2")
    assert venue.found(COOLDOWN) == ()
