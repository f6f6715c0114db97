"""Tables of an evidence bundle: what makes one, how they are found, and how they are written as CSV.

The log is read once. While its events stream into the bundle, each is handed to every table, which
keeps what it needs; at the end the table is asked for its rows. A package adds a table through an
entry point of the group ``ledger.export_tables``::

    [project.entry-points."ledger.export_tables"]
    account_margin = "replay.export_tables:account_margin"

The entry point names a callable without arguments that returns a fresh :class:`ExportTable`.
"""

from __future__ import annotations

import csv
import io
import re
from contextlib import contextmanager
from importlib.metadata import entry_points
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ledger.errors import ExportTableError, InvalidInputError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from ledger.events.envelope import Event

ENTRY_POINT_GROUP = "ledger.export_tables"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WRITTEN_AT_ONCE = 1 << 16
_LONGEST_DESCRIPTION = 1000
_PLAIN_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
# What spreadsheets take for the start of a formula, full-width forms included; the apostrophe is
# here so that one leading apostrophe can be taken off again without doubt.
_FORMULA_STARTS = frozenset("'=+-@＝＋－＠")


class ExportTable(Protocol):
    """A table of a bundle, folded from the events while they are exported.

    The exporter calls :meth:`take` once for each event, in sequence order and without gaps, starting
    with ``LedgerOpened`` (which names the origin and the valuation currency); every event was checked
    against its stored hash, its predecessor and the catalogue first. Then it reads ``header`` and
    calls :meth:`rows` once. An instance serves one export.

    The same events must give the same rows in the same order, so that an export can be repeated and
    compared byte by byte: no clock, no random numbers, rows sorted by something in them. Memory should
    grow with what the table describes (accounts, positions), not with the number of events.

    Any exception that is not a :class:`~ledger.errors.LedgerError` ends the export as an
    :class:`~ledger.errors.ExportTableError`; a LedgerError ends it as it is. Neither leaves a bundle.

    Attributes:
        name: ``[a-z][a-z0-9_]*``, at most 64 characters; the file is ``tables/NAME.csv``.
        description: one sentence for the manifest and for readers: what a row is, as of which event, in
            which asset the amounts are, and what the table leaves out.
        header: column names of the same form as ``name``, each once.
    """

    @property
    def name(self) -> str:
        """The table's name."""

    @property
    def description(self) -> str:
        """What a row is, in a sentence."""

    @property
    def header(self) -> Sequence[str]:
        """The column names; read after the last event."""

    def take(self, event: Event) -> None:
        """Take note of the next event."""

    def rows(self) -> Iterable[Sequence[str]]:
        """Yield the rows: one text a column.

        A text holds no control characters. Decimals are plain text as of
        :func:`ledger.amounts.format_amount` or ``format_exact``, times are in the ledger's form, booleans
        ``true`` and ``false``, and what is unknown is the empty text.
        Cells are given as they are; :func:`csv_cell` protects them when they are written.
        """


@runtime_checkable
class LooksUpEvents(Protocol):
    """What a table has beside :class:`ExportTable` where it needs earlier events again.

    A correction, for example, names the event that it corrects by its id.
    """

    def look_up_with(self, find_event: Callable[[UUID], Event | None]) -> None:
        """Keep what returns the recorded event with an id, or None; called once, before the first event."""


def load_tables(names: Iterable[str] | None = None) -> list[ExportTable]:
    """Return a fresh table for each installed entry point, sorted by the entry points' names.

    Args:
        names: only these entry points, or None for all.

    Raises:
        InvalidInputError: no entry point has one of the names.
        ExportTableError: an entry point cannot be loaded, or is there twice.
    """
    found = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    known = [point.name for point in found]
    for name, following in pairwise(known):
        if name == following:
            raise ExportTableError(name, "is offered by two installed packages")
    wanted = set(known if names is None else names)
    missing = sorted(wanted - set(known))
    if missing:
        raise InvalidInputError(
            f"there is no export table {missing[0]!r}",
            next_step=f"installed are: {', '.join(known) or 'none'}",
        )
    return [_make(point.name, point.load) for point in found if point.name in wanted]


