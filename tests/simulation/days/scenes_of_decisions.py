"""Scenes about margin calls and decisions to liquidate: whether, when, and on what grounds."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.simulation.days.amounts import on_step
from tests.simulation.days.faults import Fault
from tests.simulation.days.liquidation import liquidate
from tests.simulation.days.records import SECOND
from tests.simulation.days.terms import INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.days.stage import Guest, Stage


def liquidation_unjustified(stage: Stage, *, wrong: bool) -> None:
    """Liquidate somebody who is within the boundary."""
    guest = stage.opened()
    stage.to_ratio(guest, stage.ratio("0.3", "0.7") if wrong else stage.ratio("1.02", "1.2"))
    stage.soon()
    liquidation = liquidate(stage.venue, guest.unit, "partial")
    if wrong:
        stage.expect("liquidation_unjustified", guest.name, liquidation.executed)
    stage.leave(guest)


def liquidation_missed(stage: Stage, *, wrong: bool) -> None:
    """Let somebody be over the boundary until he pays in."""
    guest = stage.anyone()
    breach = stage.to_ratio(guest, stage.ratio("1.02", "1.6"))
    if wrong:
        stage.wait(2.2, 7)
        stage.recover(guest)
        stage.expect("liquidation_missed", guest.name, breach)
    else:
        stage.soon()
        liquidate(stage.venue, guest.unit)
    stage.leave(guest)


def liquidation_late(stage: Stage, *, wrong: bool) -> None:
    """Decide long after the breach."""
    guest = stage.anyone()
    stage.to_ratio(guest, stage.ratio("1.02", "1.6"))
    if wrong:
        stage.wait(2.05, 7)
    else:
        stage.wait(0.1, 1.9)
    liquidation = liquidate(stage.venue, guest.unit)
    if wrong:
        stage.expect("liquidation_late", guest.name, liquidation.decision)
    stage.leave(guest)


def margin_call_missing(stage: Stage, *, wrong: bool) -> None:
    """Leave somebody uncalled who should be called."""
    guest = stage.anyone()
    begins = stage.to_ratio(guest, stage.ratio("0.82", "0.97"))
    if wrong:
        stage.wait(2.2, 7)
        stage.recover(guest)
        stage.expect("margin_call_missing", guest.name, begins)
    else:
        stage.soon()
        issued = stage.call(guest)
        stage.wait(2.2, 7)
        stage.recover(guest)
        stage.end_call(issued)
    stage.leave(guest)


def margin_call_late(stage: Stage, *, wrong: bool) -> None:
    """Call long after margin fell below the ratio."""
    guest = stage.anyone()
    stage.to_ratio(guest, stage.ratio("0.82", "0.97"))
    if wrong:
        stage.wait(2.05, 7)
    else:
        stage.wait(0.1, 1.9)
    issued = stage.call(guest)
    if wrong:
        stage.expect("margin_call_late", guest.name, issued)
    stage.recover(guest)
    stage.end_call(issued)
    stage.leave(guest)


def margin_call_unjustified(stage: Stage, *, wrong: bool) -> None:
    """Call somebody who has enough, or end a call while he still lacks margin."""
    guest = stage.anyone()
    too_early = wrong and stage.rng.random() < 0.5
    if wrong and not too_early:
        stage.to_ratio(guest, stage.ratio("0.3", "0.78"))
        stage.expect("margin_call_unjustified", guest.name, stage.call(guest))
    else:
        stage.to_ratio(guest, stage.ratio("0.82", "0.97"))
        stage.soon()
        issued = stage.call(guest)
        stage.wait(0.5, 4)
        if too_early:
            stage.expect("margin_call_unjustified", guest.name, stage.end_call(issued))
            stage.recover(guest)
        else:
            stage.recover(guest)
            stage.end_call(issued)
    stage.leave(guest)


def schedule_version_wrong(stage: Stage, *, wrong: bool) -> None:
    """Name a margin schedule of another instrument, or one that is not in force."""
    guest = stage.anyone()
    stage.to_ratio(guest, stage.ratio("1.02", "2.5"))
    stage.soon()
    current = stage.books.schedules[guest.instrument][0]
    others = [
        str(record.id)
        for record in stage.journal.records
        if record.type == "MarginScheduleSet" and str(record.id) != current
    ]
    fault = Fault(schedule=stage.rng.choice(others)) if wrong else Fault()
    liquidation = liquidate(stage.venue, guest.unit, fault=fault)
    if wrong:
        stage.expect("schedule_version_wrong", guest.name, liquidation.decision)
    stage.leave(guest)


def decision_figures_differ(stage: Stage, *, wrong: bool) -> None:
    """State another mark, or another margin ratio, than there was."""
    guest = stage.anyone()
    stage.to_ratio(guest, stage.ratio("1.02", "2.5"))
    stage.soon()
    fault = Fault()
    if wrong and stage.rng.random() < 0.5:
        fault.mark_off = stage.ticks(guest, 1, 200)
    elif wrong:
        fault.ratio_off = stage.ratio("0.0005", "0.2") * stage.rng.choice((-1, 1))
    liquidation = liquidate(stage.venue, guest.unit, fault=fault)
    if wrong:
        stage.expect("decision_figures_differ", guest.name, liquidation.decision)
    stage.leave(guest)


def liquidation_too_large(stage: Stage, *, wrong: bool) -> None:
    """Close everything where the policy's part would have been enough."""
    guest = stage.opened()
    stage.to_ratio(guest, stage.ratio("1.02", "1.2"))
    stage.soon()
    if wrong:
        fault = Fault(price=stage.books.marks[guest.instrument], fee_factor=stage.ratio("0.0001", "0.01"))
        liquidation = liquidate(stage.venue, guest.unit, "book", fault)
        stage.expect("liquidation_too_large", guest.name, liquidation.executed)
    else:
        liquidate(stage.venue, guest.unit)
    stage.leave(guest)


