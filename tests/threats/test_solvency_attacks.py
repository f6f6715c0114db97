"""Attacks of a venue on its customers' inclusion files: refused, or it is shown who finds them instead."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.errors import InvalidEventError, NotFoundError
from replay.solvency import (
    Expected,
    Inclusion,
    Leaf,
    Node,
    SumOverflowError,
    SumTree,
    customer_claims,
)
from replay.solvency.proofs.sum_tree import SUM_LIMIT, pack, parent
from tests.support.dishonest_venue import (
    accepted,
    differences,
    in_log,
    in_order,
    owing,
    published,
    refused_by,
    with_entries,
    with_tree,
)
from tests.support.keys import log_key
from tests.support.solvency import CUSTOMERS, edited, small_world

if TYPE_CHECKING:
    from pathlib import Path


WORLD = small_world()
OTHERS = [name for name in CUSTOMERS if name != "berta"]
USDT = [each.asset for each in WORLD.made.header.assets].index("USDT")


def with_siblings(file: Inclusion, siblings: tuple[Node, ...]) -> Inclusion:
    """A file of one leaf with another path."""
    return replace(file, leaves=(replace(file.leaves[0], siblings=siblings),))


def plus(node: Node, units: int) -> Node:
    """A node that is owed more USDT."""
    return Node(node.hash, tuple(own + units * (place == USDT) for place, own in enumerate(node.sums)))


@pytest.mark.parametrize("parts", [1, 3])
def test_every_customer_of_an_honest_venue_is_owed_what_the_state_says(parts: int) -> None:
    world = small_world(parts=parts)
    for name in world.customers:
        checked = accepted(world.inclusion(name), Expected(customer=name))
        assert checked.inclusion.owed() == world.owed(name)


# A tree that includes one account only (eprint 2018/1139).


@pytest.mark.parametrize("level", range(WORLD.made.header.depth))
def test_a_siblings_sum_that_was_changed_leads_to_another_root(level: int) -> None:
    file = WORLD.inclusion("ada")
    siblings = list(file.leaves[0].siblings)
    siblings[level] = plus(siblings[level], 1)
    assert refused_by(with_siblings(file, tuple(siblings))) == "liabilities_root"


@pytest.mark.parametrize("units", [1, -1])
def test_sums_moved_between_siblings_lead_to_another_root_though_the_total_is_the_same(units: int) -> None:
    file = WORLD.inclusion("berta")
    siblings = list(file.leaves[0].siblings)
    from_one, to_other = (place for place, node in enumerate(siblings) if node.sums[USDT] > 1)
    siblings[from_one] = plus(siblings[from_one], -units)
    siblings[to_other] = plus(siblings[to_other], units)
    assert sum(node.sums[USDT] for node in siblings) == WORLD.made.tree.root.sums[USDT]
    assert refused_by(with_siblings(file, tuple(siblings))) == "liabilities_root"


def test_a_sum_moved_from_the_leaf_to_its_sibling_makes_another_leaf() -> None:
    file = WORLD.inclusion("ada")
    placed = file.leaves[0]
    lowered = replace(placed.leaf, packed=pack(plus(placed.leaf.node, -1).sums))
    raised = (plus(placed.siblings[0], 1), *placed.siblings[1:])
    moved = replace(file, leaves=(replace(placed, leaf=lowered, siblings=raised),))
    assert refused_by(moved) == "liabilities_root"


def test_a_parent_that_hashes_the_total_only_would_take_both_and_ours_takes_one() -> None:
    def total_only(left: Node, right: Node) -> Node:
        sums = tuple(ours + theirs for ours, theirs in zip(left.sums, right.sums, strict=True))
        return Node(hashlib.sha256(pack(sums) + left.hash + right.hash).digest(), sums)

    ada, bob = Leaf("ada", 0, bytes(32), pack([10])).node, Leaf("bob", 0, bytes(32), pack([7])).node
    without_bob = Node(bob.hash, (0,))
    assert total_only(ada, without_bob) == total_only(Node(ada.hash, (3,)), Node(bob.hash, (7,)))
    assert parent(ada, without_bob) != parent(Node(ada.hash, (3,)), Node(bob.hash, (7,)))


def test_a_tree_in_which_only_one_of_two_customers_counts_is_refused_by_the_other() -> None:
    """Ada's path says that her sibling is owed nothing, and the venue commits to what follows from it."""
    world = small_world(customers={"ada": {"A1": {"USDT": "10"}}, "bob": {"B1": {"USDT": "7"}}})
    ada, bob = world.inclusion("ada"), world.inclusion("bob")
    nothing = Node(ada.leaves[0].siblings[0].hash, (0,))
    for_ada = with_siblings(ada, (nothing,))
    own = ada.leaves[0]
    pair = (nothing, own.leaf.node) if own.index else (own.leaf.node, nothing)
    root = world.made.header.liabilities_root(parent(*pair)).hex()
    forged = with_entries(
        world,
        {
            world.sequence: lambda data: (
                data.update(liabilities_root=root),
                data["totals"].update(liabilities={"USDT": "10"}),
            )
        },
    )
    assert accepted(in_log(for_ada, forged)).commitment.totals["liabilities"] == {"USDT": Decimal(10)}
    assert refused_by(in_log(bob, forged)) == "liabilities_root"
    unpaid = replace(bob.leaves[0], leaf=replace(bob.leaves[0].leaf, packed=pack([0])))
    assert refused_by(replace(in_log(bob, forged), leaves=(unpaid,))) == "liabilities_root"


