"""The first minute of a day: listings, schedules, policy, accounts and what they bring."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.days.crowd import Customer
from tests.simulation.days.records import Moment
from tests.simulation.days.terms import (
    CROWDED,
    FEES,
    FUND,
    GENERAL_FEES,
    HAIRCUTS,
    HOUSE,
    INSTRUMENTS,
    MAKERS,
    OTHER,
    SCALES,
    SCHEDULES,
    SETTLEMENT,
    VALUATION,
    WATERFALL,
    policy_data,
    schedule_data,
)

if TYPE_CHECKING:
    from tests.simulation.days.terms import Fees
    from tests.simulation.days.venue import Venue

GUESTS = 48
"""Accounts that the scenes of a day use."""

_START = Moment(0)


def open_venue(venue: Venue, mark_max_age_seconds: Decimal) -> list[Customer]:
    """Write everything that has to stand before the first trade; returns the customers."""
    opened = {
        "ledger": "venue.example/days",
        "format": "margin-ledger/1",
        "description": "a synthetic day",
        "valuation_currency": VALUATION,
    }
    venue.emit("LedgerOpened", opened, system=None)
    declared = {"source": "venue", "coverage": "complete", "description": "the venue itself"}
    venue.emit("SourceDeclared", declared)
    for asset, scale in SCALES.items():
        venue.emit("AssetListed", {"asset": asset, "scale": Decimal(scale)})
    for asset, price in ((SETTLEMENT, Decimal("0.9998")), (OTHER, INSTRUMENTS["BTC-PERP"].start)):
        venue.emit("AssetPriceUpdated", {"asset": asset, "valuation_currency": VALUATION, "price": price})
    _list_terms(venue)
    venue.emit("RiskPolicySet", policy_data(_START, mark_max_age_seconds, WATERFALL))
    for name, terms in INSTRUMENTS.items():
        venue.emit("MarkPriceUpdated", {"instrument": name, "price": terms.start})
        venue.emit("LastPriceUpdated", {"instrument": name, "price": terms.start})
    _open(venue, FUND, "insurance_fund", {SETTLEMENT: Decimal(250_000)})
    _open(venue, HOUSE, "house", {SETTLEMENT: Decimal(200_000_000)})
    for maker in MAKERS:
        _open(venue, maker, "market_maker", {SETTLEMENT: Decimal(300_000_000)})
    for name, terms in INSTRUMENTS.items():
        venue.trade(MAKERS[0], name, "buy", terms.lot, terms.start, maker=MAKERS[1])
    customers = _customers(venue)
    for number in range(1, GUESTS + 1):
        _open(venue, f"guest-{number}", "customer", {})
    return customers


def _list_terms(venue: Venue) -> None:
    for name, terms in INSTRUMENTS.items():
        data: dict[str, Any] = {
            "instrument": name,
            "kind": "perpetual",
            "contract": "linear",
            "base": terms.base,
            "quote": SETTLEMENT,
            "settlement_asset": SETTLEMENT,
            "contract_size": terms.contract_size,
            "tick_size": terms.tick,
            "index": terms.base,
        }
        venue.emit("InstrumentListed", data)
        record = venue.emit("MarginScheduleSet", schedule_data(name, SCHEDULES[name], _START))
        venue.books.schedules[name] = (str(record.id), SCHEDULES[name])
    haircuts = [
        {"value_floor": low, "value_cap": high, "collateral_rate": rate} for low, high, rate in HAIRCUTS
    ]
    venue.emit("CollateralScheduleSet", {"asset": OTHER, "effective_at": _START, "tiers": haircuts})
    full = [{"value_floor": Decimal(0), "collateral_rate": Decimal(1)}]
    venue.emit("CollateralScheduleSet", {"asset": SETTLEMENT, "effective_at": _START, "tiers": full})
    _set_fees(venue, None, GENERAL_FEES)
    for name, fees in FEES.items():
        if fees is not GENERAL_FEES:
            _set_fees(venue, name, fees)
    terms_of_funding = {
        "effective_at": _START,
        "interval_seconds": Decimal(28_800),
        "interest_rate": Decimal("0.0001"),
        "clamp": Decimal("0.0005"),
    }
    venue.emit("FundingScheduleSet", terms_of_funding)


def _set_fees(venue: Venue, instrument: str | None, fees: Fees) -> None:
    data: dict[str, Any] = {
        "effective_at": _START,
        "maker_rate": fees.maker,
        "taker_rate": fees.taker,
        "liquidation_rate": fees.liquidation,
    }
    if instrument is not None:
        data["instrument"] = instrument
    venue.emit("FeeScheduleSet", data)


def _open(venue: Venue, name: str, kind: str, brings: dict[str, Decimal]) -> None:
    data = {"account": name, "margin_mode": "cross", "position_mode": "one_way", "kind": kind}
    if kind == "customer":
        data["customer"] = f"person-{name}"
    venue.emit("AccountOpened", data)
    for asset, amount in brings.items():
        venue.deposit(name, amount, asset)


def _customers(venue: Venue) -> list[Customer]:
    rng = venue.rng
    customers = []
    for number in range(1, 101):
        name = f"customer-{number}"
        wealth = Decimal(int(10 ** rng.uniform(3.5, 5.2)))
        isolated = number % 4 == 0
        traded = CROWDED if number % 3 == 0 else tuple(rng.sample(CROWDED, 1 + number % 2))
        appetite = rng.randrange(30, 90)
        leverages: tuple[int, ...] = (10, 20, 25, 40, 50)
        brings = {SETTLEMENT: wealth}
        if number % 10 == 1:  # rich in the other asset, and careful: never in trouble
            brings = {SETTLEMENT: Decimal(400_000), OTHER: Decimal(rng.randrange(100, 900)) / 100}
            wealth, appetite, leverages, isolated = Decimal(50_000), 6, (5, 10), False
        direction = 1 if rng.random() < 0.6 else -1
        if number in (2, 3, 5):  # whales, of which one is short
            wealth, appetite, leverages, isolated = Decimal(900_000), 95, (10,), False
            brings = {SETTLEMENT: wealth}
            traded, direction = (("BTC-PERP", "ETH-PERP", "ETH-PERP")[number % 3],), -1 if number == 5 else 1
        customer = Customer(name, direction, traded, isolated, appetite, wealth)
        _open(venue, name, "customer", brings)
        _settings(venue, customer, leverages)
        customers.append(customer)
    return customers


def _settings(venue: Venue, customer: Customer, leverages: tuple[int, ...]) -> None:
    for instrument in customer.instruments:
        leverage = Decimal(venue.rng.choice(leverages))
        data: dict[str, Any] = {"account": customer.name, "instrument": instrument, "leverage": leverage}
        venue.emit("LeverageSet", data)
        if customer.isolated:
            mode = {"account": customer.name, "instrument": instrument, "margin_mode": "isolated"}
            venue.emit("MarginModeSet", mode)