def liquidation_during_cooldown(stage: Stage, *, wrong: bool) -> None:
    """Take a second step a few seconds after a first, partial one."""
    guest = stage.opened()
    stage.to_ratio(guest, stage.ratio("1.02", "1.2"))
    stage.soon()
    liquidate(stage.venue, guest.unit, "partial")
    issued = stage.call(guest) if stage.figures(guest).in_call else None
    stage.wait(0.5, 5)
    if wrong:
        stage.to_ratio(guest, stage.ratio("1.02", "1.2"))
        stage.wait(0.05, 0.8)
        liquidation = liquidate(stage.venue, guest.unit, "partial")
        stage.expect("liquidation_during_cooldown", guest.name, liquidation.decision)
    else:
        stage.recover(guest)
        if issued is not None:
            stage.end_call(issued)
    stage.leave(guest)


def deposit_applied_late(stage: Stage, *, wrong: bool) -> None:
    """Book a deposit after a decision that came after it."""
    guest = stage.opened()
    stage.to_ratio(guest, stage.ratio("1.02", "1.2"))
    stage.wait(1.3, 1.6)
    liquidation = liquidate(stage.venue, guest.unit, "partial")
    amount = stage.amount(5, 5000)
    if wrong:
        sent = liquidation.decision.occurred - stage.rng.randrange(SECOND // 5, SECOND)
        deposit = stage.venue.deposit(guest.name, amount, occurred=sent)
        stage.expect("deposit_applied_late", guest.name, deposit)
    else:
        stage.venue.deposit(guest.name, amount)
    stage.leave(guest)


def withdrawal_below_requirement(stage: Stage, *, wrong: bool) -> None:
    """Let somebody take out more than his initial margin allows."""
    guest = stage.opened()
    if stage.rng.random() < 0.4:
        _margin_taken_out(stage, wrong=wrong)
        stage.leave(guest)
        return
    figures = stage.figures(guest)
    floor = _floor(stage, guest, figures.maintenance, wrong=wrong)
    amount = _whole(figures.collateral - floor)
    if stage.rng.random() < 0.5:
        record = stage.venue.withdraw(guest.name, amount)
    else:
        record = stage.venue.transfer(guest.name, "house", amount)
    if wrong:
        stage.expect("withdrawal_below_requirement", guest.name, record)
    stage.leave(guest)


def _margin_taken_out(stage: Stage, *, wrong: bool) -> None:
    guest = stage.guest()
    name = guest.instrument
    quantity = stage.quantity(name, stage.rng.randrange(20_000, 150_000))
    mark = stage.books.marks[name]
    notional = quantity * INSTRUMENTS[name].contract_size * mark
    common = {"account": guest.name, "instrument": name}
    stage.venue.deposit(guest.name, _whole(notional / 4))
    stage.venue.emit("MarginModeSet", {**common, "margin_mode": "isolated"})
    margin = _whole(notional / 8)
    stage.venue.emit("MarginAdjusted", {**common, "amount": margin, "reason": "opening"})
    stage.venue.trade(guest.name, name, guest.opening, quantity, mark)
    figures = stage.venue.figures((guest.name, name))
    floor = _floor(stage, guest, figures.maintenance, wrong=wrong)
    amount = -_whole(figures.collateral - floor)
    record = stage.venue.emit("MarginAdjusted", {**common, "amount": amount, "reason": "taken out"})
    if wrong:
        stage.expect("withdrawal_below_requirement", guest.name, record)
    stage.leave(guest)


def _floor(stage: Stage, guest: Guest, maintenance: Decimal, *, wrong: bool) -> Decimal:
    """Return down to what somebody takes out: between what calls for margin and what he may, or above."""
    initial = stage.initial(guest)
    lowest = maintenance * 3 / 2 if maintenance * 3 / 2 < initial else maintenance * 5 / 4
    return lowest + (initial - lowest) * stage.ratio("0.1", "0.8") if wrong else initial * 11 / 10


def _whole(value: Decimal) -> Decimal:
    return Decimal(int(value))


def order_below_requirement(stage: Stage, *, wrong: bool) -> None:
    """Accept an order that needs more margin than there is."""
    guest = stage.opened()
    figures = stage.figures(guest)
    held, lot = abs(stage.position(guest)), INSTRUMENTS[guest.instrument].lot
    part = stage.ratio("1.1", "3") if wrong else stage.ratio("0.3", "0.6")
    # The whole position at this part of what there is; an order adds what is not held yet.
    whole = Fraction(held) * Fraction(figures.collateral * part) / Fraction(stage.initial(guest))
    wanted = on_step(whole, lot, "ceiling")
    data = {
        "order_id": stage.venue.number("order"),
        "account": guest.name,
        "instrument": guest.instrument,
        "side": guest.opening,
        "quantity": wanted if wrong else max(lot, wanted - held),
    }
    record = stage.venue.emit("OrderAccepted", data)
    if wrong:
        stage.expect("order_below_requirement", guest.name, record)
    stage.wait(0.1, 3)
    stage.leave(guest)


SCENES: dict[str, Callable[..., None]] = {
    scene.__name__: scene
    for scene in (
        liquidation_unjustified,
        liquidation_missed,
        liquidation_late,
        margin_call_missing,
        margin_call_late,
        margin_call_unjustified,
        schedule_version_wrong,
        decision_figures_differ,
        liquidation_too_large,
        liquidation_during_cooldown,
        deposit_applied_late,
        withdrawal_below_requirement,
        order_below_requirement,
    )
}
