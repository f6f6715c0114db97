"""Money that had been received when its owner was liquidated has to count."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replay.findings import Severity
from tests.support.events import START, History
from tests.support.findings import found
from tests.support.liquidations import LiquidatedVenue

if TYPE_CHECKING:
    from ledger.events.envelope import Event

CODE = "deposit_applied_late"
# A has 1,000 and 1 BTC long from 50,000; at 49,200 it has 200 left and has to have 246.


def liquidated() -> tuple[History, Event]:
    """The history after the decision to liquidate, and the decision."""
    history = LiquidatedVenue().open()
    decision = history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    return history, decision


def receive(history: History, amount: str, *, before: Event, seconds: int = 1) -> None:
    """Record a deposit that was received so many seconds before another event."""
    history.deposit("A", amount)
    received_at = before.occurred_at - timedelta(seconds=seconds)
    history.events[-1] = replace(history.events[-1], received_at=received_at)


@pytest.mark.parametrize(
    ("amount", "severity"), [("46.01", Severity.ERROR), ("46", Severity.WARNING), ("1", Severity.WARNING)]
)
def test_a_deposit_that_would_have_cured_is_an_error_and_a_smaller_one_a_warning(
    amount: str, severity: Severity
) -> None:
    history, decision = liquidated()
    receive(history, amount, before=decision)
    (finding,) = found(history.events, CODE)
    assert finding.severity is severity
    assert (finding.account, finding.sequence) == ("A", history.events[-1].sequence)
    assert finding.evidence == (decision.sequence, history.events[-1].sequence)


def test_a_deposit_received_at_the_decision_or_later_is_no_finding() -> None:
    history, decision = liquidated()
    receive(history, "1000", before=decision, seconds=0)
    history.deposit("A", "1000")
    assert found(history.events, CODE) == []


def test_without_a_receipt_the_time_of_the_deposit_counts() -> None:
    history, decision = liquidated()
    at = decision.occurred_at - timedelta(seconds=1)
    history.add("DepositRecorded", account="A", asset="USDT", amount="1000", occurred_at=at)
    (finding,) = found(history.events, CODE)
    assert finding.severity is Severity.ERROR


def test_a_deposit_recorded_before_the_decision_counted() -> None:
    history = LiquidatedVenue().open()
    history.deposit("A", "10")
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    assert found(history.events, CODE) == []


def test_a_transfer_counts_for_whom_it_goes_to() -> None:
    history, _ = liquidated()
    transfer = {"from_account": "B", "to_account": "A", "asset": "USDT", "amount": "500"}
    history.add("TransferRecorded", occurred_at=START, **transfer)
    back = {**transfer, "from_account": "A", "to_account": "B"}
    history.add("TransferRecorded", occurred_at=START, **back)
    assert [each.account for each in found(history.events, CODE)] == ["A"]


def test_the_execution_alone_is_the_decision_where_nothing_was_started() -> None:
    history = LiquidatedVenue().open()
    outcome: dict[str, Any] = {"notional": "49200", "account_value": "200", "takeovers": []}
    decision = history.add("LiquidationExecuted", liquidation="L1", account="A", scope="account", **outcome)
    receive(history, "500", before=decision)
    assert [each.severity for each in found(history.events, CODE)] == [Severity.ERROR]


@pytest.mark.parametrize(
    ("amount", "findings"),
    [("46.01", [Severity.ERROR]), ("46", [Severity.WARNING]), ("-10", [])],
)
def test_margin_for_an_isolated_position_cures_that_position(amount: str, findings: list[Severity]) -> None:
    history = History()
    history.list_instrument()
    history.schedule()
    history.policy()
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.deposit("A", "5000")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="1000", reason="")
    history.fill("A", "buy", "1", "50000")
    history.mark("49200")
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="position", instrument="BTC-PERP")
    adjusted = {"account": "A", "instrument": "BTC-PERP", "amount": amount, "reason": ""}
    history.add("MarginAdjusted", occurred_at=START, **adjusted)
    assert [each.severity for each in found(history.events, CODE)] == findings


def test_where_the_boundary_is_not_known_it_is_a_warning() -> None:
    history = LiquidatedVenue(schedule=False).open()
    decision = history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    receive(history, "5000", before=decision)
    (finding,) = found(history.events, CODE)
    assert finding.severity is Severity.WARNING


def test_what_a_decision_met_stays_as_it_was_while_prices_go_on() -> None:
    history, decision = liquidated()
    # At 40,000 no such deposit would have helped; at the decision's mark it would have.
    history.mark("40000")
    receive(history, "100", before=decision)
    (finding,) = found(history.events, CODE)
    assert finding.severity is Severity.ERROR


def test_margin_that_the_engine_moves_in_answer_to_the_same_input_is_no_deposit() -> None:
    history, decision = liquidated()
    received_at = decision.occurred_at - timedelta(seconds=1)
    history.events[-1] = replace(decision, received_at=received_at)
    receive(history, "1000", before=decision, seconds=1)
    assert found(history.events, CODE) == []
    receive(history, "1000", before=decision, seconds=2)
    assert len(found(history.events, CODE)) == 1
