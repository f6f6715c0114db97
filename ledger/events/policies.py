"""Parameters as events: the tiers, haircuts, fees, funding terms and risk policy were in force, and when."""

from __future__ import annotations

from typing import Literal

from ledger.events.base import (
    Amount,
    FieldName,
    Identifier,
    NonNegativeAmount,
    Payload,
    PositiveAmount,
    Strict,
    Time,
)


class MarginTier(Strict):
    """One row of a margin schedule; maintenance margin = notional × rate − maintenance_amount."""

    notional_floor: NonNegativeAmount
    notional_cap: PositiveAmount | None = None
    maintenance_margin_rate: NonNegativeAmount
    maintenance_amount: Amount
    max_leverage: PositiveAmount


class MarginScheduleSet(Payload):
    """The margin terms of an instrument, in force for events after it from ``effective_at`` on.

    Without a ``model`` they are tiers. ``open_interest_scaled`` takes the parameters
    ``base_initial_margin_fraction``, ``maintenance_fraction``, ``open_interest_lower_cap`` and
    ``open_interest_upper_cap``, and no tiers. ``portfolio`` takes ``price_range`` and ``price_steps``,
    and optionally ``minimum_rate`` (0) and ``initial_factor`` (1); it holds for accounts in portfolio
    mode alone and stands beside the terms for all others (docs/explanation/margin.md).
    """

    instrument: Identifier
    effective_at: Time
    model: Literal["tiered", "open_interest_scaled", "portfolio"] | None = None
    notional_asset: Identifier | None = None
    tiers: list[MarginTier]
    parameters: dict[FieldName, Amount] | None = None


class CollateralTier(Strict):
    """One row of a collateral schedule: this much of the value between floor and cap counts as collateral."""

    value_floor: NonNegativeAmount
    value_cap: PositiveAmount | None = None
    collateral_rate: NonNegativeAmount


class CollateralScheduleSet(Payload):
    """The haircuts of an asset, by value in the valuation currency."""

    asset: Identifier
    effective_at: Time
    tiers: list[CollateralTier]


class RiskPolicySet(Payload):
    """How the venue acts on margin ratios; ``liquidation_boundary``: whether a ratio of 1 liquidates.

    ``waterfall`` lists steps in this order: ``order_book``, ``insurance_fund``, ``adl``,
    ``socialised_loss``. ``adl_rank`` is ``pnl_leverage`` or ``price_leverage``,
    ``bankruptcy_allocation`` is ``maintenance_margin`` or ``notional``, ``loss_allocation`` is
    ``equity``; another value is recorded, reported, and switches the checks off that hang on it.
    ``engine_max_latency_seconds`` is how long after a threshold is reached the engine may take to act.
    """

    effective_at: Time
    warning_ratio: PositiveAmount | None = None
    margin_call_ratio: PositiveAmount | None = None
    liquidation_boundary: Literal["at", "above"]
    partial_fraction: PositiveAmount | None = None
    cooldown_seconds: NonNegativeAmount | None = None
    mark_max_age_seconds: PositiveAmount | None = None
    waterfall: list[Identifier] | None = None
    adl_rank: Identifier | None = None
    bankruptcy_allocation: Identifier | None = None
    maintenance_basis: Literal["mark", "entry"] | None = None
    engine_max_latency_seconds: NonNegativeAmount | None = None
    loss_allocation: Identifier | None = None


class FeeScheduleSet(Payload):
    """Fee rates on notional, for one instrument or for all."""

    instrument: Identifier | None = None
    effective_at: Time
    maker_rate: Amount
    taker_rate: Amount
    liquidation_rate: Amount


class FundingScheduleSet(Payload):
    """Funding terms, for one instrument or for all."""

    instrument: Identifier | None = None
    effective_at: Time
    interval_seconds: PositiveAmount
    interest_rate: Amount
    clamp: NonNegativeAmount
