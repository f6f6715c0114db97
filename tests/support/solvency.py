"""A small venue whose state is committed to and signed, without a database, for tests of solvency proofs.

Nothing in it is drawn at random, so every run makes the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ledger.canonical import JsonObject, decode_canonical, encode, leaf_hash
from ledger.chain import FORMAT, ZERO_HASH, Sealer, decode_event
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.events.envelope import Draft, prepare
from ledger.merkle import inclusion_proof, root_hash
from ledger.proof import InclusionProof
from ledger.trust import TrustPolicy
from replay.fold import fold
from replay.projection import initial
from replay.solvency import (
    AttestedEntry,
    Inclusion,
    MadeTree,
    PlacedLeaf,
    Plan,
    SolvencyProof,
    SubjectHistories,
    make_tree,
    places_by_customer,
)
from tests.support.keys import AT, ORIGIN, log_key, quantum_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from ledger.checkpoint import SigningKey
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

SEED = hashlib.sha256(b"seed of the liabilities").digest()
START = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
SCALES = {"BTC": "8", "ETH": "18", "USDT": "6"}
CUSTOMERS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "ada": {"A1": {"USDT": "1500.25", "BTC": "0.125"}, "A2": {"USDT": "10"}},
    "berta": {"B1": {"ETH": "3.000000000000000001"}},
    "carl": {"C1": {"USDT": "20000", "BTC": "-0.5"}},
    "dora": {"D1": {"USDT": "-75.5"}},
    "emil": {"E1": {"USDT": "0.000001", "BTC": "2", "ETH": "0.5"}},
}
"""Wallets by customer and account; a negative one is what the account owes."""


@dataclass(frozen=True, slots=True)
class World:
    """A log with a commitment in it, and everything that proofs are made of.

    Attributes:
        origin: of the log.
        keys: that the log signs with: Ed25519, then ML-DSA-44.
        entries: the log's entries, canonical; some come after the commitment.
        state: at the commitment's ``as_of_sequence``.
        histories: of all subjects by then.
        made: tree, header, roots and commitment of that state.
        sequence: where the commitment stands.
        checkpoint: over all entries.
        proof: of the commitment under the checkpoint, which is signed with all keys.
    """

    origin: str
    keys: tuple[SigningKey, ...]
    entries: tuple[bytes, ...]
    state: VenueState
    histories: SubjectHistories
    made: MadeTree
    sequence: int
    checkpoint: Checkpoint
    proof: InclusionProof

    @property
    def entry(self) -> bytes:
        """The commitment's entry."""
        return self.entries[self.sequence]

    @property
    def hashes(self) -> list[bytes]:
        """The leaf hashes of all entries."""
        return [leaf_hash(each) for each in self.entries]

    @property
    def customers(self) -> tuple[str, ...]:
        """Who has leaves, in the order of their names."""
        return tuple(sorted(places_by_customer(self.made.leaves)))

    def policy(self) -> TrustPolicy:
        """Trust in the log's keys."""
        return TrustPolicy.of(tuple(key.verifier for key in self.keys))

    def vkeys(self) -> str:
        """The log's public keys as its operator publishes them, one a line."""
        return "".join(f"{key.verifier.encode()}\n" for key in self.keys)

    def owed(self, customer: str) -> dict[str, Decimal]:
        """What a customer is owed by asset."""
        return self.made.figures.liabilities.owed(customer)

    def inclusion(self, customer: str, *, keys: int = 1) -> Inclusion:
        """What a customer is given; of the checkpoint's lines the first ``keys``."""
        made = self.made
        placed = tuple(
            PlacedLeaf(place, made.leaves[place], made.tree.path(place))
            for place in places_by_customer(made.leaves)[customer]
        )
        note = sign_checkpoint(self.checkpoint, self.keys[:keys], AT)
        proof = replace(self.proof, checkpoint=note.encode())
        return Inclusion(customer, made.header, placed, self.entry, proof.encode())

    def solvency_proof(self) -> SolvencyProof:
        """What is published as ``proof.json``."""
        attested = tuple(
            AttestedEntry(self.entries[number], self._path(number))
            for number in sorted(each.reserve.sequence for each in self.made.figures.attestations)
        )
        return SolvencyProof(self.made.header, self.made.tree.root, attested)

    def _path(self, sequence: int) -> tuple[bytes, ...]:
        return _path(self.hashes, sequence)


