"""Who is auto-deleveraged, and in which order: by PnL on cost times leverage."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tests.simulation.days.margin import figures_of, legs_of, notional_of, unrealised_of
from tests.simulation.days.terms import INSTRUMENTS, SETTLEMENT

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.simulation.days.books import Books


def queue_of(books: Books, bankrupt: str, instrument: str, price: Decimal) -> list[tuple[str, Decimal]]:
    """Return (account, contracts held) of those who gain at the mark and at a price, highest score first."""
    side = books.accounts[bankrupt].positions[instrument].quantity
    size = INSTRUMENTS[instrument].contract_size
    dollar = Fraction(books.asset_prices[SETTLEMENT])
    scored = []
    for account in books.holders(instrument):
        position = account.positions[instrument]
        if account.kind == "insurance_fund" or account.name == bankrupt or position.quantity * side > 0:
            continue
        gain = unrealised_of(books, instrument, position)
        unit = account.unit(instrument)
        equity = figures_of(books, unit).equity
        if gain <= 0 or position.quantity * size * price - position.cost <= 0 or equity <= 0:
            continue
        notional = sum(notional_of(books, name, held.quantity) for name, held in legs_of(books, unit))
        leverage = Fraction(notional) * dollar / Fraction(equity)
        score = Fraction(gain) / Fraction(abs(position.cost)) * leverage
        scored.append((-score, account.name, abs(position.quantity)))
    return [(name, held) for _, name, held in sorted(scored)]
