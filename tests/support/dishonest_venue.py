"""What a venue can do that owns the log's keys: sign other trees, other commitments, other attestations.

All of it stays well-formed and signed; whether it is found is the question of the tests that use this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from ledger.amounts import parse_amount
from ledger.canonical import decode_canonical, encode, leaf_hash
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import EvidenceRefusedError
from ledger.merkle import root_hash
from ledger.proof import InclusionProof
from replay.commitments.folder import (
    COMMITMENT_FILE,
    INCLUSION_FILE,
    PROOF_FILE,
    ProofFolder,
    write_records,
)
from replay.solvency import (
    AttestedEntry,
    Blinding,
    Expected,
    Leaf,
    SolvencyProof,
    check_inclusion_file,
    check_proof,
    check_records,
    customer_claims,
    leaves_of,
    liabilities_tree,
)
from replay.solvency.proofs.records import account_line, leaf_line
from replay.solvency.proofs.sum_tree import pack, unpack
from tests.support.keys import AT
from tests.support.keys import policy as trust_in
from tests.support.solvency import SEED, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ledger.trust import TrustPolicy
    from replay.solvency import (
        CheckedInclusion,
        CheckedProof,
        CustomerClaim,
        Difference,
        Header,
        Inclusion,
        Records,
    )


TRUST = trust_in()
"""In the log's Ed25519 key."""


def with_entries(
    world: World,
    changes: Mapping[int, Callable[[dict[str, Any]], object]],
    *,
    ledgers: Mapping[int, str] | None = None,
) -> World:
    """Return the world after the data of events was changed: every link and root recomputed, signed again.

    Args:
        world: the honest one.
        changes: what is done to an event's data, by its sequence.
        ledgers: which ledger an entry says that it is of, where it is another one.
    """
    entries: list[bytes] = []
    for sequence, entry in enumerate(world.entries):
        value: Any = decode_canonical(entry)
        if sequence in changes:
            changes[sequence](value["event"]["data"])
        if ledgers and sequence in ledgers:
            value["link"]["ledger"] = ledgers[sequence]
        if entries:
            value["link"]["prev"] = leaf_hash(entries[-1]).hex()
        entries.append(encode(value))
    hashes = [leaf_hash(each) for each in entries]
    checkpoint = Checkpoint(world.origin, len(entries), root_hash(hashes))
    note = sign_checkpoint(checkpoint, world.keys, AT)
    changed = replace(world, entries=tuple(entries), checkpoint=checkpoint)
    proof = InclusionProof(world.sequence, changed._path(world.sequence), note.encode())
    return replace(changed, proof=proof)


def with_tree(
    world: World,
    leaves: Sequence[Leaf] | None = None,
    *,
    totals: Mapping[str, Mapping[str, str]] | None = None,
    header: Mapping[str, Any] | None = None,
    entries: Mapping[int, Callable[[dict[str, Any]], object]] | None = None,
) -> World:
    """Return a world whose commitment is to a tree of other leaves, or with another header or totals.

    Args:
        world: the honest one.
        leaves: of the tree, padding included, as they shall stand.
        totals: those that are not to follow from the leaves, by their names.
        header: fields that are not to follow from state and leaves.
        entries: what else is changed in the log, see :func:`with_entries`.
    """
    honest = world.made
    chosen = list(honest.leaves if leaves is None else leaves)
    tree = liabilities_tree(chosen, assets=len(honest.header.assets))
    of_tree = replace(honest.header, **{"depth": tree.depth, **(header or {})})
    committed = {**honest.commitment.totals, "liabilities": of_tree.amounts(tree.root.sums)}
    for name, amounts in (totals or {}).items():
        committed[name] = {asset: parse_amount(amount) for asset, amount in amounts.items()}
    commitment = replace(
        honest.commitment, liabilities_root=of_tree.liabilities_root(tree.root), totals=committed
    )
    made = replace(honest, header=of_tree, leaves=chosen, tree=tree, commitment=commitment)
    data = commitment.payload().json_value()
    changes = {**(entries or {}), world.sequence: lambda given: given.update(data)}
    return replace(with_entries(world, changes), made=made)


def owing(world: World, changes: Mapping[str, Mapping[str, str] | None]) -> list[Leaf]:
    """Return the leaves of a tree in which some customers are owed other amounts, or (None) are left out."""
    header = world.made.header
    claims = dict(world.made.figures.liabilities.by_customer)
    for customer, amounts in changes.items():
        if amounts is None:
            del claims[customer]
        else:
            own = dict(zip((each.asset for each in header.assets), unpack(claims[customer]), strict=True))
            own |= {each.asset: each.units(parse_amount(amounts[each.asset])) for each in header.assets
                    if each.asset in amounts}  # fmt: skip
            claims[customer] = pack(own.values())
    blinding = Blinding(SEED, origin=world.origin, as_of_sequence=header.as_of_sequence)
    return leaves_of(claims.items(), blinding, assets=len(header.assets), parts=header.parts)


