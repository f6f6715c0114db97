"""Whom an event can concern: accounts by what they hold, so that an event walks through no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ledger.events.envelope import SUBJECT_KINDS
from ledger.events.registry import PAYLOADS
from replay.projection import external_account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.events.envelope import Event
    from replay.state.records import Account
    from replay.state.venue_state import VenueState

_BOOKED_ON_WHOM_THEY_NAME = (
    "FillRecorded",
    "TradeExecuted",
    "DepositRecorded",
    "WithdrawalRecorded",
    "TransferRecorded",
    "FeeCharged",
    "InterestAccrued",
    "FundingPaid",
    "MarginAdjusted",
    "InsuranceFundContributed",
    "InsuranceFundDrawn",
    "AccountOpened",
    "AccountClosed",
    "LeverageSet",
    "MarginModeSet",
    "PositionModeSet",
)
_ACCOUNT_FIELDS: dict[str, tuple[str, ...]] = {
    name: tuple(field for field in PAYLOADS[name].model_fields if SUBJECT_KINDS.get(field) == "account")
    for name in _BOOKED_ON_WHOM_THEY_NAME
}


class Holders:
    """The accounts that hold positions, by instrument and by asset.

    An asset is an account's where it has a balance in it or a position that settles in it.
    """

    def __init__(self) -> None:
        self._by_instrument: dict[str, dict[str, None]] = {}
        self._by_asset: dict[str, dict[str, None]] = {}
        self._held: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def of(self, instrument: str) -> list[str]:
        """Return who holds an instrument."""
        return list(self._by_instrument.get(instrument, ()))

    def take(self, accounts: Iterable[Account]) -> None:
        """Take note of what accounts hold now."""
        for account in accounts:
            held = frozenset(name for name, _ in account.positions)
            settled_in = (position.settlement_asset for position in account.positions.values())
            assets = frozenset((*account.balances, *settled_in)) if held else frozenset()
            before = self._held.get(account.account, (frozenset(), frozenset()))
            if before == (held, assets):
                continue
            _move(self._by_instrument, account.account, before[0], held)
            _move(self._by_asset, account.account, before[1], assets)
            if held:
                self._held[account.account] = held, assets
            else:
                self._held.pop(account.account, None)

    def after(self, state: VenueState, event: Event) -> list[str]:
        """Return whose margin state an event can have changed, and take note of what they hold now."""
        names = self._concerned(state, event)
        self.take(state.accounts[name] for name in names if name in state.accounts)
        return names

    def _concerned(self, state: VenueState, event: Event) -> list[str]:
        data = cast("Any", event.data)
        match event.type:
            case "MarkPriceUpdated" | "InstrumentListed" | "InstrumentSettled" | "MarginScheduleSet":
                return self.of(data.instrument)
            case "PriceBarRecorded" | "PriceOverridden":
                if data.kind == "index":
                    listed = state.instruments.get(data.instrument)
                    return self._of_options_on(state, (listed and listed.index) or data.instrument)
                return self.of(data.instrument) if data.kind == "mark" else []
            case "IndexPriceUpdated":
                return self._of_options_on(state, data.index)
            case "AssetPriceUpdated" | "CollateralScheduleSet":
                return list(self._by_asset.get(data.asset, ()))
            case "RiskPolicySet":
                return list(self._held)
            case "LossSocialised":
                accounts = state.accounts.values()  # its last part books what the parts before it named
                return [each.account for each in accounts if each.last_sequence == event.sequence]
            case "CorrectionRecorded":
                return list(state.accounts)
            case _:
                return _named(event)

    def _of_options_on(self, state: VenueState, index: str) -> list[str]:
        """Return who holds options on an index: what a short one requires hangs on it."""
        options = [
            name
            for name in self._by_instrument
            if state.instruments[name].kind == "option" and state.instruments[name].index == index
        ]
        return list(dict.fromkeys(holder for name in options for holder in self._by_instrument[name]))


def _named(event: Event) -> list[str]:
    named = [getattr(event.data, field) for field in _ACCOUNT_FIELDS.get(event.type, ())]
    if event.type == "FillRecorded" and event.source is not None and event.source.system:
        # The unrecorded other side; the ledger may have opened it as another kind of account.
        named.append(external_account(event.source.system))
    return [name for name in named if name is not None]


def _move(
    index: dict[str, dict[str, None]], account: str, before: frozenset[str], now: frozenset[str]
) -> None:
    for name in before - now:
        del index[name][account]
        if not index[name]:
            del index[name]
    for name in now - before:
        index.setdefault(name, {})[account] = None
