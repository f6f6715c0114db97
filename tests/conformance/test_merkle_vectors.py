"""RFC 6962 and RFC 9162 trees as others compute them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from ledger.canonical import leaf_hash
from ledger.merkle import root_hash, verify_consistency, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RFC_6962_LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip


def vectors(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each vector of transparency-dev/merkle, with the place of its file."""
    for path in sorted(folder.rglob("*.json")):
        yield str(path.relative_to(folder)), json.loads(path.read_bytes())


def hashes(vector: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(vector[name]) for name in names]


def proof_of(vector: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(node) for node in vector["proof"] or []]


def test_every_inclusion_vector_agrees(shared_vectors: Path) -> None:
    disagreeing, count = [], 0
    for name, vector in vectors(shared_vectors / "rfc9162" / "inclusion"):
        leaf, root = hashes(vector, "leafHash", "root")
        holds = verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof_of(vector), root)
        count += 1
        if holds == vector["wantErr"]:
            disagreeing.append((name, vector["desc"]))
    assert (disagreeing, count) == ([], 98)


def test_every_consistency_vector_agrees(shared_vectors: Path) -> None:
    disagreeing, count = [], 0
    for name, vector in vectors(shared_vectors / "rfc9162" / "consistency"):
        old_root, new_root = hashes(vector, "root1", "root2")
        holds = verify_consistency(vector["size1"], vector["size2"], proof_of(vector), old_root, new_root)
        count += 1
        if holds == vector["wantErr"]:
            disagreeing.append((name, vector["desc"]))
    assert (disagreeing, count) == ([], 98)


def test_the_tree_of_rfc_6962_has_the_published_root() -> None:
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in RFC_6962_LEAVES]
    assert leaves[0].hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_hash(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
