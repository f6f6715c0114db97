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


def test_a_proof_ties_an_event_to_a_trusted_checkpoint() -> None:
    for index in range(SIZE):
        verdict = check_inclusion(proof(index).encode(), entries()[index], policy())
        assert (verdict.sequence, verdict.leaf_hash) == (index, leaves()[index])
        assert verdict.event_type == ("DepositRecorded" if index else "LedgerOpened")
        assert f'"id":"{verdict.event_id}"'.encode() in entries()[index]
        assert verdict.trusted.checkpoint.size == SIZE


def test_every_event_is_provable_in_every_tree_that_holds_it() -> None:
    for size in range(1, SIZE + 1):
        for index in range(size):
            assert check_inclusion(proof(index, size).encode(), entries()[index], policy()).sequence == index


def test_the_proof_of_one_event_does_not_go_with_another() -> None:
    assert refused(proof(3), entries()[4]) == "event"
    assert refused(replace(proof(3), index=4), entries()[4]) == "inclusion"
    assert refused(replace(proof(3), hashes=proof(4).hashes), entries()[3]) == "inclusion"


def test_a_changed_event_is_refused() -> None:
    assert refused(
        proof(3), changed(entries()[3], "event", "occurred_at", "2026-01-01T00:00:00.000000Z")
    ) == ("inclusion")
    assert refused(proof(3), changed(entries()[3], "link", "nonce", "0" * 32)) == "inclusion"


def test_an_event_of_another_log_is_refused_though_it_be_under_the_root() -> None:
    entry = changed(entries()[3], "link", "ledger", OTHER)
    hashes = [*leaves()[:3], leaf_hash(entry), *leaves()[4:]]
    under = InclusionProof(3, tuple(tree(hashes).inclusion_proof(3)), signed(SIZE, root_hash(hashes)))
    assert refused(under, entry) == "event"


def test_an_event_at_a_place_that_is_not_its_sequence_is_refused_though_it_be_under_the_root() -> None:
    hashes = [leaves()[1], leaves()[0], *leaves()[2:]]
    under = InclusionProof(0, tuple(tree(hashes).inclusion_proof(0)), signed(SIZE, root_hash(hashes)))
    assert refused(under, entries()[1]) == "event"


@pytest.mark.parametrize(
    "entry", [b"", b"{}", b"words", entries()[3] + b"\n", entries()[3].replace(b":", b": ", 1)],
    ids=["nothing", "an empty object", "words", "a line end", "white space"],
)  # fmt: skip
def test_bytes_that_are_no_canonical_entry_are_refused(entry: bytes) -> None:
    assert refused(proof(3), entry) == "event"


def test_a_checkpoint_that_is_not_trusted_is_refused_before_the_event_is_looked_at() -> None:
    other = replace(proof(3), checkpoint=checkpoint(origin=OTHER))
    assert refused(other, b"words") == "origin"
    forged = signed(SIZE, root_hash(leaves()), keys=(log_key(seed="another"),))
    assert refused(replace(proof(3), checkpoint=forged), b"words") == "signature"
    assert refused(replace(proof(3), checkpoint=b"words"), entries()[3]) == "checkpoint"
    witnesses = policy(witnesses=(witness_key(),), required=1)
    assert refused(proof(3), entries()[3], witnesses) == "witnesses"
    late = replace(policy(), compromised_at=AT + timedelta(hours=1))
    assert refused(proof(3), entries()[3], late) == "compromise"
    stamped = check_inclusion(proof(3).encode(), entries()[3], late, stamped_at=AT)
    assert stamped.trusted.stamped_at == AT


def test_a_proof_of_one_tree_does_not_lead_to_the_root_of_another() -> None:
    for size in (4, 8, 12):
        assert refused(replace(proof(3), checkpoint=checkpoint(size)), entries()[3]) == "inclusion"
        assert refused(replace(proof(3, size), checkpoint=checkpoint()), entries()[3]) == "inclusion"
    assert refused(replace(proof(12), checkpoint=checkpoint(12)), entries()[12]) == "inclusion"


def test_a_path_that_is_cut_extended_or_changed_is_refused() -> None:
    for index in range(SIZE):
        path = proof(index).hashes
        paths = [path[:-1], path[1:], (*path, bytes(32)), (leaves()[0], *path), path[::-1], ()]
        paths += [
            (*path[:at], bytes([path[at][0] ^ 128]) + path[at][1:], *path[at + 1 :])
            for at in range(len(path))
        ]
        for hashes in paths:
            assert refused(replace(proof(index), hashes=hashes), entries()[index]) == "inclusion"


