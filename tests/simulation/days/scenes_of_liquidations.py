"""Scenes about how a liquidation is carried out: prices, fees, fund, auto-deleveraging, shared losses."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.simulation.days.amounts import ZERO, on_step
from tests.simulation.days.faults import Fault
from tests.simulation.days.liquidation import Liquidation, liquidate
from tests.simulation.days.losses import charge
from tests.simulation.days.margin import bankruptcy_prices
from tests.simulation.days.records import Moment
from tests.simulation.days.terms import FEES, FUND, INSTRUMENTS, UNIT, WATERFALL, policy_data
from tests.simulation.days.venue import fee_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.days.stage import Guest, Stage

DEEP = ("1.6", "3")
"""Margin ratios at which a part is not enough, with something left of the equity."""


def _deep(stage: Stage) -> Guest:
    """Return a guest who has to be liquidated whole and is still worth something."""
    guest = stage.anyone()
    stage.to_ratio(guest, stage.ratio(*DEEP))
    stage.soon()
    return guest


def _under(stage: Stage, low: int, high: int) -> Guest:
    """Return a guest who owes between two amounts of the settlement asset."""
    guest = stage.opened()
    stage.to_equity(guest, -stage.amount(low, high))
    stage.soon()
    return guest


def takeover_price_wrong(stage: Stage, *, wrong: bool) -> None:
    """Let the fund take over at neither price, or sell below the bankruptcy price."""
    guest = _deep(stage)
    if not wrong:
        liquidate(stage.venue, guest.unit, "fund")
        stage.leave(guest)
        return
    bankruptcy = bankruptcy_prices(stage.books, guest.unit)[guest.instrument]
    tick = INSTRUMENTS[guest.instrument].tick
    if stage.rng.random() < 0.5:
        mark = stage.books.marks[guest.instrument]
        part = Fraction(stage.ratio("0.2", "0.8"))
        between = Fraction(bankruptcy) + Fraction(mark - bankruptcy) * part
        price = on_step(between, tick, "half_even")
        liquidation = liquidate(stage.venue, guest.unit, "fund", Fault(price=price))
    else:
        price = bankruptcy - guest.direction * stage.rng.randrange(2, 40) * tick
        liquidation = liquidate(stage.venue, guest.unit, "book", Fault(price=price))
    stage.expect("takeover_price_wrong", guest.name, liquidation.fills()[0])
    stage.leave(guest)


def bankruptcy_price_differs(stage: Stage, *, wrong: bool) -> None:
    """State another bankruptcy price."""
    guest = _deep(stage)
    fault = Fault(bankruptcy_off=stage.ticks(guest, 2, 300)) if wrong else Fault()
    liquidation = liquidate(stage.venue, guest.unit, stage.rng.choice(("fund", "book")), fault)
    if wrong:
        stage.expect("bankruptcy_price_differs", guest.name, liquidation.executed)
    stage.leave(guest)


def liquidation_does_not_close(stage: Stage, *, wrong: bool) -> None:
    """Close more than is held, so that the position changes sides."""
    guest = _deep(stage)
    fault = Fault(fee_factor=stage.ratio("0.0001", "0.001"))
    if wrong:
        fault.quantity_off = INSTRUMENTS[guest.instrument].lot * stage.rng.randrange(1, 4)
    fault.price = stage.books.marks[guest.instrument]
    liquidation = liquidate(stage.venue, guest.unit, "book", fault)
    if wrong:
        stage.expect("liquidation_does_not_close", guest.name, liquidation.executed)
    stage.leave(guest)


def takeover_differs_from_fills(stage: Stage, *, wrong: bool) -> None:
    """List another price than that of the fill."""
    guest = _deep(stage)
    fault = Fault(listed_price_off=stage.ticks(guest, 5, 200)) if wrong else Fault()
    liquidation = liquidate(stage.venue, guest.unit, "fund", fault)
    if wrong:
        stage.expect("takeover_differs_from_fills", guest.name, liquidation.executed)
    stage.leave(guest)


def liquidation_notional_differs(stage: Stage, *, wrong: bool) -> None:
    """State another notional than that of what was taken over."""
    guest = _deep(stage)
    fault = Fault(notional_off=stage.amount(200, 9000)) if wrong else Fault()
    liquidation = liquidate(stage.venue, guest.unit, "fund", fault)
    if wrong:
        stage.expect("liquidation_notional_differs", guest.name, liquidation.executed)
    stage.leave(guest)


def liquidation_account_value_differs(stage: Stage, *, wrong: bool) -> None:
    """State another account value than what the account is worth."""
    guest = _deep(stage)
    fault = Fault(value_off=stage.amount(200, 9000)) if wrong else Fault()
    liquidation = liquidate(stage.venue, guest.unit, "fund", fault)
    if wrong:
        stage.expect("liquidation_account_value_differs", guest.name, liquidation.executed)
    stage.leave(guest)


def fills_do_not_match_liquidation(stage: Stage, *, wrong: bool) -> None:
    """Record a liquidation's fill without the liquidation."""
    guest = stage.opened()
    quantity = abs(stage.position(guest)) / 4
    quantity = on_step(quantity, INSTRUMENTS[guest.instrument].lot, "ceiling")
    side = "sell" if guest.direction > 0 else "buy"
    terms = (guest.name, guest.instrument, side, quantity, stage.books.marks[guest.instrument])
    if wrong:
        record = stage.venue.trade(*terms, purpose="liquidation", liquidation="liquidation-of-nobody")
        stage.expect("fills_do_not_match_liquidation", guest.name, record)
    else:
        stage.venue.trade(*terms)
    stage.leave(guest)


