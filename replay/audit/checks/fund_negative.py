"""Does an insurance fund spend what it does not have?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.records import Account
    from replay.state.venue_state import VenueState

FUND_NEGATIVE = FindingKind(
    "insurance_fund_negative",
    Severity.ERROR,
    "The wallet of an insurance fund in an asset, isolated margins included, falls below zero. It is "
    "reported again only after it has come back to zero or more. Evidence: the event after which it is "
    "below.",
)


class FundNegative(Check):
    """Follows the wallets of insurance funds."""

    name = "insurance_fund_negative"
    kinds = (FUND_NEGATIVE,)
    event_types = frozenset(
        {
            "AccountOpened",
            "CorrectionRecorded",
            "DepositRecorded",
            "FeeCharged",
            "FillRecorded",
            "FundingPaid",
            "InstrumentSettled",
            "InsuranceFundContributed",
            "InsuranceFundDrawn",
            "InterestAccrued",
            "LossSocialised",
            "TradeExecuted",
            "TransferRecorded",
            "WithdrawalRecorded",
        }
    )

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._seen: dict[str, Account] = {}
        self._below: set[tuple[str, str]] = set()

    def after(self, state: VenueState, event: Event) -> None:
        """Look at the funds whose books an event has changed."""
        if event.type in {"AccountOpened", "InsuranceFundContributed", "InsuranceFundDrawn"}:
            name = str(getattr(event.data, "fund", None) or getattr(event.data, "account", ""))
            if state.accounts[name].profile.kind == "insurance_fund" and name not in self._seen:
                self._look(state.accounts[name], event)
        for name, seen in self._seen.items():
            account = state.accounts[name]
            # Records are replaced when they change, and never changed in place.
            if account is not seen:
                self._look(account, event)

    @exact()
    def _look(self, account: Account, event: Event) -> None:
        self._seen[account.account] = account
        for asset, amount in account.wallet_balances().items():
            key = (account.account, asset)
            if amount >= 0:
                self._below.discard(key)
            elif key not in self._below:
                self._below.add(key)
                self.report(
                    FUND_NEGATIVE,
                    f"the insurance fund {account.account} has {format_exact(amount)} {asset}",
                    account=account.account,
                    sequence=event.sequence,
                    evidence=(event.sequence,),
                    rebuilt=format_exact(amount),
                )
