"""Prices of a day: one factor moves all marks the same way at the same time, calm or in a crash."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ONE, ZERO, on_step, quotient
from tests.simulation.days.records import HOUR, Moment
from tests.simulation.days.terms import INSTRUMENTS, STAGED, Instrument

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.days.records import Record
    from tests.simulation.days.venue import Venue


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps from ``first`` on that move the market by ``drift`` each, in 1/10,000, with gaps."""

    first: int
    steps: int
    drift: int
    gaps: dict[int, int]

    def move(self, step: int) -> int | None:
        """Return this phase's move at a step, None outside it."""
        if not self.first <= step < self.first + self.steps:
            return None
        return self.gaps.get(step - self.first, self.drift)


def phases_of(rng: Random, steps: int) -> list[Phase]:
    """Return a fall in the morning, a squeeze upward, and a deeper fall in the evening, with recoveries."""
    length = max(12, steps // 160)

    def at(low: int, high: int) -> int:
        return steps * rng.randrange(low, high) // 2400

    def gaps(sign: int, *sizes: tuple[int, int]) -> dict[int, int]:
        places = rng.sample(range(2, length - 2), len(sizes))
        return {place: sign * rng.randrange(*size) for place, size in zip(places, sizes, strict=True)}

    morning, squeeze, evening = at(950, 1000), at(1250, 1300), at(1900, 1960)
    return [
        Phase(morning, length, -20, gaps(-1, (250, 320), (130, 200))),
        Phase(morning + 2 * length, 2 * length, 10, {}),
        Phase(squeeze, length, 18, gaps(1, (200, 260), (300, 380))),
        Phase(squeeze + 2 * length, 2 * length, -9, {}),
        Phase(evening, length, -25, gaps(-1, (350, 420), (250, 300), (130, 200))),
        Phase(evening + 2 * length, 2 * length, 10, {}),
    ]


class Market:
    """Makes the next marks, and writes index, mark and last prices.

    Attributes:
        wild: whether the market is in a phase, or was a few steps ago.
    """

    def __init__(self, venue: Venue, steps: int) -> None:
        self.venue = venue
        self.rng = venue.rng
        self.phases = phases_of(venue.rng, steps)
        self._indices: dict[str, Decimal] = {}
        self._bars: dict[tuple[str, str], list[Decimal]] = {}

    def wild(self, step: int) -> bool:
        """Tell whether a step lies in a phase or close to one."""
        return any(each.first - 4 <= step < each.first + each.steps + 8 for each in self.phases)

    def burst(self, step: int) -> None:
        """Write the prices of one step: marks of all instruments, index and last prices where due."""
        factor = next((move for each in self.phases if (move := each.move(step)) is not None), None)
        if factor is None:
            factor = int(self.rng.gauss(0, 3))
        marks = {
            name: self._moved(terms, factor)
            for name, terms in INSTRUMENTS.items()
            if name != STAGED or step % 2 == 0
        }
        for name, mark in marks.items():
            old = self._indices.get(name)
            if step % 4 == 0 or old is None or abs(mark - old) * 100 > old:
                self.index(name, mark)
        for name, mark in marks.items():
            self.mark(name, mark)
        if step % 4 == 0 or abs(factor) > 100:
            for name, mark in marks.items():
                tick = INSTRUMENTS[name].tick
                self.last(name, mark + tick * self.rng.randrange(-4, 5))

    def _moved(self, terms: Instrument, factor: int) -> Decimal:
        mark = self.venue.books.marks.get(terms.name, terms.start)
        move = Decimal(factor) * terms.beta * self.rng.randrange(80, 121) / 1_000_000
        return max(terms.tick, on_step(mark * (ONE + move), terms.tick, "half_even"))

    def mark(self, name: str, price: Decimal) -> Record:
        """Write a mark."""
        data: dict[str, Any] = {"instrument": name, "price": price}
        if name in self._indices and self.rng.random() < 0.5:
            data["index_price"] = self._indices[name]
        self._seen("mark", name, price)
        return self.venue.emit("MarkPriceUpdated", data)

    def last(self, name: str, price: Decimal) -> None:
        """Write a last price."""
        self.venue.emit("LastPriceUpdated", {"instrument": name, "price": price})
        self._seen("last", name, price)

    def index(self, name: str, around: Decimal, **wrong: Any) -> Any:
        """Write an index price from its constituents.

        Args:
            name: the instrument whose index it is.
            around: what the constituents lie around.
            wrong: ``outlier`` (a factor for one constituent), ``off`` (added to the price) or
                ``age`` (microseconds of the first observation).
        """
        terms = INSTRUMENTS[name]
        rows = self._constituents(terms, around)
        if "outlier" in wrong:
            rows[0]["price"] = on_step(rows[0]["price"] * wrong["outlier"], terms.tick, "half_even")
        if "age" in wrong:
            rows[0]["observed_at"] = Moment(self.venue.journal.now - wrong["age"])
        counted = [row for row in rows if not row["excluded"]]
        weight = sum((row["weight"] for row in counted), ZERO)
        total = sum((row["weight"] * row["price"] for row in counted), ZERO)
        scale = -int(terms.tick.as_tuple().exponent) + 2
        price = quotient(total, weight, scale, "half_even")
        self._indices[name] = price
        data = {"index": terms.base, "price": price + wrong.get("off", ZERO), "constituents": rows}
        return self.venue.emit("IndexPriceUpdated", data)

    def _constituents(self, terms: Instrument, around: Decimal) -> list[dict[str, Any]]:
        rng = self.rng
        rows: list[dict[str, Any]] = []
        for place in range(terms.sources):
            price = around * (ONE + Decimal(rng.randrange(-15, 16)) / 10_000)
            rows.append(
                {
                    "source": f"exchange-{place + 1}",
                    "price": on_step(price, terms.tick, "half_even"),
                    "weight": Decimal(rng.choice((10, 15, 20, 25, 30))),
                    "excluded": False,
                    "observed_at": Moment(max(0, self.venue.journal.now - rng.randrange(2_000_000))),
                }
            )
        if rng.random() < 0.05:
            last = rows[-1]
            far = last["price"] * (ONE + Decimal(rng.choice((-9, -7, 8, 12))) / 100)
            last.update(price=on_step(far, terms.tick, "half_even"), excluded=True, reason="outlier")
        return rows

    def _seen(self, kind: str, name: str, price: Decimal) -> None:
        bar = self._bars.setdefault((kind, name), [price, price, price, price])
        bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price

    def bars(self) -> None:
        """Write the bars of the hour that ends now."""
        now = self.venue.journal.now
        for (kind, name), (opened, highest, lowest, close) in sorted(self._bars.items()):
            data = {
                "instrument": name,
                "kind": kind,
                "interval_seconds": Decimal(HOUR // 1_000_000),
                "open": opened,
                "high": highest,
                "low": lowest,
                "close": close,
            }
            self.venue.emit("PriceBarRecorded", data, occurred=now)
            self._bars[kind, name] = [close, close, close, close]