# Negative balances and sums that wrap.


@pytest.mark.parametrize("amount", ["-1", "-0.000001", "0", "-0", "1E3", "+1"])
def test_an_amount_of_a_leaf_is_above_zero_in_its_one_form(amount: str) -> None:
    file = WORLD.inclusion("ada").encode()
    assert refused_by(edited(file, "leaves", 0, "sums", "USDT", to=amount)) == "form"


@pytest.mark.parametrize("units", [SUM_LIMIT, 2**128 - 5, 2**128 - 1])
@pytest.mark.parametrize("level", range(WORLD.made.header.depth))
def test_a_siblings_sum_that_wrapped_below_zero_is_out_of_range(units: int, level: int) -> None:
    file = WORLD.inclusion("ada")
    siblings = list(file.leaves[0].siblings)
    siblings[level] = Node(siblings[level].hash, (units,) * len(siblings[level].sums))
    assert refused_by(with_siblings(file, tuple(siblings))) == "sum"


def test_a_leaf_of_2_127_units_or_more_is_out_of_range() -> None:
    file = WORLD.inclusion("ada").encode()
    place = [each.asset for each in WORLD.made.header.assets].index("ETH")
    assert WORLD.made.header.assets[place].scale == 18
    too_much = "171" + "0" * 18  # 1.71 × 10^38 units in 21 digits
    assert refused_by(edited(file, "leaves", 0, "sums", to={"ETH": too_much})) == "sum"


def test_sums_that_wrap_on_the_way_are_out_of_range_though_each_one_is_not() -> None:
    file = WORLD.inclusion("ada")
    siblings = list(file.leaves[0].siblings)
    siblings[0] = Node(siblings[0].hash, (SUM_LIMIT - 1,) * len(siblings[0].sums))
    assert refused_by(with_siblings(file, tuple(siblings))) == "sum"
    siblings[1] = Node(siblings[1].hash, (SUM_LIMIT - 1,) * len(siblings[0].sums))
    assert refused_by(with_siblings(file, tuple(siblings))) == "sum"


def test_no_tree_is_built_whose_sums_wrap_or_are_negative() -> None:
    with pytest.raises(SumOverflowError):
        SumTree([(bytes(32), pack([SUM_LIMIT - 1])), (bytes(32), pack([1]))], assets=1)
    with pytest.raises(SumOverflowError):
        SumTree([(bytes(32), (2**128 - 5).to_bytes(16, "big")), (bytes(32), pack([10]))], assets=1)
    with pytest.raises(SumOverflowError):
        pack([-5])


def test_no_venue_commits_to_more_than_it_can_write_down() -> None:
    half = "9" + "0" * 19  # of ETH, 9 × 10^37 units: two of them are above 2^127
    with pytest.raises(SumOverflowError):
        small_world(customers={name: {name: {"ETH": half}} for name in ("ada", "bob")})
    half = "5" + "0" * 37  # of an asset without digits after the point: 10^38 together, in 39 digits
    with pytest.raises(InvalidEventError, match="38 significant digits"):
        small_world(customers={name: {name: {"XRP": half}} for name in ("ada", "bob")})


# Two customers and one leaf.


