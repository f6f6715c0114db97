from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import InvalidInputError
from replay.audit import CHECKS, AuditReport, audit, select_checks
from replay.findings import Finding, Severity
from tests.support.events import History
from tests.support.liquidations import VENUE, LiquidatedVenue

if TYPE_CHECKING:
    from ledger.events.envelope import Event


def found(events: list[Event], code: str) -> list[Finding]:
    return [finding for finding in audit(events).findings if finding.code == code]


class TestMissedLiquidations:
    def test_an_account_over_the_boundary_to_the_end_was_missed(self) -> None:
        history = LiquidatedVenue().open()
        (finding,) = found(history.events, "liquidation_missed")
        assert finding.severity is Severity.ERROR
        assert finding.account == "A"
        breach = next(event for event in history.events if getattr(event.data, "price", None) == 49_240)
        assert finding.sequence == breach.sequence
        assert "and still is at the end" in finding.message

    def test_a_breach_at_the_very_last_moment_may_still_be_answered(self) -> None:
        history = LiquidatedVenue(marks=("50000", "49200")).open()
        assert found(history.events, "liquidation_missed") == []

    def test_an_account_that_recovered_without_liquidation_was_missed_until_then(self) -> None:
        history = LiquidatedVenue(marks=("50000", "49200", "49999")).open()
        (finding,) = found(history.events, "liquidation_missed")
        assert "when it recovered" in finding.message
        assert finding.evidence[-1] == history.events[-1].sequence

    def test_an_account_that_closed_its_position_itself_was_missed_until_then(self) -> None:
        venue = LiquidatedVenue()
        history = venue.open()
        venue.trade("B", "A", "1", "49200", "T3")
        (finding,) = found(history.events, "liquidation_missed")
        assert "when it was closed" in finding.message

    def test_without_a_recorded_policy_it_is_a_warning(self) -> None:
        history = LiquidatedVenue(policy=None).open()
        (finding,) = found(history.events, "liquidation_missed")
        assert finding.severity is Severity.WARNING

    def test_what_a_started_liquidation_answers_was_not_missed(self) -> None:
        history = LiquidatedVenue().open()
        history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
        history.mark("49999")
        assert found(history.events, "liquidation_missed") == []

    def test_what_the_engine_closed_by_auto_deleveraging_was_not_missed(self) -> None:
        history = LiquidatedVenue().open()
        history.fill("A", "sell", "1", "49200", purpose="adl", liquidation="L7")
        assert found(history.events, "liquidation_missed") == []

    def test_the_insurance_fund_is_never_liquidated(self) -> None:
        history = LiquidatedVenue(marks=("50000",)).open()
        history.fill("FUND", "buy", "10", "50000")
        history.deposit("A", "9000")
        history.mark("40000")
        history.mark("49999")
        assert {finding.account for finding in found(history.events, "liquidation_missed")} == {"A"}

    def test_instruments_without_schedule_are_not_checked(self) -> None:
        report = audit(LiquidatedVenue(schedule=False).open().events)
        reasons = {each.check: each.reason for each in report.not_checked}
        assert reasons["liquidation_missed"].startswith("no margin schedule is recorded for BTC-PERP:")


class TestTradeSums:
    @pytest.mark.parametrize(
        "second",
        [{"quantity": "0.9"}, {"price": "50001"}, {"side": "buy"}],
        ids=["quantity", "price", "side"],
    )
    def test_sides_that_do_not_cancel_are_an_error(self, second: dict[str, str]) -> None:
        history = self._declared("complete")
        first: dict[str, Any] = {
            "account": "A",
            "instrument": "BTC-PERP",
            "side": "buy",
            "quantity": "1",
            "price": "50000",
        }
        for fill in (first, {**first, "account": "B", "side": "sell", **second}):
            history.add("FillRecorded", system=VENUE, purpose="trade", trade_id="T1", **fill)
        (finding,) = found(history.events, "trade_does_not_sum_to_zero")
        assert finding.severity is Severity.ERROR
        assert finding.instrument == "BTC-PERP"
        assert finding.evidence == (history.events[-2].sequence, history.events[-1].sequence)

    def test_three_fills_of_one_trade_may_cancel_together(self) -> None:
        history = self._declared("complete")
        for account, side, quantity in (("A", "buy", "1"), ("B", "sell", "0.4"), ("C", "sell", "0.6")):
            fill: dict[str, Any] = {
                "account": account,
                "instrument": "BTC-PERP",
                "side": side,
                "quantity": quantity,
            }
            history.add("FillRecorded", system=VENUE, purpose="trade", trade_id="T1", price="50000", **fill)
        assert found(history.events, "trade_does_not_sum_to_zero") == []

    def test_fills_without_a_trade_id_cancel_by_instrument(self) -> None:
        history = self._declared("complete")
        fill: dict[str, Any] = {
            "account": "A",
            "instrument": "BTC-PERP",
            "side": "buy",
            "quantity": "1",
            "price": "50000",
        }
        history.add("FillRecorded", system=VENUE, purpose="trade", **fill)
        (finding,) = found(history.events, "trade_does_not_sum_to_zero")
        assert "without a trade id" in finding.message

    @pytest.mark.parametrize("coverage", ["one_sided", None])
    def test_one_side_of_a_trade_is_not_checked(self, coverage: str | None) -> None:
        history = self._declared(coverage)
        fill: dict[str, Any] = {
            "account": "A",
            "instrument": "BTC-PERP",
            "side": "buy",
            "quantity": "1",
            "price": "50000",
        }
        history.add("FillRecorded", system=VENUE, purpose="trade", trade_id="T1", **fill)
        report = audit(history.events, checks=["trade_does_not_sum_to_zero"])
        assert report.findings == ()
        (not_checked,) = report.not_checked
        assert not_checked.check == "trade_does_not_sum_to_zero"
        assert "1 fills of source venue were not added up" in not_checked.reason

    @staticmethod
    def _declared(coverage: str | None) -> History:
        history = History()
        if coverage is not None:
            history.add("SourceDeclared", source=VENUE, coverage=coverage, description="")
        history.list_instrument()
        return history


