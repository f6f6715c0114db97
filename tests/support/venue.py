"""A small venue for tests: one or two perpetuals of size 1 in USDT, and what its drafts come to."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from ledger.amounts import ZERO, exact
from ledger.canonical import decode
from ledger.events.envelope import Draft, Event, prepare
from ledger.events.registry import PAYLOADS
from replay.venue import (
    CancelOrder,
    Command,
    Outcome,
    PlaceOrder,
    Record,
    SettleFunding,
    VenueConfiguration,
    VenueEngine,
    Withdraw,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.events.base import Payload
    from replay.state import Account
    from replay.venue.commands import Side

    Of = TypeVar("Of", bound=Payload)

START = datetime(2026, 1, 1, tzinfo=UTC)
_NO_HASH = bytes(32)


class TestVenue:
    """A venue engine whose commands come a second apart; amounts may be given as text.

    It starts with the accounts ``fund`` and ``house``, BTC-PERP marked at 1,000 with a maintenance
    rate of 5 % and leverage up to 10, and no fees, so that numbers can be checked in the head.
    """

    __test__ = False

    def __init__(self, *, fund: str = "0", valuation_currency: str = "USDT", **policy: Any) -> None:
        self.engine = VenueEngine(
            VenueConfiguration(
                origin="test.example/venue",
                stream="test",
                valuation_currency=valuation_currency,
                settlement_asset="USDT",
                insurance_fund="fund",
                house="house",
                processing_delay=timedelta(milliseconds=100),
            )
        )
        self.drafts: list[Draft] = []
        self._numbers = count(1)
        self._at = START
        self.record("AssetListed", asset="USDT", scale="6")
        self.record("RiskPolicySet", **{"effective_at": START, "liquidation_boundary": "at", **policy})
        self.open("fund", fund, kind="insurance_fund")
        self.open("house", "0", kind="house")
        self.list("BTC")
        self.mark("1000")

    def submit(self, command: type[Command], **fields: Any) -> Outcome:
        """Submit a command a second after the one before, or ``after`` that many seconds."""
        self._at += timedelta(seconds=fields.pop("after", 1))
        outcome = self.engine.submit(command(at=self._at, **fields))
        self.drafts.extend(outcome.drafts)
        return outcome

    def record(self, event_type: str, after: int = 1, **data: Any) -> Outcome:
        """Record a fact."""
        return self.submit(Record, after=after, data=PAYLOADS[event_type].model_validate(data))

    def open(self, account: str, deposit: str = "0", *, kind: str = "customer", mode: str = "cross") -> None:
        """Open an account with a deposit."""
        self.record("AccountOpened", account=account, margin_mode=mode, position_mode="one_way", kind=kind)
        if deposit != "0":
            self.deposit(account, deposit)

    def deposit(self, account: str, amount: str) -> Outcome:
        """Record a deposit."""
        return self.record("DepositRecorded", account=account, asset="USDT", amount=amount)

    def withdraw(self, account: str, amount: str) -> Outcome:
        """Ask for a withdrawal."""
        return self.submit(Withdraw, account=account, asset="USDT", amount=Decimal(amount))

    def list(self, base: str, *, rate: str = "0.05", leverage: str = "10", tick: str = "0.5") -> None:
        """List a perpetual with one margin tier."""
        self.record(
            "InstrumentListed",
            instrument=f"{base}-PERP",
            kind="perpetual",
            contract="linear",
            base=base,
            quote="USDT",
            settlement_asset="USDT",
            contract_size="1",
            tick_size=tick,
            index=base,
        )
        tier = {
            "notional_floor": "0",
            "maintenance_margin_rate": rate,
            "maintenance_amount": "0",
            "max_leverage": leverage,
        }
        self.record("MarginScheduleSet", instrument=f"{base}-PERP", effective_at=START, tiers=[tier])

    def fees(self, *, maker: str = "0", taker: str = "0", liquidation: str = "0") -> None:
        """Set fee rates for all instruments."""
        self.record(
            "FeeScheduleSet",
            effective_at=START,
            maker_rate=maker,
            taker_rate=taker,
            liquidation_rate=liquidation,
        )

    def mark(self, price: str, base: str = "BTC", *, after: int = 1) -> Outcome:
        """Record a mark price."""
        return self.record("MarkPriceUpdated", instrument=f"{base}-PERP", price=price, after=after)

    def order(
        self,
        account: str,
        side: Side,
        quantity: str,
        price: str | None = None,
        base: str = "BTC",
        *,
        order_id: str | None = None,
        **more: bool,
    ) -> Outcome:
        """Place an order."""
        return self.submit(
            PlaceOrder,
            order_id=order_id or f"O{next(self._numbers)}",
            account=account,
            instrument=f"{base}-PERP",
            side=side,
            quantity=Decimal(quantity),
            price=None if price is None else Decimal(price),
            **more,
        )

    def cancel(self, order_id: str) -> Outcome:
        """Cancel an order."""
        return self.submit(CancelOrder, order_id=order_id)

    def fund_interval(self, premium: str | None = None, base: str = "BTC") -> Outcome:
        """Settle funding."""
        given = None if premium is None else Decimal(premium)
        return self.submit(SettleFunding, instrument=f"{base}-PERP", premium=given)

    def trade(self, buyer: str, seller: str, quantity: str, price: str, base: str = "BTC") -> None:
        """Have a seller's resting order taken by a buyer."""
        made = self.order(seller, "sell", quantity, price, base)
        taken = self.order(buyer, "buy", quantity, price, base)
        assert made.refusal is None
        assert taken.refusal is None

    def account(self, account: str) -> Account:
        """Return an account's books."""
        return self.engine.state.accounts[account]

    def wallet(self, account: str) -> Decimal:
        """Return an account's cross wallet."""
        return self.account(account).balances.get("USDT", ZERO)

    def held(self, account: str, base: str = "BTC") -> Decimal:
        """Return an account's position in contracts."""
        position = self.account(account).positions.get((f"{base}-PERP", "both"))
        return ZERO if position is None else position.quantity


