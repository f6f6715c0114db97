"""Ledgers in a real database, filled with a seeded venue, for tests of what is built on them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ledger.clock import FixedClock, format_time
from ledger.events.envelope import Draft
from ledger.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = "test.example/venue"


def open_ledger(database_url: str, *, valuation_currency: str = "USDT") -> Ledger:
    """Open a new ledger in an empty database."""
    return Ledger.initialise(
        database_url, origin=ORIGIN, valuation_currency=valuation_currency, clock=FixedClock(START)
    )


class Drafts:
    """Drafts in the order in which they are added, each a second after the one before."""

    def __init__(self, *, first: int = 1) -> None:
        self.drafts: list[Draft] = []
        self._first = first

    def add(self, event_type: str, **data: Any) -> Draft:
        """Add one draft; a field of the envelope is given with two underscores before it."""
        count = self._first + len(self.drafts)
        envelope = {name[2:]: data.pop(name) for name in list(data) if name.startswith("__")}
        value = {
            "id": str(UUID(int=count)),
            "type": event_type,
            "occurred_at": format_time(START + timedelta(seconds=count)),
            "data": data,
            **envelope,
        }
        draft = Draft.from_json(value)
        self.drafts.append(draft)
        return draft


def venue_setup() -> Drafts:
    """List, price and schedule two instruments, and set a policy."""
    drafts = Drafts()
    for base, price, rate in (("BTC", "30000", "0.005"), ("ETH", "2000", "0.01")):
        instrument = f"{base}-PERP"
        drafts.add(
            "InstrumentListed",
            instrument=instrument,
            kind="perpetual",
            contract="linear",
            base=base,
            quote="USDT",
            settlement_asset="USDT",
            contract_size="1",
        )
        tier = {
            "notional_floor": "0",
            "maintenance_margin_rate": rate,
            "maintenance_amount": "0",
            "max_leverage": "50",
        }
        drafts.add("MarginScheduleSet", instrument=instrument, effective_at=format_time(START), tiers=[tier])
        drafts.add("MarkPriceUpdated", instrument=instrument, price=price)
    drafts.add("RiskPolicySet", effective_at=format_time(START), liquidation_boundary="at")
    return drafts


def seeded_venue(seed: int = 1, *, rounds: int = 60) -> list[Draft]:
    """Return a venue's set-up and then ``rounds`` deposits, trades, marks and corrections."""
    return list(_rounds(random.Random(seed), venue_setup(), rounds))


def _rounds(chance: random.Random, drafts: Drafts, rounds: int) -> Iterator[Draft]:
    accounts = [f"A{number}" for number in range(8)]
    for account in accounts:
        drafts.add("DepositRecorded", account=account, asset="USDT", amount="50000")
    for _ in range(rounds):
        instrument, price = chance.choice([("BTC-PERP", 30_000), ("ETH-PERP", 2_000)])
        at = str(price + chance.randrange(-price // 10, price // 10))
        match chance.randrange(8):
            case 0:
                drafts.add("MarkPriceUpdated", instrument=instrument, price=at)
            case 1:
                drafts.add(
                    "FeeCharged", account=chance.choice(accounts), asset="USDT", amount="1.25", reason="seat"
                )
            case 2:
                wrong = drafts.add(
                    "DepositRecorded", account=chance.choice(accounts), asset="USDT", amount="7"
                )
                drafts.add(
                    "CorrectionRecorded",
                    corrects=str(wrong.id),
                    action="void",
                    reason="keyed twice",
                    approvers=[],
                )
            case _:
                buyer, seller = chance.sample(accounts, 2)
                drafts.add(
                    "TradeExecuted",
                    instrument=instrument,
                    quantity=str(chance.randrange(1, 40) / 8),
                    price=at,
                    buyer=buyer,
                    seller=seller,
                    buyer_fee="1",
                    seller_fee="0.5",
                    fee_asset="USDT",
                    trade_id=f"T{len(drafts.drafts)}",
                )
    yield from drafts.drafts
