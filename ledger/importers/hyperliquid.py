"""The venue's own published history: trades, deposits and withdrawals, liquidations.

The files show one side of each trade and no market makers, so the source is one-sided: its
fills book against the account ``external/hyperliquid``. They hold no fees, funding or marks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

from pydantic import ValidationError

from ledger.amounts import exact
from ledger.clock import format_time
from ledger.events.accounts import AccountOpened
from ledger.events.cash import DepositRecorded, WithdrawalRecorded
from ledger.events.envelope import Draft, Source
from ledger.events.governance import SourceDeclared, SourceTotalsReported
from ledger.events.instruments import AssetListed, InstrumentListed
from ledger.events.liquidations import LiquidationExecuted, Takeover
from ledger.events.trading import FillRecorded
from ledger.importers.hyperliquid_files import TABLE_COLUMNS, Role, find_tables
from ledger.importers.reading import (
    BEFORE_RECORDS,
    ImportedDraft,
    RowReader,
    Warn,
    identity_name,
    import_id,
    inferred_draft,
)
from ledger.importers.tables import Columns, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from uuid import UUID

    from ledger.events.base import Payload
    from ledger.importers.files import Member

KIND = "hyperliquid"
SYSTEM = "hyperliquid"
EXTERNAL_ACCOUNT = "external/hyperliquid"
CASH_ASSET = "USD"
CASH_SCALE = Decimal(6)

_COLUMN_OF_FIELD = {
    "account": "user",
    "instrument": "coin",
    "base": "coin",
    "quantity": "sz",
    "price": "px",
    "amount": "delta_usd",
}
_SIDES = {"bid": "buy", "b": "buy", "buy": "buy", "ask": "sell", "a": "sell", "sell": "sell"}
_LIQUIDITY = {"true": "taker", "false": "maker"}
_SCOPES = {"cross": "account", "isolated": "position"}
_ADDRESS_LENGTH = 42

# Order among events of one time: declarations, cash before trading, a liquidation before its own fills.
_RANK_SOURCE = 0
_RANK_ASSET = 1
_RANK_ACCOUNT = 2
_RANK_INSTRUMENT = 3
_RANK_CASH = 4
_RANK_LIQUIDATION = 5
_RANK_FILL = 6
_RANK_TOTALS = 7


class _Key(NamedTuple):
    """What ties a liquidation to its fills: the same user at the same time."""

    user: str
    time: datetime


@dataclass(slots=True)
class _Table:
    """A file while its rows are read, and what was counted in it."""

    row: RowReader
    file: int
    first: datetime | None = None
    last: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, payload: type[Payload], time: datetime) -> None:
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)
        self.counts[payload.__name__] = self.counts.get(payload.__name__, 0) + 1

    def source(self, *, inferred: bool | None = None) -> Source:
        return Source(system=SYSTEM, file=self.row.member.name, row=str(self.row.line), inferred=inferred)

    def fact(self, data: Payload) -> Draft:
        return inferred_draft(KIND, data, BEFORE_RECORDS, self.source())


@dataclass(frozen=True, slots=True)
class _Liquidation:
    """A liquidation's row, kept until its fills were read."""

    name: str
    table: _Table
    line: int
    raw: str
    key: _Key
    notional: Decimal
    account_value: Decimal
    scope: str
    leverage_type: str


_Drafts: TypeAlias = "Iterator[tuple[int, Draft, bytes | None]]"
"""Rank, draft, and the name of its id where the ordinal is still to be counted."""

_ReadRow: TypeAlias = "Callable[[_Table, list[str], str], _Drafts]"


@dataclass(frozen=True, slots=True)
class HyperliquidSource:
    """A folder with the three kinds of files, found by their columns, whatever their names."""

    folder: str

    @property
    def label(self) -> str:
        """The folder."""
        return self.folder

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:
        """Yield accounts, instruments, cash, fills and liquidations.

        Memory grows with the number of accounts, instruments and liquidations, not with rows.

        Raises:
            InvalidInputError: a kind of file is not there, or a row is out of its form.
        """
        return _Reading(find_tables(self.folder, warn), warn).drafts()


