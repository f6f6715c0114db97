"""Tables of evidence bundles: the margin state of accounts and positions at the exported head."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.margin import Market, evaluate_account
from replay.margin.results import ACCOUNT_FIGURES, POSITION_FIGURES
from replay.projection import apply, initial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from ledger.events.envelope import Event
    from replay.margin import AccountMargin, Note, PositionMargin
    from replay.state import Account

_POSITION_COLUMNS = (*POSITION_FIGURES, "schedule_sequence", "mark_sequence")


class _MarginTable:
    """A fold over the exported events, evaluated once they are through; one object serves one export."""

    name: str

    def __init__(self) -> None:
        self._state = initial()
        self._find_event: Callable[[UUID], Event | None] | None = None

    def look_up_with(self, find_event: Callable[[UUID], Event | None]) -> None:
        """Keep what finds the events that corrections name."""
        self._find_event = find_event

    def take(self, event: Event) -> None:
        """Fold the next event."""
        apply(self._state, event, self._find_event)

    def _evaluated(self) -> Iterator[tuple[Account, AccountMargin]]:
        market = Market.of(self._state)
        for name in sorted(self._state.accounts):
            account = self._state.accounts[name]
            with exact():
                margin = evaluate_account(account, market)
            yield account, margin

    def _as_of(self) -> str:
        currency = self._state.valuation_currency or "the valuation currency"
        return f"after the exported head (sequence {self._state.sequence}), amounts in {currency}"


class AccountMarginTable(_MarginTable):
    """One row an account; figures cover the cross wallet and cross positions."""

    name = "account_margin"
    header = (
        "account",
        "kind",
        "margin_mode",
        "position_mode",
        "state",
        "wallet_balance",
        "cross_wallet_balance",
        *ACCOUNT_FIGURES,
        "event_count",
        "last_sequence",
        "notes",
    )

    @property
    def description(self) -> str:
        """What a row is, as of which event and in which asset."""
        return (
            f"margin state of every account {self._as_of()}; balances by asset are ASSET=AMOUNT; an empty "
            "cell is unknown or undefined, and notes say why; isolated positions count in total_equity alone"
        )

    def rows(self) -> Iterator[Sequence[str]]:
        """Yield the rows, sorted by account."""
        for account, margin in self._evaluated():
            profile = account.profile
            yield (
                account.account,
                profile.kind,
                profile.margin_mode,
                profile.position_mode,
                margin.state,
                _by_asset(margin.wallet_balance),
                _by_asset(margin.cross_wallet_balance),
                *(_text(getattr(margin, name)) for name in ACCOUNT_FIGURES),
                str(account.event_count),
                str(account.last_sequence),
                _notes(margin.notes),
            )


class PositionMarginTable(_MarginTable):
    """One row an open position."""

    name = "position_margin"
    header = (
        "account",
        "instrument",
        "position_side",
        "margin_mode",
        "state",
        "quantity",
        "settlement_asset",
        *_POSITION_COLUMNS,
    )

    @property
    def description(self) -> str:
        """What a row is, as of which event and in which asset."""
        return (
            f"every open position {self._as_of()}, quantities in contracts; an empty cell is unknown or "
            "undefined; the ratio and state of a cross position are those of its account"
        )

    def rows(self) -> Iterator[Sequence[str]]:
        """Yield the rows, sorted by account, instrument and side."""
        for account, margin in self._evaluated():
            for position in sorted(margin.positions, key=_place):
                yield (
                    account.account,
                    position.instrument,
                    position.position_side,
                    position.margin_mode,
                    position.state,
                    format_exact(position.quantity),
                    position.settlement_asset,
                    *(_text(getattr(position, name)) for name in _POSITION_COLUMNS),
                )


def account_margin() -> AccountMarginTable:
    """Return a fresh table of accounts, for the entry point ``ledger.export_tables``."""
    return AccountMarginTable()


def position_margin() -> PositionMarginTable:
    """Return a fresh table of positions, for the entry point ``ledger.export_tables``."""
    return PositionMarginTable()


def _place(position: PositionMargin) -> tuple[str, str]:
    return position.instrument, position.position_side


def _text(value: Decimal | int | None) -> str:
    if isinstance(value, Decimal):
        return format_exact(value)
    return "" if value is None else str(value)


def _by_asset(amounts: Mapping[str, Decimal]) -> str:
    return "; ".join(f"{asset}={format_exact(amounts[asset])}" for asset in sorted(amounts))


def _notes(notes: Sequence[Note]) -> str:
    return "; ".join(note.message for note in notes)
