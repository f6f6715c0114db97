"""Funding is paid as it was settled, comes to nothing over all, and keeps to its interval."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.events import START, History
from tests.support.findings import found, not_checked

PAYMENT, SUM, SCHEDULE = "funding_payment_differs", "funding_does_not_sum_to_zero", "funding_off_schedule"


def venue(**listing: Any) -> History:
    """``A`` is long and ``B`` short 2 contracts; assets have two digits after the point."""
    history = History()
    history.add("AssetListed", asset="USDT", scale="2")
    history.list_instrument(**listing)
    history.fill("A", "buy", "2", "10000")
    history.fill("B", "sell", "2", "10000")
    return history


def settle(history: History, rate: str = "0.0001", mark: str | None = "10000", **more: Any) -> History:
    price: dict[str, Any] = {} if mark is None else {"mark_price": mark}
    history.add("FundingSettled", instrument="BTC-PERP", rate=rate, **price, **more)
    return history


def pay(history: History, account: str = "A", **changes: Any) -> History:
    sign = "" if account == "A" else "-"
    data: dict[str, Any] = {
        "quantity": f"{sign}2",
        "price": "10000",
        "rate": "0.0001",
        "asset": "USDT",
        "amount": f"{sign}2",
    }
    history.add("FundingPaid", account=account, instrument="BTC-PERP", **{**data, **changes})
    return history


def test_payments_that_follow_from_positions_and_settlement_are_no_finding() -> None:
    history = pay(pay(settle(venue())), "B")
    assert found(history.events, PAYMENT) == found(history.events, SUM) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": "3", "amount": "3"}, "the quantity is 3, not 2"),
        ({"price": "10001"}, "the price is 10001, not 10000"),
        ({"rate": "0.0002", "amount": "4"}, "the rate is 0.0002, not 0.0001"),
        ({"amount": "2.02"}, "the amount is 2.02, not 2"),
    ],
)
def test_every_part_of_a_payment_is_compared(changes: dict[str, Any], said: str) -> None:
    (finding,) = found(pay(settle(venue()), **changes).events, PAYMENT)
    assert (finding.account, finding.instrument, finding.sequence) == ("A", "BTC-PERP", 6)
    assert said in finding.message
    assert finding.evidence == (3, 5, 6)


@pytest.mark.parametrize("amount", ["2.01", "1.99"])
def test_an_amount_may_be_off_by_one_unit(amount: str) -> None:
    assert found(pay(settle(venue()), amount=amount).events, PAYMENT) == []


def test_a_settlement_without_a_mark_price_leaves_the_price_open() -> None:
    assert found(pay(settle(venue(), mark=None), price="10010", amount="2.0").events, PAYMENT) == []


def test_a_payment_that_no_settlement_calls_for_is_a_finding() -> None:
    (finding,) = found(pay(venue()).events, PAYMENT)
    assert "no FundingSettled was recorded before it" in finding.message


def test_a_hedged_account_pays_for_a_side_or_for_both_together() -> None:
    history = History()
    history.add("AssetListed", asset="USDT", scale="2")
    history.list_instrument()
    history.fill("A", "buy", "5", "10000", position_side="long")
    history.fill("A", "sell", "3", "10000", position_side="short")
    settle(history)
    pay(history, position_side="long", quantity="5", amount="5")
    pay(history, position_side="short", quantity="-3", amount="-3")
    pay(history)
    assert found(history.events, PAYMENT) == []
    pay(history, position_side="long")
    assert [each.sequence for each in found(history.events, PAYMENT)] == [9]


def test_an_inverse_contract_pays_by_its_value_in_the_settlement_asset() -> None:
    history = History()
    history.add("AssetListed", asset="BTC", scale="8")
    history.list_instrument(contract="inverse", quote="USD", settlement_asset="BTC", contract_size="100")
    history.fill("A", "buy", "2", "10000")
    settle(history)
    # 200 USD ÷ 10,000 × 0.0001 = 0.000002 BTC
    assert found(pay(history, asset="BTC", amount="0.000002").events, PAYMENT) == []
    assert found(pay(history, asset="BTC", amount="0.00000202").events, PAYMENT) != []


def test_payments_may_leave_one_unit_each() -> None:
    assert found(pay(pay(settle(venue()), amount="2.01"), "B", amount="-1.99").events, SUM) == []
    # 2.01 paid and 1.98 received leave 0.03, two payments explain 0.02.
    history = pay(pay(settle(venue()), amount="2.01"), "B", amount="-1.98")
    (finding,) = found(history.events, SUM)
    assert (finding.account, finding.sequence, finding.recorded) == (None, 5, "0.03")
    assert finding.evidence == (5, 7)


def test_somebody_who_holds_and_does_not_pay_is_found_at_the_settlement() -> None:
    history = pay(settle(venue()), "B")
    settle(history)
    pay(pay(history), "B")
    assert [each.sequence for each in found(history.events, SUM)] == [5]


def test_where_one_side_of_the_positions_is_not_in_the_ledger_nothing_is_added_up() -> None:
    history = History()
    history.add("SourceDeclared", source="S", coverage="one_sided", description="")
    history.list_instrument()
    history.fill("A", "buy", "2", "10000", system="S")
    pay(settle(history))
    assert found(history.events, SUM) == []
    assert not_checked(history.events, SUM) == [
        "1 settlements were not added up: one side of the positions is not in the ledger"
    ]


def test_a_payment_may_be_of_the_position_at_the_settlement_or_at_the_payment() -> None:
    for quantity, findings in (("2", 0), ("5", 0), ("3", 1), ("0", 1)):
        history = settle(venue())
        history.fill("A", "buy", "3", "10000")
        pay(history, quantity=quantity, amount=quantity)
        said = [each.message for each in found(history.events, PAYMENT)]
        assert said == [f"the funding of A in BTC-PERP: the quantity is {quantity}, not 2 or 5"] * findings


def test_a_position_that_was_closed_after_the_settlement_still_pays() -> None:
    history = settle(venue())
    history.fill("A", "sell", "2", "10000")
    assert found(pay(history).events, PAYMENT) == []
    settle(history)
    assert [each.sequence for each in found(pay(history).events, PAYMENT)] == [9]


def test_of_sources_that_show_one_side_only_no_payment_is_judged_or_added_up() -> None:
    wrong: dict[str, Any] = {"quantity": "7", "amount": "9"}
    history = venue()
    history.add("SourceDeclared", source="S", coverage="one_sided", description="")
    pay(history, system="S", **wrong)
    pay(settle(history), system="S", **wrong)
    pay(settle(history, system="S"))
    assert found(history.events, PAYMENT) == found(history.events, SUM) == []
    assert not_checked(history.events, SUM) == [
        "2 payments are of sources that show one side only",
        "1 settlements have no funding schedule in force: their interval is not known",
        "2 settlements were not added up: a source of theirs shows one side only",
    ]


@pytest.mark.parametrize(("apart", "findings"), [(28_740, 0), (28_739, 1)])
def test_settlements_may_be_a_minute_early(apart: int, findings: int) -> None:
    history = venue()
    terms: dict[str, Any] = {"effective_at": START, "interest_rate": "0", "clamp": "0"}
    history.add("FundingScheduleSet", interval_seconds="28800", **terms)
    settle(history, occurred_at=START + timedelta(seconds=100))
    settle(history, occurred_at=START + timedelta(seconds=100 + apart))
    early = found(history.events, SCHEDULE)
    assert [(each.instrument, each.sequence, each.evidence) for each in early] == [
        ("BTC-PERP", 7, (5, 6, 7))
    ] * findings


def test_without_a_funding_schedule_the_interval_is_not_known() -> None:
    history = settle(settle(venue()))
    assert found(history.events, SCHEDULE) == []
    assert not_checked(history.events, SCHEDULE) == [
        "1 settlements have no funding schedule in force: their interval is not known"
    ]
