"""Schedules and policies, and the rule by which one of several recorded versions is in force.

A schedule applies from its ``effective_at`` to what comes after it in the fold. Several versions
stand side by side in the state; :func:`in_force` picks one for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class MarginTier:
    """One tier of a margin schedule; amounts are in the schedule's notional asset.

    Attributes:
        notional_floor: the tier covers notionals greater than this (the first tier covers it too).
        notional_cap: up to and including this; None has no end.
        maintenance_margin_rate: maintenance margin per notional, as a fraction.
        maintenance_amount: what is taken off rate × notional.
        max_leverage: the greatest leverage an account may set within the tier.
    """

    notional_floor: Decimal
    notional_cap: Decimal | None
    maintenance_margin_rate: Decimal
    maintenance_amount: Decimal
    max_leverage: Decimal


MarginModel = Literal["tiered", "open_interest_scaled", "portfolio"]


@dataclass(frozen=True, slots=True)
class MarginSchedule:
    """A recorded margin schedule of an instrument, tiers in rising order of their floors.

    Attributes:
        sequence: where it was recorded.
        event_id: the id of the event that recorded it.
        effective_at: from when it applies.
        model: ``tiered``, ``open_interest_scaled`` or ``portfolio``.
        notional_asset: what floors, caps and amounts are in; None is the settlement asset.
        parameters: of the models other than ``tiered``, by name (:mod:`replay.margin.open_interest`,
            :mod:`replay.margin.portfolio`).
    """

    sequence: int
    event_id: UUID
    effective_at: datetime
    model: MarginModel
    notional_asset: str | None
    tiers: tuple[MarginTier, ...]
    parameters: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollateralTier:
    """One step of a haircut: the value between floor and cap counts at ``collateral_rate``."""

    value_floor: Decimal
    value_cap: Decimal | None
    collateral_rate: Decimal


@dataclass(frozen=True, slots=True)
class CollateralSchedule:
    """A recorded haircut schedule of a collateral asset; values are in the valuation currency."""

    sequence: int
    effective_at: datetime
    tiers: tuple[CollateralTier, ...]


Boundary = Literal["at", "above"]
MaintenanceBasis = Literal["mark", "entry"]


@dataclass(frozen=True, slots=True)
class RiskPolicy:
    """A recorded risk policy.

    Attributes:
        sequence: where it was recorded; -1 for :data:`replay.margin.thresholds.DEFAULT_POLICY`.
        warning_ratio: margin ratio from which an account is warned; None issues no warnings.
        margin_call_ratio: margin ratio from which it is called; None issues no calls.
        liquidation_boundary: ``at`` liquidates at a margin ratio of 1 or more, ``above`` only above 1.
        mark_max_age_seconds: an older mark price decides nothing; None accepts any age.
        maintenance_basis: whether the maintenance margin is taken on the notional at mark or at entry.
        bankruptcy_allocation: how the account value is shared among positions; None is by maintenance margin.
        partial_fraction: the part of every position that a first liquidation closes; None closes all.
        cooldown_seconds: how long an account is left alone after a partial liquidation while it is solvent.
        waterfall: steps of a full liquidation in their order; None does not say.
        adl_rank: by what those are ranked who may be auto-deleveraged; None does not say.
        engine_max_latency_seconds: how long after a threshold is reached the engine may take to act; None
            sets no limit.
        loss_allocation: by what a socialised loss is shared out; None does not say.
    """

    sequence: int
    effective_at: datetime
    warning_ratio: Decimal | None
    margin_call_ratio: Decimal | None
    liquidation_boundary: Boundary
    mark_max_age_seconds: Decimal | None
    maintenance_basis: MaintenanceBasis
    bankruptcy_allocation: str | None
    partial_fraction: Decimal | None = None
    cooldown_seconds: Decimal | None = None
    waterfall: tuple[str, ...] | None = None
    adl_rank: str | None = None
    engine_max_latency_seconds: Decimal | None = None
    loss_allocation: str | None = None


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Recorded fee rates on notional, of one instrument or of all."""

    sequence: int
    effective_at: datetime
    maker_rate: Decimal
    taker_rate: Decimal
    liquidation_rate: Decimal


@dataclass(frozen=True, slots=True)
class FundingSchedule:
    """Recorded funding terms, of one instrument or of all."""

    sequence: int
    effective_at: datetime
    interval_seconds: Decimal
    interest_rate: Decimal
    clamp: Decimal


class Effective(Protocol):
    """Something recorded at a sequence that applies from a time on."""

    @property
    def sequence(self) -> int:
        """Where it was recorded."""

    @property
    def effective_at(self) -> datetime:
        """From when it applies."""


Version = TypeVar("Version", bound=Effective)


def in_force(versions: Sequence[Version], at: datetime) -> Version | None:
    """Return the version with the latest ``effective_at`` not after ``at``; of equals, the last recorded.

    Args:
        versions: in rising order of (``effective_at``, ``sequence``), as the state keeps them.
        at: the moment asked about.
    """
    for version in reversed(versions):
        if version.effective_at <= at:
            return version
    return None


def of_mode(versions: Sequence[MarginSchedule], *, portfolio: bool) -> Sequence[MarginSchedule]:
    """Return the margin schedules of an instrument that hold for portfolio margin, or those for all else.

    The two stand side by side: recording one never ends the other.
    """
    if not portfolio and all(version.model != "portfolio" for version in versions):
        return versions  # nearly always, and without a copy
    return [version for version in versions if (version.model == "portfolio") == portfolio]


def with_version(versions: tuple[Version, ...], new: Version) -> tuple[Version, ...]:
    """Return ``versions`` with one more, in the order that :func:`in_force` needs."""
    if not versions or (versions[-1].effective_at, versions[-1].sequence) < (new.effective_at, new.sequence):
        return (*versions, new)
    return tuple(sorted((*versions, new), key=lambda version: (version.effective_at, version.sequence)))