def fee_beyond_schedule(stage: Stage, *, wrong: bool) -> None:
    """Take more than the fee schedule allows, on a fill, a trade or a liquidation."""
    way = stage.rng.choice(("fill", "trade", "liquidation"))
    extra = stage.rng.randrange(2, 10**7) * UNIT if wrong else ZERO
    guest = stage.opened()
    name, mark = guest.instrument, stage.books.marks[guest.instrument]
    quantity = INSTRUMENTS[name].lot * stage.rng.randrange(1, 4)
    if way == "fill":
        fee = fee_of(name, quantity, mark, FEES[name].taker) + extra
        record = stage.venue.trade(guest.name, name, guest.opening, quantity, mark, fee=fee)
    elif way == "trade":
        pair = (guest.name, stage.venue.maker())
        buyer, seller = pair if guest.direction > 0 else pair[::-1]
        off = (extra, ZERO) if guest.direction > 0 else (ZERO, extra)
        record = stage.crowd.desk.execute(name, quantity, mark, buyer, seller, off)
    else:
        stage.to_ratio(guest, stage.ratio("1.02", "1.2"))
        stage.soon()
        liquidation = liquidate(stage.venue, guest.unit, "partial")
        stage.recover(guest)
        rest = _allowed(liquidation) - sum(
            (each.data["amount"] for each in liquidation.of("FeeCharged")), ZERO
        )
        charge(stage.venue, guest.name, rest + extra, liquidation.name)
        record = stage.journal.records[-1]
    if wrong:
        stage.expect("fee_beyond_schedule", guest.name, record)
    stage.leave(guest)


def _allowed(liquidation: Liquidation) -> Decimal:
    """Return the greatest fee of a liquidation."""
    fees = (
        fee_of(
            fill.data["instrument"],
            fill.data["quantity"],
            fill.data["price"],
            FEES[fill.data["instrument"]].liquidation,
        )
        for fill in liquidation.fills()
    )
    return sum(fees, ZERO)


def insurance_fund_movement_differs(stage: Stage, *, wrong: bool) -> None:
    """Let the fund pay more than was lacking, or for no liquidation at all."""
    if wrong and stage.rng.random() < 0.4:
        guest = stage.opened()
        record = stage.draw(guest, stage.amount(1, 900), None)
    else:
        guest = _under(stage, 10, 900)
        fault = Fault(drawn_off=stage.amount(1, 500)) if wrong else Fault()
        record = liquidate(stage.venue, guest.unit, "fund", fault).of("InsuranceFundDrawn")[0]
    if wrong:
        stage.expect("insurance_fund_movement_differs", guest.name, record)
    stage.leave(guest)


def insurance_fund_negative(stage: Stage, *, wrong: bool) -> None:
    """Let the fund pay more than it has."""
    stage.drain_fund(20, 90)
    guest = _under(stage, 200, 3000)
    liquidation = liquidate(stage.venue, guest.unit, "fund", Fault(overdraw=wrong))
    if wrong:
        stage.expect("insurance_fund_negative", FUND, liquidation.of("InsuranceFundDrawn")[0])
    stage.refill_fund()
    stage.leave(guest)


def _rivals(stage: Stage, guest: Guest) -> list[Guest]:
    """Return guests on the other side who gain, each of them enough for the first one's position."""
    return [
        stage.opened(
            -guest.direction,
            guest.instrument,
            notional=(200_000, 250_000),
            better=Fraction(stage.rng.randrange(50, 300), 10_000),
        )
        for _ in range(3)
    ]


