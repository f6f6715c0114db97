"""What a venue reports of an account is held against what its events come to."""

from __future__ import annotations

from typing import Any

import pytest

from replay.audit import audit
from tests.support.events import History
from tests.support.findings import found, not_checked

BALANCE, MARGIN, POSITION = (
    "reported_balance_differs",
    "reported_margin_differs",
    "reported_position_differs",
)
# 2 contracts from 10,000, mark 10,050, leverage 20, maintenance 0.5 %.
FIGURES = {
    "equity": "1100",
    "initial_margin": "1005",
    "maintenance_margin": "100.5",
    "margin_ratio": "0.091364",
}
HELD = {
    "instrument": "BTC-PERP",
    "quantity": "2",
    "entry_price": "10000",
    "mark_price": "10050",
    "notional": "20100",
    "unrealised_pnl": "100",
    "initial_margin": "1005",
    "maintenance_margin": "100.5",
    "leverage": "20",
}


def venue() -> History:
    history = History()
    history.add("AssetListed", asset="USDT", scale="2")
    history.list_instrument(tick_size="0.5")
    history.schedule("BTC-PERP", ("0", None, "0.005", "0", "20"))
    history.deposit("A", "1000")
    history.fill("A", "buy", "2", "10000")
    history.mark("10050")
    return history


def reported(positions: list[dict[str, Any]] | None = None, **changes: Any) -> list[tuple[str, str | None]]:
    """Return (code, instrument) of what is found in a report of ``A`` (sequence 7)."""
    history = venue()
    data = {"account": "A", "wallet_balance": {"USDT": "1000"}, **FIGURES, **changes}
    if positions is not None:
        data["positions"] = positions
    history.add("AccountStateReported", **data)
    report = audit(history.events)
    assert {(each.account, each.sequence) for each in report.findings} <= {("A", 7)}
    return [(each.code, each.instrument) for each in report.findings]


def test_a_report_that_says_what_events_come_to_is_no_finding() -> None:
    assert reported([HELD]) == []


@pytest.mark.parametrize(("balance", "findings"), [("999.99", 0), ("999.98", 1), ("1000.02", 1)])
def test_a_balance_may_be_off_by_one_unit(balance: str, findings: int) -> None:
    assert reported(wallet_balance={"USDT": balance}) == [(BALANCE, None)] * findings


def test_an_asset_that_is_not_named_is_reported_as_zero() -> None:
    assert reported(wallet_balance={}) == [(BALANCE, None)]
    assert reported(wallet_balance={"USDT": "1000", "BTC": "0.1"}) == [(BALANCE, None)]
    assert reported(wallet_balance={"USDT": "1000", "BTC": "0"}) == []


@pytest.mark.parametrize(
    ("field", "within", "beyond"),
    [
        ("equity", "1100.01", "1100.02"),
        ("initial_margin", "1004.99", "1004.98"),
        ("maintenance_margin", "100.51", "100.52"),
        ("margin_ratio", "0.091363", "0.091362"),
    ],
)
def test_an_account_figure_may_be_off_by_one_unit(field: str, within: str, beyond: str) -> None:
    assert reported(None, **{field: within}) == []
    assert reported(None, **{field: beyond}) == [(MARGIN, None)]


@pytest.mark.parametrize(
    ("field", "within", "beyond", "code"),
    [
        ("quantity", "2", "2.001", POSITION),
        ("entry_price", "10000.1", "10000.2", POSITION),
        ("mark_price", "10050", "10050.5", POSITION),
        ("leverage", "20", "10", POSITION),
        ("notional", "20100.01", "20100.02", POSITION),
        ("unrealised_pnl", "99.99", "99.98", POSITION),
        ("initial_margin", "1005.01", "1005.02", MARGIN),
        ("maintenance_margin", "100.49", "100.48", MARGIN),
    ],
)
def test_a_position_figure_is_exact_or_off_by_one_unit(
    field: str, within: str, beyond: str, code: str
) -> None:
    assert reported([{**HELD, field: within}]) == []
    assert reported([{**HELD, field: beyond}]) == [(code, "BTC-PERP")]


