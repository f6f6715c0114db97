"""Small venues, their trees of liabilities and their commitments, of which the vectors of solvency are made.

Nothing is drawn at random. What a venue could sign that owns the log's key can be signed here, too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from signed_material import AT, KEYS, ORIGIN, note, time, tree

from ledger.amounts import format_exact
from ledger.canonical import decode_canonical, encode, leaf_hash
from ledger.chain import FORMAT, ZERO_HASH, Sealer, decode_event
from ledger.checkpoint import Checkpoint
from ledger.events.envelope import Draft, prepare
from ledger.merkle import root_hash
from ledger.proof import InclusionProof
from replay.fold import fold
from replay.projection import initial
from replay.solvency import (
    AttestedEntry,
    Header,
    Inclusion,
    MadeTree,
    PlacedLeaf,
    Plan,
    SolvencyProof,
    SubjectHistories,
    liabilities_tree,
    make_tree,
    places_by_customer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from ledger.events.envelope import Event
    from replay.solvency import Leaf
    from replay.state.venue_state import VenueState

    Wallets = Mapping[str, Mapping[str, Mapping[str, str]]]

SEED = hashlib.sha256(b"vector seed of the liabilities").digest()
VKEY = KEYS["log"].verifier.encode()
START = AT - timedelta(hours=1)
LATER_EVENTS = 1

CUSTOMERS: Wallets = {
    "ada": {"A1": {"USDT": "1500.25", "BTC": "0.125"}, "A2": {"USDT": "10"}},
    "berta": {"B1": {}},
    "carl": {"C1": {"USDT": "20000", "BTC": "-0.5"}},
}
RESERVES: Sequence[Mapping[str, str]] = (
    {"asset": "BTC", "custodian": "bank", "amount": "2"},
    {"asset": "USDT", "custodian": "bank", "amount": "25000", "encumbered": "1000"},
)
IMPOSTOR = "log's name, another key"
ALONE = {"solo": {"S1": {"USDT": "12.5"}}}
DOLLARS = {"scales": {"USDT": "6"}, "reserves": ({"asset": "USDT", "custodian": "bank", "amount": "25"},)}
NOBODY: Mapping[str, Any] = {}
WHALES = {
    "fourteen": {"W14": {"ETH": "5192296858534827.628530496329220095"}},  # 2^112 − 1 units
    "fifteen": {"W15": {"ETH": "5192296858534827.628530496329220096"}},  # 2^112
    "sixteen": {"W16": {"ETH": "1329227995784915872.903807060280344576"}},  # 2^120
    "whole": {"W0": {"ETH": "1"}},
}
FINE = {"ada": {"A1": {"BTC": "0.1234567891", "USDT": "3"}}, "berta": {"B1": {"USDT": "0.0000001"}}}
FOUR = {
    name: {name: {"USDT": str(10 + place)}} for place, name in enumerate(("ada", "berta", "carl", "dora"))
}
ETH_ONLY = ({"asset": "ETH", "custodian": "vault", "amount": "1"},)


@dataclass(frozen=True)
class Committed:
    """A venue with its commitment under a signed checkpoint.

    Attributes:
        origin: of the log.
        entries: all of the log, canonical.
        state: that is committed to.
        histories: of all subjects by then.
        made: its tree.
        sequence: of the commitment.
        signers: names of keys.
    """

    origin: str
    entries: tuple[bytes, ...]
    state: VenueState
    histories: SubjectHistories
    made: MadeTree
    sequence: int
    signers: tuple[str, ...] = ("log",)

    def proof_of(self, sequence: int) -> bytes:
        """Return the inclusion proof of an entry under the checkpoint over all."""
        hashes = [leaf_hash(each) for each in self.entries]
        head = note(Checkpoint(self.origin, len(hashes), root_hash(hashes)), *self.signers).encode()
        return InclusionProof(sequence, self.path(sequence), head).encode()

    def path(self, sequence: int) -> tuple[bytes, ...]:
        """Return an entry's path to the root."""
        return tuple(tree([leaf_hash(each) for each in self.entries]).inclusion_proof(sequence))

    def inclusion(self, customer: str) -> Inclusion:
        """Return what a customer is given."""
        made = self.made
        placed = tuple(
            PlacedLeaf(place, made.leaves[place], made.tree.path(place))
            for place in places_by_customer(made.leaves)[customer]
        )
        entry = self.entries[self.sequence]
        return Inclusion(customer, made.header, placed, entry, self.proof_of(self.sequence))

    def attesting(self, *sequences: int) -> SolvencyProof:
        """Return ``proof.json`` with some entries as attestations."""
        given = tuple(AttestedEntry(self.entries[each], self.path(each)) for each in sequences)
        return SolvencyProof(self.made.header, self.made.tree.root, given)

    @property
    def attested(self) -> tuple[int, ...]:
        """Where the latest attestation of each holding stands."""
        return tuple(sorted(each.reserve.sequence for each in self.made.figures.attestations))

    def proof(self) -> SolvencyProof:
        """Return ``proof.json``."""
        return self.attesting(*self.attested)

    def changed(self, changes: Mapping[int, Callable[[dict[str, Any]], object]]) -> Committed:
        """Return the same log with other data in some events; every link and root is computed anew."""
        entries: list[bytes] = []
        for sequence, entry in enumerate(self.entries):
            value: Any = decode_canonical(entry)
            if sequence in changes:
                changes[sequence](value["event"]["data"])
            if entries:
                value["link"]["prev"] = leaf_hash(entries[-1]).hex()
            entries.append(encode(value))
        return replace(self, entries=tuple(entries))

    def naming(self, sequence: int, ledger: str) -> Committed:
        """Return the same log with an entry that says it is of another ledger."""
        value: Any = decode_canonical(self.entries[sequence])
        value["link"]["ledger"] = ledger
        entries = (*self.entries[:sequence], encode(value), *self.entries[sequence + 1 :])
        return replace(self, entries=entries).changed({})

    def committing(self, **changes: Any) -> Committed:
        """Return the same log with other data in the commitment."""
        return self.changed({self.sequence: lambda data: data.update(changes)})

    def with_totals(self, **totals: Any) -> Committed:
        """Return the same log with other totals in the commitment."""
        return self.changed({self.sequence: lambda data: data["totals"].update(totals)})

    def with_tree(self, leaves: Sequence[Leaf] | None = None, **header: Any) -> Committed:
        """Return a log that commits to another tree, or to the same one with another header."""
        chosen = list(self.made.leaves if leaves is None else leaves)
        other = liabilities_tree(chosen, assets=len(self.made.header.assets))
        changed: Header = replace(self.made.header, **{"depth": other.depth, **header})
        commitment = replace(
            self.made.commitment,
            as_of_sequence=changed.as_of_sequence,
            liabilities_root=changed.liabilities_root(other.root),
            totals={**self.made.commitment.totals, "liabilities": changed.amounts(other.root.sums)},
        )
        made = replace(self.made, header=changed, leaves=chosen, tree=other, commitment=commitment)
        return replace(self.committing(**commitment.payload().json_value()), made=made)


