"""Do the two sides of every trade cancel?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.trading import FillRecorded
    from replay.audit.facts import Facts
    from replay.state.venue_state import VenueState

DOES_NOT_SUM = FindingKind(
    "trade_does_not_sum_to_zero",
    Severity.ERROR,
    "The fills of a trade, bought positive and sold negative, do not sum to zero in quantity or value; of "
    "fills without a trade id, those of an instrument. Only fills of sources that are declared `complete` "
    "are added up: the others show one side, or say nothing about it. Evidence: the trade's fills (the "
    "last one, of fills without a trade id).",
)

_Trade = tuple[str, str, str | None]
"""(source, instrument, trade id)."""


@dataclass(slots=True)
class _Sum:
    quantity: Decimal
    value: Decimal
    sequences: list[int]
    accounts: set[str]


class TradeSums(Check):
    """Adds up the fills of each trade; what balances is forgotten, so that memory stays small."""

    name = "trade_does_not_sum_to_zero"
    kinds = (DOES_NOT_SUM,)
    event_types = frozenset({"FillRecorded"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._open: dict[_Trade, _Sum] = {}
        self._not_added: Counter[tuple[str | None, str]] = Counter()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Add a fill."""
        fill = cast("FillRecorded", event.data)
        system = None if event.source is None else event.source.system
        coverage = "undeclared" if system is None else state.sources.get(system, "undeclared")
        if system is None or coverage != "complete":
            self._not_added[system, coverage] += 1
            return
        key = (system, fill.instrument, fill.trade_id)
        quantity = fill.quantity if fill.side == "buy" else -fill.quantity
        total = self._open.setdefault(key, _Sum(ZERO, ZERO, [], set()))
        total.quantity += quantity
        total.value += quantity * fill.price
        if fill.trade_id is None:
            total.sequences = [event.sequence]
            return
        total.sequences.append(event.sequence)
        total.accounts.add(fill.account)
        if not total.quantity and not total.value:
            del self._open[key]

    def finish(self, _state: VenueState) -> None:
        """Report what did not balance, and which fills were not added."""
        for (system, instrument, trade), total in self._open.items():
            if not total.quantity and not total.value:
                continue
            what = f"trade {trade}" if trade is not None else f"fills of {system} without a trade id"
            self.report(
                DOES_NOT_SUM,
                f"{what} in {instrument}: quantities sum to {format_exact(total.quantity)}, "
                f"values to {format_exact(total.value)}",
                account=min(total.accounts) if len(total.accounts) == 1 else None,
                instrument=instrument,
                sequence=total.sequences[-1],
                evidence=total.sequences,
                recorded=format_exact(total.quantity),
                rebuilt="0",
            )
        for (source, coverage), count in sorted(self._not_added.items(), key=str):
            who = "that name no source" if source is None else f"of source {source}"
            why = (
                "it shows one side of each trade"
                if coverage == "one_sided"
                else "no SourceDeclared says that both sides of every trade are there"
            )
            self.could_not_check(f"{count} fills {who} were not added up: {why}")
