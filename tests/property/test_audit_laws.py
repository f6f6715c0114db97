"""The audit of any history: it never fails, changes nothing, and every finding is documented and proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from replay.audit import CHECKS, audit
from replay.fold import replay_events
from tests.support.random_events import histories

if TYPE_CHECKING:
    from ledger.events.envelope import Event

SEVERITIES = {kind.code for check in CHECKS for kind in check.kinds}


@given(histories())
@settings(max_examples=200, deadline=None)
def test_any_history_can_be_audited_and_every_finding_is_documented(events: list[Event]) -> None:
    report = audit(events)
    assert report.events == len(events)
    assert report.sequence == replay_events(events).sequence
    executed = [event.sequence for event in events if event.type == "LiquidationExecuted"]
    assert [each.sequence for each in report.liquidations] == executed
    for finding in report.findings:
        assert finding.code in SEVERITIES
        assert finding.evidence
        assert list(finding.evidence) == sorted(set(finding.evidence))
        assert 0 <= finding.evidence[0] <= finding.evidence[-1] < len(events)
    assert report.document()["events"] == len(events)


@given(histories())
@settings(max_examples=50, deadline=None)
def test_one_account_alone_is_reported_as_it_is_among_all(events: list[Event]) -> None:
    report = audit(events)
    for account in ("A", "B"):
        alone = audit(events, account=account)
        assert alone.findings == tuple(each for each in report.findings if each.account == account)
        assert alone.liquidations == tuple(each for each in report.liquidations if each.account == account)
