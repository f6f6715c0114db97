"""The records that a venue's state is made of: frozen, replaced as a whole when an event changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ledger.amounts import ZERO, exact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

PositionSide = Literal["both", "long", "short"]
"""``both`` is the one position of one-way mode; ``long`` and ``short`` are the two of hedge mode."""

MarginMode = Literal["cross", "isolated", "portfolio"]
PositionMode = Literal["one_way", "hedge"]
AccountKind = Literal["customer", "insurance_fund", "market_maker", "house", "external"]

OrderSide = Literal["buy", "sell"]

OpenOrderKey = tuple[str, PositionSide, OrderSide]
"""(instrument, position side, order side): open orders are added up by these."""

PositionKey = tuple[str, PositionSide]
"""(instrument, position side)."""

Flow = Literal[
    "deposit",
    "withdrawal",
    "transfer",
    "fee",
    "interest",
    "funding",
    "insurance_fund",
    "loss",
    "trade",
    "settlement",
]
"""What moved an account's assets; see :attr:`Account.flows`."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A listed contract.

    Attributes:
        sequence: where it was listed.
        contract_size: units of the base (linear) or of the quote (inverse) per contract.
        settled_price: the price of its final settlement, or None.
    """

    instrument: str
    sequence: int
    kind: Literal["perpetual", "future", "option"]
    contract: Literal["linear", "inverse"]
    base: str
    quote: str
    settlement_asset: str
    contract_size: Decimal
    tick_size: Decimal | None = None
    index: str | None = None
    expires_at: datetime | None = None
    strike: Decimal | None = None
    option_type: Literal["call", "put"] | None = None
    settled_price: Decimal | None = None

    @property
    def priced_as(self) -> Literal["linear", "inverse"]:
        """How value hangs on price: an option's price is a premium in the settlement asset, so linear."""
        return "linear" if self.kind == "option" else self.contract


@dataclass(frozen=True, slots=True)
class Price:
    """A price as last recorded; ``overridden`` where it was set by hand."""

    price: Decimal
    sequence: int
    occurred_at: datetime
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Open contracts of an account in an instrument.

    Attributes:
        quantity: contracts, negative when short. Zero only while isolated margin waits for the first fill.
        cost: signed cost basis in the settlement asset, scale 18 (:mod:`replay.margin.contracts`);
            unrealised PnL is value − cost.
        settlement_asset: what cost and isolated margin are in.
        isolated_margin: margin set aside for this position; None where none was ever recorded.
    """

    instrument: str
    position_side: PositionSide
    quantity: Decimal
    cost: Decimal
    settlement_asset: str
    isolated_margin: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is still open.

    Attributes:
        quantity: contracts that are left of it, without sign.
        position_side: ``long`` or ``short`` where it names one, else ``both``.
        reduce_only: whether it can only make a position smaller; such an order requires no margin.
    """

    order_id: str
    account: str
    instrument: str
    side: OrderSide
    quantity: Decimal
    position_side: PositionSide = "both"
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class InstrumentSettings:
    """What an account set for one instrument; None where it did not."""

    leverage: Decimal | None = None
    margin_mode: MarginMode | None = None
    position_mode: PositionMode | None = None


@dataclass(frozen=True, slots=True)
class AccountProfile:
    """What an account is and how it is set up; the defaults are those of an account that was never opened."""

    kind: AccountKind = "customer"
    margin_mode: MarginMode = "cross"
    position_mode: PositionMode = "one_way"
    opened: bool = False
    closed: bool = False
    customer: str | None = None
    parent_account: str | None = None
    settings: Mapping[str, InstrumentSettings] = field(default_factory=dict)

    def margin_mode_of(self, instrument: str) -> MarginMode:
        """Return the margin mode in force for an instrument: the instrument's own, else the account's."""
        settings = self.settings.get(instrument)
        return settings.margin_mode if settings and settings.margin_mode else self.margin_mode

    def position_mode_of(self, instrument: str) -> PositionMode:
        """Return the position mode in force for an instrument: the instrument's own, else the account's."""
        settings = self.settings.get(instrument)
        return settings.position_mode if settings and settings.position_mode else self.position_mode


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An event that could not be applied as it stands, or that contradicts the state it met.

    Attributes:
        sequence: the event.
        code: one of :data:`replay.projection.ANOMALIES`.
        message: what is wrong, with names.
        account: whose state is in doubt because of it, or None.
    """

    sequence: int
    code: str
    message: str
    account: str | None = None


DEFAULT_PROFILE = AccountProfile()


@dataclass(frozen=True, slots=True)
class Account:
    """One account's cash, positions and history in sums.

    Per asset, cross balance + isolated margins − cost of positions = sum of ``flows``: the
    books of an account always close (a property test holds this).

    Attributes:
        account: its name.
        profile: kind, modes and settings.
        balances: cross wallet balance by asset, scale 18; isolated margin is not in it.
        positions: by (instrument, position side).
        flows: what each kind of event brought (positive) or took, by (flow, asset), since the beginning;
            ``trade`` and ``settlement`` hold the signed value of what was bought and sold.
        event_count: how many events named this account or were booked on it.
        last_sequence: the last of them.
        anomaly: the first anomaly that put this account in doubt, or None.
        anomaly_count: how many there were.
        open_orders: contracts in open orders that are not reduce-only, without sign, by
            (instrument, position side, order side).
    """

    account: str
    profile: AccountProfile = DEFAULT_PROFILE
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    positions: Mapping[PositionKey, Position] = field(default_factory=dict)
    flows: Mapping[tuple[Flow, str], Decimal] = field(default_factory=dict)
    event_count: int = 0
    last_sequence: int = -1
    anomaly: Anomaly | None = None
    anomaly_count: int = 0
    open_orders: Mapping[OpenOrderKey, Decimal] = field(default_factory=dict)

    def margin_mode(self, instrument: str) -> MarginMode:
        """Return the margin mode in force for an instrument: the instrument's own, else the account's."""
        return self.profile.margin_mode_of(instrument)

    def position_mode(self, instrument: str) -> PositionMode:
        """Return the position mode in force for an instrument: the instrument's own, else the account's."""
        return self.profile.position_mode_of(instrument)

    def leverage(self, instrument: str) -> Decimal | None:
        """Return the leverage that the account set for an instrument, or None."""
        settings = self.profile.settings.get(instrument)
        return settings.leverage if settings else None

    @exact()
    def wallet_balances(self) -> dict[str, Decimal]:
        """Return the total ledger balance by asset: cross wallet and isolated margins."""
        totals = dict(self.balances)
        for position in self.positions.values():
            if position.isolated_margin is not None:
                asset = position.settlement_asset
                totals[asset] = totals.get(asset, ZERO) + position.isolated_margin
        return totals


@dataclass(frozen=True, slots=True)
class Reserve:
    """The latest attestation of what a custodian or an address held of an asset."""

    asset: str
    custodian: str
    address: str | None
    amount: Decimal
    encumbered: Decimal | None
    as_of: datetime
    attester: str
    sequence: int


@dataclass(frozen=True, slots=True)
class PendingLoss:
    """The parts of a socialised loss that have come so far."""

    parts: Mapping[int, tuple[tuple[str, Decimal], ...]]
    """Part number → (account, amount) allocations."""
