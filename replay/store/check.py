"""Comparing stored read models with a fresh fold of the events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ledger.amounts import format_exact
from ledger.clock import format_time
from ledger.errors import NotFoundError
from ledger.progress import SILENT
from replay.fold import Cut
from replay.store.progress import reading, stored_progress
from replay.store.rows import book_rows, key_of, margin_rows, progress_row, state_parts
from replay.store.schema import BOOKS, LIVE, MARGINS, SETS
from replay.store.source import fold_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from ledger.events.envelope import Event
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger
    from replay.state import VenueState
    from replay.store.progress import StoredProgress
    from replay.store.rows import Row

_Rows = dict[str, dict[tuple[Any, ...], "Row"]]
"""Table → primary key → row."""


HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Difference:
    """One stored value that is not what the events say.

    Attributes:
        table: the read model's table.
        account: whose row it is, or None for the venue's.
        key: the row's primary key.
        column: which column differs, or None where a whole row is missing or too many.
        stored: the stored value as text, or None where there is no row.
        folded: the value of the fresh fold as text, or None where there is to be no row.
    """

    table: str
    account: str | None
    key: tuple[str, ...]
    column: str | None
    stored: str | None
    folded: str | None

    def json_value(self) -> dict[str, Any]:
        """Return the difference as JSON."""
        return {
            "table": self.table,
            "account": self.account,
            "key": list(self.key),
            "column": self.column,
            "stored": self.stored,
            "folded": self.folded,
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The verdict on stored read models.

    Attributes:
        progress: how far they said they were.
        events: how many events were folded to compare.
        rows: how many rows were compared.
        differences: every one, by table and key.
    """

    progress: StoredProgress
    events: int
    rows: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether every stored row is what the events say."""
        return not self.differences


def check(ledger: Ledger, *, progress: Progress = SILENT) -> CheckReport:
    """Fold the ledger anew through ``processed_sequence`` and compare every stored row with it.

    Raises:
        NotFoundError: no read models were made yet.
        SnapshotUnusableError: another version of the projection made them.
    """
    with reading(ledger) as connection:
        stored = stored_progress(connection)
        if stored is None:
            raise NotFoundError("no read models have been made yet", next_step="replay rebuild")
        stored.check_projection()
        found = _stored_rows(connection)
    margins: dict[str, list[Row]] = {name: [] for name in MARGINS}
    last_hash = b""

    def note_margins(state: VenueState, event: Event) -> None:
        nonlocal last_hash
        last_hash = event.hash
        if event.sequence == stored.priced_sequence:
            margins.update(margin_rows(state))

    result = fold_ledger(
        ledger, cut=Cut(at_sequence=stored.processed_sequence), after=[note_margins], progress=progress
    )
    expected = _by_key(
        {
            "progress": [
                {"singleton": True, **progress_row(result.state, last_hash, stored.priced_sequence)}
            ],
            "state_parts": [
                {"part": part, "canonical": canonical}
                for part, canonical in state_parts(result.state).items()
            ],
            **book_rows(result.state.accounts.values()),
            **margins,
        }
    )
    rows = sum(len(table) for table in expected.values())
    return CheckReport(stored, result.events, rows, tuple(_differences(found, expected)))


def _stored_rows(connection: Connection) -> _Rows:
    return _by_key(
        {
            name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for name, table in SETS[LIVE].items()
        }
    )


def _by_key(tables: Mapping[str, list[Row]]) -> _Rows:
    return {name: {key_of(name, row): row for row in rows} for name, rows in tables.items()}


def _differences(found: _Rows, expected: _Rows) -> Iterator[Difference]:
    for name in ("progress", "state_parts", *BOOKS, *MARGINS):
        stored_rows, folded_rows = found[name], expected[name]
        for key in sorted(stored_rows.keys() | folded_rows.keys()):
            stored, folded = stored_rows.get(key), folded_rows.get(key)
            account = key[0] if name in (*BOOKS, *MARGINS) else None
            words = () if name == "progress" else tuple(map(str, key))
            if stored is None or folded is None:
                yield Difference(name, account, words, None, _row_text(stored), _row_text(folded))
                continue
            for column, value in folded.items():
                if stored[column] != value:
                    yield Difference(name, account, words, column, _text(stored[column]), _text(value))


def _row_text(row: Row | None) -> str | None:
    return None if row is None else "a row"


def _text(value: Decimal | datetime | bytes | str | int | None) -> str:
    match value:
        case Decimal():
            return format_exact(value)
        case datetime():
            return format_time(value)
        case bytes():
            return value.hex() if len(value) == HASH_BYTES else value.decode("utf-8", errors="replace")
        case _:
            return "unknown" if value is None else str(value)
