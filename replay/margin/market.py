"""What an evaluation takes from the venue: contracts, prices, schedules and policy at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ledger.amounts import ONE
from replay.margin.thresholds import DEFAULT_POLICY
from replay.state.schedules import in_force, of_mode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from replay.state.records import Instrument, Price
    from replay.state.schedules import CollateralSchedule, MarginSchedule, RiskPolicy
    from replay.state.venue_state import VenueState

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Market:
    """A view of a venue at a time; ``dataclasses.replace`` makes a hypothetical one.

    Attributes:
        sequence: the event after which the view holds.
        at: the moment for which schedules and policy are chosen.
        valuation_currency: what account figures are in.
        instruments: by name.
        mark_prices: by instrument.
        index_prices: by index.
        open_interest: contracts of all longs, by instrument.
        asset_prices: by (asset, valuation currency).
        margin_schedules: recorded schedules by instrument.
        collateral_schedules: recorded schedules by asset.
        policy: the risk policy in force.
        policy_recorded: whether that policy was recorded; else it is the default one.
        unapplied_corrections: corrections whose effect is unknown; any puts everything in doubt.
    """

    sequence: int
    at: datetime
    valuation_currency: str
    instruments: Mapping[str, Instrument]
    mark_prices: Mapping[str, Price]
    index_prices: Mapping[str, Price]
    open_interest: Mapping[str, Decimal]
    asset_prices: Mapping[tuple[str, str], Price]
    margin_schedules: Mapping[str, tuple[MarginSchedule, ...]]
    collateral_schedules: Mapping[str, tuple[CollateralSchedule, ...]]
    policy: RiskPolicy
    policy_recorded: bool
    unapplied_corrections: int = 0

    @classmethod
    def of(cls, state: VenueState, at: datetime | None = None) -> Market:
        """Return the view of a state at its own latest time, or at another.

        The view shares the state's dicts: it holds until the fold goes on.
        """
        moment = state.occurred_at if at is None else at
        policy = in_force(state.risk_policies, moment)
        return cls(
            sequence=state.sequence,
            at=moment,
            valuation_currency=state.valuation_currency,
            instruments=state.instruments,
            mark_prices=state.mark_prices,
            index_prices=state.index_prices,
            open_interest=state.open_interest,
            asset_prices=state.asset_prices,
            margin_schedules=state.margin_schedules,
            collateral_schedules=state.collateral_schedules,
            policy=policy or DEFAULT_POLICY,
            policy_recorded=policy is not None,
            unapplied_corrections=state.unapplied_corrections,
        )

    def rate(self, asset: str) -> Decimal | None:
        """Return what a unit of an asset is worth in the valuation currency; None without a usable price."""
        if asset == self.valuation_currency:
            return ONE
        price = self.asset_prices.get((asset, self.valuation_currency))
        return None if price is None or price.price < 0 else price.price

    def margin_schedule(self, instrument: str, *, portfolio: bool = False) -> MarginSchedule | None:
        """Return the margin schedule in force for cross and isolated margin, or the one for portfolios."""
        versions = self.margin_schedules.get(instrument, ())
        return in_force(of_mode(versions, portfolio=portfolio), self.at)

    def collateral_schedule(self, asset: str) -> CollateralSchedule | None:
        """Return the haircut schedule in force for an asset."""
        return in_force(self.collateral_schedules.get(asset, ()), self.at)

    def is_stale(self, price: Price) -> bool:
        """Tell whether a mark price is older than the policy accepts."""
        limit = self.policy.mark_max_age_seconds
        if limit is None:
            return False
        return (self.at - price.occurred_at) // _MICROSECOND > limit * _MICROSECONDS_PER_SECOND
