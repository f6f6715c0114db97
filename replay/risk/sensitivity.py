"""How an account's margin answers to price and to leverage, and how likely a liquidation price is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, exact, format_exact
from replay.margin import RATIO_SCALE, evaluate_account
from replay.risk.assumptions import seconds_text
from replay.risk.markets import held_instruments, moved
from replay.risk.statistics.passage import touch_probability
from replay.risk.units import Unit, units_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from ledger.canonical import JsonObject
    from replay.margin import MarginState, Market, PositionMargin
    from replay.risk.statistics.volatility import Volatility
    from replay.state.records import Account

MOVES = tuple(
    Decimal(percent).scaleb(-2) for percent in (-50, -30, -20, -10, -5, -2, 0, 2, 5, 10, 20, 30, 50)
)
LEVERAGES = tuple(Decimal(leverage) for leverage in (1, 2, 3, 5, 10, 20, 50, 100))
_OVER = frozenset({"liquidatable", "bankrupt"})


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a position's mark is from the prices at which its unit's state changes.

    Attributes:
        margin_call_distance: (margin call price − mark) ÷ mark, scale 12, half-even; None without one.
        liquidation_distance: likewise.
        probability_below: that the liquidation price below is touched within the horizon.
        probability_above: likewise above.
        probability: that either is; the sum, which is more than the truth by the chance of touching both,
            and at most 1. All three are None without volatility, or where a state is undetermined.
    """

    instrument: str
    position_side: str
    mark_price: Decimal | None
    margin_call_price: Decimal | None
    margin_call_distance: Decimal | None
    liquidation_price_below: Decimal | None
    liquidation_price_above: Decimal | None
    liquidation_distance: Decimal | None
    probability_below: Decimal | None
    probability_above: Decimal | None
    probability: Decimal | None

    def json_value(self) -> JsonObject:
        """Return the distance as JSON."""
        figures = {name: getattr(self, name) for name in self.__slots__[2:]}
        return {
            "instrument": self.instrument,
            "position_side": self.position_side,
            **{name: None if value is None else format_exact(value) for name, value in figures.items()},
        }


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One unit under one change.

    Attributes:
        change: the price move as a fraction, or the leverage.
        added: what the leverage takes to come about: paid into the unit, or out of it where negative, in
            the valuation currency; None in rows of price moves.
    """

    change: Decimal
    unit: str
    added: Decimal | None
    leverage: Decimal | None
    equity: Decimal | None
    maintenance_margin: Decimal | None
    margin_ratio: Decimal | None
    buffer: Decimal | None
    state: MarginState
    distances: tuple[Distance, ...]

    def json_value(self, change: str) -> JsonObject:
        """Return the row as JSON; ``change`` is the name of the field that holds the change."""
        figures = {name: getattr(self, name) for name in _ROW_FIGURES}
        return {
            change: format_exact(self.change),
            "unit": self.unit,
            **{name: None if value is None else format_exact(value) for name, value in figures.items()},
            "state": self.state,
            "positions": [distance.json_value() for distance in self.distances],
        }


_ROW_FIGURES = ("added", "leverage", "equity", "maintenance_margin", "margin_ratio", "buffer")


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """An account's sensitivity: as it stands, to price moves, and to leverage.

    Attributes:
        horizon: of the probabilities.
        by_price: rows by move and unit; probabilities are of the time after the move.
        by_leverage: rows by leverage and unit; leverages that the unit cannot be brought to are left out.
    """

    horizon: timedelta
    now: tuple[SensitivityRow, ...]
    by_price: tuple[SensitivityRow, ...]
    by_leverage: tuple[SensitivityRow, ...]

    def json_value(self) -> JsonObject:
        """Return the study as JSON."""
        return {
            "within_seconds": seconds_text(self.horizon),
            "now": [row.json_value("move") for row in self.now],
            "by_price": [row.json_value("move") for row in self.by_price],
            "by_leverage": [row.json_value("target_leverage") for row in self.by_leverage],
        }


class SensitivityStudy:
    """An account in a market, and what is known of the volatility of what it holds.

    Args:
        volatilities: by instrument; without one there are no probabilities.
        interval: of their ``per_interval``.
        horizon: of the probabilities.
    """

    def __init__(
        self,
        account: Account,
        market: Market,
        volatilities: Mapping[str, Volatility],
        interval: timedelta,
        horizon: timedelta,
    ) -> None:
        self._account = account
        self._market = market
        self._volatilities = volatilities
        self._interval = interval
        self._horizon = horizon

    def study(
        self, moves: Sequence[Decimal] = MOVES, leverages: Sequence[Decimal] = LEVERAGES
    ) -> Sensitivity:
        """Evaluate the account under every move of its marks together, and at every leverage."""
        return Sensitivity(
            self._horizon,
            tuple(self._rows(self._account, self._market, ZERO)),
            tuple(row for move in moves for row in self._moved(move)),
            tuple(row for leverage in leverages for row in self._at_leverage(leverage)),
        )

    def _moved(self, move: Decimal) -> list[SensitivityRow]:
        held = held_instruments(self._account, self._market)
        return self._rows(self._account, moved(self._market, held, move), move)

    @exact()
    def _at_leverage(self, leverage: Decimal) -> list[SensitivityRow]:
        """Bring each unit, by itself, to a leverage: pay in or out until equity is notional ÷ leverage."""
        rows = []
        for unit in units_of(evaluate_account(self._account, self._market, with_prices=False)):
            if unit.notional is None or unit.equity is None:
                continue
            wanted = divide(unit.notional, leverage, scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN)
            added = wanted - unit.equity
            account = _with_added(self._account, self._market, unit, added)
            if account is None:
                continue
            rows += [
                replace(row, added=added)
                for row in self._rows(account, self._market, leverage)
                if row.unit == unit.name
            ]
        return rows

    def _rows(self, account: Account, market: Market, change: Decimal) -> list[SensitivityRow]:
        return [
            SensitivityRow(
                change,
                unit.name,
                None,
                unit.leverage,
                unit.equity,
                unit.maintenance_margin,
                unit.margin_ratio,
                unit.buffer,
                unit.state,
                tuple(self._distance(unit, position) for position in unit.positions),
            )
            for unit in units_of(evaluate_account(account, market))
        ]

    def _distance(self, unit: Unit, position: PositionMargin) -> Distance:
        below = self._probability(unit, position, position.liquidation_price_below)
        above = self._probability(unit, position, position.liquidation_price_above)
        either = None if below is None or above is None else min(below + above, ONE)
        return Distance(
            position.instrument,
            position.position_side,
            position.mark_price,
            position.margin_call_price,
            _share(position.mark_price, position.margin_call_price),
            position.liquidation_price_below,
            position.liquidation_price_above,
            _share(position.mark_price, position.liquidation_price),
            below,
            above,
            either,
        )

    def _probability(self, unit: Unit, position: PositionMargin, barrier: Decimal | None) -> Decimal | None:
        volatility = self._volatilities.get(position.instrument)
        mark = position.mark_price
        if volatility is None or mark is None or mark <= 0 or unit.state == "undetermined":
            return None
        if unit.state in _OVER:
            return ONE  # it is there already; the stated prices are those of its way back
        if barrier is None:
            return ZERO
        return touch_probability(mark, barrier, volatility.per_interval, self._interval, self._horizon)


def _with_added(account: Account, market: Market, unit: Unit, added: Decimal) -> Account | None:
    """Return the account with a value, in the valuation currency, paid into a unit; None if it cannot be."""
    if unit.key is None:
        currency = market.valuation_currency
        balance = account.balances.get(currency, ZERO) + added
        return replace(account, balances={**account.balances, currency: balance})
    position = account.positions[unit.key]
    rate = market.rate(position.settlement_asset)
    if position.isolated_margin is None or not rate:
        return None
    amount = divide(added, rate, scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN)
    changed = replace(position, isolated_margin=position.isolated_margin + amount)
    return replace(account, positions={**account.positions, unit.key: changed})


def _share(mark: Decimal | None, price: Decimal | None) -> Decimal | None:
    if mark is None or price is None or mark <= 0:
        return None
    with exact():
        return divide(price - mark, mark, scale=RATIO_SCALE, rounding=Rounding.HALF_EVEN)
