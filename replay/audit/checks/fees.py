"""Did anybody pay more in fees, or get more in rebates, than the fee schedule gives?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, cast

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.terms import asset_unit, moment_of, terms_in_force
from replay.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.events.cash import FeeCharged
    from ledger.events.envelope import Event
    from ledger.events.trading import FillRecorded, TradeExecuted
    from replay.audit.facts import Facts
    from replay.state.records import Instrument
    from replay.state.schedules import FeeSchedule
    from replay.state.venue_state import VenueState

BEYOND_SCHEDULE = FindingKind(
    "fee_beyond_schedule",
    Severity.ERROR,
    "A fill's fee is greater than the rate of the fee schedule in force × notional at the fill's price, "
    "rounded up to one unit of the asset, or its rebate is greater than the schedule gives. The rate is "
    "the maker's or the taker's as the fill says, else the greater (of a rebate: the lesser) of the two; "
    "for purposes `liquidation` and `adl` it is the greater of the taker's and the liquidation rate. The "
    "other case is a liquidation whose FeeCharged (those that refer to it and are paid by the liquidated "
    "account) come to more than liquidation rate × notional of its fills, rounded up for each of them. Only "
    "fees in the settlement asset are compared, and none on options: venues charge them on the underlying, "
    "and that is not modelled. Evidence: the fill and the fee schedule; of a liquidation fee the charges "
    "and the fills.",
)

_EXACT = Decimal(1).scaleb(-MAXIMUM_SCALE)
_ON_OPTIONS = "are on options, whose fees on the underlying are not modelled"

_Purpose = Literal["trade", "liquidation", "adl"]
_Liquidity = Literal["maker", "taker"]


@dataclass(slots=True)
class _Side:
    """One account's side of a fill, with what it paid."""

    account: str
    instrument: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str | None
    purpose: _Purpose = "trade"
    liquidity: _Liquidity | None = None


@dataclass(slots=True)
class _LiquidationFees:
    """What a liquidation was charged by FeeCharged, and what its fills allow.

    Attributes:
        allowed: by asset, of each fill, at scale 18 rounded up.
        charges: (sequence, asset, amount) of each charge.
        units: the finest unit of an asset that its charges show.
        fills: sequences.
        unknown: why the liquidation rate gives nothing that the charges could be held against; else None.
    """

    account: str
    allowed: dict[str, list[Decimal]] = field(default_factory=dict)
    charges: list[tuple[int, str, Decimal]] = field(default_factory=list)
    units: dict[str, Decimal] = field(default_factory=dict)
    fills: list[int] = field(default_factory=list)
    unknown: str | None = None