def figures(*values: object) -> tuple[object, ...]:
    """Return values side by side, to be compared with whole numbers, which equal decimals."""
    return values


def payloads(drafts: Iterable[Draft], kind: type[Of]) -> list[Of]:
    """Return the payloads of one type, in order."""
    return [draft.data for draft in drafts if isinstance(draft.data, kind)]


def types(outcome: Outcome) -> list[str]:
    """Return the event types of an outcome, in order."""
    return [draft.type for draft in outcome.drafts]


def recorded_events(drafts: Iterable[Draft], *, valuation_currency: str = "USDT") -> list[Event]:
    """Return drafts as a ledger would give them back, through their bytes; LedgerOpened comes first."""
    opening = Draft.from_json(
        {
            "type": "LedgerOpened",
            "occurred_at": "2026-11-01T00:00:00.000000Z",
            "id": "00000000-0000-4000-8000-000000000000",
            "data": {
                "ledger": "test.example/venue",
                "format": "margin-ledger/1",
                "description": "a test",
                "valuation_currency": valuation_currency,
            },
        }
    )
    return [_recorded(sequence, draft) for sequence, draft in enumerate([opening, *drafts])]


def _recorded(sequence: int, draft: Draft) -> Event:
    assert draft.id is not None
    prepared = prepare(draft, draft.id)
    read = Draft.from_json(decode(prepared.event_bytes))
    assert read == draft
    return Event(
        sequence=sequence,
        hash=_NO_HASH,
        canonical=prepared.event_bytes,
        id=prepared.id,
        type=prepared.type,
        schema=1,
        occurred_at=read.occurred_at,
        received_at=read.received_at,
        processed_at=read.processed_at,
        appended_at=read.occurred_at,
        actor=None,
        causation=read.causation,
        correlation=read.correlation,
        source=read.source,
        data=read.data,
        ledger="test.example/venue",
        nonce="0" * 32,
        prev=_NO_HASH,
        writer="test",
    )


@exact()
def open_quantities(drafts: Iterable[Draft]) -> dict[tuple[str, str], Decimal]:
    """Return positions by (account, instrument), added up from fills alone."""
    held: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for fill in payloads(drafts, PAYLOADS["FillRecorded"]):
        data: Any = fill
        held[data.account, data.instrument] += data.quantity if data.side == "buy" else -data.quantity
    return dict(held)


@exact()
def equity_at_marks(drafts: Iterable[Draft]) -> dict[str, Decimal]:
    """Return equities by account, from cash movements, fills and last marks alone, without the projection.

    Bought is cash out, sold is cash in, and what is held counts at its mark.
    """
    equity: dict[str, Decimal] = defaultdict(lambda: ZERO)
    marks: dict[str, Decimal] = {}
    bankrupt: dict[str, str] = {}
    drafts = list(drafts)
    for draft in drafts:
        data: Any = draft.data
        match draft.type:
            case "DepositRecorded":
                equity[data.account] += data.amount
            case "WithdrawalRecorded" | "FeeCharged" | "FundingPaid":
                equity[data.account] -= data.amount
            case "FillRecorded":
                value = data.quantity * data.price
                equity[data.account] += (value if data.side == "sell" else -value) - (data.fee or ZERO)
            case "InsuranceFundContributed" | "InsuranceFundDrawn":
                into_fund = data.amount if draft.type == "InsuranceFundContributed" else -data.amount
                equity[data.fund] += into_fund
                equity[data.account] -= into_fund
            case "LiquidationStarted":
                bankrupt[data.liquidation] = data.account
            case "LossSocialised":
                for allocation in data.allocations:
                    equity[allocation.account] -= allocation.amount
                    equity[bankrupt[data.liquidation]] += allocation.amount
            case "MarkPriceUpdated":
                marks[data.instrument] = data.price
            case _:
                pass
    for (account, instrument), quantity in open_quantities(drafts).items():
        equity[account] += quantity * marks[instrument]
    return dict(equity)
