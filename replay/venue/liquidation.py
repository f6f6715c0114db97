"""Liquidating a margin pot: what is announced, what is closed, and where the money goes.

A liquidation is first rehearsed on a copy of the venue, so that ``LiquidationExecuted`` can say
before the fills what they will be; then the same trades are recorded.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, round_to
from ledger.events.cash import FeeCharged, InsuranceFundContributed, InsuranceFundDrawn, MarginAdjusted
from ledger.events.liquidations import LiquidationExecuted, LiquidationStarted, Takeover
from replay.state.schedules import in_force
from replay.venue.losses import socialise
from replay.venue.matching import Removal, cancel, carry_out
from replay.venue.policy import INSURANCE_FUND
from replay.venue.risk import RiskView
from replay.venue.waterfall import (
    Case,
    Closing,
    bankruptcy_prices,
    close_out,
    fund_available,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from uuid import UUID

    from replay.venue.risk import Exposure, Standing

RATIO_SCALE = 12


def liquidate(view: RiskView, standing: Standing) -> None:
    """Liquidate a pot that is in breach, as the policy says."""
    venue = view.venue
    case = Case(venue.next_liquidation_id(), standing, _fraction(view, standing))
    happened, rehearsed = _rehearse(view, case)
    if not case.full and not any(isinstance(step, Closing) for step in happened):
        # A part that the book does not take leaves nothing to wait for.
        case.fraction = ONE
        happened, rehearsed = _rehearse(view, case)
    started = _announce(view, case)
    _cancel_orders(view, case, started)
    for step in happened:
        if isinstance(step, Removal):
            carry_out(view, step, started, case.liquidation)
    closings = [step for step in happened if isinstance(step, Closing)]
    before = _wallet(view, standing.account)
    fee = _fee(rehearsed, case, closings, before)
    executed = _report(view, case, closings, fee, started)
    for closing in closings:
        closing.carry_out(view, case.liquidation, executed)
    venue.adopt_trade_ids(rehearsed.venue)
    _settle(view, case, before, fee, executed)
    if case.full:
        venue.calls.discard(standing.pot)
        venue.partly_liquidated.discard(standing.pot)
    else:
        seconds = timedelta(microseconds=int(view.policy.cooldown_seconds * 1_000_000))
        venue.partly_liquidated.add(standing.pot)
        venue.cooling_until[standing.pot] = venue.journal.processed_at + seconds


def _fraction(view: RiskView, standing: Standing) -> Decimal:
    """Return the part to close: all of it for whoever has nothing left or was partly liquidated before."""
    if standing.value <= 0 or standing.equity <= 0 or standing.pot in view.venue.partly_liquidated:
        return ONE
    return view.policy.partial_fraction


def _announce(view: RiskView, case: Case) -> UUID:
    standing = case.standing
    single = standing.exposures[0] if len(standing.exposures) == 1 else None
    ratio = None
    if standing.value > 0:
        ratio = divide(
            standing.maintenance_margin, standing.value, scale=RATIO_SCALE, rounding=Rounding.HALF_EVEN
        )
    schedule = None
    if single is not None:
        versions = view.venue.state.margin_schedules.get(single.position.instrument, ())
        schedule = in_force(versions, view.moment)
    what = "maintenance margin is not covered"
    return view.venue.journal.decide(
        LiquidationStarted(
            liquidation=case.liquidation,
            account=standing.account,
            scope=_scope(standing),
            instrument=single.position.instrument if single is not None else None,
            mark_price=single.mark_price if single is not None else None,
            margin_ratio=ratio,
            schedule_event=schedule.event_id if schedule is not None else None,
            reason=what if case.full else f"{what}: partial liquidation",
        ),
        correlation=case.liquidation,
    )


def _rehearse(view: RiskView, case: Case) -> tuple[list[Closing | Removal], RiskView]:
    rehearsal = RiskView(view.venue.rehearsal())
    _cancel_orders(rehearsal, case, None)
    trial = Case(case.liquidation, case.standing, case.fraction)
    return close_out(rehearsal, trial, None), rehearsal


def _cancel_orders(view: RiskView, case: Case, causation: UUID | None) -> None:
    for order in view.venue.orders_of(case.standing.account):
        if not case.standing.isolated or order.instrument == case.standing.pot[1]:
            cancel(view.venue, order, "liquidation", causation, case.liquidation)


def _report(view: RiskView, case: Case, closings: Sequence[Closing], fee: Decimal, causation: UUID) -> UUID:
    standing = case.standing
    prices = bankruptcy_prices(view, standing)
    takeovers = []
    notional = ZERO
    for exposure in standing.exposures:
        here = [each for each in closings if each.trade.instrument == exposure.position.instrument]
        quantity = sum((each.trade.quantity for each in here), ZERO)
        if quantity:
            takeovers.append(_takeover(exposure, here, quantity, prices[exposure.position.instrument]))
        contract_size = view.venue.instrument(exposure.position.instrument).contract_size
        notional += quantity * contract_size * exposure.mark_price
    return view.venue.journal.decide(
        LiquidationExecuted(
            liquidation=case.liquidation,
            account=standing.account,
            scope=_scope(standing),
            notional=_valued(notional, standing),
            account_value=_valued(standing.equity, standing),
            takeovers=takeovers,
            fee=fee or None,
            leverage_type="isolated" if standing.isolated else "cross",
        ),
        causation=causation,
        correlation=case.liquidation,
    )


def _takeover(exposure: Exposure, closings: Sequence[Closing], quantity: Decimal, price: Decimal) -> Takeover:
    paid = sum((each.trade.quantity * each.trade.price for each in closings), ZERO)
    counterparties = {each.trade.second.account for each in closings}
    return Takeover(
        instrument=exposure.position.instrument,
        quantity=quantity,
        price=divide(paid, quantity, scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN),
        bankruptcy_price=price,
        counterparty_account=counterparties.pop() if len(counterparties) == 1 else None,
        trade_ids=[each.trade.trade_id for each in closings],
    )


def _fee(rehearsed: RiskView, case: Case, closings: Sequence[Closing], wallet_before: Decimal) -> Decimal:
    """Return the liquidation fee on what was closed, at most what the account has left afterwards.

    Whoever is worth less than zero pays none: what is left then is others' money.
    """
    if case.standing.equity < 0:
        return ZERO
    venue = rehearsed.venue
    fee = ZERO
    for closing in closings:
        schedule = venue.fee_schedule(closing.trade.instrument)
        if schedule is not None:
            size = closing.trade.quantity * venue.instrument(closing.trade.instrument).contract_size
            fee += venue.to_venue(size * closing.trade.price * max(schedule.liquidation_rate, ZERO))
    wallet = _wallet(rehearsed, case.standing.account)
    if case.standing.isolated:
        left = wallet - wallet_before
    elif case.full:
        left = wallet
    else:
        cross = rehearsed.cross(venue.account(case.standing.account))
        left = ZERO if cross is None else cross.equity
    return max(min(fee, left), ZERO)


def _settle(view: RiskView, case: Case, wallet_before: Decimal, fee: Decimal, causation: UUID) -> None:
    """Charge the fee; what is left goes to the fund, what is lacking the fund pays, and then everybody."""
    venue = view.venue
    account, asset = case.standing.account, venue.configuration.settlement_asset
    result = _wallet(view, account) - (wallet_before if case.standing.isolated else ZERO) - fee
    if fee:
        venue.journal.decide(
            FeeCharged(
                account=account, asset=asset, amount=fee, reason="liquidation fee", reference=case.liquidation
            ),
            causation=causation,
            correlation=case.liquidation,
        )
        venue.fees_due += fee
    if not case.full:
        if case.standing.isolated:
            _return_margin(view, case, result, causation)
        return
    movement: dict[str, Any] = {
        "fund": venue.configuration.insurance_fund,
        "asset": asset,
        "account": account,
        "liquidation": case.liquidation,
    }
    if result > 0:
        surplus = InsuranceFundContributed(**movement, amount=result, reason="left after the liquidation")
        venue.journal.decide(surplus, causation=causation, correlation=case.liquidation)
    elif result < 0:
        paid = ZERO
        if INSURANCE_FUND in view.policy.waterfall:
            paid = min(-result, fund_available(view))
        if paid:
            drawn = InsuranceFundDrawn(**movement, amount=paid, reason="shortfall of the liquidation")
            venue.journal.decide(drawn, causation=causation, correlation=case.liquidation)
        if -result > paid:
            socialise(view, account, -result - paid, case.liquidation, causation)


def _return_margin(view: RiskView, case: Case, released: Decimal, causation: UUID) -> None:
    """Put what a partial liquidation released back behind the isolated position."""
    if released:
        view.venue.journal.decide(
            MarginAdjusted(
                account=case.standing.account,
                instrument=case.standing.pot[1],
                amount=released,
                reason=f"released by partial liquidation {case.liquidation}",
            ),
            causation=causation,
            correlation=case.liquidation,
        )


def _wallet(view: RiskView, account: str) -> Decimal:
    balances = view.venue.account(account).balances
    return balances.get(view.venue.configuration.settlement_asset, ZERO)


def _scope(standing: Standing) -> Literal["account", "position"]:
    return "position" if standing.isolated else "account"


def _valued(amount: Decimal, standing: Standing) -> Decimal:
    return round_to(amount * standing.rate, MAXIMUM_SCALE, Rounding.HALF_EVEN)
