"""The day's own books: what every event does to wallets, positions and orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.simulation.days.amounts import ZERO, quotient, rounded
from tests.simulation.days.terms import INSTRUMENTS, SETTLEMENT, Tier

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

Unit: TypeAlias = tuple[str, str | None]
"""What is margined as one: (account, None) is the cross part, (account, instrument) an isolated position."""


@dataclass(slots=True)
class Position:
    """Signed contracts, their signed cost, and the margin set aside for them if isolated."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    margin: Decimal = ZERO


@dataclass(slots=True)
class Order:
    """An open order; ``left`` counts contracts that are not filled yet."""

    order_id: str
    instrument: str
    side: str
    left: Decimal
    price: Decimal | None
    reduce_only: bool


@dataclass(slots=True)
class Account:
    """An account with everything the day knows of it."""

    name: str
    kind: str
    wallet: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    orders: dict[str, Order] = field(default_factory=dict)

    def unit(self, instrument: str) -> Unit:
        """Return the unit that a position in an instrument belongs to."""
        return (self.name, instrument if instrument in self.isolated else None)

    def cash(self) -> Decimal:
        """Return the cross wallet in the settlement asset."""
        return self.wallet.get(SETTLEMENT, ZERO)

    def add(self, asset: str, amount: Decimal) -> None:
        """Add to the cross wallet."""
        self.wallet[asset] = self.wallet.get(asset, ZERO) + amount


