"""What the audit costs beside the fold that it looks on, and that its memory does not grow with events.

Run from the repository: ``python -m benchmarks.audit [days] [events]``. The first part audits
synthetic venue days with several hundred liquidations each; both times are of one process, and
their ratio is the figure. The second part audits a stream of so many events and of twice as many,
each in a process of its own, and compares the memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.replay_fold import activity, venue
from replay.audit import audit
from replay.fold import fold
from tests.simulation.days import venue_day
from tests.support.events import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.events.envelope import Event

ACCOUNTS = 200


def stream(count: int) -> Iterator[Event]:
    """A trading day's events over and over, of a source that is declared complete."""
    setup, distinct = venue(ACCOUNTS).events, activity(ACCOUNTS)
    yield from setup
    for index in range(count):
        yield recorded(len(setup) + index, distinct[index % len(distinct)].data, system="venue")


def of_a_stream(count: int) -> None:
    """Audit a stream and print events a second and peak memory."""
    list(stream(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started = time.perf_counter()
    report = audit(stream(count))
    taken = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    speed = report.events / taken
    print(f"stream of {count:,}: {speed:,.0f} events/s, {before} MB before, {peak} MB at most")


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["stream"]:
        of_a_stream(int(sys.argv[2]))
        return
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    for seed in range(1, days + 1):
        events = venue_day(seed)
        started = time.perf_counter()
        fold(events)
        folding = time.perf_counter() - started
        started = time.perf_counter()
        report = audit(events)
        auditing = time.perf_counter() - started
        print(
            f"day {seed}: {len(events):,} events, {len(report.liquidations)} liquidations, "
            f"{len(report.findings)} findings; fold {len(events) / folding:,.0f} events/s, audit "
            f"{len(events) / auditing:,.0f} events/s, {auditing / folding:.1f} times the fold"
        )
    for size in (count, 2 * count):
        subprocess.run([sys.executable, "-m", "benchmarks.audit", "stream", str(size)], check=True)


if __name__ == "__main__":
    main()
