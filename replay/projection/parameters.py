"""What is set and quoted: the ledger itself, accounts and their settings, schedules, prices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replay.projection.booking import Booking, record_anomaly
from replay.state.records import AccountProfile, Anomaly, InstrumentSettings, Price
from replay.state.schedules import (
    CollateralSchedule,
    CollateralTier,
    FeeSchedule,
    FundingSchedule,
    MarginSchedule,
    MarginTier,
    RiskPolicy,
    with_version,
)

if TYPE_CHECKING:
    from ledger.events.accounts import (
        AccountClosed,
        AccountOpened,
        LeverageSet,
        MarginModeSet,
        PositionModeSet,
    )
    from ledger.events.envelope import Event
    from ledger.events.governance import LedgerOpened, PriceOverridden, SourceDeclared
    from ledger.events.instruments import AssetListed
    from ledger.events.policies import (
        CollateralScheduleSet,
        FeeScheduleSet,
        FundingScheduleSet,
        MarginScheduleSet,
        RiskPolicySet,
    )
    from ledger.events.prices import (
        AssetPriceUpdated,
        IndexPriceUpdated,
        LastPriceUpdated,
        MarkPriceUpdated,
        PriceBarRecorded,
    )
    from replay.state.venue_state import PriceKind, VenueState

FOR_ALL = ""


def ledger_opened(state: VenueState, event: Event, data: LedgerOpened) -> None:
    """Take origin and valuation currency; both are permanent, so a second opening changes nothing."""
    if state.origin:
        record_anomaly(
            state, Anomaly(event.sequence, "ledger_opened_twice", f"{state.origin} is open already")
        )
        return
    state.origin = data.ledger
    state.valuation_currency = data.valuation_currency


def source_declared(state: VenueState, _event: Event, data: SourceDeclared) -> None:
    """Take a source's coverage, for events after this one."""
    state.sources[data.source] = data.coverage


def asset_listed(state: VenueState, _event: Event, data: AssetListed) -> None:
    """Take an asset's scale."""
    state.assets[data.asset] = data.scale


def account_opened(state: VenueState, event: Event, data: AccountOpened) -> None:
    """Give an account its kind and modes; what it set for single instruments stays."""
    booking = Booking(state, data.account)
    booking.profile = AccountProfile(
        data.kind,
        data.margin_mode,
        data.position_mode,
        True,  # noqa: FBT003 (opened, in the record's own order)
        False,  # noqa: FBT003 (closed)
        data.customer,
        data.parent_account,
        booking.profile.settings,
    )
    booking.release_margin_where_not_isolated()
    booking.commit(event.sequence)
    if data.parent_account is not None:
        Booking(state, data.parent_account).commit(event.sequence)


def account_closed(state: VenueState, event: Event, data: AccountClosed) -> None:
    """Mark an account closed; what it holds stays."""
    booking = Booking(state, data.account)
    booking.profile = replace(booking.profile, closed=True)
    booking.commit(event.sequence)
    if data.parent_account is not None:
        Booking(state, data.parent_account).commit(event.sequence)


def leverage_set(state: VenueState, event: Event, data: LeverageSet) -> None:
    """Take the leverage an account chose for an instrument."""
    booking = Booking(state, data.account)
    settings = booking.profile.settings.get(data.instrument, InstrumentSettings())
    booking.set_for(data.instrument, replace(settings, leverage=data.leverage))
    booking.commit(event.sequence)


def margin_mode_set(state: VenueState, event: Event, data: MarginModeSet) -> None:
    """Take a margin mode; isolated margin returns to the wallet where the mode is isolated no more."""
    booking = Booking(state, data.account)
    settings = booking.profile.settings.get(data.instrument, InstrumentSettings())
    booking.set_for(data.instrument, replace(settings, margin_mode=data.margin_mode))
    booking.release_margin_where_not_isolated()
    booking.commit(event.sequence)


def position_mode_set(state: VenueState, event: Event, data: PositionModeSet) -> None:
    """Take one-way or hedge mode; open positions of the other mode put the account in doubt."""
    booking = Booking(state, data.account)
    if data.instrument is None:
        cleared = {name: replace(each, position_mode=None) for name, each in booking.profile.settings.items()}
        booking.profile = replace(booking.profile, position_mode=data.position_mode, settings=cleared)
    else:
        settings = booking.profile.settings.get(data.instrument, InstrumentSettings())
        booking.set_for(data.instrument, replace(settings, position_mode=data.position_mode))
    for instrument, side in sorted(booking.positions):
        if (side == "both") == (booking.position_mode(instrument) == "hedge"):
            booking.doubt(
                event.sequence,
                "position_mode_changed_while_open",
                f"{instrument} is open on the {side} side when the mode becomes {data.position_mode}",
            )
            break
    booking.commit(event.sequence)


