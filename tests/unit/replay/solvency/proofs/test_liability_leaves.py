from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from replay.solvency.proofs.errors import SeedUnusableError, SumOverflowError, SumTreeShapeError
from replay.solvency.proofs.leaves import Blinding, Leaf, leaves_of, liabilities_tree, places_by_customer
from replay.solvency.proofs.sum_tree import pack, root_from_path

if TYPE_CHECKING:
    from collections.abc import Iterable

SEED = bytes(range(32))
ORIGIN = "venue.example/ledger"
THREE = (("ada", (5, 0)), ("bob", (7, 1)), ("cyd", (0, 9)))

claim_sets = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
    st.tuples(st.integers(0, 1 << 90), st.integers(0, 1 << 90)),
    max_size=9,
)


def owed(claims: Iterable[tuple[str, tuple[int, ...]]]) -> list[tuple[str, bytes]]:
    return [(name, pack(sums)) for name, sums in claims]


def blinding(sequence: int = 41, *, seed: bytes = SEED, origin: str = ORIGIN) -> Blinding:
    return Blinding(seed, origin=origin, as_of_sequence=sequence)


def test_a_nonce_is_hkdf_of_the_seed_as_others_compute_it() -> None:
    information = (
        b"margin-ledger/liabilities/nonce/1\n" + (41).to_bytes(8, "big") + (3).to_bytes(4, "big") + b"ada"
    )
    theirs = HKDF(hashes.SHA256(), length=32, salt=ORIGIN.encode(), info=information).derive(SEED)
    assert blinding().nonce("ada", 3) == theirs


def test_a_leaf_hashes_nonce_sums_part_and_name() -> None:
    content = (
        b"margin-ledger/liabilities/leaf/1\n" + bytes(32) + bytes(15) + b"\x05" + bytes(3) + b"\x02" + b"ada"
    )
    assert Leaf("ada", 2, bytes(32), pack([5])).hash == hashlib.sha256(content).digest()


def test_nonces_differ_by_customer_part_state_ledger_and_seed() -> None:
    nonces = [
        blinding().nonce("ada", 0),
        blinding().nonce("bob", 0),
        blinding().nonce("ada", 1),
        blinding(42).nonce("ada", 0),
        blinding(origin="other.example").nonce("ada", 0),
        blinding(seed=bytes(32)).nonce("ada", 0),
    ]
    assert len(set(nonces)) == len(nonces)


@given(claim_sets, st.integers(1, 4))
def test_every_customer_is_in_the_tree_with_all_that_is_owed(
    claims: dict[str, tuple[int, int]], parts: int
) -> None:
    leaves = leaves_of(owed(claims.items()), blinding(), assets=2, parts=parts)
    tree = liabilities_tree(leaves, assets=2)
    assert tree.root.sums == tuple(sum(sums[place] for sums in claims.values()) for place in (0, 1))
    places = places_by_customer(leaves)
    assert places.keys() == claims.keys()
    for name, found in places.items():
        own = [leaves[place] for place in found]
        assert [leaf.part for leaf in own] == list(range(parts))
        assert tuple(map(sum, zip(*(leaf.sums for leaf in own), strict=True))) == claims[name]
        for place in found:
            assert root_from_path(tree.leaf(place), place, tree.path(place)) == tree.root


@given(claim_sets)
def test_leaves_stand_in_the_order_of_their_hashes_whatever_order_customers_came_in(
    claims: dict[str, tuple[int, int]],
) -> None:
    leaves = leaves_of(owed(claims.items()), blinding(), assets=2)
    assert leaves == leaves_of(owed(reversed(claims.items())), blinding(), assets=2)
    assert [leaf.hash for leaf in leaves] == sorted(leaf.hash for leaf in leaves)


@pytest.mark.parametrize(("customers", "size"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 8), (8, 8)])
def test_padding_owes_nothing_and_reaches_the_next_power_of_two(customers: int, size: int) -> None:
    leaves = leaves_of([(f"c{n}", pack([1])) for n in range(customers)], blinding(), assets=1)
    assert len(leaves) == size
    padding = [leaf for leaf in leaves if leaf.customer == ""]
    assert len(padding) == size - customers
    assert {leaf.sums for leaf in padding} <= {(0,)}
    assert len({leaf.hash for leaf in leaves}) == size


def test_a_leaf_is_of_one_customer_only() -> None:
    """Two customers cannot be shown one leaf: the name is in its hash."""
    shown = leaves_of(owed(THREE), blinding(), assets=2)[0]
    assert replace(shown, customer="dan").hash != shown.hash
    assert replace(shown, part=1).hash != shown.hash


def test_a_customer_who_comes_twice_is_refused() -> None:
    with pytest.raises(SumTreeShapeError, match="ada comes twice"):
        leaves_of(owed([*THREE, ("ada", (0, 0))]), blinding(), assets=2)


def test_a_customer_without_a_name_is_refused() -> None:
    with pytest.raises(SumTreeShapeError, match="no name"):
        leaves_of(owed([("", (1,))]), blinding(), assets=1)


def test_sums_of_other_assets_are_refused() -> None:
    with pytest.raises(SumTreeShapeError, match="bob has 1 sums"):
        leaves_of(owed([("ada", (1, 2)), ("bob", (1,))]), blinding(), assets=2)


@pytest.mark.parametrize("parts", [0, 17])
def test_a_number_of_parts_out_of_range_is_refused(parts: int) -> None:
    with pytest.raises(SumTreeShapeError, match="1 to 16"):
        leaves_of(owed(THREE), blinding(), assets=2, parts=parts)


def test_debt_is_refused_in_a_leaf() -> None:
    """What a dummy account owes would lower what is owed to others."""
    with pytest.raises(SumOverflowError):
        pack([0, -5])


def test_a_short_seed_is_refused() -> None:
    with pytest.raises(SeedUnusableError, match="16 bytes, and needs 32"):
        blinding(seed=bytes(16))
