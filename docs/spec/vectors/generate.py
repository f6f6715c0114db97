"""Writes docs/spec/vectors/event-format.json: entries that hold, and bytes that a reader must refuse.

The values are fixed, so the file is the same on every run; a test compares it and checks every
vector with a second, independent reader.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledger.canonical import JsonObject, leaf_hash
from ledger.chain import ZERO_HASH, Sealer
from ledger.events.envelope import Draft, prepare
from ledger.merkle import MerkleFrontier

PATH = Path(__file__).parent / "event-format.json"
LEDGER = "vectors.example/perpetuals"

DRAFTS: tuple[JsonObject, ...] = (
    {
        "type": "LedgerOpened",
        "occurred_at": "2026-01-01T00:00:00Z",
        "data": {
            "ledger": LEDGER,
            "format": "margin-ledger/1",
            "description": "Vectors – beyond ASCII: ü € 漢 😀",
            "valuation_currency": "USD",
        },
    },
    {
        "type": "DepositRecorded",
        "occurred_at": "2026-01-01T00:00:01.5Z",
        "received_at": "2026-01-01T00:00:01.500001Z",
        "actor": 'quote " and backslash \\',
        "source": {"system": "bank", "file": "deposits.csv", "row": "2", "inferred": False},
        "data": {"account": "A17", "asset": "USD", "amount": "1000.50", "reference": None},
    },
    {
        "type": "FillRecorded",
        "occurred_at": "2026-01-01T01:02:03.000004+01:00",
        "data": {
            "account": "A17",
            "instrument": "BTC-PERP",
            "side": "buy",
            "quantity": "0.000000000000000001",
            "price": "12345678901234567890.123456789012345678",
            "fee": "-0.0",
            "purpose": "trade",
        },
    },
    {
        "type": "LossSocialised",
        "occurred_at": "2026-01-02T00:00:00Z",
        "data": {
            "asset": "USD",
            "amount": "3",
            "allocations": [{"account": "A17", "amount": "1"}, {"account": "B/2", "amount": "2"}],
            "part": "1",
            "parts": "1",
        },
    },
)


def entries() -> list[bytes]:
    """Return the canonical bytes of a small ledger, with made-up nonces and one fixed time."""
    sealer = Sealer(LEDGER, "writer", datetime(2026, 1, 3, tzinfo=UTC), 0, ZERO_HASH)
    sealed = []
    for number, value in enumerate(DRAFTS):
        prepared = prepare(Draft.from_json(value), uuid.UUID(int=number + 1, version=4))
        canonical, _ = sealer.seal(prepared.event_bytes, bytes([number]) * 16)
        sealed.append(canonical)
    return sealed


def refused(second: bytes) -> list[tuple[str, bytes]]:
    """Return what a reader must refuse at sequence 1, with the reason; ``second`` is the entry that holds."""

    def changed(old: bytes, new: bytes) -> bytes:
        assert second.count(old) == 1, old
        return second.replace(old, new)

    prev = second.partition(b'"prev":"')[2][:64]
    return [
        ("white space between tokens", changed(b'"amount":', b'"amount": ')),
        ("a line end inside the entry", second + b"\n"),
        (
            "members out of order",
            changed(b'"account":"A17","amount":"1000.5"', b'"amount":"1000.5","account":"A17"'),
        ),
        ("a key twice", changed(b'"account":"A17"', b'"account":"A17","account":"A17"')),
        ("a character escaped needlessly", changed(b'"A17"', b'"\\u00417"')),
        ("a lone surrogate", changed(b"quote ", b"\\ud800")),
        ("a control character", changed(b"quote ", b"quote\\u0007")),
        ("null", changed(b'"asset":"USD"', b'"asset":"USD","reference":null')),
        ("a float", changed(b'"amount":"1000.5"', b'"amount":1000.5')),
        ("a number that is no string", changed(b'"amount":"1000.5"', b'"amount":1000')),
        ("a superfluous zero", changed(b'"amount":"1000.5"', b'"amount":"1000.50"')),
        ("an exponent", changed(b'"amount":"1000.5"', b'"amount":"1E3"')),
        ("a plus sign", changed(b'"amount":"1000.5"', b'"amount":"+1000.5"')),
        ("more than 18 digits after the point", changed(b'"1000.5"', b'"0.1234567890123456789"')),
        ("a time of three fraction digits", changed(b"00:00:01.500000Z", b"00:00:01.500Z")),
        ("a time with an offset", changed(b"00:00:01.500000Z", b"00:00:01.500000+00:00")),
        ("an identifier with a space", changed(b'"A17"', b'"A 17"')),
        ("a UUID in capitals", changed(b"0000-4000-8000-000000000002", b"0000-4000-8000-00000000000A")),
        ("an unknown payload field", changed(b'"asset":"USD"', b'"asset":"USD","colour":"red"')),
        ("a payload field missing", changed(b',"asset":"USD"', b"")),
        ("a third top-level member", changed(b',"link":{', b',"extra":{},"link":{')),
        ("a further member of link", changed(b'"writer":"writer"', b'"writer":"writer","zone":"UTC"')),
        (
            "a nonce in capitals",
            changed(b"01010101010101010101010101010101", b"0101010101010101010101010101010A"),
        ),
        (
            "another ledger's name in link",
            changed(b'"ledger":"vectors.example/perpetuals"', b'"ledger":"other"'),
        ),
        ("the wrong sequence", changed(b'"sequence":1,', b'"sequence":2,')),
        ("the wrong prev", second.replace(prev, b"0" * 64)),
        ("bytes cut off", second[:-1]),
        ("a byte order mark", b"\xef\xbb\xbf" + second),
        ("bytes that are not UTF-8", changed(b"quote ", b"quote\xff")),
    ]


def document() -> dict[str, Any]:
    """Return the whole file's content."""
    sealed = entries()
    frontier = MerkleFrontier()
    hold = []
    for sequence, canonical in enumerate(sealed):
        frontier.append(leaf_hash(canonical))
        hold.append(
            {
                "sequence": sequence,
                "canonical": canonical.decode(),
                "hash": leaf_hash(canonical).hex(),
                "root_hash_of_tree_so_far": frontier.root().hex(),
            }
        )
    return {
        "format": "margin-ledger/1",
        "hold": hold,
        "refused_at_sequence_1": [{"why": why, "bytes": data.hex()} for why, data in refused(sealed[1])],
    }


def text() -> str:
    """Return the file as it is written."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PATH.read_text(encoding="utf-8") == text() else f"{PATH.name} is out of date")
    PATH.write_text(text(), encoding="utf-8")
