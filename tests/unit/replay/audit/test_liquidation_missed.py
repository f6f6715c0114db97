from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.decisions import DecidingVenue

MISSED = "liquidation_missed"


@pytest.mark.parametrize(("recovered", "findings"), [("11", 0), ("11.000001", 1)])
def test_only_what_lasted_longer_than_the_engine_may_take_was_missed(recovered: str, findings: int) -> None:
    venue = DecidingVenue(policy={"engine_max_latency_seconds": "1"})
    breach = venue.mark(10, "49200")
    venue.deposit(recovered, "1000")
    found = venue.found(MISSED)
    assert len(found) == findings
    assert all((each.account, each.sequence) == ("A", breach.sequence) for each in found)


@pytest.mark.parametrize(("ends", "findings"), [("11", 0), ("11.000001", 1)])
def test_the_same_holds_of_what_lasts_to_the_end(ends: str, findings: int) -> None:
    venue = DecidingVenue(policy={"engine_max_latency_seconds": "1"}, isolated=True)
    venue.mark(10, "49200")
    venue.add("DepositRecorded", ends, account="B", asset="USDT", amount="1")
    assert len(venue.found(MISSED)) == findings


@pytest.mark.parametrize(("recovered", "findings"), [("10", 0), ("10.000001", 1)])
def test_without_a_limit_every_breach_that_lasted_was_missed(recovered: str, findings: int) -> None:
    venue = DecidingVenue(policy={})
    venue.mark(10, "49200")
    venue.mark(recovered, "49900")
    assert len(venue.found(MISSED)) == findings
    assert len(venue.found(MISSED, max_latency_seconds=Decimal(0))) == findings


def test_what_lacks_its_margin_between_two_events_of_one_instant_was_not_missed() -> None:
    venue = DecidingVenue(policy={}, isolated=True)
    venue.mark(10, "49900")
    venue.trade(20, "A", "buy", "10", "50000")
    venue.add("MarginAdjusted", 20, account="A", instrument="BTC-PERP", amount="5000", reason="of the fill")
    venue.mark(30, "49900")
    assert venue.found(MISSED) == ()


@pytest.mark.parametrize(("recovered", "findings"), [("41", 0), ("42", 0), ("42.5", 1)])
def test_the_cooldown_after_a_partial_liquidation_does_not_count(recovered: str, findings: int) -> None:
    terms = {"engine_max_latency_seconds": "1", "partial_fraction": "0.2", "cooldown_seconds": "30"}
    venue = DecidingVenue(policy=terms)
    venue.mark(10, "49200")
    venue.execute(11, "0.2", "49200", "L1")
    breach = venue.mark(20, "49100")  # left alone until 41
    venue.mark(recovered, "49900")
    assert [each.sequence for each in venue.found(MISSED)] == [breach.sequence] * findings
