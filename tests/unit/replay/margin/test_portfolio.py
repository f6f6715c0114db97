"""Portfolio (hybrid) margin: the worst loss of one base over a grid of price moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from replay.fold import replay_events
from replay.margin import AccountMargin, PortfolioTerms, evaluate
from tests.support.events import START, History

GRID = {"price_range": "0.16", "price_steps": "4"}


def venue(**parameters: str) -> History:
    history = History()
    history.policy(margin_call_ratio="0.5")
    history.add(
        "AccountOpened", account="A", margin_mode="portfolio", position_mode="one_way", kind="customer"
    )
    for name in ("BTC-PERP", "BTC-DEC", "ETH-PERP"):
        history.list_instrument(name, kind="future" if name == "BTC-DEC" else "perpetual")
        schedule(history, name, **parameters)
        history.mark("1000", name)
    return history


def schedule(history: History, name: str, **parameters: str) -> None:
    history.add(
        "MarginScheduleSet",
        instrument=name,
        effective_at=START,
        model="portfolio",
        tiers=[],
        parameters={**GRID, **parameters},
    )


def evaluated(history: History) -> AccountMargin:
    return evaluate(replay_events(history.events), "A")


def test_the_grid_has_equal_steps_on_both_sides() -> None:
    terms = PortfolioTerms.of({"price_range": Decimal("0.16"), "price_steps": Decimal(4)})
    assert terms is not None
    assert [str(move.normalize()) for move in terms.moves()] == [
        "-0.16", "-0.12", "-0.08", "-0.04", "0.04", "0.08", "0.12", "0.16",
    ]  # fmt: skip


def test_positions_in_one_base_offset_each_other_and_bases_do_not() -> None:
    history = venue()
    history.deposit("A", "1000")
    history.fill("A", "buy", "10", "1000")
    history.fill("A", "sell", "8", "1000", "BTC-DEC")
    assert evaluated(history).maintenance_margin == Decimal(320)  # 2 × 1,000 × 16 %
    history.fill("A", "sell", "2", "1000", "ETH-PERP")
    margin = evaluated(history)
    assert margin.maintenance_margin == margin.initial_margin == Decimal(640)
    assert margin.state == "margin_call"


def test_a_hedged_book_still_requires_the_minimum_of_its_gross_notional() -> None:
    history = venue(minimum_rate="0.01", initial_factor="1.5")
    history.deposit("A", "1000")
    history.fill("A", "buy", "10", "1000")
    history.fill("A", "sell", "10", "1000", "BTC-DEC")
    margin = evaluated(history)
    assert margin.maintenance_margin == Decimal(200)
    assert margin.initial_margin == Decimal(300)


def test_the_liquidation_price_is_where_the_worst_scenario_is_no_longer_covered() -> None:
    history = venue()
    history.deposit("A", "3000")
    history.fill("A", "buy", "10", "1000")
    (position,) = evaluated(history).positions
    # 3,000 + 10·P − 10,000 = 1.6·P
    assert position.liquidation_price == Decimal("833.333333333333333333")
    assert position.margin_call_price is not None
    assert position.margin_call_price > position.liquidation_price


def test_an_inverse_position_offsets_a_linear_one() -> None:
    history = venue()
    inverse: dict[str, Any] = {
        "contract": "inverse",
        "quote": "USD",
        "settlement_asset": "BTC",
        "base": "BTC",
    }
    history.list_instrument("BTC-INVERSE", **inverse)
    schedule(history, "BTC-INVERSE")
    history.mark("1000", "BTC-INVERSE")
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USDT", price="1000")
    history.deposit("A", "10000")
    history.fill("A", "buy", "10", "1000")
    history.fill("A", "sell", "10000", "1000", "BTC-INVERSE")
    # A fall of 16 % costs the long 1,600 and brings the short 10 ÷ 0.84 − 10 bitcoin, 1,904.76; a rise
    # brings 1,600 and costs 10 − 10 ÷ 1.16, 1,379.31: together they lose nowhere.
    margin = evaluated(history)
    assert margin.maintenance_margin == Decimal(0)
    assert margin.state == "healthy"


def test_without_a_portfolio_schedule_the_account_is_undetermined() -> None:
    history = venue()
    history.list_instrument("SOL-PERP")
    history.schedule("SOL-PERP")
    history.mark("10", "SOL-PERP")
    history.deposit("A", "3000")
    history.fill("A", "buy", "10", "10", "SOL-PERP")
    margin = evaluated(history)
    assert margin.state == "undetermined"
    assert "no_portfolio_schedule" in {note.code for note in margin.notes}


def test_a_portfolio_schedule_says_nothing_about_cross_margin() -> None:
    history = venue()
    history.deposit("B", "3000")
    history.fill("B", "buy", "1", "1000")
    assert evaluate(replay_events(history.events), "B").state == "undetermined"


def test_both_kinds_of_schedule_stand_side_by_side() -> None:
    history = venue()
    history.schedule("BTC-PERP", ("0", None, "0.01", "0", "50"))
    for account in ("A", "B"):
        history.deposit(account, "3000")
        history.fill(account, "buy", "10", "1000")
    state = replay_events(history.events)
    assert evaluate(state, "A").maintenance_margin == Decimal(1600)
    assert evaluate(state, "B").maintenance_margin == Decimal(100)
    schedule(history, "BTC-PERP", price_range="0.2")
    state = replay_events(history.events)
    assert evaluate(state, "A").maintenance_margin == Decimal(2000)
    assert evaluate(state, "B").maintenance_margin == Decimal(100)
