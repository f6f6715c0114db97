"""Where a replay stops and in which order it goes: the options that replay commands share."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

from ledger.cli.common import TIME, Session, whole_number
from ledger.clock import format_time
from replay.fold import Cut, known_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ledger.events.envelope import Event
    from ledger.store.ledger import Ledger
    from replay.fold import FoldResult, KnowledgeClock, Observer, Order


class SequenceOrTime(click.ParamType[Any]):
    """A sequence number, or an ISO 8601 time with its zone."""

    name = "sequence|time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        """Read digits as a sequence and everything else as a time."""
        sequence = whole_number(value)
        if sequence is not None:
            return sequence
        time = TIME.convert(value, param, ctx)
        assert isinstance(time, datetime)  # noqa: S101 (it fails otherwise)
        return time


@dataclass(frozen=True, slots=True)
class Replay:
    """A fold that the options ask for."""

    cut: Cut
    order: Order

    def fold(
        self,
        session: Session,
        ledger: Ledger,
        *,
        before: Sequence[Observer] = (),
        after: Sequence[Observer] = (),
    ) -> FoldResult:
        """Fold the ledger's events as asked, with a progress bar on a terminal."""
        from replay.store.source import fold_ledger

        return fold_ledger(
            ledger, cut=self.cut, order=self.order, before=before, after=after, progress=session.progress()
        )

    def document(self, counts: Counts) -> dict[str, Any]:
        """Return what was folded, as the field ``replay`` of a JSON document."""
        cut = self.cut
        return {
            "order": self.order,
            "at_sequence": cut.at_sequence,
            "at_time": None if cut.at_time is None else format_time(cut.at_time),
            "as_known_at": None if cut.as_known_at is None else format_time(cut.as_known_at),
            "clocks": dict(sorted(counts.clocks.items())),
            "events": counts.events,
            "left_out": counts.left_out,
        }

    def words(self, counts: Counts) -> str:
        """Return what was folded, in a sentence."""
        parts = [f"{counts.events:,} event{'' if counts.events == 1 else 's'} folded"]
        if self.order == "occurred":
            parts.append("in the order in which they occurred")
        if counts.left_out:
            parts.append(f"{counts.left_out:,} left out by the cut")
        if counts.clocks:
            clocks = ", ".join(f"{clock} of {count:,}" for clock, count in sorted(counts.clocks.items()))
            parts.append(f"known by {clocks} events")
        return ", ".join(parts)


class Counts(Protocol):
    """How many events were folded; a :class:`~replay.fold.FoldResult` is one."""

    @property
    def events(self) -> int:
        """How many were folded."""

    @property
    def left_out(self) -> int:
        """How many the cut left out."""

    @property
    def clocks(self) -> Mapping[KnowledgeClock, int]:
        """By which clock the events of an ``as_known_at`` cut were judged."""


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """The counts of a fold whose own result is not at hand."""

    events: int
    left_out: int
    clocks: Mapping[KnowledgeClock, int]


class Counted:
    """Events that are counted, and with an ``as_known_at`` cut their clocks too, as they are read."""

    def __init__(self, events: Iterable[Event], cut: Cut) -> None:
        self._events = events
        self._cut = cut
        self.count = 0
        self.clocks: Counter[KnowledgeClock] = Counter()

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            self.count += 1
            if self._cut.as_known_at is not None:
                self.clocks[known_at(event)[0]] += 1
            yield event


def cut_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--at``, ``--as-known-at`` and ``--order``; the command gets them as one :class:`Replay`."""

    @functools.wraps(function)
    def with_replay(
        session: Session,
        *,
        at: int | datetime | None,
        as_known_at: datetime | None,
        order: Order,
        **given: Any,
    ) -> Any:
        cut = Cut(
            at_sequence=at if isinstance(at, int) else None,
            at_time=at if isinstance(at, datetime) else None,
            as_known_at=as_known_at,
        )
        return function(session, replay=Replay(cut, order), **given)

    for option in reversed(_OPTIONS):
        option(with_replay)
    return with_replay


_OPTIONS = (
    click.option(
        "--at",
        type=SequenceOrTime(),
        metavar="N|TIME",
        help="Fold through sequence N, or what occurred at or before TIME (default: everything).",
    ),
    click.option(
        "--as-known-at",
        type=TIME,
        metavar="TIME",
        help="Fold only what the venue knew at TIME: by processed_at, else received_at, else appended_at.",
    ),
    click.option(
        "--order",
        type=click.Choice(["sequence", "occurred"]),
        default="sequence",
        show_default=True,
        help="Fold as recorded, or by (occurred_at, sequence) for facts that arrived late.",
    ),
)
