"""One day of the venue, from the opening of its ledger to its last report."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.days import scenes_of_decisions, scenes_of_liquidations, scenes_of_records
from tests.simulation.days.amounts import EXACT, rounded
from tests.simulation.days.crowd import Crowd
from tests.simulation.days.engine import Engine
from tests.simulation.days.market import Market
from tests.simulation.days.opening import open_venue
from tests.simulation.days.records import HOUR, MINUTE, PERIOD, SECOND, Moment
from tests.simulation.days.reports import attest_reserves, collect_fees, report_state, report_totals
from tests.simulation.days.stage import Stage
from tests.simulation.days.terms import (
    CROWDED,
    FUND,
    INSTRUMENTS,
    LATER_SCHEDULE,
    OTHER,
    SETTLEMENT,
    UNIT,
    schedule_data,
)
from tests.simulation.days.venue import Venue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.simulation.days.books import Books
    from tests.simulation.days.records import Record
    from tests.simulation.days.stage import PlantedFault

DAY = 24 * HOUR
USUAL_EVENTS = 50_000
USUAL_STEP = 15 * SECOND
OFFSET = 3 * SECOND // 2
"""How long after the full step the marks come, so that funding stands before them."""
SCENES = scenes_of_decisions.SCENES | scenes_of_liquidations.SCENES | scenes_of_records.SCENES
FUNDING_KINDS = ("funding_payment_differs", "funding_does_not_sum_to_zero", "funding_off_schedule")
KINDS = (*SCENES, *FUNDING_KINDS)
"""Codes of all findings that can be planted."""


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
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._number = 0
        customers = open_venue(self.venue, Decimal(4 * self.step // SECOND))
        self.market = Market(self.venue, self.steps)
        self.crowd = Crowd(self.venue, self.engine, customers, self.later)
        self.stage = Stage(self.venue, self.engine, self.market, self.crowd, 4 * self.step)
        self._scenes = sorted((self._place(), name) for name in SCENES)
        self._funding_faults = self._choose_funding_faults()
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
            elif not self._play(step, calm=not acted):
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

    def _place(self) -> int:
        """Return a step by chance, at which a scene may begin."""
        return self.rng.randrange(self.steps // 40, self.steps * 39 // 40)

    def _play(self, step: int, *, calm: bool) -> bool:
        """Play a scene, if one is due and the market and the hour are calm; returns whether it was."""
        if not self._scenes or self._scenes[0][0] > step or not calm or self.market.wild(step):
            return False
        if (step + 1) * self.step % HOUR < 2 * self.step:
            return False
        _, name = self._scenes.pop(0)
        self.venue.unwind_fund()
        self.engine.review()
        self.venue.journal.wait(0.2)
        SCENES[name](self.stage, wrong=name in self.kinds)
        self.stage.restore_mark()
        self.engine.review()
        assert self.venue.journal.now < (step + 1) * self.step, f"the scene {name} is too long"
        return True

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
            self.at(hour * HOUR, partial(self._funding, hour))
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

    def _choose_funding_faults(self) -> dict[tuple[int, str], str]:
        """Return (hour, instrument) → what is wrong with funding there; never two at a place."""
        places = [(hour, name) for hour in (8, 16) for name in CROWDED]
        chosen = self.rng.sample(places, len(FUNDING_KINDS))
        return {place: kind for place, kind in zip(chosen, FUNDING_KINDS, strict=True) if kind in self.kinds}

    def _funding(self, hour: int) -> None:
        for name in INSTRUMENTS:
            wrong = self._funding_faults.get((hour, name))
            rate = Decimal(self.rng.choice((-1, 1)) * self.rng.randrange(20, 400)) / 1_000_000
            mark = self.venue.books.marks[name]
            terms = {"instrument": name, "rate": rate, "mark_price": mark}
            settled = self.venue.emit("FundingSettled", terms)
            holders = [account.name for account in self.venue.books.holders(name)]
            unlucky = self.rng.choice(holders)
            if wrong == "funding_does_not_sum_to_zero":
                unlucky = max(holders, key=lambda each: self._held(each, name))
            for account in holders:
                if account != unlucky or wrong is None:
                    self._pay_funding(account, name, rate, mark)
                elif wrong == "funding_payment_differs":
                    record = self._pay_funding(account, name, rate, mark, wrong=True)
                    self.stage.expect(wrong, account, record)
                elif wrong == "funding_off_schedule":
                    self._pay_funding(account, name, rate, mark)
                    self.later(self.rng.randrange(9, 50) * SECOND, partial(self._settle_again, terms))
            if wrong == "funding_does_not_sum_to_zero":
                self.stage.expect(wrong, None, settled)

    def _held(self, account: str, name: str) -> Decimal:
        return abs(self.venue.books.accounts[account].positions[name].quantity)

    def _settle_again(self, terms: dict[str, Any]) -> None:
        record = self.venue.emit("FundingSettled", terms)
        self.stage.expect("funding_off_schedule", None, record)

    def _pay_funding(
        self, account: str, name: str, rate: Decimal, mark: Decimal, *, wrong: bool = False
    ) -> Record:
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
        if wrong:  # so little of the amount that the sum of all payments still passes
            offs = {
                "quantity": INSTRUMENTS[name].lot,
                "price": INSTRUMENTS[name].tick,
                "rate": UNIT,
                "amount": UNIT * 2,
            }
            field = self.rng.choice(list(offs))
            data[field] += offs[field] * self.rng.randrange(1, 4)
        return self.venue.emit("FundingPaid", data)

    def _close(self) -> None:
        self.venue.journal.reach(DAY)
        report_totals(self.venue, DAY // PERIOD - 1)
        collect_fees(self.venue)
        while len(self.venue.journal.records) < self.events:
            self._report()


def build_day(seed: int, events: int = USUAL_EVENTS, kinds: Collection[str] = ()) -> BuiltDay:
    """Build one day of at least 10,000 events.

    Args:
        seed: the same seed gives the same day.
        events: about how many; fewer make prices rarer, not the day shorter.
        kinds: codes of findings of which one violation each is planted.
    """
    with localcontext(EXACT):
        day = _Day(seed, events, frozenset(kinds))
        day.run()
        return BuiltDay(day.venue.journal.records, day.stage.planted, day.venue.books, day.engine.steps)
