"""What is taken out must leave the initial margin of what is open."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.events import History
from tests.support.findings import found, not_checked, places

CODE = "withdrawal_below_requirement"


def holder(**source: Any) -> History:
    """``A`` has 1,000 USDT and 1 contract at 10,000 with leverage 20: 500 are required."""
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, "0.005", "0", "20"))
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "10000", **source)
    history.mark("10000")
    return history


def withdraw(history: History, amount: str, **more: Any) -> History:
    history.add("WithdrawalRecorded", account="A", asset="USDT", amount=amount, **more)
    return history


def test_a_withdrawal_that_leaves_exactly_the_initial_margin_is_no_finding() -> None:
    assert found(withdraw(holder(), "500").events, CODE) == []


def test_a_withdrawal_of_more_is_a_finding_with_what_is_lacking() -> None:
    history = withdraw(holder(), "500.01")
    (finding,) = found(history.events, CODE)
    assert (finding.account, finding.sequence, finding.rebuilt) == ("A", 6, "-0.01")
    assert finding.evidence == (2, 5, 6)


def test_a_transfer_counts_for_the_payer_alone() -> None:
    history = holder()
    transfer: dict[str, Any] = {"from_account": "A", "to_account": "B", "asset": "USDT"}
    history.add("TransferRecorded", **transfer, amount="600")
    history.add("TransferRecorded", **{**transfer, "from_account": "B", "to_account": "A"}, amount="600")
    assert places(history.events, CODE) == [("A", 6)]


def test_a_wallet_below_zero_is_a_finding_even_with_nothing_open() -> None:
    history = History()
    history.deposit("A", "1000")
    assert found(withdraw(history, "1000").events, CODE) == []
    assert places(withdraw(history, "0.01").events, CODE) == [("A", 3)]


def test_with_nothing_open_nothing_is_required() -> None:
    history = holder()
    history.fill("A", "sell", "1", "10000")
    assert found(withdraw(history, "1000").events, CODE) == []


@pytest.mark.parametrize(("out", "findings"), [("-500", []), ("-500.01", [("A", 8)]), ("100", [])])
def test_isolated_margin_that_is_moved_out_leaves_the_positions_initial_margin(
    out: str, findings: list[tuple[str, int]]
) -> None:
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, "0.005", "0", "20"))
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.deposit("A", "2000")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="1000", reason="")
    history.fill("A", "buy", "1", "10000")
    history.mark("10000")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount=out, reason="")
    assert places(history.events, CODE) == findings


def test_a_requirement_that_is_not_known_is_not_guessed() -> None:
    history = History()
    history.list_instrument()
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "10000")
    history = withdraw(history, "999")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == ["1 outgoing payments whose requirement is not known"]


def test_the_cash_of_a_source_that_shows_one_side_is_not_judged() -> None:
    history = holder()
    history.add("SourceDeclared", source="S", coverage="one_sided", description="")
    history = withdraw(history, "5000", system="S")
    assert found(history.events, CODE) == []
    (reason,) = not_checked(history.events, CODE)
    assert reason.startswith("1 outgoing payments of sources that show one side only")


def test_an_account_in_doubt_is_not_judged() -> None:
    history = holder()
    history.fill("A", "buy", "1", "10000", "ETH-PERP")
    history = withdraw(history, "900")
    assert found(history.events, CODE) == []
    assert not_checked(history.events, CODE) == ["1 outgoing payments of accounts whose books are in doubt"]