class Fees(Check):
    """Compares every fee with the schedule in force; memory grows with the liquidations alone."""

    name = "fee_beyond_schedule"
    kinds = (BEYOND_SCHEDULE,)
    event_types = frozenset({"FillRecorded", "TradeExecuted", "FeeCharged"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._liquidations: dict[str, _LiquidationFees] = {}
        self._skipped: Counter[str] = Counter()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at the fees of a fill, a trade or a charge."""
        match event.type:
            case "FillRecorded":
                self._fill(state, event, cast("FillRecorded", event.data))
            case "TradeExecuted":
                trade = cast("TradeExecuted", event.data)
                for account, fee in ((trade.buyer, trade.buyer_fee), (trade.seller, trade.seller_fee)):
                    side = _Side(account, trade.instrument, trade.quantity, trade.price, fee, trade.fee_asset)
                    self._compare(state, event, side)
            case _:
                charge = cast("FeeCharged", event.data)
                fees = self._of_liquidation(state, charge.reference, charge.account)
                if fees is not None:
                    fees.charges.append((event.sequence, charge.asset, charge.amount))
                    unit = asset_unit(state, charge.asset, charge.amount)
                    fees.units[charge.asset] = min(unit, fees.units.get(charge.asset, unit))

    def _fill(self, state: VenueState, event: Event, fill: FillRecorded) -> None:
        if fill.fee:
            side = _Side(
                fill.account,
                fill.instrument,
                fill.quantity,
                fill.price,
                fill.fee,
                fill.fee_asset,
                fill.purpose,
                fill.liquidity,
            )
            self._compare(state, event, side)
        fees = self._of_liquidation(state, fill.liquidation, fill.account)
        if fees is None:
            return
        fees.fills.append(event.sequence)
        instrument = state.instruments.get(fill.instrument)
        schedule = terms_in_force(state.fee_schedules, fill.instrument, moment_of(state, event))
        if instrument is not None and instrument.kind == "option":
            fees.unknown = _ON_OPTIONS
        elif instrument is None or schedule is None:
            fees.unknown = fees.unknown or "of a liquidation have no fee schedule in force"
        else:
            most = charge_at(instrument, fill.quantity, fill.price, schedule.liquidation_rate, _EXACT)
            fees.allowed.setdefault(instrument.settlement_asset, []).append(most)

    def _of_liquidation(
        self, state: VenueState, liquidation: str | None, account: str
    ) -> _LiquidationFees | None:
        """Return the fees of a recorded liquidation of this account."""
        if liquidation is None or state.liquidations.get(liquidation) != account:
            return None
        return self._liquidations.setdefault(liquidation, _LiquidationFees(account))

    def _compare(self, state: VenueState, event: Event, side: _Side) -> None:
        if not side.fee:
            return
        instrument = state.instruments.get(side.instrument)
        if instrument is None:
            self._skipped["are of an instrument that is not listed"] += 1
            return
        if instrument.kind == "option":
            self._skipped[_ON_OPTIONS] += 1
            return
        asset = side.fee_asset or instrument.settlement_asset
        if asset != instrument.settlement_asset:
            self._skipped["are in another asset than the settlement asset"] += 1
            return
        schedule = terms_in_force(state.fee_schedules, side.instrument, moment_of(state, event))
        if schedule is None:
            self._skipped["have no fee schedule in force"] += 1
            return
        unit = asset_unit(state, asset, side.fee)
        quantity, price = side.quantity, side.price
        if side.fee > 0:
            most = charge_at(instrument, quantity, price, _dearest(schedule, side), unit)
            wrong, limit = side.fee > most, max(most, ZERO)
        else:
            # A rebate may be rounded up too: nobody is wronged by that.
            limit = -max(charge_at(instrument, quantity, price, -_cheapest(schedule, side), unit), ZERO)
            wrong = side.fee < limit
        if wrong:
            what = "fee" if side.fee > 0 else "rebate"
            self.report(
                BEYOND_SCHEDULE,
                f"{side.account} has a {what} of {format_exact(abs(side.fee))} {asset} on "
                f"{format_exact(quantity)} {side.instrument} at {format_exact(price)}; the schedule gives "
                f"{format_exact(abs(limit))} at most",
                account=side.account,
                instrument=side.instrument,
                sequence=event.sequence,
                evidence=(event.sequence, schedule.sequence),
                recorded=format_exact(side.fee),
                rebuilt=format_exact(limit),
            )

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Add up the charges of every liquidation."""
        for name, fees in self._liquidations.items():
            if not fees.charges:
                continue
            if fees.unknown is not None:
                self._skipped[fees.unknown] += len(fees.charges)
                continue
            self._add_up(name, fees)
        for why, count in sorted(self._skipped.items()):
            self.could_not_check(f"{count} fees {why}")

    def _add_up(self, name: str, fees: _LiquidationFees) -> None:
        """Report, for each asset, the charge with which the sum went beyond what the fills allow."""
        allowed = {asset: _rounded_up(each, fees.units.get(asset)) for asset, each in fees.allowed.items()}
        totals: dict[str, Decimal] = {}
        beyond: dict[str, int] = {}
        for sequence, asset, amount in fees.charges:
            totals[asset] = totals.get(asset, ZERO) + amount
            if totals[asset] > allowed.get(asset, ZERO):
                beyond.setdefault(asset, sequence)
        for asset, sequence in beyond.items():
            if fees.fills and asset not in allowed:
                self._skipped["are in another asset than the settlement asset"] += 1
                continue
            most = allowed.get(asset, ZERO)
            if totals[asset] <= most:
                continue
            self.report(
                BEYOND_SCHEDULE,
                f"{fees.account} was charged {format_exact(totals[asset])} {asset} for liquidation {name}; "
                f"the liquidation rate on what was closed gives {format_exact(most)} at most",
                account=fees.account,
                sequence=sequence,
                evidence=(*(each for each, _, _ in fees.charges), *fees.fills),
                recorded=format_exact(totals[asset]),
                rebuilt=format_exact(most),
            )


def _rounded_up(amounts: Sequence[Decimal], unit: Decimal | None) -> Decimal:
    """Return the sum of amounts, each rounded up to whole units where a unit is given."""
    if unit is None:
        return sum(amounts, ZERO)
    return sum((divide(each, unit, scale=0, rounding=Rounding.CEILING) * unit for each in amounts), ZERO)


def charge_at(
    instrument: Instrument, quantity: Decimal, price: Decimal, rate: Decimal, unit: Decimal
) -> Decimal:
    """Return rate × notional of a fill, rounded up to whole units of the settlement asset.

    The notional is quantity × contract_size × price (linear), or ÷ price (inverse), without sign; at
    price zero an inverse contract has none. An option's would be that of its premium.
    """
    size = quantity * instrument.contract_size * rate
    if instrument.priced_as == "linear":
        return divide(size * abs(price), unit, scale=0, rounding=Rounding.CEILING) * unit
    if not price:
        return ZERO
    return divide(size, abs(price) * unit, scale=0, rounding=Rounding.CEILING) * unit


def _dearest(schedule: FeeSchedule, side: _Side) -> Decimal:
    if side.purpose != "trade":
        return max(schedule.taker_rate, schedule.liquidation_rate)
    if side.liquidity is None:
        return max(schedule.maker_rate, schedule.taker_rate)
    return schedule.maker_rate if side.liquidity == "maker" else schedule.taker_rate


def _cheapest(schedule: FeeSchedule, side: _Side) -> Decimal:
    if side.liquidity is None:
        return min(schedule.maker_rate, schedule.taker_rate)
    return schedule.maker_rate if side.liquidity == "maker" else schedule.taker_rate
