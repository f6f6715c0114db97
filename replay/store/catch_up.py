"""Keeping the read models up with the ledger, and making them anew.

A catch-up goes in batches of one transaction each: the rows and ``processed_sequence`` change
together or not at all, so it can be killed at any moment and goes on where it was. Only the
accounts that a batch touched are written. Figures that depend on prices change for all
accounts at once; they are computed for every account when a catch-up is through, which costs
time in proportion to the number of accounts, and say by ``priced_sequence`` what they hold for.

A rebuild folds everything without looking at what is stored, writes the shadow set and swaps
it in, in one transaction; until then readers see the old set, and a kill leaves it in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from ledger.chain import ZERO_HASH
from ledger.errors import ChainBrokenError
from ledger.progress import SILENT
from replay.fold import replay_events
from replay.projection import initial
from replay.store.progress import load_state, sequence_of, stored_progress, writing
from replay.store.rows import state_parts
from replay.store.schema import LIVE, SETS, SHADOW
from replay.store.source import linked_events
from replay.store.write import copy_books, replace_books, replace_margins, replace_parts, replace_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from ledger.events.envelope import Event
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger
    from replay.state import VenueState
    from replay.store.progress import StoredProgress

EVENTS_A_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Updated:
    """What a catch-up or a rebuild did.

    Attributes:
        progress: how far the read models are now.
        events: how many events were folded.
        accounts: how many accounts the state has.
    """

    progress: StoredProgress
    events: int
    accounts: int


@dataclass(slots=True)
class _Fold:
    """A state that is being advanced, and the hash of its last event."""

    ledger: Ledger
    state: VenueState
    processed_hash: bytes
    events: int = 0

    def advance(self, through: int, progress: Progress) -> int:
        """Fold the events after the state's own sequence and return how many there were."""
        before = self.events
        events = linked_events(
            self.ledger,
            first=self.state.sequence + 1,
            through=through,
            previous_hash=self.processed_hash,
            progress=progress,
        )
        with self.ledger.finder() as find_event:
            replay_events(self._counted(events), self.state, resolve=find_event)
        return self.events - before

    def _counted(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            yield event
            self.events += 1
            self.processed_hash = event.hash


def catch_up(ledger: Ledger, *, progress: Progress = SILENT, events_a_batch: int = EVENTS_A_BATCH) -> Updated:
    """Bring the read models up to the event that is the newest when the call begins.

    Several catch-ups at once share the work; none is done twice.

    Raises:
        SnapshotUnusableError: another version of the projection made what is stored.
        ChainBrokenError: what is stored was made of other events than the ledger now holds.
    """
    newest = ledger.head().sequence
    fold: _Fold | None = None
    while True:
        with writing(ledger) as connection:
            stored = stored_progress(connection)
            if fold is None or fold.state.sequence != sequence_of(stored):
                # The first batch, or another catch-up was here in between.
                fold = _resume(ledger, connection, fold)
                progress.start(max(0, newest - fold.state.sequence), "catching up")
            through = min(fold.state.sequence + events_a_batch, newest)
            _catch_up_batch(connection, fold, stored, through, newest, progress)
            reached = stored_progress(connection)
        if fold.state.sequence >= newest and reached is not None:
            progress.finish()
            return Updated(reached, fold.events, len(fold.state.accounts))


def rebuild(ledger: Ledger, *, progress: Progress = SILENT) -> Updated:
    """Make the read models anew from the first event, whatever is stored, and swap them in.

    Raises:
        ChainBrokenError, RecordUnreadableError: an event does not stand up to its hash or its place.
    """
    newest = ledger.head().sequence
    progress.start(newest + 1, "rebuilding")
    fold = _Fold(ledger, initial(), ZERO_HASH)
    fold.advance(newest, progress)
    with writing(ledger) as connection:
        # What was recorded since: a catch-up may have taken it in already, and progress never goes back.
        fold.advance(ledger.head().sequence, progress)
        _fill_shadow(connection, fold)
        _swap(connection)
        reached = stored_progress(connection)
    progress.finish()
    assert reached is not None  # noqa: S101 (it was just written)
    return Updated(reached, fold.events, len(fold.state.accounts))


def _resume(ledger: Ledger, connection: Connection, before: _Fold | None) -> _Fold:
    """Return the stored state, once its last event is found to be the one in the ledger."""
    state, processed_hash = load_state(connection)
    if state.sequence >= 0:
        actual = ledger.event(state.sequence).hash
        if actual != processed_hash:
            raise ChainBrokenError(state.sequence, processed_hash.hex(), actual.hex())
    return _Fold(ledger, state, processed_hash, 0 if before is None else before.events)


def _catch_up_batch(
    connection: Connection,
    fold: _Fold,
    stored: StoredProgress | None,
    through: int,
    newest: int,
    progress: Progress,
) -> None:
    state = fold.state
    accounts, parts = dict(state.accounts), state_parts(state) if stored is not None else {}
    taken = fold.advance(through, progress) if through > state.sequence else 0
    priced = -1 if stored is None else stored.priced_sequence
    if taken:
        touched = [each for name, each in state.accounts.items() if accounts.get(name) is not each]
        replace_books(connection, LIVE, touched)
        replace_parts(connection, LIVE, _changed(parts, state_parts(state)))
    prices_are_due = state.sequence >= newest and priced != state.sequence
    if prices_are_due:
        replace_margins(connection, LIVE, state)
        priced = state.sequence
    if taken or prices_are_due:
        replace_progress(connection, LIVE, state, fold.processed_hash, priced)


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes]:
    return {part: canonical for part, canonical in after.items() if before.get(part) != canonical}


def _fill_shadow(connection: Connection, fold: _Fold) -> None:
    """Write a whole set; what the shadow held, the set before the last swap, goes first."""
    connection.execute(text("TRUNCATE " + ", ".join(str(table) for table in SETS[SHADOW].values())))
    copy_books(connection, SHADOW, fold.state.accounts.values())
    replace_parts(connection, SHADOW, state_parts(fold.state))
    replace_margins(connection, SHADOW, fold.state)
    replace_progress(connection, SHADOW, fold.state, fold.processed_hash, fold.state.sequence)


def _swap(connection: Connection) -> None:
    """Let live set and shadow change their names; readers that began before are waited for."""
    connection.execute(text(f"LOCK TABLE {LIVE}.progress IN ACCESS EXCLUSIVE MODE"))
    between = f"{LIVE}_swapped"
    for old, new in ((LIVE, between), (SHADOW, LIVE), (between, SHADOW)):
        connection.execute(text(f"ALTER SCHEMA {old} RENAME TO {new}"))
