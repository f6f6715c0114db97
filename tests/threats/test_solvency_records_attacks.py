"""Attacks on the auditor's part of a proof: padding, leaves of nobody, order, nodes; all else holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger.amounts import format_exact
from replay.solvency import (
    Blinding,
    Leaf,
    check_records,
    leaves_of,
)
from tests.support.dishonest_venue import (
    AuditorsPart,
    differences,
    in_order,
    leaf_of,
    proof_holds,
    refused_by,
    with_entries,
    with_tree,
)
from tests.support.solvency import SEED, World, edited, small_world

WORLD = small_world()
HEADER = WORLD.made.header


def checks_of(forged: World) -> set[str]:
    """Which checks of the auditor's part fail of a tree that the public part accepts."""
    proof_holds(forged)
    return {each.check for each in differences(forged)}


def test_padding_owes_nothing() -> None:
    paddings = [leaf for leaf in WORLD.made.leaves if not leaf.customer]
    kept = [leaf for leaf in WORLD.made.leaves if leaf not in paddings]
    owed = leaf_of(HEADER, "", {"USDT": "1000"}, part=0, nonce=1)
    forged = with_tree(WORLD, in_order([*kept, owed, *paddings[1:]]))
    assert checks_of(forged) == {"leaves"}
    assert any(each.expected == "padding that owes nothing" for each in differences(forged))


def test_a_leaf_of_nobody_is_found() -> None:
    kept = [leaf for leaf in WORLD.made.leaves if leaf.customer]
    paddings = [leaf for leaf in WORLD.made.leaves if not leaf.customer]
    nobody = leaf_of(HEADER, "nobody", {"USDT": "1000"}, nonce=1)
    forged = with_tree(WORLD, in_order([*kept, nobody, *paddings[1:]]))
    assert checks_of(forged) == {"leaves"}
    assert "nobody" in differences(forged)[0].actual


def test_a_second_leaf_of_a_customer_is_found() -> None:
    paddings = [leaf for leaf in WORLD.made.leaves if not leaf.customer]
    kept = [leaf for leaf in WORLD.made.leaves if leaf.customer]
    for part, amounts in ((0, {"USDT": "1"}), (0, {}), (1, {"USDT": "1"}), (1, {})):
        second = leaf_of(HEADER, "ada", amounts, part=part, nonce=1)
        assert checks_of(with_tree(WORLD, in_order([*kept, second, *paddings[1:]]))) == {"leaves"}


def test_more_padding_than_a_tree_needs_is_found() -> None:
    nothing = bytes(len(HEADER.assets) * 16)
    size = len(WORLD.made.leaves)
    padding = [Leaf("", size + number, bytes([number + 1]) * 32, nothing) for number in range(size)]
    forged = with_tree(WORLD, in_order([*WORLD.made.leaves, *padding]))
    assert checks_of(forged) == {"leaves"}
    assert any("least padding" in each.expected for each in differences(forged))


def test_leaves_in_another_order_than_that_of_their_hashes_are_found() -> None:
    forged = with_tree(WORLD, WORLD.made.leaves[::-1])
    assert checks_of(forged) == {"leaves"}


def test_a_part_of_a_customer_that_is_left_out_is_found() -> None:
    world = small_world(parts=2)
    kept = [leaf for leaf in world.made.leaves if (leaf.customer, leaf.part) != ("ada", 1)]
    blinding = Blinding(SEED, origin=world.origin, as_of_sequence=world.made.header.as_of_sequence)
    (padding,) = leaves_of([], blinding, assets=len(world.made.header.assets))
    padding = replace(padding, part=len([leaf for leaf in kept if not leaf.customer]))
    forged = with_tree(world, in_order([*kept, padding]))
    assert refused_by(forged.inclusion("ada")) == "form"
    assert "1 of 2 leaves" in {each.actual for each in differences(forged)}


def test_a_node_that_is_not_that_of_its_children_is_found() -> None:
    part = AuditorsPart.of(WORLD)
    width = 32 + 16 * len(HEADER.assets)
    for node in range(len(part.levels) // width):
        levels = bytearray(part.levels)
        levels[node * width + 32 + 15] ^= 1  # the lowest bit of a sum
        found = {each.check for each in differences(WORLD, replace(part, levels=bytes(levels)))}
        assert "nodes" in found
    for levels_cut in (part.levels[:-1], part.levels[:-width], part.levels + bytes(width)):
        found = {each.check for each in differences(WORLD, replace(part, levels=levels_cut))}
        assert "nodes" in found


def test_a_root_with_lower_sums_than_those_of_its_leaves_is_refused_by_every_customer() -> None:
    root = WORLD.made.tree.root
    lowered = replace(root, sums=tuple(units // 2 for units in root.sums))
    sums = {asset: format_exact(amount) for asset, amount in HEADER.amounts(lowered.sums).items()}

    def commit(data: dict[str, Any]) -> None:
        data["liabilities_root"] = HEADER.liabilities_root(lowered).hex()
        data["totals"]["liabilities"] = sums

    forged = with_entries(WORLD, {WORLD.sequence: commit})
    proof = edited(forged.solvency_proof().encode(), "root", "sums", to=sums)
    checked = proof_holds(forged, proof)
    assert {refused_by(forged.inclusion(name)) for name in forged.customers} == {"liabilities_root"}
    found = check_records(HEADER, lowered, checked.commitment, AuditorsPart.of(forged))
    assert [each.check for each in found] == ["nodes"]
