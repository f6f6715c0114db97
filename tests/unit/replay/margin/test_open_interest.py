"""Open-interest-scaled margin, as dYdX v4 has it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from replay.fold import replay_events
from replay.margin import AccountMargin, OpenInterestMargin, evaluate
from tests.support.events import START, History

PARAMETERS = {
    "base_initial_margin_fraction": "0.05",
    "maintenance_fraction": "0.6",
    "open_interest_lower_cap": "1000000",
    "open_interest_upper_cap": "3000000",
}
TERMS = OpenInterestMargin.of({name: Decimal(value) for name, value in PARAMETERS.items()})


def venue(open_interest: str) -> History:
    history = History()
    history.list_instrument()
    history.add(
        "MarginScheduleSet",
        instrument="BTC-PERP",
        effective_at=START,
        model="open_interest_scaled",
        tiers=[],
        parameters=PARAMETERS,
    )
    history.deposit("A", "100000")
    history.fill("A", "buy", "1", "50000")
    if open_interest != "1":
        history.fill("B", "buy", str(Decimal(open_interest) - 1), "50000")
    history.mark("50000")
    return history


def evaluated(history: History) -> AccountMargin:
    return evaluate(replay_events(history.events), "A")


@pytest.mark.parametrize(
    ("open_interest", "fraction"),
    [("1", "0.05"), ("20", "0.05"), ("40", "0.525"), ("60", "1"), ("100", "1")],
)
def test_the_initial_margin_rises_with_open_interest_and_the_maintenance_margin_does_not(
    open_interest: str, fraction: str
) -> None:
    margin = evaluated(venue(open_interest))
    assert margin.initial_margin == Decimal(50000) * Decimal(fraction)
    assert margin.maintenance_margin == Decimal(1500)  # 5 % × 0.6 of 50,000


def test_the_initial_margin_is_rounded_up_once() -> None:
    assert TERMS is not None
    assert TERMS.initial_margin(Decimal("0.000000000000000001"), Decimal(0)) == Decimal("1e-18")


def test_a_lower_leverage_of_the_account_requires_more() -> None:
    history = venue("1")
    history.add("LeverageSet", account="A", instrument="BTC-PERP", leverage="4")
    assert evaluated(history).initial_margin == Decimal(12500)


def test_the_liquidation_price_is_that_of_its_rate() -> None:
    history = venue("1")
    history.add("WithdrawalRecorded", account="A", asset="USDT", amount="96000")
    (position,) = evaluated(history).positions
    assert position.liquidation_price == Decimal("47422.680412371134020618")  # 46,000 ÷ 0.97


@pytest.mark.parametrize(
    "changes",
    [
        {"base_initial_margin_fraction": "0"},
        {"maintenance_fraction": "1.1"},
        {"open_interest_lower_cap": "4000000"},
    ],
)
def test_parameters_that_make_no_sense_are_no_terms(changes: dict[str, str]) -> None:
    given = {name: Decimal(value) for name, value in {**PARAMETERS, **changes}.items()}
    assert OpenInterestMargin.of(given) is None


def test_a_missing_parameter_leaves_the_account_undetermined() -> None:
    history = History()
    history.list_instrument()
    history.add(
        "MarginScheduleSet",
        instrument="BTC-PERP",
        effective_at=START,
        model="open_interest_scaled",
        tiers=[],
        parameters={"maintenance_fraction": "0.6"},
    )
    history.deposit("A", "100000")
    history.fill("A", "buy", "1", "50000")
    history.mark("50000")
    assert evaluated(history).state == "undetermined"
