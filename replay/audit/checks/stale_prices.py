"""Did the venue act on prices that were too old?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.audit.terms import moment_of, open_positions
from replay.findings import Severity
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.prices import IndexPriceUpdated
    from replay.audit.units import Unit
    from replay.state.venue_state import VenueState

PRICE_STALE = FindingKind(
    "price_stale",
    Severity.ERROR,
    "A liquidation was decided, or a margin call issued, while the mark price of something that the unit "
    "held was older than the risk policy accepts; or an index price counts a constituent that was observed"
    " longer ago than that. The decision is the LiquidationStarted where there is one, else the "
    "LiquidationExecuted. Evidence: the event, the marks and the policy.",
)


class StalePrices(Check):
    """Looks at the age of marks at every decision, and of what an index is made of."""

    name = "price_stale"
    kinds = (PRICE_STALE,)
    event_types = frozenset(
        {"LiquidationStarted", "LiquidationExecuted", "MarginCallIssued", "IndexPriceUpdated"}
    )

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at the prices that an event rests on."""
        policy = in_force(state.risk_policies, moment_of(state, event))
        if policy is None or policy.mark_max_age_seconds is None:
            return
        if event.type == "IndexPriceUpdated":
            self._index(event, policy.mark_max_age_seconds, policy.sequence)
        elif event.type == "MarginCallIssued":
            call = self.facts.calls.recorded[-1]
            self._units(state, event, (call.unit,), policy.mark_max_age_seconds, policy.sequence)
        else:
            judgement = self.facts.liquidations.judgement_of(event)
            if judgement is not None:
                self._units(state, event, judgement.units, policy.mark_max_age_seconds, policy.sequence)

    def _index(self, event: Event, limit: Decimal, policy: int) -> None:
        index = cast("IndexPriceUpdated", event.data)
        old = [
            f"{each.source} ({format_exact(age)} s)"
            for each in index.constituents or ()
            if not each.excluded
            and each.observed_at is not None
            and (age := exact_seconds(event.occurred_at - each.observed_at)) > limit
        ]
        if old:
            self.report(
                PRICE_STALE,
                f"index {index.index} counts prices older than {format_exact(limit)} s: {', '.join(old)}",
                sequence=event.sequence,
                evidence=(event.sequence, policy),
            )

    def _units(
        self, state: VenueState, event: Event, units: Iterable[Unit], limit: Decimal, policy: int
    ) -> None:
        old: list[str] = []
        evidence = [event.sequence, policy]
        instruments = {name for unit in units for name in _held(state, unit)}
        account = next((unit.account for unit in units), None)
        for name in sorted(instruments):
            mark = state.mark_prices.get(name)
            if mark is None:
                continue
            age = exact_seconds(event.occurred_at - mark.occurred_at)
            if age > limit:
                old.append(f"{name} ({format_exact(age)} s)")
                evidence.append(mark.sequence)
        if old:
            what = "margin call" if event.type == "MarginCallIssued" else "decision to liquidate"
            shown = ", ".join(old)
            self.report(
                PRICE_STALE,
                f"the {what} of {account} rests on marks older than {format_exact(limit)} s: {shown}",
                account=account,
                instrument=min(instruments) if len(instruments) == 1 else None,
                sequence=event.sequence,
                evidence=evidence,
            )


def _held(state: VenueState, unit: Unit) -> list[str]:
    """Return the instruments of a unit's open positions."""
    account = state.accounts.get(unit.account)
    if account is None:
        return []
    if unit.position is not None:
        return [unit.position[0]]
    return [key[0] for key in open_positions(account, None)]
