"""Does the insurance fund pay and receive what a liquidation lacks and leaves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.bankruptcy import left_over
from replay.audit.check import Check, FindingKind
from replay.audit.terms import asset_unit
from replay.findings import Severity

if TYPE_CHECKING:
    from ledger.events.cash import InsuranceFundContributed, InsuranceFundDrawn
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

MOVEMENT_DIFFERS = FindingKind(
    "insurance_fund_movement_differs",
    Severity.ERROR,
    "An insurance fund movement does not follow from a liquidation. It names none that was recorded before "
    "it of the same account (a contribution may name none at all); the fund paid more than was lacking at "
    "that moment; or it received more than was left. Of a cross account the wallet in the asset says what "
    "is lacking or left, of an isolated position what came into the wallet since the decision. One unit of "
    "the asset is allowed. Evidence: the movement and the decision.",
)


class FundMovements(Check):
    """Compares every movement with the wallet that it meets."""

    name = "insurance_fund_movement_differs"
    kinds = (MOVEMENT_DIFFERS,)
    event_types = frozenset({"InsuranceFundContributed", "InsuranceFundDrawn"})

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at a movement."""
        movement = cast("InsuranceFundContributed | InsuranceFundDrawn", event.data)
        drawn = event.type == "InsuranceFundDrawn"
        decision = self.facts.liquidations.decision(movement.liquidation)
        did = "paid" if drawn else "received"
        amount = f"{format_exact(movement.amount)} {movement.asset}"
        if decision is None or decision.account != movement.account:
            if drawn or movement.liquidation is not None:
                named = (
                    "no liquidation"
                    if movement.liquidation is None
                    else f"liquidation {movement.liquidation}"
                )
                self.report(
                    MOVEMENT_DIFFERS,
                    f"the insurance fund {did} {amount} for {movement.account} and names {named}; none such "
                    "of this account was recorded before",
                    account=movement.account,
                    sequence=event.sequence,
                    evidence=(event.sequence, *(() if decision is None else (decision.judgement.sequence,))),
                )
            return
        left = left_over(state, decision.judgement, movement.asset)
        allowed = max(-left if drawn else left, ZERO)
        if movement.amount > allowed + asset_unit(state, movement.asset, movement.amount):
            what = "was lacking" if drawn else "was left"
            self.report(
                MOVEMENT_DIFFERS,
                f"the insurance fund {did} {amount} in liquidation {decision.liquidation} of "
                f"{movement.account}, where {format_exact(allowed)} {what}",
                account=movement.account,
                sequence=event.sequence,
                evidence=(event.sequence, decision.judgement.sequence),
                recorded=format_exact(movement.amount),
                rebuilt=format_exact(allowed),
            )
