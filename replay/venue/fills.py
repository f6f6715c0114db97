"""The two fills of a trade, with their fees and the isolated margin that they call for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger.amounts import ZERO
from ledger.events.cash import MarginAdjusted
from ledger.events.trading import FillRecorded
from replay.margin.tiered import initial_margin
from replay.venue.book import opposite

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from replay.venue.commands import Side
    from replay.venue.risk import RiskView

NO_FEE = ZERO


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a trade.

    Attributes:
        fee_rate: on notional; negative is a rebate.
    """

    account: str
    purpose: Literal["trade", "liquidation", "adl"] = "trade"
    fee_rate: Decimal = NO_FEE
    liquidity: Literal["maker", "taker"] | None = None
    order_id: str | None = None
    liquidation: str | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade that is decided; ``side`` is that of the first party."""

    trade_id: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    first: Party
    second: Party

    def record(self, view: RiskView, causation: UUID | None) -> None:
        """Record both fills, which sum to zero."""
        self._fill(view, self.first, self.side, causation)
        self._fill(view, self.second, opposite(self.side), causation)

    def _fill(self, view: RiskView, party: Party, side: Side, causation: UUID | None) -> None:
        venue = view.venue
        quantity = self.quantity if side == "buy" else -self.quantity
        notional = self.quantity * venue.instrument(self.instrument).contract_size * self.price
        fee = venue.to_venue(notional * party.fee_rate)
        before, after = _isolated_margin(view, party.account, self.instrument, quantity, self.price)
        self._adjust(view, party, before, causation)
        venue.journal.decide(
            FillRecorded(
                account=party.account,
                instrument=self.instrument,
                side=side,
                quantity=self.quantity,
                price=self.price,
                fee=fee or None,
                fee_asset=venue.configuration.settlement_asset if fee else None,
                trade_id=self.trade_id,
                liquidity=party.liquidity,
                purpose=party.purpose,
                order_id=party.order_id,
                liquidation=party.liquidation,
            ),
            causation=causation,
            correlation=self.first.liquidation,
        )
        self._adjust(view, party, after, causation)
        venue.fees_due += fee

    def _adjust(self, view: RiskView, party: Party, amount: Decimal, causation: UUID | None) -> None:
        if amount:
            view.venue.journal.decide(
                MarginAdjusted(
                    account=party.account,
                    instrument=self.instrument,
                    amount=amount,
                    reason=f"initial margin of trade {self.trade_id}",
                ),
                causation=causation,
                correlation=self.first.liquidation,
            )


def _isolated_margin(
    view: RiskView, name: str, instrument: str, quantity: Decimal, price: Decimal
) -> tuple[Decimal, Decimal]:
    """Return the isolated margin to put in before a fill, and after one that turns the position round.

    It is the initial margin at the mark and what the fill loses against the mark, so that the
    position starts with its full margin. Margin put in before a turn would leave with what is closed.
    """
    account = view.venue.account(name)
    if account.margin_mode(instrument) != "isolated":
        return ZERO, ZERO
    position = account.positions.get((instrument, "both"))
    held = ZERO if position is None else position.quantity
    becomes = held + quantity
    turns = held * becomes < 0
    if not becomes or (held * quantity < 0 and not turns):
        return ZERO, ZERO
    opened = becomes if turns else quantity
    mark = view.mark_price(instrument) or price
    size = opened * view.venue.instrument(instrument).contract_size
    notional = abs(becomes) * view.venue.instrument(instrument).contract_size * mark
    margin = initial_margin(abs(size) * mark, view.leverage(account, instrument, notional))
    margin = view.venue.to_venue(margin + max((price - mark) * size, ZERO))
    return (ZERO, margin) if turns else (margin, ZERO)