def committed(
    customers: Wallets = CUSTOMERS,
    *,
    parts: int = 1,
    reserves: Sequence[Mapping[str, str]] = RESERVES,
    scales: Mapping[str, str] | None = None,
    origin: str = ORIGIN,
    minutes: int = 0,
    position_without_mark: bool = False,
    correcting: Mapping[str, str] | None = None,
) -> Committed:
    """Return a venue with its commitment, and an event after it.

    Args:
        customers: wallets by customer and account; a negative one is what the account owes.
        parts: how many leaves each customer has.
        reserves: what is attested.
        scales: of the assets that are listed.
        origin: of the log.
        minutes: how much later everything happens.
        position_without_mark: whether A1 has a position that settles in USDT and has no mark price.
        correcting: what the last attestation is corrected to, by an event after it.
    """
    log = _Log(origin, minutes)
    opening = {"ledger": origin, "format": FORMAT, "description": "vectors", "valuation_currency": "USDT"}
    log.append("LedgerOpened", opening)
    for asset, scale in (scales or {"BTC": "8", "USDT": "6"}).items():
        log.append("AssetListed", {"asset": asset, "scale": scale})
    for customer, accounts in customers.items():
        for account, wallet in accounts.items():
            opened = {"account": account, "kind": "customer", "margin_mode": "cross"}
            log.append("AccountOpened", {**opened, "position_mode": "one_way", "customer": customer})
            for asset, amount in wallet.items():
                moved = {"account": account, "asset": asset, "amount": amount.removeprefix("-")}
                log.append("WithdrawalRecorded" if amount.startswith("-") else "DepositRecorded", moved)
    if position_without_mark:
        for data in _POSITION:
            log.append(*data)
    for attested in reserves:
        log.append("ReserveAttested", {"as_of": time(START), "attester": "auditor", **attested})
    if correcting is not None:
        replacement = {"as_of": time(START), "attester": "auditor", **correcting}
        correction = {"action": "replace", "replacement": replacement, "reason": "misread", "approvers": []}
        log.append("CorrectionRecorded", {"corrects": str(log.events[-1].id), **correction})
    state, histories = initial(), SubjectHistories()
    fold(log.events, state, after=[histories], resolve={each.id: each for each in log.events}.get)
    made = make_tree(state, histories, Plan(SEED, parts=parts))
    sequence = len(log.entries)
    log.append("StateCommitted", made.commitment.payload().json_value())
    for number in range(LATER_EVENTS):
        log.append("DepositRecorded", {"account": "A1", "asset": "USDT", "amount": str(number + 1)})
    signers = ("log",) if origin == ORIGIN else ("log's key, another name",)
    return Committed(origin, tuple(log.entries), state, histories, made, sequence, signers)