def small_world(
    *,
    parts: int = 1,
    origin: str = ORIGIN,
    customers: Mapping[str, Mapping[str, Mapping[str, str]]] = CUSTOMERS,
    days: int = 0,
    later: int = 3,
) -> World:
    """Return a venue of some customers with its commitment.

    Args:
        parts: how many leaves each customer has.
        origin: of the log, and name of its keys.
        customers: wallets by customer and account.
        days: how much later everything happens.
        later: how many entries follow the commitment before the checkpoint is signed.
    """
    start = START + timedelta(days=days)
    log = _Log(origin, start)
    log.append("LedgerOpened", ledger=origin, format=FORMAT, description="a test", valuation_currency="USDT")
    for data in _venue(customers, start):
        log.append(**data)
    state, histories = initial(), SubjectHistories()
    fold(log.events, state, after=[histories])
    made = make_tree(state, histories, Plan(SEED, parts=parts))
    sequence = len(log.entries)
    log.append("StateCommitted", **made.commitment.payload().json_value())
    for number in range(later):
        log.append("DepositRecorded", account="A1", asset="USDT", amount=str(number + 1))
    keys = (log_key(origin), quantum_key(origin))
    checkpoint = Checkpoint(origin, len(log.entries), root_hash(log.hashes()))
    note = sign_checkpoint(checkpoint, keys, AT)
    proof = InclusionProof(sequence, _path(log.hashes(), sequence), note.encode())
    return World(origin, keys, tuple(log.entries), state, histories, made, sequence, checkpoint, proof)


def edited(file: bytes, *place: str | int, to: Any) -> bytes:
    """Return a canonical file with the value at a place (keys and indices) replaced, canonical again."""
    value: Any = decode_canonical(file[:-1])
    inner = value
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = to(inner[place[-1]]) if callable(to) else to
    return encode(value) + b"\n"


class _Log:
    """Entries that are chained as they come, each a second after the one before."""

    def __init__(self, origin: str, start: datetime) -> None:
        self.origin, self.start = origin, start
        self.entries: list[bytes] = []
        self.events: list[Event] = []

    def append(self, event_type: str, **data: Any) -> None:
        """Record an event."""
        number = len(self.entries)
        at = self.start + timedelta(seconds=number)
        given: JsonObject = {"type": event_type, "occurred_at": at.isoformat(), "data": data}
        prepared = prepare(Draft.from_json(given), UUID(int=number))
        prev = self.events[-1].hash if self.events else ZERO_HASH
        sealer = Sealer(self.origin, "writer", at, number, prev)
        nonce = hashlib.sha256(b"nonce %d" % number).digest()[:16]
        canonical, event_hash = sealer.seal(prepared.event_bytes, nonce)
        self.entries.append(canonical)
        self.events.append(decode_event(canonical, event_hash))

    def hashes(self) -> list[bytes]:
        """Return the leaf hashes of all entries."""
        return [each.hash for each in self.events]


def _venue(
    customers: Mapping[str, Mapping[str, Mapping[str, str]]], start: datetime
) -> Iterable[dict[str, Any]]:
    for asset, scale in SCALES.items():
        yield {"event_type": "AssetListed", "asset": asset, "scale": scale}
    cross = {"event_type": "AccountOpened", "margin_mode": "cross", "position_mode": "one_way"}
    yield {**cross, "account": "fund", "kind": "insurance_fund"}
    for customer, accounts in customers.items():
        for account, wallet in accounts.items():
            yield {**cross, "account": account, "kind": "customer", "customer": customer}
            for asset, amount in wallet.items():
                event_type = "WithdrawalRecorded" if amount.startswith("-") else "DepositRecorded"
                moved = {"account": account, "asset": asset, "amount": amount.removeprefix("-")}
                yield {"event_type": event_type, **moved}
    for asset in SCALES:
        attested = {"asset": asset, "custodian": "bank", "amount": "50000", "as_of": start.isoformat()}
        yield {"event_type": "ReserveAttested", **attested, "attester": "auditor"}


def _path(hashes: list[bytes], index: int) -> tuple[bytes, ...]:
    """Return an entry's path to the root, from subtrees that are computed anew each time."""

    def subtree(level: int, place: int) -> bytes:
        return root_hash(hashes[place << level : (place + 1) << level])

    return tuple(inclusion_proof(index, len(hashes), subtree))
