"""What one position is worth and requires, before anything is known of the rest of its account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO
from replay.margin.contracts import entry_price, signed_value
from replay.margin.liquidation_price import Leg
from replay.margin.portfolio import PortfolioTerms
from replay.margin.results import Note
from replay.margin.terms import margin_terms

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.margin.market import Market
    from replay.margin.terms import MarginTerms
    from replay.state.records import Account, Instrument, MarginMode, Position, Price

# Notes that leave the figures certain.
_FOR_INFORMATION = frozenset({"above_last_tier"})


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """A position with its figures in the valuation currency; None is unknown, and ``notes`` say why.

    Attributes:
        determined: whether everything that decides about the position is known and evaluated.
        leg: the position for the liquidation price, where that can be found.
        inverse: whether its value hangs on the reciprocal price.
        portfolio: the terms of portfolio margin, under which it requires nothing of its own.
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
    inverse: bool = False
    portfolio: PortfolioTerms | None = None

    @property
    def equity(self) -> Decimal | None:
        """Isolated margin + unrealised PnL, in the valuation currency."""
        if self.isolated_margin is None or self.unrealised_pnl is None:
            return None
        return self.isolated_margin + self.unrealised_pnl


@dataclass(frozen=True, slots=True)
class _Required:
    """What a position requires, in the valuation currency."""

    initial_margin: Decimal
    maintenance_margin: Decimal
    leverage: Decimal | None = None
    leg: Leg | None = None


def position_figures(account: Account, position: Position, market: Market) -> PositionFigures:
    """Evaluate one position at its mark under the schedule in force; called inside ``exact()``.

    A long option requires nothing: its premium is paid. A short one without a schedule of its own is
    undetermined, and so is whatever hangs on a price or schedule that is not recorded.
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
    return _open_position(account, position, market, value_rate, isolated, notes)


def _open_position(
    account: Account,
    position: Position,
    market: Market,
    value_rate: Decimal | None,
    isolated: Decimal | None,
    notes: list[Note],
) -> PositionFigures:
    instrument = market.instruments[position.instrument]
    name, size = instrument.instrument, instrument.contract_size
    mark = _usable_mark(market, instrument, notes)
    notional = unrealised = None
    if mark is not None and value_rate is not None:
        value = signed_value(instrument.priced_as, position.quantity, size, mark.price)
        notional = abs(value) * value_rate
        unrealised = (value - position.cost) * value_rate
    portfolio = None
    required: _Required | None = None
    if account.margin_mode(name) == "portfolio":
        portfolio, required = _in_portfolio(market, instrument, position, notes)
    elif instrument.kind == "option" and position.quantity > 0:
        required = _Required(ZERO, ZERO, leg=_leg_alone(position, size, value_rate))
    else:
        terms = margin_terms(market, instrument, notes)
        if terms is not None and mark is not None:
            required = _required(account, position, terms, notes)
    schedule = market.margin_schedule(name, portfolio=account.margin_mode(name) == "portfolio")
    return PositionFigures(
        position,
        account.margin_mode(name),
        determined=all(note.code in _FOR_INFORMATION for note in notes),
        notes=tuple(notes),
        contract_size=size,
        entry_price=entry_price(instrument.priced_as, position.quantity, size, position.cost),
        mark_price=None if mark is None else mark.price,
        mark_sequence=None if mark is None else mark.sequence,
        schedule_sequence=None if schedule is None else schedule.sequence,
        notional=notional,
        unrealised_pnl=unrealised,
        initial_margin=None if required is None else required.initial_margin,
        maintenance_margin=None if required is None else required.maintenance_margin,
        isolated_margin=isolated,
        leverage=None if required is None else required.leverage,
        leg=None if required is None else required.leg,
        inverse=instrument.priced_as == "inverse",
        portfolio=portfolio,
    )


def _required(account: Account, position: Position, terms: MarginTerms, notes: list[Note]) -> _Required:
    chosen = account.leverage(position.instrument)
    if terms.beyond_tiers(position.quantity, position.cost):
        message = f"{position.instrument}: the last tier is used above its cap"
        notes.append(Note("above_last_tier", message, f"instrument/{position.instrument}"))
    return _Required(
        terms.initial_margin(position.quantity, chosen),
        terms.maintenance_margin(position.quantity, position.cost),
        terms.leverage(position.quantity, chosen),
        terms.leg(position.quantity, position.cost),
    )


def _leg_alone(position: Position, contract_size: Decimal, value_rate: Decimal | None) -> Leg | None:
    """Return a position whose value moves with its price and which requires nothing."""
    if value_rate is None or value_rate <= 0:
        return None
    return Leg(position.quantity * contract_size, position.cost, (), value_rate)


def _in_portfolio(
    market: Market, instrument: Instrument, position: Position, notes: list[Note]
) -> tuple[PortfolioTerms | None, _Required | None]:
    """Return the terms of portfolio margin; a position in a portfolio requires nothing by itself."""
    name = instrument.instrument
    if instrument.kind == "option":
        if position.quantity > 0:
            return None, _Required(ZERO, ZERO)
        message = f"{name}: a short option in a portfolio is not evaluated"
        notes.append(Note("no_option_margin_schedule", message, f"instrument/{name}"))
        return None, None
    schedule = market.margin_schedule(name, portfolio=True)
    terms = None
    if schedule is not None:
        terms = PortfolioTerms.of(schedule.parameters)
    if terms is None:
        message = f"no portfolio margin schedule of {name} is in force"
        notes.append(Note("no_portfolio_schedule", message, f"instrument/{name}"))
        return None, None
    return terms, _Required(ZERO, ZERO)


def _usable_mark(market: Market, instrument: Instrument, notes: list[Note]) -> Price | None:
    """Return the mark, noting where there is none, where it is too old or says nothing."""
    name = instrument.instrument
    subject = f"instrument/{name}"
    mark = market.mark_prices.get(name)
    if mark is None:
        notes.append(Note("no_mark_price", f"no mark price of {name} is recorded", subject))
        return None
    if market.is_stale(mark):
        message = f"the mark price of {name} (sequence {mark.sequence}) is older than the policy accepts"
        notes.append(Note("mark_price_stale", message, subject))
    if instrument.priced_as == "inverse" and mark.price <= 0:
        message = f"the mark price of {name} is {mark.price}: an inverse contract has no value there"
        notes.append(Note("mark_price_without_value", message, subject))
        return None
    return mark
