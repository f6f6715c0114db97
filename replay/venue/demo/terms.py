"""The demo venue's terms: instruments, schedules, policy."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.events.instruments import AssetListed, InstrumentListed
from ledger.events.policies import (
    CollateralScheduleSet,
    CollateralTier,
    FeeScheduleSet,
    FundingScheduleSet,
    MarginScheduleSet,
    MarginTier,
    RiskPolicySet,
)
from replay.margin.tiered import maintenance_amounts
from replay.state.schedules import MarginTier as TierRecord
from replay.venue.demo.market import COINS
from replay.venue.policy import PNL_LEVERAGE, WATERFALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ledger.events.base import Payload

SETTLEMENT_ASSET = "USDT"

# (notional floor, maintenance margin rate, max leverage)
_TIERS = {
    "BTC": (("0", "0.01", "50"), ("500000", "0.015", "25"), ("2000000", "0.025", "10")),
    "ETH": (("0", "0.0125", "40"), ("250000", "0.02", "20"), ("1000000", "0.03", "10")),
}


def terms(effective_at: datetime) -> Iterator[Payload]:
    """Yield what the venue records before anybody trades."""
    yield AssetListed(asset=SETTLEMENT_ASSET, scale=Decimal(6))
    for coin in COINS:
        yield InstrumentListed(
            instrument=coin.instrument,
            kind="perpetual",
            contract="linear",
            base=coin.name,
            quote=SETTLEMENT_ASSET,
            settlement_asset=SETTLEMENT_ASSET,
            contract_size=Decimal(1),
            tick_size=coin.tick_size,
            index=coin.name,
        )
    for coin in COINS:
        yield MarginScheduleSet(
            instrument=coin.instrument,
            effective_at=effective_at,
            model="tiered",
            notional_asset=SETTLEMENT_ASSET,
            tiers=_margin_tiers(coin.name),
        )
    yield CollateralScheduleSet(
        asset=SETTLEMENT_ASSET,
        effective_at=effective_at,
        tiers=[
            CollateralTier(value_floor=Decimal(0), value_cap=Decimal(2_000_000), collateral_rate=Decimal(1)),
            CollateralTier(value_floor=Decimal(2_000_000), collateral_rate=Decimal("0.95")),
        ],
    )
    yield FeeScheduleSet(
        effective_at=effective_at,
        maker_rate=Decimal("0.0002"),
        taker_rate=Decimal("0.0005"),
        liquidation_rate=Decimal("0.0075"),
    )
    yield FundingScheduleSet(
        effective_at=effective_at,
        interval_seconds=Decimal(28_800),
        interest_rate=Decimal("0.0001"),
        clamp=Decimal("0.0005"),
    )
    yield RiskPolicySet(
        effective_at=effective_at,
        warning_ratio=Decimal("0.4"),
        margin_call_ratio=Decimal("0.5"),
        liquidation_boundary="at",
        mark_max_age_seconds=Decimal(600),
        waterfall=list(WATERFALL),
        adl_rank=PNL_LEVERAGE,
        bankruptcy_allocation="maintenance_margin",
        maintenance_basis="mark",
        engine_max_latency_seconds=Decimal(1),
    )


def _margin_tiers(coin: str) -> list[MarginTier]:
    rows = [(Decimal(floor), Decimal(rate), Decimal(leverage)) for floor, rate, leverage in _TIERS[coin]]
    caps = [floor for floor, _, _ in rows[1:]] + [None]
    records = [
        TierRecord(floor, cap, rate, Decimal(0), leverage)
        for (floor, rate, leverage), cap in zip(rows, caps, strict=True)
    ]
    return [
        MarginTier(
            notional_floor=record.notional_floor,
            notional_cap=record.notional_cap,
            maintenance_margin_rate=record.maintenance_margin_rate,
            maintenance_amount=amount,
            max_leverage=record.max_leverage,
        )
        for record, amount in zip(records, maintenance_amounts(records), strict=True)
    ]
