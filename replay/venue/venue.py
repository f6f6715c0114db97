"""What a venue holds while it runs: its record, its order books, and what is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, round_to
from ledger.events.cash import FeeCharged
from replay.state.schedules import in_force
from replay.venue.book import OrderBook
from replay.venue.journal import Journal
from replay.venue.policy import DEFAULT, Policy

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from replay.state.records import Account, Instrument
    from replay.state.schedules import FeeSchedule
    from replay.state.venue_state import VenueState
    from replay.venue.book import Order
    from replay.venue.configuration import VenueConfiguration

MarginPot = tuple[str, str]
"""(account, instrument of an isolated position, or empty for the cross part)."""


class Venue:
    """The mutable core that the parts of the engine work on.

    Attributes:
        journal: the record and the books.
        books: order books by instrument.
        open_orders: the instrument of every resting order by account and order id.
        order_ids: every order id that was ever accepted.
        policies: recorded risk policies, in the order of ``in_force``.
        calls: which pots have an open margin call.
        partly_liquidated: pots that were partly liquidated and have been in breach ever since.
        cooling_until: when a partly liquidated pot may be liquidated again.
        fees_due: collected from accounts in this command and not yet credited to the house.
    """

    def __init__(self, configuration: VenueConfiguration) -> None:
        self.configuration = configuration
        self.journal = Journal(configuration)
        self.books: dict[str, OrderBook] = {}
        self.open_orders: dict[str, dict[str, str]] = {}
        self.order_ids: set[str] = set()
        self.policies: tuple[Policy, ...] = ()
        self.calls: set[MarginPot] = set()
        self.partly_liquidated: set[MarginPot] = set()
        self.cooling_until: dict[MarginPot, datetime] = {}
        self.fees_due = ZERO
        self._counts = {"priority": 0, "trade": 0, "liquidation": 0}

    def rehearsal(self) -> Venue:
        """Return an independent venue in the same state: what happens there has not happened."""
        venue = Venue.__new__(Venue)
        venue.configuration = self.configuration
        venue.journal = self.journal.copy()
        venue.books = {instrument: book.copy() for instrument, book in self.books.items()}
        venue.open_orders = {account: dict(orders) for account, orders in self.open_orders.items()}
        venue.order_ids = self.order_ids
        venue.policies = self.policies
        venue.calls = set(self.calls)
        venue.partly_liquidated = set(self.partly_liquidated)
        venue.cooling_until = dict(self.cooling_until)
        venue.fees_due = self.fees_due
        venue._counts = dict(self._counts)  # noqa: SLF001 (its own class)
        return venue

    @property
    def state(self) -> VenueState:
        """The books after everything so far."""
        return self.journal.state

    def account(self, account: str) -> Account:
        """Return an account's books."""
        return self.state.accounts[account]

    def instrument(self, instrument: str) -> Instrument:
        """Return a listed contract."""
        return self.state.instruments[instrument]

    def policy(self) -> Policy:
        """Return the risk policy in force."""
        return in_force(self.policies, self.journal.moment) or DEFAULT

    def fee_schedule(self, instrument: str) -> FeeSchedule | None:
        """Return the fee rates in force for an instrument: its own, else those for all."""
        schedules = self.state.fee_schedules
        own = in_force(schedules.get(instrument, ()), self.journal.moment)
        return own or in_force(schedules.get("", ()), self.journal.moment)

    def to_venue(self, amount: Decimal) -> Decimal:
        """Return an amount that accounts pay (negative: receive), rounded up to the settlement asset's scale.

        Payers pay the fraction and receivers go without it, so that rounding never costs the venue.
        """
        return round_to(amount, self.settlement_scale(), Rounding.CEILING)

    def settlement_scale(self) -> int:
        """Return how many digits after the point amounts of the settlement asset have."""
        return int(self.state.assets.get(self.configuration.settlement_asset, MAXIMUM_SCALE))

    def orders_of(self, account: str) -> list[Order]:
        """Return an account's resting orders in the order in which they came."""
        found = []
        for order_id, instrument in self.open_orders.get(account, {}).items():
            order = self.books[instrument].get(order_id)
            if order is not None:
                found.append(order)
        return found

    def rest(self, order: Order) -> None:
        """Put an order into its book."""
        self.books.setdefault(order.instrument, OrderBook()).add(order)
        self.open_orders.setdefault(order.account, {})[order.order_id] = order.instrument

    def unrest(self, order: Order) -> None:
        """Take an order out of its book."""
        self.books[order.instrument].remove(order.order_id)
        del self.open_orders[order.account][order.order_id]

    def fill_resting(self, order: Order, quantity: Decimal) -> None:
        """Take a fill off a resting order."""
        self.books[order.instrument].fill(order.order_id, quantity)
        if quantity == order.quantity:
            del self.open_orders[order.account][order.order_id]

    def find_order(self, order_id: str) -> Order | None:
        """Return a resting order by its id."""
        for orders in self.open_orders.values():
            instrument = orders.get(order_id)
            if instrument is not None:
                return self.books[instrument].get(order_id)
        return None

    def next_priority(self) -> int:
        """Return a priority behind all that were given."""
        return self._next("priority")

    def next_trade_id(self) -> str:
        """Return a new trade id."""
        return f"{self.configuration.reference_prefix}T{self._next('trade'):06d}"

    def next_liquidation_id(self) -> str:
        """Return a new liquidation id."""
        return f"{self.configuration.reference_prefix}L{self._next('liquidation'):04d}"

    def adopt_trade_ids(self, rehearsal: Venue) -> None:
        """Go on counting trades where a rehearsal, whose trades are carried out here, left off."""
        self._counts["trade"] = rehearsal._counts["trade"]

    def credit_house(self) -> None:
        """Pay the fees that were collected in this command to the house."""
        if self.fees_due:
            self.journal.decide(
                FeeCharged(
                    account=self.configuration.house,
                    asset=self.configuration.settlement_asset,
                    amount=-self.fees_due,
                    reason="fees collected",
                )
            )
            self.fees_due = ZERO

    def _next(self, what: str) -> int:
        self._counts[what] += 1
        return self._counts[what]
