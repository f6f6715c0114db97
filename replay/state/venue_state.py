"""The state of a whole venue at one place in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from replay.state.records import Account, Anomaly, Instrument, OpenOrder, PendingLoss, Price, Reserve
    from replay.state.schedules import (
        CollateralSchedule,
        FeeSchedule,
        FundingSchedule,
        MarginSchedule,
        RiskPolicy,
    )

NO_EVENT = -1
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
# How many anomalies a state keeps in full; all of them are counted.
ANOMALIES_KEPT = 100

PriceKind = Literal["mark", "last", "index"]
LossKey = tuple[str, str, "Decimal", int]
"""(liquidation or empty, asset, amount, parts)."""


@dataclass(slots=True)
class VenueState:
    """Everything that the fold knows after one event.

    The state belongs to the fold that advances it: :func:`replay.projection.apply` replaces the
    frozen records in these dicts in place. A record that was taken out of it stays as it was; a
    state that must stay as it is, is taken by :meth:`copy`.

    Attributes:
        origin: the ledger's name; empty before ``LedgerOpened``.
        valuation_currency: what account figures are in; empty before ``LedgerOpened``.
        sequence: the last event applied, -1 before the first.
        occurred_at: the latest ``occurred_at`` of what happened at the venue; a late fact does not turn it
            back, and what is about the records alone (an opening, an export, a correction) does not move it.
        sources: coverage by declared source.
        accounts: by name.
        instruments: by name.
        assets: scale by listed asset.
        mark_prices: by instrument.
        last_prices: by instrument.
        index_prices: by index.
        asset_prices: by (asset, valuation currency).
        margin_schedules: recorded ones by instrument, in the order of ``in_force``.
        collateral_schedules: recorded ones by asset.
        risk_policies: recorded ones.
        fee_schedules: recorded ones by instrument; the empty name holds for all.
        funding_schedules: recorded ones by instrument; the empty name holds for all.
        reserves: latest attestation by (asset, custodian, address or empty).
        liquidations: account by liquidation id.
        orders: open orders by (account, order id).
        open_interest: contracts of all long positions, by instrument.
        pending_losses: socialised losses of which parts are missing.
        corrected: root id of each correction chain by the id of every correction in it.
        corrections: id of the latest correction by the id of the event it corrects.
        unapplied_corrections: corrections whose effect on the books is not known; while there
            are any, every account is undetermined.
        anomaly_counts: how often, by code.
        anomalies: the first hundred in full.
    """

    origin: str = ""
    valuation_currency: str = ""
    sequence: int = NO_EVENT
    occurred_at: datetime = BEGINNING
    sources: dict[str, Literal["complete", "one_sided"]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    assets: dict[str, Decimal] = field(default_factory=dict)
    mark_prices: dict[str, Price] = field(default_factory=dict)
    last_prices: dict[str, Price] = field(default_factory=dict)
    index_prices: dict[str, Price] = field(default_factory=dict)
    asset_prices: dict[tuple[str, str], Price] = field(default_factory=dict)
    margin_schedules: dict[str, tuple[MarginSchedule, ...]] = field(default_factory=dict)
    collateral_schedules: dict[str, tuple[CollateralSchedule, ...]] = field(default_factory=dict)
    risk_policies: tuple[RiskPolicy, ...] = ()
    fee_schedules: dict[str, tuple[FeeSchedule, ...]] = field(default_factory=dict)
    funding_schedules: dict[str, tuple[FundingSchedule, ...]] = field(default_factory=dict)
    reserves: dict[tuple[str, str, str], Reserve] = field(default_factory=dict)
    liquidations: dict[str, str] = field(default_factory=dict)
    orders: dict[tuple[str, str], OpenOrder] = field(default_factory=dict)
    open_interest: dict[str, Decimal] = field(default_factory=dict)
    pending_losses: dict[LossKey, PendingLoss] = field(default_factory=dict)
    corrected: dict[UUID, UUID] = field(default_factory=dict)
    corrections: dict[UUID, UUID] = field(default_factory=dict)
    unapplied_corrections: int = 0
    anomaly_counts: dict[str, int] = field(default_factory=dict)
    anomalies: tuple[Anomaly, ...] = ()

    def copy(self) -> VenueState:
        """Return an independent state; cheap, since the records are shared and never change."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        copies: dict[str, Any] = {
            name: dict(value) if isinstance(value, dict) else value for name, value in values.items()
        }
        return VenueState(**copies)

    def prices(self, kind: PriceKind) -> dict[str, Price]:
        """Return the prices of one kind, by instrument or (``index``) by index."""
        if kind == "mark":
            return self.mark_prices
        return self.last_prices if kind == "last" else self.index_prices
