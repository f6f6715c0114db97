from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from replay.audit import AuditedLiquidation, audit
from replay.findings import Finding, Severity
from tests.support.liquidations import LiquidatedVenue, at

if TYPE_CHECKING:
    from ledger.events.envelope import Event


def only(events: list[Event]) -> AuditedLiquidation:
    (liquidation,) = audit(events).liquidations
    return liquidation


def found(events: list[Event], code: str) -> list[Finding]:
    return [finding for finding in audit(events).findings if finding.code == code]


def sequence_of(events: list[Event], event_type: str, **values: str) -> int:
    for event in events:
        if event.type == event_type and all(
            str(getattr(event.data, name)) == value for name, value in values.items()
        ):
            return event.sequence
    raise AssertionError(f"no {event_type} with {values}")


def test_a_liquidation_by_the_book_has_no_finding() -> None:
    events = LiquidatedVenue().events()
    report = audit(events)
    assert report.findings == ()
    liquidation = only(events)
    assert liquidation.closes_exactly
    assert liquidation.residual == 0
    assert liquidation.rebuilt_takeover_notional == liquidation.recorded_notional == 49_200
    assert liquidation.rebuilt_notional == 49_200
    assert liquidation.rebuilt_account_value == liquidation.recorded_account_value == 200
    assert liquidation.unexplained_cash == 0
    assert liquidation.verdict == "justified"
    assert liquidation.judgement.state == "liquidatable"
    assert liquidation.judgement.margin_ratio == Decimal("1.23")


def test_the_breach_is_the_first_mark_at_which_the_boundary_was_reached_and_latency_runs_from_it() -> None:
    events = LiquidatedVenue(marks=("50000", "49240", "49230", "49200")).events()
    liquidation = only(events)
    assert liquidation.breach_sequence == sequence_of(events, "MarkPriceUpdated", price="49240")
    assert liquidation.latency_seconds == 3


def test_a_recovery_in_between_starts_the_breach_anew() -> None:
    events = LiquidatedVenue(marks=("49240", "49300", "49200")).events()
    assert only(events).breach_sequence == sequence_of(events, "MarkPriceUpdated", price="49200")


def test_latency_is_exact_to_the_microsecond() -> None:
    venue = LiquidatedVenue(marks=("50000",))
    venue.open()
    venue.history.add(
        "MarkPriceUpdated", instrument="BTC-PERP", price="49200", occurred_at=at(100).replace(microsecond=1)
    )
    venue.marks = ("49200",)
    venue.history.add(
        "LiquidationExecuted",
        occurred_at=at(101),
        liquidation="L1",
        account="A",
        scope="account",
        notional="49200",
        account_value="200",
        takeovers=[],
    )
    assert only(venue.history.events).latency_seconds == Decimal("0.999999")


def test_the_decision_is_the_liquidation_started_where_there_is_one() -> None:
    venue = LiquidatedVenue(marks=("50000", "49200"), started=True)
    events = venue.events()
    liquidation = only(events)
    assert liquidation.judgement.sequence == sequence_of(events, "LiquidationStarted")
    assert liquidation.sequence == liquidation.judgement.sequence + 1
    assert liquidation.latency_seconds == 1


def test_a_recovery_between_decision_and_execution_does_not_make_it_unjustified() -> None:
    venue = LiquidatedVenue(marks=("50000", "49200"))
    history = venue.open()
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    history.mark("49900")
    venue.liquidate()
    venue.take_over()
    assert only(history.events).verdict == "justified"
    assert found(history.events, "liquidation_unjustified") == []


def test_fills_between_start_and_execution_belong_to_the_liquidation() -> None:
    venue = LiquidatedVenue(executed=None, started=True)
    venue.events()
    venue.executed, venue.fill, venue.started = {}, None, False
    venue.liquidate()
    report = audit(venue.history.events)
    assert report.findings == ()
    (liquidation,) = report.liquidations
    assert liquidation.closes_exactly
    assert liquidation.residual == 0
    assert liquidation.rebuilt_account_value == 200


