"""The risk policy as the engine acts on it: every value is either carried out or refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO
from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.policies import MarginScheduleSet, RiskPolicySet

ORDER_BOOK = "order_book"
INSURANCE_FUND = "insurance_fund"
ADL = "adl"
SOCIALISED_LOSS = "socialised_loss"
WATERFALL = (ORDER_BOOK, INSURANCE_FUND, ADL, SOCIALISED_LOSS)
"""The steps of a full liquidation in the one order in which each has the remains of the one before."""

PNL_LEVERAGE = "pnl_leverage"
PRICE_LEVERAGE = "price_leverage"
ADL_RANKS = (PNL_LEVERAGE, PRICE_LEVERAGE)
"""Rankings for auto-deleveraging; :mod:`replay.venue.adl` has the formulas."""

BY_MAINTENANCE = "maintenance_margin"
BY_NOTIONAL = "notional"
_ALLOCATIONS = {
    None: BY_MAINTENANCE,
    "maintenance": BY_MAINTENANCE,
    BY_MAINTENANCE: BY_MAINTENANCE,
    BY_NOTIONAL: BY_NOTIONAL,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A risk policy, complete; ratios and fractions as numbers, times in seconds.

    Attributes:
        margin_call_ratio: maintenance margin ÷ collateral value from which an account is called, or None.
        liquidates_at_boundary: whether a margin ratio of exactly 1 liquidates.
        partial_fraction: the part of each position that a first liquidation closes; 1 closes all.
        cooldown_seconds: after a partial liquidation, how long the account is left alone while it is solvent.
        mark_max_age_seconds: an older mark decides nothing; None accepts any age.
        maintenance_on_entry: whether maintenance margin is taken on the notional at entry, not at mark.
        allocates_by: what the account value is shared among positions by.
        max_latency_seconds: how long the venue says it may take to act; for information, since how long it
            takes is :attr:`replay.venue.VenueConfiguration.processing_delay`. None says nothing.
    """

    sequence: int
    effective_at: datetime
    margin_call_ratio: Decimal | None = None
    liquidates_at_boundary: bool = True
    partial_fraction: Decimal = ONE
    cooldown_seconds: Decimal = ZERO
    mark_max_age_seconds: Decimal | None = None
    maintenance_on_entry: bool = False
    waterfall: tuple[str, ...] = WATERFALL
    adl_rank: str = PNL_LEVERAGE
    allocates_by: str = BY_MAINTENANCE
    max_latency_seconds: Decimal | None = None

    def breached(self, collateral_value: Decimal, maintenance_margin: Decimal) -> bool:
        """Tell whether what has this value and requirement is to be liquidated."""
        if collateral_value < 0:
            return True
        if maintenance_margin <= 0:
            return False
        if self.liquidates_at_boundary:
            return maintenance_margin >= collateral_value
        return maintenance_margin > collateral_value

    def calls(self, collateral_value: Decimal, maintenance_margin: Decimal) -> bool:
        """Tell whether what has this value and requirement is to be called for margin."""
        ratio = self.margin_call_ratio
        return ratio is not None and maintenance_margin > 0 and maintenance_margin >= ratio * collateral_value


DEFAULT = Policy(sequence=-1, effective_at=datetime(1, 1, 1, tzinfo=UTC))
"""What holds before a policy is recorded: liquidation at a margin ratio of 1, no calls, every step."""


def policy_of(data: RiskPolicySet, sequence: int) -> Policy:
    """Return a recorded policy as the engine carries it out.

    Raises:
        InvalidInputError: a value that the engine does not carry out; names the field.
    """
    waterfall = WATERFALL if data.waterfall is None else tuple(data.waterfall)
    if waterfall != tuple(step for step in WATERFALL if step in waterfall):
        raise _unsupported("waterfall", ", ".join(waterfall), f"steps in this order: {', '.join(WATERFALL)}")
    if not waterfall or waterfall[-1] != SOCIALISED_LOSS:
        raise _unsupported(
            "waterfall", ", ".join(waterfall), f"its last step is {SOCIALISED_LOSS}, which always finishes"
        )
    rank = data.adl_rank or PNL_LEVERAGE
    if rank not in ADL_RANKS:
        raise _unsupported("adl_rank", rank, " or ".join(ADL_RANKS))
    if data.bankruptcy_allocation not in _ALLOCATIONS:
        raise _unsupported(
            "bankruptcy_allocation", str(data.bankruptcy_allocation), f"{BY_MAINTENANCE} or {BY_NOTIONAL}"
        )
    fraction = ONE if data.partial_fraction is None else data.partial_fraction
    if fraction > 1:
        raise _unsupported("partial_fraction", str(fraction), "a fraction of at most 1")
    if data.margin_call_ratio is not None and data.margin_call_ratio >= 1:
        raise _unsupported("margin_call_ratio", str(data.margin_call_ratio), "a ratio below 1")
    return Policy(
        sequence=sequence,
        effective_at=data.effective_at,
        margin_call_ratio=data.margin_call_ratio,
        liquidates_at_boundary=data.liquidation_boundary == "at",
        partial_fraction=fraction,
        cooldown_seconds=data.cooldown_seconds or ZERO,
        mark_max_age_seconds=data.mark_max_age_seconds,
        maintenance_on_entry=data.maintenance_basis == "entry",
        waterfall=waterfall,
        adl_rank=rank,
        allocates_by=_ALLOCATIONS[data.bankruptcy_allocation],
        max_latency_seconds=data.engine_max_latency_seconds,
    )


def check_margin_schedule(data: MarginScheduleSet, settlement_asset: str) -> None:
    """Refuse a margin schedule that the engine does not carry out.

    Raises:
        InvalidInputError: names the field.
    """
    if data.model not in (None, "tiered"):
        raise _unsupported("model", str(data.model), "tiered")
    if data.notional_asset not in (None, settlement_asset):
        raise _unsupported("notional_asset", str(data.notional_asset), settlement_asset)
    if data.parameters:
        raise _unsupported("parameters", ", ".join(data.parameters), "a schedule without parameters")
    if not data.tiers:
        raise _unsupported("tiers", "none", "at least one tier")


def _unsupported(field: str, value: str, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        f"the venue engine does not carry out {value!r}",
        place=(field,),
        next_step=f"it carries out: {wanted} (docs/explanation/venue-engine.md)",
    )
