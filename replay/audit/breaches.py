"""Who is at or over the liquidation boundary, and since which event without interruption.

A cross account is one unit, every isolated position is another. After a unit was evaluated, each
of its instruments gets a band of mark prices inside which its side of the boundary cannot change;
a mark that stays inside the band costs two comparisons and no evaluation.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, exact
from ledger.events.envelope import SUBJECT_KINDS
from ledger.events.registry import PAYLOADS
from replay.margin import Market, evaluate_account
from replay.projection import external_account
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ledger.events.envelope import Event
    from replay.margin import AccountMargin, MarginState, PositionMargin
    from replay.state.records import PositionKey
    from replay.state.schedules import MarginSchedule
    from replay.state.venue_state import VenueState

OVER: frozenset[MarginState] = frozenset({"liquidatable", "bankrupt"})

_Band = tuple[Decimal, Decimal]
_ALWAYS: _Band = (Decimal("Infinity"), Decimal("-Infinity"))
_NEVER: _Band = (Decimal("-Infinity"), Decimal("Infinity"))

# The fund takes positions over instead of being liquidated; an external account is not the venue's.
_NEVER_LIQUIDATED = frozenset({"insurance_fund", "external"})
# Whatever these fills end was ended by the venue's engine.
_PURPOSES_OF_THE_ENGINE = frozenset({"liquidation", "adl"})

# What a mark price can make determined that was not.
_CURED_BY_A_MARK = frozenset({"no_mark_price", "mark_price_stale"})

_Reach = Literal["named", "mark", "holders", "tracked", "everyone", "nobody"]
"""Whose side of the boundary an event can change."""

REACH: dict[str, _Reach] = {
    "FillRecorded": "named",
    "TradeExecuted": "named",
    "DepositRecorded": "named",
    "WithdrawalRecorded": "named",
    "TransferRecorded": "named",
    "FeeCharged": "named",
    "InterestAccrued": "named",
    "FundingPaid": "named",
    "MarginAdjusted": "named",
    "InsuranceFundContributed": "named",
    "InsuranceFundDrawn": "named",
    "AccountOpened": "named",
    "AccountClosed": "named",
    "LeverageSet": "named",
    "MarginModeSet": "named",
    "PositionModeSet": "named",
    "MarkPriceUpdated": "mark",
    "PriceBarRecorded": "mark",
    "PriceOverridden": "mark",
    "InstrumentListed": "holders",
    "InstrumentSettled": "holders",
    "MarginScheduleSet": "holders",
    "AssetPriceUpdated": "tracked",
    "CollateralScheduleSet": "tracked",
    "RiskPolicySet": "tracked",
    "LossSocialised": "tracked",
    "LedgerOpened": "tracked",
    "CorrectionRecorded": "everyone",
}
"""Event type → reach; a type that is not here changes nobody's."""

_ACCOUNT_FIELDS: dict[str, tuple[str, ...]] = {
    name: tuple(field for field in PAYLOADS[name].model_fields if SUBJECT_KINDS.get(field) == "account")
    for name, reach in REACH.items()
    if reach == "named"
}
_BY_EFFECTIVE_TIME = frozenset({"MarginScheduleSet", "CollateralScheduleSet", "RiskPolicySet"})


