"""Had a deposit been received when an account was liquidated, and not been counted?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.kept import kept_market
from replay.audit.terms import moment_of
from replay.audit.units import OVER, unit_states
from replay.findings import Severity
from replay.margin import Market, evaluate_account
from replay.state.records import Account

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.cash import DepositRecorded, MarginAdjusted, TransferRecorded
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.audit.units import Unit
    from replay.state.records import PositionKey
    from replay.state.venue_state import VenueState

APPLIED_LATE = FindingKind(
    "deposit_applied_late",
    Severity.ERROR,
    "A deposit, a transfer to the account or isolated margin put into a position is recorded after a "
    "decision to liquidate the account, and was received (where no receipt is recorded: occurred) before "
    "that decision. What was received at the same instant as the input of the decision is the engine's own"
    " doing. An error where, counted at the decision, it would have brought something that was liquidated "
    "back within the boundary; else, and where that is not known, a warning. Evidence: the deposit and the"
    " decisions.",
)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What a decision to liquidate met."""

    sequence: int
    occurred_at: datetime
    received_at: datetime | None
    units: tuple[Unit, ...]
    account: Account
    market: Market


@dataclass(frozen=True, slots=True)
class _Payment:
    """Cash that came in: into the wallet, or into the isolated margin of a position."""

    account: str
    asset: str | None
    amount: Decimal
    position: PositionKey | None = None


class LateDeposits(Check):
    """Keeps what every decision met; memory grows with the decisions alone."""

    name = "deposit_applied_late"
    kinds = (APPLIED_LATE,)
    event_types = frozenset(
        {
            "LiquidationStarted",
            "LiquidationExecuted",
            "DepositRecorded",
            "TransferRecorded",
            "MarginAdjusted",
        }
    )

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._decisions: dict[str, list[_Decision]] = {}

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Keep a decision, or look at what comes in after one."""
        payment = _payment(event)
        if payment is not None:
            self._came_in(event, payment)
            return
        judgement = self.facts.liquidations.judgement_of(event)
        if judgement is None:
            return
        name = judgement.margin.account
        account = state.accounts.get(name, Account(name))
        market = kept_market(Market.of(state, moment_of(state, event)), account)
        decision = _Decision(
            event.sequence, event.occurred_at, event.received_at, judgement.units, account, market
        )
        self._decisions.setdefault(name, []).append(decision)

    def _came_in(self, event: Event, payment: _Payment) -> None:
        received_at = event.received_at or event.occurred_at
        # What bears the receipt of the decision itself is what the engine did then, not money that came in.
        missed = [
            each
            for each in self._decisions.get(payment.account, ())
            if received_at < each.occurred_at
            and (event.received_at is None or event.received_at != each.received_at)
        ]
        if not missed:
            return
        cured = any(_would_have_cured(each, payment) for each in missed)
        first = missed[0]
        self.report(
            APPLIED_LATE,
            f"{format_exact(payment.amount)} {payment.asset or 'of isolated margin'} for {payment.account} "
            f"came before the decision to liquidate at sequence {first.sequence} and is recorded after it; "
            f"it {'would' if cured else 'is not known to'} have prevented it",
            severity=None if cured else Severity.WARNING,
            account=payment.account,
            instrument=None if payment.position is None else payment.position[0],
            sequence=event.sequence,
            evidence=(event.sequence, *(each.sequence for each in missed)),
            recorded=format_exact(payment.amount),
        )


def _payment(event: Event) -> _Payment | None:
    match event.type:
        case "DepositRecorded":
            deposit = cast("DepositRecorded", event.data)
            return _Payment(deposit.account, deposit.asset, deposit.amount)
        case "TransferRecorded":
            transfer = cast("TransferRecorded", event.data)
            return _Payment(transfer.to_account, transfer.asset, transfer.amount)
        case "MarginAdjusted":
            adjusted = cast("MarginAdjusted", event.data)
            key: PositionKey = (adjusted.instrument, adjusted.position_side or "both")
            return _Payment(adjusted.account, None, adjusted.amount, key) if adjusted.amount > 0 else None
        case _:
            return None


def _would_have_cured(decision: _Decision, payment: _Payment) -> bool:
    """Tell whether something that was over the boundary would have been within it."""
    account = decision.account
    if payment.position is None:
        asset = payment.asset or ""
        balances = {**account.balances, asset: account.balances.get(asset, ZERO) + payment.amount}
        richer = replace(account, balances=balances)
    else:
        position = account.positions.get(payment.position)
        if position is None or position.isolated_margin is None:
            return False
        more = replace(position, isolated_margin=position.isolated_margin + payment.amount)
        richer = replace(account, positions={**account.positions, payment.position: more})
    before = unit_states(evaluate_account(account, decision.market, with_prices=False))
    after = unit_states(evaluate_account(richer, decision.market, with_prices=False))
    return any(
        before.get(unit.position) in OVER and after.get(unit.position) not in {*OVER, "undetermined"}
        for unit in decision.units
    )
