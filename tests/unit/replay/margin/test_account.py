from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import encode
from replay.fold import replay_events
from replay.margin import AccountMargin, evaluate
from tests.support.events import START, History

if TYPE_CHECKING:
    from replay.margin import PositionMargin


def venue(**currency: str) -> History:
    history = History(**currency)
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", "50000", "0.01", "0", "50"), ("50000", None, "0.05", "2000", "10"))
    history.policy(warning_ratio="0.5", margin_call_ratio="0.8")
    return history


def account(history: History, name: str = "A") -> AccountMargin:
    margin = evaluate(replay_events(history.events), name)
    encode(margin.json_value())
    return margin


def only_position(margin: AccountMargin) -> PositionMargin:
    (position,) = margin.positions
    return position


def codes(margin: AccountMargin) -> set[str]:
    return {note.code for note in margin.notes}


def test_a_cross_account_in_figures() -> None:
    history = venue()
    history.deposit("A", "10000")
    history.add("LeverageSet", account="A", instrument="BTC-PERP", leverage="20")
    history.fill("A", "buy", "1", "30000", fee="15")
    history.add(
        "FundingPaid",
        account="A",
        instrument="BTC-PERP",
        quantity="1",
        price="30000",
        rate="0.0001",
        asset="USDT",
        amount="3",
    )
    history.mark("29000")
    margin = account(history)
    assert margin.wallet_balance == {"USDT": Decimal(9982)}
    assert margin.unrealised_pnl == Decimal(-1000)
    assert margin.equity == margin.collateral_value == margin.total_equity == Decimal(8982)
    assert margin.notional == Decimal(29000)
    assert margin.initial_margin == Decimal(1450)
    assert margin.maintenance_margin == Decimal(290)
    assert margin.margin_ratio == Decimal("0.032286795814")
    assert margin.equity_ratio == Decimal("0.309724137931")
    assert margin.margin_utilisation == Decimal("0.161433979069")
    assert margin.leverage == Decimal("3.228679581385")
    assert margin.buffer == Decimal(8692)
    assert margin.cost_of_maintenance == Decimal(18)
    assert margin.state == "healthy"
    assert margin.notes == ()
    position = only_position(margin)
    assert position.entry_price == Decimal(30000)
    assert position.leverage == Decimal(20)
    assert position.state == "healthy"
    assert position.equity is None
    assert position.liquidation_price_below == Decimal("20220.202020202020202020")
    assert position.liquidation_price_above is None
    assert position.bankruptcy_price == Decimal(20018)
    assert position.margin_call_price == Decimal("20271.392405063291139240")


def test_the_schedule_in_force_is_the_latest_effective_at_the_time_asked_about() -> None:
    history = venue()
    history.schedule("BTC-PERP", ("0", None, "0.02", "0", "50"), effective_at=START + timedelta(seconds=60))
    history.deposit("A", "10000")
    history.fill("A", "buy", "1", "30000")
    history.mark("30000")
    state = replay_events(history.events)
    assert evaluate(state, "A").maintenance_margin == Decimal(300)
    later = evaluate(state, "A", at=START + timedelta(seconds=60))
    assert later.maintenance_margin == Decimal(600)
    assert later.positions[0].schedule_sequence == 4


def test_a_schedule_never_changes_earlier_states_even_if_it_is_effective_before() -> None:
    history = venue()
    history.deposit("A", "10000")
    history.fill("A", "buy", "1", "30000")
    history.mark("30000")
    before = account(history)
    history.schedule("BTC-PERP", ("0", None, "0.02", "0", "50"), effective_at=START)
    assert before.maintenance_margin == Decimal(300)
    assert account(history).maintenance_margin == Decimal(600)


def test_maintenance_margin_may_be_taken_on_the_entry_notional() -> None:
    history = venue()
    history.policy(maintenance_basis="entry")
    history.deposit("A", "10000")
    history.fill("A", "buy", "1", "30000")
    history.mark("25000")
    margin = account(history)
    assert margin.maintenance_margin == Decimal(300)
    assert margin.initial_margin == Decimal(500)
    assert only_position(margin).liquidation_price == Decimal(20300)


def test_an_isolated_position_stands_on_its_own() -> None:
    history = venue()
    history.deposit("A", "10000")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.fill("A", "buy", "1", "30000")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="1500", reason="opening")
    history.mark("28800")
    margin = account(history)
    assert margin.wallet_balance == {"USDT": Decimal(10000)}
    assert margin.cross_wallet_balance == {"USDT": Decimal(8500)}
    assert margin.equity == margin.collateral_value == Decimal(8500)
    assert margin.maintenance_margin == 0
    assert margin.margin_ratio is None
    assert codes(margin) >= {"no_position"}
    assert margin.state == "healthy"
    assert margin.total_equity == Decimal(8800)
    position = only_position(margin)
    assert position.isolated_margin == Decimal(1500)
    assert position.equity == Decimal(300)
    assert position.maintenance_margin == Decimal(288)
    assert position.margin_ratio == Decimal("0.96")
    assert position.state == "margin_call"
    assert position.liquidation_price == Decimal("28787.878787878787878787")
    assert position.bankruptcy_price == Decimal(28500)


def test_an_isolated_position_whose_margin_was_never_recorded_is_undetermined() -> None:
    history = venue()
    history.deposit("A", "10000")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.fill("A", "buy", "1", "30000")
    history.mark("30000")
    margin = account(history)
    assert only_position(margin).state == "undetermined"
    assert only_position(margin).equity is None
    assert margin.total_equity is None
    assert "no_isolated_margin" in codes(margin)


