"""How an account answers to price and leverage, with figures checked by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.amounts import format_exact
from replay.fold import replay_events
from replay.margin import Market, evaluate_account
from replay.risk.markets import held_instruments, moved
from replay.risk.scenarios import scenario_grid
from replay.risk.sensitivity import SensitivityRow, SensitivityStudy
from replay.risk.statistics.volatility import Volatility
from tests.support.events import History

if TYPE_CHECKING:
    from replay.risk.sensitivity import Sensitivity
    from replay.state import VenueState

DAY = timedelta(days=1)
TEN_PERCENT_A_DAY = Volatility(Decimal("0.1"), Decimal("0.1"), Decimal("1.9"), Decimal("0.94"), 30)


def venue() -> History:
    """A has 1,000 USDT and 1 BTC long from 5,000 under 1 %: liquidated at 4,000 ÷ 0.99 = 4,040.40."""
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, "0.01", "0", "100"))
    history.policy(margin_call_ratio="0.5")
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "5000")
    history.mark("5000")
    return history


def study(history: History, *moves: str, leverages: tuple[str, ...] = (), account: str = "A") -> Sensitivity:
    state: VenueState = replay_events(history.events)
    return SensitivityStudy(
        state.accounts[account], Market.of(state), {"BTC-PERP": TEN_PERCENT_A_DAY}, DAY, DAY
    ).study([Decimal(move) for move in moves], [Decimal(leverage) for leverage in leverages])


def texts(*figures: Decimal | None) -> list[str | None]:
    return [None if figure is None else format_exact(figure) for figure in figures]


def only(rows: tuple[SensitivityRow, ...]) -> SensitivityRow:
    (row,) = rows
    return row


def test_a_price_move_changes_equity_ratio_state_and_distances() -> None:
    row = only(study(venue(), "-0.1").by_price)
    # 1,000 − 500 of equity against 1 % of 4,500.
    assert texts(row.equity, row.maintenance_margin, row.margin_ratio) == ["500", "45", "0.09"]
    assert texts(row.leverage, row.buffer) == ["9", "455"]
    assert row.state == "healthy"
    (distance,) = row.distances
    assert distance.liquidation_price_below is not None
    # 4,000 ÷ 0.99 from 4,500, and 4,000 ÷ 0.98 for a ratio of one half.
    assert distance.liquidation_price_below.quantize(Decimal("0.01")) == Decimal("4040.40")
    assert distance.liquidation_distance == Decimal("-0.102132435466")
    assert distance.margin_call_distance == Decimal("-0.092970521542")


@pytest.mark.parametrize(
    ("move", "state"),
    [("-0.18", "healthy"), ("-0.185", "margin_call"), ("-0.195", "liquidatable"), ("-0.25", "bankrupt")],
)
def test_the_states_that_a_fall_leads_through(move: str, state: str) -> None:
    assert only(study(venue(), move).by_price).state == state


def test_a_leverage_is_brought_about_by_paying_in_or_out() -> None:
    rows = study(venue(), leverages=("2", "10", "100")).by_leverage
    # Equity of 5,000 ÷ leverage instead of 1,000.
    assert [texts(row.added, row.equity, row.leverage, row.margin_ratio) for row in rows] == [
        ["1500", "2500", "2", "0.02"],
        ["-500", "500", "10", "0.1"],
        ["-950", "50", "100", "1"],
    ]
    assert [row.state for row in rows] == ["healthy", "healthy", "liquidatable"]
    probabilities = [row.distances[0].probability for row in rows]
    assert probabilities[0] is not None
    assert probabilities[1] is not None
    assert probabilities[0] < probabilities[1] < 1
    assert probabilities[2] == 1  # it is there already


def test_the_probability_is_that_of_touching_the_liquidation_price() -> None:
    (distance,) = only(study(venue()).now).distances
    # ln(5,000 ÷ 4,040.40) = 0.21309 is 2.1309 deviations: 2 × Φ(−2.1309) = 0.0331.
    assert distance.probability is not None
    assert float(distance.probability) == pytest.approx(0.0331, abs=0.0001)
    assert distance.probability_above == 0
    assert distance.probability_below == distance.probability


def test_without_volatility_or_a_verdict_there_is_no_probability() -> None:
    state = replay_events(venue().events)
    answer = SensitivityStudy(state.accounts["A"], Market.of(state), {}, DAY, DAY).study([], [])
    assert answer.now[0].distances[0].probability is None


def test_an_isolated_position_has_rows_and_leverage_of_its_own() -> None:
    history = venue()
    history.add("MarginModeSet", account="B", instrument="BTC-PERP", margin_mode="isolated")
    history.deposit("B", "1000")
    history.add("MarginAdjusted", account="B", instrument="BTC-PERP", amount="500", reason="opening")
    history.fill("B", "buy", "1", "5000")
    answer = study(history, "-0.05", leverages=("20",), account="B")
    fallen, at_twenty = only(answer.by_price), only(answer.by_leverage)
    assert fallen.unit == at_twenty.unit == "isolated BTC-PERP"
    assert texts(fallen.equity, fallen.margin_ratio) == ["250", "0.19"]
    assert texts(at_twenty.added, at_twenty.equity, at_twenty.margin_ratio) == ["-250", "250", "0.2"]


def test_collateral_that_is_the_base_of_a_contract_moves_with_its_mark() -> None:
    history = venue()
    history.deposit("A", "1", "BTC")
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USDT", price="5000")
    history.add("AssetPriceUpdated", asset="EUR", valuation_currency="USDT", price="2")
    state = replay_events(history.events)
    market = moved(Market.of(state), {"BTC-PERP"}, Decimal("-0.1"))
    assert texts(market.rate("BTC"), market.rate("EUR")) == ["4500", "2"]
    # 1,000 + 4,500 − 500.
    assert evaluate_account(state.accounts["A"], market).equity == 5000


def test_the_grid_has_nine_steps_and_an_extended_table_in_which_volatility_changes_nothing() -> None:
    state = replay_events(venue().events)
    grid = scenario_grid(state.accounts["A"], Market.of(state))
    main = [scenario for scenario in grid.scenarios if scenario.table == "main"]
    assert [str(scenario.move) for scenario in main] == [
        "-0.16", "-0.12", "-0.08", "-0.04", "0.00", "0.04", "0.08", "0.12", "0.16",
    ]  # fmt: skip
    assert {scenario.volatilities for scenario in main} == {("up", "same", "down")}
    assert not grid.volatility_matters
    # A long of 5,000 loses 16 %, and 66 % in the extended table.
    assert texts(grid.worst_loss("main"), grid.worst_loss("extended")) == ["800", "3300"]
    assert [scenario.state for scenario in main][:2] == ["healthy", "healthy"]
    assert next(each for each in grid.scenarios if each.table == "extended").state == "bankrupt"


def test_an_account_without_a_price_has_no_scenario_figures() -> None:
    history = History()
    history.list_instrument()
    history.deposit("A", "1000")
    history.fill("A", "buy", "1", "5000")
    state = replay_events(history.events)
    grid = scenario_grid(state.accounts["A"], Market.of(state))
    assert grid.worst_loss("main") is None


def test_the_marks_of_options_stand_still_while_their_index_moves_and_the_grid_names_them() -> None:
    history = venue()
    terms = {"kind": "option", "strike": "5000", "option_type": "call", "expires_at": "2027-01-01T00:00:00Z"}
    history.list_instrument("BTC-CALL", index="BTC", **terms)
    history.schedule("BTC-CALL", ("0", None, "0.1", "0", "5"))
    history.add("IndexPriceUpdated", index="BTC", price="5000")
    history.add("IndexPriceUpdated", index="ETH", price="200")
    history.mark("400", "BTC-CALL")
    history.fill("A", "sell", "1", "400", "BTC-CALL")
    state = replay_events(history.events)
    account, market = state.accounts["A"], Market.of(state)
    assert held_instruments(account, market) == {"BTC-PERP", "BTC-CALL"}
    there = moved(market, held_instruments(account, market), Decimal("0.2"))
    assert there.mark_prices["BTC-CALL"].price == 400
    assert texts(there.index_prices["BTC"].price, there.index_prices["ETH"].price) == ["6000", "200"]
    before, after = (evaluate_account(account, each).positions for each in (market, there))
    assert {each.instrument: each.maintenance_margin for each in before}["BTC-CALL"] == 500
    assert {each.instrument: each.maintenance_margin for each in after}["BTC-CALL"] == 600
    assert scenario_grid(account, market).options == ("BTC-CALL",)
