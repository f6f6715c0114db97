"""Do mark, last and index prices of the same time keep together?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.events.envelope import Event
    from ledger.events.prices import PriceBarRecorded
    from replay.audit.facts import Facts
    from replay.state.records import Price
    from replay.state.venue_state import VenueState

LARGEST_DEVIATION = Decimal("0.1")
LARGEST_AGE = timedelta(seconds=60)
BARS_KEPT = 100_000
"""How many bars wait for their counterpart at most."""

PRICE_OUTLIER = FindingKind(
    "price_outlier",
    Severity.WARNING,
    "A mark price deviates by more than 10 % from its index price, or a last price by more than 10 % from "
    "the mark price, where the other is no older than 60 seconds; or of two bars of the same instrument, "
    "interval and end, the last prices' high is above 1.1 × the mark prices' high, or their low below 0.9 "
    "× the mark prices' low. An option's premium is no price of its underlying, and options are not "
    "compared. Evidence: the two prices or bars; the finding stands at the later one.",
)

_Kind = Literal["mark", "last"]
_BarKey = tuple[str, Decimal, "datetime"]
"""(instrument, interval in seconds, end)."""


@dataclass(frozen=True, slots=True)
class _Bar:
    sequence: int
    high: Decimal
    low: Decimal


class PriceOutliers(Check):
    """Compares a price with its counterpart when it is recorded, and bars in pairs.

    Bars of one kind wait for those of the other; how many wait is bounded, so that memory is too.
    """

    name = "price_outlier"
    kinds = (PRICE_OUTLIER,)
    event_types = frozenset({"MarkPriceUpdated", "LastPriceUpdated", "PriceOverridden", "PriceBarRecorded"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._waiting: dict[_Kind, dict[_BarKey, _Bar]] = {"mark": {}, "last": {}}
        self._given_up = 0
        self._of_options = 0

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at a price."""
        data = cast("Any", event.data)
        kind = {"MarkPriceUpdated": "mark", "LastPriceUpdated": "last"}.get(event.type) or data.kind
        if kind == "index":
            return
        listed = state.instruments.get(data.instrument)
        if listed is not None and listed.kind == "option":
            self._of_options += 1
            return
        if event.type == "PriceBarRecorded":
            self._bar(event, cast("PriceBarRecorded", event.data))
            return
        other: Price | None
        if kind == "mark":
            other = None if listed is None else state.index_prices.get(listed.index or data.instrument)
        else:
            other = state.mark_prices.get(data.instrument)
        if other is None or abs(event.occurred_at - other.occurred_at) > LARGEST_AGE:
            return
        if abs(data.price - other.price) > LARGEST_DEVIATION * abs(other.price):
            against = "index" if kind == "mark" else "mark"
            self._report(
                event,
                data.instrument,
                f"the {kind} price {format_exact(data.price)} of {data.instrument} is more than 10 % away "
                f"from the {against} price {format_exact(other.price)}",
                other.sequence,
                data.price,
                other.price,
            )

    def _bar(self, event: Event, data: PriceBarRecorded) -> None:
        key = (data.instrument, data.interval_seconds, event.occurred_at)
        bar = _Bar(event.sequence, data.high, data.low)
        kind: _Kind = "mark" if data.kind == "mark" else "last"
        counterpart: _Kind = "last" if kind == "mark" else "mark"
        other = self._waiting[counterpart].pop(key, None)
        if other is None:
            waiting = self._waiting[kind]
            waiting[key] = bar
            if len(waiting) > BARS_KEPT:
                del waiting[next(iter(waiting))]
                self._given_up += kind == "last"
            return
        last, mark = (bar, other) if kind == "last" else (other, bar)
        if last.high > (1 + LARGEST_DEVIATION) * mark.high:
            what, recorded, against = "high", last.high, mark.high
        elif last.low < (1 - LARGEST_DEVIATION) * mark.low:
            what, recorded, against = "low", last.low, mark.low
        else:
            return
        self._report(
            event,
            data.instrument,
            f"the {what} {format_exact(recorded)} of the last prices of {data.instrument} in the "
            f"{format_exact(data.interval_seconds)} s to {event.occurred_at:%Y-%m-%dT%H:%M:%SZ} is more than "
            f"10 % beyond the {what} {format_exact(against)} of the mark prices",
            other.sequence,
            recorded,
            against,
        )

    def _report(
        self, event: Event, instrument: str, message: str, other: int, recorded: Decimal, against: Decimal
    ) -> None:
        self.report(
            PRICE_OUTLIER,
            message,
            instrument=instrument,
            sequence=event.sequence,
            evidence=(other, event.sequence),
            recorded=format_exact(recorded),
            rebuilt=format_exact(against),
        )

    def finish(self, _state: VenueState) -> None:
        """Say which prices and bars had nothing that they could be compared with."""
        if self._of_options:
            self.could_not_check(
                f"{self._of_options} prices and bars are of options: a premium is no price of the underlying"
            )
        unpaired = len(self._waiting["last"]) + self._given_up
        if unpaired:
            self.could_not_check(f"{unpaired} bars of last prices have no bar of mark prices beside them")
