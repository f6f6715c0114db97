"""What the fund pays and receives, against what is lacking and left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.waterfall import INSTRUMENT, Waterfall, found, places

CODE = "insurance_fund_movement_differs"


def closed_at(price: str, mark: str = "880", **terms: Any) -> Waterfall:
    """A has sold all he had to the fund: his wallet is 10 × (price − 900)."""
    venue = Waterfall(mark=mark, **terms)
    isolated = terms.get("margin_mode") == "isolated"
    venue.start(**({"scope": "position", "instrument": INSTRUMENT} if isolated else {}))
    venue.execute()
    venue.close("F", price=price)
    return venue


@pytest.mark.parametrize(
    ("amount", "wrong"), [("200", False), ("200.000001", False), ("200.000002", True), ("1", False)]
)
def test_the_fund_pays_at_most_what_is_lacking(amount: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = closed_at("880")
    drawn = venue.draw(amount)
    assert places(venue, CODE) == ([("A", drawn)] if wrong else [])


@pytest.mark.parametrize(
    ("amount", "wrong"), [("400", False), ("400.000001", False), ("400.000002", True), ("1", False)]
)
def test_the_fund_receives_at_most_what_is_left(amount: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = closed_at("940", mark="940")
    contributed = venue.contribute(amount)
    assert places(venue, CODE) == ([("A", contributed)] if wrong else [])


def test_nothing_is_lacking_where_something_is_left_and_the_other_way_round() -> None:
    left, lacking = closed_at("940", mark="940"), closed_at("880")
    drawn, contributed = left.draw("1"), lacking.contribute("1")
    assert places(left, CODE) == [("A", drawn)]
    assert places(lacking, CODE) == [("A", contributed)]


def test_the_finding_shows_both_figures_and_the_decision() -> None:
    venue = closed_at("880")
    drawn = venue.draw("250")
    (finding,) = found(venue, CODE)
    assert (finding.recorded, finding.rebuilt) == ("250", "200")
    decision = next(event.sequence for event in venue.events if event.type == "LiquidationStarted")
    assert finding.evidence == (decision, drawn)


def test_what_was_paid_once_is_not_lacking_any_more() -> None:
    venue = closed_at("880")
    venue.draw("200")
    again = venue.draw("200")
    assert places(venue, CODE) == [("A", again)]


@pytest.mark.parametrize("terms", [{"liquidation": "L7"}, {"liquidation": None}, {"account": "B"}])
def test_a_payment_names_a_recorded_liquidation_of_the_account(terms: dict[str, str | None]) -> None:
    venue = closed_at("880")
    drawn = venue.draw("1", **terms)
    assert places(venue, CODE) == [(terms.get("account") or "A", drawn)]


@pytest.mark.parametrize(("liquidation", "wrong"), [("L7", True), (None, False)])
def test_a_contribution_may_name_none_but_not_a_wrong_one(liquidation: str | None, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = closed_at("940", mark="940")
    contributed = venue.contribute("1", liquidation=liquidation)
    assert places(venue, CODE) == ([("A", contributed)] if wrong else [])


@pytest.mark.parametrize(("amount", "wrong"), [("200", False), ("130", False), ("201", True)])
def test_of_an_isolated_position_what_came_into_the_wallet_counts(amount: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    # The wallet of 70 is not asked: margin 1,000 and a loss of 1,200 leave it at −130.
    venue = closed_at("880", margin_mode="isolated")
    drawn = venue.draw(amount)
    assert places(venue, CODE) == ([("A", drawn)] if wrong else [])


def test_the_rest_of_the_wallet_is_not_left_of_an_isolated_position() -> None:
    venue = closed_at("940", mark="940", margin_mode="isolated")
    venue.contribute("400")
    again = venue.contribute("70")
    assert places(venue, CODE) == [("A", again)]
