"""Recorded mark prices as a series, and samples of it at a fixed distance with its gaps named."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ledger.clock import format_time
from ledger.events.governance import CorrectionRecorded
from ledger.events.prices import MarkPriceUpdated, PriceBarRecorded
from replay.risk.assumptions import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal
    from uuid import UUID

    from ledger.canonical import JsonObject
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A mark price, or the close of a bar of mark prices, as recorded."""

    at: datetime
    sequence: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Gap:
    """Sampling times between two prices at which none is known.

    Attributes:
        after: the sampling time before the gap.
        until: the one after it.
        missing: how many lie between them.
    """

    after: datetime
    until: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class Samples:
    """Prices at whole multiples of an interval since 1970; times without a price are left out.

    The price at a sampling time is the last one recorded within the interval that ends there, so that
    a bar of that length counts at its own end, and no price stands for a time when none was recorded.

    Attributes:
        instrument: whose mark prices.
        interval: their distance.
        places: sampling times, counted in intervals since 1970, rising.
        prices: above zero, one for each place.
        sequences: the events that they are from.
        unusable: how many recorded prices were zero or less and were left out.
    """

    instrument: str
    interval: timedelta
    places: tuple[int, ...]
    prices: tuple[Decimal, ...]
    sequences: tuple[int, ...]
    unusable: int = 0

    def time(self, place: int) -> datetime:
        """Return the time of a place."""
        return EPOCH + place * self.interval

    def place_at(self, at: datetime) -> int:
        """Return the last place at or before a time."""
        return (at - EPOCH) // self.interval

    def gaps(self) -> Iterator[Gap]:
        """Yield the gaps, in the order of time."""
        for before, after in zip(self.places, self.places[1:], strict=False):
            if after - before > 1:
                yield Gap(self.time(before), self.time(after), after - before - 1)

    def windows(self, steps: int) -> Iterator[tuple[int, int]]:
        """Yield (index of first price, index of last price) of windows of ``steps`` intervals side by side.

        They begin at whole multiples of their length, so that they do not overlap; those whose first or
        last price is missing are left out.
        """
        index_of = {place: index for index, place in enumerate(self.places)}
        for place, index in index_of.items():
            last = index_of.get(place + steps) if place % steps == 0 else None
            if last is not None:
                yield index, last

    def within(self, first: int | None, last: int | None) -> Samples:
        """Return the samples from one place through another; None does not limit."""
        start = 0 if first is None else bisect_right(self.places, first - 1)
        end = len(self.places) if last is None else bisect_right(self.places, last)
        return Samples(
            self.instrument,
            self.interval,
            self.places[start:end],
            self.prices[start:end],
            self.sequences[start:end],
            self.unusable,
        )

    def json_value(self) -> JsonObject:
        """Return what the samples are, without the prices: the evidence of an estimate."""
        gaps = list(self.gaps())
        return {
            "instrument": self.instrument,
            "interval_seconds": seconds_text(self.interval),
            "prices": len(self.prices),
            "first_sequence": min(self.sequences, default=None),
            "last_sequence": max(self.sequences, default=None),
            "first_time": format_time(self.time(self.places[0])) if self.places else None,
            "last_time": format_time(self.time(self.places[-1])) if self.places else None,
            "unusable_prices": self.unusable,
            "missing": sum(gap.missing for gap in gaps),
            "gaps": [
                {"after": format_time(gap.after), "until": format_time(gap.until), "missing": gap.missing}
                for gap in gaps
            ],
        }


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """The recorded mark prices of an instrument, by (``at``, ``sequence``)."""

    instrument: str
    points: tuple[PricePoint, ...]

    def until(self, at: datetime) -> PriceSeries:
        """Return the part at or before a time, and nothing of what came after."""
        return PriceSeries(self.instrument, tuple(point for point in self.points if point.at <= at))

    def sampled(self, interval: timedelta) -> Samples:
        """Return the prices at whole multiples of an interval."""
        last: dict[int, PricePoint] = {}
        unusable = 0
        for point in self.points:
            if point.price <= 0:
                unusable += 1
                continue
            last[-((EPOCH - point.at) // interval)] = point  # the first multiple at or after it
        return Samples(
            self.instrument,
            interval,
            tuple(last),
            tuple(point.price for point in last.values()),
            tuple(point.sequence for point in last.values()),
            unusable,
        )


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A price event that was seen; ``point`` is None once it is voided, or corrected to another kind."""

    payload: type[MarkPriceUpdated | PriceBarRecorded]
    at: datetime
    instrument: str
    point: PricePoint | None


@dataclass(slots=True)
class MarkPrices:
    """Collects mark prices while a fold goes by: MarkPriceUpdated, and closes of PriceBarRecorded.

    Prices that were set by hand (PriceOverridden) are no prices of the market and are left out. A
    price event that was corrected counts as corrected, one that was voided not at all.
    """

    _recorded: dict[UUID, _Recorded] = field(default_factory=dict)

    def observe(self, state: VenueState, event: Event) -> None:
        """Take an event; an observer that is called after each folded one."""
        if isinstance(event.data, MarkPriceUpdated | PriceBarRecorded):
            self._take(event.id, event.data, event.occurred_at, event.sequence)
        elif isinstance(event.data, CorrectionRecorded):
            # The state knows which event a chain of corrections began with.
            self._correct(state.corrected.get(event.id, event.data.corrects), event.data, event.sequence)

    def series(self, instrument: str) -> PriceSeries:
        """Return the prices of an instrument so far, in the order of time."""
        points = [
            each.point
            for each in self._recorded.values()
            if each.instrument == instrument and each.point is not None
        ]
        return PriceSeries(instrument, tuple(sorted(points, key=lambda point: (point.at, point.sequence))))

    def instruments(self) -> frozenset[str]:
        """Return the instruments that have prices."""
        return frozenset(each.instrument for each in self._recorded.values() if each.point is not None)

    def _take(
        self, root: UUID, data: MarkPriceUpdated | PriceBarRecorded, at: datetime, sequence: int
    ) -> None:
        point = None
        if isinstance(data, MarkPriceUpdated):
            point = PricePoint(at, sequence, data.price)
        elif data.kind == "mark":
            point = PricePoint(at, sequence, data.close)
        if point is not None or root in self._recorded:
            self._recorded[root] = _Recorded(type(data), at, data.instrument, point)

    def _correct(self, root: UUID, correction: CorrectionRecorded, sequence: int) -> None:
        recorded = self._recorded.get(root)
        if recorded is None:
            return
        self._recorded[root] = replace(recorded, point=None)
        if correction.replacement is None:
            return
        try:
            data = recorded.payload.model_validate(correction.replacement)
        except ValidationError:
            return  # the projection reports it; a price in doubt is no evidence
        self._take(root, data, recorded.at, sequence)
