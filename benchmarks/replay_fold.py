"""How fast the reference fold applies events and accounts are evaluated, and how much memory that takes.

Run from the repository: ``PYTHONPATH=. python benchmarks/replay_fold.py [events] [accounts]``. Payloads
are made beforehand, so that decoding is not measured; the events stream through the fold and are not kept.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from typing import TYPE_CHECKING

from ledger.canonical import encode
from replay.fold import fold
from replay.margin import evaluate
from replay.state import restore, snapshot
from tests.support.events import History, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.events.envelope import Event

SEED = 20251010
DISTINCT = 20_000
INSTRUMENTS = ("BTC-PERP", "ETH-PERP", "SOL-PERP", "XRP-PERP")


def venue(accounts: int) -> History:
    """A listed and priced venue, every account with a deposit."""
    history = History()
    for instrument in INSTRUMENTS:
        history.list_instrument(instrument)
        history.schedule(
            instrument,
            ("0", "50000", "0.004", "0", "125"),
            ("50000", "250000", "0.005", "50", "100"),
            ("250000", None, "0.01", "1300", "50"),
        )
        history.mark("30000", instrument)
    history.policy(warning_ratio="0.8", margin_call_ratio="0.9")
    for account in range(accounts):
        history.deposit(f"A{account}", "1000000")
    return history


def activity(accounts: int) -> list[Event]:
    """Distinct events of a trading day: mostly fills, then marks, funding and deposits."""
    choose = random.Random(SEED)
    history = History()
    while len(history.events) <= DISTINCT:
        account = f"A{choose.randrange(accounts)}"
        instrument = choose.choice(INSTRUMENTS)
        price = f"{choose.randrange(2_900_000, 3_100_000) / 100:.2f}".rstrip("0").rstrip(".")
        kind = choose.random()
        if kind < 0.65:
            quantity = str(choose.randrange(1, 999) / 1000)
            history.fill(account, choose.choice(("buy", "sell")), quantity, price, instrument, fee="0.123")
        elif kind < 0.85:
            history.mark(price, instrument)
        elif kind < 0.95:
            funding = {"quantity": "1", "price": price, "rate": "0.0001", "asset": "USDT", "amount": "1.25"}
            history.add("FundingPaid", account=account, instrument=instrument, **funding)  # type: ignore[arg-type]  # texts only
        else:
            history.deposit(account, "12.5")
    return history.events[1:]


def stream(setup: list[Event], distinct: list[Event], count: int) -> Iterator[Event]:
    """The setup, then the distinct events over and over, each in an envelope of its own."""
    yield from setup
    for index in range(count):
        yield recorded(len(setup) + index, distinct[index % len(distinct)].data)


def peak_megabytes() -> int:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    accounts = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    setup, distinct = venue(accounts).events, activity(accounts)
    before = peak_megabytes()
    started = time.perf_counter()
    for _ in stream(setup, distinct, count):
        pass
    making = time.perf_counter() - started
    started = time.perf_counter()
    state = fold(stream(setup, distinct, count)).state
    taken = time.perf_counter() - started - making
    print(f"fold: {(count + len(setup)) / taken:,.0f} events/s over {count + len(setup):,} events")
    print(f"peak memory: {before} MB before, {peak_megabytes()} MB after")
    for with_prices in (False, True):
        started = time.perf_counter()
        for account in state.accounts:
            evaluate(state, account, with_prices=with_prices)
        taken = time.perf_counter() - started
        print(f"evaluate (prices: {with_prices}): {len(state.accounts) / taken:,.0f} accounts/s")
    started = time.perf_counter()
    size = len(encode(snapshot(state)))
    print(f"snapshot: {size:,} bytes in {time.perf_counter() - started:.3f} s")
    started = time.perf_counter()
    assert restore(snapshot(state)) == state
    print(f"snapshot and restore: {time.perf_counter() - started:.3f} s")


if __name__ == "__main__":
    main()
