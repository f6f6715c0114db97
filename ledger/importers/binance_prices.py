"""Price bars and funding rates of Binance: the exchange's archive layout and plain tables.

A bar is recorded at its end, when its close is known. Times are milliseconds or microseconds
since 1970 in archives, ISO 8601 elsewhere; a time without zone is taken only in columns whose
name says that they are UTC (``minute_utc``, ``funding_time_utc``).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from ledger.amounts import Rounding, divide, format_amount
from ledger.errors import InvalidInputError
from ledger.events.cash import FundingSettled
from ledger.events.envelope import Draft, Source
from ledger.events.prices import AssetPriceUpdated, PriceBarRecorded
from ledger.importers.binance import SYSTEM, declaration
from ledger.importers.reading import ImportedDraft, RowReader, identity_name, import_id
from ledger.importers.tables import Columns, Record, column_names, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.events.base import Payload
    from ledger.importers.files import Member
    from ledger.importers.reading import Warn

KLINES_KIND = "binance-klines"
FUNDING_KIND = "binance-funding"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PRICES = ("open", "high", "low", "close")
_ARCHIVE_COLUMNS = ("open_time", *_PRICES, "close_time")
_ARCHIVE_PLACES = (0, 1, 2, 3, 4, 6)  # the same in archives that have no header line
_NOT_READ = frozenset(
    {
        "volume",
        "quote_volume",
        "quote_asset_volume",
        "count",
        "number_of_trades",
        "taker_buy_volume",
        "taker_buy_base_asset_volume",
        "taker_buy_quote_volume",
        "taker_buy_quote_asset_volume",
        "ignore",
    }
)
_BAR_TIME_COLUMNS = {"date": False, "minute_utc": True}  # column -> whether a time without zone is UTC
_INTERVAL = re.compile(r"([1-9][0-9]{0,6})([smhdw])", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_ROWS_TO_INFER_FROM = 100
# Between these bounds a count is of milliseconds or of microseconds, never both: the years 1973 to 5138.
_FIRST_MILLISECONDS = 10**11
_FIRST_MICROSECONDS = 10**14
_END_MICROSECONDS = 10**17


@dataclass(frozen=True, slots=True)
class BarTarget:
    """What the bars are recorded as: an instrument's bars of one kind."""

    instrument: str
    kind: Literal["mark", "last", "index"]

    @property
    def context(self) -> tuple[str, ...]:
        """What makes equal rows of different series different facts."""
        return (self.kind, self.instrument)

    def payload(self, interval_seconds: Decimal, prices: Sequence[Decimal]) -> Payload:
        """Return the payload of one bar."""
        opened, high, low, close = prices
        return PriceBarRecorded(
            instrument=self.instrument,
            kind=self.kind,
            interval_seconds=interval_seconds,
            open=opened,
            high=high,
            low=low,
            close=close,
        )


@dataclass(frozen=True, slots=True)
class AssetPriceTarget:
    """What the bars are recorded as: an asset's conversion price, taken from the closes."""

    asset: str
    valuation_currency: str

    @property
    def context(self) -> tuple[str, ...]:
        """What makes equal rows of different series different facts."""
        return ("asset-price", self.asset, self.valuation_currency)

    def payload(self, interval_seconds: Decimal, prices: Sequence[Decimal]) -> Payload:  # noqa: ARG002 (closes only)
        """Return the payload of one close."""
        return AssetPriceUpdated(
            asset=self.asset, valuation_currency=self.valuation_currency, price=prices[-1]
        )


@dataclass(frozen=True, slots=True)
class BinanceKlinesSource:
    """Files of price bars of one series.

    Attributes:
        interval: length of a bar; by default ``close_time`` tells, or the smallest step of the first rows.
    """

    files: Sequence[Member]
    target: BarTarget | AssetPriceTarget
    interval: timedelta | None = None

    @property
    def label(self) -> str:
        """The files."""
        return ", ".join(member.label for member in self.files)

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:
        """Yield one draft a bar, at the bar's end.

        Raises:
            InvalidInputError: an unknown layout, or a row out of its form; names file, line and column.
        """
        yield declaration(self.files[0])
        for file, member in enumerate(self.files):
            bars = _Bars(member, self.interval, warn)
            row = bars.row
            for record, ended_at, interval_seconds, prices in bars:
                try:
                    data = self.target.payload(interval_seconds, prices)
                except ValidationError as error:
                    raise row.invalid(error, {}) from None
                context = (*self.target.context, format_amount(interval_seconds))
                name = identity_name(KLINES_KIND, context, record.raw)
                yield _imported(data, ended_at, name, row, file)


@dataclass(frozen=True, slots=True)
class BinanceFundingSource:
    """Files of funding rates of one instrument."""

    files: Sequence[Member]
    instrument: str

    @property
    def label(self) -> str:
        """The files."""
        return ", ".join(member.label for member in self.files)

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:
        """Yield one draft a funding rate.

        Raises:
            InvalidInputError: an unknown layout, or a row out of its form; names file, line and column.
        """
        yield declaration(self.files[0])
        for file, member in enumerate(self.files):
            rows = records(member)
            header = _first(rows, member)
            names = column_names(header)
            archive = "calc_time" in names
            wanted = ("calc_time", "last_funding_rate") if archive else ("funding_time_utc", "funding_rate")
            columns = Columns(member, header, wanted, {"funding_interval_hours"}, warn)
            row = RowReader(member, naive_is_utc=True)
            for record in rows:
                row.line = record.line
                time, rate = columns.pick(record)
                at = _count_time(row, time, wanted[0])[0] if archive else row.time(time, wanted[0])
                try:
                    data = FundingSettled(instrument=self.instrument, rate=row.amount(rate, wanted[1]))
                except ValidationError as error:
                    raise row.invalid(error, {"rate": wanted[1]}) from None
                name = identity_name(FUNDING_KIND, (self.instrument,), record.raw)
                yield _imported(data, at, name, row, file)