class TestNegativeEquity:
    def test_an_account_below_zero_is_listed_with_what_it_owes(self) -> None:
        history = LiquidatedVenue(marks=("50000", "48000")).open()
        (finding,) = found(history.events, "negative_equity")
        assert finding.severity is Severity.INFO
        assert (finding.account, finding.rebuilt) == ("A", "-1000")

    def test_an_unknown_equity_is_not_called_negative(self) -> None:
        history = LiquidatedVenue(marks=()).open()
        assert found(history.events, "negative_equity") == []


class TestAnomalies:
    def test_what_could_not_be_applied_is_an_error_at_its_event(self) -> None:
        history = History()
        fill = history.fill("A", "buy", "1", "50000", "UNLISTED")
        (finding,) = audit(history.events, checks=["anomalies"]).findings
        assert finding.code == "instrument_not_listed"
        assert finding.severity is Severity.ERROR
        assert (finding.account, finding.sequence) == ("A", fill.sequence)

    def test_every_one_of_them_is_reported_however_many_the_state_keeps(self) -> None:
        history = History()
        fills = [history.fill("A", "buy", "1", "1", "UNLISTED") for _ in range(130)]
        findings = audit(history.events, checks=["anomalies"]).findings
        assert [finding.sequence for finding in findings] == [fill.sequence for fill in fills]
        assert {finding.account for finding in findings} == {"A"}


class TestSelection:
    def test_codes_are_documented_once(self) -> None:
        codes = [kind.code for check in CHECKS for kind in check.kinds]
        assert len(codes) == len(set(codes))
        for check in CHECKS:
            assert check.__doc__
            for kind in check.kinds:
                assert "Evidence: " in kind.description
                assert kind.description.endswith(".")

    def test_a_check_is_selected_by_its_name_or_by_a_code(self) -> None:
        assert [check.name for check in select_checks(["anomalies"])] == ["anomalies"]
        assert [check.name for check in select_checks(["loss_part_repeated"])] == ["anomalies"]
        assert select_checks([]) == CHECKS

    def test_by_a_code_only_findings_of_that_code_are_reported(self) -> None:
        history = History()
        history.fill("A", "buy", "1", "1", "UNLISTED")
        assert audit(history.events, checks=["loss_part_repeated"]).findings == ()

    def test_an_unknown_check_is_refused_with_what_there_is(self) -> None:
        with pytest.raises(InvalidInputError) as raised:
            audit([], checks=["nonsense"])
        assert raised.value.place == ("--check",)
        assert "liquidation_does_not_close" in (raised.value.next_step or "")

    def test_an_account_filters_findings_and_liquidations(self) -> None:
        events = LiquidatedVenue(fill={"quantity": "0.9"}).events()
        assert audit(events, account="A").has_errors
        other = audit(events, account="B")
        assert other.liquidations == ()
        assert not other.has_errors


class TestReport:
    def test_the_document_has_the_fixed_fields(self) -> None:
        document = audit(LiquidatedVenue(fill={"quantity": "0.9"}).events()).document()
        assert document["schema"] == "replay.audit/1"
        assert document["events"] == 17
        assert isinstance(document["findings"], list)
        assert isinstance(document["liquidations"], list)
        finding, liquidation = document["findings"][0], document["liquidations"][0]
        assert isinstance(finding, dict)
        assert isinstance(liquidation, dict)
        assert list(finding) == [
            "code",
            "severity",
            "account",
            "instrument",
            "sequence",
            "evidence",
            "recorded",
            "rebuilt",
            "message",
        ]
        assert liquidation.keys() >= {
            "account",
            "sequence",
            "occurred_at",
            "scope",
            "recorded_notional",
            "recorded_account_value",
            "recorded_ratio",
            "rebuilt_takeover_notional",
            "residual",
            "closes_exactly",
            "rebuilt_account_value",
            "unexplained_cash",
            "verdict",
            "breach_sequence",
            "latency_seconds",
        }
        assert liquidation["latency_seconds"] == "2"
        assert liquidation["recorded_notional"] == "49200"

    def test_an_empty_ledger_has_nothing_to_say(self) -> None:
        report = audit([])
        assert report == AuditReport(0, -1, tuple(check.name for check in CHECKS), (), (), (), 0)

    def test_findings_stand_in_the_order_of_what_they_are_about(self) -> None:
        history = LiquidatedVenue(marks=("50000", "48000")).open()
        history.fill("C", "buy", "1", "1", "UNLISTED")
        sequences = [finding.sequence for finding in audit(history.events).findings]
        assert sequences == sorted(sequences, key=lambda sequence: sequence or 0)
        assert len(sequences) >= 3
