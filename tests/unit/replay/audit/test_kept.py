"""What is judged after the fold has gone on is judged by the market that the decision met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from replay.audit.kept import kept_market
from replay.fold import fold
from replay.margin import AccountMargin, Market, evaluate_account
from replay.state.records import Account
from replay.state.venue_state import VenueState
from tests.support.events import START, History
from tests.support.findings import places
from tests.support.random_events import histories
from tests.support.waterfall import Waterfall

if TYPE_CHECKING:
    from ledger.events.envelope import Event

OPTION = "BTC-40000-C"


def list_option(history: History) -> None:
    """List a call whose short side has to maintain a tenth of the index price."""
    history.add(
        "InstrumentListed",
        instrument=OPTION,
        kind="option",
        contract="linear",
        base="BTC",
        quote="USDT",
        settlement_asset="USDT",
        contract_size="1",
        index="BTC",
        strike="40000",
        option_type="call",
        expires_at=START + timedelta(days=30),
    )
    history.schedule(OPTION, ("0", None, "0.1", "0", "5"))


@given(histories())
@settings(max_examples=40, deadline=None)
def test_an_account_is_evaluated_in_a_kept_market_as_it_was_in_the_state(events: list[Event]) -> None:
    kept: list[tuple[Account, Market, AccountMargin]] = []

    def keep(state: VenueState, _event: Event) -> None:
        market = Market.of(state)
        for account in state.accounts.values():
            met = evaluate_account(account, market)
            kept.append((account, kept_market(market, account), met))

    fold(events, after=(keep,))
    for account, market, met in kept:
        assert evaluate_account(account, market) == met


def test_nothing_of_a_kept_market_is_shared_with_the_state() -> None:
    state = VenueState()
    market = kept_market(Market.of(state), Account("A"))
    for each in fields(market):
        value = getattr(market, each.name)
        if isinstance(value, Mapping):
            assert value is not getattr(state, each.name), each.name


@pytest.mark.parametrize("later", ["1000", "9000"])
def test_a_part_that_was_enough_was_enough_whatever_the_index_does_later(later: str) -> None:
    history = History()
    history.list_instrument()
    list_option(history)
    history.schedule("BTC-PERP", ("0", None, "0.05", "0", "10"))
    history.policy(partial_fraction="0.5")
    history.add("IndexPriceUpdated", index="BTC", price="1000")
    history.mark("1", OPTION)
    history.mark("1000")
    history.deposit("A", "500")
    history.fill("A", "buy", "8", "1000")
    history.fill("A", "sell", "1", "1", OPTION)
    history.mark("995")  # 460 are left, 398 + 100 required; of four BTC 199 + 100
    history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
    report = history.add(
        "LiquidationExecuted",
        liquidation="L1",
        account="A",
        scope="account",
        notional="7960",
        account_value="460",
        takeovers=[],
    )
    history.fill("A", "sell", "8", "995", purpose="liquidation", liquidation="L1")
    history.add("IndexPriceUpdated", index="BTC", price=later)
    assert places(history.events, "liquidation_too_large") == [("A", report.sequence)]


@pytest.mark.parametrize("later", ["900", "9000"])
def test_a_fund_that_could_pay_could_pay_whatever_the_index_does_later(later: str) -> None:
    # 200 of shortfall, then 5 % of 8,800 and a tenth of the index price.
    venue = Waterfall(mark="880", fund="740")
    list_option(venue)
    venue.add("IndexPriceUpdated", index="BTC", price="900")
    venue.mark("0", OPTION)
    venue.fill("F", "sell", "1", "0", OPTION)
    venue.start()
    venue.execute()
    first = venue.deleverage("C", "4")
    venue.deleverage("B", "6")
    venue.add("IndexPriceUpdated", index="BTC", price=later)
    assert places(venue.events, "adl_while_fund_could_pay") == [("A", first)]