class _Reading:
    """One pass over the files."""

    def __init__(self, tables: dict[Role, list[Member]], warn: Warn) -> None:
        self._members = tables
        self._warn = warn
        self._accounts: set[str] = set()
        self._coins: set[str] = set()
        self._liquidations: list[_Liquidation] = []
        self._liquidation_names: dict[_Key, str] = {}
        self._takeover_fills: dict[_Key, dict[UUID, FillRecorded]] = {}
        self._takeover_ordinals: dict[tuple[int, bytes], int] = {}

    def drafts(self) -> Iterator[ImportedDraft]:
        yield self._declared()
        # Liquidations first: they tell which fills are takeovers.
        readers: dict[Role, _ReadRow] = {
            "liquidations": self._liquidation_row,
            "ledger_updates": self._cash_row,
            "trades": self._trade_row,
        }
        file = 0
        for role, read_row in readers.items():
            for member in self._members[role]:
                yield from self._table(role, member, file, read_row)
                file += 1
        for liquidation in self._liquidations:
            yield self._executed(liquidation)

    def _table(self, role: Role, member: Member, file: int, read_row: _ReadRow) -> Iterator[ImportedDraft]:
        rows = records(member)
        columns = Columns(member, next(rows), TABLE_COLUMNS[role], (), self._warn)
        table = _Table(RowReader(member), file)
        for record in rows:
            table.row.line = record.line
            try:
                for rank, draft, name in read_row(table, columns.pick(record), record.raw):
                    yield ImportedDraft(draft, rank, file, record.line, name, member.label)
            except ValidationError as error:
                raise table.row.invalid(error, _COLUMN_OF_FIELD) from None
        if table.first is not None and table.last is not None:
            data = SourceTotalsReported(
                source=SYSTEM,
                from_time=table.first,
                to_time=table.last,
                counts={name: Decimal(count) for name, count in table.counts.items()},
            )
            draft = inferred_draft(KIND, data, table.last, Source(system=SYSTEM, file=member.name))
            yield ImportedDraft(draft, _RANK_TOTALS, file, table.row.line, None, member.label)

    def _cash_row(self, table: _Table, values: list[str], raw: str) -> _Drafts:
        time = table.row.time(values[0], "time")
        user = _account(values[1])
        delta = table.row.amount(values[2], "delta_usd")
        yield from self._account_seen(user, table)
        if not delta:
            self._warn(
                f"{table.row.member.label}, line {table.row.line}: delta_usd is 0, nothing is recorded for it"
            )
            return
        payload = DepositRecorded if delta > 0 else WithdrawalRecorded
        data = payload(account=user, asset=CASH_ASSET, amount=abs(delta))
        table.count(payload, time)
        name = identity_name(KIND, ["ledger_updates"], raw)
        yield _RANK_CASH, _draft(data, time, name, table.source()), name

    def _liquidation_row(self, table: _Table, values: list[str], raw: str) -> _Drafts:
        row = table.row
        time = row.time(values[0], "time")
        user = _account(values[1])
        key = _Key(user, time)
        notional = row.amount(values[2], "liquidated_ntl_pos")
        account_value = row.amount(values[3], "liquidated_account_value")
        scope = row.choice(values[4], "leverage_type", _SCOPES)
        yield from self._account_seen(user, table)
        table.count(LiquidationExecuted, time)
        name = f"{KIND}/{user}/{format_time(time)}"
        same = (
            [other for other in self._liquidations if other.key == key]
            if key in self._liquidation_names
            else []
        )
        if any(other.raw == raw and other.table is not table for other in same):
            return  # the same row in another copy of the file
        if same:
            name = f"{name}/{len(same) + 1}"
            self._warn(
                f"{row.member.label}, line {row.line}: {user} is liquidated more than once "
                f"at {format_time(time)}; the fills are put to the first"
            )
        else:
            self._liquidation_names[key] = name
            self._takeover_fills[key] = {}
        self._liquidations.append(
            _Liquidation(
                name, table, row.line, raw, key, notional, account_value, scope, leverage_type=values[4]
            )
        )

    def _trade_row(self, table: _Table, values: list[str], raw: str) -> _Drafts:
        row = table.row
        time = row.time(values[0], "time")
        key = _Key(_account(values[1]), time)
        liquidation = self._liquidation_names.get(key)
        data = FillRecorded(
            account=key.user,
            instrument=values[2],
            side=cast("Any", row.choice(values[3], "side", _SIDES)),
            quantity=row.amount(values[5], "sz"),
            price=row.amount(values[4], "px"),
            liquidity=cast("Any", row.choice(values[6], "crossed", _LIQUIDITY)),
            purpose="trade" if liquidation is None else "liquidation",
            liquidation=liquidation,
        )
        yield from self._account_seen(data.account, table)
        yield from self._coin_seen(data.instrument, table)
        table.count(FillRecorded, time)
        name = identity_name(KIND, ["trades"], raw)
        if liquidation is None:
            yield _RANK_FILL, _draft(data, time, name, table.source()), name
            return
        # The liquidation names its fills, so their ids cannot wait for the sort. Identical rows have
        # the same user and time, so all of them come through here and can be counted here.
        ordinal = self._takeover_ordinals.get((table.file, name), 0)
        self._takeover_ordinals[table.file, name] = ordinal + 1
        event_id = import_id(name, ordinal)
        self._takeover_fills[key][event_id] = data
        yield (
            _RANK_FILL,
            Draft(data=data, occurred_at=time, id=event_id, source=table.source(inferred=True)),
            None,
        )

    @exact()
    def _executed(self, liquidation: _Liquidation) -> ImportedDraft:
        table, key = liquidation.table, liquidation.key
        table.row.line = liquidation.line
        first = self._liquidation_names[key] == liquidation.name
        try:
            data = LiquidationExecuted(
                liquidation=liquidation.name,
                account=key.user,
                scope=cast("Any", liquidation.scope),
                notional=liquidation.notional,
                account_value=liquidation.account_value,
                takeovers=_takeovers(self._takeover_fills[key]) if first else [],
                leverage_type=liquidation.leverage_type,
            )
        except ValidationError as error:
            raise table.row.invalid(error, _COLUMN_OF_FIELD) from None
        name = identity_name(KIND, ["liquidations"], liquidation.raw)
        draft = _draft(data, key.time, name, table.source(inferred=True))
        label = table.row.member.label
        return ImportedDraft(draft, _RANK_LIQUIDATION, table.file, liquidation.line, name, label)

    def _declared(self) -> ImportedDraft:
        data = SourceDeclared(
            source=SYSTEM,
            coverage="one_sided",
            description=(
                "The venue's published history: one side of each trade, without market makers; deposits, "
                f"withdrawals and liquidations. Fills book against {EXTERNAL_ACCOUNT}. Takeovers and the "
                "purpose of fills are concluded from fills of the liquidated user at the same time."
            ),
        )
        draft = inferred_draft(KIND, data, BEFORE_RECORDS, Source(system=SYSTEM))
        return ImportedDraft(draft, _RANK_SOURCE, 0, 1, None, self._members["trades"][0].label)

    def _account_seen(self, account: str, table: _Table) -> _Drafts:
        if not self._accounts:
            yield _RANK_ASSET, table.fact(AssetListed(asset=CASH_ASSET, scale=CASH_SCALE)), None
            yield _RANK_ACCOUNT, table.fact(_opened(EXTERNAL_ACCOUNT, "external")), None
        if account not in self._accounts:
            yield _RANK_ACCOUNT, table.fact(_opened(account, "customer")), None
            self._accounts.add(account)

    def _coin_seen(self, coin: str, table: _Table) -> _Drafts:
        if coin not in self._coins:
            data = InstrumentListed(
                instrument=coin,
                kind="perpetual",
                contract="linear",
                base=coin,
                quote=CASH_ASSET,
                settlement_asset=CASH_ASSET,
                contract_size=Decimal(1),
            )
            yield _RANK_INSTRUMENT, table.fact(data), None
            self._coins.add(coin)


def _opened(account: str, kind: Literal["customer", "external"]) -> AccountOpened:
    return AccountOpened(account=account, margin_mode="cross", position_mode="one_way", kind=kind)


def _takeovers(fills: dict[UUID, FillRecorded]) -> list[Takeover]:
    """Sum fills up by instrument, side and price: prices stay as traded, never a rounded average."""
    groups: dict[tuple[str, str, Decimal], list[tuple[UUID, Decimal]]] = {}
    for event_id, fill in fills.items():
        groups.setdefault((fill.instrument, fill.side, fill.price), []).append((event_id, fill.quantity))
    return [
        Takeover(
            instrument=instrument,
            quantity=sum((quantity for _, quantity in group), Decimal(0)),
            price=price,
            trade_ids=[str(event_id) for event_id, _ in group],
        )
        for (instrument, _, price), group in groups.items()
    ]


def _account(user: str) -> str:
    # Case in an address is only a checksum (EIP-55); one account must not have two names.
    return user.lower() if user[:2].lower() == "0x" and len(user) == _ADDRESS_LENGTH else user


def _draft(data: Payload, time: datetime, name: bytes, source: Source) -> Draft:
    return Draft(data=data, occurred_at=time, id=import_id(name, 0), source=source)