def test_a_liquidation_within_the_boundary_is_unjustified() -> None:
    events = LiquidatedVenue(marks=("50000", "49300")).events()
    (finding,) = found(events, "liquidation_unjustified")
    liquidation = only(events)
    assert liquidation.verdict == "unjustified"
    assert liquidation.breach_sequence is None
    assert liquidation.latency_seconds is None
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.sequence) == ("A", liquidation.sequence)
    assert set(finding.evidence) >= {
        liquidation.sequence,
        sequence_of(events, "MarkPriceUpdated", price="49300"),
        sequence_of(events, "MarginScheduleSet"),
        sequence_of(events, "RiskPolicySet"),
    }


@pytest.mark.parametrize(
    ("boundary", "verdict"), [("at", "justified"), ("above", "unjustified")], ids=["at", "above"]
)
def test_at_exactly_the_boundary_the_policy_decides(boundary: str, verdict: str) -> None:
    # 1000 + P − 50000 = 0.005 P at P = 49000 / 0.995, so take a wallet that meets it at 49,200.
    venue = LiquidatedVenue(policy={"liquidation_boundary": boundary}, marks=("50000",))
    history = venue.open()
    history.deposit("A", "46")
    history.mark("49200")
    venue.marks = ("49200",)
    venue.liquidate()
    assert only(history.events).verdict == verdict


@pytest.mark.parametrize("missing", ["schedule", "mark"])
def test_without_marks_or_schedule_the_verdict_is_undetermined(missing: str) -> None:
    venue = LiquidatedVenue(schedule=missing != "schedule")
    if missing == "mark":
        marks, venue.marks = venue.marks, ()
        venue.open()
        venue.marks = marks
        venue.liquidate()
        venue.take_over()
        events = venue.history.events
    else:
        events = venue.events()
    liquidation = only(events)
    assert liquidation.verdict == "undetermined"
    assert liquidation.recorded_ratio == Decimal("0.004065040650")
    assert liquidation.closes_exactly
    assert liquidation.residual == 0
    assert (liquidation.rebuilt_account_value is None) == (missing == "mark")
    # Without recorded marks the account value is taken at the marks that the takeover implies.
    assert liquidation.unexplained_cash == 0
    not_checked = {each.check for each in audit(events).not_checked}
    assert "liquidation_unjustified" in not_checked


def test_a_fee_that_is_not_recorded_shows_as_unexplained_cash() -> None:
    events = LiquidatedVenue(executed={"account_value": "180"}).events()
    liquidation = only(events)
    assert liquidation.unexplained_cash == -20
    assert "cash_does_not_close" in {note.code for note in liquidation.notes}


@pytest.mark.parametrize(
    ("fill", "remaining"),
    [({"quantity": "0.9"}, "0.1"), ({"quantity": "1.1"}, "-0.1"), ({"side": "buy"}, "2")],
)
def test_a_liquidation_that_leaves_a_remainder_is_an_error(fill: dict[str, str], remaining: str) -> None:
    events = LiquidatedVenue(fill=fill).events()
    (finding,) = found(events, "liquidation_does_not_close")
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.instrument) == ("A", "BTC-PERP")
    assert finding.rebuilt == "1"
    assert f"{remaining} left" in finding.message
    assert not only(events).closes_exactly


@pytest.mark.parametrize(("quantity", "findings"), [("0.2", 0), ("1", 0), ("1.2", 1)])
def test_under_a_policy_of_partial_steps_a_smaller_position_is_no_finding(
    quantity: str, findings: int
) -> None:
    venue = LiquidatedVenue(policy={"partial_fraction": "0.2"}, fill={"quantity": quantity})
    events = venue.events()
    assert len(found(events, "liquidation_does_not_close")) == findings
    assert only(events).closes_exactly == (quantity == "1")


def test_an_account_liquidation_that_leaves_another_cross_position_does_not_close() -> None:
    venue = LiquidatedVenue()
    venue.history.list_instrument("ETH-PERP")
    venue.history.fill("A", "buy", "1", "10", "ETH-PERP")
    (finding,) = found(venue.events(), "liquidation_does_not_close")
    assert finding.instrument == "ETH-PERP"
    assert "1 open, 0 filled, 1 left" in finding.message


def test_a_position_liquidation_is_of_the_positions_it_names_only() -> None:
    venue = LiquidatedVenue(executed={"scope": "position"})
    venue.history.list_instrument("ETH-PERP")
    venue.history.fill("A", "buy", "1", "10", "ETH-PERP")
    events = venue.events()
    assert found(events, "liquidation_does_not_close") == []
    assert [each.instrument for each in only(events).left_open] == ["ETH-PERP"]


