"""The liquidated account's own fills of a liquidation, added up by position."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.amounts import ZERO
from replay.margin import Market

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.audit.precision import PrintedPrecision
    from replay.state.records import Instrument, PositionKey
    from replay.state.venue_state import VenueState


@dataclass(slots=True)
class FillSum:
    """The fills that closed one position in a liquidation.

    Attributes:
        quantity: signed contracts, bought positive.
        value: Σ quantity × contract_size × price, signed, in the settlement asset.
        uncertainty: by how much |value| may be off because prices are printed to so many places.
        quantity_at: unsigned contracts of fills that are no auto-deleveraging, by price.
        deleveraged: unsigned contracts of auto-deleveraging fills.
        units: in what unit a price may be off, by price.
        fees: what the account paid for them, by asset.
        instrument: of the position, where listed.
        rate: settlement asset → valuation currency at the last fill; None without a price.
    """

    quantity: Decimal = ZERO
    value: Decimal = ZERO
    uncertainty: Decimal = ZERO
    quantity_at: dict[Decimal, Decimal] = field(default_factory=dict)
    deleveraged: Decimal = ZERO
    units: dict[Decimal, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)
    instrument: Instrument | None = None
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CaseFill:
    """One fill as it is added up, with what the state that it met says of its instrument.

    Attributes:
        quantity: signed contracts, bought positive.
        deleveraged: whether it is of an auto-deleveraging.
        fee: what the account paid for it.
        fee_asset: None is the settlement asset.
        unit: in what unit the price may be off; None where the instrument is not listed.
        rate: settlement asset → valuation currency; None without a price.
    """

    event: Event
    key: PositionKey
    quantity: Decimal
    price: Decimal
    deleveraged: bool
    fee: Decimal | None
    fee_asset: str | None
    instrument: Instrument | None
    unit: Decimal | None
    rate: Decimal | None

    @classmethod
    def of(
        cls,
        state: VenueState,
        event: Event,
        precision: PrintedPrecision,
        *,
        key: PositionKey,
        quantity: Decimal,
        price: Decimal,
        fee: tuple[Decimal | None, str | None],
        deleveraged: bool = False,
    ) -> CaseFill:
        """Return a fill of an event with the state that it meets; its fee is an amount and an asset."""
        listed = state.instruments.get(key[0])
        return cls(
            event=event,
            key=key,
            quantity=quantity,
            price=price,
            deleveraged=deleveraged,
            fee=fee[0],
            fee_asset=fee[1],
            instrument=listed,
            unit=None if listed is None else precision.unit(price, listed, event),
            rate=None if listed is None else Market.of(state).rate(listed.settlement_asset),
        )


@dataclass(slots=True)
class CaseFills:
    """The liquidated account's own fills of a liquidation.

    Attributes:
        by_position: summed up.
        sequences: the events that hold them.
        last_at: the latest ``occurred_at`` of these.
    """

    by_position: dict[PositionKey, FillSum] = field(default_factory=dict)
    sequences: list[int] = field(default_factory=list)
    last_at: datetime | None = None

    def add(self, fill: CaseFill) -> None:
        """Add a fill; called inside ``exact()``."""
        at = fill.event.occurred_at
        self.sequences.append(fill.event.sequence)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        total = self.by_position.setdefault(fill.key, FillSum())
        total.quantity += fill.quantity
        if fill.deleveraged:
            total.deleveraged += abs(fill.quantity)
        else:
            total.quantity_at[fill.price] = total.quantity_at.get(fill.price, ZERO) + abs(fill.quantity)
        if fill.instrument is not None and fill.unit is not None:
            size = fill.quantity * fill.instrument.contract_size
            total.value += size * fill.price
            total.uncertainty += abs(size) * fill.unit
            total.units[fill.price] = fill.unit
            total.instrument = fill.instrument
            total.rate = fill.rate
        asset = fill.fee_asset
        if asset is None and total.instrument is not None:
            asset = total.instrument.settlement_asset
        if fill.fee and asset is not None:
            total.fees[asset] = total.fees.get(asset, ZERO) + fill.fee
