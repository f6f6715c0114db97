"""What is liquidated as one: the cross part of an account, and each of its isolated positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger.amounts import Rounding, divide, exact
from replay.margin import RATIO_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from replay.margin import AccountMargin, MarginState, PositionMargin
    from replay.state.records import PositionSide

UnitKey = tuple[str, "PositionSide"] | None
"""(instrument, position side) of an isolated position; None is the cross part."""

Level = Literal["margin_call", "liquidatable", "bankrupt"]
LEVELS: tuple[Level, ...] = ("margin_call", "liquidatable", "bankrupt")


@dataclass(frozen=True, slots=True)
class Unit:
    """The figures of one unit, in the valuation currency; None is unknown or undefined.

    Attributes:
        positions: the open ones.
        value: collateral value of the cross part, equity of an isolated position.
    """

    key: UnitKey
    positions: tuple[PositionMargin, ...]
    state: MarginState
    margin_ratio: Decimal | None
    notional: Decimal | None
    equity: Decimal | None
    value: Decimal | None
    maintenance_margin: Decimal | None

    @property
    def name(self) -> str:
        """``cross``, or ``isolated`` with what it is."""
        if self.key is None:
            return "cross"
        instrument, side = self.key
        return " ".join(["isolated", instrument, *([] if side == "both" else [side])])

    @property
    def leverage(self) -> Decimal | None:
        """Notional ÷ equity, scale 12, half-even; None where equity is not above zero."""
        if self.notional is None or self.equity is None or self.equity <= 0:
            return None
        return divide(self.notional, self.equity, scale=RATIO_SCALE, rounding=Rounding.HALF_EVEN)

    @property
    @exact()
    def buffer(self) -> Decimal | None:
        """Value − maintenance margin."""
        if self.value is None or self.maintenance_margin is None:
            return None
        return self.value - self.maintenance_margin


def units_of(margin: AccountMargin) -> list[Unit]:
    """Return the units of an account that have an open position: the cross part first."""
    open_ones = [position for position in margin.positions if position.quantity]
    cross = tuple(position for position in open_ones if position.margin_mode != "isolated")
    units = []
    if cross:
        units.append(
            Unit(
                None,
                cross,
                margin.state,
                margin.margin_ratio,
                margin.notional,
                margin.equity,
                margin.collateral_value,
                margin.maintenance_margin,
            )
        )
    units += [_isolated(position) for position in open_ones if position.margin_mode == "isolated"]
    return units


def levels_reached(state: MarginState, *, calls: bool) -> frozenset[Level]:
    """Return the levels that a state is at or beyond.

    Args:
        state: of a unit.
        calls: whether the policy in force has a margin call ratio; without one nobody is called.
    """
    reached: Iterable[Level]
    match state:
        case "bankrupt":
            reached = LEVELS
        case "liquidatable":
            reached = ("margin_call", "liquidatable")
        case "margin_call":
            reached = ("margin_call",)
        case _:
            reached = ()
    return frozenset(level for level in reached if calls or level != "margin_call")


def _isolated(position: PositionMargin) -> Unit:
    return Unit(
        (position.instrument, position.position_side),
        (position,),
        position.state,
        position.margin_ratio,
        position.notional,
        position.equity,
        position.equity,
        position.maintenance_margin,
    )
