"""Margin that grows with an instrument's open interest (dYdX v4, ``open_interest_scaled``).

The initial margin fraction is ``base`` up to a lower cap of open interest and rises in a straight
line to 1 at the upper cap:

    IMF = min(base + max((OI − lower) ÷ (upper − lower), 0) × (1 − base), 1)

The maintenance margin fraction is the *base* fraction × ``maintenance_fraction``, whatever the open
interest is. Source: dYdX v4 ``protocol/x/perpetuals/lib/lib.go`` (``GetMarginRequirementsInQuoteQuantums``)
and ``types/liquidity_tier.go``. Open interest and caps are in the schedule's notional asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, Rounding, divide, exact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

BASE = "base_initial_margin_fraction"
MAINTENANCE = "maintenance_fraction"
LOWER = "open_interest_lower_cap"
UPPER = "open_interest_upper_cap"
PARAMETERS = (BASE, MAINTENANCE, LOWER, UPPER)
"""The parameters of a ``MarginScheduleSet`` of this model; all of them are needed."""


@dataclass(frozen=True, slots=True)
class OpenInterestMargin:
    """The terms of one schedule.

    Attributes:
        base: initial margin per notional while open interest is at most ``lower``; above 0, at most 1.
        maintenance_fraction: of the base initial margin.
        lower: open interest from which the fraction rises.
        upper: open interest from which it is 1; not below ``lower``.
    """

    base: Decimal
    maintenance_fraction: Decimal
    lower: Decimal
    upper: Decimal

    @classmethod
    def of(cls, parameters: Mapping[str, Decimal]) -> OpenInterestMargin | None:
        """Return the terms that a schedule's parameters state, or None where they state none."""
        if any(name not in parameters for name in PARAMETERS):
            return None
        terms = cls(parameters[BASE], parameters[MAINTENANCE], parameters[LOWER], parameters[UPPER])
        sound = 0 < terms.base <= 1 and 0 < terms.maintenance_fraction <= 1
        return terms if sound and 0 <= terms.lower <= terms.upper else None

    @property
    def maintenance_margin_rate(self) -> Decimal:
        """Maintenance margin per notional; call it inside ``exact()``."""
        return self.base * self.maintenance_fraction

    @exact()
    def initial_margin(self, notional: Decimal, open_interest: Decimal) -> Decimal:
        """Return notional × IMF at scale 18, rounded up; the division is taken once, on the amount."""
        over = open_interest - self.lower
        span = self.upper - self.lower
        if over <= 0:
            return divide(notional * self.base, ONE, scale=MAXIMUM_SCALE, rounding=Rounding.UP)
        if over >= span:
            return notional
        scaled = self.base * span + over * (ONE - self.base)
        return divide(notional * scaled, span, scale=MAXIMUM_SCALE, rounding=Rounding.UP)
