"""What every reader shares: drafts with place and identity, ids, and errors that name line and column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias
from uuid import NAMESPACE_URL, UUID, uuid5

from ledger.amounts import read_amount
from ledger.canonical import encode_trusted
from ledger.clock import format_time, parse_time
from ledger.errors import InvalidEventError, InvalidInputError
from ledger.events.base import problem_text
from ledger.events.envelope import Draft, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from pydantic import ValidationError

    from ledger.canonical import JsonObject
    from ledger.events.base import Payload
    from ledger.importers.files import Member

Warn: TypeAlias = "Callable[[str], None]"

IMPORT_NAMESPACE = uuid5(NAMESPACE_URL, "margin-ledger/import/1")

BEFORE_RECORDS = datetime(1970, 1, 1, tzinfo=UTC)
"""``occurred_at`` of inferred facts that held before the source's first row, since when is not known."""


@dataclass(frozen=True, slots=True)
class ImportedDraft:
    """A draft, its place in the order of the import, and what its id is made of.

    Attributes:
        draft: the draft with its id; where ``name`` is given, the id for ordinal 0.
        rank: among events of the same time from the same source, lower ranks come first.
        file: number of the file within its source.
        row: 1-based line in the file (or place in a JSON document).
        name: the name of the id without its ordinal (docs/spec/import-ids.md), where the ordinal is
            still to be counted; None where the id is final.
        label: the file, for messages.
    """

    draft: Draft
    rank: int
    file: int
    row: int
    name: bytes | None
    label: str


class ImportSource(Protocol):
    """Something that can be imported: files of one kind, with their options."""

    @property
    def label(self) -> str:
        """The source's name for people."""

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:
        """Yield every draft in any order.

        Raises:
            InvalidInputError: names the file, line and field.
        """


def identity_name(kind: str, context: Sequence[str], raw: str) -> bytes:
    """Return the part of an id's name that comes before the ordinal: ``["kind",["context"],"raw row",``."""
    return encode_trusted([kind, list(context), raw])[:-1] + b","


def import_id(name: bytes, ordinal: int) -> UUID:
    """Return the UUIDv5 of the ``ordinal``-th (from 0) of identical rows."""
    return uuid5(IMPORT_NAMESPACE, f"{name.decode()}{ordinal}]")


def inferred_draft(kind: str, data: Payload, occurred_at: datetime, source: Source) -> Draft:
    """Return a draft of a fact that an importer concluded; its id is made of all of its content."""
    value: JsonObject = {
        "data": data.json_value(),
        "occurred_at": format_time(occurred_at),
        "type": type(data).__name__,
    }
    name = identity_name(kind, ["inferred"], encode_trusted(value).decode())
    return Draft(
        data=data,
        occurred_at=occurred_at,
        id=import_id(name, 0),
        source=source.model_copy(update={"inferred": True}),
    )


class RowReader:
    """Reads the fields of one row after the other and keeps the place for error messages.

    Attributes:
        member: the file.
        line: the present row.
    """

    def __init__(self, member: Member, *, naive_is_utc: bool = False) -> None:
        self.member = member
        self.line = 0
        self._naive_is_utc = naive_is_utc
        self._last_time = ("", BEFORE_RECORDS)

    def time(self, text: str, column: str) -> datetime:
        """Read an ISO 8601 time with its zone (a naive one only in layouts that are documented as UTC)."""
        if text == self._last_time[0]:
            return self._last_time[1]
        try:
            time = parse_time(text if not self._naive_is_utc or _has_zone(text) else text + "+00:00")
        except InvalidInputError as error:
            raise self.within(error, column) from None
        self._last_time = (text, time)
        return time

    def amount(self, text: str, column: str) -> Decimal:
        """Read a number as it is printed, exponent allowed."""
        try:
            return read_amount(text)
        except InvalidInputError as error:
            raise self.within(error, column) from None

    def choice(self, text: str, column: str, choices: Mapping[str, str]) -> str:
        """Read one of several words, in any case."""
        chosen = choices.get(text.lower())
        if chosen is None:
            raise self.error(f"{text!r} is none of {', '.join(choices)}", column)
        return chosen

    def error(self, problem: str, column: str) -> InvalidInputError:
        """Return an error in the present row."""
        return self.member.error(problem, self.line, column)

    def within(self, error: InvalidInputError, column: str) -> InvalidInputError:
        """Return the same error in a column of the present row."""
        return type(error)(
            error.problem, place=(self.member.label, f"line {self.line}", column), next_step=error.next_step
        )

    def invalid(self, error: ValidationError, columns: Mapping[str, str]) -> InvalidInputError:
        """Turn a payload model's refusal into an error that names the column."""
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        return InvalidEventError(
            problem_text(problem),
            place=(self.member.label, f"line {self.line}", columns.get(field, field) or "row"),
        )


def _has_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return True
