from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import decode, decode_canonical, encode, leaf_hash
from ledger.chain import decode_event
from ledger.events.envelope import subjects_of
from ledger.merkle import node_hash, root_hash
from replay.fold import fold
from replay.projection import initial
from replay.solvency import SubjectHistories, state_roots
from replay.solvency.proofs.roots import NO_HISTORY
from replay.state.snapshot import account_value, venue_value
from tests.support.solvency import World, small_world

if TYPE_CHECKING:
    from ledger.events.envelope import Event


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


def events(world: World) -> list[Event]:
    return [decode_event(entry, leaf_hash(entry)) for entry in world.entries[: world.sequence]]


def test_a_history_is_a_running_hash_over_the_hashes_of_a_subjects_events(world: World) -> None:
    expected, count = bytes(32), 0
    for event in events(world):
        entry = decode(event.canonical)
        assert isinstance(entry, dict)
        assert isinstance(entry["event"], dict)
        if "account/A1" in subjects_of(entry["event"]["data"]):
            expected = hashlib.sha256(b"margin-ledger/subject/history/1\n" + expected + event.hash).digest()
            count += 1
    assert count > 2
    assert world.histories.of_account("A1") == (count, expected)


def test_an_event_counts_once_for_each_subject_that_it_names(world: World) -> None:
    histories = SubjectHistories()
    fold(events(world), initial(), after=[histories])
    total = sum(history.events for history in histories.by_subject.values())
    named = 0
    for event in events(world):
        entry = decode(event.canonical)
        assert isinstance(entry, dict)
        assert isinstance(entry["event"], dict)
        named += len(subjects_of(entry["event"]["data"]))
    assert total == named
    assert histories.by_subject == world.histories.by_subject


def test_the_state_root_is_over_the_venue_and_then_every_account_by_name(world: World) -> None:
    leaves = [encode({"state": venue_value(world.state), "venue": world.origin})]
    for name in sorted(world.state.accounts):
        history = world.histories.of_account(name)
        leaves.append(
            encode(
                {
                    "account": name,
                    "events": history.events,
                    "history": history.hash.hex(),
                    "state": account_value(world.state.accounts[name]),
                }
            )
        )
    assert all(decode_canonical(leaf) for leaf in leaves)
    roots = state_roots(world.state, world.histories)
    assert roots.state == root_hash(map(leaf_hash, leaves))
    assert world.made.commitment.state_root == roots.state


def test_the_subjects_root_is_over_counts_and_histories_by_name(world: World) -> None:
    leaves = [
        leaf_hash(encode({"events": history.events, "history": history.hash.hex(), "subject": subject}))
        for subject, history in sorted(world.histories.by_subject.items())
    ]
    assert state_roots(world.state, world.histories).subjects == root_hash(leaves)


def test_every_account_and_all_that_decides_its_margin_is_in_the_state_root(world: World) -> None:
    before = state_roots(world.state, world.histories).state
    for name, account in world.state.accounts.items():
        other = world.state.copy()
        other.accounts[name] = replace(account, last_sequence=account.last_sequence + 1)
        assert state_roots(other, world.histories).state != before
    other = world.state.copy()
    other.assets["BTC"] = Decimal(7)
    assert state_roots(other, world.histories).state != before


def test_the_events_of_an_account_are_in_its_leaf(world: World) -> None:
    """The same state reached through other events has another root: completeness can be shown."""
    histories = SubjectHistories()
    histories.by_subject = dict(world.histories.by_subject)
    histories.by_subject["account/A1"] = histories.of_account("A1").then(bytes(32))
    assert state_roots(world.state, histories).state != world.made.commitment.state_root
    assert state_roots(world.state, histories).subjects != world.made.commitment.subjects_root


def test_an_account_that_no_event_names_has_an_empty_history(world: World) -> None:
    assert world.histories.of_account("nobody") == NO_HISTORY == (0, bytes(32))


def test_the_roots_of_an_empty_venue_are_those_of_one_leaf_and_of_none() -> None:
    state = initial()
    roots = state_roots(state, SubjectHistories())
    assert roots.state == leaf_hash(encode({"state": venue_value(state), "venue": ""}))
    assert roots.subjects == hashlib.sha256(b"").digest()
    assert roots.state != node_hash(roots.state, roots.state)