def in_order(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Return leaves in the order in which a tree has them."""
    return sorted(leaves, key=lambda leaf: leaf.hash)


def leaf_of(header: Header, customer: str, amounts: Mapping[str, str], *, part: int = 0, nonce: int) -> Leaf:
    """Return any leaf."""
    sums = header.sums({asset: parse_amount(amount) for asset, amount in amounts.items()})
    return Leaf(customer, part, bytes([nonce]) * 32, pack(sums))


def attesting(world: World, sequences: Iterable[int]) -> bytes:
    """Return a ``proof.json`` that gives the entries of some sequences as attestations, in that order."""
    given = tuple(AttestedEntry(world.entries[each], world._path(each)) for each in sequences)
    return SolvencyProof(world.made.header, world.made.tree.root, given).encode()


@dataclass(frozen=True)
class AuditorsPart:
    """The private files of a proof, in memory."""

    account_lines: tuple[bytes, ...]
    leaf_lines: tuple[bytes, ...]
    levels: bytes

    @classmethod
    def of(cls, world: World, claims: Iterable[CustomerClaim] | None = None) -> AuditorsPart:
        """Return what the venue gives an auditor: claims of the state, or others, and its tree."""
        made = world.made
        return cls(
            tuple(
                account_line(each) for each in (customer_claims(world.state) if claims is None else claims)
            ),
            tuple(leaf_line(index, leaf) for index, leaf in enumerate(made.leaves)),
            b"".join(made.tree.levels()),
        )

    def accounts(self) -> Iterator[bytes]:
        """Yield the lines of ``accounts.ndjson``."""
        yield from self.account_lines

    def leaves(self) -> Iterator[bytes]:
        """Yield the lines of ``leaves.ndjson``."""
        yield from self.leaf_lines

    def nodes(self, start: int, width: int) -> Iterator[bytes]:
        """Yield nodes from one on."""
        for place in range(start * width, len(self.levels), width):
            yield self.levels[place : place + width]


def differences(world: World, records: Records | None = None) -> list[Difference]:
    """Return what an auditor finds in the private part, that of the honest claims where no other is given."""
    made = world.made
    given = records or AuditorsPart.of(world)
    return [*check_records(made.header, made.tree.root, made.commitment, given)]


def published(world: World, folder: Path, claims: Iterable[CustomerClaim] | None = None) -> ProofFolder:
    """Write the folder of a proof, with its private part."""
    folder.mkdir()
    (folder / PROOF_FILE).write_bytes(world.solvency_proof().encode())
    (folder / COMMITMENT_FILE).write_bytes(world.entry + b"\n")
    (folder / INCLUSION_FILE).write_bytes(world.proof.encode())
    given = customer_claims(world.state) if claims is None else claims
    write_records(folder / "private", given, world.made)
    return ProofFolder(folder)


def in_log(file: Inclusion, world: World) -> Inclusion:
    """Return a file with the commitment of a world instead of its own."""
    return replace(file, commitment=world.entry, commitment_proof=world.proof.encode())


def accepted(
    file: Inclusion | bytes, expected: Expected | None = None, *, policy: TrustPolicy | None = None
) -> CheckedInclusion:
    """Return what a customer's file shows, by trust in the log's Ed25519 key where no other is given."""
    data = file if isinstance(file, bytes) else file.encode()
    return check_inclusion_file(data, policy or TRUST, expected or Expected())


def refused_by(
    file: Inclusion | bytes, expected: Expected | None = None, *, policy: TrustPolicy | None = None
) -> str:
    """Return the name of the check that refuses a file."""
    with pytest.raises(EvidenceRefusedError) as refused:
        accepted(file, expected, policy=policy)
    return refused.value.check


def proof_holds(world: World, proof: bytes | None = None) -> CheckedProof:
    """Return what a published proof shows, the world's own where no other is given."""
    given = world.solvency_proof().encode() if proof is None else proof
    return check_proof(given, world.entry, world.proof.encode(), TRUST)


def proof_refused_by(world: World, proof: bytes | None = None) -> str:
    """Return the name of the check that refuses a proof."""
    with pytest.raises(EvidenceRefusedError) as refused:
        proof_holds(world, proof)
    return refused.value.check
