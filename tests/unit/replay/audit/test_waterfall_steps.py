"""Steps that the policy's waterfall lists, and others."""

from __future__ import annotations

import pytest

from tests.support.waterfall import Waterfall, found, places

CODE = "waterfall_step_not_in_policy"
ALL = ("order_book", "insurance_fund", "adl", "socialised_loss")


def steps(waterfall: list[str] | None) -> tuple[Waterfall, dict[str, int]]:
    """Record one of every step; return the sequence of each."""
    venue = Waterfall(mark="880", policy={} if waterfall is None else {"waterfall": waterfall})
    venue.start()
    venue.execute()
    fill = venue.close("F", "6", "880") + 1
    adl = venue.deleverage("C", "4")
    drawn = venue.draw("1")
    loss = venue.share_loss("1", {"B": "1"})
    return venue, {"fill": fill, "adl": adl, "drawn": drawn, "loss": loss}


@pytest.mark.parametrize(
    ("waterfall", "wrong"),
    [
        (None, []),
        (list(ALL), []),
        (["insurance_fund", "socialised_loss"], ["adl"]),
        (["adl", "socialised_loss"], ["drawn"]),
        (["insurance_fund", "adl"], ["loss"]),
        (["order_book", "adl"], ["fill", "drawn", "loss"]),
        (["order_book"], ["fill", "adl", "drawn", "loss"]),
    ],
)
def test_a_step_that_the_policy_does_not_list_is_found_where_it_is_taken(
    waterfall: list[str] | None, wrong: list[str]
) -> None:
    venue, places_of = steps(waterfall)
    assert places(venue, CODE) == [("A", places_of[name]) for name in wrong]


def test_the_finding_names_step_decision_and_policy() -> None:
    venue, places_of = steps(["order_book"])
    finding = next(each for each in found(venue, CODE) if each.sequence == places_of["adl"])
    policy = next(event.sequence for event in venue.events if event.type == "RiskPolicySet")
    decision = next(event.sequence for event in venue.events if event.type == "LiquidationStarted")
    assert finding.evidence == (policy, decision, places_of["adl"])
    assert (finding.recorded, finding.rebuilt) == ("adl", "order_book")


def test_the_policy_of_the_decision_counts() -> None:
    venue = Waterfall(mark="880", policy={"waterfall": list(ALL)})
    venue.start()
    venue.policy(waterfall=["order_book"])
    venue.deleverage("C", "4")
    assert places(venue, CODE) == []


def test_the_fund_may_trade_in_the_book_whatever_the_policy_lists() -> None:
    venue = Waterfall(mark="880", policy={"waterfall": ["order_book"]})
    venue.start()
    venue.execute()
    venue.close("F", "6", "910", other_purpose="trade")
    assert places(venue, CODE) == []


def test_of_a_loss_in_parts_only_the_last_is_the_step() -> None:
    venue = Waterfall(mark="880", policy={"waterfall": ["order_book"]})
    venue.start()
    venue.share_loss("2", {"B": "1"}, part="1", parts="2")
    assert places(venue, CODE) == []
    last = venue.share_loss("2", {"C": "1"}, part="2", parts="2")
    assert places(venue, CODE) == [("A", last)]


def test_a_step_of_no_recorded_liquidation_is_held_against_the_policy_in_force() -> None:
    venue = Waterfall(mark="880", policy={"waterfall": ["order_book"]})
    drawn = venue.draw("1", liquidation="L7", account="B")
    assert places(venue, CODE) == [("B", drawn)]
