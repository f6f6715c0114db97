"""Is everything in the ledger that a source says it sent?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from ledger.amounts import format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.governance import SourceTotalsReported
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

COUNTS_DIFFER = FindingKind(
    "source_counts_differ",
    Severity.ERROR,
    "A SourceTotalsReported gives a number of events of a type that the ledger does not hold. Counted are "
    "the events that name this source, occurred at or after `from` and before `to`, and are recorded "
    "before the report; of types that it does not name nothing is said, and SourceTotalsReported itself "
    "and LedgerOpened never count. Events are counted in whole minutes: a number that the minutes of "
    "`from` and `to` leave open is not reported. Evidence: the report.",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000
"""In microseconds."""
_MINUTES_A_DAY = 1_440

_NEVER_COUNTED = frozenset({"SourceTotalsReported", "LedgerOpened"})


@dataclass(slots=True)
class _Counts:
    """Events of one type of one source.

    Attributes:
        first: the earliest time, in microseconds from 1970.
        last: the latest time.
        at_last: how many at that time.
        minutes: how many by the minute in which they occurred, counted from 1970.
        days: likewise by day, so that a question costs two days of minutes and not all of them.
    """

    first: int
    last: int
    at_last: int = 0
    minutes: dict[int, int] = field(default_factory=dict)
    days: dict[int, int] = field(default_factory=dict)

    def add(self, at: int) -> None:
        """Count an event."""
        self.first = min(self.first, at)
        if at > self.last:
            self.last, self.at_last = at, 0
        self.at_last += at == self.last
        minute = at // _MINUTE
        self.minutes[minute] = self.minutes.get(minute, 0) + 1
        day = minute // _MINUTES_A_DAY
        self.days[day] = self.days.get(day, 0) + 1

    def between(self, begin: int, end: int) -> tuple[int, int]:
        """Return how many occurred in begin ≤ time < end: at least, and at most."""
        least = most = self._in_minutes(-(-begin // _MINUTE), end // _MINUTE)
        for minute in {begin // _MINUTE, end // _MINUTE}:
            opens, closes = minute * _MINUTE, (minute + 1) * _MINUTE
            if opens >= end or closes <= begin or (begin <= opens and closes <= end):
                continue  # outside, or counted as a whole
            low = high = count = self.minutes.get(minute, 0)
            # A minute that is cut is known all the same where nothing occurred beyond the cut.
            if closes > end and self.last >= end:
                low = high = count - self.at_last
                if self.last > end:
                    low, high = 0, count
            if opens < begin and self.first < begin:
                low = 0
            least += low
            most += high
        return least, most

    def _in_minutes(self, first: int, end: int) -> int:
        """Return how many occurred in whole minutes, first ≤ minute < end."""
        first_day, end_day = -(-first // _MINUTES_A_DAY), end // _MINUTES_A_DAY
        if first_day >= end_day:
            return sum(self.minutes.get(minute, 0) for minute in range(first, end))
        days = sum(count for day, count in self.days.items() if first_day <= day < end_day)
        before = range(first, first_day * _MINUTES_A_DAY)
        after = range(end_day * _MINUTES_A_DAY, end)
        return days + sum(self.minutes.get(minute, 0) for part in (before, after) for minute in part)


class SourceCounts(Check):
    """Counts by source and type in whole minutes; memory grows with the time that is spanned."""

    name = "source_counts_differ"
    kinds = (COUNTS_DIFFER,)
    event_types = None

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._counts: dict[str, dict[str, _Counts]] = {}
        self._reported: set[str] = set()
        self._left_open = 0

    def before(self, _state: VenueState, event: Event) -> None:
        """Count an event, or compare the counts so far with what a source reports."""
        if event.type in _NEVER_COUNTED:
            if event.type == "SourceTotalsReported":
                self._compare(event, cast("SourceTotalsReported", event.data))
            return
        source = event.source
        if source is None or source.system is None:
            return
        at = (event.occurred_at - _EPOCH) // _MICROSECOND
        by_type = self._counts.setdefault(source.system, {})
        counts = by_type.get(event.type)
        if counts is None:
            counts = by_type[event.type] = _Counts(at, at)
        counts.add(at)

    def _compare(self, event: Event, report: SourceTotalsReported) -> None:
        self._reported.add(report.source)
        begin = (report.from_time - _EPOCH) // _MICROSECOND
        end = (report.to_time - _EPOCH) // _MICROSECOND
        held = self._counts.get(report.source, {})
        wrong: list[tuple[str, Decimal, str]] = []
        for name in sorted(report.counts.keys() - _NEVER_COUNTED):
            said = report.counts[name]
            counts = held.get(name, _Counts(begin, begin))
            least, most = counts.between(begin, end)
            # Some sources give the time of their last event as `to`, and count it.
            last = counts.at_last if counts.last == end else 0
            ranges = [(least, most), (least + last, most + last)]
            if not any(least <= said <= most for least, most in ranges):
                wrong.append((name, said, str(least) if least == most else f"{least} to {most}"))
            elif not any(said == least == most for least, most in ranges):
                self._left_open += 1
        if wrong:
            shown = "; ".join(
                f"{format_exact(said)} {name} are reported, {counted} recorded"
                for name, said, counted in wrong
            )
            self.report(
                COUNTS_DIFFER,
                f"source {report.source}: {shown}",
                sequence=event.sequence,
                evidence=(event.sequence,),
                recorded=format_exact(wrong[0][1]),
                rebuilt=wrong[0][2],
            )

    def finish(self, _state: VenueState) -> None:
        """Say which numbers were left open, and which sources never said how much they sent."""
        if self._left_open:
            self.could_not_check(
                f"{self._left_open} reported counts are within what the minutes of their bounds leave open"
            )
        for source in sorted(self._counts.keys() - self._reported):
            count = sum(sum(each.minutes.values()) for each in self._counts[source].values())
            self.could_not_check(
                f"source {source} reported no totals: whether its {count} events are all is not known"
            )
