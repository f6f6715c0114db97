"""Was more closed than a first partial liquidation allows?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ledger.amounts import ONE, ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.partial import DecidedOn, closing_part, part_of
from replay.audit.units import OVER, unit_amounts, unit_equity, unit_states
from replay.findings import Severity
from replay.state.records import Account

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.cash import FeeCharged
    from ledger.events.envelope import Event
    from ledger.events.trading import FillRecorded, TradeExecuted
    from replay.audit.facts import Facts
    from replay.audit.recorder import LiquidationCase
    from replay.audit.units import Unit
    from replay.state.records import PositionKey
    from replay.state.venue_state import VenueState

TOO_LARGE = FindingKind(
    "liquidation_too_large",
    Severity.ERROR,
    "The first liquidation in a breach closed more of a position than the policy's `partial_fraction` of "
    "what was held at the decision (rounded up to the finest decimal place seen in the instrument's "
    "fills), though collateral value and equity were above zero and that part of every position would have "
    "been enough: closed at the average prices of the liquidation's fills, with their fees in proportion, "
    "it would have brought the account, or the isolated position, within the boundary at the marks of the "
    "decision. Evidence: the liquidation, its decision and its fills, and the marks, schedules and policy "
    "at the decision.",
)
_DECISIONS = frozenset({"LiquidationStarted", "LiquidationExecuted"})


class LiquidationSize(Check):
    """Works out what the allowed part would have done, where more was closed."""

    name = "liquidation_too_large"
    kinds = (TOO_LARGE,)
    event_types = _DECISIONS | {"FeeCharged", "FillRecorded", "TradeExecuted"}

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._decided: dict[int, DecidedOn] = {}
        self._charged: dict[tuple[str, str], dict[str, Decimal]] = {}
        self._quantity_scales: dict[str, int] = {}
        self._unknown = 0

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Keep what a decision meets, and what its fees and the finest quantities are."""
        if event.type in _DECISIONS:
            self._decision(state, event)
        elif event.type == "FeeCharged":
            fee = cast("FeeCharged", event.data)
            liquidations = self.facts.liquidations
            if fee.reference in state.liquidations or fee.reference in liquidations.begun:
                of_liquidation = self._charged.setdefault((fee.account, fee.reference), {})
                of_liquidation[fee.asset] = of_liquidation.get(fee.asset, ZERO) + fee.amount
        else:
            fill = cast("FillRecorded | TradeExecuted", event.data)
            scale = -cast("int", fill.quantity.as_tuple().exponent)
            if scale > self._quantity_scales.get(fill.instrument, 0):
                self._quantity_scales[fill.instrument] = scale

    def _decision(self, state: VenueState, event: Event) -> None:
        judgement = self.facts.liquidations.decisions[-1].judgement
        if judgement.sequence != event.sequence or not judgement.first_step:
            return
        if (judgement.policy.partial_fraction or ONE) < 1:
            name = judgement.margin.account
            account = state.accounts.get(name, Account(name))
            self._decided[event.sequence] = DecidedOn.of(state, account, judgement.margin.at)

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Look at every first step, now that its fills are complete."""
        for case in self.facts.liquidations.cases:
            decided = self._decided.get(case.judgement.sequence)
            fraction = case.judgement.policy.partial_fraction
            if decided is not None and fraction is not None:
                for unit, breach in zip(case.judgement.units, case.judgement.breaches, strict=True):
                    # What was within the boundary is not judged by its size: it was not to be touched at all.
                    if breach is not None or case.judgement.verdict == "undetermined":
                        self._look(case, unit, decided, fraction, known=breach is not None)
        if self._unknown:
            self.could_not_check(
                f"{self._unknown} first liquidations closed more than the policy's part: whether the part "
                "would have been enough is undetermined"
            )

    def _look(
        self, case: LiquidationCase, unit: Unit, decided: DecidedOn, fraction: Decimal, *, known: bool
    ) -> None:
        """Compare what was closed of a unit with the part; ``known``: it certainly was in breach."""
        parts = {
            key: part_of(position, fraction, self._quantity_scales.get(key[0], 0))
            for key, position in decided.positions(unit).items()
        }
        closed = {key: abs(filled.quantity) for key, filled in case.fills.by_position.items()}
        beyond = [key for key, part in parts.items() if closed.get(key, ZERO) > part]
        if not beyond:
            return
        margin = case.judgement.margin
        value, _ = unit_amounts(margin, unit.position)
        equity = unit_equity(margin, unit.position)
        if value is not None and equity is not None and min(value, equity) <= 0:
            return
        if (
            not known
            or value is None
            or equity is None
            or not all(decided.is_linear(key[0]) for key in parts)
        ):
            self._unknown += 1
            return
        charged = self._charged.get((case.data.account, case.data.liquidation), {})
        after = closing_part(decided, unit, case.fills, parts, charged)
        state = unit_states(after).get(unit.position, "healthy")
        if state == "undetermined":
            self._unknown += 1
        elif state not in OVER:
            self._report(case, unit, fraction, {key: (closed[key], parts[key]) for key in beyond})

    def _report(
        self,
        case: LiquidationCase,
        unit: Unit,
        fraction: Decimal,
        beyond: dict[PositionKey, tuple[Decimal, Decimal]],
    ) -> None:
        what = ", ".join(
            f"{format_exact(closed)} {key[0]} where {format_exact(part)} would have been enough"
            for key, (closed, part) in beyond.items()
        )
        only = next(iter(beyond.items())) if len(beyond) == 1 else None
        self.report(
            TOO_LARGE,
            f"liquidation {case.data.liquidation} of {unit.account}, the first of its breach, closed {what} "
            f"(partial_fraction {format_exact(fraction)})",
            account=unit.account,
            instrument=None if only is None else only[0][0],
            sequence=case.event.sequence,
            evidence=(
                case.event.sequence,
                case.judgement.sequence,
                *case.fills.sequences,
                *case.judgement.evidence,
            ),
            recorded=None if only is None else format_exact(only[1][0]),
            rebuilt=None if only is None else format_exact(only[1][1]),
        )
