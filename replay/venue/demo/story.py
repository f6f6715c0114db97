"""What happened on a venue day, read off its drafts alone, for whoever narrates it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact
from ledger.events.accounts import AccountOpened
from ledger.events.cash import (
    DepositRecorded,
    FeeCharged,
    InsuranceFundContributed,
    InsuranceFundDrawn,
    WithdrawalRecorded,
)
from ledger.events.liquidations import (
    LiquidationExecuted,
    LiquidationStarted,
    MarginCallCured,
    MarginCallIssued,
    PositionAutoDeleveraged,
)
from ledger.events.prices import MarkPriceUpdated
from ledger.events.trading import FillRecorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.envelope import Draft


@dataclass(frozen=True, slots=True)
class PriceLow:
    """The crash in one instrument.

    Attributes:
        before: the mark an hour before the low.
        low: the lowest mark.
    """

    instrument: str
    before: Decimal
    low: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class ToldLiquidation:
    """A liquidation as the venue reported it; notional and account value in the valuation currency."""

    liquidation: str
    account: str
    at: datetime
    scope: str
    instruments: tuple[str, ...]
    notional: Decimal
    account_value: Decimal


@dataclass(frozen=True, slots=True)
class Deleveraging:
    """Whose profitable position was closed to end a bankrupt one."""

    bankrupt_account: str
    counterparty_account: str
    instrument: str
    quantity: Decimal
    price: Decimal
    rank: int
    at: datetime


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """A margin call that was cured."""

    account: str
    called_at: datetime
    cured_at: datetime
    required: Decimal


@dataclass(frozen=True, slots=True)
class DemoStory:
    """The facts of a day.

    Attributes:
        events: how many drafts there are.
        counts: how many of each type.
        accounts: how many were opened.
        trades: how many were made (two fills each).
        lows: by instrument.
        margin_calls: how many were issued.
        cured: those that were answered.
        liquidations: in order; the first is whom the story begins with.
        deleveraged: in order.
        fund_before: cash that the insurance fund had before the first liquidation, in the settlement asset.
        fund_drawn: what it paid for shortfalls.
        fund_contributed: what liquidations left for it.
        fund_after: the cash it has at the end, what it won or lost on positions it took over included.
    """

    events: int
    counts: Mapping[str, int]
    accounts: int
    trades: int
    lows: tuple[PriceLow, ...]
    margin_calls: int
    cured: tuple[AnsweredCall, ...]
    liquidations: tuple[ToldLiquidation, ...]
    deleveraged: tuple[Deleveraging, ...]
    fund_before: Decimal
    fund_drawn: Decimal
    fund_contributed: Decimal
    fund_after: Decimal


@exact()
def tell(drafts: Iterable[Draft]) -> DemoStory:
    """Return what happened, from the drafts of a day whose insurance fund ends with no position.

    Linear contracts of size 1 and one settlement asset, as on the demo day.
    """
    teller = _Teller()
    for draft in drafts:
        teller.hear(draft)
    return teller.story()


@dataclass(slots=True)
class _Fund:
    """The insurance fund's cash; a position that is opened and closed again leaves its profit or loss."""

    account: str | None = None
    cash: Decimal = ZERO
    drawn: Decimal = ZERO
    contributed: Decimal = ZERO
    before: Decimal | None = None

    def hear(self, draft: Draft) -> None:
        match draft.data:
            case AccountOpened(kind="insurance_fund", account=account):
                self.account = account
            case LiquidationStarted() if self.before is None:
                self.before = self.cash
            case InsuranceFundContributed(fund=fund, amount=amount) if fund == self.account:
                self.contributed += amount
                self.cash += amount
            case InsuranceFundDrawn(fund=fund, amount=amount) if fund == self.account:
                self.drawn += amount
                self.cash -= amount
            case DepositRecorded(account=account, amount=amount) if account == self.account:
                self.cash += amount
            case WithdrawalRecorded(account=account, amount=amount) if account == self.account:
                self.cash -= amount
            case FeeCharged(account=account, amount=amount) if account == self.account:
                self.cash -= amount
            case FillRecorded() as fill if fill.account == self.account:
                value = fill.quantity * fill.price
                self.cash += (value if fill.side == "sell" else -value) - (fill.fee or ZERO)
            case _:
                pass


@dataclass(slots=True)
class _Teller:
    """Listens to drafts, one after the other."""

    counts: Counter[str] = field(default_factory=Counter)
    fund: _Fund = field(default_factory=_Fund)
    trades: set[str] = field(default_factory=set)
    marks: dict[str, list[tuple[datetime, Decimal]]] = field(default_factory=dict)
    calls: dict[tuple[str, str | None], tuple[datetime, Decimal]] = field(default_factory=dict)
    cured: list[AnsweredCall] = field(default_factory=list)
    liquidations: list[ToldLiquidation] = field(default_factory=list)
    deleveraged: list[Deleveraging] = field(default_factory=list)

    def hear(self, draft: Draft) -> None:
        self.counts[draft.type] += 1
        self.fund.hear(draft)
        match draft.data:
            case FillRecorded(trade_id=str(trade_id)):
                self.trades.add(trade_id)
            case MarkPriceUpdated(instrument=instrument, price=price):
                self.marks.setdefault(instrument, []).append((draft.occurred_at, price))
            case MarginCallIssued() as call:
                self.calls[call.account, call.instrument] = (draft.occurred_at, call.required)
            case MarginCallCured() as call:
                called = self.calls.get((call.account, call.instrument))
                if called is not None:
                    self.cured.append(AnsweredCall(call.account, called[0], draft.occurred_at, called[1]))
            case LiquidationExecuted() as executed:
                self.liquidations.append(_told(executed, draft.occurred_at))
            case PositionAutoDeleveraged() as closed:
                self.deleveraged.append(
                    Deleveraging(
                        closed.bankrupt_account,
                        closed.counterparty_account,
                        closed.instrument,
                        closed.quantity,
                        closed.price,
                        int(closed.rank),
                        draft.occurred_at,
                    )
                )
            case _:
                pass

    def story(self) -> DemoStory:
        fund = self.fund
        return DemoStory(
            events=sum(self.counts.values()),
            counts=dict(sorted(self.counts.items())),
            accounts=self.counts["AccountOpened"],
            trades=len(self.trades),
            lows=tuple(_low(instrument, self.marks[instrument]) for instrument in sorted(self.marks)),
            margin_calls=self.counts["MarginCallIssued"],
            cured=tuple(self.cured),
            liquidations=tuple(self.liquidations),
            deleveraged=tuple(self.deleveraged),
            fund_before=fund.cash if fund.before is None else fund.before,
            fund_drawn=fund.drawn,
            fund_contributed=fund.contributed,
            fund_after=fund.cash,
        )


def _told(executed: LiquidationExecuted, at: datetime) -> ToldLiquidation:
    return ToldLiquidation(
        executed.liquidation,
        executed.account,
        at,
        executed.scope,
        tuple(takeover.instrument for takeover in executed.takeovers),
        executed.notional,
        executed.account_value,
    )


def _low(instrument: str, marks: list[tuple[datetime, Decimal]]) -> PriceLow:
    at, low = min(marks, key=lambda mark: mark[1])
    earlier = [price for time, price in marks if (at - time).total_seconds() >= 3_600]
    return PriceLow(instrument, earlier[-1] if earlier else marks[0][1], low, at)
