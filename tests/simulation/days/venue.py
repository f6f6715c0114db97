"""The venue of a day: it writes events, keeps its books by them, and trades with its makers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ZERO, rounded
from tests.simulation.days.books import Books
from tests.simulation.days.margin import bands_of, figures_of, legs_of, maintenance_of, unrealised_of
from tests.simulation.days.records import Journal
from tests.simulation.days.terms import FEES, FUND, HOUSE, INSTRUMENTS, MAKERS, SETTLEMENT

if TYPE_CHECKING:
    from decimal import Decimal
    from random import Random

    from tests.simulation.days.books import Unit
    from tests.simulation.days.margin import Figures
    from tests.simulation.days.records import Record

UNJUDGED = frozenset({FUND, HOUSE, *MAKERS})
"""Accounts that the engine need not look at: they hold far more than they need."""


def fee_of(instrument: str, quantity: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """Return rate × notional, rounded up to the settlement asset's scale."""
    return rounded(quantity * INSTRUMENTS[instrument].contract_size * price * rate, 6, "ceiling")


class Venue:
    """Writes events and books them.

    Attributes:
        bands: instrument → unit → marks between which the unit stays in its state.
        by_hand: accounts that a scene acts for; the engine leaves them alone.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.journal = Journal(rng)
        self.books = Books()
        self.bands: dict[str, dict[Unit, tuple[Decimal, Decimal]]] = {name: {} for name in INSTRUMENTS}
        self.by_hand: set[str] = set()
        self._numbers: dict[str, int] = {}

    def number(self, kind: str) -> str:
        """Return the next name of a kind, such as ``trade-17``."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{self._numbers[kind]}"

    def emit(self, event_type: str, data: dict[str, Any], **envelope: Any) -> Record:
        """Record an event and book it."""
        record = self.journal.write(event_type, data, **envelope)
        self.books.apply(event_type, data)
        return record

    def figures(self, unit: Unit) -> Figures:
        """Return a unit's figures at the marks."""
        return figures_of(self.books, unit)

    def refresh_bands(self, unit: Unit, figures: Figures) -> None:
        """Note between which marks the unit need not be looked at again."""
        bands = bands_of(self.books, unit, figures)
        for name, of_units in self.bands.items():
            if name in bands:
                of_units[unit] = bands[name]
            else:
                of_units.pop(unit, None)

    def maker(self) -> str:
        """Return a market maker by chance."""
        return self.rng.choice(MAKERS)

    def fill(
        self,
        account: str,
        instrument: str,
        side: str,
        quantity: Decimal,
        price: Decimal,
        trade_id: str,
        *,
        liquidity: str = "taker",
        fee: Decimal | None = None,
        **more: Any,
    ) -> Record:
        """Record one side of a trade; the fee is the schedule's unless one is given."""
        rates = FEES[instrument]
        if fee is None:
            fee = fee_of(instrument, quantity, price, rates.maker if liquidity == "maker" else rates.taker)
        data = {
            "account": account,
            "instrument": instrument,
            "side": side,
            "quantity": quantity,
            "price": price,
            "fee": fee,
            "fee_asset": SETTLEMENT,
            "trade_id": trade_id,
            "liquidity": liquidity,
            "purpose": "trade",
            **more,
        }
        return self.emit("FillRecorded", data)

    def trade(
        self,
        taker: str,
        instrument: str,
        side: str,
        quantity: Decimal,
        price: Decimal,
        *,
        maker: str | None = None,
        **taker_more: Any,
    ) -> Record:
        """Record both fills of a trade of a taker with a maker; returns the taker's."""
        trade_id = self.number("trade")
        maker = self.maker() if maker is None else maker
        taken = self.fill(taker, instrument, side, quantity, price, trade_id, **taker_more)
        other = "sell" if side == "buy" else "buy"
        self.fill(maker, instrument, other, quantity, price, trade_id, liquidity="maker")
        return taken

    def deposit(self, account: str, amount: Decimal, asset: str = SETTLEMENT, **envelope: Any) -> Record:
        """Record a deposit that was received a little after it was sent."""
        now = envelope.get("occurred", self.journal.now)
        envelope.setdefault("received", now + 20_000 + self.rng.getrandbits(14))
        data = {"account": account, "asset": asset, "amount": amount, "reference": self.number("deposit")}
        return self.emit("DepositRecorded", data, **envelope)

    def withdraw(self, account: str, amount: Decimal, asset: str = SETTLEMENT) -> Record:
        """Record a withdrawal."""
        data = {"account": account, "asset": asset, "amount": amount, "reference": self.number("withdrawal")}
        return self.emit("WithdrawalRecorded", data)

    def transfer(self, payer: str, payee: str, amount: Decimal) -> Record:
        """Record a transfer of the settlement asset."""
        data = {"from_account": payer, "to_account": payee, "asset": SETTLEMENT, "amount": amount}
        return self.emit("TransferRecorded", data)

    def support_fund(self) -> None:
        """Let the house pay into the fund what it needs to hold what it has taken over."""
        figures = self.figures((FUND, None))
        price = self.books.asset_prices[SETTLEMENT]
        cash = self.books.accounts[FUND].cash() * price
        losses = sum(
            (min(ZERO, unrealised_of(self.books, *leg)) for leg in legs_of(self.books, (FUND, None))), ZERO
        )
        lacking = max(4 * figures.maintenance - figures.collateral, 50_000 - cash - losses * price)
        if lacking > 0:
            self.transfer(HOUSE, FUND, rounded(lacking * 2, 0, "ceiling"))

    def unwind_fund(self) -> None:
        """Let the fund sell what it has taken over, at the mark."""
        for name, position in legs_of(self.books, (FUND, None)):
            side = "sell" if position.quantity > 0 else "buy"
            self.trade(FUND, name, side, abs(position.quantity), self.books.marks[name])
        self.support_fund()

    def fund_could_take(self, instrument: str, quantity: Decimal, gain: Decimal, owed: Decimal) -> bool:
        """Tell whether the fund could hold a signed quantity besides what it holds."""
        held = {name: position.quantity for name, position in legs_of(self.books, (FUND, None))}
        held[instrument] = held.get(instrument, ZERO) + quantity
        price = self.books.asset_prices[SETTLEMENT]
        required = sum((maintenance_of(self.books, name, each) for name, each in held.items()), ZERO) * price
        equity = self.figures((FUND, None)).equity + (gain - owed) * price
        return self.books.accounts[FUND].cash() >= owed and equity >= required