def _deleveraged(stage: Stage, code: str, fault: Fault, *, wrong: bool, drained: bool) -> None:
    """Auto-deleverage a small position; every step of it is expected to be found."""
    name = stage.rng.choice(list(INSTRUMENTS))
    direction = stage.rng.choice((-1, 1))
    if drained:
        stage.drain_fund(1, 20)
    guest = stage.opened(direction, name)
    rivals = _rivals(stage, guest)
    stage.to_ratio(guest, stage.ratio(*DEEP))
    stage.soon()
    liquidation = liquidate(stage.venue, guest.unit, "adl", fault)
    stage.engine.review()
    stage.refill_fund()
    steps = liquidation.of("PositionAutoDeleveraged")
    if wrong and code == "adl_out_of_rank":
        for step in steps:
            stage.expect(code, step.data["counterparty_account"], step)
    elif wrong and code == "adl_while_fund_could_pay":
        stage.expect(code, guest.name, steps[0])
    elif wrong:
        for step in steps:
            stage.expect(code, guest.name, step)
    stage.leave(guest, *rivals)


def adl_out_of_rank(stage: Stage, *, wrong: bool) -> None:
    """Pass over the first of those who gain."""
    fault = Fault(rank_off=stage.rng.choice((1, 2))) if wrong else Fault()
    _deleveraged(stage, "adl_out_of_rank", fault, wrong=wrong, drained=True)


def adl_while_fund_could_pay(stage: Stage, *, wrong: bool) -> None:
    """Auto-deleverage what the fund could have taken."""
    _deleveraged(stage, "adl_while_fund_could_pay", Fault(), wrong=wrong, drained=not wrong)


def waterfall_step_not_in_policy(stage: Stage, *, wrong: bool) -> None:
    """Take a step that the policy in force does not have."""
    without = stage.rng.choice(("adl", "insurance_fund"))
    _set_waterfall(stage, tuple(step for step in WATERFALL if step != without))
    if without == "adl" and wrong:
        _deleveraged(stage, "waterfall_step_not_in_policy", Fault(), wrong=True, drained=True)
    elif without == "adl":
        guest = _deep(stage)
        liquidate(stage.venue, guest.unit, "fund")
        stage.leave(guest)
    else:
        guest = _under(stage, 10, 900)
        fault = Fault() if wrong else Fault(kept_back=Decimal(10**9))
        liquidation = liquidate(stage.venue, guest.unit, "fund", fault)
        if wrong:
            drawn = liquidation.of("InsuranceFundDrawn")[0]
            stage.expect("waterfall_step_not_in_policy", guest.name, drawn)
        stage.leave(guest)
    _set_waterfall(stage, WATERFALL)


def _set_waterfall(stage: Stage, waterfall: tuple[str, ...]) -> None:
    seconds = Decimal(stage.mark_max_age // 1_000_000)
    stage.venue.emit("RiskPolicySet", policy_data(Moment(stage.journal.now), seconds, waterfall))


def loss_socialised_wrongly(stage: Stage, *, wrong: bool) -> None:
    """Share out too much, or while the fund still has something, or in other parts than by equity."""
    stage.drain_fund(20, 90)
    guest = _under(stage, 200, 3000)
    fault = Fault()
    way = stage.rng.choice(("amount", "fund", "share")) if wrong else None
    if way == "amount":
        fault.loss_off = stage.amount(1, 300)
    elif way == "fund":
        fault.kept_back = stage.amount(1, 15)
    elif way == "share":
        fault.share_off = stage.rng.randrange(10, 10**7) * UNIT
    liquidation = liquidate(stage.venue, guest.unit, "fund", fault)
    if wrong:
        stage.expect("loss_socialised_wrongly", guest.name, liquidation.of("LossSocialised")[-1])
    stage.refill_fund()
    stage.leave(guest)


SCENES: dict[str, Callable[..., None]] = {
    scene.__name__: scene
    for scene in (
        takeover_price_wrong,
        bankruptcy_price_differs,
        liquidation_does_not_close,
        takeover_differs_from_fills,
        liquidation_notional_differs,
        liquidation_account_value_differs,
        fills_do_not_match_liquidation,
        fee_beyond_schedule,
        insurance_fund_movement_differs,
        insurance_fund_negative,
        adl_out_of_rank,
        adl_while_fund_could_pay,
        waterfall_step_not_in_policy,
        loss_socialised_wrongly,
    )
}