def test_isolated_positions_are_judged_apart_from_the_account() -> None:
    venue = LiquidatedVenue(executed={"scope": "position"})
    venue.history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    venue.history.deposit("A", "100000")
    venue.history.list_instrument()
    venue.history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="1000", reason="entry")
    events = venue.events()
    liquidation = only(events)
    assert liquidation.verdict == "justified"
    assert liquidation.rebuilt_account_value == 200
    assert liquidation.unexplained_cash == 0
    assert liquidation.breach_sequence == sequence_of(events, "MarkPriceUpdated", price="49240")


def test_isolated_by_the_venues_word_only_is_undetermined() -> None:
    events = LiquidatedVenue(executed={"scope": "position", "leverage_type": "Isolated"}).events()
    liquidation = only(events)
    assert liquidation.verdict == "undetermined"
    assert liquidation.rebuilt_account_value is None
    assert "isolated_margin_not_recorded" in {note.code for note in liquidation.notes}


@pytest.mark.parametrize(("notional", "findings"), [("49200", 0), ("49300", 1), ("49100", 1), ("49201", 1)])
def test_a_notional_other_than_what_was_taken_over_is_a_warning(notional: str, findings: int) -> None:
    events = LiquidatedVenue(executed={"notional": notional}).events()
    reported = found(events, "liquidation_notional_differs")
    assert len(reported) == findings
    for finding in reported:
        assert finding.severity is Severity.WARNING
        assert finding.recorded == notional
        assert ("covers more" in finding.message) == (int(notional) > 49_200)


def test_a_takeover_better_than_bankruptcy_is_no_difference_of_notional() -> None:
    # Filled in the market at 49,150: the residual is not zero, but the notional is that of the position.
    better = {
        "takeovers": [{"instrument": "BTC-PERP", "quantity": "1", "price": "49150", "trade_ids": ["T2"]}]
    }
    venue = LiquidatedVenue(executed=better, fill={"price": "49150"})
    venue.open()
    venue.liquidate()
    venue.take_over(account="B", price="49150")
    liquidation = only(venue.history.events)
    assert liquidation.residual is not None
    assert liquidation.residual > 150
    assert "takeover_not_at_bankruptcy_price" in {note.code for note in liquidation.notes}
    assert audit(venue.history.events).findings == ()


@pytest.mark.parametrize(
    ("scale", "unit"), [("6", "0.000001"), ("0", "1"), ("100000000000000000000", "0.000000000000000001")]
)
def test_the_listed_scale_of_the_currency_says_how_finely_a_notional_is_printed(
    scale: str, unit: str
) -> None:
    venue = LiquidatedVenue()
    venue.history.add("AssetListed", asset="USDT", scale=scale)
    assert only(venue.events()).amount_unit == Decimal(unit)


TAKEOVER = {"instrument": "BTC-PERP", "quantity": "1", "price": "49000", "trade_ids": ["T2"]}


@pytest.mark.parametrize(
    "change",
    [{"quantity": "0.9"}, {"price": "49000.1"}, {"instrument": "ETH-PERP"}, {"position_side": "long"}],
    ids=str,
)
def test_takeovers_that_differ_from_the_fills_are_an_error(change: dict[str, Any]) -> None:
    events = LiquidatedVenue(executed={"takeovers": [{**TAKEOVER, **change}]}).events()
    (finding,) = found(events, "takeover_differs_from_fills")
    assert finding.severity is Severity.ERROR
    assert finding.account == "A"
    assert sequence_of(events, "FillRecorded", account="A", purpose="liquidation") in finding.evidence


def test_an_average_price_may_be_off_by_its_printing() -> None:
    fills = (("0.3", "49000.1"), ("0.3", "49000.2"), ("0.4", "49000"))
    for price, differs in (("49000.1", False), ("49000.3", True)):
        venue = LiquidatedVenue(executed={"takeovers": [{**TAKEOVER, "price": price}]}, fill=None)
        venue.open()
        venue.liquidate()
        for quantity, at_price in fills:
            venue.history.fill("A", "sell", quantity, at_price, purpose="liquidation", liquidation="L1")
        assert bool(found(venue.history.events, "takeover_differs_from_fills")) == differs


