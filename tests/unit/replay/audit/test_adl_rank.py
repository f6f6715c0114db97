"""A is long 10 and bankrupt at a mark of 880. B (6 short on 5,000) stands behind C (4 short on 400)."""

from __future__ import annotations

from typing import Any

import pytest

from replay.state.venue_state import VenueState
from tests.support.waterfall import INSTRUMENT, Waterfall, found, not_checked, places

CODE = "adl_out_of_rank"


def bankrupt(mark: str = "880", **terms: Any) -> Waterfall:
    venue = Waterfall(mark=mark, **terms)
    venue.start()
    venue.execute()
    return venue


def test_the_queue_in_its_order_is_in_rank() -> None:
    venue = bankrupt()
    venue.deleverage("C", "4")
    venue.deleverage("B", "6")
    assert places(venue, CODE) == []


def test_whoever_is_taken_before_somebody_of_a_higher_score_is_found() -> None:
    venue = bankrupt()
    event = venue.deleverage("B", "6")
    venue.deleverage("C", "4")
    (finding,) = found(venue, CODE)
    assert (finding.account, finding.instrument, finding.sequence) == ("B", INSTRUMENT, event)
    assert (finding.recorded, finding.rebuilt) == ("B", "C")
    decision = next(each.sequence for each in venue.events if each.type == "LiquidationStarted")
    mark = [each.sequence for each in venue.events if each.type == "MarkPriceUpdated"][-1]
    assert {event, decision, mark} <= set(finding.evidence)


def test_whoever_was_deleveraged_in_part_does_not_stand_before_the_next() -> None:
    venue = bankrupt()
    venue.deleverage("C", "1")
    venue.deleverage("B", "6")
    assert places(venue, CODE) == []


def test_a_deleveraging_in_another_liquidation_excuses_nobody() -> None:
    venue = bankrupt()
    venue.deleverage("C", "1", liquidation="L7")
    event = venue.deleverage("B", "6")
    assert ("B", event) in places(venue, CODE)


def test_the_policy_chooses_the_ranking() -> None:
    # D sold at 1,100: 20 % and 4,400 ÷ 10,600; B gained 12 % with 5,280 ÷ 5,720.
    # PnL % × leverage: D 0.083, B 0.111. entry ÷ mark × leverage: D 0.519, B 1.049.
    # G sold at 1,600: 45 % and 880 ÷ 3,220: 0.123, and 1.818 × 0.273 = 0.497.
    for rank, wrong in ((None, True), ("pnl_leverage", True), ("price_leverage", False)):
        venue = Waterfall(mark="1600", policy={} if rank is None else {"adl_rank": rank})
        venue.open("G", "2500")
        venue.open("D", "9000")
        venue.trade("D", "buy", "G", "1", "1600")
        venue.mark("880")
        venue.start()
        venue.deleverage("C", "4")
        event = venue.deleverage("B", "6")
        assert places(venue, CODE) == ([("B", event)] if wrong else [])


def test_of_equal_scores_either_may_come_first() -> None:
    venue = Waterfall(mark="1000")
    venue.open("D", "400")
    venue.open("E", "9000")
    venue.trade("E", "buy", "D", "4", "1000")
    venue.mark("880")
    venue.start()
    venue.deleverage("D", "4")
    venue.deleverage("C", "4")
    venue.deleverage("B", "2")
    assert places(venue, CODE) == []


@pytest.mark.parametrize("counterparty", ["A", "F", "external/venue", "D", "E", "nobody"])
def test_nobody_is_deleveraged_who_cannot_be(counterparty: str) -> None:
    """The bankrupt account, the fund, an external account, a loser, one on the same side, a stranger."""
    venue = Waterfall(mark="870")
    for account in ("D", "E"):
        venue.open(account, "5000")
    venue.add(
        "AccountOpened",
        account="external/venue",
        margin_mode="cross",
        position_mode="one_way",
        kind="external",
    )
    venue.trade("E", "buy", "D", "1", "870")
    venue.trade("E", "buy", "F", "1", "1000")
    venue.trade("E", "buy", "external/venue", "1", "1000")
    venue.mark("880")
    venue.start()
    venue.deleverage("C", "4")
    event = venue.deleverage(counterparty, "1")
    assert places(venue, CODE) == [(counterparty, event)]


def test_who_gains_at_the_mark_but_not_at_the_price_is_not_passed_over() -> None:
    # C gains at 880; at a price of 1,000.5 he would lose, as would B.
    venue = bankrupt()
    venue.deleverage("B", "6", "1000.5")
    assert places(venue, CODE) == []


