from __future__ import annotations

from decimal import Decimal

import pytest

from replay.findings import Severity
from tests.support.decisions import DecidingVenue

LATE, UNJUSTIFIED = "margin_call_late", "margin_call_unjustified"
IN_CALL, WITHIN, OVER = "49400", "49900", "49200"


@pytest.fixture(params=[False, True], ids=["cross", "isolated"])
def venue(request: pytest.FixtureRequest) -> DecidingVenue:
    return DecidingVenue(policy={"engine_max_latency_seconds": "1"}, isolated=request.param)


class TestLate:
    def test_a_call_that_comes_too_late_is_an_error(self, venue: DecidingVenue) -> None:
        began = venue.mark(10, IN_CALL)
        venue.mark(11, "49410")
        call = venue.call("11.25")
        (finding,) = venue.found(LATE)
        assert finding.severity is Severity.ERROR
        assert (finding.account, finding.sequence) == ("A", call.sequence)
        assert finding.instrument == ("BTC-PERP" if venue.isolated else None)
        assert (finding.recorded, finding.rebuilt) == ("1.25", "1")
        assert {began.sequence, call.sequence} < set(finding.evidence)

    def test_exactly_as_late_as_allowed_is_in_time(self, venue: DecidingVenue) -> None:
        venue.mark(10, IN_CALL)
        venue.call(11)
        assert venue.found(LATE) == ()

    def test_only_the_first_call_can_be_late(self, venue: DecidingVenue) -> None:
        venue.mark(10, IN_CALL)
        venue.call(11)
        venue.call(30)
        assert venue.found(LATE) == ()

    def test_a_call_of_who_is_over_the_boundary_is_not_late(self, venue: DecidingVenue) -> None:
        venue.mark(10, OVER)
        venue.call(30)
        assert venue.found(LATE) == ()

    def test_without_a_limit_it_is_not_checked(self) -> None:
        venue = DecidingVenue(policy={})
        venue.mark(10, IN_CALL)
        venue.call(1_000)
        assert venue.found(LATE) == ()
        assert "no limit" in venue.reasons(LATE)[0]
        assert len(venue.found(LATE, max_latency_seconds=Decimal(5))) == 1


