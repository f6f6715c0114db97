"""By what a position in an instrument is margined: mark, schedule, conversions and model, in one place.

Everything that asks for a requirement asks here: positions at their mark, orders that may still
fill, what-ifs of another quantity. The models are tiers (:mod:`replay.margin.tiered`), a fraction
that grows with open interest (:mod:`replay.margin.open_interest`) and, for options, tiers on the
underlying's index price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide
from replay.margin.contracts import signed_value
from replay.margin.liquidation_price import Leg
from replay.margin.open_interest import OpenInterestMargin
from replay.margin.results import Note
from replay.margin.tiered import effective_leverage, initial_margin, maintenance_margin, tier_for_notional
from replay.state.schedules import MarginTier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from replay.margin.market import Market
    from replay.state.records import Instrument
    from replay.state.schedules import MarginSchedule

# What a conversion of a requirement through the mark leaves over is required too.
REQUIREMENT_ROUNDING = Rounding.UP


@dataclass(frozen=True, slots=True)
class MarginTerms:
    """How positions in one instrument are margined at a moment.

    Attributes:
        mark_price: above zero where the contract is inverse.
        tiers: the requirement by notional; one tier without an amount for open-interest-scaled margin.
        notional_price: what one unit of size has as notional in the tiers' asset; None where it is the
            contract's own value at the mark.
        value_rate: settlement asset → valuation currency.
        notional_rate: settlement asset → the tiers' asset.
        margin_rate: the tiers' asset → valuation currency; with ``through`` the settlement asset's.
        through: the tiers are in the quote of a contract that settles in the base: what they require is
            divided by this price, the mark (of an option the underlying's).
        on_entry: maintenance margin is taken on the notional at entry.
        scaled: the open-interest-scaled terms, if those hold.
        open_interest: contracts of all longs.
    """

    instrument: Instrument
    schedule: MarginSchedule
    mark_price: Decimal
    tiers: Sequence[MarginTier]
    notional_price: Decimal | None
    value_rate: Decimal
    notional_rate: Decimal
    margin_rate: Decimal
    through: Decimal | None
    on_entry: bool
    scaled: OpenInterestMargin | None = None
    open_interest: Decimal = ZERO

    def notional(self, quantity: Decimal) -> Decimal:
        """Return the notional of ``quantity`` contracts at the mark, in the tiers' asset, without sign."""
        instrument = self.instrument
        if self.notional_price is not None:
            return abs(quantity) * instrument.contract_size * self.notional_price
        value = signed_value(instrument.priced_as, quantity, instrument.contract_size, self.mark_price)
        return abs(value) * self.notional_rate

    def maintenance_margin(self, quantity: Decimal, cost: Decimal) -> Decimal:
        """Return what a position of this quantity and cost requires, in the valuation currency."""
        if self.on_entry and self.notional_price is None:
            return self._valued(maintenance_margin(self.tiers, abs(cost) * self.notional_rate))
        return self._valued(maintenance_margin(self.tiers, self.notional(quantity)))

    def leverage(self, quantity: Decimal, chosen: Decimal | None) -> Decimal:
        """Return with what leverage this quantity is opened: the account's choice, at most the tier's."""
        return effective_leverage(chosen, tier_for_notional(self.tiers, self.notional(quantity)))

    def initial_margin(
        self, quantity: Decimal, chosen: Decimal | None, *, within: Decimal | None = None
    ) -> Decimal:
        """Return the initial margin of ``quantity`` contracts in the valuation currency, rounded up.

        Notional ÷ leverage; under open-interest-scaled margin no less than the scaled fraction.

        Args:
            quantity: contracts.
            chosen: the account's leverage.
            within: the position that they are part of, whose tier limits the leverage; they alone if None.
        """
        notional = self.notional(quantity)
        required = initial_margin(notional, self.leverage(quantity if within is None else within, chosen))
        if self.scaled is not None:
            interest = self.notional(self.open_interest)
            required = max(required, self.scaled.initial_margin(notional, interest))
        return self._valued(required)

    def leg(self, quantity: Decimal, cost: Decimal) -> Leg | None:
        """Return a position for the search of its liquidation price; None where the price decides nothing."""
        if self.value_rate <= 0:
            return None
        instrument = self.instrument
        size = quantity * instrument.contract_size
        inverse = instrument.priced_as == "inverse"
        fixed = self.notional_price is not None and not inverse
        depends = not fixed and not (self.on_entry and self.notional_price is None)
        return Leg(
            -size if inverse else size,
            cost,
            self.tiers if depends else (),
            self.value_rate,
            self.notional_rate,
            self.margin_rate,
            inverse=inverse,
            notional=self.notional(quantity) if inverse and self.through is not None else None,
        )

    def beyond_tiers(self, quantity: Decimal, cost: Decimal) -> bool:
        """Tell whether a position's notional is over the last tier's cap."""
        cap = self.tiers[-1].notional_cap
        if cap is None:
            return False
        entry = self.on_entry and self.notional_price is None
        return (abs(cost) * self.notional_rate if entry else self.notional(quantity)) > cap

    def _valued(self, amount: Decimal) -> Decimal:
        if self.through is not None:
            amount = divide(amount, self.through, scale=MAXIMUM_SCALE, rounding=REQUIREMENT_ROUNDING)
        return amount * self.margin_rate


def margin_terms(
    market: Market, instrument: Instrument, notes: list[Note], *, mark_price: Decimal | None = None
) -> MarginTerms | None:
    """Return how an instrument is margined now, or None with notes that say what is not known.

    Args:
        market: prices, schedules and policy.
        instrument: a listed contract.
        notes: where to say why there are no terms.
        mark_price: a hypothetical mark; the market's own if None.
    """
    name = instrument.instrument
    subject = f"instrument/{name}"
    mark = market.mark_prices.get(name)
    price = mark.price if mark is not None and mark_price is None else mark_price
    schedule = _schedule(market, instrument, notes)
    value_rate = market.rate(instrument.settlement_asset)
    if schedule is None or value_rate is None or price is None:
        return None
    if instrument.priced_as == "inverse" and price <= 0:
        notes.append(Note("mark_price_without_value", f"{name} is inverse and its mark is {price}", subject))
        return None
    scaled = OpenInterestMargin.of(schedule.parameters) if schedule.model == "open_interest_scaled" else None
    tiers: Sequence[MarginTier] = schedule.tiers
    if scaled is not None:
        highest = divide(ONE, scaled.base, scale=MAXIMUM_SCALE, rounding=Rounding.DOWN)
        tiers = (MarginTier(ZERO, None, scaled.maintenance_margin_rate, ZERO, highest),)
    rates = _rates(market, instrument, schedule, value_rate, notes)
    if rates is None:
        return None
    notional_rate, margin_rate, in_quote = rates
    notional_price = ONE if in_quote else None
    through = price if in_quote else None
    if instrument.kind == "option":
        underlying = _underlying(market, instrument, notes, in_quote=in_quote)
        if underlying is None:
            return None
        notional_price = underlying * notional_rate
        through = underlying if in_quote else None
    return MarginTerms(
        instrument,
        schedule,
        price,
        tiers,
        notional_price,
        value_rate,
        notional_rate,
        margin_rate,
        through,
        market.policy.maintenance_basis == "entry",
        scaled,
        market.open_interest.get(name, ZERO),
    )


def _schedule(market: Market, instrument: Instrument, notes: list[Note]) -> MarginSchedule | None:
    name = instrument.instrument
    subject = f"instrument/{name}"
    schedule = market.margin_schedule(name)
    what = None
    if schedule is None:
        what = "is in force"
    elif schedule.model == "tiered" and not schedule.tiers:
        what = "with tiers is in force"
    elif schedule.model == "open_interest_scaled" and OpenInterestMargin.of(schedule.parameters) is None:
        what = "with the parameters of open-interest-scaled margin is in force"
    if what is None:
        return schedule
    code = "no_option_margin_schedule" if instrument.kind == "option" else "no_margin_schedule"
    notes.append(Note(code, f"no margin schedule of {name} {what}", subject))
    return None


def _rates(
    market: Market, instrument: Instrument, schedule: MarginSchedule, value_rate: Decimal, notes: list[Note]
) -> tuple[Decimal, Decimal, bool] | None:
    """Return (settlement → tiers' asset, tiers' asset → valuation currency, whether that is the quote).

    In the quote of a contract that settles in the base, the second rate is that of the settlement asset.
    """
    name, asset = instrument.instrument, schedule.notional_asset
    inverse = instrument.contract == "inverse"
    if asset is None or asset == instrument.settlement_asset or (asset == instrument.quote and not inverse):
        return ONE, value_rate, False
    if asset == instrument.quote:
        return ONE, value_rate, True
    if asset == market.valuation_currency:
        return value_rate, ONE, False
    message = f"the margin schedule of {name} is in {asset}, neither settlement asset nor valuation currency"
    notes.append(Note("notional_asset_unknown", message, f"instrument/{name}"))
    return None


def _underlying(
    market: Market, instrument: Instrument, notes: list[Note], *, in_quote: bool
) -> Decimal | None:
    """Return what one unit of an option's underlying is worth in the settlement asset, or in the quote."""
    if instrument.contract == "inverse" and not in_quote:
        return ONE  # settled in the base: one unit is one unit
    index = None if instrument.index is None else market.index_prices.get(instrument.index)
    if index is None or index.price <= 0:
        message = f"no index price of the underlying of {instrument.instrument} is recorded"
        notes.append(Note("no_index_price", message, f"instrument/{instrument.instrument}"))
        return None
    return index.price
