"""Who breaches when: accounts followed through recorded bars of mark prices, under several schedules.

A bar tells that its low and its high were reached, not when. So a unit that is within a level at the mark
before the bar and beyond it at the bar's low or high breached it in the interval (bar's start, bar's end].
What an event settles at its own moment (a single mark price, a withdrawal) is a breach at that moment.

Positions change as the ledger records it and in no other way: nothing is closed for being liquidatable under
another schedule, so that what is seen is the requirement and not an engine. Other instruments stand at their
marks of the moment, conversion prices at the recorded ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from ledger.amounts import ZERO, exact
from ledger.events.prices import MarkPriceUpdated, PriceBarRecorded
from replay.margin import Market, evaluate_account
from replay.risk.breach_report import Bar, Breach, BreachReport, BreachRow, HeldPosition, SchedulePart
from replay.risk.holders import Holders
from replay.risk.schedules import applied_schedule
from replay.risk.units import LEVELS, levels_reached, units_of
from replay.state.records import Price

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.risk.units import Level, Unit, UnitKey
    from replay.state.records import Account
    from replay.state.schedules import MarginSchedule
    from replay.state.venue_state import VenueState

RuleName = Literal["recorded", "dynamic"]

# The fund takes positions over instead of being liquidated; an external account is not the venue's.
_NOT_FOLLOWED = frozenset({"insurance_fund", "external"})
# An index is taken at its close; at no mark of the bar is anything known but that.
_INDEX_CLOSE: Mapping[str, Decimal | None] = {"close": None}
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A set of schedules by which accounts are judged.

    Attributes:
        name: ``recorded``: the schedules of the ledger, the earliest substituted where none is in force;
            ``dynamic``: recommended ones.
        schedules: versions by instrument.
    """

    name: RuleName
    schedules: Mapping[str, Sequence[MarginSchedule]]

    def market(self, market: Market, account: Account) -> Market:
        """Return the market in which what an account holds is under this rule's schedules."""
        applied = {
            name: applied_schedule(self.schedules.get(name, ()), market.at)
            for name in {instrument for instrument, _ in account.positions}
        }
        schedules = {name: (each.always,) for name, each in applied.items() if each is not None}
        return replace(market, margin_schedules=schedules)

    def part(self, instrument: str, at: datetime) -> SchedulePart:
        """Return which schedule is applied to an instrument at a time."""
        applied = applied_schedule(self.schedules.get(instrument, ()), at)
        if applied is None:
            return SchedulePart(instrument, None, None, None, substituted=False)
        schedule = applied.schedule
        rate = schedule.tiers[0].maintenance_margin_rate if schedule.tiers else None
        effective_at = None if self.name == "dynamic" else schedule.effective_at
        return SchedulePart(instrument, schedule.sequence, effective_at, rate, applied.substituted)


@dataclass(slots=True)
class _Followed:
    """One unit under one rule, and what became of it."""

    row: BreachRow
    breaches: dict[Level, list[Breach]] = field(default_factory=lambda: {level: [] for level in LEVELS})
    notes: dict[str, None] = field(default_factory=dict)

    def open(self, level: Level) -> bool:
        """Tell whether the unit is at or beyond a level."""
        return bool(self.breaches[level]) and self.breaches[level][-1].ended_at is None

    def finished(self) -> BreachRow:
        breaches = tuple(breach for level in LEVELS for breach in self.breaches[level])
        return replace(self.row, breaches=breaches, notes=tuple(self.notes))