class TestUnjustified:
    def test_a_call_of_who_is_not_in_call_is_an_error(self, venue: DecidingVenue) -> None:
        venue.mark(10, WITHIN)
        call = venue.call(11)
        (finding,) = venue.found(UNJUSTIFIED)
        assert finding.severity is Severity.ERROR
        assert (finding.account, finding.sequence) == ("A", call.sequence)
        assert finding.recorded == "called"
        assert call.sequence in finding.evidence

    @pytest.mark.parametrize("price", [IN_CALL, OVER])
    def test_a_call_of_who_is_in_call_or_over_is_right(self, venue: DecidingVenue, price: str) -> None:
        venue.mark(10, price)
        venue.call(11)
        assert venue.found(UNJUSTIFIED) == ()

    @pytest.mark.parametrize("price", [IN_CALL, OVER])
    def test_the_end_of_a_call_of_who_still_is_is_an_error(self, venue: DecidingVenue, price: str) -> None:
        venue.mark(10, price)
        venue.call(11)
        cured = venue.call(12, "MarginCallCured")
        (finding,) = venue.found(UNJUSTIFIED)
        assert (finding.account, finding.sequence, finding.recorded) == ("A", cured.sequence, "cured")

    def test_a_deposit_cures(self, venue: DecidingVenue) -> None:
        venue.mark(10, IN_CALL)
        venue.call(11)
        venue.deposit(12, "200")
        venue.call(13, "MarginCallCured")
        assert venue.found(UNJUSTIFIED) == ()

    def test_who_closed_his_position_is_no_longer_called(self, venue: DecidingVenue) -> None:
        venue.mark(10, IN_CALL)
        venue.call(11)
        venue.trade(12, "A", "sell", "1", IN_CALL)
        venue.call(13, "MarginCallCured")
        assert venue.found(UNJUSTIFIED) == ()
        again = venue.call(14)
        assert [each.sequence for each in venue.found(UNJUSTIFIED)] == [again.sequence]

    @pytest.mark.parametrize(("margin", "findings"), [("1094", 0), ("1094.01", 1)])
    def test_at_exactly_the_ratio_a_call_is_right(self, margin: str, findings: int) -> None:
        venue = DecidingVenue(policy={}, margin=margin)
        venue.mark(10, IN_CALL)
        venue.call(11)
        assert len(venue.found(UNJUSTIFIED)) == findings

    def test_under_a_policy_without_a_ratio_nobody_is_called(self) -> None:
        venue = DecidingVenue(policy={"margin_call_ratio": None})
        venue.mark(10, IN_CALL)
        venue.call(11)
        assert len(venue.found(UNJUSTIFIED)) == 1

    def test_without_a_policy_it_is_not_checked(self) -> None:
        venue = DecidingVenue()
        venue.mark(10, IN_CALL)
        venue.call(11)
        assert venue.found(UNJUSTIFIED) == ()
        assert "no risk policy" in venue.reasons(UNJUSTIFIED)[0]

    def test_what_is_undetermined_is_not_checked(self) -> None:
        venue = DecidingVenue(policy={}, schedule=False)
        venue.mark(10, IN_CALL)
        venue.call(11)
        venue.call(12, "MarginCallCured")
        assert venue.found(UNJUSTIFIED) == ()
        assert venue.reasons(UNJUSTIFIED)[0].startswith("2 margin calls")

    def test_of_a_hedged_position_the_side_that_is_in_call_is_meant(self) -> None:
        venue = DecidingVenue(policy={})
        venue.add(
            "AccountOpened", 1, account="H", kind="customer", margin_mode="isolated", position_mode="hedge"
        )
        venue.add("DepositRecorded", 1, account="H", asset="USDT", amount="2000")
        for side, order in (("long", "buy"), ("short", "sell")):
            venue.add(
                "FillRecorded", 1, account="H", instrument="BTC-PERP", side=order, quantity="1",
                price="50000", purpose="trade", position_side=side,
            )  # fmt: skip
            venue.add(
                "MarginAdjusted", 1, account="H", instrument="BTC-PERP", amount="1000", reason="entry",
                position_side=side,
            )  # fmt: skip
        venue.mark(10, "50600")  # in call is the short
        venue.call(11, account="H", instrument="BTC-PERP")
        assert venue.found(UNJUSTIFIED) == ()
        assert len(venue.found("margin_call_missing")) == 0
        cured = venue.call(12, "MarginCallCured", account="H", instrument="BTC-PERP")
        assert [each.sequence for each in venue.found(UNJUSTIFIED)] == [cured.sequence]


class TestCallsThatNameNoInstrument:
    """Of an account that holds nothing but one isolated position they are of that position."""

    @staticmethod
    def isolated() -> DecidingVenue:
        return DecidingVenue(policy={"engine_max_latency_seconds": "1"}, isolated=True)

    def test_they_answer_for_the_only_isolated_position(self) -> None:
        venue = self.isolated()
        venue.mark(10, IN_CALL)
        venue.call("11.25", instrument=None)
        venue.mark(80, WITHIN)
        venue.call(81, "MarginCallCured", instrument=None)
        (late,) = venue.found(LATE)
        assert late.instrument == "BTC-PERP"
        assert venue.found(UNJUSTIFIED) == ()
        assert venue.found("margin_call_missing") == ()

    @pytest.mark.parametrize(("price", "kind"), [(WITHIN, "MarginCallIssued"), (IN_CALL, "MarginCallCured")])
    def test_they_are_unjustified_like_any_other(self, price: str, kind: str) -> None:
        venue = self.isolated()
        venue.mark(10, price)
        call = venue.call(11, kind, instrument=None)
        (finding,) = venue.found(UNJUSTIFIED)
        assert (finding.account, finding.instrument, finding.sequence) == ("A", "BTC-PERP", call.sequence)

    @pytest.mark.parametrize("mode", ["cross", "isolated"])
    def test_with_anything_else_open_they_are_of_the_cross_account(self, mode: str) -> None:
        venue = self.isolated()
        venue.history.list_instrument("ETH-PERP")
        venue.add("MarginModeSet", 5, account="A", instrument="ETH-PERP", margin_mode=mode)
        venue.add(
            "FillRecorded", 5, account="A", instrument="ETH-PERP", side="buy", quantity="1", price="1",
            purpose="trade",
        )  # fmt: skip
        venue.mark(10, IN_CALL)
        venue.call(11, instrument=None)
        venue.mark(100, IN_CALL)
        assert [each.instrument for each in venue.found("margin_call_missing")] == ["BTC-PERP"]