def test_who_would_not_stay_within_the_boundary_is_not_passed_over() -> None:
    # C has 400 and gained 480. Half of his short in BTC closed at 990 instead of 880 costs him 220;
    # 13,000 of ETH require 650, what is left of BTC 88.
    for deposit, passed_over in (("78", False), ("80", True)):
        venue = Waterfall(mark="1000")
        venue.list_instrument("ETH-PERP", tick_size="0.5")
        venue.schedule("ETH-PERP", ("0", None, "0.05", "0", "20"))
        venue.mark("1000", "ETH-PERP")
        venue.trade("C", "buy", "B", "13", "1000", instrument="ETH-PERP")
        venue.deposit("C", deposit)
        venue.mark("880")
        venue.start()
        event = venue.deleverage("B", "2", "990")
        assert places(venue, CODE) == ([("B", event)] if passed_over else []), deposit


def test_who_is_over_the_boundary_already_is_not_passed_over() -> None:
    # C has 880 under a requirement of 926; after closing his short at 900 he would have 800 under 750.
    venue = Waterfall(mark="1000")
    venue.list_instrument("ETH-PERP", tick_size="0.5")
    venue.schedule("ETH-PERP", ("0", None, "0.05", "0", "20"))
    venue.mark("1000", "ETH-PERP")
    venue.trade("C", "buy", "B", "15", "1000", instrument="ETH-PERP")
    venue.mark("880")
    venue.start()
    venue.deleverage("B", "6")
    assert places(venue, CODE) == []


@pytest.mark.parametrize(("funding", "passed_over"), [("0.1", True), ("200", False)])
def test_an_isolated_position_is_passed_over_unless_closing_it_leaves_a_debt(
    funding: str,
    passed_over: bool,  # noqa: FBT001 (parametrised)
) -> None:
    # D's short of 2 has 100 of margin less what funding took, and gains 240 at the mark, 20 at the price.
    venue = Waterfall(mark="1000")
    venue.open("D", "1000", margin_mode="isolated")
    venue.add("MarginAdjusted", account="D", instrument=INSTRUMENT, amount="100", reason="opening")
    venue.open("E", "9000")
    venue.trade("E", "buy", "D", "2", "1000")
    payment: dict[str, Any] = {
        "quantity": "-2",
        "price": "1000",
        "rate": "0.1",
        "asset": "USDT",
        "amount": funding,
    }
    venue.add("FundingPaid", account="D", instrument=INSTRUMENT, **payment)
    venue.mark("880")
    venue.start()
    event = venue.deleverage("C", "4", "990")
    assert places(venue, CODE) == ([("C", event)] if passed_over else [])


def test_a_short_is_deleveraged_against_longs() -> None:
    venue = Waterfall(mark="1000")
    venue.mark("1120")
    venue.start("C", "L2")
    data: dict[str, Any] = {"liquidation": "L2", "bankrupt_account": "C", "instrument": INSTRUMENT}
    data |= {"quantity": "1", "price": "1100", "rank": "1", "trade_id": "T9"}
    venue.add("PositionAutoDeleveraged", counterparty_account="A", **data)
    assert places(venue, CODE) == []
    venue.add("PositionAutoDeleveraged", counterparty_account="B", **data)
    assert [finding.message[-13:] for finding in found(venue, CODE)] == ["holds no long"]


def test_what_cannot_be_ranked_is_not_checked() -> None:
    unknown_rank = bankrupt(policy={"adl_rank": "by_name"})
    unknown_rank.deleverage("B", "1")
    stale = Waterfall(mark="880", policy={"mark_max_age_seconds": "1"})
    stale.start()
    stale.execute()
    stale.deleverage("B", "1")
    no_position = bankrupt()
    no_position.deleverage("B", "1", bankrupt_account="G", liquidation="L9")
    for venue in (unknown_rank, stale, no_position):
        assert places(venue, CODE) == []
        assert len(not_checked(venue, CODE)) == 1


def test_a_candidate_is_tried_without_a_copy_of_the_whole_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    def copied(_: VenueState) -> VenueState:
        raise AssertionError("the venue was copied")

    venue = bankrupt()
    event = venue.deleverage("B", "6")
    monkeypatch.setattr(VenueState, "copy", copied)
    assert places(venue, CODE) == [("B", event)]
