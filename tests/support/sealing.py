"""Prepared events as a ledger would record them, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from ledger.chain import FORMAT, ZERO_HASH, Sealer, decode_event
from ledger.events.envelope import Draft, prepare
from ledger.events.governance import LedgerOpened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledger.events.envelope import Event, PreparedEvent

_ORIGIN = "test.example/sealed"
_APPENDED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def opened(valuation_currency: str = "USD") -> PreparedEvent:
    """The first event of a ledger that values in ``valuation_currency``."""
    data = LedgerOpened(
        ledger=_ORIGIN, format=FORMAT, description="a test", valuation_currency=valuation_currency
    )
    return prepare(Draft(data=data, occurred_at=datetime(1970, 1, 1, tzinfo=UTC)), UUID(int=0))


def sealed(prepared: Iterable[PreparedEvent]) -> Iterator[Event]:
    """The events, chained and decoded, in the order given."""
    sealer = Sealer(_ORIGIN, "test", _APPENDED_AT, 0, ZERO_HASH)
    for each in prepared:
        yield decode_event(*sealer.seal(each.event_bytes, bytes(16)))


def chained(events: Iterable[Event]) -> list[Event]:
    """The same events as a ledger would record them, with canonical bytes and their hashes."""
    return [*sealed(_prepared(each) for each in events)]


def _prepared(event: Event) -> PreparedEvent:
    draft = Draft(data=event.data, id=event.id, occurred_at=event.occurred_at, source=event.source)
    return prepare(draft, event.id)