class Books:
    """Accounts, prices and schedules as the events so far make them.

    Attributes:
        touched: units whose figures an event may have changed since this was last emptied.
        flows: deposits less withdrawals, by asset.
        uncollected: fees and funding remainders that have not been given to the house yet.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.marks: dict[str, Decimal] = {}
        self.lasts: dict[str, Decimal] = {}
        self.asset_prices: dict[str, Decimal] = {}
        self.schedules: dict[str, tuple[str, tuple[Tier, ...]]] = {}
        self.touched: set[Unit] = set()
        self.flows: dict[str, Decimal] = {}
        self.uncollected = ZERO
        self._bookings: dict[str, Callable[[dict[str, Any]], None]] = {
            "AccountOpened": self._account_opened,
            "LeverageSet": self._leverage_set,
            "MarginModeSet": self._margin_mode_set,
            "DepositRecorded": self._deposit_recorded,
            "WithdrawalRecorded": self._withdrawal_recorded,
            "TransferRecorded": self._transfer_recorded,
            "FeeCharged": self._fee_charged,
            "InterestAccrued": self._interest_accrued,
            "FundingPaid": self._funding_paid,
            "MarginAdjusted": self._margin_adjusted,
            "InsuranceFundContributed": self._insurance_fund_contributed,
            "InsuranceFundDrawn": self._insurance_fund_drawn,
            "OrderAccepted": self._order_accepted,
            "OrderCancelled": self._order_cancelled,
            "FillRecorded": self._fill_recorded,
            "TradeExecuted": self._trade_executed,
            "MarkPriceUpdated": self._mark_price_updated,
            "LastPriceUpdated": self._last_price_updated,
            "AssetPriceUpdated": self._asset_price_updated,
        }

    def apply(self, event_type: str, data: dict[str, Any]) -> None:
        """Book an event; types that only assert change nothing."""
        booking = self._bookings.get(event_type)
        if booking is not None:
            booking(data)

    def holders(self, instrument: str) -> list[Account]:
        """Return the accounts that hold an instrument."""
        return [
            account
            for account in self.accounts.values()
            if (position := account.positions.get(instrument)) is not None and position.quantity
        ]

    def _account_opened(self, data: dict[str, Any]) -> None:
        self.accounts[data["account"]] = Account(data["account"], data["kind"])

    def _leverage_set(self, data: dict[str, Any]) -> None:
        self.accounts[data["account"]].leverage[data["instrument"]] = data["leverage"]

    def _margin_mode_set(self, data: dict[str, Any]) -> None:
        self.accounts[data["account"]].isolated.add(data["instrument"])

    def _flow(self, data: dict[str, Any], sign: int) -> None:
        self._cash(data["account"], data["asset"], sign * data["amount"])
        self.flows[data["asset"]] = self.flows.get(data["asset"], ZERO) + sign * data["amount"]

    def _cash(self, account: str, asset: str, amount: Decimal) -> None:
        self.accounts[account].add(asset, amount)
        self.touched.add((account, None))

    def _deposit_recorded(self, data: dict[str, Any]) -> None:
        self._flow(data, 1)

    def _withdrawal_recorded(self, data: dict[str, Any]) -> None:
        self._flow(data, -1)

    def _transfer_recorded(self, data: dict[str, Any]) -> None:
        self._cash(data["from_account"], data["asset"], -data["amount"])
        self._cash(data["to_account"], data["asset"], data["amount"])

    def _charge(self, account: str, amount: Decimal) -> None:
        self._cash(account, SETTLEMENT, -amount)
        self.uncollected += amount

    def _fee_charged(self, data: dict[str, Any]) -> None:
        self._charge(data["account"], data["amount"])

    def _interest_accrued(self, data: dict[str, Any]) -> None:
        self._charge(data["account"], data["amount"])

    def _funding_paid(self, data: dict[str, Any]) -> None:
        account = self.accounts[data["account"]]
        if data["instrument"] in account.isolated:
            account.positions[data["instrument"]].margin -= data["amount"]
            self.uncollected += data["amount"]
            self.touched.add(account.unit(data["instrument"]))
        else:
            self._charge(account.name, data["amount"])

    def _margin_adjusted(self, data: dict[str, Any]) -> None:
        account = self.accounts[data["account"]]
        account.positions.setdefault(data["instrument"], Position()).margin += data["amount"]
        self._cash(account.name, SETTLEMENT, -data["amount"])
        self.touched.add(account.unit(data["instrument"]))

    def _insurance_fund_contributed(self, data: dict[str, Any]) -> None:
        self._cash(data["account"], data["asset"], -data["amount"])
        self._cash(data["fund"], data["asset"], data["amount"])

    def _insurance_fund_drawn(self, data: dict[str, Any]) -> None:
        self._cash(data["fund"], data["asset"], -data["amount"])
        self._cash(data["account"], data["asset"], data["amount"])

    def socialise(self, account: str, asset: str, shares: dict[str, Decimal]) -> None:
        """Book a socialised loss of which all parts are recorded."""
        for bearer, share in shares.items():
            self._cash(bearer, asset, -share)
        self._cash(account, asset, sum(shares.values(), ZERO))

    def _order_accepted(self, data: dict[str, Any]) -> None:
        account = self.accounts[data["account"]]
        account.orders[data["order_id"]] = Order(
            data["order_id"],
            data["instrument"],
            data["side"],
            data["quantity"],
            data.get("price"),
            data.get("reduce_only", False),
        )

    def _order_cancelled(self, data: dict[str, Any]) -> None:
        self.accounts[data["account"]].orders.pop(data["order_id"], None)

    def _fill_recorded(self, data: dict[str, Any]) -> None:
        account = self.accounts[data["account"]]
        sign = 1 if data["side"] == "buy" else -1
        self._trade(account, data["instrument"], sign * data["quantity"], data["price"])
        fee = data.get("fee", ZERO)
        account.add(SETTLEMENT, -fee)
        self.uncollected += fee
        order = account.orders.get(data.get("order_id", ""))
        if order is not None:
            order.left -= data["quantity"]
            if order.left <= 0:
                del account.orders[order.order_id]

    def _trade_executed(self, data: dict[str, Any]) -> None:
        for side, sign in (("buyer", 1), ("seller", -1)):
            account = self.accounts[data[side]]
            self._trade(account, data["instrument"], sign * data["quantity"], data["price"])
            account.add(SETTLEMENT, -data[f"{side}_fee"])
            self.uncollected += data[f"{side}_fee"]

    def _trade(self, account: Account, instrument: str, quantity: Decimal, price: Decimal) -> None:
        """Book a signed quantity: what it closes is realised, the rest opens or adds."""
        position = account.positions.setdefault(instrument, Position())
        size = INSTRUMENTS[instrument].contract_size
        held = position.quantity
        if held * quantity < 0:
            sign = 1 if held > 0 else -1
            closed = min(abs(held), abs(quantity))
            if closed == abs(held):
                released, margin = position.cost, position.margin
            else:
                released = quotient(position.cost * closed, abs(held), 18, "half_even")
                margin = quotient(position.margin * closed, abs(held), 18, "half_even")
            position.quantity -= sign * closed
            position.cost -= released
            position.margin -= margin
            account.add(
                SETTLEMENT, rounded(sign * closed * size * price, 18, "half_even") - released + margin
            )
            quantity += sign * closed
        if quantity:
            position.quantity += quantity
            position.cost += rounded(quantity * size * price, 18, "half_even")
        if not position.quantity and not position.margin:
            del account.positions[instrument]
        self.touched.add((account.name, None))
        self.touched.add(account.unit(instrument))

    def _mark_price_updated(self, data: dict[str, Any]) -> None:
        self.marks[data["instrument"]] = data["price"]

    def _last_price_updated(self, data: dict[str, Any]) -> None:
        self.lasts[data["instrument"]] = data["price"]

    def _asset_price_updated(self, data: dict[str, Any]) -> None:
        self.asset_prices[data["asset"]] = data["price"]
