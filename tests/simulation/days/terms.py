"""What trades on a synthetic day, and under which tiers, fees and policy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.simulation.days.amounts import ONE, ZERO

SETTLEMENT = "USDT"
OTHER = "BTC"
VALUATION = "USD"
SCALES = {SETTLEMENT: 6, OTHER: 8, VALUATION: 6}
UNIT = Decimal("0.000001")
FUND = "fund"
HOUSE = "house"
MAKERS = tuple(f"maker-{number}" for number in range(1, 7))


@dataclass(frozen=True, slots=True)
class Instrument:
    """A linear perpetual; ``beta`` is how much of the market's moves it makes."""

    name: str
    base: str
    contract_size: Decimal
    tick: Decimal
    lot: Decimal
    start: Decimal
    beta: Decimal
    sources: int


INSTRUMENTS = {
    each.name: each
    for each in (
        Instrument(
            "BTC-PERP", "BTC", Decimal("0.01"), Decimal("0.1"), ONE, Decimal(60000), Decimal("0.9"), 5
        ),
        Instrument(
            "ETH-PERP", "ETH", ONE, Decimal("0.01"), Decimal("0.001"), Decimal(3000), Decimal("1.1"), 4
        ),
        Instrument("XRP-PERP", "XRP", Decimal(10), Decimal("0.0001"), ONE, Decimal("2.5"), Decimal("1.3"), 5),
        Instrument("SOL-PERP", "SOL", Decimal("0.1"), Decimal("0.01"), ONE, Decimal(150), Decimal("1.2"), 4),
    )
}


CROWDED = tuple(name for name in INSTRUMENTS if name != "SOL-PERP")
"""What customers trade."""

STAGED = "SOL-PERP"
"""What only makers and the guests of scenes hold, so that a scene may move its mark."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A row of a margin schedule: maintenance margin = notional × rate − amount."""

    floor: Decimal
    cap: Decimal | None
    rate: Decimal
    amount: Decimal
    max_leverage: Decimal


def tiers_of(*rows: tuple[str, str, str]) -> tuple[Tier, ...]:
    """Return tiers of (floor, rate, greatest leverage) with the amounts that make them continuous."""
    tiers: list[Tier] = []
    amount = previous = ZERO
    for place, (floor, rate, leverage) in enumerate(rows):
        amount += Decimal(floor) * (Decimal(rate) - previous) if place else ZERO
        previous = Decimal(rate)
        cap = Decimal(rows[place + 1][0]) if place + 1 < len(rows) else None
        tiers.append(Tier(Decimal(floor), cap, previous, amount, Decimal(leverage)))
    return tuple(tiers)


SCHEDULES = {
    "BTC-PERP": tiers_of(
        ("0", "0.004", "100"),
        ("300000", "0.005", "75"),
        ("2000000", "0.01", "50"),
        ("12000000", "0.02", "25"),
    ),
    "ETH-PERP": tiers_of(
        ("0", "0.005", "75"),
        ("200000", "0.0075", "50"),
        ("1500000", "0.0125", "25"),
        ("9000000", "0.03", "10"),
    ),
    "XRP-PERP": tiers_of(("0", "0.01", "50"), ("100000", "0.015", "25"), ("800000", "0.03", "10")),
    "SOL-PERP": tiers_of(("0", "0.01", "40"), ("500000", "0.02", "20")),
}
LATER_SCHEDULE = (
    "ETH-PERP",
    tiers_of(
        ("0", "0.006", "75"),
        ("200000", "0.009", "50"),
        ("1500000", "0.015", "25"),
        ("9000000", "0.035", "10"),
    ),
)


def tier_for(tiers: tuple[Tier, ...], notional: Decimal) -> Tier:
    """Return the tier with floor < notional ≤ cap; the first also for zero."""
    for tier in tiers:
        if tier.cap is None or notional <= tier.cap:
            return tier
    return tiers[-1]


def schedule_data(instrument: str, tiers: tuple[Tier, ...], effective_at: Any) -> dict[str, Any]:
    """Return the data of a ``MarginScheduleSet``."""
    rows = []
    for tier in tiers:
        row = {
            "notional_floor": tier.floor,
            "maintenance_margin_rate": tier.rate,
            "maintenance_amount": tier.amount,
            "max_leverage": tier.max_leverage,
        }
        if tier.cap is not None:
            row["notional_cap"] = tier.cap
        rows.append(row)
    return {"instrument": instrument, "effective_at": effective_at, "tiers": rows}


HAIRCUTS = (
    (ZERO, Decimal(50000), Decimal("0.95")),
    (Decimal(50000), Decimal(250000), Decimal("0.9")),
    (Decimal(250000), Decimal(1000000), Decimal("0.8")),
)
"""Of :data:`OTHER`: (floor, cap, rate) by value; nothing counts above the last cap."""


@dataclass(frozen=True, slots=True)
class Fees:
    """Rates on notional."""

    maker: Decimal
    taker: Decimal
    liquidation: Decimal


GENERAL_FEES = Fees(Decimal("0.0002"), Decimal("0.0005"), Decimal("0.004"))
FEES = dict.fromkeys(INSTRUMENTS, GENERAL_FEES) | {
    "XRP-PERP": Fees(Decimal("-0.0001"), Decimal("0.0004"), Decimal("0.006"))
}

CALL_RATIO = Decimal("0.8")
PARTIAL_FRACTION = Decimal("0.25")
COOLDOWN_SECONDS = 10
LATENCY_SECONDS = 2
WATERFALL = ("order_book", "insurance_fund", "adl", "socialised_loss")


def policy_data(
    effective_at: Any, mark_max_age_seconds: Decimal, waterfall: tuple[str, ...]
) -> dict[str, Any]:
    """Return the data of a ``RiskPolicySet``."""
    return {
        "effective_at": effective_at,
        "warning_ratio": Decimal("0.6"),
        "margin_call_ratio": CALL_RATIO,
        "liquidation_boundary": "at",
        "partial_fraction": PARTIAL_FRACTION,
        "cooldown_seconds": Decimal(COOLDOWN_SECONDS),
        "mark_max_age_seconds": mark_max_age_seconds,
        "waterfall": list(waterfall),
        "adl_rank": "pnl_leverage",
        "bankruptcy_allocation": "maintenance_margin",
        "maintenance_basis": "mark",
        "engine_max_latency_seconds": Decimal(LATENCY_SECONDS),
        "loss_allocation": "equity",
    }
