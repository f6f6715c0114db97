"""One day of the venue, from the opening of its ledger to its last report."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import EXACT, rounded
from tests.simulation.days.crowd import Crowd
from tests.simulation.days.engine import Engine
from tests.simulation.days.market import Market
from tests.simulation.days.opening import open_venue
from tests.simulation.days.records import HOUR, MINUTE, PERIOD, SECOND, Moment
from tests.simulation.days.reports import attest_reserves, collect_fees, report_state, report_totals
from tests.simulation.days.terms import FUND, INSTRUMENTS, LATER_SCHEDULE, OTHER, SETTLEMENT, schedule_data
from tests.simulation.days.venue import Venue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.simulation.days.books import Books
    from tests.simulation.days.records import Record

DAY = 24 * HOUR
USUAL_EVENTS = 50_000
USUAL_STEP = 15 * SECOND
OFFSET = 3 * SECOND // 2
"""How long after the full step the marks come, so that funding stands before them."""


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """A violation that was planted, and the finding that it has to lead to.

    Attributes:
        code: of the finding.
        account: whom the finding is about, None where it is about nobody.
        sequence: the event the finding is about.
    """

    code: str
    account: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class BuiltDay:
    """A day's records, what was planted in them, and the books at the end."""

    records: list[Record]
    planted: list[PlantedFault]
    books: Books
    steps: dict[str, int]