def _make(name: str, load: Callable[[], Callable[[], ExportTable]]) -> ExportTable:
    try:
        table = load()()
    except Exception as error:
        raise ExportTableError(name, f"cannot be loaded: {type(error).__name__}: {error}") from error
    missing = [part for part in ("name", "description", "header", "take", "rows") if not hasattr(table, part)]
    if missing:
        raise ExportTableError(name, f"has no {missing[0]}; it is not an ExportTable")
    return table


def check_names(tables: Sequence[ExportTable]) -> None:
    """Refuse tables whose names cannot be file names or are the same.

    Raises:
        ExportTableError: as said.
    """
    seen: set[str] = set()
    for table in tables:
        if not _is_name(table.name):
            raise ExportTableError(table.name, "has a name that is not of the form [a-z][a-z0-9_]*")
        if table.name in seen:
            raise ExportTableError(table.name, "is there twice")
        seen.add(table.name)


def csv_cell(text: str) -> str:
    """Return a cell's text so that no spreadsheet takes it for a formula.

    Plain decimals, negative ones too, stay as they are. Other text that starts with ``= + - @`` or their
    full-width forms gets an apostrophe in front; so does text that starts with an apostrophe, so that
    :func:`csv_text` always gives the text back. (Cells hold no tabs and line ends: :func:`write_csv`
    refuses control characters.)
    """
    if text[:1] in _FORMULA_STARTS and text and _PLAIN_DECIMAL.fullmatch(text) is None:
        return "'" + text
    return text


def csv_text(cell: str) -> str:
    """Return the text that :func:`csv_cell` made a cell of."""
    return cell.removeprefix("'")


def feed(tables: Sequence[ExportTable], event: Event) -> None:
    """Hand the next event to every table.

    Raises:
        ExportTableError: a table failed.
    """
    for table in tables:
        try:
            table.take(event)
        except LedgerError:
            raise
        except Exception as error:
            raise _failed(table, f"at sequence {event.sequence}", error) from error


def write_csv(table: ExportTable, write: Callable[[bytes], object]) -> int:
    """Write a table as CSV (UTF-8, RFC 4180 quoting, lines end in LF) and return the number of its rows.

    Raises:
        ExportTableError: the table fails, its header is out of form, or a row does not fit the header.
    """
    with _blamed_on(table, "in its header"):
        header = list(table.header)
    if not header or len(set(header)) != len(header) or not all(map(_is_name, header)):
        raise ExportTableError(
            table.name, f"has a header that is not distinct names [a-z][a-z0-9_]*: {header!r}"
        )
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(header)
    count = 0
    for row in _rows(table):
        count += 1
        cells = list(row)
        if isinstance(row, str) or len(cells) != len(header) or not all(map(_is_text, cells)):
            raise ExportTableError(
                table.name,
                f"gave a row {count} that is not {len(header)} texts without control characters: {row!r}",
            )
        writer.writerow([csv_cell(cell) for cell in cells])
        if line.tell() > _WRITTEN_AT_ONCE:
            _flush(line, write)
    _flush(line, write)
    return count


def description_of(table: ExportTable) -> str:
    """Return a table's description, which goes into the manifest.

    Raises:
        ExportTableError: it is not plain text of 1 to 1,000 characters.
    """
    with _blamed_on(table, "in its description"):
        description = table.description
    if not _is_text(description) or not 1 <= len(description) <= _LONGEST_DESCRIPTION:
        raise ExportTableError(
            table.name, f"has no plain description of 1 to {_LONGEST_DESCRIPTION} characters"
        )
    return description


def _rows(table: ExportTable) -> Iterator[Sequence[str]]:
    """Yield a table's rows; only its own code runs under its blame, not that of whoever takes the rows."""
    with _blamed_on(table, "in its rows"):
        rows = iter(table.rows())
    while True:
        with _blamed_on(table, "in its rows"):
            row = next(rows, None)
        if row is None:
            return
        yield row


def _flush(line: io.StringIO, write: Callable[[bytes], object]) -> None:
    write(line.getvalue().encode("utf-8"))
    line.seek(0)
    line.truncate()


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _NOT_TEXT.search(value) is None


@contextmanager
def _blamed_on(table: ExportTable, where: str) -> Iterator[None]:
    try:
        yield
    except LedgerError:
        raise
    except Exception as error:
        raise _failed(table, where, error) from error


def _failed(table: ExportTable, where: str, error: Exception) -> ExportTableError:
    return ExportTableError(table.name, f"failed {where}: {type(error).__name__}: {error}")