@pytest.mark.parametrize("listed", ["0.6", "1"], ids=["without", "with"])
def test_what_was_auto_deleveraged_may_be_counted_as_taken_over_or_not(listed: str) -> None:
    venue = LiquidatedVenue(
        executed={"takeovers": [{**TAKEOVER, "quantity": listed}]}, fill={"quantity": "0.6"}
    )
    venue.open()
    venue.liquidate()
    venue.history.fill("A", "sell", "0.4", "49000", purpose="adl", liquidation="L1")
    report = audit(venue.history.events, checks=["takeover_differs_from_fills", "liquidation_does_not_close"])
    assert report.findings == ()
    assert report.liquidations[0].closes_exactly


def test_a_liquidation_without_fills_is_an_error() -> None:
    (finding,) = found(LiquidatedVenue(fill=None).events(), "fills_do_not_match_liquidation")
    assert finding.severity is Severity.ERROR
    assert "has no fills" in finding.message


@pytest.mark.parametrize("liquidation", [None, "L9"])
def test_liquidation_fills_that_no_liquidation_calls_for_are_an_error(liquidation: str | None) -> None:
    history = LiquidatedVenue().open()
    fill = history.fill("A", "sell", "1", "49000", purpose="liquidation", liquidation=liquidation)
    (finding,) = found(history.events, "fills_do_not_match_liquidation")
    assert (finding.account, finding.instrument) == ("A", "BTC-PERP")
    assert finding.evidence == (fill.sequence,)


def test_a_liquidation_that_was_started_and_filled_but_never_reported_is_an_error() -> None:
    events = LiquidatedVenue(started=True, executed=None).events()
    (finding,) = found(events, "fills_do_not_match_liquidation")
    assert finding.account == "A"
    assert finding.sequence == sequence_of(events, "LiquidationStarted")
    assert "no LiquidationExecuted" in finding.message


def test_trades_of_both_sides_in_one_event_are_found_by_their_trade_id() -> None:
    venue = LiquidatedVenue(fill=None)
    venue.open()
    venue.liquidate()
    trade: dict[str, Any] = {
        "buyer": "FUND",
        "seller": "A",
        "buyer_fee": "0",
        "seller_fee": "0",
        "fee_asset": "USDT",
    }
    venue.history.add(
        "TradeExecuted", instrument="BTC-PERP", quantity="1", price="49000", trade_id="T2", **trade
    )
    assert only(venue.history.events).closes_exactly
    assert audit(venue.history.events).findings == ()


def test_several_positions_share_the_account_value_by_maintenance_margin() -> None:
    venue = LiquidatedVenue(marks=("50000",))
    history = venue.history
    history.list_instrument("ETH-PERP")
    history.schedule("ETH-PERP", ("0", None, "0.02", "0", "10"))
    history.mark("2500", "ETH-PERP")
    history.fill("A", "sell", "10", "2500", "ETH-PERP")
    venue.open()
    history.mark("49200")
    history.mark("2501", "ETH-PERP")
    # Equity 190; maintenance 246 and 500.2; takeovers leave nothing behind.
    share = Decimal(190) * 246 / Decimal("746.2")
    btc, eth = Decimal(49_200) - share, (Decimal(25_010) + (Decimal(190) - share)) / 10
    takeovers = [
        {"instrument": name, "quantity": quantity, "price": f"{price:.6f}", "trade_ids": ["T2"]}
        for name, quantity, price in (("BTC-PERP", "1", btc), ("ETH-PERP", "10", eth))
    ]
    venue.executed = {"takeovers": takeovers, "notional": "74210", "account_value": "190"}
    venue.fill = {"price": f"{btc:.6f}"}
    venue.marks = ("49200",)
    venue.liquidate()
    more = {"purpose": "liquidation", "liquidation": "L1"}
    history.fill("A", "buy", "10", f"{eth:.6f}", "ETH-PERP", **more)
    liquidation = only(history.events)
    assert liquidation.verdict == "justified"
    assert liquidation.closes_exactly
    assert liquidation.residual is not None
    assert liquidation.residual_tolerance is not None
    assert abs(liquidation.residual) <= liquidation.residual_tolerance < Decimal("0.03")
    assert abs(liquidation.residual) < Decimal("0.00002")
