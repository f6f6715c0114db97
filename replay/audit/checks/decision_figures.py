"""Did the engine decide by the figures that are in the ledger?"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ledger.amounts import Rounding, divide, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.units import unit_amounts, unit_positions, unit_states
from replay.findings import Severity
from replay.margin import RATIO_SCALE

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from ledger.events.liquidations import LiquidationStarted
    from replay.audit.facts import Facts
    from replay.audit.judgement import Judgement
    from replay.state.venue_state import VenueState

DIFFER = FindingKind(
    "decision_figures_differ",
    Severity.ERROR,
    "The figures in a LiquidationStarted are not those of the state that it met: its mark price is not the "
    "mark of the instrument that it names, or of the only position, or its margin ratio is off maintenance "
    "margin ÷ collateral value (of an isolated position: ÷ equity) by more than one unit in its own last "
    "place, and by more than 0.000001. Evidence: the LiquidationStarted, and the marks, schedules and policy "
    "that the rebuilt figures follow from.",
)
LEAST_TOLERANCE = Decimal("0.000001")
_UNKNOWN_MARK = "the mark price that they name has no recorded one beside it"
_UNKNOWN_RATIO = "what their margin ratio follows from is not all in the ledger, or leaves none"


class DecisionFigures(Check):
    """Compares mark price and margin ratio of a decision with the rebuilt ones."""

    name = "decision_figures_differ"
    kinds = (DIFFER,)
    event_types = frozenset({"LiquidationStarted"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._unknown = {_UNKNOWN_MARK: 0, _UNKNOWN_RATIO: 0}

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at a decision; its judgement was made by the same state."""
        started = cast("LiquidationStarted", event.data)
        judgement = self.facts.liquidations.begun[started.liquidation].judgement
        mark = self._mark(state, started, judgement)
        ratio = self._ratio(started, judgement)
        wrong = [each for each in (mark, ratio) if each is not None]
        if not wrong:
            return
        self.report(
            DIFFER,
            f"liquidation {started.liquidation} of {started.account} was decided by "
            + " and ".join(
                f"a {what} of {recorded}, which was {rebuilt}" for what, recorded, rebuilt in wrong
            ),
            account=started.account,
            instrument=started.instrument,
            sequence=event.sequence,
            evidence=(event.sequence, *judgement.evidence),
            recorded=", ".join(recorded for _, recorded, _ in wrong),
            rebuilt=", ".join(rebuilt for _, _, rebuilt in wrong),
        )

    def _mark(
        self, state: VenueState, started: LiquidationStarted, judgement: Judgement
    ) -> tuple[str, str, str] | None:
        if started.mark_price is None:
            return None
        instruments = {
            each.instrument
            for unit in judgement.units
            for each in unit_positions(judgement.margin, unit.position)
        }
        named = instruments if started.instrument is None else {started.instrument}
        mark = state.mark_prices.get(min(named)) if len(named) == 1 else None
        if mark is None:
            self._unknown[_UNKNOWN_MARK] += 1
            return None
        if mark.price == started.mark_price:
            return None
        return ("mark price", format_exact(started.mark_price), format_exact(mark.price))

    def _ratio(self, started: LiquidationStarted, judgement: Judgement) -> tuple[str, str, str] | None:
        recorded = started.margin_ratio
        if recorded is None:
            return None
        exponent = cast("int", recorded.as_tuple().exponent)
        tolerance = max(Decimal(1).scaleb(min(exponent, 0)), LEAST_TOLERANCE)
        states = unit_states(judgement.margin)
        rebuilt: Decimal | None = None
        for unit in judgement.units:
            value, required = unit_amounts(judgement.margin, unit.position)
            if states.get(unit.position, "undetermined") == "undetermined" or not value or required is None:
                continue
            # |recorded − required ÷ value| ≤ tolerance, without the division.
            if abs(recorded * value - required) <= tolerance * abs(value):
                return None
            if rebuilt is None:
                rebuilt = divide(required, value, scale=RATIO_SCALE, rounding=Rounding.HALF_EVEN)
        if rebuilt is None:
            self._unknown[_UNKNOWN_RATIO] += 1
            return None
        return ("margin ratio", format_exact(recorded), format_exact(rebuilt))

    def finish(self, _state: VenueState) -> None:
        """Say how many figures have nothing to be compared with."""
        for reason, count in self._unknown.items():
            if count:
                self.could_not_check(f"{count} decisions to liquidate: {reason}")
