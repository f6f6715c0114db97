"""How finely a source prints its prices: the unit in which a printed price may be off."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ledger.amounts import exact

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from ledger.events.trading import FillRecorded
    from replay.state.records import Instrument
    from replay.state.venue_state import VenueState


class PrintedPrecision:
    """Learns from recorded fills what one unit in the last printed place of a price is.

    Amounts are recorded without superfluous zeros, so 27482 may have been printed as 27482.0. A
    source prints either steps of a fixed size or a fixed number of significant digits; the unit
    is the coarser of the finest step seen in the instrument and the finest digit by the most
    significant digits seen from the source, and never coarser than the price itself shows.
    """

    def __init__(self) -> None:
        self._finest_exponent: dict[str, int] = {}
        self._most_digits: dict[str | None, int] = {}

    def before(self, _state: VenueState, event: Event) -> None:
        """Learn from a fill."""
        if event.type != "FillRecorded":
            return
        fill = cast("FillRecorded", event.data)
        digits, exponent = _shape(fill.price)
        finest = self._finest_exponent.get(fill.instrument, 0)
        self._finest_exponent[fill.instrument] = min(finest, exponent)
        system = _system(event)
        self._most_digits[system] = max(self._most_digits.get(system, 1), digits)

    @exact()
    def unit(self, price: Decimal, instrument: Instrument, event: Event) -> Decimal:
        """Return the unit in which a printed price may be off.

        Args:
            price: as recorded.
            instrument: its tick size is the unit where it is listed and the price is on it.
            event: the fill that has the price; its source is whose printing is meant.
        """
        tick = instrument.tick_size
        if tick is not None and tick > 0 and price % tick == 0:
            return tick
        _, own = _shape(price)
        step = self._finest_exponent.get(instrument.instrument, own)
        digit = price.adjusted() + 1 - self._most_digits.get(_system(event), 1)
        return Decimal(1).scaleb(min(own, max(step, digit)))


def _shape(price: Decimal) -> tuple[int, int]:
    """Return how many significant digits a price has, and the exponent of the last."""
    _, digits, exponent = price.as_tuple()
    return len(digits), cast("int", exponent)


def _system(event: Event) -> str | None:
    return None if event.source is None else event.source.system
