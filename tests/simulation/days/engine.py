"""The day's risk engine: after what changes units, it calls for margin, ends calls, and liquidates."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.simulation.days.liquidation import liquidate
from tests.simulation.days.margin import required_to_cure
from tests.simulation.days.records import SECOND, Moment
from tests.simulation.days.terms import COOLDOWN_SECONDS
from tests.simulation.days.venue import UNJUDGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.days.books import Unit
    from tests.simulation.days.margin import Figures
    from tests.simulation.days.records import Record
    from tests.simulation.days.venue import Venue


class Engine:
    """Looks at every unit that was touched, and acts before anything else happens.

    Attributes:
        called: units with an open margin call.
        liquidated: unit → when its last liquidation ended.
        steps: how often each step of a liquidation was taken.
        hears: is told of every unit that margin is called of.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.called: dict[Unit, Record] = {}
        self.liquidated: dict[Unit, int] = {}
        self.steps: dict[str, int] = {}
        self.hears: Callable[[Unit], None] = lambda _: None

    def sweep(self) -> None:
        """Note the units whose marks have left the band in which nothing can change."""
        touched, marks = self.venue.books.touched, self.venue.books.marks
        for name, bands in self.venue.bands.items():
            mark = marks[name]
            for unit, (low, high) in bands.items():
                if not low < mark < high:
                    touched.add(unit)

    def review(self) -> bool:
        """Act until nobody is over the boundary; returns whether anybody was liquidated."""
        acted = False
        while True:
            over = self._look()
            if not over:
                return acted
            _, unit = min(over)
            self._liquidate(unit)
            acted = True
            self.venue.books.touched.update(each for _, each in over)

    def _look(self) -> list[tuple[Fraction, Unit]]:
        venue = self.venue
        over = []
        touched = sorted(venue.books.touched, key=lambda unit: (unit[0], unit[1] or ""))
        venue.books.touched.clear()
        for unit in touched:
            if unit[0] in UNJUDGED or unit[0] in venue.by_hand:
                continue
            figures = venue.figures(unit)
            venue.refresh_bands(unit, figures)
            if figures.over:
                self.called.pop(unit, None)
                over.append((Fraction(figures.collateral) - Fraction(figures.maintenance), unit))
            elif figures.in_call:
                if unit not in self.called:
                    self.called[unit] = call(venue, unit, figures)
                    self.hears(unit)
            elif unit in self.called:
                end_call(venue, self.called.pop(unit))
            self._settle_debt(unit)
        return over

    def _settle_debt(self, unit: Unit) -> None:
        """Have a debt that other assets cover paid at once, when nothing is open any more."""
        account = self.venue.books.accounts[unit[0]]
        debt = -account.cash()
        if debt > 0 and not account.positions:
            self.venue.deposit(account.name, debt)

    def _liquidate(self, unit: Unit) -> None:
        venue = self.venue
        last = self.liquidated.get(unit)
        figures = venue.figures(unit)
        if last is not None and venue.journal.now - last < COOLDOWN_SECONDS * SECOND:
            assert figures.collateral <= 0 or figures.equity <= 0, f"{unit} again within the cooldown"
        liquidation = liquidate(venue, unit)
        step = "partial" if venue.books.accounts[unit[0]].positions else "whole"
        self.steps[step] = self.steps.get(step, 0) + 1
        self.liquidated[unit] = liquidation.records[-1].occurred
        venue.support_fund()


def call(venue: Venue, unit: Unit, figures: Figures) -> Record:
    """Record a margin call of a unit."""
    data: dict[str, Any] = {
        "account": unit[0],
        "margin_ratio": figures.ratio(),
        "required": required_to_cure(venue.books, figures),
        "deadline": Moment(venue.journal.now + 600 * SECOND),
    }
    if unit[1] is not None:
        data["instrument"] = unit[1]
    return venue.emit("MarginCallIssued", data, processed=venue.journal.now)


def end_call(venue: Venue, issued: Record) -> Record:
    """Record that a margin call is no longer open."""
    data = {key: value for key, value in issued.data.items() if key != "deadline"}
    figures = venue.figures((data["account"], data.get("instrument")))
    data["margin_ratio"] = figures.ratio() or data["margin_ratio"] * 0
    return venue.emit("MarginCallCured", data, causation=issued.id)
