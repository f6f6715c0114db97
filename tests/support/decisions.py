"""A small venue whose engine's decisions tests write by hand, each at a time of their own."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replay.audit import AuditReport, audit
from tests.support.events import START, History

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.events.envelope import Event
    from replay.findings import Finding

ISOLATED = "isolated"


def at(seconds: str | float | Decimal) -> datetime:
    """Return a time of the test ledger, exact to the microsecond."""
    return START + timedelta(microseconds=int(Decimal(seconds) * 1_000_000))


class DecidingVenue:
    """``A`` has 1 BTC long from 50,000 and, unless told otherwise, 1,000 USDT behind it at 0.5 % maintenance.

    At a mark P its collateral value is P − 49,000 and its maintenance margin 0.005 × P: over the
    boundary at 49,246.23 and below, and at a call ratio of 0.5 in call at 49,494.94 and below.
    Everything up to the position happens in the first second.
    """

    def __init__(
        self,
        *,
        margin: str = "1000",
        isolated: bool = False,
        policy: dict[str, Any] | None = None,
        schedule: bool = True,
    ) -> None:
        self.history = History()
        self.isolated = isolated
        self.add("SourceDeclared", 0, source="venue", coverage="one_sided", description="")
        self.add(
            "InstrumentListed", 0, instrument="BTC-PERP", kind="perpetual", contract="linear", base="BTC",
            quote="USDT", settlement_asset="USDT", contract_size="1", tick_size="0.1",
        )  # fmt: skip
        if schedule:
            self.schedule(0)
        if policy is not None:
            self.policy(0, **policy)
        self.add("DepositRecorded", 0, account="A", asset="USDT", amount=margin)
        if isolated:
            self.add("MarginModeSet", 0, account="A", instrument="BTC-PERP", margin_mode=ISOLATED)
            self.add("MarginAdjusted", 0, account="A", instrument="BTC-PERP", amount=margin, reason="entry")
        self.trade(0, "A", "buy", "1", "50000")

    def add(self, event_type: str, seconds: str | float, **data: Any) -> Event:
        """Record an event at a time."""
        return self.history.add(event_type, occurred_at=at(seconds), **data)

    def policy(self, seconds: str | float, **terms: Any) -> Event:
        """Set a policy that liquidates at a ratio of 1 and calls at one half."""
        defaults = {"liquidation_boundary": "at", "margin_call_ratio": "0.5"}
        return self.add("RiskPolicySet", seconds, effective_at=at(seconds), **{**defaults, **terms})

    def schedule(self, seconds: str | float, rate: str = "0.005", **more: Any) -> Event:
        """Set a margin schedule of one tier, in force at once if nothing else is said."""
        tier = {
            "notional_floor": "0",
            "maintenance_margin_rate": rate,
            "maintenance_amount": "0",
            "max_leverage": "100",
        }
        more.setdefault("effective_at", at(seconds))
        return self.add("MarginScheduleSet", seconds, instrument="BTC-PERP", tiers=[tier], **more)

    def mark(self, seconds: str | float, price: str, instrument: str = "BTC-PERP") -> Event:
        """Record a mark price."""
        return self.add("MarkPriceUpdated", seconds, instrument=instrument, price=price)

    def trade(self, seconds: str | float, account: str, side: str, quantity: str, price: str) -> Event:
        """Record an ordinary fill."""
        return self.add(
            "FillRecorded", seconds, account=account, instrument="BTC-PERP", side=side, quantity=quantity,
            price=price, purpose="trade",
        )  # fmt: skip

    def deposit(self, seconds: str | float, amount: str) -> Event:
        """Bring more collateral to where the position needs it."""
        if self.isolated:
            self.add("DepositRecorded", seconds, account="A", asset="USDT", amount=amount)
            return self.add(
                "MarginAdjusted", seconds, account="A", instrument="BTC-PERP", amount=amount, reason="more"
            )
        return self.add("DepositRecorded", seconds, account="A", asset="USDT", amount=amount)

    def call(self, seconds: str | float, event_type: str = "MarginCallIssued", **changes: Any) -> Event:
        """Issue a margin call to ``A``, or end it."""
        data = {"account": "A", "margin_ratio": "0.6", "required": "0", **changes}
        if self.isolated:
            data.setdefault("instrument", "BTC-PERP")
        return self.add(event_type, seconds, **data)

    def start(self, seconds: str | float, liquidation: str = "L1", **more: Any) -> Event:
        """Decide to liquidate ``A``."""
        scope: dict[str, Any] = {"scope": "account"}
        if self.isolated:
            scope = {"scope": "position", "instrument": "BTC-PERP"}
        return self.add(
            "LiquidationStarted", seconds, liquidation=liquidation, account="A", **{**scope, **more}
        )

    def execute(
        self,
        seconds: str | float,
        quantity: str = "1",
        price: str = "49200",
        liquidation: str = "L1",
        **fill: Any,
    ) -> Event:
        """Report a liquidation and record its fill; return the report."""
        takeover = {"instrument": "BTC-PERP", "quantity": quantity, "price": price, "trade_ids": []}
        report = self.add(
            "LiquidationExecuted", seconds, liquidation=liquidation, account="A",
            scope="position" if self.isolated else "account", notional="0", account_value="0",
            takeovers=[takeover],
        )  # fmt: skip
        self.add(
            "FillRecorded",
            seconds,
            **{
                "account": "A",
                "instrument": "BTC-PERP",
                "side": "sell",
                "quantity": quantity,
                "price": price,
                "purpose": "liquidation",
                "liquidation": liquidation,
                **fill,
            },
        )
        return report

    def audit(self, code: str, **options: Any) -> AuditReport:
        """Audit for one code."""
        return audit(self.history.events, checks=[code], **options)

    def found(self, code: str, **options: Any) -> tuple[Finding, ...]:
        """Return the findings of one code."""
        return self.audit(code, **options).findings

    def reasons(self, code: str, **options: Any) -> list[str]:
        """Return why a check could not look at something."""
        return [each.reason for each in self.audit(code, **options).not_checked if each.check == code]
