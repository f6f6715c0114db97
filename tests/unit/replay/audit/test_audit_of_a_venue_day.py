"""The audit and the venue engine share no decision; of the same day they have to think alike."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from replay.audit import AuditReport, audit
from replay.venue.demo import demo_day
from tests.support.events import History, recorded

if TYPE_CHECKING:
    from ledger.events.envelope import Event


@pytest.fixture(scope="module")
def day() -> list[Event]:
    """A day with a crash, after the event that opens its ledger."""
    events = History(valuation_currency="USD").events
    for draft in demo_day(7, origin="test.example/replay"):
        event = recorded(len(events), draft.data, occurred_at=draft.occurred_at)
        events.append(replace(event, id=draft.id or event.id, source=draft.source))
    return events


@pytest.fixture(scope="module")
def report(day: list[Event]) -> AuditReport:
    return audit(day)


def of(event: Event, name: str) -> Any:
    return getattr(event.data, name, None)


def renumbered(events: list[Event]) -> list[Event]:
    return [replace(event, sequence=sequence) for sequence, event in enumerate(events)]


def test_a_day_by_the_rules_has_no_finding_and_every_liquidation_is_justified(report: AuditReport) -> None:
    assert report.findings == ()
    assert len(report.liquidations) >= 5
    for each in report.liquidations:
        assert each.verdict == "justified"
        assert each.closes_exactly
        assert each.unexplained_cash == 0
        assert each.rebuilt_notional == each.recorded_notional
        assert each.latency_seconds == Decimal("0.12")


def test_everything_that_the_day_asserts_was_checked(report: AuditReport) -> None:
    assert report.not_checked == ()


def test_a_liquidation_that_is_left_out_is_missed(day: list[Event], report: AuditReport) -> None:
    for left_out in report.liquidations[::3]:
        kept = [
            event
            for event in day
            if of(event, "liquidation") != left_out.liquidation or event.type == "LossSocialised"
        ]
        missed = {
            finding.account
            for finding in audit(renumbered(kept), checks=["liquidation_missed"]).findings
            if finding.sequence == left_out.breach_sequence
        }
        assert left_out.account in missed


def test_a_liquidation_of_an_account_in_good_order_is_unjustified(
    day: list[Event], report: AuditReport
) -> None:
    # Before each decision its account receives a deposit that puts it far within the boundary.
    for each in report.liquidations[::3]:
        if each.leverage_type == "isolated":
            continue
        decision = each.judgement.sequence
        deposit = next(event for event in day if event.type == "DepositRecorded")
        more = deposit.data.model_copy(update={"account": each.account, "amount": Decimal(10**9)})
        changed = [
            *day[:decision],
            replace(day[decision], type="DepositRecorded", data=more),
            *day[decision:],
        ]
        found = audit(renumbered(changed), checks=["liquidation_unjustified"]).findings
        assert (each.account, each.sequence + 1) in {(finding.account, finding.sequence) for finding in found}


@pytest.mark.parametrize("field", ["notional", "takeovers"])
def test_a_report_that_says_something_else_than_was_done_is_found(
    day: list[Event], report: AuditReport, field: str
) -> None:
    for each in report.liquidations[::3]:
        data = day[each.sequence].data
        value = of(day[each.sequence], field)
        if field == "notional":
            changed: Any = value * 2
        else:
            changed = [value[0].model_copy(update={"quantity": value[0].quantity * 2}), *value[1:]]
        events = list(day)
        events[each.sequence] = replace(day[each.sequence], data=data.model_copy(update={field: changed}))
        found = {(finding.code, finding.sequence) for finding in audit(events).findings}
        code = "liquidation_notional_differs" if field == "notional" else "takeover_differs_from_fills"
        assert found == {(code, each.sequence)}
