"""What proofs of solvency are made of, step by step: for whoever looks for the step that goes wrong."""

from __future__ import annotations

import hashlib
from typing import Any

from signed_material import ORIGIN, text
from solvency_material import SEED, committed

from ledger.canonical import encode, leaf_hash
from ledger.merkle import root_hash
from replay.solvency import Blinding, History, Leaf, Node, leaves_of
from replay.solvency.proofs.inclusion import encode_path
from replay.solvency.proofs.roots import NO_HISTORY
from replay.solvency.proofs.sum_tree import SUM_LIMIT, pack, parent

SEQUENCE = 41


def primitives() -> dict[str, Any]:
    """Return every step with its input and output; sums are in units, written as text."""
    return {
        "leaves": _leaves(),
        "nodes": _nodes(),
        "liabilities_roots": _roots(),
        "blinding": _blinding(),
        "split": _split(),
        "histories": _histories(),
        "subjects_root": _subjects_root(),
        "paths": _paths(),
        "paths_refused": _paths_refused(),
    }


def _digest(what: str) -> bytes:
    return hashlib.sha256(f"vector {what}".encode()).digest()


def _written(node: Node) -> dict[str, Any]:
    return {"hash": node.hash.hex(), "sums": [str(units) for units in node.sums]}


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {
        "customer": leaf.customer,
        "part": leaf.part,
        "nonce": leaf.nonce.hex(),
        "sums": [str(units) for units in leaf.sums],
        "hash": leaf.hash.hex(),
    }


def _leaves() -> list[dict[str, Any]]:
    given = [
        ("ada", 0, (1, 2)),
        ("ada", 15, (0, 0)),
        ("acct/with:every-character_of.names", 0, (SUM_LIMIT - 1, 255)),
        ("berta", 1, ()),
        ("", 0, (0, 0)),
        ("", 65_536, (0, 0)),
    ]
    return [
        _leaf(Leaf(customer, part, _digest(f"nonce {place}"), pack(sums)))
        for place, (customer, part, sums) in enumerate(given)
    ]


def _nodes() -> list[dict[str, Any]]:
    left, right = Node(_digest("left"), (1, 2**64)), Node(_digest("right"), (SUM_LIMIT - 2, 2**64))
    pairs = [(left, right), (right, left), (Node(left.hash, ()), Node(right.hash, ()))]
    return [
        {"left": _written(one), "right": _written(other), "parent": _written(parent(one, other))}
        for one, other in pairs
    ]


def _roots() -> list[dict[str, Any]]:
    found = []
    for world in (committed(), committed({}), committed(position_without_mark=True, parts=2)):
        header, root = world.made.header, world.made.tree.root
        found.append(
            {
                "header": header.value(),
                "header_canonical": encode(header.value()).decode(),
                "root": _written(root),
                "liabilities_root": header.liabilities_root(root).hex(),
            }
        )
    return found


def _blinding() -> list[dict[str, Any]]:
    blinding = Blinding(SEED, origin=ORIGIN, as_of_sequence=SEQUENCE)
    return [
        {
            "seed": SEED.hex(),
            "origin": ORIGIN,
            "as_of_sequence": SEQUENCE,
            "customer": customer,
            "part": part,
            "place": place,
            "nonce": blinding.nonce(customer, part).hex(),
            "draw": f"{blinding.fraction(customer, part, place):064x}",
        }
        for customer, part, place in (("ada", 0, 0), ("ada", 0, 1), ("ada", 1, 0), ("", 3, 0))
    ]


def _split() -> dict[str, Any]:
    blinding = Blinding(SEED, origin=ORIGIN, as_of_sequence=SEQUENCE)
    claims = {"ada": (1_510_250_000, 12_500_000), "berta": (0, 1)}
    leaves = leaves_of([(name, pack(sums)) for name, sums in claims.items()], blinding, assets=2, parts=3)
    return {
        "seed": SEED.hex(),
        "origin": ORIGIN,
        "as_of_sequence": SEQUENCE,
        "parts": 3,
        "claims": {name: [str(units) for units in sums] for name, sums in claims.items()},
        "leaves": [_leaf(leaf) for leaf in leaves],
    }


def _histories() -> list[dict[str, Any]]:
    hashes = [_digest(f"event {number}") for number in range(3)]
    found: list[History] = []
    history = NO_HISTORY
    for event_hash in hashes:
        history = history.then(event_hash)
        found.append(history)
    return [
        {"event_hash": event_hash.hex(), "events": each.events, "history": each.hash.hex()}
        for event_hash, each in zip(hashes, found, strict=True)
    ]


def _subjects_root() -> dict[str, Any]:
    """Return all entries through the state, and what they make of every subject."""
    world = committed()
    by_subject = world.histories.by_subject
    leaves = [
        encode({"events": each.events, "history": each.hash.hex(), "subject": subject})
        for subject, each in sorted(by_subject.items())
    ]
    assert root_hash(leaf_hash(leaf) for leaf in leaves) == world.made.roots.subjects
    return {
        "entries": [entry.decode() for entry in world.entries[: world.sequence]],
        "leaves": [leaf.decode() for leaf in leaves],
        "subjects_root": world.made.roots.subjects.hex(),
    }


def _paths() -> list[dict[str, Any]]:
    rows: list[tuple[str, list[tuple[int, ...]]]] = [
        ("no sibling", []),
        ("no asset", [()]),
        ("zero", [(0,)]),
        ("one byte, and the half byte of no sum", [(1,), (255,)]),
        ("two assets", [(0, 256), (2**16, 1)]),
        ("three assets", [(1, 0, 3)]),
        ("14 bytes at most", [(2**112 - 1, 2**104)]),
        ("15 bytes are written in 16", [(2**112, 2**120 - 1)]),
        ("16 bytes", [(2**120, SUM_LIMIT - 1)]),
        ("out of range, which the path can say and no check accepts", [(SUM_LIMIT, 2**128 - 1)]),
    ]
    found = []
    for what, row in rows:
        siblings = [Node(_digest(f"sibling {place}"), sums) for place, sums in enumerate(row)]
        assets = len(row[0]) if row else 2
        path = text(encode_path(siblings))
        found.append(
            {
                "what": what,
                "depth": len(row),
                "assets": assets,
                "path": path,
                "siblings": [_written(node) for node in siblings],
            }
        )
    return found


def _paths_refused() -> list[dict[str, Any]]:
    digest = _digest("sibling 0")
    given = [
        ("a byte too few", 1, digest + b"\x11\x01"),
        ("a byte too many", 1, digest + b"\x11\x01\x02\x03"),
        ("a zero in front", 1, digest + b"\x21\x00\x01\x02"),
        ("a sum of zero in a byte", 1, digest + b"\x10\x00"),
        ("16 bytes for a sum of 14", 1, digest + b"\xf0" + bytes(2) + b"\xff" * 14),
        ("a hash cut off", 1, digest[:31]),
        ("no lengths", 1, digest),
        ("a sibling too many", 1, (digest + b"\x00") * 2),
        ("a sibling too few", 2, digest + b"\x00"),
    ]
    return [
        {"what": what, "depth": depth, "assets": 2, "path": text(content)} for what, depth, content in given
    ]
