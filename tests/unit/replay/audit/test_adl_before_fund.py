"""A is long 10 at 1,000 and bankrupt at 900; maintenance margin is 5 %."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from replay.audit import audit
from tests.support.waterfall import INSTRUMENT, Waterfall, found, not_checked, places

CODE = "adl_while_fund_could_pay"
FUND_LAST = ["order_book", "adl", "insurance_fund", "socialised_loss"]
NO_FUND = ["order_book", "adl", "socialised_loss"]


def deleveraged(fund: str, mark: str = "880", **terms: Any) -> tuple[Waterfall, int]:
    venue = Waterfall(mark=mark, fund=fund, **terms)
    venue.start()
    venue.execute()
    first = venue.deleverage("C", "4")
    venue.deleverage("B", "6")
    return venue, first


@pytest.mark.parametrize(("fund", "could"), [("640", True), ("639.999999", False)])
def test_of_a_bankrupt_account_the_fund_owes_the_shortfall_and_then_holds_the_position(
    fund: str,
    could: bool,  # noqa: FBT001 (parametrised)
) -> None:
    # 200 of shortfall, then 5 % of 8,800.
    venue, first = deleveraged(fund)
    assert places(venue, CODE) == ([("A", first)] if could else [])


@pytest.mark.parametrize(("fund", "could"), [("70", True), ("69.999999", False)])
def test_of_an_account_that_is_worth_something_the_fund_gains_what_is_left(
    fund: str,
    could: bool,  # noqa: FBT001 (parametrised)
) -> None:
    # 400 of gain at 940 against 5 % of 9,400.
    venue, first = deleveraged(fund, mark="940")
    assert places(venue, CODE) == ([("A", first)] if could else [])


def test_the_finding_is_of_the_bankrupt_account_at_the_first_event() -> None:
    venue, first = deleveraged("5000")
    (finding,) = found(venue, CODE)
    decision = next(event.sequence for event in venue.events if event.type == "LiquidationStarted")
    assert (finding.account, finding.instrument, finding.sequence) == ("A", INSTRUMENT, first)
    assert finding.evidence == (decision, first)


@pytest.mark.parametrize(
    ("waterfall", "expected"), [(FUND_LAST, False), (NO_FUND, False), (["insurance_fund", "adl"], True)]
)
def test_only_a_policy_with_the_fund_before_adl_asks_it_first(waterfall: list[str], expected: bool) -> None:  # noqa: FBT001 (parametrised)
    venue, _ = deleveraged("5000", policy={"waterfall": waterfall})
    assert bool(places(venue, CODE)) is expected


def test_the_fund_as_it_stood_at_the_first_event_counts() -> None:
    venue = Waterfall(mark="880", fund="100")
    venue.start()
    venue.execute()
    venue.deleverage("C", "4")
    venue.deposit("F", "5000")
    venue.mark("950")
    venue.deleverage("B", "6")
    assert places(venue, CODE) == []


@pytest.mark.parametrize(("fund", "could"), [("860", True), ("859.999999", False)])
def test_what_the_fund_holds_already_requires_margin_too(fund: str, could: bool) -> None:  # noqa: FBT001 (parametrised)
    # 5 more are required 220 for; at the mark they lost nothing.
    venue = Waterfall(mark="880", fund=fund)
    venue.open("D", "9000")
    venue.trade("F", "buy", "D", "5", "880")
    venue.start()
    first = venue.deleverage("C", "4")
    venue.deleverage("B", "6")
    assert places(venue, CODE) == ([("A", first)] if could else [])


@pytest.mark.parametrize(("fund", "could"), [("890", True), ("889.999999", False)])
def test_what_it_holds_in_other_instruments_counts(fund: str, could: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = Waterfall(mark="880", fund=fund)
    venue.list_instrument("ETH-PERP", tick_size="0.5")
    venue.schedule("ETH-PERP", ("0", None, "0.05", "0", "20"))
    venue.mark("1000", "ETH-PERP")
    venue.open("D", "9000")
    venue.trade("F", "buy", "D", "5", "1000", instrument="ETH-PERP")
    venue.start()
    first = venue.deleverage("C", "4")
    venue.deleverage("B", "6")
    assert places(venue, CODE) == ([("A", first)] if could else [])


@pytest.mark.parametrize(("fund", "could"), [("200", True), ("199.999999", False)])
def test_a_gain_that_is_not_realised_pays_no_shortfall(fund: str, could: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = Waterfall(mark="880", fund=fund)
    venue.open("D", "9000")
    venue.trade("F", "buy", "D", "5", "500")
    venue.start()
    first = venue.deleverage("C", "4")
    venue.deleverage("B", "6")
    assert places(venue, CODE) == ([("A", first)] if could else [])


@pytest.mark.parametrize(("fund", "could"), [("640", True), ("639.999999", False)])
def test_what_it_took_at_the_mark_before_is_owed_already(fund: str, could: bool) -> None:  # noqa: FBT001 (parametrised)
    # It took 4 and owes 80 for them, and 120 for the rest; then it holds 10.
    venue = Waterfall(mark="880", fund=fund)
    venue.start()
    venue.execute()
    venue.close("F", "4", "880")
    first = venue.deleverage("B", "6")
    assert places(venue, CODE) == ([("A", first)] if could else [])


@pytest.mark.parametrize(("fund", "could"), [("640", True), ("639.999999", False)])
def test_a_fund_that_takes_positions_whole_has_to_afford_what_is_left_after_adl_too(
    fund: str,
    could: bool,  # noqa: FBT001 (parametrised)
) -> None:
    venue = Waterfall(mark="880", fund=fund)
    venue.start()
    venue.execute()
    first = venue.deleverage("C", "4")
    venue.close("F", "6", "880")
    assert places(venue, CODE) == ([("A", first)] if could else [])


def test_an_isolated_position_is_bankrupt_by_itself() -> None:
    venue = Waterfall(mark="880", fund="640", margin_mode="isolated")
    venue.start(scope="position", instrument=INSTRUMENT)
    first = venue.deleverage("B", "6")
    venue.deleverage("C", "4")
    assert places(venue, CODE) == [("A", first)]


def test_without_any_fund_nobody_could_pay() -> None:
    venue, _ = deleveraged("0")
    assert places(venue, CODE) == []
    assert not_checked(venue, CODE) == []


def test_what_is_not_known_is_not_checked() -> None:
    several = Waterfall(mark="880")
    several.open("F2", "10", kind="insurance_fund")
    several.start()
    several.deleverage("B", "6")
    unrecorded = Waterfall(mark="880")
    unrecorded.deleverage("B", "6", liquidation="L7")
    stale = Waterfall(mark="880", policy={"mark_max_age_seconds": "1"})
    stale.start()
    stale.execute()
    stale.start()
    stale.deleverage("B", "6")
    for venue in (several, unrecorded, stale):
        assert places(venue, CODE) == []
        assert len(not_checked(venue, CODE)) == 1


@pytest.mark.parametrize("recorded", ["before", "after"])
@pytest.mark.parametrize("taken", [5, 15])
@pytest.mark.parametrize(("fund", "could"), [("640", True), ("639.999999", False)])
def test_by_time_what_the_fund_took_counts_once_however_it_is_recorded(
    recorded: str,
    taken: int,
    fund: str,
    could: bool,  # noqa: FBT001 (parametrised)
) -> None:
    # Four are deleveraged at 10 seconds, and the fund takes six: 200 of shortfall, then 5 % of 8,800.
    venue = Waterfall(mark="880", fund=fund)
    venue.start()
    venue.execute()
    end = venue.events[-1].occurred_at
    first = 0
    moments = []
    for step in ("take", "deleverage") if recorded == "before" else ("deleverage", "take"):
        before = len(venue.events)
        if step == "take":
            venue.close("F", "6", "880", other_purpose="liquidation")
        else:
            first = venue.deleverage("C", "4")
        seconds = taken if step == "take" else 10
        moments += [end + timedelta(seconds=seconds)] * (len(venue.events) - before)
    late = zip(venue.events[-len(moments) :], moments, strict=True)
    events = venue.events[: -len(moments)] + [replace(event, occurred_at=moment) for event, moment in late]
    found = audit(events, checks=[CODE], order="occurred").findings
    assert [each.sequence for each in found] == ([first] if could else [])
