"""What can be done wrong in a liquidation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.days.amounts import ZERO

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(slots=True)
class Fault:
    """What a scene wants done wrong; nothing of it is set in an engine that keeps the rules.

    Attributes:
        schedule: id of the schedule event that the decision names.
        mark_off: added to the mark that the decision names.
        ratio_off: added to the margin ratio that the decision names.
        bankruptcy_off: added to the bankruptcy price of the first takeover.
        listed_price_off: added to the price of the first takeover, but not to its fill's.
        price: at which the position is closed.
        quantity_off: closed beyond what is held, in contracts.
        fee_factor: of the liquidation fee that the schedule allows.
        drawn_off: added to what the fund pays.
        loss_off: added to what is shared out.
        kept_back: what the fund keeps although a loss is shared out.
        share_off: moved from one bearer of a loss to another.
        rank_off: how many places of the queue auto-deleveraging skips.
        overdraw: whether the fund pays more than it has.
        notional_off: added to the notional that the outcome states.
        value_off: added to the account value that the outcome states.
    """

    schedule: str | None = None
    mark_off: Decimal = ZERO
    ratio_off: Decimal = ZERO
    bankruptcy_off: Decimal = ZERO
    listed_price_off: Decimal = ZERO
    price: Decimal | None = None
    quantity_off: Decimal = ZERO
    fee_factor: Decimal = ZERO
    drawn_off: Decimal = ZERO
    loss_off: Decimal = ZERO
    kept_back: Decimal = ZERO
    share_off: Decimal = ZERO
    rank_off: int = 0
    overdraw: bool = False
    notional_off: Decimal = ZERO
    value_off: Decimal = ZERO


FAULTLESS = Fault()
