"""Did anybody take out what was needed as initial margin?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.terms import followed_from, in_doubt, is_one_sided, open_positions
from replay.findings import Severity
from replay.margin import Market, evaluate_account

if TYPE_CHECKING:
    from ledger.events.cash import MarginAdjusted, TransferRecorded, WithdrawalRecorded
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.records import Account
    from replay.state.venue_state import VenueState

BELOW_REQUIREMENT = FindingKind(
    "withdrawal_below_requirement",
    Severity.ERROR,
    "After a withdrawal, or a transfer to another account, the payer's cross collateral value is below the"
    " initial margin of its cross positions and open orders while something is open, or its wallet in that"
    " asset is below zero; or after isolated margin was moved out of a position, what is left of the "
    "position's equity is below its initial margin. External accounts are not judged. Evidence: the event,"
    " and the marks and schedules that the requirement follows from.",
)


class Withdrawals(Check):
    """Evaluates the payer after every payment out of an account or an isolated position."""

    name = "withdrawal_below_requirement"
    kinds = (BELOW_REQUIREMENT,)
    event_types = frozenset({"WithdrawalRecorded", "TransferRecorded", "MarginAdjusted"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._skipped: Counter[str] = Counter()

    @exact()
    def after(self, state: VenueState, event: Event) -> None:
        """Look at what a payment left."""
        match event.type:
            case "WithdrawalRecorded":
                withdrawal = cast("WithdrawalRecorded", event.data)
                self._paid(state, event, withdrawal.account, withdrawal.asset, "withdrawal")
            case "TransferRecorded":
                transfer = cast("TransferRecorded", event.data)
                if transfer.from_account != transfer.to_account:
                    self._paid(state, event, transfer.from_account, transfer.asset, "transfer")
            case _:
                adjusted = cast("MarginAdjusted", event.data)
                if adjusted.amount < 0:
                    self._moved_out(state, event, adjusted)

    def _account(self, state: VenueState, event: Event, name: str) -> Account | None:
        """Return the payer where its books are to be relied on."""
        account = state.accounts[name]
        if account.profile.kind == "external":
            return None
        if is_one_sided(state, event):
            self._skipped["of sources that show one side only, whose cash may not be complete"] += 1
            return None
        if in_doubt(state, account):
            self._skipped["of accounts whose books are in doubt"] += 1
            return None
        return account

    def _paid(self, state: VenueState, event: Event, name: str, asset: str, what: str) -> None:
        account = self._account(state, event, name)
        if account is None:
            return
        wallet = account.balances.get(asset, ZERO)
        if wallet < 0:
            self.report(
                BELOW_REQUIREMENT,
                f"after the {what} the wallet of {name} holds {format_exact(wallet)} {asset}",
                account=name,
                sequence=event.sequence,
                evidence=(event.sequence,),
                recorded=f"a {what}",
                rebuilt=format_exact(wallet),
            )
            return
        if not something_open(account):
            return
        margin = evaluate_account(account, Market.of(state), with_prices=False)
        value, required = margin.collateral_value, margin.initial_margin
        if value is None or required is None:
            self._skipped["whose requirement is not known"] += 1
        elif value < required:
            self.report(
                BELOW_REQUIREMENT,
                f"after the {what} {name} has a collateral value of {format_exact(value)} "
                f"{margin.valuation_currency} and an initial margin of {format_exact(required)}",
                account=name,
                sequence=event.sequence,
                evidence=(event.sequence, *followed_from(margin)),
                recorded=f"a {what}",
                rebuilt=format_exact(value - required),
            )

    def _moved_out(self, state: VenueState, event: Event, adjusted: MarginAdjusted) -> None:
        account = self._account(state, event, adjusted.account)
        if account is None:
            return
        margin = evaluate_account(account, Market.of(state), with_prices=False)
        key = (adjusted.instrument, adjusted.position_side or "both")
        for position in margin.positions:
            if (position.instrument, position.position_side) != key or position.margin_mode != "isolated":
                continue
            equity, required = position.equity, position.initial_margin
            if equity is None or required is None:
                self._skipped["whose requirement is not known"] += 1
            elif equity < required:
                self.report(
                    BELOW_REQUIREMENT,
                    f"after isolated margin was moved out, the position of {account.account} in "
                    f"{adjusted.instrument} has an equity of {format_exact(equity)} "
                    f"{margin.valuation_currency} and an initial margin of {format_exact(required)}",
                    account=account.account,
                    instrument=adjusted.instrument,
                    sequence=event.sequence,
                    evidence=(event.sequence, *followed_from(margin, adjusted.instrument)),
                    recorded="isolated margin moved out",
                    rebuilt=format_exact(equity - required),
                )

    def finish(self, _state: VenueState) -> None:
        """Say which payments were not looked at."""
        for why, count in sorted(self._skipped.items()):
            self.could_not_check(f"{count} outgoing payments {why}")


def something_open(account: Account) -> bool:
    """Tell whether the cross part of an account has a position, or the account an open order."""
    return bool(account.open_orders) or bool(open_positions(account, None))
