"""Laws of liabilities and state roots, over any history that the catalogue can express."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from ledger.amounts import ZERO, exact
from ledger.canonical import decode_canonical, encode
from replay.fold import fold, replay_events
from replay.margin import Market
from replay.projection import initial
from replay.solvency import (
    LIABLE_KINDS,
    Liabilities,
    Plan,
    StateRoots,
    SubjectHistories,
    SumOverflowError,
    account_claim,
    customer_claims,
    liabilities_of,
    liabilities_of_state,
    make_tree,
    state_roots,
    venue_report,
)
from replay.solvency.proofs.sum_tree import pack
from replay.state import restore, snapshot
from tests.support.events import by_id
from tests.support.random_events import histories
from tests.support.sealing import chained
from tests.support.solvency import SEED

if TYPE_CHECKING:
    from random import Random

    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

_slow = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
FINEST = Decimal("1e-18")


def liabilities(state: VenueState) -> Liabilities:
    """The liabilities of a state, whose sums have to fit."""
    try:
        return liabilities_of_state(state)
    except SumOverflowError:
        reject()


def recorded_histories() -> st.SearchStrategy[list[Event]]:
    """Histories with the bytes and hashes of their entries."""
    return histories().map(chained)


def replayed(events: list[Event]) -> tuple[VenueState, SubjectHistories]:
    state, subjects = initial(), SubjectHistories()
    fold(events, state, after=[subjects], resolve=by_id(events).get)
    return state, subjects


def roots(events: list[Event]) -> StateRoots:
    return state_roots(*replayed(events))


@exact()
def added(*totals: dict[str, Decimal]) -> dict[str, Decimal]:
    """Amounts added up by asset, without those that are zero."""
    found: dict[str, Decimal] = {}
    for each in totals:
        for asset, amount in each.items():
            found[asset] = found.get(asset, ZERO) + amount
    return {asset: amount for asset, amount in found.items() if amount}


@exact()
def rounded_claims(state: VenueState) -> Counter[str]:
    """How many claims in each asset have more digits than the finest scale."""
    found: Counter[str] = Counter()
    for account in state.accounts.values():
        if account.profile.kind in LIABLE_KINDS:
            amounts = account_claim(Market.of(state), account).amounts
            found.update(asset for asset, amount in amounts.items() if amount % FINEST)
    return found


# Liabilities.


@given(histories())
@_slow
@exact()
def test_liabilities_are_those_of_the_venue_report(events: list[Event]) -> None:
    """To the last digit, but for claims that no scale of 18 digits can hold, each of which is rounded up."""
    state = replay_events(events)
    found, report, rounded = liabilities(state), venue_report(state), rounded_claims(state)
    for asset in found.totals.keys() | report.liabilities.keys():
        more = found.totals.get(asset, ZERO) - report.liabilities.get(asset, ZERO)
        assert 0 <= more <= FINEST * rounded[asset]
    assert found.undetermined >= report.undetermined & {each.asset for each in found.assets}


@given(histories())
@_slow
@exact()
def test_debts_that_are_totalled_apart_are_the_negative_equity_of_the_report(events: list[Event]) -> None:
    state = replay_events(events)
    found, owed = liabilities(state), venue_report(state).negative_equity.amounts
    rounded = rounded_claims(state)
    apart = added(found.shortfall, found.debt_against_collateral)
    for asset in apart.keys() | owed.keys():
        less = -owed.get(asset, ZERO) - apart.get(asset, ZERO)  # debts are rounded in the account's favour
        assert 0 <= less <= FINEST * rounded[asset]
    assert all(amount > 0 for totals in (found.shortfall, found.debt_against_collateral)
               for amount in totals.values())  # fmt: skip


@given(histories())
@_slow
def test_the_customers_add_up_to_the_totals_and_none_is_missing(events: list[Event]) -> None:
    state = replay_events(events)
    found = liabilities(state)
    owed = [found.owed(customer) for customer in found.by_customer]
    assert added(*owed) == found.totals
    assert all(amount > 0 for each in owed for amount in each.values())
    liable = [each for each in state.accounts.values() if each.profile.kind in LIABLE_KINDS]
    assert found.by_customer.keys() == {each.profile.customer or each.account for each in liable}


@given(histories())
@_slow
def test_no_account_lowers_what_another_one_is_owed(events: list[Event]) -> None:
    state = replay_events(events)
    found = liabilities(state)
    for name in list(state.accounts):
        fewer = replace(state, accounts={key: own for key, own in state.accounts.items() if key != name})
        without = liabilities_of_state(fewer)
        for asset, amount in without.totals.items():
            assert amount <= found.totals[asset]


@given(histories(), st.randoms(use_true_random=False))
@_slow
def test_the_order_of_claims_does_not_matter(events: list[Event], chance: Random) -> None:
    state = replay_events(events)
    scales = {asset: int(scale) for asset, scale in state.assets.items()}
    claims = [*customer_claims(state)]
    shuffled = chance.sample(claims, len(claims))
    try:
        found = liabilities_of(lambda: claims, scales)
    except SumOverflowError:
        with pytest.raises(SumOverflowError):
            liabilities_of(lambda: shuffled, scales)
    else:
        assert liabilities_of(lambda: shuffled, scales) == found


@given(recorded_histories(), st.integers(1, 4))
@_slow
def test_a_tree_has_the_sums_of_the_liabilities_whatever_its_parts(events: list[Event], parts: int) -> None:
    state, subjects = replayed(events)
    found = liabilities(state)
    made = make_tree(state, subjects, Plan(SEED, parts=parts))
    assert made.header.amounts(made.tree.root.sums) == found.totals == made.commitment.totals["liabilities"]
    shown: dict[str, list[int]] = {}
    for leaf in made.leaves:
        own = shown.setdefault(leaf.customer, [0] * len(found.assets))
        own[:] = [ours + theirs for ours, theirs in zip(own, leaf.sums, strict=True)]
    assert not any(shown.pop("", []))
    assert {customer: pack(sums) for customer, sums in shown.items()} == found.by_customer


# The roots of a state.


@given(recorded_histories())
@_slow
def test_two_replays_come_to_the_same_roots(events: list[Event]) -> None:
    assert roots(events) == roots(list(events))


@given(recorded_histories(), st.data())
@_slow
def test_a_replay_that_goes_on_from_a_snapshot_comes_to_the_same_roots(
    events: list[Event], data: st.DataObject
) -> None:
    halt = data.draw(st.integers(0, len(events)))
    state, subjects = initial(), SubjectHistories()
    fold(events[:halt], state, after=[subjects], resolve=by_id(events).get)
    value = decode_canonical(encode(snapshot(state)))
    assert isinstance(value, dict)
    state = restore(value)
    fold(events[halt:], state, after=[subjects], resolve=by_id(events).get)
    assert state_roots(state, subjects) == roots(events)


@given(recorded_histories())
@_slow
def test_a_change_of_any_account_changes_the_state_root_and_that_accounts_leaf_alone(
    events: list[Event],
) -> None:
    state, subjects = replayed(events)
    before = state_roots(state, subjects)
    for name, account in [*state.accounts.items()]:
        with exact():
            richer = {**account.balances, "USDT": account.balances.get("USDT", ZERO) + FINEST}
        for changed in (
            replace(account, balances=richer),
            replace(account, event_count=account.event_count + 1),
            replace(account, profile=replace(account.profile, customer="somebody else")),
        ):
            state.accounts[name] = changed
            after = state_roots(state, subjects)
            assert after.state != before.state
            differing = {each for each in before.accounts if after.accounts[each] != before.accounts[each]}
            assert (differing, after.subjects) == ({name}, before.subjects)
        state.accounts[name] = account
    assert state_roots(state, subjects) == before


@given(recorded_histories(), st.randoms(use_true_random=False))
@_slow
def test_the_order_in_which_accounts_came_up_does_not_matter(events: list[Event], chance: Random) -> None:
    state, subjects = replayed(events)
    liabilities(state)
    names = [*state.accounts]
    other = replace(state, accounts={name: state.accounts[name] for name in chance.sample(names, len(names))})
    assert state_roots(other, subjects) == state_roots(state, subjects)
    assert (
        make_tree(other, subjects, Plan(SEED)).commitment == make_tree(state, subjects, Plan(SEED)).commitment
    )


@given(recorded_histories(), st.data())
@_slow
def test_an_event_that_is_left_out_shows_in_the_history_of_each_of_its_subjects(
    events: list[Event], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(events) - 1))
    whole, fewer, alone = SubjectHistories(), SubjectHistories(), SubjectHistories()
    for number, event in enumerate(events):
        whole(None, event)
        if number == place:
            alone(None, event)
        else:
            fewer(None, event)
    differing = {
        subject for subject, history in whole.by_subject.items() if fewer.by_subject.get(subject) != history
    }
    assert differing == alone.by_subject.keys()
    assert (whole.root() == fewer.root()) == (not differing)
