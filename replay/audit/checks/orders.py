"""Did the venue take orders that the account had no margin for?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.terms import followed_from, in_doubt, is_one_sided
from replay.findings import Severity
from replay.margin import Market, evaluate_account
from replay.state.records import Account

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from ledger.events.trading import OrderAccepted
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

BELOW_REQUIREMENT = FindingKind(
    "order_below_requirement",
    Severity.ERROR,
    "The venue accepted an order that is not reduce-only and raises the initial margin of the account's "
    "cross positions and open orders, and after it the collateral value is below that initial margin. "
    "External accounts are not judged. Evidence: the order, and the marks and schedules that the "
    "requirement follows from.",
)


class Orders(Check):
    """Evaluates the account after every accepted order, and only where it lacks margin before it too."""

    name = "order_below_requirement"
    kinds = (BELOW_REQUIREMENT,)
    event_types = frozenset({"OrderAccepted"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._skipped: Counter[str] = Counter()
        self._before: Account | None = None

    def before(self, state: VenueState, event: Event) -> None:
        """Keep the account as the order met it."""
        name = cast("OrderAccepted", event.data).account
        self._before = state.accounts.get(name, Account(name))

    @exact()
    def after(self, state: VenueState, event: Event) -> None:
        """Look at the margin that an accepted order left."""
        order = cast("OrderAccepted", event.data)
        account, before = state.accounts[order.account], self._before
        if order.reduce_only or before is None or account.profile.kind == "external":
            return
        if is_one_sided(state, event):
            self._skipped["of sources that show one side only, whose cash may not be complete"] += 1
            return
        if in_doubt(state, account):
            self._skipped["of accounts whose books are in doubt"] += 1
            return
        market = Market.of(state)
        margin = evaluate_account(account, market, with_prices=False)
        value, required = margin.collateral_value, margin.initial_margin
        if value is None or required is None:
            self._skipped["whose requirement is not known"] += 1
            return
        if value >= required:
            return
        earlier = evaluate_account(before, market, with_prices=False).initial_margin
        if earlier is not None and required <= earlier:
            return
        self.report(
            BELOW_REQUIREMENT,
            f"after order {order.order_id} {order.account} has a collateral value of {format_exact(value)} "
            f"{margin.valuation_currency} and an initial margin of {format_exact(required)}",
            account=order.account,
            instrument=order.instrument,
            sequence=event.sequence,
            evidence=(event.sequence, *followed_from(margin)),
            recorded="accepted",
            rebuilt=format_exact(value - required),
        )

    def finish(self, _state: VenueState) -> None:
        """Say which orders were not looked at."""
        for why, count in sorted(self._skipped.items()):
            self.could_not_check(f"{count} accepted orders {why}")
