"""Is the reported bankruptcy price the one that the books give?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ledger.amounts import exact, format_exact
from replay.audit.bankruptcy import bankruptcy_price_at, tick_of
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.liquidations import LiquidationExecuted, Takeover
    from replay.audit.facts import Facts
    from replay.audit.recorder import Decision
    from replay.state.records import PositionKey
    from replay.state.venue_state import VenueState

DIFFERS = FindingKind(
    "bankruptcy_price_differs",
    Severity.ERROR,
    "The bankruptcy price that a LiquidationExecuted reports of a takeover differs by more than one tick "
    "from the one that the rebuilt decision gives: the mark less the position's share of its unit's "
    "equity, rounded to the tick against the trader. Evidence: the liquidation, its decision, and the "
    "marks, schedules and policy that it was judged by.",
)


class BankruptcyPrice(Check):
    """Compares every reported bankruptcy price with the rebuilt one."""

    name = "bankruptcy_price_differs"
    kinds = (DIFFERS,)
    event_types = frozenset({"LiquidationExecuted"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._unknown = 0

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at the takeovers of a liquidation."""
        data = cast("LiquidationExecuted", event.data)
        decision = self.facts.liquidations.decision(data.liquidation)
        for takeover in data.takeovers:
            if takeover.bankruptcy_price is not None:
                self._compare(state, event, decision, takeover, takeover.bankruptcy_price)

    def _compare(
        self,
        state: VenueState,
        event: Event,
        decision: Decision | None,
        takeover: Takeover,
        recorded: Decimal,
    ) -> None:
        instrument = state.instruments.get(takeover.instrument)
        if decision is None or instrument is None:
            self._unknown += 1
            return
        tick = tick_of(recorded, instrument, event, self.facts.precision)
        key: PositionKey = (takeover.instrument, takeover.position_side or "both")
        rebuilt = bankruptcy_price_at(decision.judgement, key, instrument, tick)
        if rebuilt is None:
            self._unknown += 1
        elif abs(recorded - rebuilt) > tick:
            self.report(
                DIFFERS,
                f"liquidation {decision.liquidation} of {decision.account} reports a bankruptcy price of "
                f"{format_exact(recorded)} for {takeover.instrument}; the books of the decision give "
                f"{format_exact(rebuilt)}",
                account=decision.account,
                instrument=takeover.instrument,
                sequence=event.sequence,
                evidence=(event.sequence, decision.judgement.sequence, *decision.judgement.evidence),
                recorded=format_exact(recorded),
                rebuilt=format_exact(rebuilt),
            )

    def finish(self, _state: VenueState) -> None:
        """Say how many could not be rebuilt."""
        if self._unknown:
            self.could_not_check(
                f"{self._unknown} reported bankruptcy prices could not be rebuilt: the decision is "
                "undetermined, or of an option"
            )
