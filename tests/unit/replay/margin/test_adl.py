"""Scores and queues for auto-deleveraging, with numbers worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replay.fold import fold
from replay.margin import Market
from replay.margin.adl import DeleveragingQueue, Score, deleveraging_queue, pnl_leverage, price_leverage
from tests.support.events import History

if TYPE_CHECKING:
    from replay.state import VenueState


def score(numerator: str, denominator: str) -> Score:
    return Score(Decimal(numerator), Decimal(denominator))


class TestScores:
    def test_a_gain_counts_by_pnl_percent_times_leverage(self) -> None:
        # 60 on a cost of 500 is 12 %; 440 ÷ 560 is the leverage.
        found = pnl_leverage(Decimal(60), Decimal(-500), Decimal(440), Decimal(560))
        assert found.compare(score("26400", "280000")) == 0

    def test_a_loss_counts_by_pnl_percent_divided_by_leverage(self) -> None:
        found = pnl_leverage(Decimal(-60), Decimal(500), Decimal(440), Decimal(220))
        assert found.compare(score("-6", "100")) == 0

    def test_a_long_counts_by_mark_over_entry_and_a_short_by_entry_over_mark(self) -> None:
        long = price_leverage(Decimal(1100), Decimal(1000), Decimal(3000), Decimal(1000))
        short = price_leverage(Decimal(-880), Decimal(-1000), Decimal(3000), Decimal(1000))
        assert long.compare(score("3.3", "1")) == 0
        assert short.compare(score("3000", "880")) == 0

    def test_scores_are_compared_without_dividing(self) -> None:
        third = score("1", "3")
        assert third.compare(score("0.333333333333333333333333333333", "1")) == 1
        assert third.compare(score("2", "6")) == 0
        assert third.compare(score("1", "2")) == -1

    def test_a_gain_on_what_cost_nothing_is_above_every_other(self) -> None:
        free = pnl_leverage(Decimal(1), Decimal(0), Decimal(1), Decimal(1))
        assert free.compare(score("999999999", "1")) == 1
        assert free.compare(score("5", "0")) == 0


def crashed() -> VenueState:
    """At 880 shorts from 1,000 gain 12 %: B 4,400 ÷ 5,600, C 2,640 ÷ 760, D 1,760 ÷ 2,740; E sold at 870."""
    history = History()
    history.list_instrument()
    history.schedule()
    rows = (("B", "5", "5000"), ("C", "3", "400"), ("D", "2", "2500"))
    for account, quantity, deposit in rows:
        history.deposit(account, deposit)
        history.fill(account, "sell", quantity, "1000")
        history.fill("A", "buy", quantity, "1000")
    history.deposit("E", "1000")
    history.fill("E", "sell", "1", "870")
    history.deposit("A", "1000")
    history.mark("880")
    return fold(history.events).state


def queue(state: VenueState, **terms: bool | str) -> DeleveragingQueue:
    market = Market.of(state)
    rank = terms.get("rank")
    return deleveraging_queue(
        state.accounts.values(),
        market,
        "BTC-PERP",
        long=bool(terms.get("long", False)),
        rank=None if rank is None else str(rank),
    )


def test_the_queue_stands_by_score_and_who_loses_stands_last() -> None:
    found = queue(crashed())
    assert [each.account for each in found.candidates] == ["C", "B", "D", "E"]
    first = found.candidates[0]
    assert first.score.compare(score("0.12", "0.28787878787878787878")) == -1  # 760 ÷ 2,640 is a little less
    assert first.score.compare(score(str(360 * 2640), str(3000 * 760))) == 0
    assert [each.unrealised_pnl for each in found.candidates] == [360, 600, 240, -10]


def test_price_leverage_ranks_by_leverage_first() -> None:
    # entry ÷ mark × leverage: C 1.136 × 3.474, E 0.989 × 0.889, B 1.136 × 0.786, D 1.136 × 0.642.
    found = queue(crashed(), rank="price_leverage")
    assert [each.account for each in found.candidates] == ["C", "B", "E", "D"]
    assert queue(crashed(), long=True).candidates == ()


def test_whoever_has_no_equity_or_no_figures_is_not_ranked() -> None:
    state = crashed()
    assert queue(state, long=True).unranked == ("A",)
    state.mark_prices.clear()
    assert queue(state).unranked == ("B", "C", "D", "E")


def test_equal_scores_stand_by_name() -> None:
    history = History()
    history.list_instrument()
    history.schedule()
    for account in ("Z", "Y", "X"):
        history.deposit(account, "1000")
        history.fill(account, "sell", "1", "1000")
    history.mark("900")
    found = queue(fold(history.events).state)
    assert [each.account for each in found.candidates] == ["X", "Y", "Z"]
    assert found.candidates[0].score.compare(found.candidates[2].score) == 0


def test_an_isolated_position_ranks_by_its_own_margin() -> None:
    history = History()
    history.list_instrument()
    history.schedule()
    for account in ("B", "C"):
        history.deposit(account, "5000")
    history.add("MarginAdjusted", account="C", instrument="BTC-PERP", amount="200", reason="opening")
    for account in ("B", "C"):
        history.fill(account, "sell", "1", "1000")
    history.mark("900")
    first, second = queue(fold(history.events).state).candidates
    assert (first.account, second.account) == ("C", "B")
    assert first.score.compare(score(str(100 * 900), str(1000 * 300))) == 0


def test_an_unknown_ranking_is_refused() -> None:
    with pytest.raises(ValueError, match="no ranking 'by_name'"):
        queue(crashed(), rank="by_name")
