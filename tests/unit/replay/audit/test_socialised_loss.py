"""A sold 10 at 880 to the fund and lacks 200; B is worth 5,720, C 880 at a mark of 880: 6,600."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.waterfall import INSTRUMENT, Waterfall, found, not_checked, places

CODE = "loss_socialised_wrongly"
BY_EQUITY = {"loss_allocation": "equity"}
FAIR = {"B": "173.333333", "C": "26.666667"}


def lacking(fund: str = "0", **terms: Any) -> Waterfall:
    """Return the venue with 200 lacking; the fund took over at the mark."""
    venue = Waterfall(mark="880", fund=fund, **terms)
    isolated = terms.get("margin_mode") == "isolated"
    venue.start(**({"scope": "position", "instrument": INSTRUMENT} if isolated else {}))
    venue.execute()
    venue.close("F", price="880")
    return venue


def messages(venue: Waterfall) -> list[str]:
    return [finding.message.partition(": ")[2] for finding in found(venue, CODE)]


def test_a_loss_in_proportion_to_equity_is_right() -> None:
    venue = lacking(policy=BY_EQUITY)
    venue.share_loss("200", FAIR)
    assert places(venue, CODE) == []


@pytest.mark.parametrize(("amount", "wrong"), [("200.000001", False), ("200.000002", True)])
def test_no_more_is_shared_than_was_lacking(amount: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = lacking()
    loss = venue.share_loss(amount, {"B": amount})
    assert places(venue, CODE) == ([("A", loss)] if wrong else [])


def test_of_an_isolated_position_what_came_into_the_wallet_is_lacking() -> None:
    right, wrong = lacking(margin_mode="isolated"), lacking(margin_mode="isolated")
    right.share_loss("200", {"B": "200"})
    loss = wrong.share_loss("201", {"B": "201"})
    assert places(right, CODE) == []
    assert places(wrong, CODE) == [("A", loss)]


@pytest.mark.parametrize("liquidation", ["L7", None])
def test_a_loss_belongs_to_a_recorded_liquidation(liquidation: str | None) -> None:
    venue = lacking()
    loss = venue.share_loss("200", {"B": "200"}, liquidation=liquidation)
    assert places(venue, CODE) == [(None, loss)]
    assert messages(venue) == ["no such liquidation was recorded before"]


@pytest.mark.parametrize(("fund", "wrong"), [("0.000001", False), ("0.000002", True)])
def test_the_fund_is_used_up_first(fund: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = lacking(fund=fund)
    venue.share_loss("200", {"B": "200"})
    assert messages(venue) == ([f"the insurance fund F still had {fund} USDT"] if wrong else [])


def test_a_fund_that_is_not_in_the_waterfall_or_has_no_equity_need_not_pay() -> None:
    outside = lacking(fund="500", policy={"waterfall": ["socialised_loss"]})
    outside.share_loss("200", {"B": "200"})
    without_equity = lacking(fund="500")
    without_equity.mark("830")
    without_equity.share_loss("200", {"B": "200"})
    assert places(outside, CODE) == []
    assert places(without_equity, CODE) == []


@pytest.mark.parametrize("bearer", ["A", "F"])
def test_neither_the_bankrupt_account_nor_the_fund_bears_a_share(bearer: str) -> None:
    venue = lacking()
    loss = venue.share_loss("200", {"B": "199", bearer: "1"})
    assert places(venue, CODE) == [("A", loss)]
    none = lacking()
    none.share_loss("200", {"B": "200", bearer: "0"})
    assert places(none, CODE) == []


@pytest.mark.parametrize(("deposit", "wrong"), [("199.999999", False), ("199.999998", True)])
def test_nobody_bears_more_than_his_equity(deposit: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = lacking()
    venue.open("D", deposit)
    venue.share_loss("200", {"D": "200"})
    assert messages(venue) == (["D bears 200, more than his equity"] if wrong else [])


def test_a_stranger_has_no_equity_to_bear_with() -> None:
    venue = lacking()
    venue.share_loss("200", {"B": "199", "nobody": "1"})
    assert messages(venue) == ["nobody bears 1, more than his equity"]


@pytest.mark.parametrize(
    ("shares", "wrong"),
    [
        ({"B": "173.333334", "C": "26.666666"}, []),
        ({"B": "173.333335", "C": "26.666665"}, ["B", "C"]),
        ({"B": "200"}, ["B", "C"]),
        ({"B": "173.33334", "C": FAIR["C"]}, ["B"]),  # the shares do not even sum to the loss
        ({"B": "100", "C": "100"}, ["B", "C"]),
    ],
)
def test_where_the_policy_says_so_shares_are_in_proportion_to_equity(
    shares: dict[str, str], wrong: list[str]
) -> None:
    venue = lacking(policy=BY_EQUITY)
    venue.share_loss("200", shares)
    found_for = [name for name in ("B", "C") if any(f"{name} bears" in each for each in messages(venue))]
    assert found_for == wrong
    unsaid = lacking()
    unsaid.share_loss("200", shares)
    assert places(unsaid, CODE) == []


def test_one_account_may_bear_what_rounding_down_leaves_over() -> None:
    # Seven more of 0.5 each make shares that are all cut; one of them bears the rest.
    venue = lacking(policy=BY_EQUITY)
    for number in range(7):
        venue.open(f"D{number}", "300")
    # 8,700 in all: B 131.494252…, C 20.229885…, each D 6.896551…
    shares = {"C": "20.229885", **{f"D{number}": "6.896551" for number in range(7)}}
    venue.share_loss("200", {"B": "131.494258", **shares})
    assert places(venue, CODE) == []
    venue = lacking(policy=BY_EQUITY)
    for number in range(7):
        venue.open(f"D{number}", "300")
    loss = venue.share_loss("200", {"B": "131.494263", **shares, "C": "20.22988"})
    assert places(venue, CODE) == [("A", loss)]


def test_a_loss_in_two_parts_is_judged_as_a_whole_at_the_last() -> None:
    venue = lacking(policy=BY_EQUITY)
    venue.share_loss("200", {"B": FAIR["B"]}, part="2", parts="2")
    assert places(venue, CODE) == []
    venue.share_loss("200", {"C": FAIR["C"]}, part="1", parts="2")
    assert places(venue, CODE) == []
    unfair = lacking(policy=BY_EQUITY)
    first = unfair.share_loss("200", {"B": "100"}, part="1", parts="2")
    last = unfair.share_loss("200", {"C": "100"}, part="2", parts="2")
    (finding,) = found(unfair, CODE)
    assert finding.sequence == last
    assert {first, last} <= set(finding.evidence)


def test_parts_that_never_come_are_not_checked() -> None:
    venue = lacking()
    venue.share_loss("999", {"A": "100"}, part="1", parts="2")
    assert places(venue, CODE) == []
    assert not_checked(venue, CODE) == ["1 socialised losses lack parts"]


def test_an_equity_that_is_not_known_is_not_checked() -> None:
    venue = lacking(policy=BY_EQUITY)
    venue.deposit("C", "1", "BTC")
    venue.share_loss("200", {"B": "200"})
    assert places(venue, CODE) == []
    assert len(not_checked(venue, CODE)) == 1
