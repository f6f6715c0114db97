"""The venue's own published liquidations, audited from its published fills (shared/data/README.md)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.amounts import exact
from replay.audit import AuditedLiquidation, AuditReport, audit
from replay.findings import Severity
from tests.support.importing import imported
from tests.support.sealing import opened, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.events.envelope import Event

USER = "0x0811d5442a311bc591fe663534d548bf1c09d7de"
COVERS_MORE = {(USER, "2023-04-19T09:21:19"), (USER, "2023-04-19T15:26:43")}
LARGEST_RESIDUAL = Decimal("0.03")


@pytest.fixture(scope="module")
def events(shared_data: Path) -> list[Event]:
    memory, _ = imported("hyperliquid", shared_data / "hyperliquid_2023")
    return list(sealed([opened("USD"), *memory.events]))


@pytest.fixture(scope="module")
def report(events: list[Event]) -> AuditReport:
    return audit(events)


def key(liquidation: AuditedLiquidation) -> tuple[str, str]:
    return liquidation.account, liquidation.occurred_at.strftime("%Y-%m-%dT%H:%M:%S")


def test_all_37_takeovers_close_exactly_what_earlier_fills_opened(report: AuditReport) -> None:
    assert len(report.liquidations) == 37
    assert [key(each) for each in report.liquidations if not each.closes_exactly] == []


def test_the_residual_is_within_three_cents_on_all_but_the_two_that_report_more(report: AuditReport) -> None:
    residuals = {key(each): each.residual for each in report.liquidations}
    beyond = {
        row for row, residual in residuals.items() if residual is None or abs(residual) > LARGEST_RESIDUAL
    }
    assert beyond == COVERS_MORE


def test_the_residual_is_the_one_that_the_data_is_published_with(report: AuditReport) -> None:
    # r = account value ÷ notional; Σ takeover notional ÷ (1 − r) of longs and ÷ (1 + r) of shorts − notional.
    each = report.liquidations[0]
    ratio = Decimal("2.956494") / Decimal("356.80015")
    expected = Decimal("29.21") * Decimal("12.1137") / (1 - ratio) - Decimal("356.80015")
    assert each.residual == pytest.approx(expected, abs=Decimal("1e-15"))


def test_only_what_printing_cannot_explain_is_a_finding_and_it_says_what_differs(report: AuditReport) -> None:
    findings = [finding for finding in report.findings if finding.code == "liquidation_notional_differs"]
    rows = {each.sequence: key(each) for each in report.liquidations}
    assert {rows[finding.sequence or 0] for finding in findings} == COVERS_MORE
    assert {finding.severity for finding in findings} == {Severity.WARNING}
    assert [(finding.recorded, finding.instrument) for finding in findings] == [
        ("5679.325", "AVAX"),
        ("8797.19865", "LTC"),
    ]
    assert "covers more than what was taken over" in findings[0].message
    assert "Open beside it and not taken over: 30.75 LTC." in findings[0].message
    assert "141.06 AVAX, 0.10545 BTC" in findings[1].message


def test_no_verdict_is_given_without_marks_and_schedules_but_the_recorded_ratio(report: AuditReport) -> None:
    assert {each.verdict for each in report.liquidations} == {"undetermined"}
    assert {each.rebuilt_account_value for each in report.liquidations} == {None}
    cross = [each.recorded_ratio for each in report.liquidations if each.scope == "account"]
    assert max(ratio for ratio in cross if ratio is not None) == Decimal("0.009971207265")
    assert None not in cross


def test_cash_that_does_not_close_is_stated(report: AuditReport) -> None:
    for each in report.liquidations:
        assert each.unexplained_cash
        assert "cash_does_not_close" in {note.code for note in each.notes}


def test_the_cash_after_a_takeover_at_bankruptcy_prices_is_what_is_unexplained(report: AuditReport) -> None:
    # A cross account is left with nothing: what the books still show is what they do not know of.
    # The account of this row never traded again; its books end at −0.067156 USD.
    each = next(each for each in report.liquidations if each.account.startswith("0xc12899"))
    assert each.unexplained_cash is not None
    assert each.residual is not None
    assert each.recorded_ratio is not None
    difference = abs(each.unexplained_cash - Decimal("0.067156"))
    assert difference == pytest.approx(abs(each.residual * each.recorded_ratio), abs=Decimal("1e-9"))


def test_nothing_is_an_error_and_what_cannot_be_checked_is_said(report: AuditReport) -> None:
    assert not report.has_errors
    assert report.counts() == {"liquidation_notional_differs": 2, "negative_equity": 9}
    not_checked = {each.check: each.reason for each in report.not_checked}
    assert "16387 fills of source hyperliquid" in not_checked["trade_does_not_sum_to_zero"]
    assert "37 liquidations are undetermined" in not_checked["liquidation_unjustified"]
    assert "no margin schedule is recorded" in not_checked["liquidation_missed"]


@exact()
def altered(events: list[Event], liquidation: AuditedLiquidation, change: Decimal) -> list[Event]:
    """A copy in which the last ordinary fill before a liquidation, in what it closes, has another size."""
    instrument = liquidation.positions[-1].instrument
    index = max(
        index
        for index, event in enumerate(events[: liquidation.sequence])
        if event.type == "FillRecorded"
        and getattr(event.data, "account", None) == liquidation.account
        and getattr(event.data, "instrument", None) == instrument
        and getattr(event.data, "purpose", None) == "trade"
    )
    fill = events[index].data
    quantity = getattr(fill, "quantity")  # noqa: B009 (any payload)
    copy = list(events)
    copy[index] = replace(events[index], data=fill.model_copy(update={"quantity": quantity + change}))
    return copy


@pytest.mark.parametrize("row", [0, 9, 15, 21, 24, 26, 36])
def test_altering_an_earlier_fill_opens_the_liquidation_it_belongs_to(
    events: list[Event], report: AuditReport, row: int
) -> None:
    change = Decimal("0.00001")
    liquidation = report.liquidations[row]
    found = audit(altered(events, liquidation, change), checks=["liquidation_does_not_close"])
    assert not found.liquidations[row].closes_exactly
    assert found.has_errors
    finding = next(each for each in found.findings if each.sequence == liquidation.sequence)
    assert finding.code == "liquidation_does_not_close"
    assert finding.account == liquidation.account
    assert "0.00001 left" in finding.message
    assert all(each.account == liquidation.account for each in found.findings)