@dataclass(frozen=True, slots=True)
class Unit:
    """What is liquidated as one: an account's cross part (``position`` is None) or an isolated position."""

    account: str
    position: PositionKey | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A unit at or over the liquidation boundary without interruption.

    Attributes:
        sequence: the first event after which it was.
        occurred_at: of that event.
        policy_recorded: whether a risk policy was in force then, or the default one was assumed.
        evidence: that event, the marks, schedules and policy that it was judged by.
        answered: whether a liquidation of the unit was recorded since.
    """

    sequence: int
    occurred_at: datetime
    policy_recorded: bool
    evidence: tuple[int, ...]
    answered: bool = False


@dataclass(frozen=True, slots=True)
class UnansweredBreach:
    """A breach that ended, or lasts to the end, without a liquidation.

    Attributes:
        ended: the event after which the unit was within the boundary or closed; None if it never was.
        closed: whether it ended because nothing was held any more.
    """

    unit: Unit
    breach: Breach
    ended: int | None
    closed: bool = False


class BreachTracker:
    """Follows every unit's side of the liquidation boundary through the fold.

    Whether a mark has become stale is seen when something that concerns the account happens, not
    at the instant at which it becomes so.
    """

    def __init__(self) -> None:
        self.unanswered: list[UnansweredBreach] = []
        self._open: dict[str, dict[PositionKey | None, Breach]] = {}
        self._bands: dict[str, dict[str, _Band]] = {}
        self._tracked: dict[str, frozenset[str]] = {}
        self._upcoming: list[datetime] = []

    def since(self, unit: Unit) -> Breach | None:
        """Return the breach that a unit is in."""
        return self._open.get(unit.account, {}).get(unit.position)

    def answer(self, units: Iterable[Unit]) -> None:
        """Take note that units are being liquidated."""
        for unit in units:
            breach = self.since(unit)
            if breach is not None:
                self._open[unit.account][unit.position] = replace(breach, answered=True)

    def lasting(self) -> list[UnansweredBreach]:
        """Return the breaches that no liquidation has answered and nothing has ended."""
        return [
            UnansweredBreach(Unit(account, position), breach, None)
            for account, breaches in self._open.items()
            for position, breach in breaches.items()
            if not breach.answered
        ]

    @exact()
    def after(self, state: VenueState, event: Event) -> None:
        """Evaluate again whom an event can have moved across the boundary."""
        reach = REACH.get(event.type, "nobody")
        if event.type in _BY_EFFECTIVE_TIME:
            effective_at = cast("Any", event.data).effective_at
            if effective_at > state.occurred_at:
                heapq.heappush(self._upcoming, effective_at)
        touched: Iterable[str] = self._touched(reach, state, event)
        if self._upcoming and self._upcoming[0] <= state.occurred_at:
            while self._upcoming and self._upcoming[0] <= state.occurred_at:
                heapq.heappop(self._upcoming)
            touched = {**dict.fromkeys(self._tracked), **dict.fromkeys(touched)}
        for name in touched:
            self._evaluate(state, event, name)

    def _touched(self, reach: _Reach, state: VenueState, event: Event) -> Sequence[str]:
        data = cast("Any", event.data)
        match reach:
            case "nobody":
                return ()
            case "named":
                named = [getattr(data, field) for field in _ACCOUNT_FIELDS[event.type]]
                if event.type == "FillRecorded" and event.source is not None and event.source.system:
                    # The unrecorded other side; the ledger may have opened it as another kind of account.
                    named.append(external_account(event.source.system))
                return [name for name in named if name is not None]
            case "mark":
                if getattr(data, "kind", "mark") != "mark":
                    return ()
                price = state.mark_prices[data.instrument].price
                bands = self._bands.get(data.instrument, {})
                return [name for name, (low, high) in bands.items() if price <= low or price >= high]
            case "holders":
                return list(self._bands.get(data.instrument, ()))
            case "tracked":
                return list(self._tracked)
            case "everyone":
                return list(state.accounts)

    def _evaluate(self, state: VenueState, event: Event, name: str) -> None:
        account = state.accounts.get(name)
        if account is None:
            return
        held = {key[0] for key, position in account.positions.items() if position.quantity}
        if account.profile.kind in _NEVER_LIQUIDATED:
            held = set()
        for instrument in self._tracked.get(name, frozenset()) - held:
            self._bands[instrument].pop(name, None)
        if not held:
            self._tracked.pop(name, None)
            self._settle(name, {}, event, state, None)
            return
        self._tracked[name] = frozenset(held)
        if any(state.margin_schedules.get(instrument) for instrument in held):
            market = Market.of(state)
            margin = evaluate_account(account, market, with_prices=False)
            bands = _bands(margin, market)
            self._settle(name, unit_states(margin), event, state, margin)
        else:
            bands = dict.fromkeys(held, _NEVER)
            self._settle(name, dict.fromkeys(self._open.get(name, {}), "undetermined"), event, state, None)
        for instrument, band in bands.items():
            self._bands.setdefault(instrument, {})[name] = band

    def _settle(
        self,
        name: str,
        states: dict[PositionKey | None, MarginState],
        event: Event,
        state: VenueState,
        margin: AccountMargin | None,
    ) -> None:
        """Open a breach for units that are over and had none; end those of units that are not over."""
        breaches = self._open.get(name)
        for position in list(breaches or ()):
            now = states.get(position)
            if breaches is None or now in OVER:
                continue
            breach = breaches.pop(position)
            by_engine = getattr(event.data, "purpose", None) in _PURPOSES_OF_THE_ENGINE
            if not breach.answered and not by_engine and now != "undetermined":
                unit = Unit(name, position)
                self.unanswered.append(UnansweredBreach(unit, breach, event.sequence, closed=now is None))
        for position, now in states.items():
            if now in OVER and margin is not None and (breaches is None or position not in breaches):
                policy = in_force(state.risk_policies, state.occurred_at)
                evidence = (event.sequence, *judged_by(margin, position, state))
                breaches = self._open.setdefault(name, {})
                breaches[position] = Breach(event.sequence, event.occurred_at, policy is not None, evidence)
        if not breaches:
            self._open.pop(name, None)


def unit_states(margin: AccountMargin) -> dict[PositionKey | None, MarginState]:
    """Return the state of an account's cross part (None) and of each isolated position that is open."""
    states: dict[PositionKey | None, MarginState] = {}
    for position in margin.positions:
        if not position.quantity:
            continue
        if position.margin_mode == "isolated":
            states[position.instrument, position.position_side] = position.state
        else:
            states[None] = margin.state
    return states