def parse_interval(text: str) -> timedelta:
    """Read an interval such as ``1m``, ``8h`` or ``1d``.

    Raises:
        InvalidInputError: it is none.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise InvalidInputError(
            f"{text!r} is not an interval", next_step="write it like 1m, 5m, 1h, 8h or 1d"
        )
    return timedelta(seconds=int(match.group(1)) * _UNIT_SECONDS[match.group(2)])


class _Bars:
    """The bars of one file, whatever its layout."""

    def __init__(self, member: Member, interval: timedelta | None, warn: Warn) -> None:
        self._member = member
        self._interval = interval
        rows = records(member)
        first = _first(rows, member)
        names = column_names(first)
        self._archive = names[0].isdecimal() or "open_time" in names
        self._time_column = next((name for name in _BAR_TIME_COLUMNS if name in names), "date")
        self.row = RowReader(member, naive_is_utc=_BAR_TIME_COLUMNS[self._time_column])
        self._columns: Columns | None = None
        self._width = len(names)
        if names[0].isdecimal():
            if self._width <= _ARCHIVE_PLACES[-1]:
                raise member.error(
                    "no header line, and fewer columns than the archive layout has", first.line
                )
            self._rows: Iterator[Record] = itertools.chain([first], rows)
            return
        wanted = _ARCHIVE_COLUMNS if self._archive else (self._time_column, *_PRICES)
        self._columns = Columns(member, first, wanted, _NOT_READ, warn)
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Record, datetime, Decimal, list[Decimal]]]:
        """Yield record, end, length in seconds, and open, high, low and close of every bar."""
        rows = self._rows
        if not self._archive and self._interval is None:
            head = list(itertools.islice(rows, _ROWS_TO_INFER_FROM))
            self._interval = self._smallest_step(head)
            rows = itertools.chain(head, rows)
        for record in rows:
            self.row.line = record.line
            values = self._pick(record)
            if self._archive:
                ended_at, interval = self._archive_times(values[0], values[-1])
            else:
                assert self._interval is not None  # noqa: S101 (given or inferred above)
                interval = self._interval
                ended_at = self._later(
                    self.row.time(values[0], self._time_column), interval, self._time_column
                )
            prices = [self.row.amount(text, name) for text, name in zip(values[1:5], _PRICES, strict=True)]
            yield record, ended_at, _seconds(interval), prices

    def _pick(self, record: Record) -> list[str]:
        if self._columns is not None:
            return self._columns.pick(record)
        if len(record.fields) != self._width:
            raise self._member.error(
                f"{len(record.fields)} fields where line 1 has {self._width}", record.line
            )
        return [record.fields[place].strip() for place in _ARCHIVE_PLACES]

    def _archive_times(self, opened: str, closed: str) -> tuple[datetime, timedelta]:
        opened_at, unit = _count_time(self.row, opened, "open_time")
        closed_at, closed_unit = _count_time(self.row, closed, "close_time")
        ended_at = self._later(closed_at, closed_unit, "close_time")
        interval = ended_at - opened_at
        if unit != closed_unit or interval <= timedelta(0):
            raise self.row.error(f"{closed} is not the end of a bar that starts at {opened}", "close_time")
        if self._interval is not None and interval != self._interval:
            raise self.row.error(
                f"the bar lasts {interval}, --interval says {self._interval}",
                "close_time",
            )
        return ended_at, interval

    def _later(self, time: datetime, interval: timedelta, column: str) -> datetime:
        try:
            return time + interval
        except OverflowError:
            raise self.row.error("the bar ends after the year 9999", column) from None

    def _smallest_step(self, head: list[Record]) -> timedelta:
        times = []
        for record in head:
            self.row.line = record.line
            times.append(self.row.time(self._pick(record)[0], self._time_column))
        ordered = sorted(set(times))
        steps = [later - earlier for earlier, later in itertools.pairwise(ordered)]
        if not steps:
            raise InvalidInputError(
                "the length of the bars cannot be told from fewer than two of them",
                place=(self._member.label,),
                next_step="give it, for example --interval 1h",
            )
        return min(steps)


def _first(rows: Iterator[Record], member: Member) -> Record:
    first = next(rows, None)
    if first is None:
        raise member.error("the file holds blank lines only")
    return first


def _count_time(row: RowReader, text: str, column: str) -> tuple[datetime, timedelta]:
    """Read milliseconds or microseconds since 1970; return the time and the unit."""
    count = (
        int(text) if text.isdecimal() and text.isascii() and len(text) <= len(str(_END_MICROSECONDS)) else 0
    )
    if not _FIRST_MILLISECONDS <= count < _END_MICROSECONDS:
        raise row.error(f"{text!r} is not a time in milliseconds or microseconds since 1970", column)
    unit = timedelta(milliseconds=1) if count < _FIRST_MICROSECONDS else _MICROSECOND
    return _EPOCH + count * unit, unit


def _seconds(interval: timedelta) -> Decimal:
    return divide(Decimal(interval // _MICROSECOND), Decimal(10**6), scale=6, rounding=Rounding.HALF_EVEN)


def _imported(data: Payload, at: datetime, name: bytes, row: RowReader, file: int) -> ImportedDraft:
    source = Source(system=SYSTEM, file=row.member.name, row=str(row.line))
    draft = Draft(data=data, occurred_at=at, id=import_id(name, 0), source=source)
    return ImportedDraft(draft, 1, file, row.line, name, row.member.label)
