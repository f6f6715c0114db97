from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from replay.findings import Severity
from tests.support.decisions import DecidingVenue

LATE = "liquidation_late"


def limited(seconds: str = "1", **more: Any) -> DecidingVenue:
    return DecidingVenue(policy={"engine_max_latency_seconds": seconds}, **more)


@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_a_decision_that_comes_too_late_is_an_error(isolated: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = limited(isolated=isolated)
    breach = venue.mark(10, "49200")
    venue.mark(11, "49190")
    started = venue.start("11.000001")
    venue.execute(12)
    (finding,) = venue.found(LATE)
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.sequence) == ("A", started.sequence)
    assert finding.instrument == ("BTC-PERP" if isolated else None)
    assert (finding.recorded, finding.rebuilt) == ("1.000001", "1")
    assert {breach.sequence, started.sequence} < set(finding.evidence)


def test_exactly_as_long_as_allowed_is_in_time() -> None:
    venue = limited()
    venue.mark(10, "49200")
    venue.start(11)
    venue.execute(99)  # what counts is the decision
    assert venue.found(LATE) == ()
    assert venue.reasons(LATE) == []


def test_without_a_decision_beside_it_the_execution_is_the_decision() -> None:
    venue = limited()
    venue.mark(10, "49200")
    executed = venue.execute(12)
    (finding,) = venue.found(LATE)
    assert finding.sequence == executed.sequence


def test_the_clock_starts_anew_after_a_recovery() -> None:
    venue = limited()
    venue.mark(10, "49200")
    venue.mark("10.5", "49900")
    venue.mark(20, "49200")
    venue.start(21)
    assert venue.found(LATE) == ()


def test_a_decision_that_was_never_carried_out_counts() -> None:
    venue = limited()
    venue.mark(10, "49200")
    venue.start(15)
    assert len(venue.found(LATE)) == 1


def test_without_a_limit_it_is_not_checked_and_with_one_of_the_audits_own_it_is() -> None:
    venue = DecidingVenue(policy={})
    venue.mark(10, "49200")
    venue.start(12)
    assert venue.found(LATE) == ()
    assert "no limit" in venue.reasons(LATE)[0]
    assert len(venue.found(LATE, max_latency_seconds=Decimal(1))) == 1
    assert venue.found(LATE, max_latency_seconds=Decimal(2)) == ()


def test_the_audits_own_limit_goes_before_that_of_the_policy() -> None:
    venue = limited("1")
    venue.mark(10, "49200")
    venue.start(12)
    assert venue.found(LATE, max_latency_seconds=Decimal(2)) == ()


def test_the_limit_is_the_one_that_held_when_the_breach_began() -> None:
    venue = limited("1")
    venue.mark(10, "49200")
    venue.policy(11, engine_max_latency_seconds="5")
    venue.start(12)
    assert len(venue.found(LATE)) == 1


def test_a_further_step_in_the_same_breach_waits_for_its_cooldown() -> None:
    terms = {"engine_max_latency_seconds": "1", "partial_fraction": "0.2", "cooldown_seconds": "30"}
    venue = DecidingVenue(policy=terms)
    venue.mark(10, "49050")
    venue.start(11, "L1")
    venue.execute(11, "0.2", "49050", "L1")
    venue.start(50, "L2")
    venue.execute(50, "0.8", "49050", "L2")
    assert venue.found(LATE) == ()
    assert venue.reasons(LATE) == []


def test_a_breach_that_began_in_a_cooldown_is_not_checked() -> None:
    terms = {"engine_max_latency_seconds": "1", "partial_fraction": "0.2", "cooldown_seconds": "30"}
    venue = DecidingVenue(policy=terms)
    venue.mark(10, "49200")
    venue.execute(11, "0.2", "49200", "L1")
    venue.mark(20, "49100")
    venue.execute(42, "0.8", "49100", "L2")
    assert venue.found(LATE) == ()
    assert "cooldown" in venue.reasons(LATE)[0]


def test_where_the_boundary_is_not_known_it_is_not_checked() -> None:
    venue = limited(schedule=False)
    venue.mark(10, "49200")
    venue.start(15)
    assert venue.found(LATE) == ()
    assert "undetermined" in venue.reasons(LATE)[0]