def judged_by(margin: AccountMargin, position: PositionKey | None, state: VenueState) -> tuple[int, ...]:
    """Return the sequences of the marks, schedules and policy that a unit's state follows from."""
    found: set[int] = set()
    for each in _members(margin, position):
        found.update(one for one in (each.mark_sequence, each.schedule_sequence) if one is not None)
    policy = in_force(state.risk_policies, margin.at)
    if policy is not None:
        found.add(policy.sequence)
    return tuple(sorted(found))


def _members(margin: AccountMargin, position: PositionKey | None) -> list[PositionMargin]:
    """Return a unit's open positions."""
    return [
        each
        for each in margin.positions
        if each.quantity
        and (
            each.margin_mode != "isolated"
            if position is None
            else (each.instrument, each.position_side) == position and each.margin_mode == "isolated"
        )
    ]


def _bands(margin: AccountMargin, market: Market) -> dict[str, _Band]:
    """Return for each instrument held the marks between which no unit changes sides.

    A unit's collateral value less maintenance margin moves by at most size × (1 + highest rate) per
    unit of price, in each instrument. As long as every mark is inside a band that uses up an equal
    share of the distance to the boundary, the sign of that difference stays.
    """
    bands: dict[str, _Band] = {}
    curable = any(note.code in _CURED_BY_A_MARK for note in margin.notes)
    for unit, unit_state in unit_states(margin).items():
        members = _members(margin, unit)
        instruments = {each.instrument for each in members}
        if unit_state == "undetermined":
            found = dict.fromkeys(instruments, _ALWAYS if curable else _NEVER)
        else:
            found = _unit_bands(margin, market, unit, members)
        for instrument, (low, high) in found.items():
            other = bands.get(instrument, _NEVER)
            bands[instrument] = (max(low, other[0]), min(high, other[1]))
    return bands


def _unit_bands(
    margin: AccountMargin,
    market: Market,
    unit: PositionKey | None,
    members: list[PositionMargin],
) -> dict[str, _Band]:
    value = margin.collateral_value if unit is None else members[0].equity
    required = margin.maintenance_margin if unit is None else members[0].maintenance_margin
    steepness: dict[str, Decimal] = {}
    for each in members:
        rate = market.rate(each.settlement_asset)
        schedule = market.margin_schedule(each.instrument)
        highest = None if schedule is None else _highest_rate(schedule)
        if rate is None or highest is None:
            return {member.instrument: _ALWAYS for member in members}
        size = abs(each.quantity) * market.instruments[each.instrument].contract_size
        steepness[each.instrument] = steepness.get(each.instrument, ZERO) + size * rate * (ONE + highest)
    if value is None or required is None:
        return dict.fromkeys(steepness, _ALWAYS)
    distance = abs(value - required)
    bands: dict[str, _Band] = {}
    for instrument, per_price in steepness.items():
        if not per_price:
            bands[instrument] = _ALWAYS
            continue
        width = divide(distance, per_price * len(steepness), scale=MAXIMUM_SCALE, rounding=Rounding.FLOOR)
        mark = market.mark_prices[instrument].price
        bands[instrument] = (mark - width, mark + width)
    return bands


def _highest_rate(schedule: MarginSchedule) -> Decimal | None:
    """Return the highest maintenance margin rate, or None where maintenance margin jumps between tiers."""
    tiers = schedule.tiers
    for lower, upper in pairwise(tiers):
        step = upper.maintenance_margin_rate - lower.maintenance_margin_rate
        if upper.maintenance_amount - lower.maintenance_amount != upper.notional_floor * step:
            return None
    return max((tier.maintenance_margin_rate for tier in tiers), default=None)
