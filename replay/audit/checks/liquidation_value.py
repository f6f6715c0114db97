"""Is the reported account value the one that the books come to?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.bankruptcy import determined_equity
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.audit.facts import Facts
    from replay.audit.judgement import Judgement
    from replay.audit.liquidation import AuditedLiquidation
    from replay.state.venue_state import VenueState

VALUE_DIFFERS = FindingKind(
    "liquidation_account_value_differs",
    Severity.WARNING,
    "The recorded account value of a liquidation is not the equity at recorded marks of what is liquidated: "
    "of the cross account, or of the isolated positions that are closed, neither at the decision nor just "
    "before the first fill. Either the report is wrong, or movements of cash are missing in the ledger. Only "
    "where marks and margin are recorded, and not of sources that show one side. One unit in the last "
    "place of the recorded amount is allowed. Evidence: the liquidation, its decision and its fills.",
)


class LiquidationValue(Check):
    """Compares the recorded account value with the rebuilt one."""

    name = "liquidation_account_value_differs"
    kinds = (VALUE_DIFFERS,)

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._seen: list[AuditedLiquidation] = []

    @exact()
    def finish(self, state: VenueState) -> None:
        """Say how many liquidations have no rebuilt account value, or are of a source that shows one side."""
        unknown = one_sided = 0
        for case, liquidation in zip(self.facts.liquidations.cases, self._seen, strict=True):
            source = case.event.source
            system = None if source is None else source.system
            if liquidation.rebuilt_account_value is None:
                unknown += 1
            elif system is not None and state.sources.get(system) == "one_sided":
                one_sided += 1
            else:
                self._compare(liquidation, case.judgement)
        if unknown:
            self.could_not_check(
                f"{unknown} liquidations have no rebuilt account value: mark prices, conversion prices or "
                "isolated margin are not in the ledger"
            )
        if one_sided:
            self.could_not_check(f"{one_sided} liquidations are of a source whose cash may be incomplete")

    def liquidation(self, liquidation: AuditedLiquidation) -> None:
        """Keep a liquidation until all sources are known."""
        self._seen.append(liquidation)

    def _compare(self, liquidation: AuditedLiquidation, judgement: Judgement) -> None:
        recorded = liquidation.recorded_account_value
        rebuilt = min(
            (
                each
                for each in (liquidation.rebuilt_account_value, _at_decision(judgement))
                if each is not None
            ),
            key=lambda each: abs(recorded - each),
        )
        if abs(recorded - rebuilt) <= liquidation.amount_unit:
            return
        self.report(
            VALUE_DIFFERS,
            f"liquidation {liquidation.liquidation} of {liquidation.account} reports an account value of "
            f"{format_exact(recorded)}; the books come to {format_exact(rebuilt)} at recorded marks, and "
            f"{format_exact(recorded - rebuilt)} are unexplained",
            account=liquidation.account,
            sequence=liquidation.sequence,
            evidence=liquidation.evidence,
            recorded=format_exact(recorded),
            rebuilt=format_exact(rebuilt),
        )


def _at_decision(judgement: Judgement) -> Decimal | None:
    """Return the equity of all that is liquidated at the decision; None where a part is not determined."""
    found = [determined_equity(judgement, unit.position) for unit in judgement.units]
    known = [each for each in found if each is not None]
    return sum(known, ZERO) if len(known) == len(found) else None
