"""What one position is worth and requires, before anything is known of the rest of its account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO
from replay.margin.contracts import entry_price, signed_value
from replay.margin.liquidation_price import Leg
from replay.margin.results import Note
from replay.margin.tiered import (
    effective_leverage,
    initial_margin,
    maintenance_margin,
    tier_for_notional,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.margin.market import Market
    from replay.state.records import Account, Instrument, MarginMode, Position
    from replay.state.schedules import MarginSchedule


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """A position with its figures in the valuation currency; None is unknown, and ``notes`` say why.

    Attributes:
        determined: whether everything that decides about the position is known and evaluated.
        leg: the position for the liquidation price, where that can be found.
    """

    position: Position
    margin_mode: MarginMode
    determined: bool
    notes: tuple[Note, ...]
    contract_size: Decimal = ONE
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    mark_sequence: int | None = None
    schedule_sequence: int | None = None
    notional: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    isolated_margin: Decimal | None = None
    leverage: Decimal | None = None
    leg: Leg | None = None

    @property
    def equity(self) -> Decimal | None:
        """Isolated margin + unrealised PnL, in the valuation currency."""
        if self.isolated_margin is None or self.unrealised_pnl is None:
            return None
        return self.isolated_margin + self.unrealised_pnl


@dataclass(frozen=True, slots=True)
class _Rates:
    """How a position's amounts are converted.

    Attributes:
        value: settlement asset → valuation currency.
        notional: settlement asset → notional asset of the schedule.
        tier: notional asset of the schedule → valuation currency.
    """

    value: Decimal
    notional: Decimal
    tier: Decimal


def position_figures(account: Account, position: Position, market: Market) -> PositionFigures:
    """Evaluate one position at its mark under the schedule in force; called inside ``exact()``.

    Only linear futures and perpetuals are evaluated; any other contract leaves the position
    undetermined, with a note.
    """
    name = position.instrument
    mode = account.margin_mode(name)
    subject = f"instrument/{name}"
    value_rate = market.rate(position.settlement_asset)
    notes: list[Note] = []
    if value_rate is None:
        message = f"no price of {position.settlement_asset} in {market.valuation_currency} is recorded"
        notes.append(Note("no_asset_price", message, f"asset/{position.settlement_asset}"))
    margin = position.isolated_margin
    isolated = None
    if mode == "isolated":
        if margin is None:
            notes.append(Note("no_isolated_margin", f"no isolated margin of {name} is recorded", subject))
        elif value_rate is not None:
            isolated = margin * value_rate
    elif mode == "portfolio":
        notes.append(Note("portfolio_margin", f"portfolio margin of {name} is not evaluated", subject))
    if not position.quantity:
        return PositionFigures(
            position,
            mode,
            determined=not notes,
            notes=tuple(notes),
            notional=ZERO,
            unrealised_pnl=ZERO,
            initial_margin=ZERO,
            maintenance_margin=ZERO,
            isolated_margin=isolated,
        )
    instrument = market.instruments[name]
    if instrument.contract != "linear" or instrument.kind == "option":
        kind = "options" if instrument.kind == "option" else "inverse contracts"
        message = f"{name}: the margin of {kind} is not evaluated"
        notes.append(Note("contract_not_evaluated", message, subject))
        return PositionFigures(position, mode, determined=False, notes=tuple(notes), isolated_margin=isolated)
    return _open_position(account, position, market, instrument, value_rate, isolated, notes)


def _open_position(
    account: Account,
    position: Position,
    market: Market,
    instrument: Instrument,
    value_rate: Decimal | None,
    isolated: Decimal | None,
    notes: list[Note],
) -> PositionFigures:
    name = instrument.instrument
    subject = f"instrument/{name}"
    size = position.quantity * instrument.contract_size
    mark = market.mark_prices.get(name)
    if mark is None:
        notes.append(Note("no_mark_price", f"no mark price of {name} is recorded", subject))
    elif market.is_stale(mark):
        message = f"the mark price of {name} (sequence {mark.sequence}) is older than the policy accepts"
        notes.append(Note("mark_price_stale", message, subject))
    schedule = market.margin_schedule(name)
    rates = _rates(market, instrument, schedule, value_rate, notes)
    notional = unrealised = initial = maintenance = leverage = leg = None
    if mark is not None and value_rate is not None:
        value = signed_value("linear", position.quantity, instrument.contract_size, mark.price)
        notional = abs(value) * value_rate
        unrealised = (value - position.cost) * value_rate
        if schedule is not None and rates is not None:
            at_mark = abs(value) * rates.notional
            tier = tier_for_notional(schedule.tiers, at_mark)
            leverage = effective_leverage(account.leverage(name), tier)
            initial = initial_margin(at_mark, leverage) * rates.tier
            on_entry = market.policy.maintenance_basis == "entry"
            basis = abs(position.cost) * rates.notional if on_entry else at_mark
            maintenance = maintenance_margin(schedule.tiers, basis) * rates.tier
            if value_rate > 0:
                tiers = () if on_entry else schedule.tiers
                leg = Leg(size, position.cost, tiers, value_rate, rates.notional, rates.tier)
            cap = schedule.tiers[-1].notional_cap
            if cap is not None and basis > cap:
                notes.append(Note("above_last_tier", f"{name}: the last tier is used above its cap", subject))
    # A note above the last tier is the only one that leaves the figures certain.
    determined = all(note.code == "above_last_tier" for note in notes)
    return PositionFigures(
        position,
        account.margin_mode(name),
        determined=determined,
        notes=tuple(notes),
        contract_size=instrument.contract_size,
        entry_price=entry_price("linear", position.quantity, instrument.contract_size, position.cost),
        mark_price=None if mark is None else mark.price,
        mark_sequence=None if mark is None else mark.sequence,
        schedule_sequence=None if schedule is None else schedule.sequence,
        notional=notional,
        unrealised_pnl=unrealised,
        initial_margin=initial,
        maintenance_margin=maintenance,
        isolated_margin=isolated,
        leverage=leverage,
        leg=leg,
    )


def _rates(
    market: Market,
    instrument: Instrument,
    schedule: MarginSchedule | None,
    value_rate: Decimal | None,
    notes: list[Note],
) -> _Rates | None:
    """Return the conversions under a schedule, or None with a note where it cannot be evaluated."""
    name = instrument.instrument
    subject = f"instrument/{name}"
    if schedule is None or not schedule.tiers:
        what = "is in force" if schedule is None else "with tiers is in force"
        notes.append(Note("no_margin_schedule", f"no margin schedule of {name} {what}", subject))
        return None
    if schedule.model != "tiered":
        message = f"the margin schedule of {name} has the model {schedule.model}, which is not evaluated"
        notes.append(Note("margin_model_not_evaluated", message, subject))
        return None
    if value_rate is None:
        return None
    asset = schedule.notional_asset
    if asset is None or asset in (instrument.settlement_asset, instrument.quote):
        return _Rates(value_rate, ONE, value_rate)
    if asset == market.valuation_currency:
        return _Rates(value_rate, value_rate, ONE)
    message = f"the margin schedule of {name} is in {asset}, neither settlement asset nor valuation currency"
    notes.append(Note("notional_asset_unknown", message, subject))
    return None
