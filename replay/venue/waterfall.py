"""Closing positions step by step: order book, insurance fund, auto-deleveraging, socialised loss.

Every step takes what the one before left over. The order book fills at prices no worse than the
bankruptcy price. The insurance fund takes a position over at its bankruptcy price, or, where the
account is worth less than zero, at the mark, and pays the shortfall in cash; it takes a position
whole or not at all, and only while its own equity covers the maintenance margin of what it then
holds. ADL closes against profitable accounts at the bankruptcy price. What is still left the fund
takes at the mark, and the loss is shared out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, Rounding, divide, round_to
from ledger.events.liquidations import PositionAutoDeleveraged
from replay.margin.takeover import allocated_value, bankruptcy_price
from replay.venue.adl import adl_queue
from replay.venue.fills import Party, Trade
from replay.venue.matching import Match, Removal, Taker, match
from replay.venue.policy import ADL, BY_NOTIONAL, INSURANCE_FUND, ORDER_BOOK, SOCIALISED_LOSS

if TYPE_CHECKING:
    from uuid import UUID

    from replay.venue.book import Order
    from replay.venue.commands import Side
    from replay.venue.risk import Exposure, RiskView, Standing


@dataclass(frozen=True, slots=True)
class Closing:
    """One trade that closes (part of) a position that is liquidated.

    Attributes:
        step: the step of the waterfall.
        maker: the resting order that was met, in the order book.
        rank: place in the ADL queue, 1 for the first.
    """

    step: str
    trade: Trade
    maker: Order | None = None
    rank: int | None = None

    def carry_out(self, view: RiskView, liquidation: str, causation: UUID | None) -> None:
        """Record the trade and what precedes it."""
        if self.maker is not None:
            view.venue.fill_resting(self.maker, self.trade.quantity)
        cause = causation
        if self.rank is not None:
            cause = view.venue.journal.decide(
                PositionAutoDeleveraged(
                    liquidation=liquidation,
                    bankrupt_account=self.trade.first.account,
                    counterparty_account=self.trade.second.account,
                    instrument=self.trade.instrument,
                    quantity=self.trade.quantity,
                    price=self.trade.price,
                    rank=Decimal(self.rank),
                    trade_id=self.trade.trade_id,
                ),
                causation=causation,
                correlation=liquidation,
            )
        self.trade.record(view, cause)


@dataclass(slots=True)
class Case:
    """A liquidation under way.

    Attributes:
        standing: of the pot when it was decided.
        fraction: how much of each position is closed; 1 is a full liquidation.
        owed: what the insurance fund has to pay for the positions that it took over so far.
    """

    liquidation: str
    standing: Standing
    fraction: Decimal
    owed: Decimal = ZERO

    @property
    def full(self) -> bool:
        """Whether everything is closed."""
        return self.fraction == 1


def bankruptcy_prices(view: RiskView, standing: Standing) -> dict[str, Decimal]:
    """Return the bankruptcy price of every position of a pot, by instrument, on the tick.

    The equity is shared out as the policy says; rounding goes against the trader's side of the
    trade, so that a takeover at these prices never leaves the pot below zero.
    """
    if view.policy.allocates_by == BY_NOTIONAL:
        shares = [exposure.notional for exposure in standing.exposures]
    else:
        shares = [exposure.maintenance_margin for exposure in standing.exposures]
    total = sum(shares, ZERO)
    if not total:
        shares = [exposure.notional for exposure in standing.exposures]
        total = sum(shares, ZERO)
    prices = {}
    for exposure, share in zip(standing.exposures, shares, strict=True):
        behind = allocated_value(standing.equity, share, total)
        price = bankruptcy_price(exposure.mark_price, exposure.size, behind)
        tick = view.venue.instrument(exposure.position.instrument).tick_size
        if tick is not None:
            rounding = Rounding.CEILING if exposure.size > 0 else Rounding.FLOOR
            price = divide(price, tick, scale=0, rounding=rounding) * tick
            price = max(price, tick)
        prices[exposure.position.instrument] = price
    return prices


def quantity_to_close(exposure: Exposure, fraction: Decimal, quantity_scale: int) -> Decimal:
    """Return how many contracts a liquidation of a fraction closes, rounded up to what can be traded."""
    held = abs(exposure.position.quantity)
    if fraction == 1:
        return held
    return min(held, round_to(held * fraction, quantity_scale, Rounding.UP))


def close_out(view: RiskView, case: Case, causation: UUID | None) -> list[Closing | Removal]:
    """Close the positions of a case as its policy says; return what happened, in order."""
    steps = view.policy.waterfall if case.full else (ORDER_BOOK,)
    prices = bankruptcy_prices(view, case.standing)
    happened: list[Closing | Removal] = []
    for exposure in case.standing.exposures:
        price = prices[exposure.position.instrument]
        left = quantity_to_close(exposure, case.fraction, view.venue.configuration.quantity_scale)
        for step in steps:
            if not left:
                break
            for each in _STEPS[step](view, case, exposure, price, left, causation):
                happened.append(each)
                if isinstance(each, Closing):
                    left -= each.trade.quantity
    return happened


def _order_book(
    view: RiskView, case: Case, exposure: Exposure, price: Decimal, left: Decimal, causation: UUID | None
) -> list[Closing | Removal]:
    taker = Taker(_bankrupt(case), exposure.position.instrument, _closing_side(exposure), left, price)
    return [
        Closing(ORDER_BOOK, step.trade, maker=step.maker) if isinstance(step, Match) else step
        for step in match(view, taker, causation)
    ]


def _insurance_fund(
    view: RiskView, case: Case, exposure: Exposure, price: Decimal, left: Decimal, causation: UUID | None
) -> list[Closing | Removal]:
    instrument = exposure.position.instrument
    size = view.venue.instrument(instrument).contract_size * left
    owed, at = case.owed, price
    if case.standing.equity < 0:
        at = exposure.mark_price
        owed += abs(price - exposure.mark_price) * size
    sign = 1 if exposure.size > 0 else -1
    gain = (exposure.mark_price - at) * size * sign
    if not _fund_can_take(view, instrument, left * sign, gain, owed):
        return []
    case.owed = owed
    return [_take_over(view, case, exposure, at, left, INSURANCE_FUND, causation)]


def _adl(
    view: RiskView, case: Case, exposure: Exposure, price: Decimal, left: Decimal, causation: UUID | None
) -> list[Closing | Removal]:
    closings: list[Closing | Removal] = []
    queue = adl_queue(view, case.standing.account, exposure, price)
    for rank, candidate in enumerate(queue, start=1):
        quantity = min(left, candidate.quantity)
        if quantity:
            trade = Trade(
                view.venue.next_trade_id(),
                exposure.position.instrument,
                _closing_side(exposure),
                quantity,
                price,
                Party(case.standing.account, "adl", liquidation=case.liquidation),
                Party(candidate.account, "adl", liquidation=case.liquidation),
            )
            closing = Closing(ADL, trade, rank=rank)
            closing.carry_out(view, case.liquidation, causation)
            closings.append(closing)
            left -= quantity
        if not left:
            break
    return closings


def _socialised_loss(
    view: RiskView, case: Case, exposure: Exposure, _price: Decimal, left: Decimal, causation: UUID | None
) -> list[Closing | Removal]:
    return [_take_over(view, case, exposure, exposure.mark_price, left, SOCIALISED_LOSS, causation)]


_STEPS = {
    ORDER_BOOK: _order_book,
    INSURANCE_FUND: _insurance_fund,
    ADL: _adl,
    SOCIALISED_LOSS: _socialised_loss,
}


def _take_over(
    view: RiskView,
    case: Case,
    exposure: Exposure,
    price: Decimal,
    quantity: Decimal,
    step: str,
    causation: UUID | None,
) -> Closing:
    trade = Trade(
        view.venue.next_trade_id(),
        exposure.position.instrument,
        _closing_side(exposure),
        quantity,
        price,
        _bankrupt(case),
        Party(view.venue.configuration.insurance_fund, "liquidation", liquidation=case.liquidation),
    )
    closing = Closing(step, trade)
    closing.carry_out(view, case.liquidation, causation)
    return closing


def _fund_can_take(view: RiskView, instrument: str, quantity: Decimal, gain: Decimal, owed: Decimal) -> bool:
    """Tell whether the fund's equity covers what it would then hold, after it paid what it owes."""
    fund = view.venue.state.accounts.get(view.venue.configuration.insurance_fund)
    standing = None if fund is None else view.cross(fund)
    if fund is None or standing is None:
        return False
    required = ZERO
    for exposure in standing.exposures:
        if exposure.position.instrument == instrument:
            quantity += exposure.position.quantity
        else:
            required += exposure.maintenance_margin
    required += view.maintenance_at_mark(instrument, quantity)
    wallet = fund.balances.get(view.venue.configuration.settlement_asset, ZERO)
    return wallet >= owed and standing.equity + gain - owed >= required


def fund_available(view: RiskView) -> Decimal:
    """Return what the fund can pay in cash before its own equity is used up."""
    fund = view.venue.state.accounts.get(view.venue.configuration.insurance_fund)
    standing = None if fund is None else view.cross(fund)
    if fund is None or standing is None:
        return ZERO
    wallet = fund.balances.get(view.venue.configuration.settlement_asset, ZERO)
    return max(min(wallet, standing.equity), ZERO)


def _bankrupt(case: Case) -> Party:
    return Party(case.standing.account, "liquidation", liquidation=case.liquidation)


def _closing_side(exposure: Exposure) -> Side:
    return "sell" if exposure.size > 0 else "buy"