def margin_schedule_set(state: VenueState, event: Event, data: MarginScheduleSet) -> None:
    """Add a margin schedule of an instrument."""
    tiers = tuple(
        MarginTier(
            tier.notional_floor,
            tier.notional_cap,
            tier.maintenance_margin_rate,
            tier.maintenance_amount,
            tier.max_leverage,
        )
        for tier in sorted(data.tiers, key=lambda tier: tier.notional_floor)
    )
    schedule = MarginSchedule(
        event.sequence,
        event.id,
        data.effective_at,
        data.model or "tiered",
        data.notional_asset,
        tiers,
        dict(data.parameters or {}),
    )
    state.margin_schedules[data.instrument] = with_version(
        state.margin_schedules.get(data.instrument, ()), schedule
    )


def collateral_schedule_set(state: VenueState, event: Event, data: CollateralScheduleSet) -> None:
    """Add a haircut schedule of an asset."""
    tiers = tuple(
        CollateralTier(tier.value_floor, tier.value_cap, tier.collateral_rate)
        for tier in sorted(data.tiers, key=lambda tier: tier.value_floor)
    )
    schedule = CollateralSchedule(event.sequence, data.effective_at, tiers)
    state.collateral_schedules[data.asset] = with_version(
        state.collateral_schedules.get(data.asset, ()), schedule
    )


def risk_policy_set(state: VenueState, event: Event, data: RiskPolicySet) -> None:
    """Add a risk policy of the venue."""
    policy = RiskPolicy(
        event.sequence,
        data.effective_at,
        data.warning_ratio,
        data.margin_call_ratio,
        data.liquidation_boundary,
        data.mark_max_age_seconds,
        data.maintenance_basis or "mark",
        data.bankruptcy_allocation,
        data.partial_fraction,
        data.cooldown_seconds,
        None if data.waterfall is None else tuple(data.waterfall),
        data.adl_rank,
        data.engine_max_latency_seconds,
        data.loss_allocation,
    )
    state.risk_policies = with_version(state.risk_policies, policy)


def fee_schedule_set(state: VenueState, event: Event, data: FeeScheduleSet) -> None:
    """Add the fee rates of an instrument, or of all."""
    key = data.instrument or FOR_ALL
    schedule = FeeSchedule(
        event.sequence, data.effective_at, data.maker_rate, data.taker_rate, data.liquidation_rate
    )
    state.fee_schedules[key] = with_version(state.fee_schedules.get(key, ()), schedule)


def funding_schedule_set(state: VenueState, event: Event, data: FundingScheduleSet) -> None:
    """Add the funding terms of an instrument, or of all."""
    key = data.instrument or FOR_ALL
    schedule = FundingSchedule(
        event.sequence, data.effective_at, data.interval_seconds, data.interest_rate, data.clamp
    )
    state.funding_schedules[key] = with_version(state.funding_schedules.get(key, ()), schedule)


def mark_price_updated(state: VenueState, event: Event, data: MarkPriceUpdated) -> None:
    """Take a mark price."""
    state.mark_prices[data.instrument] = Price(data.price, event.sequence, event.occurred_at)


def last_price_updated(state: VenueState, event: Event, data: LastPriceUpdated) -> None:
    """Take a last price."""
    state.last_prices[data.instrument] = Price(data.price, event.sequence, event.occurred_at)


def index_price_updated(state: VenueState, event: Event, data: IndexPriceUpdated) -> None:
    """Take an index price."""
    state.index_prices[data.index] = Price(data.price, event.sequence, event.occurred_at)


def asset_price_updated(state: VenueState, event: Event, data: AssetPriceUpdated) -> None:
    """Take a conversion price."""
    key = (data.asset, data.valuation_currency)
    state.asset_prices[key] = Price(data.price, event.sequence, event.occurred_at)


def price_bar_recorded(state: VenueState, event: Event, data: PriceBarRecorded) -> None:
    """Take a bar's close, at the bar's end."""
    key = price_subject(state, data.kind, data.instrument)
    state.prices(data.kind)[key] = Price(data.close, event.sequence, event.occurred_at)


def price_overridden(state: VenueState, event: Event, data: PriceOverridden) -> None:
    """Set a price by hand, until the next one of its kind."""
    key = price_subject(state, data.kind, data.instrument)
    overridden = Price(data.price, event.sequence, event.occurred_at, overridden=True)
    state.prices(data.kind)[key] = overridden


def price_subject(state: VenueState, kind: PriceKind, instrument: str) -> str:
    """Return the name under which an instrument's price stands: its index's for ``index``, else its own."""
    listed = state.instruments.get(instrument) if kind == "index" else None
    return listed.index if listed is not None and listed.index is not None else instrument
