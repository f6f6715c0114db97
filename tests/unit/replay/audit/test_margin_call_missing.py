from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.findings import Severity
from tests.support.decisions import DecidingVenue

if TYPE_CHECKING:
    from replay.findings import Finding

MISSING = "margin_call_missing"
IN_CALL, WITHIN, OVER = "49400", "49900", "49200"


@pytest.fixture(params=[False, True], ids=["cross", "isolated"])
def venue(request: pytest.FixtureRequest) -> DecidingVenue:
    return DecidingVenue(policy={"engine_max_latency_seconds": "1"}, isolated=request.param)


def only(found: tuple[Finding, ...]) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize("end", [WITHIN, OVER], ids=["recovered", "over the boundary"])
def test_who_was_in_call_and_not_called_is_an_error(venue: DecidingVenue, end: str) -> None:
    began = venue.mark(10, IN_CALL)
    ended = venue.mark("11.5", end)
    finding = only(venue.found(MISSING))
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.sequence) == ("A", began.sequence)
    assert finding.instrument == ("BTC-PERP" if venue.isolated else None)
    assert {began.sequence, ended.sequence} < set(finding.evidence)
    assert "1.5 s" in finding.message


def test_a_call_in_that_time_answers_it(venue: DecidingVenue) -> None:
    venue.mark(10, IN_CALL)
    venue.call("11.5")
    venue.mark(20, WITHIN)
    assert venue.found(MISSING) == ()


@pytest.mark.parametrize(("until", "findings"), [("11", 0), ("11.000001", 1)])
def test_exactly_as_long_as_allowed_is_not_missing(venue: DecidingVenue, until: str, findings: int) -> None:
    venue.mark(10, IN_CALL)
    venue.deposit(until, "1000")
    assert len(venue.found(MISSING)) == findings


def test_a_call_that_is_still_open_counts(venue: DecidingVenue) -> None:
    venue.mark(10, IN_CALL)
    venue.call("10.5")
    venue.mark(11, WITHIN)  # and nobody says that the call is over
    venue.mark(12, IN_CALL)
    venue.mark(20, WITHIN)
    assert venue.found(MISSING) == ()


def test_a_call_that_was_cured_does_not_count(venue: DecidingVenue) -> None:
    venue.mark(10, IN_CALL)
    venue.call("10.5")
    venue.mark(11, WITHIN)
    venue.call("11.5", "MarginCallCured")
    again = venue.mark(12, IN_CALL)
    venue.mark(20, WITHIN)
    assert only(venue.found(MISSING)).sequence == again.sequence


def test_time_over_the_boundary_is_not_time_in_call(venue: DecidingVenue) -> None:
    venue.mark(10, IN_CALL)
    venue.mark(11, OVER)
    venue.mark(20, IN_CALL)
    venue.mark(21, WITHIN)
    assert venue.found(MISSING) == ()


def test_what_lasts_to_the_end_is_missing_too(venue: DecidingVenue) -> None:
    began = venue.mark(10, IN_CALL)
    venue.add("DepositRecorded", 12, account="B", asset="USDT", amount="1")
    assert only(venue.found(MISSING)).sequence == began.sequence


def test_a_call_of_a_cross_account_is_none_of_its_isolated_position() -> None:
    venue = DecidingVenue(policy={}, isolated=True)
    venue.history.list_instrument("ETH-PERP")
    venue.add(
        "FillRecorded", 5, account="A", instrument="ETH-PERP", side="buy", quantity="1", price="1",
        purpose="trade",
    )  # fmt: skip
    venue.mark(10, IN_CALL)
    venue.call(11, instrument=None)
    venue.mark(80, WITHIN)
    assert only(venue.found(MISSING)).instrument == "BTC-PERP"


@pytest.mark.parametrize(("seconds", "findings"), [("70", 0), ("70.5", 1)])
def test_without_a_limit_a_minute_is_allowed(seconds: str, findings: int) -> None:
    venue = DecidingVenue(policy={})
    venue.mark(10, IN_CALL)
    venue.mark(seconds, WITHIN)
    assert len(venue.found(MISSING)) == findings


@pytest.mark.parametrize(("margin", "findings"), [("1094", 1), ("1094.01", 0)])
def test_at_exactly_the_ratio_an_account_is_in_call(margin: str, findings: int) -> None:
    # At 49,400 the maintenance margin is 247, half of 1094 + 49,400 − 50,000.
    venue = DecidingVenue(policy={"engine_max_latency_seconds": "0"}, margin=margin)
    venue.mark(10, IN_CALL)
    venue.mark(11, WITHIN)
    assert len(venue.found(MISSING)) == findings


def test_a_policy_without_a_ratio_calls_nobody_and_no_policy_says_nothing() -> None:
    silent, none = DecidingVenue(policy={"margin_call_ratio": None}), DecidingVenue()
    for venue in (silent, none):
        venue.mark(10, IN_CALL)
        venue.mark(100, WITHIN)
        assert venue.found(MISSING) == ()
    assert silent.reasons(MISSING) == []
    assert "no risk policy" in none.reasons(MISSING)[0]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([IN_CALL, WITHIN, OVER])), max_size=8),
    st.integers(0, 6),
)
def test_longer_allowed_is_never_more_missing(steps: list[tuple[int, str]], limit: int) -> None:
    """Found are exactly the stretches of marks in call that last longer than allowed."""
    venue = DecidingVenue(policy={"engine_max_latency_seconds": str(limit)})
    now, since, expected = 10, None, 0
    for wait, price in steps:
        now += wait
        venue.mark(now, price)
        if price == IN_CALL:
            since = now if since is None else since
        elif since is not None:
            expected += now - since > limit
            since = None
    if since is not None:
        expected += now - since > limit
    assert len(venue.found(MISSING)) == expected