def test_the_leaf_of_another_customer_who_is_owed_the_same_is_not_ones_own() -> None:
    world = small_world(customers={name: {name: {"USDT": "10"}} for name in ("ada", "bob")})
    adas = world.inclusion("ada").encode()
    assert world.owed("ada") == world.owed("bob")
    assert refused_by(edited(adas, "customer", to="bob")) == "liabilities_root"
    assert refused_by(adas, Expected(customer="bob")) == "customer"
    accepted(adas)  # who does not say a name has to read whose file it is


def test_one_leaf_for_two_customers_is_found_in_the_auditors_part() -> None:
    world = small_world(customers={name: {name: {"USDT": "10"}} for name in ("ada", "bob")})
    honest = world.made.leaves
    ada = next(leaf for leaf in honest if leaf.customer == "ada")
    again = replace(ada, nonce=bytes(32))
    forged = with_tree(world, in_order([ada, again]))
    found = differences(forged)
    assert {each.check for each in found} == {"leaves"}
    assert any("customer bob" in each.expected and "0 of 1 leaves" in each.actual for each in found)
    assert any("once" in each.expected and "ada" in each.actual for each in found)


# Old roots, other logs, other keys.


def test_a_leaf_of_an_older_state_is_not_under_the_newer_commitment() -> None:
    lower = small_world(customers={**CUSTOMERS, "ada": {"A1": {"USDT": "1"}, "A2": {"USDT": "10"}}})
    newer = small_world(days=1, customers={**CUSTOMERS, "fritz": {"F1": {}}})
    for other, check in ((lower, "header"), (newer, "header")):
        assert other.made.header.as_of_sequence != WORLD.made.header.as_of_sequence
        stale = replace(WORLD.inclusion("ada"), commitment=other.entry, commitment_proof=other.proof.encode())
        assert refused_by(stale) == check
        moved = replace(stale, header=replace(stale.header, as_of_sequence=other.made.header.as_of_sequence))
        assert refused_by(moved) == "liabilities_root"


def test_an_old_proof_that_holds_in_itself_is_refused_by_who_says_how_old_it_may_be() -> None:
    newer = small_world(days=1)
    old, header = WORLD.inclusion("ada"), WORLD.made.header
    accepted(old)  # it says of which sequence and time it is, and holds
    assert refused_by(old, Expected(not_before_time=newer.made.header.time)) == "age"
    assert refused_by(old, Expected(not_before_sequence=header.as_of_sequence + 1)) == "age"
    at_the_limit = Expected(not_before_sequence=header.as_of_sequence, not_before_time=header.time)
    accepted(old, at_the_limit)
    accepted(newer.inclusion("ada"), Expected(not_before_time=header.time + timedelta(days=1)))


def test_the_proof_of_another_venue_is_refused_by_its_origin() -> None:
    theirs = small_world(origin="other.example/perpetuals")
    file = theirs.inclusion("ada")
    accepted(file, policy=theirs.policy())
    assert refused_by(file) == "origin"
    ours = WORLD.inclusion("ada")
    assert refused_by(replace(ours, header=theirs.made.header)) == "header"
    spliced = replace(file, commitment_proof=ours.commitment_proof)
    assert refused_by(spliced) == "event"


def test_a_proof_that_another_key_signed_is_refused_by_its_signature() -> None:
    impostor = replace(WORLD, keys=(log_key(seed="impostor"),))
    file = with_entries(impostor, {}).inclusion("ada")
    assert refused_by(file) == "signature"


# A customer who is left out.


def test_only_the_customer_who_is_left_out_notices_and_only_by_having_no_file(tmp_path: Path) -> None:
    forged = with_tree(WORLD, owing(WORLD, {"berta": None}))
    claims = [each for each in customer_claims(WORLD.state) if each.customer != "berta"]
    folder = published(forged, tmp_path / "proof", claims)
    with pytest.raises(NotFoundError, match="B1"):
        folder.inclusion_of("B1")
    for name in OTHERS:
        accepted(folder.inclusion_of(name))
    assert differences(forged, folder) == []
    assert (
        forged.made.commitment.state_root == WORLD.made.commitment.state_root
    )  # so the events name the account


def test_accounts_without_leaves_are_named_by_the_auditors_part() -> None:
    forged = with_tree(WORLD, owing(WORLD, {"berta": None}))
    found = differences(forged)
    assert [(each.check, each.actual) for each in found] == [("leaves", "0 of 1 leaves")]
    assert "customer berta" in found[0].expected
