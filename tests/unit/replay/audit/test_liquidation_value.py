"""The recorded account value against the books."""

from __future__ import annotations

from tests.support.events import History
from tests.support.findings import found, not_checked
from tests.support.liquidations import VENUE, LiquidatedVenue

CODE = "liquidation_account_value_differs"


def test_the_value_of_the_books_is_no_finding() -> None:
    assert found(LiquidatedVenue().events(), CODE) == []


def test_another_value_is_one_with_the_difference() -> None:
    events = LiquidatedVenue(executed={"account_value": "900"}).events()
    (finding,) = found(events, CODE)
    assert (finding.account, finding.recorded, finding.rebuilt) == ("A", "900", "200")
    assert "700 are unexplained" in finding.message
    executed = next(event.sequence for event in events if event.type == "LiquidationExecuted")
    assert finding.sequence == executed
    assert executed in finding.evidence


def test_without_marks_it_is_not_checked() -> None:
    events = [event for event in LiquidatedVenue().events() if event.type != "MarkPriceUpdated"]
    assert found(events, CODE) == []
    (reason,) = not_checked(events, CODE)
    assert reason.startswith("1 liquidations have no rebuilt account value")


def test_cash_of_a_source_that_shows_one_side_may_be_incomplete() -> None:
    history = History()
    history.add("SourceDeclared", source=VENUE, coverage="one_sided", description="")
    history.list_instrument()
    history.schedule()
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "50000", system=VENUE)
    history.mark("49200")
    history.add(
        "LiquidationExecuted",
        system=VENUE,
        liquidation="L",
        account="A",
        scope="account",
        notional="49200",
        account_value="900",
        takeovers=[],
    )
    history.fill("A", "sell", "1", "49000", system=VENUE, purpose="liquidation", liquidation="L")
    assert found(history.events, CODE) == []
    assert any("may be incomplete" in reason for reason in not_checked(history.events, CODE))
