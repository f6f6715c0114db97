from __future__ import annotations

from decimal import Decimal

import pytest

from replay.fold import replay_events
from replay.solvency import DEFAULT_MAXIMUM_AGE_SECONDS, Figures, figures_of
from tests.support.events import History


def figures(side: str) -> Figures:
    """Of a fund that holds so little, at a mark of so many digits, that its PnL has 28 after the point."""
    history = History()
    history.list_instrument()
    history.add(
        "AccountOpened", account="F", margin_mode="cross", position_mode="one_way", kind="insurance_fund"
    )
    history.deposit("F", "5")
    history.fill("F", side, "0.0000000001", "1")
    history.mark("1.123456789012345678")
    return figures_of(replay_events(history.events), DEFAULT_MAXIMUM_AGE_SECONDS)


@pytest.mark.parametrize(
    ("side", "fund"), [("buy", "5.000000000012345678"), ("sell", "4.999999999987654321")]
)
def test_what_a_fund_has_is_committed_to_in_18_digits_and_never_more_than_it_is(side: str, fund: str) -> None:
    assert figures(side).totals()["insurance_fund"] == {"USDT": Decimal(fund)}
