"""Inclusion and consistency proofs that hold, and those that do not, with the check that fails."""

from __future__ import annotations

from typing import Any

from signed_material import (
    ENTRIES,
    LEAVES,
    ORIGIN,
    OTHER,
    RECORD_LEAVES,
    RECORDS,
    note,
    policy,
    signed,
    tree,
    written,
)

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint
from ledger.merkle import node_hash, root_hash
from ledger.proof import ConsistencyProof, InclusionProof


def _path(index: int, size: int, leaves: list[bytes]) -> tuple[bytes, ...]:
    return tuple(tree(leaves[:size]).inclusion_proof(index))


def inclusion_vectors() -> dict[str, list[dict[str, Any]]]:
    """Return inclusion proofs, of events and of another log's records."""
    hold: list[dict[str, Any]] = []
    for size in range(1, 5):
        for index in range(size):
            file = InclusionProof(index, _path(index, size, LEAVES), signed(size, LEAVES))
            hold.append({"what": f"event {index} of {size}", **_inclusion(file.encode(), ENTRIES[index])})
    quantum = InclusionProof(
        2, _path(2, 3, LEAVES), signed(3, LEAVES, "log ML-DSA-44", "witness one"), b"extra"
    )
    trust = policy("log ML-DSA-44", witness_keys=["witness one"], required_witnesses=1)
    hold.append(
        {"what": "extra data, ML-DSA-44 and a witness", **_inclusion(quantum.encode(), ENTRIES[2], trust)}
    )
    for index in range(13):
        file = InclusionProof(index, _path(index, 13, RECORD_LEAVES), signed(13, RECORD_LEAVES))
        vector = _inclusion(file.encode(), RECORDS[index])
        hold.append({"what": f"record {index} of another log's 13", **vector, "foreign": True})

    path, head = _path(2, 3, LEAVES), signed(3, LEAVES)
    good = InclusionProof(2, path, head).encode()
    swapped = [LEAVES[1], LEAVES[0], LEAVES[2]]
    moved = InclusionProof(0, _path(0, 3, swapped), signed(3, swapped)).encode()
    elsewhere = ENTRIES[2].replace(ORIGIN.encode(), OTHER.encode())
    theirs = [*LEAVES[:2], leaf_hash(elsewhere)]
    foreign = InclusionProof(2, _path(2, 3, theirs), signed(3, theirs)).encode()
    nameless = ENTRIES[2].replace(b'"id":"00000000-0000-4000-8000-000000000003",', b"")
    unnamed = [*LEAVES[:2], leaf_hash(nameless)]
    without = InclusionProof(2, _path(2, 3, unnamed), signed(3, unnamed)).encode()
    inner = _path(0, 4, LEAVES)[1:]

    def proof(index: int, hashes: tuple[bytes, ...], checkpoint: bytes = head) -> bytes:
        return InclusionProof(index, hashes, checkpoint).encode()

    cases: list[tuple[str, str, bytes, bytes]] = [
        ("nothing", "proof", b"", ENTRIES[2]),
        ("another first line", "proof", good.replace(b"@v1", b"@v2"), ENTRIES[2]),
        ("no index", "proof", good.replace(b"index 2\n", b""), ENTRIES[2]),
        ("an index with a zero in front", "proof", good.replace(b"index 2", b"index 02"), ENTRIES[2]),
        ("an index of 2^63", "proof", good.replace(b"index 2", b"index 9223372036854775808"), ENTRIES[2]),
        ("extra data of no bytes", "proof", good.replace(b"index", b"extra \nindex"), ENTRIES[2]),
        ("extra data after the index", "proof",
         good.replace(b"index 2\n", b"index 2\nextra QQ==\n"), ENTRIES[2]),
        ("a hash of 31 bytes", "proof", proof(2, (bytes(31),)), ENTRIES[2]),
        ("64 hashes", "proof", proof(2, (bytes(32),) * 64), ENTRIES[2]),
        ("no checkpoint after an empty line", "proof", good.partition(b"\n\n")[0] + b"\n", ENTRIES[2]),
        ("a checkpoint that is none", "checkpoint", proof(2, path, b"words\n"), ENTRIES[2]),
        ("a checkpoint of another origin", "origin",
         proof(2, path, signed(3, LEAVES, origin=OTHER)), ENTRIES[2]),
        ("a checkpoint that another key signed", "signature",
         proof(2, path, signed(3, LEAVES, "log's name, another key")), ENTRIES[2]),
        ("the proof of another event", "event", proof(1, _path(1, 3, LEAVES)), ENTRIES[2]),
        ("an event with another index", "event", proof(1, path), ENTRIES[2]),
        ("an event at a place that is not its sequence", "event", moved, ENTRIES[1]),
        ("an event of another ledger under this root", "event", foreign, elsewhere),
        ("an event without an id under this root", "event", without, nameless),
        ("an entry with white space", "event", good, ENTRIES[2].replace(b":", b": ", 1)),
        ("an entry with a line end", "event", good, ENTRIES[2] + b"\n"),
        ("words for an entry", "event", good, b"words"),
        ("a changed event", "inclusion", good, ENTRIES[2].replace(b'"side":"buy"', b'"side":"sell"')),
        ("another nonce", "inclusion", good, ENTRIES[2].replace(b"02" * 16, b"03" * 16)),
        ("a path cut off", "inclusion", proof(2, path[:-1]), ENTRIES[2]),
        ("a path with one hash more", "inclusion", proof(2, (*path, bytes(32))), ENTRIES[2]),
        ("a path with one bit changed", "inclusion",
         proof(2, (bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:])), ENTRIES[2]),
        ("a path of another tree", "inclusion", proof(2, path, signed(4, LEAVES)), ENTRIES[2]),
        ("a tree without the event", "inclusion", proof(2, path, signed(2, LEAVES)), ENTRIES[2]),
        ("a leaf for a root", "inclusion",
         proof(0, (), note(Checkpoint(ORIGIN, 2, LEAVES[0])).encode()), ENTRIES[0]),
    ]  # fmt: skip
    refused = [{"why": why, "check": check, **_inclusion(file, entry)} for why, check, file, entry in cases]
    assert node_hash(LEAVES[0], LEAVES[1]) != leaf_hash(LEAVES[0] + LEAVES[1])
    refused.append(
        {
            "why": "the two hashes under an inner node for an entry",
            "check": "inclusion",
            **_inclusion(proof(0, inner, signed(4, LEAVES)), LEAVES[0] + LEAVES[1]),
            "foreign": True,
        }
    )
    return {"hold": hold, "refused": refused}