def test_a_root_is_not_enough_where_the_size_asks_for_a_path() -> None:
    assert refused(InclusionProof(0, (), signed(2, leaves()[0])), entries()[0]) == "inclusion"
    assert growth_refused(
        ConsistencyProof(4, (), signed(8, root_hash(leaves()[:4]))), trusted(4)
    ) == "consistency"  # fmt: skip


def test_an_inner_node_offered_as_a_leaf_is_refused() -> None:
    # With one prefix for leaves and nodes, the two hashes under a node would be an entry themselves.
    left, right = leaves()[0], leaves()[1]
    node, path = node_hash(left, right), proof(0).hashes[1:]
    root = node
    for sibling in path:
        root = node_hash(root, sibling)
    assert root == root_hash(leaves())
    inner = replace(proof(0), hashes=path)
    for size in (SIZE, 7, 8):
        other = replace(inner, checkpoint=signed(size, root))
        for entry in (left + right, node, b"\x01" + left + right):
            assert refused(other, entry, foreign=True) == "inclusion"


def test_of_a_foreign_log_only_the_hash_of_an_entry_is_looked_at() -> None:
    records = [b"one", b"", b"\xff\n"]
    hashes = [leaf_hash(record) for record in records]
    for index, record in enumerate(records):
        path = tuple(tree(hashes).inclusion_proof(index))
        data = InclusionProof(index, path, signed(3, root_hash(hashes)))
        verdict = check_inclusion(data.encode(), record, policy(), foreign=True)
        assert (verdict.event_id, verdict.event_type) == (None, None)
        assert refused(data, record) == "event"
        assert refused(data, b"two", foreign=True) == "inclusion"


def test_the_file_is_that_of_tlog_proof() -> None:
    lines = proof(3).encode().split(b"\n")
    assert lines[:2] == [b"c2sp.org/tlog-proof@v1", b"index 3"]
    assert lines[2:7][-1] == b""
    assert proof(3).encode().endswith(b"\n\n" + checkpoint())
    assert InclusionProof.parse(proof(3).encode()) == proof(3)
    extra = replace(proof(3), extra=b"anything")
    assert extra.encode().split(b"\n")[1] == b"extra YW55dGhpbmc="
    assert InclusionProof.parse(extra.encode()) == extra
    assert is_inclusion_proof(extra.encode())
    assert not is_inclusion_proof(growth(3).encode())


def test_extra_data_changes_nothing_since_nobody_signs_it() -> None:
    extra = replace(proof(3), extra=b"anything")
    assert check_inclusion(extra.encode(), entries()[3], policy()).sequence == 3


ONE_HASH = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no checkpoint follows"),
        (b"c2sp.org/tlog-proof@v1\nindex 3\n", "no checkpoint follows"),
        (b"c2sp.org/tlog-proof@v2\nindex 3\n\n", "the first line is not"),
        (b"c2sp.org/tlog-proof@v1 \nindex 3\n\n", "the first line is not"),
        (b"c2sp.org/tlog-proof@v1\n\n", "the line with the index is missing"),
        (b"c2sp.org/tlog-proof@v1\nindex\n\n", "the line with the index is missing"),
        (b"c2sp.org/tlog-proof@v1\nindex 03\n\n", "not a plain number"),
        (b"c2sp.org/tlog-proof@v1\nindex -1\n\n", "not a plain number"),
        (b"c2sp.org/tlog-proof@v1\nindex 3 \n\n", "not a plain number"),
        (b"c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\n", "not a plain number"),
        (b"c2sp.org/tlog-proof@v1\nindex 3\nextra QQ==\n\n", "is not base64"),
        (b"c2sp.org/tlog-proof@v1\nextra QQ==\nextra QQ==\nindex 3\n\n", "the line with the index"),
        (b"c2sp.org/tlog-proof@v1\nextra QR==\nindex 3\n\n", "the extra data is not base64"),
        (b"c2sp.org/tlog-proof@v1\nindex 3\nQQ==\n\n", "has not 32 bytes"),
        (b"c2sp.org/tlog-proof@v1\nindex 3\n" + ONE_HASH[:-2] + b"\n\n", "is not base64"),
        (b"c2sp.org/tlog-proof@v1\r\nindex 3\r\n\n\n", "the first line is not"),
        (b"c2sp.org/tlog-proof@v1\nindex \xef\xbc\x93\n\n", "is not ASCII"),
        (b"c2sp.org/tlog-proof@v1\nindex 3\n" + ONE_HASH * (MOST_HASHES + 1) + b"\n", "64 hashes"),
        (b"c2sp.org/tlog-proof@v1\nindex 3\n\n" + bytes(1_000_000), "1000000 are read at most"),
    ],
)
def test_what_is_no_inclusion_proof_in_its_one_form_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(NoteFormError, match=problem):
        InclusionProof.parse(data)
    assert refused(data, entries()[3]) == "proof"


