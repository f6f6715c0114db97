"""Funding: the rate of an interval and what every holder pays or receives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, Rounding, divide, round_to
from ledger.events.cash import FundingPaid, FundingSettled
from replay.state.schedules import in_force
from replay.venue.commands import Refusal

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.state.schedules import FundingSchedule
    from replay.venue.commands import SettleFunding
    from replay.venue.risk import RiskView
    from replay.venue.venue import Venue

RATE_SCALE = 8


def settle_funding(view: RiskView, command: SettleFunding) -> Refusal | None:
    """Settle an interval: longs pay shorts when the rate is above zero.

    A payment is quantity × contract_size × mark × rate, rounded up to the settlement asset's scale:
    payers pay the fraction, receivers go without it, and what that leaves over goes to the house.
    """
    venue = view.venue
    schedule = _schedule(venue, command.instrument)
    mark = view.mark_price(command.instrument)
    premium = command.premium if command.premium is not None else _premium(view, command.instrument)
    if schedule is None or mark is None or premium is None:
        message = f"{command.instrument} has no funding schedule, mark price or index price in force"
        return Refusal("funding_undetermined", message)
    rate = funding_rate(schedule, premium)
    venue.journal.record(FundingSettled(instrument=command.instrument, rate=rate, mark_price=mark))
    contract_size = venue.instrument(command.instrument).contract_size
    for name in sorted(venue.state.accounts):
        position = venue.state.accounts[name].positions.get((command.instrument, "both"))
        if position is None or not position.quantity:
            continue
        amount = venue.to_venue(position.quantity * contract_size * mark * rate)
        venue.journal.decide(
            FundingPaid(
                account=name,
                instrument=command.instrument,
                quantity=position.quantity,
                price=mark,
                rate=rate,
                asset=venue.configuration.settlement_asset,
                amount=amount,
            )
        )
        venue.fees_due += amount
    return None


def funding_rate(schedule: FundingSchedule, premium: Decimal) -> Decimal:
    """Return premium + clamp(interest − premium, ±clamp), at scale 8, half-even (DOMAIN §2)."""
    correction = max(-schedule.clamp, min(schedule.clamp, schedule.interest_rate - premium))
    return round_to(premium + correction, RATE_SCALE, Rounding.HALF_EVEN)


def _schedule(venue: Venue, instrument: str) -> FundingSchedule | None:
    schedules = venue.state.funding_schedules
    own = in_force(schedules.get(instrument, ()), venue.journal.moment)
    return own or in_force(schedules.get("", ()), venue.journal.moment)


def _premium(view: RiskView, instrument: str) -> Decimal | None:
    listed = view.venue.state.instruments.get(instrument)
    index = None
    if listed is not None and listed.index is not None:
        index = view.venue.state.index_prices.get(listed.index)
    mark = view.mark_price(instrument)
    if index is None or index.price <= ZERO or mark is None:
        return None
    return divide(mark - index.price, index.price, scale=RATE_SCALE, rounding=Rounding.HALF_EVEN)