def _inclusion(file: bytes, entry: bytes, trust: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"policy": trust or policy(), **written("proof", file), **written("entry", entry)}


def consistency_vectors() -> dict[str, list[dict[str, Any]]]:
    """Return consistency proofs between trees of 0 to 13 records."""
    hold = []
    sizes = [(0, 0), (0, 13), *((old, new) for new in (1, 2, 7, 8, 13) for old in range(1, new + 1))]
    for old, new in sizes:
        file = _growth(old, new)
        hold.append({"what": f"{old} to {new}", **_consistency(file.encode(), signed(old, RECORD_LEAVES))})
    good, older = _growth(6, 13), signed(6, RECORD_LEAVES)
    head, path = good.checkpoint, good.hashes
    rewritten = [bytes(32), *RECORD_LEAVES[1:]]
    fork = ConsistencyProof(6, tuple(tree(rewritten).consistency_proof(6)), signed(13, rewritten)).encode()

    def proof(old: int, hashes: tuple[bytes, ...], checkpoint: bytes = head) -> bytes:
        return ConsistencyProof(old, hashes, checkpoint).encode()

    nonsense = note(Checkpoint(ORIGIN, 0, bytes(32))).encode()
    no_growth = note(Checkpoint(ORIGIN, 8, root_hash(RECORD_LEAVES[:4]))).encode()
    cases: list[tuple[str, str, bytes, bytes]] = [
        ("nothing", "proof", b"", older),
        ("no old size", "proof", good.encode().replace(b"old 6\n", b""), older),
        ("an old size with a zero in front", "proof", good.encode().replace(b"old 6", b"old 06"), older),
        ("a hash of 33 bytes", "proof", proof(6, (bytes(33),)), older),
        ("64 hashes", "proof", proof(6, (bytes(32),) * 64), older),
        ("a checkpoint of another origin", "origin",
         proof(6, path, signed(13, RECORD_LEAVES, origin=OTHER)), older),
        ("a checkpoint that another key signed", "signature",
         proof(6, path, signed(13, RECORD_LEAVES, "log's name, another key")), older),
        ("a proof from another size", "old_size", _growth(5, 13).encode(), older),
        ("a proof from another size that says it is from this one", "consistency",
         proof(6, _growth(5, 13).hashes), older),
        ("an older checkpoint offered as a newer one", "consistency",
         proof(13, path, older), signed(13, RECORD_LEAVES)),
        ("a history that was rewritten", "consistency", fork, older),
        ("two roots of one size", "consistency",
         proof(13, (), signed(13, rewritten)), signed(13, RECORD_LEAVES)),
        ("a path cut off", "consistency", proof(6, path[:-1]), older),
        ("a path with one hash more", "consistency", proof(6, (*path, bytes(32))), older),
        ("a path with one bit changed", "consistency",
         proof(6, (*path[:-1], bytes([path[-1][0] ^ 1]) + path[-1][1:])), older),
        ("hashes where no growth needs any", "consistency", proof(13, path), signed(13, RECORD_LEAVES)),
        ("hashes where the older tree is empty", "consistency", proof(0, path), signed(0, RECORD_LEAVES)),
        ("an empty tree with another root", "consistency", proof(0, ()), nonsense),
        ("the old root as the new one", "consistency", proof(4, (), no_growth), signed(4, RECORD_LEAVES)),
    ]  # fmt: skip
    refused = [{"why": why, "check": check, **_consistency(file, old)} for why, check, file, old in cases]
    other = {"old_policy": policy("log's key, another name", origin=OTHER)}
    theirs = signed(6, RECORD_LEAVES, "log's key, another name", origin=OTHER)
    refused.append(
        {"why": "growth of another log", "check": "origin", **_consistency(good.encode(), theirs), **other}
    )
    return {"hold": hold, "refused": refused}


def _growth(old: int, new: int) -> ConsistencyProof:
    path = tuple(tree(RECORD_LEAVES[:new]).consistency_proof(old))
    return ConsistencyProof(old, path, signed(new, RECORD_LEAVES))


def _consistency(file: bytes, old: bytes) -> dict[str, Any]:
    return {"policy": policy(), **written("proof", file), **written("old", old)}
