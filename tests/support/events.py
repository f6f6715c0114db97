"""Recorded events for tests of replay: real payloads in envelopes that no ledger has hashed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ledger.events.envelope import Event, Source
from ledger.events.registry import PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.events.base import Payload

START = datetime(2026, 1, 1, tzinfo=UTC)
_NO_HASH = bytes(32)


def recorded(
    sequence: int, data: Payload, *, occurred_at: datetime | None = None, system: str | None = None
) -> Event:
    """Return a payload as the event at ``sequence``, by default one second after the one before."""
    at = START + timedelta(seconds=sequence) if occurred_at is None else occurred_at
    return Event(
        sequence=sequence,
        hash=_NO_HASH,
        canonical=b"",
        id=event_id(sequence),
        type=type(data).__name__,
        schema=1,
        occurred_at=at,
        received_at=None,
        processed_at=None,
        appended_at=at,
        actor=None,
        causation=None,
        correlation=None,
        source=None if system is None else Source(system=system),
        data=data,
        ledger="test.example/replay",
        nonce="0" * 32,
        prev=_NO_HASH,
        writer="test",
    )


def event_id(sequence: int) -> UUID:
    """Return the id of the event that :func:`recorded` makes for a sequence."""
    return UUID(int=sequence)


class History:
    """Events in the order in which they are added, each a second after the one before."""

    def __init__(self, *, valuation_currency: str = "USDT") -> None:
        self.events: list[Event] = []
        self.add(
            "LedgerOpened",
            ledger="test.example/replay",
            format="margin-ledger/1",
            description="a test",
            valuation_currency=valuation_currency,
        )

    def add(
        self, event_type: str, *, occurred_at: datetime | None = None, system: str | None = None, **data: Any
    ) -> Event:
        """Record one event; amounts may be given as text."""
        payload = PAYLOADS[event_type].model_validate(data)
        event = recorded(len(self.events), payload, occurred_at=occurred_at, system=system)
        self.events.append(event)
        return event

    def list_instrument(self, instrument: str = "BTC-PERP", **changes: str) -> None:
        """List a linear perpetual of contract size 1 that settles in USDT."""
        terms: dict[str, Any] = {
            "kind": "perpetual",
            "contract": "linear",
            "base": instrument.partition("-")[0],
            "quote": "USDT",
            "settlement_asset": "USDT",
            "contract_size": "1",
        }
        self.add("InstrumentListed", instrument=instrument, **{**terms, **changes})

    def schedule(
        self, instrument: str = "BTC-PERP", *tiers: tuple[str, str | None, str, str, str], **more: Any
    ) -> None:
        """Set a schedule of (floor, cap, rate, amount, max leverage) tiers; one of 0.5 % if none."""
        rows = tiers or (("0", None, "0.005", "0", "100"),)
        names = (
            "notional_floor",
            "notional_cap",
            "maintenance_margin_rate",
            "maintenance_amount",
            "max_leverage",
        )
        values = [
            {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows
        ]
        more.setdefault("effective_at", START)
        self.add("MarginScheduleSet", instrument=instrument, tiers=values, **more)

    def deposit(self, account: str, amount: str, asset: str = "USDT") -> None:
        """Record a deposit."""
        self.add("DepositRecorded", account=account, asset=asset, amount=amount)

    def fill(
        self, account: str, side: str, quantity: str, price: str, instrument: str = "BTC-PERP", **more: Any
    ) -> Event:
        """Record a fill of one account."""
        more.setdefault("purpose", "trade")
        return self.add(
            "FillRecorded",
            account=account,
            instrument=instrument,
            side=side,
            quantity=quantity,
            price=price,
            **more,
        )

    def mark(self, price: str, instrument: str = "BTC-PERP") -> None:
        """Record a mark price."""
        self.add("MarkPriceUpdated", instrument=instrument, price=price)

    def policy(self, **terms: Any) -> None:
        """Set a risk policy that liquidates at 1."""
        self.add("RiskPolicySet", **{"effective_at": START, "liquidation_boundary": "at", **terms})


def by_id(events: Iterable[Event]) -> dict[UUID, Event]:
    """Return events by their ids, for corrections: ``resolve=by_id(events).get``."""
    return {event.id: event for event in events}
