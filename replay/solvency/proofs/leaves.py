"""The leaves of a liabilities tree: one customer's claims each, or a part of them, blinded.

A leaf is::

    SHA-256(LEAF ‖ nonce ‖ sums ‖ part ‖ customer)

with a nonce of 32 bytes, 16 bytes for each asset, 4 bytes for the part's number (from 0) and the
customer's name in UTF-8 (docs/spec/solvency.md §3.1). The nonce is derived from a secret seed
(HKDF-SHA256, RFC 5869), so a leaf's hash tells nobody who it is, and the same seed makes the same
tree again::

    key   = HKDF-Extract(salt = origin, seed)
    nonce = HKDF-Expand(key, NONCE ‖ as_of_sequence ‖ part ‖ customer, 32)

Leaves stand in the order of their hashes: nothing of the customers' order is left. Padding up to
the next power of two has the empty name and nothing owed. What siblings still show is how much some
customer, unnamed, is owed; with more parts that shows no customer's whole claim.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from replay.solvency.proofs.errors import SeedUnusableError, SumTreeShapeError
from replay.solvency.proofs.sum_tree import SUM_BYTES, Node, SumTree, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LEAF = b"margin-ledger/liabilities/leaf/1\n"
NONCE = b"margin-ledger/liabilities/nonce/1\n"
SPLIT = b"margin-ledger/liabilities/split/1\n"
PADDING_NAME = ""
MINIMUM_SEED_BYTES = 32
NONCE_BYTES = 32
MAXIMUM_PARTS = 16
_UNSIGNED_32 = 4
_UNSIGNED_64 = 8


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a customer is shown of their own leaf, and an auditor of every one.

    Attributes:
        customer: the name; empty for padding.
        part: which part of the customer's claims, from 0.
        nonce: 32 bytes that nobody else is told.
        packed: the sums as :func:`replay.solvency.proofs.sum_tree.pack` writes them.
        hash: the leaf's hash, 32 bytes.
    """

    customer: str
    part: int
    nonce: bytes
    packed: bytes
    hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Compute the hash once."""
        content = (
            LEAF + self.nonce + self.packed + self.part.to_bytes(_UNSIGNED_32, "big") + self.customer.encode()
        )
        object.__setattr__(self, "hash", hashlib.sha256(content).digest())

    @property
    def sums(self) -> tuple[int, ...]:
        """The sums by asset in the tree's order, in units of the asset's scale."""
        return unpack(self.packed)

    @property
    def node(self) -> Node:
        """The leaf as a node of the tree."""
        return Node(self.hash, self.sums)


class Blinding:
    """Derives what makes leaves unguessable, for one commitment of one ledger."""

    def __init__(self, seed: bytes, *, origin: str, as_of_sequence: int) -> None:
        """Derive the key.

        Args:
            seed: secret, 32 bytes or more of a random source.
            origin: the ledger's.
            as_of_sequence: of the state that the tree is about; nonces of two states are never the same.

        Raises:
            SeedUnusableError: the seed is shorter.
        """
        if len(seed) < MINIMUM_SEED_BYTES:
            raise SeedUnusableError(
                f"the seed has {len(seed)} bytes, and needs {MINIMUM_SEED_BYTES}",
                next_step="take 32 bytes of a random source, and keep them as secret as a key",
            )
        self._key = hmac.digest(origin.encode(), seed, "sha256")
        self._sequence = as_of_sequence.to_bytes(_UNSIGNED_64, "big")

    def nonce(self, customer: str, part: int) -> bytes:
        """Return the nonce of a part of a customer's claims."""
        return self._expand(NONCE, part, customer.encode())

    def fraction(self, customer: str, part: int, place: int) -> int:
        """Return 32 bytes as a number, by which a claim is split."""
        content = place.to_bytes(_UNSIGNED_32, "big") + customer.encode()
        return int.from_bytes(self._expand(SPLIT, part, content), "big")

    def _expand(self, purpose: bytes, part: int, content: bytes) -> bytes:
        """HKDF-Expand for one block of output (RFC 5869 §2.3)."""
        information = purpose + self._sequence + part.to_bytes(_UNSIGNED_32, "big") + content
        return hmac.digest(self._key, information + b"\x01", "sha256")


def leaves_of(
    claims: Iterable[tuple[str, bytes]], blinding: Blinding, *, assets: int, parts: int = 1
) -> list[Leaf]:
    """Return the leaves of all customers with their padding, in the tree's order.

    Args:
        claims: each customer once, and what the customer is owed by asset, in units of its scale, packed
            (:func:`replay.solvency.proofs.sum_tree.pack`).
        blinding: derives nonces.
        assets: how many sums a leaf has.
        parts: into how many leaves each customer's claims are split, 1 to 16.

    Raises:
        SumTreeShapeError: a name is empty or comes twice, a claim has sums of other assets, or there
            are more parts.
    """
    if not 1 <= parts <= MAXIMUM_PARTS:
        raise SumTreeShapeError(f"{parts} parts: 1 to {MAXIMUM_PARTS} are possible")
    leaves: list[Leaf] = []
    names: set[str] = set()
    for customer, packed in claims:
        if not customer or customer in names:
            which = f"customer {customer} comes twice" if customer else "a customer has no name"
            raise SumTreeShapeError(which)
        if len(packed) != SUM_BYTES * assets:
            raise SumTreeShapeError(
                f"customer {customer} has {len(packed) // SUM_BYTES} sums, and not {assets}"
            )
        names.add(customer)
        leaves.extend(_parts(customer, packed, blinding, parts))
    nothing = bytes(SUM_BYTES * assets)
    owed = len(leaves)
    leaves.extend(
        Leaf(PADDING_NAME, number, blinding.nonce(PADDING_NAME, number), nothing)
        for number in range(least_power_of_two(owed) - owed)
    )
    leaves.sort(key=attrgetter("hash"))
    return leaves


def least_power_of_two(count: int) -> int:
    """Return the least power of two that is not below a count, and 1 for none."""
    return 1 << (max(1, count) - 1).bit_length()


def liabilities_tree(leaves: Sequence[Leaf], *, assets: int) -> SumTree:
    """Return the tree over leaves as they stand.

    Raises:
        SumTreeShapeError: they are not a power of two, or one has sums of other assets.
        SumOverflowError: a sum is out of range.
    """
    return SumTree([(leaf.hash, leaf.packed) for leaf in leaves], assets=assets)


def places_by_customer(leaves: Sequence[Leaf]) -> Mapping[str, tuple[int, ...]]:
    """Return where each customer's leaves stand, in the order of their parts; padding is left out."""
    places: dict[str, list[int]] = {}
    for place, leaf in enumerate(leaves):
        if leaf.customer != PADDING_NAME:
            places.setdefault(leaf.customer, []).append(place)
    return {
        name: tuple(sorted(found, key=lambda place: leaves[place].part)) for name, found in places.items()
    }


def _parts(customer: str, packed: bytes, blinding: Blinding, parts: int) -> Iterator[Leaf]:
    """Split claims; each part but the last takes an even draw of what is left."""
    left = list(unpack(packed)) if parts > 1 else []
    for part in range(parts - 1):
        taken = [blinding.fraction(customer, part, place) % (amount + 1) for place, amount in enumerate(left)]
        left = [amount - drawn for amount, drawn in zip(left, taken, strict=True)]
        yield Leaf(customer, part, blinding.nonce(customer, part), pack(taken))
    last = pack(left) if parts > 1 else packed
    yield Leaf(customer, parts - 1, blinding.nonce(customer, parts - 1), last)
