"""Who owes the venue more than is there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity
from replay.margin import Market, evaluate_account

if TYPE_CHECKING:
    from replay.state.venue_state import VenueState

NEGATIVE_EQUITY = FindingKind(
    "negative_equity",
    Severity.INFO,
    "An account's total equity, cross and isolated, is below zero after the last event. In a ledger that "
    "does not hold every movement of cash this need not be a debt. Evidence: the last event of the account.",
)


class NegativeEquity(Check):
    """Lists accounts below zero at the end; external accounts stand for what is not here and are left out."""

    name = "negative_equity"
    kinds = (NEGATIVE_EQUITY,)

    def finish(self, state: VenueState) -> None:
        """Evaluate every account once."""
        market = Market.of(state)
        for name in sorted(state.accounts):
            account = state.accounts[name]
            if account.profile.kind == "external":
                continue
            equity = evaluate_account(account, market, with_prices=False).total_equity
            if equity is not None and equity < 0:
                self.report(
                    NEGATIVE_EQUITY,
                    f"{name} has an equity of {format_exact(equity)} {state.valuation_currency}",
                    account=name,
                    sequence=account.last_sequence,
                    evidence=(account.last_sequence,),
                    rebuilt=format_exact(equity),
                )
