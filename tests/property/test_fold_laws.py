"""Laws of the fold, over any history that the catalogue can express."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.amounts import ZERO, exact
from ledger.canonical import decode_canonical, encode
from replay.fold import Cut, fold, replay_events
from replay.margin import evaluate
from replay.state import Account, VenueState, account_value, restore, snapshot
from tests.support.events import by_id, recorded
from tests.support.random_events import histories

if TYPE_CHECKING:
    from decimal import Decimal
    from random import Random

    from ledger.canonical import JsonObject
    from ledger.events.envelope import Event

INTERNAL_FLOWS = ("transfer", "insurance_fund", "loss")
_slow = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _through_bytes(state: VenueState) -> VenueState:
    value = decode_canonical(encode(snapshot(state)))
    assert isinstance(value, dict)
    return restore(value)


@exact()
def _books(account: Account) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What the account holds less the cost of its positions, and the sum of its flows, by asset."""
    held = account.wallet_balances()
    for position in account.positions.values():
        held[position.settlement_asset] = held.get(position.settlement_asset, ZERO) - position.cost
    flows: dict[str, Decimal] = {}
    for (_, asset), amount in account.flows.items():
        flows[asset] = flows.get(asset, ZERO) + amount
    return {asset: amount for asset, amount in held.items() if amount}, {
        asset: amount for asset, amount in flows.items() if amount
    }


@exact()
def _total_of(state: VenueState, *flows: str) -> dict[tuple[str, str], Decimal]:
    totals: dict[tuple[str, str], Decimal] = {}
    for account in state.accounts.values():
        for (flow, asset), amount in account.flows.items():
            if flow in flows:
                totals[flow, asset] = totals.get((flow, asset), ZERO) + amount
    return {key: amount for key, amount in totals.items() if amount}


@_slow
@given(histories())
def test_every_history_folds_and_every_account_can_be_evaluated(events: list[Event]) -> None:
    state = replay_events(events, resolve=by_id(events).get)
    assert state.sequence == len(events) - 1
    for account in state.accounts:
        encode(evaluate(state, account).json_value())


@_slow
@given(histories())
def test_the_books_of_every_account_close_after_any_history(events: list[Event]) -> None:
    state = replay_events(events, resolve=by_id(events).get)
    for account in state.accounts.values():
        held, flows = _books(account)
        assert held == flows, account


@_slow
@given(histories())
def test_what_moves_between_accounts_is_neither_made_nor_lost(events: list[Event]) -> None:
    state = replay_events(events, resolve=by_id(events).get)
    assert _total_of(state, *INTERNAL_FLOWS) == {}


TRADING = (
    "TradeExecuted",
    "FillRecorded",
    "MarginAdjusted",
    "MarginModeSet",
    "PositionModeSet",
    "TransferRecorded",
    "LossSocialised",
)


@_slow
@given(histories(TRADING))
def test_trades_of_both_sides_leave_the_venue_total_unchanged(events: list[Event]) -> None:
    """Fills come from a one-sided source, so that their other side is booked against its external account."""
    one_sided = [
        recorded(event.sequence, event.data, system="feed") if event.type == "FillRecorded" else event
        for event in events
    ]
    state = replay_events(one_sided)
    assert _total_of(state, "trade", *INTERNAL_FLOWS) == {}
    with exact():
        open_contracts: dict[str, Decimal] = {}
        for account in state.accounts.values():
            for (instrument, _), position in account.positions.items():
                open_contracts[instrument] = open_contracts.get(instrument, ZERO) + position.quantity
    assert not any(open_contracts.values())


@_slow
@given(histories(), st.data())
def test_replay_in_two_halves_through_a_snapshot_equals_replay_in_one(
    events: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(events)))
    resolve = by_id(events).get
    whole = replay_events(events, resolve=resolve)
    first = replay_events(events[:cut], resolve=resolve)
    halves = replay_events(events[cut:], _through_bytes(first), resolve=resolve)
    assert halves == whole
    assert encode(snapshot(halves)) == encode(snapshot(whole))


@_slow
@given(histories())
def test_a_copy_and_the_records_taken_out_of_a_state_stay_as_they_were(events: list[Event]) -> None:
    half = len(events) // 2
    state = replay_events(events[:half])
    kept, before = state.copy(), encode(snapshot(state))
    accounts = dict(state.accounts)
    values = {name: account_value(account) for name, account in accounts.items()}
    replay_events(events[half:], state)
    assert encode(snapshot(kept)) == before
    assert {name: account_value(account) for name, account in accounts.items()} == values


INDEPENDENT = (
    "DepositRecorded",
    "WithdrawalRecorded",
    "FillRecorded",
    "FundingPaid",
    "MarginAdjusted",
    "FeeCharged",
)


def _without_places(account: Account) -> JsonObject:
    anomaly = None if account.anomaly is None else replace(account.anomaly, sequence=0)
    return account_value(replace(account, last_sequence=0, anomaly=anomaly))


@_slow
@given(histories(INDEPENDENT), st.randoms(use_true_random=False))
def test_interleaving_independent_accounts_otherwise_changes_no_account(
    events: list[Event], random: Random
) -> None:
    setup = [event for event in events if event.type not in INDEPENDENT]
    by_account: dict[str, list[Event]] = {}
    for event in events[len(setup) :]:
        by_account.setdefault(event.data.account, []).append(event)  # type: ignore[attr-defined]
    queues = list(by_account.values())
    shuffled: list[Event] = []
    while queues:
        queue = random.choice(queues)
        shuffled.append(queue.pop(0))
        queues = [each for each in queues if each]
    straight = [recorded(index, event.data) for index, event in enumerate([*setup, *events[len(setup) :]])]
    mixed = [recorded(index, event.data) for index, event in enumerate([*setup, *shuffled])]
    one, other = replay_events(straight), replay_events(mixed)
    assert {name: _without_places(account) for name, account in one.accounts.items()} == {
        name: _without_places(account) for name, account in other.accounts.items()
    }


@_slow
@given(histories())
def test_a_cut_at_a_sequence_is_a_replay_of_the_events_up_to_it(events: list[Event]) -> None:
    at = len(events) // 2
    assert fold(events, cut=Cut(at_sequence=at)).state == replay_events(events[: at + 1])
