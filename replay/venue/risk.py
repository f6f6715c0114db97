"""What stands behind an account's positions and what they require, as the engine sees it.

Everything settles in one asset. ``equity`` and prices are in it; ``value`` and margins are in the
valuation currency, the value after the haircut. The engine decides by these figures; they are
worked out apart from :mod:`replay.margin.account`, with which tests compare them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO
from replay.margin.tiered import (
    collateral_value,
    effective_leverage,
    maintenance_margin,
    tier_for_notional,
)
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from replay.state.records import Account, Position
    from replay.state.schedules import MarginTier
    from replay.venue.venue import MarginPot, Venue

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Exposure:
    """One open position at its mark; amounts in the settlement asset.

    Attributes:
        size: signed units of the base.
        maintenance_margin: in the settlement asset, unlike that of a :class:`Standing`.
    """

    position: Position
    size: Decimal
    mark_price: Decimal
    notional: Decimal
    unrealised_pnl: Decimal
    maintenance_margin: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """A margin pot: the cross part of an account, or one isolated position.

    Attributes:
        pot: which one.
        value: collateral value after haircut + unrealised PnL, in the valuation currency.
        maintenance_margin: in the valuation currency.
        equity: without haircut, in the settlement asset.
        rate: settlement asset → valuation currency.
    """

    pot: MarginPot
    value: Decimal
    maintenance_margin: Decimal
    equity: Decimal
    rate: Decimal
    exposures: tuple[Exposure, ...]

    @property
    def account(self) -> str:
        """The account's name."""
        return self.pot[0]

    @property
    def isolated(self) -> bool:
        """Whether this is an isolated position."""
        return bool(self.pot[1])

    @property
    def shortfall(self) -> Decimal:
        """How much maintenance margin exceeds the value; negative where it does not."""
        return self.maintenance_margin - self.value

    @property
    def notional(self) -> Decimal:
        """Notional of all positions at mark, in the settlement asset."""
        return sum((exposure.notional for exposure in self.exposures), ZERO)


class RiskView:
    """A venue's margin figures at the moment of the command that is being carried out.

    It reads the live books; policy and conversion rate are fixed when it is made. A figure that
    hangs on a price or schedule that is missing or too old is None, and nothing is decided by it.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.moment = venue.journal.moment
        self.policy = venue.policy()
        self.rate = self._rate()
        self._tiers: dict[str, tuple[MarginTier, ...]] = {}

    def mark_price(self, instrument: str) -> Decimal | None:
        """Return the mark price, or None where there is none above zero that the policy accepts."""
        price = self.venue.state.mark_prices.get(instrument)
        if price is None or price.price <= 0:
            return None
        limit = self.policy.mark_max_age_seconds
        if limit is not None:
            age = (self.moment - price.occurred_at) // _MICROSECOND
            if age > limit * _MICROSECONDS_PER_SECOND:
                return None
        return price.price

    def tiers(self, instrument: str) -> tuple[MarginTier, ...]:
        """Return the margin tiers in force; empty where there are none."""
        tiers = self._tiers.get(instrument)
        if tiers is None:
            schedule = in_force(self.venue.state.margin_schedules.get(instrument, ()), self.moment)
            tiers = self._tiers[instrument] = () if schedule is None else schedule.tiers
        return tiers

    def cross(self, account: Account) -> Standing | None:
        """Return the standing of an account's cross part; None is undetermined."""
        rate = self.rate
        if rate is None:
            return None
        balance = account.balances.get(self.venue.configuration.settlement_asset, ZERO)
        unrealised = requirement = ZERO
        exposures = []
        for key in sorted(account.positions):
            position = account.positions[key]
            if not position.quantity or account.margin_mode(key[0]) == "isolated":
                continue
            exposure = self.exposure(position)
            if exposure is None:
                return None
            exposures.append(exposure)
            unrealised += exposure.unrealised_pnl
            requirement += exposure.maintenance_margin
        return Standing(
            pot=(account.account, ""),
            value=self.collateral(balance) + unrealised * rate,
            maintenance_margin=requirement * rate,
            equity=balance + unrealised,
            rate=rate,
            exposures=tuple(exposures),
        )

    def isolated(self, account: Account) -> list[Standing]:
        """Return the standings of an account's isolated positions, without those that are undetermined."""
        standings = []
        for key in sorted(account.positions):
            position = account.positions[key]
            if position.quantity and account.margin_mode(key[0]) == "isolated":
                exposure = self.exposure(position)
                if exposure is not None and self.rate is not None:
                    equity = (position.isolated_margin or ZERO) + exposure.unrealised_pnl
                    standings.append(
                        Standing(
                            pot=(account.account, key[0]),
                            value=equity * self.rate,
                            maintenance_margin=exposure.maintenance_margin * self.rate,
                            equity=equity,
                            rate=self.rate,
                            exposures=(exposure,),
                        )
                    )
        return standings

    def standings(self, account: Account) -> Iterable[Standing]:
        """Return every standing of an account that can be determined, the cross part first."""
        cross = self.cross(account)
        if cross is not None:
            yield cross
        yield from self.isolated(account)

    def exposure(self, position: Position) -> Exposure | None:
        """Return an open position at its mark; None is undetermined."""
        mark = self.mark_price(position.instrument)
        tiers = self.tiers(position.instrument)
        if mark is None or not tiers:
            return None
        size = position.quantity * self.venue.instrument(position.instrument).contract_size
        notional = abs(size) * mark
        basis = abs(position.cost) if self.policy.maintenance_on_entry else notional
        return Exposure(
            position, size, mark, notional, size * mark - position.cost, maintenance_margin(tiers, basis)
        )

    def collateral(self, balance: Decimal) -> Decimal:
        """Return what a balance of the settlement asset counts for, in the valuation currency."""
        value = balance * (self.rate or ZERO)
        schedules = self.venue.state.collateral_schedules.get(self.venue.configuration.settlement_asset, ())
        schedule = in_force(schedules, self.moment)
        return value if schedule is None else collateral_value(schedule.tiers, value)

    def maintenance_at_mark(self, instrument: str, quantity: Decimal) -> Decimal:
        """Return the maintenance margin of a quantity at the mark, in the settlement asset.

        Raises:
            KeyError: the instrument has no usable mark price or schedule.
        """
        mark, tiers = self.mark_price(instrument), self.tiers(instrument)
        if mark is None or not tiers:
            raise KeyError(instrument)
        size = quantity * self.venue.instrument(instrument).contract_size
        return maintenance_margin(tiers, abs(size) * mark)

    def leverage(self, account: Account, instrument: str, notional: Decimal) -> Decimal:
        """Return the leverage that holds for a position of this notional: the account's, at most its tier's.

        Raises:
            IndexError: the instrument has no margin schedule in force.
        """
        return effective_leverage(
            account.leverage(instrument), tier_for_notional(self.tiers(instrument), notional)
        )

    def _rate(self) -> Decimal | None:
        settlement = self.venue.configuration.settlement_asset
        valuation = self.venue.configuration.valuation_currency
        if settlement == valuation:
            return ONE
        price = self.venue.state.asset_prices.get((settlement, valuation))
        return None if price is None or price.price <= 0 else price.price
