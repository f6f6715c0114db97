"""Proofs as files: what ties an event to a checkpoint, and the check that fails where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ledger.errors import EvidenceRefusedError
from ledger.merkle import EMPTY_ROOT, node_hash, root_hash
from ledger.note import NoteFormError
from ledger.proof import (
    MOST_HASHES,
    ConsistencyProof,
    InclusionProof,
    check_consistency,
    check_inclusion,
    is_inclusion_proof,
)
from ledger.tiles import Tile, TileTree
from ledger.trust import TrustedCheckpoint, TrustPolicy, trust_checkpoint
from tests.support.chains import chain_of, changed
from tests.support.keys import AT, ORIGIN, log_key, policy, quantum_key, signed, witness_key

SIZE = 13
OTHER = "venue.example/other"


@cache
def entries() -> list[bytes]:
    return chain_of(SIZE)


@cache
def leaves() -> list[bytes]:
    return [leaf_hash(entry) for entry in entries()]


def tree(hashes: list[bytes]) -> TileTree:
    def contents(tile: Tile) -> bytes:
        return b"".join(hashes[tile.first : tile.first + tile.width])

    return TileTree(len(hashes), contents)


def checkpoint(size: int = SIZE, origin: str = ORIGIN) -> bytes:
    return signed(size, root_hash(leaves()[:size]), origin=origin)


def proof(index: int, size: int = SIZE) -> InclusionProof:
    path = tree(leaves()[:size]).inclusion_proof(index)
    return InclusionProof(index, tuple(path), checkpoint(size))


def growth(old: int, size: int = SIZE) -> ConsistencyProof:
    path = tree(leaves()[:size]).consistency_proof(old)
    return ConsistencyProof(old, tuple(path), checkpoint(size))


def trusted(size: int) -> TrustedCheckpoint:
    return trust_checkpoint(checkpoint(size), policy())


def refused(
    data: InclusionProof | bytes, entry: bytes, trust: TrustPolicy | None = None, *, foreign: bool = False
) -> str:
    """The name of the check that fails."""
    with pytest.raises(EvidenceRefusedError) as caught:
        check_inclusion(
            data.encode() if isinstance(data, InclusionProof) else data,
            entry,
            trust or policy(),
            foreign=foreign,
        )
    return caught.value.check


def growth_refused(
    data: ConsistencyProof | bytes, old: TrustedCheckpoint, trust: TrustPolicy | None = None
) -> str:
    with pytest.raises(EvidenceRefusedError) as caught:
        check_consistency(
            data.encode() if isinstance(data, ConsistencyProof) else data, old, trust or policy()
        )
    return caught.value.check


@pytest.mark.parametrize("field", ["id", "type"])
def test_an_entry_whose_event_has_no_id_or_type_is_no_event(field: str) -> None:
    entry = changed(entries()[3], "event", field, None)
    leaf = leaf_hash(entry)
    hashes = [*leaves()[:3], leaf]
    other = InclusionProof(3, tuple(tree(hashes).inclusion_proof(3)), signed(4, root_hash(hashes)))
    assert refused(other, entry) == "event"
    assert check_inclusion(other.encode(), entry, policy(), foreign=True).leaf_hash == leaf


def test_a_log_does_not_grow_from_a_tree_of_another_log() -> None:
    other = trust_checkpoint(checkpoint(8, OTHER), policy(log_key(OTHER)))
    assert growth_refused(growth(8), other) == "origin"
