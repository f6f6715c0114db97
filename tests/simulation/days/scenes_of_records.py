"""Scenes about what is recorded: reports, indices, prices, times, overrides, books that do not add up."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ONE, ZERO, on_step, rounded
from tests.simulation.days.records import HOUR, PERIOD, SECOND, Moment
from tests.simulation.days.reports import report_totals, state_data
from tests.simulation.days.terms import INSTRUMENTS, OTHER, SCHEDULES, UNIT, schedule_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.days.records import Record
    from tests.simulation.days.stage import Guest, Stage


def negative_wallet(stage: Stage, *, wrong: bool) -> None:
    """Leave somebody who holds another asset, and no position, with a debt."""
    guest = stage.guest()
    stage.venue.deposit(guest.name, Decimal(stage.rng.randrange(20, 80)) / 100, OTHER)
    stage.venue.deposit(guest.name, Decimal(10))
    record = stage.interest(guest, stage.amount(11, 400))
    if wrong:
        stage.wait(2.2, 8)
        stage.expect("negative_wallet", guest.name, record)
    else:
        stage.wait(0.1, 1.8)
    stage.leave(guest)


def trade_does_not_sum_to_zero(stage: Stage, *, wrong: bool) -> None:
    """Record another price for one side of a trade than for the other."""
    guest = stage.opened()
    name, mark = guest.instrument, stage.books.marks[guest.instrument]
    quantity = INSTRUMENTS[name].lot * stage.rng.randrange(1, 9)
    trade_id = stage.venue.number("trade")
    other = "sell" if guest.opening == "buy" else "buy"
    price = mark + (stage.ticks(guest, 1, 50) if wrong else ZERO)
    stage.venue.fill(guest.name, name, guest.opening, quantity, mark, trade_id)
    record = stage.venue.fill(stage.venue.maker(), name, other, quantity, price, trade_id, liquidity="maker")
    if wrong:
        stage.expect("trade_does_not_sum_to_zero", None, record)
    stage.leave(guest)


def _report(stage: Stage, guest: Guest, change: Callable[[dict[str, Any]], None] | None) -> Record:
    data = state_data(stage.venue, stage.books.accounts[guest.name])
    if change is not None:
        change(data)
    return stage.venue.emit("AccountStateReported", data)


def _reported(stage: Stage, code: str, change: Callable[[dict[str, Any]], None], *, wrong: bool) -> None:
    guest = stage.opened()
    stage.to_ratio(guest, stage.ratio("0.25", "0.7"))
    record = _report(stage, guest, change if wrong else None)
    if wrong:
        stage.expect(code, guest.name, record)
    stage.leave(guest)


def reported_balance_differs(stage: Stage, *, wrong: bool) -> None:
    """Report another balance."""

    def change(data: dict[str, Any]) -> None:
        off = stage.rng.choice((-1, 1)) * stage.rng.randrange(2, 10**8) * UNIT
        asset = stage.rng.choice(("USDT", OTHER))
        data["wallet_balance"][asset] = data["wallet_balance"].get(asset, ZERO) + off

    _reported(stage, "reported_balance_differs", change, wrong=wrong)


def reported_margin_differs(stage: Stage, *, wrong: bool) -> None:
    """Report another equity, margin or ratio."""

    def change(data: dict[str, Any]) -> None:
        off = stage.rng.choice((-1, 1)) * stage.rng.randrange(3, 10**7) * UNIT
        figure = stage.rng.choice(
            ("equity", "initial_margin", "maintenance_margin", "margin_ratio", "of_position")
        )
        if figure == "margin_ratio":
            data[figure] += off / 10**6
        elif figure == "of_position":
            data["positions"][0][stage.rng.choice(("initial_margin", "maintenance_margin"))] += off
        else:
            data[figure] += off

    _reported(stage, "reported_margin_differs", change, wrong=wrong)


def reported_position_differs(stage: Stage, *, wrong: bool) -> None:
    """Report another quantity, price or value of a position, or leave it out."""

    def change(data: dict[str, Any]) -> None:
        row = data["positions"][0]
        terms = INSTRUMENTS[row["instrument"]]
        offs = {
            "quantity": terms.lot,
            "entry_price": terms.tick,
            "mark_price": terms.tick,
            "notional": Decimal(1),
            "unrealised_pnl": Decimal(1),
            "leverage": Decimal(1),
        }
        field = stage.rng.choice((*offs, "missing"))
        if field == "missing":
            data["positions"] = []
        else:
            row[field] += offs[field] * stage.rng.randrange(1, 9)

    _reported(stage, "reported_position_differs", change, wrong=wrong)


def index_constituent_outlier(stage: Stage, *, wrong: bool) -> None:
    """Count a constituent that is far from the others."""
    name = stage.rng.choice(list(INSTRUMENTS))
    far = ONE + stage.rng.choice((-1, 1)) * stage.ratio("0.06", "0.14")
    record = stage.market.index(name, stage.books.marks[name], **({"outlier": far} if wrong else {}))
    if wrong:
        stage.expect("index_constituent_outlier", None, record)
    stage.wait(0.1, 1)
    stage.market.index(name, stage.books.marks[name])


def index_price_differs(stage: Stage, *, wrong: bool) -> None:
    """State another index price than its constituents come to."""
    name = stage.rng.choice(list(INSTRUMENTS))
    off = INSTRUMENTS[name].tick * stage.rng.choice((-1, 1)) * stage.rng.randrange(1, 300)
    record = stage.market.index(name, stage.books.marks[name], **({"off": off} if wrong else {}))
    if wrong:
        stage.expect("index_price_differs", None, record)
    stage.wait(0.1, 1)
    stage.market.index(name, stage.books.marks[name])


def price_outlier(stage: Stage, *, wrong: bool) -> None:
    """Record a last price, or a bar of last prices, far from the marks."""
    name = stage.rng.choice(list(INSTRUMENTS))
    tick = INSTRUMENTS[name].tick
    mark = stage.books.marks[name]
    far = stage.ratio("0.11", "0.3") if wrong else stage.ratio("0.001", "0.03")
    price = on_step(mark * (ONE + stage.rng.choice((-1, 1)) * far), tick, "half_even")
    if stage.rng.random() < 0.5:
        record = stage.venue.emit("LastPriceUpdated", {"instrument": name, "price": price})
        stage.wait(0.05, 2)
        stage.venue.emit("LastPriceUpdated", {"instrument": name, "price": mark})
    else:
        record = _bars(stage, name, mark, price)
    if wrong:
        stage.expect("price_outlier", None, record)


def _bars(stage: Stage, name: str, mark: Decimal, reached: Decimal) -> Record:
    now = stage.journal.now
    for kind, extreme in (("mark", mark), ("last", reached)):
        data = {
            "instrument": name,
            "kind": kind,
            "interval_seconds": Decimal(60),
            "open": mark,
            "high": max(mark, extreme),
            "low": min(mark, extreme),
            "close": mark,
        }
        record = stage.venue.emit("PriceBarRecorded", data, occurred=now)
    return record


def price_stale(stage: Stage, *, wrong: bool) -> None:
    """Count a constituent that was observed long ago."""
    name = stage.rng.choice(list(INSTRUMENTS))
    age = stage.mark_max_age + stage.rng.randrange(SECOND, HOUR // 4) if wrong else stage.mark_max_age // 2
    record = stage.market.index(name, stage.books.marks[name], age=age)
    if wrong:
        stage.expect("price_stale", None, record)


def override_unapproved(stage: Stage, *, wrong: bool) -> None:
    """Set a price by hand without anybody else's approval."""
    name = stage.rng.choice(list(INSTRUMENTS))
    actor = f"operator-{stage.rng.randrange(1, 9)}"
    approvers = stage.rng.choice(([], [actor])) if wrong else ["risk-officer", actor]
    data = {
        "instrument": name,
        "kind": "last",
        "price": stage.books.marks[name],
        "reason": "the feed is down",
        "approvers": approvers,
    }
    record = stage.venue.emit("PriceOverridden", data, actor=actor)
    if wrong:
        stage.expect("override_unapproved", None, record)


