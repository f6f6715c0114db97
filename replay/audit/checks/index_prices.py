"""Does an index price follow from its constituents, and does one of them stand apart?"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ledger.amounts import ONE, ZERO, Rounding, divide, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.events.envelope import Event
    from ledger.events.prices import IndexConstituent, IndexPriceUpdated
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

LARGEST_DEVIATION = Decimal("0.05")
FEWEST_CONSTITUENTS = 3
SMALLEST_TOLERANCE = Decimal("0.00000001")
"""Relative to the price: what no printing of an index is held to."""

CONSTITUENT_OUTLIER = FindingKind(
    "index_constituent_outlier",
    Severity.ERROR,
    "A constituent that was not excluded deviates by more than 5 % from the median of all that were not "
    "excluded, of which there are three or more. Evidence: the index price.",
)
INDEX_DIFFERS = FindingKind(
    "index_price_differs",
    Severity.ERROR,
    "An index price is not the weighted mean of the constituents that were not excluded: half-even at the "
    "price's own scale, it differs by more than one unit in the price's last place and by more than 1/10⁸ "
    "of it. Evidence: the index price.",
)


class IndexPrices(Check):
    """Looks at every index price that names its constituents."""

    name = "index_prices"
    kinds = (CONSTITUENT_OUTLIER, INDEX_DIFFERS)
    event_types = frozenset({"IndexPriceUpdated"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._without = 0

    @exact()
    def before(self, _state: VenueState, event: Event) -> None:
        """Look at an index price."""
        index = cast("IndexPriceUpdated", event.data)
        counted = [each for each in index.constituents or () if not each.excluded]
        if len(counted) >= FEWEST_CONSTITUENTS:
            self._outliers(event, index, counted)
        weight = sum((each.weight for each in counted), ZERO)
        if not weight:
            self._without += 1
            return
        weighted = sum((each.weight * each.price for each in counted), ZERO)
        self._mean(event, index, weighted, weight)

    def _outliers(self, event: Event, index: IndexPriceUpdated, counted: Sequence[IndexConstituent]) -> None:
        prices = sorted(each.price for each in counted)
        # Twice the median, so that an even number of prices needs no division.
        double = prices[(len(prices) - 1) // 2] + prices[len(prices) // 2]
        apart = [each for each in counted if abs(2 * each.price - double) > LARGEST_DEVIATION * abs(double)]
        if apart:
            shown = ", ".join(f"{each.source} {format_exact(each.price)}" for each in apart)
            median = divide(double, Decimal(2), scale=18, rounding=Rounding.HALF_EVEN)
            self.report(
                CONSTITUENT_OUTLIER,
                f"index {index.index} counts {shown}, more than 5 % away from the median "
                f"{format_exact(median)} of {len(counted)} constituents",
                sequence=event.sequence,
                evidence=(event.sequence,),
                recorded=format_exact(apart[0].price),
                rebuilt=format_exact(median),
            )

    def _mean(self, event: Event, index: IndexPriceUpdated, weighted: Decimal, weight: Decimal) -> None:
        exponent = index.price.as_tuple().exponent
        places = -exponent if isinstance(exponent, int) else 0
        mean = divide(weighted, weight, scale=max(places, 0), rounding=Rounding.HALF_EVEN)
        unit = ONE.scaleb(-places)
        if abs(index.price - mean) > max(unit, SMALLEST_TOLERANCE * abs(index.price)):
            self.report(
                INDEX_DIFFERS,
                f"index {index.index} is {format_exact(index.price)}; the weighted mean of its constituents "
                f"is {format_exact(mean)}",
                sequence=event.sequence,
                evidence=(event.sequence,),
                recorded=format_exact(index.price),
                rebuilt=format_exact(mean),
            )

    def finish(self, _state: VenueState) -> None:
        """Say how many index prices could not be worked out."""
        if self._without:
            self.could_not_check(
                f"{self._without} index prices name no constituents with a weight that were not excluded"
            )
