"""A small venue in which one account is liquidated by the book; tests change one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.support.events import START, History

if TYPE_CHECKING:
    from ledger.events.envelope import Event

VENUE = "venue"


@dataclass
class LiquidatedVenue:
    """``A`` has 1,000 USDT and 1 BTC long from 50,000; the boundary is at 49,246.23, bankruptcy at 49,000.

    Attributes:
        policy: terms of the risk policy; None records none.
        schedule: whether a margin schedule of 0.5 % is recorded.
        marks: mark prices, a second apart; the last one is what the liquidation meets.
        started: whether a LiquidationStarted comes before.
        executed: changes to the LiquidationExecuted.
        fill: changes to the account's takeover fill; None records none.
        trade_id: of both sides of the takeover.
    """

    policy: dict[str, Any] | None = field(default_factory=dict)
    schedule: bool = True
    marks: tuple[str, ...] = ("50000", "49240", "49200")
    started: bool = False
    executed: dict[str, Any] | None = field(default_factory=dict)
    fill: dict[str, Any] | None = field(default_factory=dict)
    trade_id: str = "T2"
    history: History = field(default_factory=History)

    def open(self) -> History:
        history = self.history
        history.add("SourceDeclared", source=VENUE, coverage="complete", description="")
        history.list_instrument(tick_size="0.1")
        if self.schedule:
            history.schedule()
        if self.policy is not None:
            history.policy(**self.policy)
        history.deposit("A", "1000")
        history.deposit("B", "100000")
        history.add(
            "AccountOpened",
            account="FUND",
            margin_mode="cross",
            position_mode="one_way",
            kind="insurance_fund",
        )
        history.deposit("FUND", "5000")
        self.trade("A", "B", "1", "50000", "T1")
        for price in self.marks:
            history.mark(price)
        return history

    def trade(self, buyer: str, seller: str, quantity: str, price: str, trade_id: str, **more: Any) -> None:
        """Record both sides of a trade."""
        for account, side in ((buyer, "buy"), (seller, "sell")):
            fill = {
                "account": account,
                "instrument": "BTC-PERP",
                "side": side,
                "quantity": quantity,
                "price": price,
            }
            self.history.add(
                "FillRecorded", system=VENUE, **{**fill, "purpose": "trade", "trade_id": trade_id, **more}
            )

    def liquidate(self) -> History:
        """Record the liquidation of ``A`` and its takeover by the fund."""
        history = self.history
        if self.started:
            history.add("LiquidationStarted", liquidation="L1", account="A", scope="account")
        if self.executed is not None:
            takeover = {
                "instrument": "BTC-PERP",
                "quantity": "1",
                "price": "49000",
                "trade_ids": [self.trade_id],
            }
            data = {"liquidation": "L1", "account": "A", "scope": "account", "takeovers": [takeover]}
            amounts = {"notional": self.marks[-1], "account_value": str(int(self.marks[-1]) - 49000)}
            history.add("LiquidationExecuted", **{**data, **amounts, **self.executed})
        if self.fill is not None:
            fill = {
                "account": "A",
                "instrument": "BTC-PERP",
                "side": "sell",
                "quantity": "1",
                "price": "49000",
            }
            more = {"purpose": "liquidation", "liquidation": "L1", "trade_id": self.trade_id}
            history.add("FillRecorded", system=VENUE, **{**fill, **more, **self.fill})
        return history

    def take_over(self, **changes: Any) -> None:
        """Record the fund's side of the takeover."""
        fill = {"account": "FUND", "instrument": "BTC-PERP", "side": "buy", "quantity": "1", "price": "49000"}
        more = {"purpose": "liquidation", "liquidation": "L1", "trade_id": self.trade_id}
        self.history.add("FillRecorded", system=VENUE, **{**fill, **more, **changes})

    def events(self) -> list[Event]:
        """The whole history, one thing after the other."""
        self.open()
        self.liquidate()
        if self.fill is not None:
            self.take_over()
        return self.history.events


def at(seconds: int) -> datetime:
    """A time of the test ledger."""
    return START + timedelta(seconds=seconds)
