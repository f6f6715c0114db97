"""What a takeover at bankruptcy prices amounts to at the mark, and how exactly that can be known.

A position that is taken over at its bankruptcy price leaves nothing behind: with ``a`` the part of
the account value that stood behind it, a long of mark notional ``n`` goes for ``n − a`` and a
short for ``n + a``. Read backwards, takeover notionals and the recorded account value give the
notional that was liquidated, which is compared with the recorded one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide, exact
from replay.margin import allocated_value

if TYPE_CHECKING:
    from collections.abc import Sequence

TAKEOVER_SCALE = MAXIMUM_SCALE
TAKEOVER_ROUNDING = Rounding.HALF_EVEN
# However coarsely prices seem to be printed, more than this part of the notional is never put down to it.
LARGEST_PRINTING_ERROR = Decimal("0.0001")
COARSEST_AMOUNT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class TakenOver:
    """One position that was taken over, in one currency.

    Attributes:
        notional: Σ quantity × contract_size × price of the takeover fills, without sign.
        long: whether a long was closed.
        uncertainty: by how much ``notional`` may be off because prices are printed to so many places.
        mark_notional: at the recorded mark just before; None without one.
        maintenance_margin: at that mark under the schedule in force; None without one.
    """

    notional: Decimal
    long: bool
    uncertainty: Decimal = ZERO
    mark_notional: Decimal | None = None
    maintenance_margin: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LiquidatedNotional:
    """The notional that a takeover implies.

    Attributes:
        at_mark: of each position, in the order given: its takeover brought back to the mark.
        tolerance: by how much their sum may differ from the recorded notional by rounding alone.
        by_maintenance_margin: whether the account value was shared in proportion to maintenance
            margin; else to notional.
    """

    at_mark: tuple[Decimal, ...]
    tolerance: Decimal
    by_maintenance_margin: bool

    @property
    def total(self) -> Decimal:
        """The sum over positions; call it inside ``exact()``."""
        return sum(self.at_mark, ZERO)


@exact()
def liquidated_notional(
    positions: Sequence[TakenOver],
    account_value: Decimal,
    notional: Decimal,
    *,
    amount_unit: Decimal | None = None,
    by_notional: bool = False,
) -> LiquidatedNotional | None:
    """Bring takeover notionals back to the mark, in the currency of the amounts given.

    The account value is shared in proportion to maintenance margin where that of every position is
    known and the rates differ; else in proportion to notional: with r = account value ÷ notional
    that is takeover notional ÷ (1 − r) for longs and ÷ (1 + r) for shorts, at scale 18, half-even.
    Source: Hyperliquid's published history; dYdX v4 for shares by maintenance margin (DOMAIN §2).

    Args:
        positions: what was taken over; none gives None.
        account_value: as recorded; below zero when bankrupt.
        notional: as recorded.
        amount_unit: in which both amounts are printed, where the scale of their currency is listed.
        by_notional: the policy shares by notional whatever the maintenance rates are.

    Returns:
        None where account value and notional leave no takeover price: r outside −1 < r < 1 on the
        side of a position.
    """
    if not positions:
        return None
    long_divisor, short_divisor = notional - account_value, notional + account_value
    needed = [long_divisor if each.long else short_divisor for each in positions]
    if notional <= 0 or any(divisor <= 0 for divisor in needed):
        return None
    shares = None if by_notional else _shares_by_maintenance_margin(positions, account_value)
    if shares is None:
        at_mark = [
            divide(each.notional * notional, divisor, scale=TAKEOVER_SCALE, rounding=TAKEOVER_ROUNDING)
            for each, divisor in zip(positions, needed, strict=True)
        ]
    else:
        at_mark = [
            each.notional + share if each.long else each.notional - share
            for each, share in zip(positions, shares, strict=True)
        ]
    tolerance = printed_unit(notional, amount_unit) + printed_unit(account_value, amount_unit)
    for each, divisor in zip(positions, needed, strict=True):
        uncertainty = min(each.uncertainty, each.notional * LARGEST_PRINTING_ERROR)
        tolerance += divide(
            uncertainty * notional, divisor, scale=TAKEOVER_SCALE, rounding=Rounding.UP
        ) + Decimal(1).scaleb(-TAKEOVER_SCALE)
    return LiquidatedNotional(tuple(at_mark), tolerance, shares is not None)


def printed_unit(amount: Decimal, listed: Decimal | None) -> Decimal:
    """Return one unit in the last place to which an amount is printed.

    Args:
        amount: as recorded, without superfluous zeros.
        listed: one unit at the scale of the currency where that is listed; it is the answer then. Else
            the amount shows it, and no amount is taken to be printed more coarsely than to 1/100.
    """
    if listed is not None:
        return listed
    exponent = amount.as_tuple().exponent
    return min(Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0), COARSEST_AMOUNT)


def _shares_by_maintenance_margin(
    positions: Sequence[TakenOver], account_value: Decimal
) -> list[Decimal] | None:
    """Return each position's share of the account value; None where unknown, or by notional anyway."""
    known = [
        (each.maintenance_margin, each.mark_notional)
        for each in positions
        if each.maintenance_margin is not None and each.mark_notional is not None
    ]
    if len(known) < len(positions):
        return None
    total = sum((margin for margin, _ in known), ZERO)
    first_margin, first_notional = known[0]
    equal = all(margin * first_notional == first_margin * notional for margin, notional in known)
    if equal or total <= 0:
        return None
    shares = [allocated_value(account_value, margin, total) for margin, _ in known[:-1]]
    return [*shares, account_value - sum(shares, ZERO)]