@pytest.mark.parametrize("missing", ["mark", "schedule"])
def test_without_mark_or_schedule_a_held_position_is_undetermined_and_not_zero(missing: str) -> None:
    history = History()
    history.list_instrument()
    history.deposit("A", "10000")
    history.fill("A", "buy", "1", "30000")
    if missing == "mark":
        history.schedule()
    else:
        history.mark("30000")
    margin = account(history)
    assert margin.state == only_position(margin).state == "undetermined"
    assert margin.maintenance_margin is None
    assert margin.margin_ratio is None
    assert only_position(margin).liquidation_price is None
    expected = {"mark": "no_mark_price", "schedule": "no_margin_schedule"}
    assert expected[missing] in codes(margin)
    assert (margin.equity is None) == (missing == "mark")


def test_holdings_are_valued_at_recorded_prices_and_count_after_their_haircut() -> None:
    history = venue(valuation_currency="USD")
    history.add("AssetPriceUpdated", asset="USDT", valuation_currency="USD", price="0.5")
    history.add(
        "CollateralScheduleSet",
        asset="USDT",
        effective_at=START,
        tiers=[
            {"value_floor": "0", "value_cap": "1000", "collateral_rate": "1"},
            {"value_floor": "1000", "collateral_rate": "0.9"},
        ],
    )
    history.deposit("A", "10000")
    history.fill("A", "buy", "1", "30000")
    history.mark("30100")
    margin = account(history)
    assert margin.equity == Decimal(5050)
    assert margin.collateral_value == Decimal(4650)
    assert margin.unrealised_pnl == Decimal(50)
    assert margin.maintenance_margin == Decimal("150.5")


def test_a_holding_without_price_leaves_the_account_undetermined() -> None:
    history = venue(valuation_currency="USD")
    history.deposit("A", "10000")
    margin = account(history)
    assert margin.state == "undetermined"
    assert margin.equity is None
    assert margin.wallet_balance == {"USDT": Decimal(10000)}
    assert "no_asset_price" in codes(margin)


def test_a_mark_older_than_the_policy_accepts_decides_nothing() -> None:
    history = venue()
    history.policy(mark_max_age_seconds="10")
    history.deposit("A", "10000")
    history.fill("A", "buy", "1", "30000")
    history.mark("30000")
    state = replay_events(history.events)
    assert evaluate(state, "A", at=state.occurred_at + timedelta(seconds=10)).state == "healthy"
    late = evaluate(state, "A", at=state.occurred_at + timedelta(seconds=10, microseconds=1))
    assert late.state == "undetermined"
    assert "mark_price_stale" in codes(late)


def test_a_negative_value_is_bankrupt_and_no_negative_ratio_is_given() -> None:
    history = venue()
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "30000")
    history.mark("28000")
    margin = account(history)
    assert margin.state == "bankrupt"
    assert margin.collateral_value == Decimal(-1000)
    assert margin.margin_ratio is margin.equity_ratio is margin.leverage is margin.margin_utilisation is None
    assert "ratio_undefined" in codes(margin)


def test_an_account_without_positions_is_healthy_and_has_no_ratio() -> None:
    history = venue()
    history.deposit("A", "1000")
    margin = account(history)
    assert margin.state == "healthy"
    assert margin.margin_ratio is None
    assert "no_position" in codes(margin)


def test_a_default_policy_is_named_where_none_is_recorded() -> None:
    history = History()
    history.list_instrument()
    history.schedule()
    history.deposit("A", "150")
    history.fill("A", "buy", "1", "30000")
    history.mark("30000")
    margin = account(history)
    assert margin.state == "liquidatable"
    assert "no_risk_policy" in codes(margin)


def test_in_hedge_mode_both_sides_require_margin_and_share_one_pair_of_prices() -> None:
    history = venue()
    history.add("PositionModeSet", account="A", position_mode="hedge")
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "30000", position_side="long")
    history.fill("A", "sell", "0.5", "30000", position_side="short")
    history.mark("30000")
    margin = account(history)
    assert margin.notional == Decimal(45000)
    assert margin.maintenance_margin == Decimal(450)
    long, short = margin.positions
    assert (long.position_side, short.position_side) == ("long", "short")
    assert long.quantity == Decimal(1)
    assert short.quantity == Decimal("-0.5")
    assert (
        long.liquidation_price_below == short.liquidation_price_below == Decimal("28865.979381443298969072")
    )
    assert long.liquidation_price_above is None


def test_in_cross_margin_the_account_value_behind_a_position_is_its_share_of_the_requirement() -> None:
    history = venue()
    history.list_instrument("ETH-PERP")
    history.schedule("ETH-PERP", ("0", None, "0.03", "0", "20"))
    history.deposit("A", "4000")
    history.fill("A", "buy", "1", "30000")
    history.fill("A", "sell", "10", "1000", "ETH-PERP")
    history.mark("30000")
    history.mark("1000", "ETH-PERP")
    prices = {each.instrument: each.bankruptcy_price for each in account(history).positions}
    assert prices == {"BTC-PERP": Decimal(28000), "ETH-PERP": Decimal(1200)}


def test_an_external_account_is_never_judged() -> None:
    history = venue()
    history.add("SourceDeclared", source="feed", coverage="one_sided", description="fills of one side")
    history.fill("A", "buy", "1", "30000", system="feed")
    history.mark("30000")
    assert account(history, "external/feed").state == "undetermined"
    assert "external_account" in codes(account(history, "external/feed"))


def test_prices_can_be_left_out() -> None:
    history = venue()
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "30000")
    history.mark("30000")
    margin = evaluate(replay_events(history.events), "A", with_prices=False)
    assert margin.positions[0].liquidation_price is None
    assert margin.state == "healthy"
