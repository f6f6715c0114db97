"""Was it right to liquidate? What the rebuilt state alone says at the moment of the decision."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from replay.audit.terms import moment_of, open_positions
from replay.audit.units import OVER, Unit, judged_by, unit_states
from replay.margin import Market, Note, evaluate_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from ledger.events.envelope import Event
    from replay.audit.breaches import Breach, BreachLog
    from replay.margin import AccountMargin, MarginState
    from replay.state.records import Account, PositionKey
    from replay.state.schedules import RiskPolicy
    from replay.state.venue_state import VenueState

Verdict = Literal["justified", "unjustified", "undetermined"]

_MICROSECOND_SCALE = 6


@dataclass(frozen=True, slots=True)
class Judgement:
    """What rebuilt state says about one decision to liquidate.

    Attributes:
        sequence: the event that is the decision.
        place: of that event in the fold.
        occurred_at: of that event.
        verdict: ``justified`` where every unit that is liquidated was at or over the boundary,
            ``unjustified`` where one was certainly within, else ``undetermined``.
        state: of the unit that decided the verdict, just before the decision.
        margin_ratio: likewise.
        maintenance_margin: likewise.
        breach_sequence: the first event since which all of the units were over without interruption.
        breached_at: of that event.
        evidence: sequences of the marks, schedules and policy that the verdict follows from.
        marks: mark price by instrument that the account held.
        notes: why something is not known.
        units: what is liquidated.
        margin: the account's figures in the state that the decision met.
        policy: the risk policy that it was judged by; the default one where none was in force.
        breaches: the breach that each unit was in, in the order of ``units``.
    """

    sequence: int
    place: int
    occurred_at: datetime
    verdict: Verdict
    state: MarginState
    margin_ratio: Decimal | None
    maintenance_margin: Decimal | None
    breach_sequence: int | None
    breached_at: datetime | None
    evidence: tuple[int, ...]
    marks: Mapping[str, Decimal]
    notes: tuple[Note, ...]
    units: tuple[Unit, ...]
    margin: AccountMargin
    policy: RiskPolicy
    breaches: tuple[Breach | None, ...]

    @property
    def first_step(self) -> bool:
        """Whether no liquidation of any of the units came before in the breach that it is in."""
        return all(each is None or each.first_step_is_due for each in self.breaches)

    @property
    def latency_seconds(self) -> Decimal | None:
        """From the breach to the decision (solvency engine latency), exact to the microsecond."""
        if self.breached_at is None:
            return None
        return exact_seconds(self.occurred_at - self.breached_at)


def exact_seconds(duration: timedelta) -> Decimal:
    """Return a duration in seconds, exact to the microsecond."""
    microseconds = (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
    return Decimal(microseconds).scaleb(-_MICROSECOND_SCALE)


def units_judged(
    account: Account, scope: Literal["account", "position"], keys: Sequence[PositionKey]
) -> list[Unit]:
    """Return the units that a liquidation is of.

    A liquidation of scope ``account`` is of the cross part, and of the isolated positions that it
    names. One of scope ``position`` is of the units to which the named positions belong.
    """
    units: dict[Unit, None] = {}
    if not keys or (scope == "account" and open_positions(account, None)):
        units[Unit(account.account)] = None
    for key in keys:
        isolated = account.margin_mode(key[0]) == "isolated"
        units[Unit(account.account, key if isolated else None)] = None
    return list(units)


def judge(
    state: VenueState,
    breaches: BreachLog,
    event: Event,
    account: Account,
    units: Sequence[Unit],
    *,
    leverage_type: str | None = None,
) -> Judgement:
    """Judge a decision by the state that it met; called inside ``exact()``.

    Schedules and policy are those in force at the decision. A position that is not in the rebuilt
    books, or that the venue calls isolated while no isolated margin is in the ledger, leaves the
    verdict undetermined.
    """
    moment = moment_of(state, event)
    market = Market.of(state, moment)
    margin = evaluate_account(account, market, with_prices=False)
    states = unit_states(margin)
    notes = list(margin.notes)
    judged: list[tuple[MarginState, PositionKey | None]] = []
    for unit in units:
        unit_state = states.get(unit.position, "undetermined")
        if unit.position not in states:
            what = "cross position" if unit.position is None else f"isolated position in {unit.position[0]}"
            message = f"the rebuilt books of {account.account} hold no {what}"
            notes.append(Note("position_not_in_books", message, f"account/{account.account}"))
        elif unit.position is None and (leverage_type or "").casefold() == "isolated":
            message = "the venue calls the position isolated; its isolated margin is not in the ledger"
            notes.append(Note("isolated_margin_not_recorded", message, f"account/{account.account}"))
            unit_state = "undetermined"
        judged.append((unit_state, unit.position))
    verdict, decisive = _verdict(judged)
    decisive_state: MarginState = "undetermined"
    for unit_state, position in judged:
        if position == decisive:
            decisive_state = unit_state
    ratio, maintenance = _figures(margin, decisive)
    since = [breaches.since(unit) for unit in units] if verdict == "justified" else []
    # A schedule can come into force between the last event and the decision: the breach is seen here.
    began = [
        (breaches.place, event.sequence, event.occurred_at)
        if each is None
        else (each.place, each.sequence, each.occurred_at)
        for each in since
    ]
    _, sequence, breached_at = max(began, default=(None, None, None))
    evidence = {one for unit in units for one in judged_by(margin, unit.position, state)}
    return Judgement(
        sequence=event.sequence,
        place=breaches.place,
        occurred_at=event.occurred_at,
        verdict=verdict,
        state=decisive_state,
        margin_ratio=ratio,
        maintenance_margin=maintenance,
        breach_sequence=sequence,
        breached_at=breached_at,
        evidence=tuple(sorted(evidence)),
        marks={each.instrument: each.mark_price for each in margin.positions if each.mark_price is not None},
        notes=tuple(dict.fromkeys(notes)),
        units=tuple(units),
        margin=margin,
        policy=market.policy,
        breaches=tuple(breaches.since(unit) for unit in units),
    )


def _verdict(judged: Sequence[tuple[MarginState, PositionKey | None]]) -> tuple[Verdict, PositionKey | None]:
    """Return the verdict and the unit that decided it."""
    for unit_state, position in judged:
        if unit_state not in OVER and unit_state != "undetermined":
            return "unjustified", position
    for unit_state, position in judged:
        if unit_state == "undetermined":
            return "undetermined", position
    return ("justified", judged[0][1]) if judged else ("undetermined", None)


def _figures(margin: AccountMargin, unit: PositionKey | None) -> tuple[Decimal | None, Decimal | None]:
    if unit is None:
        return margin.margin_ratio, margin.maintenance_margin
    for each in margin.positions:
        if (each.instrument, each.position_side) == unit:
            return each.margin_ratio, each.maintenance_margin
    return None, None
