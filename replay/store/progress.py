"""How far the read models have come, and the state from which the fold goes on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from ledger.canonical import decode
from ledger.chain import ZERO_HASH
from ledger.errors import CanonicalFormError, NotFoundError, SnapshotUnusableError
from ledger.store.database import translated_errors
from replay.projection import initial
from replay.state import PROJECTION, PROJECTION_VERSION, restore
from replay.state.venue_state import NO_EVENT
from replay.store.schema import LIVE, SETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from ledger.canonical import JsonObject, JsonValue
    from ledger.store.ledger import Ledger
    from replay.state import VenueState


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """How far stored read models have come.

    Attributes:
        projection: name of the projection that made them.
        projection_version: its version.
        processed_sequence: the books hold after this event.
        processed_hash: that event's hash.
        priced_sequence: the figures that depend on prices hold after this event.
        state_time: the latest ``occurred_at`` that was folded.
        updated_at: when they were last written, by the database's clock.
    """

    projection: str
    projection_version: int
    processed_sequence: int
    processed_hash: bytes
    priced_sequence: int
    state_time: datetime
    updated_at: datetime

    def check_projection(self) -> None:
        """Refuse what another projection made.

        Raises:
            SnapshotUnusableError: another projection or version.
        """
        if (self.projection, self.projection_version) != (PROJECTION, PROJECTION_VERSION):
            raise SnapshotUnusableError(
                f"{self.projection} version {self.projection_version}",
                f"{PROJECTION} version {PROJECTION_VERSION}",
            )


@contextmanager
def reading(ledger: Ledger) -> Iterator[Connection]:
    """Give a connection on which all read models are of one moment; a rebuild's swap waits for it.

    The lock comes before the snapshot is taken: else a swap between the two would leave the reader
    with tables whose rows are too new for it to see.
    """
    with ledger.reading() as connection:
        connection.execute(text(f"LOCK TABLE {LIVE}.progress IN ACCESS SHARE MODE"))
        yield connection


@contextmanager
def writing(ledger: Ledger) -> Iterator[Connection]:
    """Give a transaction that alone writes read models; readers go on, other writers wait.

    Names are looked up again after the wait, so that a writer that waited for a swap finds the
    tables that were swapped in.
    """
    with translated_errors(ledger.engine.url), ledger.engine.begin() as connection:
        connection.execute(text(f"LOCK TABLE {LIVE}.progress IN SHARE ROW EXCLUSIVE MODE"))
        yield connection


def stored_progress(connection: Connection) -> StoredProgress | None:
    """Return how far the live read models have come, or None where they were never made."""
    table = SETS[LIVE]["progress"]
    columns = [column for column in table.columns if column.name != "singleton"]
    row = connection.execute(select(*columns)).mappings().first()
    return None if row is None else StoredProgress(**row)


def progress_of(ledger: Ledger) -> StoredProgress:
    """Return how far a ledger's read models have come.

    Raises:
        NotFoundError: they were never made.
    """
    with ledger.reading() as connection:
        found = stored_progress(connection)
    if found is None:
        raise NotFoundError("no read models have been made yet", next_step="replay rebuild")
    return found


def load_state(connection: Connection) -> tuple[VenueState, bytes]:
    """Return the state that the live read models hold and the hash of its last event.

    Raises:
        SnapshotUnusableError: another version of the projection wrote it, or it is damaged.
    """
    progress = stored_progress(connection)
    if progress is None:
        return initial(), ZERO_HASH
    progress.check_projection()
    parts, accounts = SETS[LIVE]["state_parts"], SETS[LIVE]["accounts"]
    value: JsonObject = {
        part: _decoded(progress, canonical)
        for part, canonical in connection.execute(select(parts.c.part, parts.c.canonical))
    }
    value["accounts"] = [
        _decoded(progress, canonical)
        for (canonical,) in connection.execute(select(accounts.c.canonical).order_by(accounts.c.account))
    ]
    whole: JsonObject = {
        "projection": progress.projection,
        "projection_version": progress.projection_version,
        "state": value,
    }
    return restore(whole), progress.processed_hash


def _decoded(progress: StoredProgress, canonical: bytes) -> JsonValue:
    try:
        return decode(canonical)
    except CanonicalFormError as error:
        found = f"{progress.projection} version {progress.projection_version}, but damaged ({error.message})"
        raise SnapshotUnusableError(found, f"{PROJECTION} version {PROJECTION_VERSION}") from None


def sequence_of(progress: StoredProgress | None) -> int:
    """Return the last event that is in the read models, −1 where they were never made."""
    return NO_EVENT if progress is None else progress.processed_sequence
