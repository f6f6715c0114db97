"""Chains in memory, and what verification says of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ledger.canonical import JsonValue, decode, encode, leaf_hash
from ledger.chain import ZERO_HASH, ChainVerifier, Failure, Sealer
from ledger.events.envelope import Draft
from tests.support.examples import EXAMPLES, deposit, draft_json, prepared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ORIGIN = "venue.example/perpetuals"
START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def opening(form: str = "margin-ledger/1", ledger: str = ORIGIN) -> bytes:
    """Return the event bytes of a LedgerOpened."""
    data = {**EXAMPLES["LedgerOpened"], "format": form, "ledger": ledger}
    return prepared(Draft.from_json(draft_json("LedgerOpened", data=data))).event_bytes


def chain_of(
    length: int,
    events: Iterable[bytes] = (),
    *,
    first: bytes | None = None,
    seconds: Sequence[int] | None = None,
) -> list[bytes]:
    """Return a chain: an opening, the given event bytes, and deposits up to the length."""
    given = [first or opening(), *events]
    given += [prepared(deposit(f"A{number}")).event_bytes for number in range(len(given), length)]
    chain: list[bytes] = []
    prev = ZERO_HASH
    for sequence, event_bytes in enumerate(given):
        second = seconds[sequence] if seconds else sequence
        sealer = Sealer(ORIGIN, "writer", START + timedelta(seconds=second), sequence, prev)
        nonce = hashlib.sha256(b"nonce %d" % sequence).digest()[:16]
        canonical, prev = sealer.seal(event_bytes, nonce)
        chain.append(canonical)
    return chain


def changed(canonical: bytes, part: str, field: str, value: JsonValue) -> bytes:
    """Return an entry with one field of ``event`` or ``link`` replaced; None takes it away."""
    entry = decode(canonical)
    assert isinstance(entry, dict)
    inner = entry[part]
    assert isinstance(inner, dict)
    inner.pop(field, None)
    if value is not None:
        inner[field] = value
    return encode(entry)


def verdict(chain: Iterable[bytes], *, origin: str = ORIGIN, head: bytes | None = None) -> list[Failure]:
    """Return all failures of entries that stand one after the other."""
    return verdict_on_rows(enumerate(chain), origin=origin, head=head)


def verdict_on_rows(
    rows: Iterable[tuple[int, bytes]], *, origin: str = ORIGIN, head: bytes | None = None
) -> list[Failure]:
    """Return all failures of entries that stand at the places given."""
    verifier = ChainVerifier(origin)
    failures = [failure for row in rows for failure in verifier.take(*row)[0]]
    return failures + verifier.finish(head)


def head_of(chain: Sequence[bytes]) -> bytes:
    """Return the hash of the last entry."""
    return leaf_hash(chain[-1])