def test_a_position_that_is_missing_or_not_held_is_a_finding() -> None:
    assert reported([]) == [(POSITION, "BTC-PERP")]
    assert reported([HELD, {"instrument": "ETH-PERP", "quantity": "1"}]) == [(POSITION, "ETH-PERP")]
    assert reported([HELD, {"instrument": "ETH-PERP", "quantity": "0"}]) == []


def test_the_side_of_a_one_way_position_may_be_named() -> None:
    assert reported([{**HELD, "position_side": "long"}]) == []
    assert reported([{**HELD, "position_side": "short"}]) == [(POSITION, "BTC-PERP")] * 2


def test_both_sides_of_a_hedged_pair_are_compared() -> None:
    history = venue()
    history.add("AccountOpened", account="H", margin_mode="cross", position_mode="hedge", kind="customer")
    history.deposit("H", "1000")
    history.fill("H", "buy", "2", "10000", position_side="long")
    history.fill("H", "sell", "1", "10000", position_side="short")
    sides = [
        {"instrument": "BTC-PERP", "position_side": "long", "quantity": "2"},
        {"instrument": "BTC-PERP", "position_side": "short", "quantity": "-1"},
    ]
    history.add("AccountStateReported", account="H", wallet_balance={"USDT": "1000"}, positions=sides)
    assert audit(history.events).findings == ()
    history.add("AccountStateReported", account="H", wallet_balance={"USDT": "1000"}, positions=sides[:1])
    (finding,) = found(history.events, POSITION)
    assert (finding.recorded, finding.rebuilt) == ("0", "-1")


def test_isolated_margin_is_compared_and_is_part_of_the_wallet() -> None:
    history = History()
    history.add("AssetListed", asset="USDT", scale="2")
    history.list_instrument()
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.deposit("A", "1000")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="300", reason="")
    history.fill("A", "buy", "1", "10000")
    position: dict[str, Any] = {"instrument": "BTC-PERP", "quantity": "1", "isolated_margin": "300.01"}
    report: dict[str, Any] = {"account": "A", "wallet_balance": {"USDT": "1000"}}
    history.add("AccountStateReported", **report, positions=[position])
    assert found(history.events, POSITION) == found(history.events, BALANCE) == []
    history.add("AccountStateReported", **report, positions=[{**position, "isolated_margin": "300.02"}])
    (finding,) = found(history.events, POSITION)
    assert (finding.sequence, finding.recorded, finding.rebuilt) == (8, "300.02", "300")


def test_the_evidence_is_the_report_the_last_booking_and_what_the_margin_follows_from() -> None:
    history = venue()
    history.deposit("B", "5")
    history.add("AccountStateReported", account="A", wallet_balance={"USDT": "1"}, maintenance_margin="1")
    (balance,) = found(history.events, BALANCE)
    (margin,) = found(history.events, MARGIN)
    assert balance.evidence == (5, 8)
    assert margin.evidence == (3, 5, 6, 8)
    assert (margin.recorded, margin.rebuilt) == ("1", "100.5")


def test_figures_that_cannot_be_rebuilt_and_books_in_doubt_are_counted() -> None:
    history = History()
    history.list_instrument()
    history.fill("A", "buy", "1", "10000")
    history.fill("B", "buy", "1", "10000", "ETH-PERP")
    for account in ("A", "B"):
        history.add("AccountStateReported", account=account, wallet_balance={}, equity="5")
    assert found(history.events, MARGIN) == []
    assert not_checked(history.events, MARGIN) == [
        "1 reported figures (equity) that cannot be rebuilt were not compared",
        "1 reports of accounts whose books are in doubt were not compared",
    ]


def test_a_report_of_a_source_that_shows_one_side_only_is_not_compared() -> None:
    history = venue()
    history.add("SourceDeclared", source="S", coverage="one_sided", description="")
    history.add("AccountStateReported", account="A", wallet_balance={"USDT": "5"}, system="S")
    assert found(history.events, BALANCE) == []
    assert not_checked(history.events, "reported_account_state") == [
        "1 reports of sources that show one side only, whose cash may not be complete, were not compared"
    ]
    history.add("AccountStateReported", account="A", wallet_balance={"USDT": "5"}, system="T")
    assert [each.sequence for each in found(history.events, BALANCE)] == [9]
