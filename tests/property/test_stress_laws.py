"""What must hold of a venue under stress, whatever happened to it before."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.amounts import exact
from replay.cli.solvency.stress import words
from replay.fold import replay_events
from replay.margin import Market
from replay.solvency import LIABLE_KINDS, account_claim, solvency_under_stress, venue_report
from tests.support.events import START, History
from tests.support.random_events import histories

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

MOVES = tuple(Decimal(percent).scaleb(-2) for percent in (-99, -50, -7, 0, 7, 50, 300))
HAIRCUTS = tuple(Decimal(percent).scaleb(-2) for percent in (0, 1, 50, 99))


@exact()
def with_moved_marks(state: VenueState, move: Decimal) -> VenueState:
    """Return the state as if other marks had been recorded; those of options stay."""
    moved = state.copy()
    for name, price in state.mark_prices.items():
        listed = state.instruments.get(name)
        if listed is None or listed.kind != "option":
            moved.mark_prices[name] = replace(price, price=price.price * (1 + move))
    return moved


@given(histories())
@settings(max_examples=100, deadline=None)
def test_without_move_and_haircut_it_is_the_venue_as_it_stands(events: list[Event]) -> None:
    state = replay_events(events)
    unstressed = solvency_under_stress(state, price_moves=MOVES, haircuts=HAIRCUTS).unstressed
    report = venue_report(state)
    assert unstressed is not None
    assert unstressed.solvent is report.solvent
    assert unstressed.reserves == report.reserves
    assert unstressed.reserve_ratio == report.reserve_ratio
    assert unstressed.claims.liabilities == report.liabilities
    assert unstressed.claims.negative_equity == report.negative_equity.amounts
    assert unstressed.claims.accounts_owing == len(report.negative_equity.by_account)
    assert unstressed.claims.insurance_fund == report.insurance_fund
    assert unstressed.claims.undetermined == report.undetermined


@given(histories(), st.sampled_from(MOVES))
@settings(max_examples=100, deadline=None)
def test_a_move_is_the_venue_at_other_marks(events: list[Event], move: Decimal) -> None:
    state = replay_events(events)
    stressed = solvency_under_stress(state, price_moves=[move], haircuts=[Decimal(0)])
    (scenario,) = stressed.scenarios
    report = venue_report(with_moved_marks(state, move))
    assert scenario.claims.liabilities == report.liabilities
    assert scenario.claims.negative_equity == report.negative_equity.amounts
    assert scenario.claims.insurance_fund == report.insurance_fund
    if not stressed.still_options:
        assert scenario.claims.undetermined == report.undetermined
        assert scenario.solvent is report.solvent


@given(histories())
@settings(max_examples=100, deadline=None)
def test_liabilities_and_debts_sum_to_the_claims_in_every_scenario(events: list[Event]) -> None:
    state = replay_events(events)
    for scenario in solvency_under_stress(state, price_moves=MOVES, haircuts=HAIRCUTS[:1]).scenarios:
        market = Market.of(with_moved_marks(state, scenario.move))
        totals: dict[str, Decimal] = {}
        with exact():
            for account in state.accounts.values():
                if account.profile.kind in LIABLE_KINDS:
                    for asset, amount in account_claim(market, account).amounts.items():
                        totals[asset] = totals.get(asset, Decimal(0)) + amount
            owed, owing = scenario.claims.liabilities, scenario.claims.negative_equity
            assert {asset: owed.get(asset, 0) + owing.get(asset, 0) for asset in totals} == totals
        assert all(amount > 0 for amount in owed.values())
        assert all(amount < 0 for amount in owing.values())


@given(histories())
@settings(max_examples=100, deadline=None)
def test_a_greater_haircut_never_makes_solvent(events: list[Event]) -> None:
    report = solvency_under_stress(replay_events(events), price_moves=MOVES, haircuts=HAIRCUTS)
    for move in MOVES:
        by_haircut = [each for each in report.scenarios if each.move == move]
        for less, more in pairwise(by_haircut):
            assert less.haircut < more.haircut
            assert more.solvent is less.solvent or more.solvent is False
            assert set(less.failing) <= set(more.failing)
            for asset, ratio in more.reserve_ratio.items():
                before = less.reserve_ratio[asset]
                assert (ratio is None) == (before is None)
                assert ratio is None or before is None or ratio <= before


@given(
    st.lists(
        st.tuples(st.integers(0, 5_000), st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=5
    ),
    st.integers(0, 30_000),
)
@settings(max_examples=100, deadline=None)
def test_of_linear_contracts_a_greater_move_the_same_way_never_makes_solvent_again(
    accounts: list[tuple[int, int, int]], reserve: int
) -> None:
    history = History()
    for instrument, mark in (("BTC-PERP", "1000"), ("ETH-PERP", "100")):
        history.list_instrument(instrument)
        history.mark(mark, instrument)
    for number, (deposit, btc, eth) in enumerate(accounts):
        history.deposit(f"A{number}", str(deposit + 1))
        for instrument, quantity, at in (("BTC-PERP", btc, "1010"), ("ETH-PERP", eth, "95")):
            if quantity:
                side = "buy" if quantity > 0 else "sell"
                history.fill(f"A{number}", side, str(abs(quantity)), at, instrument)
    attestation: dict[str, Any] = {
        "asset": "USDT",
        "custodian": "bank",
        "attester": "auditor",
        "as_of": START,
    }
    history.add("ReserveAttested", amount=str(reserve + 1), **attestation)
    report = solvency_under_stress(replay_events(history.events))
    for each in report.breaking_moves():
        row = [scenario for scenario in report.scenarios if scenario.haircut == each.haircut]
        if next(scenario for scenario in row if not scenario.move).solvent:
            down, up = each.down, each.up
            assert all(s.solvent is False for s in row if down is not None and s.move <= down.move)
            assert all(s.solvent is False for s in row if up is not None and s.move >= up.move)


@given(histories())
@settings(max_examples=50, deadline=None)
def test_every_venue_can_be_stressed_and_shown(events: list[Event]) -> None:
    state = replay_events(events)
    before = state.copy()
    report = solvency_under_stress(state)
    assert len(report.scenarios) == 44
    assert report.document()["sequence"] == state.sequence
    assert "Scenarios, not forecasts" in words(report, "venue")
    assert state == before