class BreachWatch:
    """Observers for a fold, which follow accounts through a window of time.

    Bars are kept of instruments that somebody held by then; an event is held against those whom it concerns.

    Args:
        rules: by which each account is judged.
        start: what is after it counts.
        end: what is after it does not.
        accounts: which to follow; all customers if none are named.
    """

    def __init__(
        self, rules: Sequence[Rule], start: datetime, end: datetime, accounts: Collection[str] = ()
    ) -> None:
        self._rules = rules
        self._start = start
        self._end = end
        self._accounts = frozenset(accounts)
        self._begun = False
        self._followed: dict[tuple[RuleName, str], dict[UnitKey, _Followed]] = {}
        self._seen: set[str] = set()
        self._holders = Holders()
        self._bars: dict[str, list[Bar]] = {}

    def before(self, state: VenueState, event: Event) -> None:
        """See the state that the window's first event meets."""
        if not self._begun and event.occurred_at > self._start:
            self._begun = True
            self._holders.take(state.accounts.values())
            for account in self._followed_of(state, state.accounts):
                self._look(state, account, None, {"start": None}, _Moment(self._start, self._start, -1))

    def after(self, state: VenueState, event: Event) -> None:
        """See what an event of the window did."""
        if not self._begun:
            return
        concerned = self._holders.after(state, event)
        if not self._start < event.occurred_at <= self._end:
            return
        accounts = self._followed_of(state, concerned)
        at, data = event.occurred_at, event.data
        if isinstance(data, PriceBarRecorded):
            self._bar(state, event, data, accounts)
            return
        if isinstance(data, MarkPriceUpdated):
            self._keep(data.instrument, Bar(at, at, data.price, data.price, data.price, data.price))
        for account in accounts:
            self._look(state, account, None, {"moment": None}, _Moment(at, at, event.sequence))

    def report(self) -> BreachReport:
        """Return what was seen."""
        rows = [each.finished() for followed in self._followed.values() for each in followed.values()]
        rows.sort(key=_place)
        held = {position.instrument for row in rows for position in row.positions}
        bars = {name: tuple(bars) for name, bars in sorted(self._bars.items()) if name in held}
        return BreachReport(self._start, self._end, tuple(rows), bars)

    def _followed_of(self, state: VenueState, names: Iterable[str]) -> Iterator[Account]:
        for name in names:
            account = state.accounts.get(name)
            if account is None or (self._accounts and name not in self._accounts):
                continue
            if account.profile.kind in _NOT_FOLLOWED:
                continue
            if account.positions or name in self._seen:
                yield account

    def _bar(
        self, state: VenueState, event: Event, data: PriceBarRecorded, accounts: Iterable[Account]
    ) -> None:
        microseconds = int(data.interval_seconds * _MICROSECONDS_PER_SECOND)
        begins_at = event.occurred_at - microseconds * _MICROSECOND
        moment = _Moment(max(begins_at, self._start), event.occurred_at, event.sequence)
        instrument, prices = None, _INDEX_CLOSE
        if data.kind == "mark":
            self._keep(
                data.instrument, Bar(begins_at, event.occurred_at, data.open, data.high, data.low, data.close)
            )
            # The extremes first, so that a breach names one of them where it was reached at several.
            instrument = data.instrument
            prices = {"low": data.low, "high": data.high, "open": data.open, "close": data.close}
        for account in accounts:
            self._look(state, account, instrument, prices, moment)

    def _keep(self, instrument: str, bar: Bar) -> None:
        if instrument in self._bars or self._holders.of(instrument):
            self._bars.setdefault(instrument, []).append(bar)

    @exact()
    def _look(
        self,
        state: VenueState,
        account: Account,
        instrument: str | None,
        prices: Mapping[str, Decimal | None],
        moment: _Moment,
    ) -> None:
        """Evaluate an account at each of some prices; the last one is what it is left at."""
        market = Market.of(state, moment.until)
        calls = market.policy.margin_call_ratio is not None
        for rule in self._rules:
            under_rule = rule.market(market, account)
            seen: dict[Decimal | None, list[Unit]] = {}
            for place, price in prices.items():
                if price not in seen:
                    seen[price] = units_of(
                        evaluate_account(account, _marked(under_rule, instrument, price), with_prices=False)
                    )
                for unit in seen[price]:
                    followed = self._follow(rule, account, unit, moment)
                    if unit.state == "undetermined":
                        followed.notes["undetermined"] = None
                        continue
                    reached = levels_reached(unit.state, calls=calls)
                    _record(followed, reached, place, price, moment)
            self._leave(rule, account, {unit.key: unit for unit in seen[price]}, moment, calls=calls)

    def _leave(
        self, rule: Rule, account: Account, units: Mapping[UnitKey, Unit], moment: _Moment, *, calls: bool
    ) -> None:
        """End what an account is in no more, because it recovered or because its positions were closed."""
        for key, followed in self._followed.get((rule.name, account.account), {}).items():
            unit = units.get(key)
            if unit is None:
                _end(followed, frozenset(), moment, "closed")
            elif unit.state != "undetermined":
                _end(followed, levels_reached(unit.state, calls=calls), moment, "recovered")

    def _follow(self, rule: Rule, account: Account, unit: Unit, moment: _Moment) -> _Followed:
        followed = self._followed.setdefault((rule.name, account.account), {})
        if unit.key not in followed:
            names = sorted({position.instrument for position in unit.positions})
            row = BreachRow(
                account.account,
                unit.name,
                tuple(HeldPosition.of(position) for position in unit.positions),
                unit.leverage,
                rule.name,
                tuple(rule.part(name, moment.until) for name in names),
            )
            followed[unit.key] = _Followed(row)
            self._seen.add(account.account)
        return followed[unit.key]


def _place(row: BreachRow) -> tuple[object, ...]:
    """Return where a row stands: by what is held, then by leverage, so that like stands beside like."""
    held = [(position.instrument, position.side) for position in row.positions]
    leverage = (row.leverage is None, row.leverage or ZERO)
    return held, leverage, row.account, row.unit, row.rule != "recorded"


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something happened: after one time and by another, which are the same where it is exact."""

    after: datetime
    until: datetime
    sequence: int


def _marked(market: Market, instrument: str | None, price: Decimal | None) -> Market:
    """Return the market with one mark price changed; without a price it is as it stands."""
    if instrument is None or price is None:
        return market
    mark = Price(price, market.sequence, market.at)
    return replace(market, mark_prices={**market.mark_prices, instrument: mark})


def _record(
    followed: _Followed, reached: frozenset[Level], place: str, price: Decimal | None, moment: _Moment
) -> None:
    for level in reached:
        if not followed.open(level):
            at_start = place == "start"
            followed.breaches[level].append(
                Breach(
                    level,
                    None if at_start else moment.after,
                    moment.until,
                    None if at_start else moment.sequence,
                    place,
                    price,
                )
            )


def _end(
    followed: _Followed, reached: frozenset[Level], moment: _Moment, ended_by: Literal["recovered", "closed"]
) -> None:
    for level in LEVELS:
        if followed.open(level) and level not in reached:
            last = followed.breaches[level][-1]
            followed.breaches[level][-1] = replace(last, ended_at=moment.until, ended_by=ended_by)