def test_a_consistency_proof_shows_that_a_log_only_grew() -> None:
    for size in range(1, SIZE + 1):
        for old in range(1, size + 1):
            grown = check_consistency(growth(old, size).encode(), trusted(old), policy())
            assert grown.checkpoint.size == size


def test_every_log_grew_from_one_without_events() -> None:
    empty = trust_checkpoint(signed(0, EMPTY_ROOT), policy())
    assert check_consistency(growth(0).encode(), empty, policy()).checkpoint.size == SIZE
    nonsense = trust_checkpoint(signed(0, bytes(32)), policy())
    assert growth_refused(growth(0), nonsense) == "consistency"
    assert growth_refused(replace(growth(0), hashes=(bytes(32),)), empty) == "consistency"


def test_the_file_is_the_body_of_a_request_to_a_witness() -> None:
    lines = growth(5).encode().split(b"\n")
    assert lines[0] == b"old 5"
    assert growth(5).encode().endswith(b"\n\n" + checkpoint())
    for old in range(SIZE + 1):
        assert ConsistencyProof.parse(growth(old).encode()) == growth(old)


def test_a_history_that_was_rewritten_did_not_grow_from_the_older_one() -> None:
    rewritten = [bytes(32), *leaves()[1:]]
    path = tuple(tree(rewritten).consistency_proof(5))
    data = ConsistencyProof(5, path, signed(SIZE, root_hash(rewritten)))
    assert growth_refused(data, trusted(5)) == "consistency"


def test_an_older_root_does_not_replace_a_newer_one() -> None:
    assert growth_refused(growth(8, 8), trusted(SIZE)) == "old_size"
    backwards = replace(growth(8), old_size=SIZE, checkpoint=checkpoint(8))
    assert growth_refused(backwards, trusted(SIZE)) == "consistency"


def test_two_roots_of_one_size_are_two_histories() -> None:
    fork = ConsistencyProof(SIZE, (), signed(SIZE, bytes(32)))
    assert growth_refused(fork, trusted(SIZE)) == "consistency"
    assert check_consistency(growth(SIZE).encode(), trusted(SIZE), policy()).checkpoint.size == SIZE


def test_a_proof_from_another_size_is_refused() -> None:
    for old in range(1, SIZE + 1):
        if old != 5:
            assert growth_refused(growth(old), trusted(5)) == "old_size"
            assert growth_refused(replace(growth(old), old_size=5), trusted(5)) == "consistency"


def test_a_consistency_path_that_is_cut_extended_or_changed_is_refused() -> None:
    for old in range(1, SIZE):
        path = growth(old).hashes
        paths = [path[:-1], path[1:], (*path, bytes(32)), (leaves()[0], *path), ()]
        paths += [
            (*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :]) for at in range(len(path))
        ]
        for hashes in paths:
            assert growth_refused(replace(growth(old), hashes=hashes), trusted(old)) == "consistency"


def test_growth_to_a_checkpoint_that_is_not_trusted_is_refused() -> None:
    old = trusted(5)
    assert growth_refused(replace(growth(5), checkpoint=checkpoint(origin=OTHER)), old) == "origin"
    forged = signed(SIZE, root_hash(leaves()), keys=(quantum_key(),))
    assert growth_refused(replace(growth(5), checkpoint=forged), old) == "signature"
    witnesses = policy(witnesses=(witness_key(),), required=1)
    assert growth_refused(growth(5), old, witnesses) == "witnesses"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"old 5\n", "no checkpoint follows"),
        (b"\n\n", "the line with the old is missing"),
        (b"new 5\n\n", "the line with the old is missing"),
        (b"old 05\n\n", "not a plain number"),
        (b"old  5\n\n", "not a plain number"),
        (b"old 5\nQQ==\n\n", "has not 32 bytes"),
        (b"old 5\n" + ONE_HASH * (MOST_HASHES + 1) + b"\n", "64 hashes"),
    ],
)
def test_what_is_no_consistency_proof_in_its_one_form_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(NoteFormError, match=problem):
        ConsistencyProof.parse(data)
    assert growth_refused(data, trusted(5)) == "proof"


def test_a_foreign_log_may_sign_with_a_key_of_another_name() -> None:
    key = SigningKey.of("operator.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    head = sign_checkpoint(Checkpoint(OTHER, 1, leaf_hash(b"one")), (key,), AT).encode()
    trust = TrustPolicy.of((key.verifier,), origin=OTHER)
    data = InclusionProof(0, (), head)
    assert check_inclusion(data.encode(), b"one", trust, foreign=True).sequence == 0
    assert refused(data, b"one", policy(key), foreign=True) == "origin"
