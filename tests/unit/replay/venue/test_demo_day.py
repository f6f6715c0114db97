"""The demo day tells the same story for every seed, and replay finds in it what the engine did."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.amounts import ZERO, exact
from ledger.events.envelope import Draft, Event
from ledger.events.liquidations import LiquidationStarted
from replay.fold import fold
from replay.margin import evaluate
from replay.state import VenueState
from replay.venue.demo import DEMO_DATE, demo_day, tell
from tests.support.venue import equity_at_marks, open_quantities, recorded_events

ORIGIN = "test.example/venue"


@dataclass(frozen=True)
class Day:
    """A day's drafts, as recorded, and folded."""

    drafts: list[Draft]
    events: list[Event]
    state: VenueState

    def data(self, event_type: str) -> list[Any]:
        return [draft.data for draft in self.drafts if draft.type == event_type]


def day_of(seed: int, *, valuation_currency: str = "USD", day: date = DEMO_DATE) -> Day:
    drafts = list(demo_day(seed, origin=ORIGIN, valuation_currency=valuation_currency, day=day))
    events = recorded_events(drafts, valuation_currency=valuation_currency)
    return Day(drafts, events, fold(events).state)


@pytest.fixture(scope="module", params=[7, 1234])
def day(request: pytest.FixtureRequest) -> Day:
    return day_of(request.param)


def test_a_repeat_gives_the_same_drafts_and_another_seed_other_ids() -> None:
    first = list(demo_day(7, origin=ORIGIN))
    assert list(demo_day(7, origin=ORIGIN)) == first
    assert {each.id for each in demo_day(8, origin=ORIGIN)}.isdisjoint(each.id for each in first)
    assert len({each.id for each in first}) == len(first)


def test_the_day_has_the_size_and_order_of_a_demo(day: Day) -> None:
    assert 3_000 <= len(day.drafts) <= 6_000
    times = [draft.occurred_at for draft in day.drafts]
    assert times == sorted(times)
    assert {time.date() for time in times} == {DEMO_DATE}


def test_the_crash_brings_what_the_story_needs(day: Day) -> None:
    story = tell(day.drafts)
    assert story.events == len(day.drafts)
    assert len(story.liquidations) >= 4
    assert {each.scope for each in story.liquidations} == {"account", "position"}
    assert "C03" in {each.account for each in story.cured}
    assert "C03" not in {each.account for each in story.liquidations}
    assert story.deleveraged[0].bankrupt_account == "C21"
    assert story.fund_before == 100_000
    assert story.fund_after < story.fund_before
    assert story.fund_drawn > story.fund_contributed > 0
    for low in story.lows:
        assert low.low < low.before * Decimal("0.85")
        assert low.at.hour == 21
    assert story.counts["WithdrawalRecorded"] == 1
    assert story.counts["FundingSettled"] == 4


def test_the_story_and_the_books_agree_on_the_fund(day: Day) -> None:
    fund = day.state.accounts["insurance-fund"]
    assert not fund.positions
    assert fund.balances["USDT"] == tell(day.drafts).fund_after


def test_every_liquidation_is_justified_by_the_state_just_before_it(day: Day) -> None:
    judged = Counter[str]()

    def look(state: VenueState, event: Event) -> None:
        data = event.data
        if isinstance(data, LiquidationStarted):
            margin = evaluate(state, data.account, with_prices=False)
            isolated = {each.instrument: each.state for each in margin.positions}
            judged[margin.state if data.scope == "account" else isolated[data.instrument or ""]] += 1

    fold(day.events, before=(look,))
    assert judged.total() == len(day.data("LiquidationStarted"))
    assert set(judged) <= {"liquidatable", "bankrupt"}


def test_nobody_who_had_to_be_liquidated_was_left_out(day: Day) -> None:
    states = {evaluate(day.state, name, with_prices=False).state for name in day.state.accounts}
    assert states <= {"healthy", "warning", "margin_call"}
    assert day.state.anomaly_counts == {}


def test_everything_is_conserved(day: Day) -> None:
    brought = sum((each.amount for each in day.data("DepositRecorded")), ZERO)
    taken = sum((each.amount for each in day.data("WithdrawalRecorded")), ZERO)
    totals = dict.fromkeys(day.state.instruments, ZERO)
    with exact():
        assert sum(equity_at_marks(day.drafts).values(), ZERO) == brought - taken
        for (_, instrument), quantity in open_quantities(day.drafts).items():
            totals[instrument] += quantity
    assert set(totals.values()) == {ZERO}


def test_the_liquidated_owe_nothing(day: Day) -> None:
    for executed in day.data("LiquidationExecuted"):
        assert day.state.accounts[executed.account].balances["USDT"] >= 0


def test_reported_totals_are_those_of_the_drafts_before_them(day: Day) -> None:
    (totals,) = day.data("SourceTotalsReported")
    before = [each for each in day.drafts if each.occurred_at <= totals.to_time]
    assert {name: int(count) for name, count in totals.counts.items()} == Counter(
        each.type for each in before
    )
    assert day.drafts[-1].data == totals
    assert len(before) == len(day.drafts) - 1


def test_fresh_reserves_cover_everything_that_is_owed(day: Day) -> None:
    attested = sum((each.amount for each in day.data("ReserveAttested")), ZERO)
    wallets = [account.wallet_balances().get("USDT", ZERO) for account in day.state.accounts.values()]
    assert attested > sum((max(wallet, ZERO) for wallet in wallets), ZERO)
    assert attested > sum((max(each, ZERO) for each in equity_at_marks(day.drafts).values()), ZERO)
    for each in day.data("ReserveAttested"):
        assert day.drafts[-1].occurred_at - each.as_of < timedelta(minutes=1)


def test_the_reported_figures_are_those_that_replay_rebuilds(day: Day) -> None:
    reports = day.data("AccountStateReported")
    assert {each.account for each in reports} == day.state.accounts.keys()
    for said in reports:
        rebuilt = evaluate(day.state, said.account, with_prices=False)
        assert said.wallet_balance == rebuilt.wallet_balance
        assert said.equity == rebuilt.equity
        assert said.initial_margin == rebuilt.initial_margin
        assert said.maintenance_margin == rebuilt.maintenance_margin
        assert said.margin_ratio == rebuilt.margin_ratio


@pytest.mark.parametrize("currency", ["USDT", "EUR"])
def test_any_valuation_currency_will_do(currency: str) -> None:
    other = day_of(7, valuation_currency=currency, day=date(2025, 1, 2))
    assert bool(other.data("AssetPriceUpdated")) is (currency != "USDT")
    assert other.data("InsuranceFundDrawn")
    assert other.drafts[0].occurred_at.date() == date(2025, 1, 2)
    assert evaluate(other.state, "maker-1").state == "healthy"