class _Day:
    def __init__(self, seed: int, events: int, kinds: Collection[str]) -> None:
        self.venue = Venue(Random(f"day {seed}"))
        self.rng = self.venue.rng
        self.events = events
        self.kinds = kinds
        self.step = USUAL_STEP * max(1, USUAL_EVENTS // events)
        self.steps = DAY // self.step
        self.engine = Engine(self.venue)
        self.planted: list[PlantedFault] = []
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._number = 0
        customers = open_venue(self.venue, Decimal(4 * self.step // SECOND))
        self.market = Market(self.venue, self.steps)
        self.crowd = Crowd(self.venue, self.engine, customers, self.later)
        self._later_schedule = self.rng.randrange(self.steps * 11 // 24, self.steps * 12 // 24)

    def later(self, microseconds: int, deed: Callable[[], object]) -> None:
        self.at(self.venue.journal.now + microseconds, deed)

    def at(self, moment: int, deed: Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._due, (moment, self._number, deed))

    def run(self) -> None:
        journal = self.venue.journal
        self._plan()
        for step in range(max(1, 60 * SECOND // self.step), self.steps):
            start = step * self.step + OFFSET
            self._until(start)
            journal.reach(start)
            self.market.burst(step)
            self.engine.sweep()
            journal.wait(self.rng.randrange(50, 500) / 1000)
            acted = self.engine.review()
            assert journal.now < start + 2 * SECOND, "the engine is too slow"
            self._fund(acted=acted)
            if step == self._later_schedule:
                self._change_schedule(start + self.step * 5 // 6)
            else:
                self._act(step, start)
        self._until(DAY)
        self._close()

    def _until(self, moment: int) -> None:
        """Do what is due before a moment."""
        while self._due and self._due[0][0] < moment:
            due, _, deed = heapq.heappop(self._due)
            self.venue.journal.reach(due)
            deed()
            self.engine.review()

    def _act(self, step: int, start: int) -> None:
        """Let as many customers act as the day's number of events wants."""
        wanted = self.events * (step + 1) // self.steps
        number = (wanted - len(self.venue.journal.records)) // 2
        for _ in range(min(number, 12)):
            self.at(start + 2 * SECOND + self.rng.randrange(self.step - 6 * SECOND), self.crowd.act)

    def _fund(self, *, acted: bool) -> None:
        if self.venue.books.accounts[FUND].positions:
            if acted or self.rng.random() < 0.8:
                self.venue.support_fund()
            else:
                self.venue.unwind_fund()

    def _plan(self) -> None:
        for hour in range(1, 24):
            self.at(hour * HOUR, self._hourly)
        for period in range(1, DAY // PERIOD):
            self.at(period * PERIOD + 3 * SECOND, partial(report_totals, self.venue, period - 1))
        for hour in (8, 16):
            self.at(hour * HOUR, self._funding)
        for _ in range(40):
            self.at(self.rng.randrange(10 * MINUTE, DAY), self._dollar)
        for number in range(1, 140):
            self.at(number * 10 * MINUTE + SECOND, self._other_price)
        for _ in range(self.events // 160):
            self.at(self.rng.randrange(10 * MINUTE, DAY), self._report)
        announced = (self._later_schedule * self.step + OFFSET) - 2 * HOUR
        self.at(announced, self._announce_schedule)

    def _hourly(self) -> None:
        self.market.bars()
        collect_fees(self.venue)
        attest_reserves(self.venue)

    def _dollar(self) -> None:
        price = Decimal(10_000 + self.rng.randrange(-12, 13)) / 10_000
        self._asset_price(SETTLEMENT, price)

    def _other_price(self) -> None:
        self._asset_price(OTHER, rounded(self.venue.books.marks["BTC-PERP"], 0, "half_even"))

    def _asset_price(self, asset: str, price: Decimal) -> None:
        self.venue.emit("AssetPriceUpdated", {"asset": asset, "valuation_currency": "USD", "price": price})
        for account in self.venue.books.accounts.values():
            if OTHER in account.wallet:
                self.venue.books.touched.add((account.name, None))

    def _report(self) -> None:
        account = self.rng.choice(list(self.venue.books.accounts.values()))
        if not any(not order.reduce_only for order in account.orders.values()):
            report_state(self.venue, account)

    def _announce_schedule(self) -> None:
        name, tiers = LATER_SCHEDULE
        effective = self._later_schedule * self.step + OFFSET + self.step * 5 // 6
        record = self.venue.emit("MarginScheduleSet", schedule_data(name, tiers, Moment(effective)))
        self._announced = (str(record.id), tiers)

    def _change_schedule(self, moment: int) -> None:
        """Let the later schedule come into force with an event at that very moment."""
        self._until(moment - SECOND)
        assert self.venue.journal.now <= moment
        self.venue.journal.reach(moment)
        name = LATER_SCHEDULE[0]
        self.market.last(name, self.venue.books.marks[name])
        self.venue.books.schedules[name] = self._announced
        for account in self.venue.books.holders(name):
            self.venue.books.touched.add(account.unit(name))
        self.engine.review()

    def _funding(self) -> None:
        for name in INSTRUMENTS:
            rate = Decimal(self.rng.choice((-1, 1)) * self.rng.randrange(20, 400)) / 1_000_000
            mark = self.venue.books.marks[name]
            self.venue.emit("FundingSettled", {"instrument": name, "rate": rate, "mark_price": mark})
            for account in self.venue.books.holders(name):
                self._pay_funding(account.name, name, rate, mark)

    def _pay_funding(self, account: str, name: str, rate: Decimal, mark: Decimal) -> Record:
        quantity = self.venue.books.accounts[account].positions[name].quantity
        amount = quantity * INSTRUMENTS[name].contract_size * mark * rate
        data: dict[str, Any] = {
            "account": account,
            "instrument": name,
            "quantity": quantity,
            "price": mark,
            "rate": rate,
            "asset": SETTLEMENT,
            "amount": rounded(amount, 6, "half_even"),
        }
        return self.venue.emit("FundingPaid", data)

    def _close(self) -> None:
        self.venue.journal.reach(DAY)
        report_totals(self.venue, DAY // PERIOD - 1)
        collect_fees(self.venue)
        while len(self.venue.journal.records) < self.events:
            self._report()


def build_day(seed: int, events: int = USUAL_EVENTS, kinds: Collection[str] = ()) -> BuiltDay:
    """Build one day.

    Args:
        seed: the same seed gives the same day.
        events: about how many; fewer make prices rarer, not the day shorter.
        kinds: codes of findings of which one violation each is planted.
    """
    with localcontext(EXACT):
        day = _Day(seed, events, frozenset(kinds))
        day.run()
        return BuiltDay(day.venue.journal.records, day.planted, day.venue.books, day.engine.steps)
