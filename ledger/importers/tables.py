"""Tables of comma-separated values: one record a line, columns found by name."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from ledger.importers.files import Member


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a table.

    Attributes:
        line: 1-based line number.
        raw: the line's text without its line end.
        fields: what the line holds.
    """

    line: int
    raw: str
    fields: list[str]


def records(member: Member) -> Iterator[Record]:
    """Yield every line that is not blank, the header included.

    Raises:
        InvalidInputError: as :meth:`Member.lines`, or a quoted field that does not end on its line.
    """
    number, raw = 0, ""

    def texts() -> Iterator[str]:
        nonlocal number, raw
        for number, raw in member.lines():  # noqa: B007 (read by the enclosing function)
            if raw and not raw.isspace():
                yield raw

    reader = csv.reader(texts(), strict=True)
    taken = 0
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise member.error(f"not comma-separated values ({error})", number) from None
        if fields is None:
            return
        taken += 1
        if reader.line_num != taken:
            raise member.error("a quoted field does not end on its line", number)
        yield Record(number, raw, fields)


class Columns:
    """Where the wanted columns stand in a table with a header line; others are ignored.

    Args:
        member: the table's file.
        header: its first record.
        required: columns that must be there.
        known: columns that may be there and are of no interest.
        warn: told about columns that are neither.

    Raises:
        InvalidInputError: a required column is missing or named twice.
    """

    def __init__(
        self,
        member: Member,
        header: Record,
        required: Sequence[str],
        known: Collection[str],
        warn: Callable[[str], None],
    ) -> None:
        names = column_names(header)
        missing = [name for name in required if name not in names]
        if missing:
            raise InvalidInputError(
                f"the column {missing[0]} is missing; the columns are {', '.join(names)}",
                place=(member.label, f"line {header.line}", missing[0]),
            )
        twice = [name for name in required if names.count(name) > 1]
        if twice:
            raise member.error(f"the column {twice[0]} is named twice", header.line, twice[0])
        for name in names:
            if name not in required and name not in known:
                warn(f"{member.label}: the column {name!r} is not known and was not read")
        self._member = member
        self._count = len(names)
        self._places = [names.index(name) for name in required]

    def pick(self, record: Record) -> list[str]:
        """Return the required columns' values, in the order in which they were asked for.

        Raises:
            InvalidInputError: the record has more or fewer fields than the header.
        """
        fields = record.fields
        if len(fields) != self._count:
            raise self._member.error(f"{len(fields)} fields where the header has {self._count}", record.line)
        return [fields[place].strip() for place in self._places]


def column_names(header: Record) -> list[str]:
    """Return a header's column names in lower case, without white space around them."""
    return [name.strip().lower() for name in header.fields]


def renamed(place: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return a payload's field place with the name of the column that the field was read from."""
    return tuple(columns.get(part.removeprefix("data."), part) for part in place)