def out_of_time_order(stage: Stage, *, wrong: bool) -> None:
    """Record a deposit long after others that came later."""
    guest = stage.guest()
    amount = stage.amount(5, 5000)
    if wrong:
        latest = max(record.occurred for record in stage.journal.records[-40:])
        sent = latest - stage.rng.randrange(21 * SECOND // 10, 50 * SECOND)
        stage.expect("out_of_time_order", guest.name, stage.venue.deposit(guest.name, amount, occurred=sent))
    else:
        stage.venue.deposit(guest.name, amount)
    stage.leave(guest)


def source_counts_differ(stage: Stage, *, wrong: bool) -> None:
    """Report other counts than there are events."""
    period = stage.rng.randrange(1, stage.journal.now // PERIOD)
    off = stage.rng.choice((-1, 1)) * stage.rng.randrange(1, 40) if wrong else 0
    record = report_totals(stage.venue, period, off=off)
    if wrong:
        stage.expect("source_counts_differ", None, record)


def schedule_inconsistent(stage: Stage, *, wrong: bool) -> None:
    """Announce a schedule for the day after tomorrow, with an amount that makes it jump."""
    name = stage.rng.choice(list(INSTRUMENTS))
    data = schedule_data(name, SCHEDULES[name], Moment(stage.journal.now + 48 * HOUR))
    if wrong:
        row = stage.rng.choice(data["tiers"][1:])
        row["maintenance_amount"] = rounded(row["maintenance_amount"] + stage.amount(1, 90), 2, "down")
    record = stage.venue.emit("MarginScheduleSet", data)
    if wrong:
        stage.expect("schedule_inconsistent", None, record)


SCENES: dict[str, Callable[..., None]] = {
    scene.__name__: scene
    for scene in (
        negative_wallet,
        trade_does_not_sum_to_zero,
        reported_balance_differs,
        reported_margin_differs,
        reported_position_differs,
        index_constituent_outlier,
        index_price_differs,
        price_outlier,
        price_stale,
        override_unapproved,
        out_of_time_order,
        source_counts_differ,
        schedule_inconsistent,
    )
}