_POSITION: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "InstrumentListed",
        {
            "instrument": "BTC-PERP",
            "kind": "perpetual",
            "contract": "linear",
            "base": "BTC",
            "quote": "USDT",
            "settlement_asset": "USDT",
            "contract_size": "1",
        },
    ),
    (
        "FillRecorded",
        {"account": "A1", "instrument": "BTC-PERP", "side": "buy", "quantity": "0.01", "price": "30000",
         "fee": "0", "fee_asset": "USDT", "trade_id": "T1", "purpose": "trade"},
    ),
)  # fmt: skip


class _Log:
    """Entries that are chained as they come, each a second after the one before."""

    def __init__(self, origin: str, minutes: int) -> None:
        self.origin, self.start = origin, START + timedelta(minutes=minutes)
        self.entries: list[bytes] = []
        self.events: list[Event] = []

    def append(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Record an event."""
        number = len(self.entries)
        at = self.start + timedelta(seconds=number)
        given: JsonObject = {"type": event_type, "occurred_at": time(at), "data": dict(data)}
        prepared = prepare(Draft.from_json(given), UUID(int=number))
        prev = self.events[-1].hash if self.events else ZERO_HASH
        canonical, event_hash = Sealer(self.origin, "writer", at, number, prev).seal(
            prepared.event_bytes, hashlib.sha256(b"vector nonce %d" % number).digest()[:16]
        )
        self.entries.append(canonical)
        self.events.append(decode_event(canonical, event_hash))


def edited(file: bytes, *place: str | int, to: Any) -> bytes:
    """Return a canonical file with the value at a place replaced, canonical again."""
    value: Any = decode_canonical(file[:-1])
    inner = value
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = to(inner[place[-1]]) if callable(to) else to
    return encode(value) + b"\n"


def texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    """Return amounts as text, in ascending order of assets."""
    return {asset: format_exact(amounts[asset]) for asset in sorted(amounts)}
