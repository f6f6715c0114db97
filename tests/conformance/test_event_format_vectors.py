"""The published vectors of the event format, read by our reader and by a second one written from the text."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ledger.chain import ChainVerifier

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "spec" / "vectors"
VECTORS = json.loads((FOLDER / "event-format.json").read_text(encoding="utf-8"))
HOLD = [entry["canonical"].encode() for entry in VECTORS["hold"]]

# What a reader without the catalogue cannot see (docs/reference/events.md tells it).
NEEDS_THE_CATALOGUE = {"an unknown payload field", "a payload field missing"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
NUMBER = re.compile(r"0|-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


def test_the_vectors_are_those_of_the_program_that_writes_them() -> None:
    spec = importlib.util.spec_from_file_location("generate_vectors", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (FOLDER / "event-format.json").read_text(encoding="utf-8") == generate.text()


def test_entries_that_hold_are_accepted_with_their_hash_and_root() -> None:
    verifier = ChainVerifier()
    for entry, canonical in zip(VECTORS["hold"], HOLD, strict=True):
        failures, _, _ = verifier.take(entry["sequence"], canonical)
        assert failures == []
        assert verifier.head.hex() == entry["hash"]
        assert verifier.tree.root().hex() == entry["root_hash_of_tree_so_far"]
    assert verifier.finish() == []


@pytest.mark.parametrize("vector", VECTORS["refused_at_sequence_1"], ids=lambda vector: vector["why"])
def test_bytes_that_must_be_refused_are(vector: dict[str, str]) -> None:
    verifier = ChainVerifier()
    assert verifier.take(0, HOLD[0])[0] == []
    failures, _, _ = verifier.take(1, bytes.fromhex(vector["bytes"]))
    assert failures + verifier.finish()


@pytest.mark.parametrize("vector", VECTORS["refused_at_sequence_1"], ids=lambda vector: vector["why"])
def test_a_reader_written_from_the_text_alone_agrees(vector: dict[str, str]) -> None:
    if vector["why"] in NEEDS_THE_CATALOGUE:
        return
    with pytest.raises(ValueError, match=r"\w"):
        read([HOLD[0], bytes.fromhex(vector["bytes"])])


def test_a_reader_written_from_the_text_alone_accepts_what_holds() -> None:
    hashes = read(HOLD)
    assert [value.hex() for value in hashes] == [entry["hash"] for entry in VECTORS["hold"]]
    roots = [tree_root(hashes[: size + 1]).hex() for size in range(len(hashes))]
    assert roots == [entry["root_hash_of_tree_so_far"] for entry in VECTORS["hold"]]


def read(lines: list[bytes]) -> list[bytes]:
    """docs/spec/event-format.md §7, without the catalogue."""
    hashes: list[bytes] = []
    prev, ledger = "0" * 64, None
    for place, line in enumerate(lines):
        entry = json.loads(line.decode("utf-8"), object_pairs_hook=distinct, parse_float=refuse)
        if json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() != line:
            raise ValueError("not canonical")
        expect(set(entry), {"event", "link"})
        link, event = entry["link"], entry["event"]
        expect(set(link), {"appended_at", "ledger", "nonce", "prev", "sequence", "writer"})
        ledger = ledger or link["ledger"]
        expect((link["sequence"], link["prev"], link["ledger"]), (place, prev, ledger))
        form(r"[0-9a-f]{32}", link["nonce"])
        form(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event["id"])
        for name in ("occurred_at", "received_at", "processed_at"):
            form(TIME, event.get(name, link["appended_at"]))
        values(event["data"])
        values({key: value for key, value in event.items() if key not in {"data", "schema"}})
        hashes.append(hashlib.sha256(b"\x00" + line).digest())
        prev = hashes[-1].hex()
    return hashes


def values(value: Any, key: str = "") -> None:
    if isinstance(value, dict):
        for inner, item in value.items():
            values(item, inner)
    elif isinstance(value, list):
        for item in value:
            values(item, key)
    elif isinstance(value, str):
        form(r"[^\x00-\x1f\x7f-\x9f]*", value)
        if key in {"amount", "quantity", "price", "fee", "part", "parts"}:
            form(NUMBER, value)
            digits = value.lstrip("-").replace(".", "").lstrip("0")
            expect((max(len(digits), 38), max(len(value.partition(".")[2]), 18)), (38, 18))
        if key in {"account", "asset", "instrument"}:
            form(r"[A-Za-z0-9._:/-]{1,128}", value)
    else:
        expect(type(value), bool)


def tree_root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree_root(hashes[:split]) + tree_root(hashes[split:])).digest()


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    expect(len({key for key, _ in pairs}), len(pairs))
    return dict(pairs)


def refuse(text: str) -> Any:
    raise ValueError(f"{text} is a float")


def form(pattern: str | re.Pattern[str], value: str) -> None:
    if re.fullmatch(pattern, value) is None:
        raise ValueError(f"{value!r} is out of form")


def expect(actual: object, wanted: object) -> None:
    if actual != wanted:
        raise ValueError(f"{actual!r} is not {wanted!r}")
