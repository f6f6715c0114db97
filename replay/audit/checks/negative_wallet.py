"""Was a wallet left below zero with nothing open against it?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.audit.terms import in_doubt, is_one_sided, moment_of
from replay.findings import Severity
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.records import Account
    from replay.state.venue_state import VenueState

NEGATIVE_WALLET = FindingKind(
    "negative_wallet",
    Severity.ERROR,
    "The wallet of a customer or market maker in an asset (cross and isolated together) was below zero "
    "with nothing open that settles in that asset, and stayed so for longer than the engine may take to "
    "act (60 seconds where nothing says how long), or to the end of the ledger while time has gone on: a "
    "debt that nobody covered. Evidence: the event that made it so, and the one that ended it.",
)

_NAMED: dict[str, tuple[str, ...]] = {
    "FillRecorded": ("account",),
    "TradeExecuted": ("buyer", "seller"),
    "WithdrawalRecorded": ("account",),
    "DepositRecorded": ("account",),
    "TransferRecorded": ("from_account", "to_account"),
    "FeeCharged": ("account",),
    "InterestAccrued": ("account",),
    "FundingPaid": ("account",),
    "MarginAdjusted": ("account",),
    "InsuranceFundContributed": ("account",),
    "InsuranceFundDrawn": ("account",),
}
_UNNAMED = frozenset({"LossSocialised", "InstrumentSettled", "CorrectionRecorded"})
"""Events that can move the wallets of accounts that they do not name in one field."""

_JUDGED = frozenset({"customer", "market_maker"})


@dataclass(frozen=True, slots=True)
class _Debt:
    sequence: int
    began_at: datetime
    amount: Decimal
    grace: Decimal


class NegativeWallets(Check):
    """Follows the debts that stand; memory grows with their number alone."""

    name = "negative_wallet"
    kinds = (NEGATIVE_WALLET,)
    event_types = frozenset(_NAMED) | _UNNAMED

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._debts: dict[tuple[str, str], _Debt] = {}
        self._skipped: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)

    @exact()
    def after(self, state: VenueState, event: Event) -> None:
        """Look at the wallets that an event moved."""
        fields = _NAMED.get(event.type)
        if fields is None:
            touched = [each for each in state.accounts.values() if each.last_sequence == event.sequence]
        else:
            data = cast("Any", event.data)
            touched = [state.accounts[getattr(data, field)] for field in fields]
        for account in touched:
            self._look(state, event, account)

    def _look(self, state: VenueState, event: Event, account: Account) -> None:
        owed = _owed(account)
        if not owed and not self._debts:
            return
        if account.profile.kind not in _JUDGED:
            return
        for asset in account.balances:
            key = (account.account, asset)
            debt = self._debts.get(key)
            if asset not in owed:
                if debt is not None:
                    del self._debts[key]
                    ended_at = max(event.occurred_at, debt.began_at)
                    if exact_seconds(ended_at - debt.began_at) > debt.grace:
                        self._report(key, debt, event.sequence)
            elif debt is None:
                self._begin(state, event, account, asset, owed[asset])

    def _begin(self, state: VenueState, event: Event, account: Account, asset: str, amount: Decimal) -> None:
        key = (account.account, asset)
        if is_one_sided(state, event):
            self._skipped["a source shows one side only, and its cash may not be complete"].add(key)
        elif in_doubt(state, account):
            self._skipped["the books of the account are in doubt"].add(key)
        else:
            policy = in_force(state.risk_policies, moment_of(state, event))
            grace = self.facts.grace(policy)
            self._debts[key] = _Debt(event.sequence, event.occurred_at, amount, grace)

    @exact()
    def finish(self, state: VenueState) -> None:
        """Report what stands while time has gone on, and what was not looked at."""
        for key, debt in self._debts.items():
            if debt.began_at < state.occurred_at:
                self._report(key, debt, None)
        for why, wallets in sorted(self._skipped.items()):
            self.could_not_check(f"{len(wallets)} wallets were below zero where {why}")

    def _report(self, key: tuple[str, str], debt: _Debt, ended: int | None) -> None:
        account, asset = key
        end = "and still is at the end" if ended is None else f"until sequence {ended}"
        self.report(
            NEGATIVE_WALLET,
            f"the wallet of {account} was at {format_exact(debt.amount)} {asset} with nothing open in it "
            f"from sequence {debt.sequence} {end}",
            account=account,
            sequence=debt.sequence,
            evidence=(debt.sequence, *(() if ended is None else (ended,))),
            rebuilt=format_exact(debt.amount),
        )


def _owed(account: Account) -> dict[str, Decimal]:
    """Return the wallets below zero, by asset, against which nothing is open."""
    found: dict[str, Decimal] = {}
    for asset, balance in account.balances.items():
        total = balance
        is_open = False
        for position in account.positions.values():
            if position.settlement_asset == asset:
                is_open = is_open or bool(position.quantity)
                total += position.isolated_margin or ZERO
        if total < 0 and not is_open:
            found[asset] = total
    return found
