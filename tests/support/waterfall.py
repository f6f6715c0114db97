"""A venue in which one account is bankrupt and others stand by; tests record the waterfall step by step."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from replay.audit import audit
from tests.support.events import History

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.findings import Finding

VENUE = "venue"
INSTRUMENT = "BTC-PERP"


class Waterfall(History):
    """``A`` is long 10 at 1,000 against ``B`` (6) and ``C`` (4); maintenance margin is 5 %, the tick 0.5.

    A has 1,000 USDT, so his bankruptcy price is 900 at every mark. At 940 he is worth 400 under a
    requirement of 470, at 880 he lacks 200. B and C have 5,000 and 400, the fund has 5,000.
    """

    def __init__(
        self,
        *,
        mark: str = "940",
        fund: str = "5000",
        policy: dict[str, Any] | None = None,
        complete: bool = True,
        tick: str | None = "0.5",
        margin_mode: str = "cross",
    ) -> None:
        super().__init__()
        self._trades = count(1)
        if complete:
            self.add("SourceDeclared", source=VENUE, coverage="complete", description="")
        self.add("AssetListed", asset="USDT", scale="6")
        self.list_instrument(**({} if tick is None else {"tick_size": tick}))
        self.schedule(INSTRUMENT, ("0", None, "0.05", "0", "10"))
        self.policy(**(policy or {}))
        self.open("F", fund, kind="insurance_fund")
        self.open("A", "1000", margin_mode=margin_mode)
        self.open("B", "5000")
        self.open("C", "400")
        if margin_mode == "isolated":
            self.add("MarginAdjusted", account="A", instrument=INSTRUMENT, amount="1000", reason="opening")
            self.deposit("A", "70")
        self.mark("1000")
        self.trade("A", "buy", "B", "6", "1000")
        self.trade("A", "buy", "C", "4", "1000")
        self.mark(mark)

    def open(self, account: str, deposit: str, *, kind: str = "customer", margin_mode: str = "cross") -> None:
        """Open an account with a deposit."""
        self.add(
            "AccountOpened", account=account, margin_mode=margin_mode, position_mode="one_way", kind=kind
        )
        if deposit != "0":
            self.deposit(account, deposit)

    def trade(
        self,
        account: str,
        side: str,
        other: str,
        quantity: str,
        price: str,
        purpose: str = "trade",
        **more: Any,
    ) -> int:
        """Record both sides of a trade; return the sequence of the first account's fill."""
        trade_id = more.pop("trade_id", f"T{next(self._trades)}")
        other_purpose = more.pop("other_purpose", purpose)
        opposite = "sell" if side == "buy" else "buy"
        own = self.fill(
            account, side, quantity, price, purpose=purpose, trade_id=trade_id, system=VENUE, **more
        )
        self.fill(
            other, opposite, quantity, price, purpose=other_purpose, trade_id=trade_id, system=VENUE, **more
        )
        return own.sequence

    def start(self, account: str = "A", liquidation: str = "L1", **more: Any) -> int:
        """Record the decision to liquidate; return its sequence."""
        more.setdefault("scope", "account")
        return self.add("LiquidationStarted", liquidation=liquidation, account=account, **more).sequence

    def execute(self, *takeovers: dict[str, Any], account: str = "A", liquidation: str = "L1") -> int:
        """Record a liquidation's outcome with takeovers of BTC-PERP; return its sequence."""
        rows = [
            {"instrument": INSTRUMENT, "quantity": "10", "price": "900", "trade_ids": []} | each
            for each in takeovers
        ]
        event = self.add(
            "LiquidationExecuted",
            liquidation=liquidation,
            account=account,
            scope="account",
            notional="9400",
            account_value="400",
            takeovers=rows,
        )
        return event.sequence

    def close(self, other: str, quantity: str = "10", price: str = "900", **more: Any) -> int:
        """Have A sell to another account in liquidation L1; return the sequence of A's fill."""
        more.setdefault("liquidation", "L1")
        return self.trade("A", "sell", other, quantity, price, "liquidation", **more)

    def deleverage(self, counterparty: str, quantity: str, price: str = "900", **more: Any) -> int:
        """Auto-deleverage somebody against A, with its fills; return the event's sequence."""
        trade_id = f"T{next(self._trades)}"
        data = {
            "liquidation": "L1",
            "bankrupt_account": "A",
            "counterparty_account": counterparty,
            "instrument": INSTRUMENT,
            "quantity": quantity,
            "price": price,
            "rank": "1",
            "trade_id": trade_id,
        }
        event = self.add("PositionAutoDeleveraged", **{**data, **more})
        if counterparty != "A":
            self.trade("A", "sell", counterparty, quantity, price, "adl", liquidation="L1", trade_id=trade_id)
        return event.sequence

    def draw(self, amount: str, **more: Any) -> int:
        """Have the fund pay A; return the sequence."""
        return self._movement("InsuranceFundDrawn", amount, **more)

    def contribute(self, amount: str, **more: Any) -> int:
        """Have A pay into the fund; return the sequence."""
        return self._movement("InsuranceFundContributed", amount, **more)

    def _movement(self, event_type: str, amount: str, **more: Any) -> int:
        data = {"fund": "F", "asset": "USDT", "account": "A", "liquidation": "L1", "reason": "liquidation"}
        given = {name: value for name, value in {**data, **more}.items() if value is not None}
        return self.add(event_type, amount=amount, **given).sequence

    def share_loss(
        self, amount: str, shares: dict[str, str], part: str = "1", parts: str = "1", **more: Any
    ) -> int:
        """Share a loss out; return the sequence."""
        rows = [{"account": account, "amount": share} for account, share in shares.items()]
        data = {"liquidation": "L1", "asset": "USDT", "allocations": rows, "part": part, "parts": parts}
        given = {name: value for name, value in {**data, **more}.items() if value is not None}
        return self.add("LossSocialised", amount=amount, **given).sequence


def found(history: History | list[Event], code: str) -> list[Finding]:
    """Return the findings of one code."""
    events = history.events if isinstance(history, History) else history
    return [finding for finding in audit(events).findings if finding.code == code]


def places(history: History, code: str) -> list[tuple[str | None, int | None]]:
    """Return (account, sequence) of the findings of one code."""
    return [(finding.account, finding.sequence) for finding in found(history, code)]


def not_checked(history: History, check: str) -> list[str]:
    """Return what a check says that it could not look at."""
    return [each.reason for each in audit(history.events).not_checked if each.check == check]
