"""A TradeExecuted is part of the liquidation whose LiquidationExecuted lists it, before or after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.amounts import ZERO
from replay.audit import audit
from replay.audit.facts import Facts
from replay.fold import fold
from tests.support.waterfall import INSTRUMENT, Waterfall, places

if TYPE_CHECKING:
    from replay.audit import AuditReport

PRICE_WRONG = "takeover_price_wrong"


def trade(
    venue: Waterfall, trade_id: str, price: str = "900", *, quantity: str = "10", buyer: str = "F"
) -> int:
    """Have A sell; return the sequence."""
    event = venue.add(
        "TradeExecuted",
        instrument=INSTRUMENT,
        quantity=quantity,
        price=price,
        buyer=buyer,
        seller="A",
        buyer_fee="0",
        seller_fee="1",
        fee_asset="USDT",
        trade_id=trade_id,
    )
    return event.sequence


def liquidated(*, before: bool, price: str = "900") -> tuple[Waterfall, int]:
    """Liquidate A, whose mark moves once between decision and report, by one trade of the fund."""
    venue = Waterfall()
    venue.start()
    takeover = {"price": price, "counterparty_account": "F", "trade_ids": ["L-1"]}
    sequence = trade(venue, "L-1", price) if before else 0
    venue.mark("935")
    venue.execute(takeover)
    return venue, sequence if before else trade(venue, "L-1", price)


def report(venue: Waterfall) -> AuditReport:
    return audit(venue.events)


def test_a_trade_before_the_liquidation_that_lists_it_closes_what_one_after_it_closes() -> None:
    rows = []
    for before in (True, False):
        venue, sequence = liquidated(before=before)
        (row,) = report(venue).liquidations
        assert row.fill_sequences == (sequence,)
        assert row.closes_exactly
        assert row.takeover_differences == ()
        rows.append(row)
        assert {each.code for each in report(venue).findings} <= {"negative_wallet", "negative_equity"}
    assert rows[0].positions == rows[1].positions
    assert rows[0].latency_seconds == rows[1].latency_seconds


def test_the_liquidation_met_what_its_first_trade_met() -> None:
    venue, _ = liquidated(before=True)
    (row,) = report(venue).liquidations
    # 400 at the mark of 940, before the trade at 900 and the mark of 935.
    assert row.rebuilt_account_value == 400


@pytest.mark.parametrize(("price", "wrong"), [("900", False), ("890", True)])
def test_its_price_is_held_against_the_bankruptcy_price(price: str, wrong: bool) -> None:  # noqa: FBT001 (parametrised)
    venue, sequence = liquidated(before=True, price=price)
    assert places(venue, PRICE_WRONG) == ([("A", sequence)] if wrong else [])


def test_a_trade_that_is_not_listed_is_no_part_of_it() -> None:
    venue = Waterfall()
    venue.start()
    trade(venue, "own", "800", quantity="1", buyer="B")
    sequence = trade(venue, "L-1", quantity="9")
    venue.execute({"quantity": "9", "counterparty_account": "F", "trade_ids": ["L-1"]})
    (row,) = report(venue).liquidations
    assert row.fill_sequences == (sequence,)
    assert sum((each.taken_over for each in row.positions), ZERO) == -9
    assert places(venue, PRICE_WRONG) == []


def test_what_the_fund_took_over_before_the_report_is_a_takeover() -> None:
    waterfall = ["order_book", "adl"]
    venue = Waterfall(policy={"waterfall": waterfall})
    venue.start()
    sequence = trade(venue, "L-1")
    venue.execute({"counterparty_account": "F", "trade_ids": ["L-1"]})
    assert places(venue, "waterfall_step_not_in_policy") == [("A", sequence)]


def test_trades_are_kept_of_begun_liquidations_and_of_these_alone() -> None:
    venue = Waterfall()
    trade(venue, "T-1", quantity="1", buyer="B")
    venue.start()
    trade(venue, "T-2", quantity="1", buyer="B")
    venue.trade("B", "buy", "C", "1", "900")
    facts = Facts()
    fold(venue.events, before=(facts.before,), after=(facts.after,))
    assert [each.trade_id for each in facts.liquidations.begun["L1"].trades] == ["T-2"]
    venue.execute()
    facts = Facts()
    fold(venue.events, before=(facts.before,), after=(facts.after,))
    assert facts.liquidations.begun == {}
