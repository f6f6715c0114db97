"""Follow every margined unit through the fold: within its boundary, in margin call, or over it.

A cross account is one unit, every isolated position is another. After a unit was evaluated, each
of its instruments gets a band of mark prices inside which its level cannot change; a mark that
stays inside the band costs two comparisons and no evaluation.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from ledger.amounts import exact
from ledger.events.envelope import SUBJECT_KINDS
from ledger.events.registry import PAYLOADS
from replay.audit.bands import NEVER, Band, bands_of
from replay.margin import Market, evaluate_account
from replay.projection import external_account
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.envelope import Event
    from replay.margin import AccountMargin, MarginState, PositionMargin
    from replay.state.records import PositionKey
    from replay.state.venue_state import VenueState

OVER: frozenset[MarginState] = frozenset({"liquidatable", "bankrupt"})

Level = Literal["within", "call", "over", "undetermined"]
"""``call``: at or over the policy's margin call ratio and within the liquidation boundary."""

# The fund takes positions over instead of being liquidated; an external account is not the venue's.
_NEVER_LIQUIDATED = frozenset({"insurance_fund", "external"})

_Reach = Literal["named", "mark", "index", "holders", "asset", "tracked", "everyone", "nobody"]
"""Whose level an event can change."""

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
    "IndexPriceUpdated": "index",
    "InstrumentListed": "holders",
    "InstrumentSettled": "holders",
    "MarginScheduleSet": "holders",
    "AssetPriceUpdated": "asset",
    "CollateralScheduleSet": "asset",
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
    """What is margined as one: an account's cross part (``position`` is None) or an isolated position."""

    account: str
    position: PositionKey | None = None


class UnitWatcher(Protocol):
    """Somebody who is told of every change of a unit's level."""

    def changed(
        self, unit: Unit, now: Level | None, event: Event, state: VenueState, margin: AccountMargin | None
    ) -> None:
        """See that a unit is at another level after an event.

        Args:
            unit: which one.
            now: its level; None where nothing is held any more.
            event: after which it is.
            state: after the event.
            margin: the account's figures, where they were worked out.
        """


class UnitTracker:
    """Knows the level of every unit after every event, and tells watchers when one changes.

    Whether a mark has become stale is seen when something that concerns the account happens, not
    at the instant at which it becomes so.
    """

    def __init__(self, *watchers: UnitWatcher) -> None:
        self._watchers = watchers
        self._levels: dict[str, dict[PositionKey | None, Level]] = {}
        self._bands: dict[str, dict[str, Band]] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._assets: dict[str, set[str]] = {}
        self._upcoming: list[datetime] = []

    def level(self, unit: Unit) -> Level | None:
        """Return a unit's level after the last event; None where nothing is held."""
        return self._levels.get(unit.account, {}).get(unit.position)

    @exact()
    def after(self, state: VenueState, event: Event) -> None:
        """Evaluate again whom an event can have moved to another level."""
        reach = REACH.get(event.type, "nobody")
        if event.type in _BY_EFFECTIVE_TIME:
            effective_at = cast("Any", event.data).effective_at
            if effective_at > state.occurred_at:
                heapq.heappush(self._upcoming, effective_at)
        touched: Iterable[str] = self._touched(reach, state, event)
        if self._upcoming and self._upcoming[0] <= state.occurred_at:
            while self._upcoming and self._upcoming[0] <= state.occurred_at:
                heapq.heappop(self._upcoming)
            touched = {**dict.fromkeys(self._held), **dict.fromkeys(touched)}
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
                kind = getattr(data, "kind", "mark")
                if kind == "index":
                    return self._holders_on_index(state)
                if kind != "mark":
                    return ()
                price = state.mark_prices[data.instrument].price
                bands = self._bands.get(data.instrument, {})
                return [name for name, (low, high) in bands.items() if price <= low or price >= high]
            case "index":
                return self._holders_on_index(state)
            case "holders":
                return list(self._bands.get(data.instrument, ()))
            case "asset":
                return sorted(self._assets.get(data.asset, ()))
            case "tracked":
                return list(self._held)
            case "everyone":
                return list(state.accounts)

    def _holders_on_index(self, state: VenueState) -> list[str]:
        """Return who holds options: what is required for them hangs on the index."""
        options = [name for name in self._bands if _is_option(state, name)]
        return sorted({holder for name in options for holder in self._bands[name]})

    def _evaluate(self, state: VenueState, event: Event, name: str) -> None:
        account = state.accounts.get(name)
        if account is None:
            return
        held = {key[0] for key, position in account.positions.items() if position.quantity}
        if account.profile.kind in _NEVER_LIQUIDATED:
            held = set()
        for instrument in self._held.get(name, frozenset()) - held:
            self._bands[instrument].pop(name, None)
        if not held:
            self._held.pop(name, None)
            self._tell(name, {}, event, state, None)
            return
        self._held[name] = frozenset(held)
        for asset in (*account.balances, *(state.instruments[each].settlement_asset for each in held)):
            self._assets.setdefault(asset, set()).add(name)
        if any(state.margin_schedules.get(each) or _is_option(state, each) for each in held):
            market = Market.of(state)
            margin = evaluate_account(account, market, with_prices=False)
            bands = bands_of(margin, market, unit_states(margin))
            levels = {position: _level(each) for position, each in unit_states(margin).items()}
            self._tell(name, levels, event, state, margin)
        else:
            bands = dict.fromkeys(held, NEVER)
            unknown: dict[PositionKey | None, Level] = dict.fromkeys(
                self._levels.get(name, {}), "undetermined"
            )
            self._tell(name, unknown, event, state, None)
        for instrument, band in bands.items():
            self._bands.setdefault(instrument, {})[name] = band

    def _tell(
        self,
        name: str,
        levels: dict[PositionKey | None, Level],
        event: Event,
        state: VenueState,
        margin: AccountMargin | None,
    ) -> None:
        before = self._levels.get(name, {})
        if levels:
            self._levels[name] = levels
        else:
            self._levels.pop(name, None)
        if before == levels:
            return
        for position in (*before, *(each for each in levels if each not in before)):
            now = levels.get(position)
            if now != before.get(position):
                for watcher in self._watchers:
                    watcher.changed(Unit(name, position), now, event, state, margin)


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
    for each in unit_positions(margin, position):
        found.update(one for one in (each.mark_sequence, each.schedule_sequence) if one is not None)
    policy = in_force(state.risk_policies, margin.at)
    if policy is not None:
        found.add(policy.sequence)
    return tuple(sorted(found))


def unit_positions(margin: AccountMargin, position: PositionKey | None) -> list[PositionMargin]:
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


def unit_amounts(
    margin: AccountMargin, position: PositionKey | None
) -> tuple[Decimal | None, Decimal | None]:
    """Return a unit's collateral value (isolated: its equity) and maintenance margin; None is unknown."""
    if position is None:
        return margin.collateral_value, margin.maintenance_margin
    for each in margin.positions:
        if (each.instrument, each.position_side) == position:
            return each.equity, each.maintenance_margin
    return None, None


def unit_equity(margin: AccountMargin, position: PositionKey | None) -> Decimal | None:
    """Return what a unit is worth without haircuts; None is unknown."""
    return margin.equity if position is None else unit_amounts(margin, position)[0]


def _level(state: MarginState) -> Level:
    if state in OVER:
        return "over"
    if state == "margin_call":
        return "call"
    return "undetermined" if state == "undetermined" else "within"


def _is_option(state: VenueState, instrument: str) -> bool:
    """Tell whether a contract may require nothing without a schedule of its own, and so be judged."""
    return state.instruments[instrument].kind == "option"
