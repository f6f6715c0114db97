"""Which part of the ledger an audit reports on: from a sequence or time to another."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ledger.events.envelope import Event

Place: TypeAlias = int | datetime
"""A sequence, or a time by ``occurred_at``."""


class Places:
    """The sequences of the events that lie between two places, both included.

    They are kept as runs without gaps: where sequence order is nearly time order there are few.

    Attributes:
        count: how many were seen.
    """

    def __init__(self, since: Place | None = None, until: Place | None = None) -> None:
        self._since = since
        self._until = until
        self._runs: list[list[int]] = []
        self._sorted = True
        self.count = 0

    def see(self, event: Event) -> None:
        """Take note of an event that is folded."""
        if not self._lies_between(event):
            return
        self.count += 1
        last = self._runs[-1] if self._runs else None
        if last is not None and last[1] + 1 == event.sequence:
            last[1] = event.sequence
        else:
            self._sorted = self._sorted and (last is None or last[1] < event.sequence)
            self._runs.append([event.sequence, event.sequence])

    def holds(self, sequence: int) -> bool:
        """Tell whether an event that was seen lies between the places."""
        if not self._sorted:
            self._runs.sort()
            self._sorted = True
        index = bisect_right(self._runs, sequence, key=lambda run: run[0]) - 1
        return index >= 0 and sequence <= self._runs[index][1]

    def _lies_between(self, event: Event) -> bool:
        for bound, sign in ((self._since, 1), (self._until, -1)):
            if isinstance(bound, datetime):
                beyond = bound > event.occurred_at if sign > 0 else event.occurred_at > bound
            elif bound is None:
                continue
            else:
                beyond = bound > event.sequence if sign > 0 else event.sequence > bound
            if beyond:
                return False
        return True


class Everywhere(Places):
    """All of them."""

    def see(self, _event: Event) -> None:
        """Count an event; there is nothing to remember."""
        self.count += 1

    def holds(self, _sequence: int) -> bool:
        """Hold every sequence."""
        return True
