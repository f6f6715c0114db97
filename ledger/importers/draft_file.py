"""A file of drafts, one JSON object a line: checked whole, then recorded in the order of its lines."""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import IO, TYPE_CHECKING

from ledger.canonical import decode
from ledger.clock import Clock, SystemClock, format_time
from ledger.errors import ConflictingEventError, InvalidInputError, NotFoundError
from ledger.events.envelope import Draft, PreparedEvent, prepare
from ledger.progress import SILENT, Progress
from ledger.store.ledger import EVENTS_A_BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.store.append import AppendResult
    from ledger.store.ledger import Ledger

LARGEST_LINE_BYTES = 1_000_000


class DraftFile:
    """An open file of drafts that can be read twice.

    Attributes:
        name: what errors call it.
    """

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self.name = name
        self._stream = stream

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[DraftFile]:
        """Open a file; ``-`` is stdin, which like a pipe is spooled to a temporary file.

        Raises:
            InvalidInputError: the file cannot be read.
        """
        if str(path) == "-":
            with _spooled(sys.stdin.buffer) as spool:
                yield cls("stdin", spool)
            return
        try:
            source = path.open("rb")
        except OSError as error:
            raise InvalidInputError(
                f"the file cannot be read: {error.strerror}", place=(str(path),)
            ) from None
        with source:
            if source.seekable():
                yield cls(str(path), source)
                return
            with _spooled(source) as spool:
                yield cls(str(path), spool)

    def drafts(self) -> Iterator[tuple[int, Draft]]:
        """Yield each line's number and draft; blank lines are passed over.

        Raises:
            InvalidInputError: a line is not a draft; names file, line and field.
        """
        self._stream.seek(0)
        number = 0
        while line := self._stream.readline(LARGEST_LINE_BYTES):
            number += 1
            if not line.strip():
                continue
            try:
                draft = _read(line)
            except InvalidInputError as error:
                raise error.within(self.name, f"line {number}") from None
            yield number, draft

    def validate(self) -> tuple[int, int]:
        """Read the whole file and return how many drafts it holds and how many of them have no id."""
        drafts = without_id = 0
        for _, draft in self.drafts():
            drafts += 1
            without_id += draft.id is None
        return drafts, without_id

    def record(self, ledger: Ledger, progress: Progress = SILENT) -> AppendResult:
        """Append every draft in one transaction.

        Raises:
            ConflictingEventError: a line's id is recorded, or stands twice, with other content; nothing was
                recorded.
        """
        progress.start(None, "appending")
        try:
            return ledger.append_atomically(self._batches(), progress)
        except ConflictingEventError as error:
            raise self._placed(error, ledger) from None
        finally:
            progress.finish()

    def _placed(self, error: ConflictingEventError, ledger: Ledger) -> ConflictingEventError:
        """Name the lines of a conflict, and the recorded event only where it is not one of them."""
        event_id = uuid.UUID(error.event_id)
        lines = [number for number, draft in self.drafts() if draft.id == event_id]
        try:
            sequence: int | None = ledger.event_by_id(event_id).sequence
        except NotFoundError:
            sequence = None
        words = ("line" if len(lines) == 1 else "lines") + " " + " and ".join(map(str, lines))
        return ConflictingEventError(
            error.event_id, sequence, error.differing_fields, place=(self.name, words)
        )

    def _batches(self) -> Iterator[list[PreparedEvent]]:
        prepared = (prepare(draft, draft.id or uuid.uuid4()) for _, draft in self.drafts())
        while batch := list(islice(prepared, EVENTS_A_BATCH)):
            yield batch


@contextmanager
def _spooled(source: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(source, spool)
        yield spool


def _read(line: bytes) -> Draft:
    if len(line) == LARGEST_LINE_BYTES:
        raise InvalidInputError(f"the line is longer than {LARGEST_LINE_BYTES} bytes")
    draft = Draft.from_json(decode(line))
    prepare(draft, draft.id or uuid.UUID(int=0))  # an event that is too large shows only here
    return draft


def clock_accepted(ledger: Ledger, reason: str, clock: Clock | None = None) -> None:
    """Record that the newest event is known to be ahead of the clock, so that appends go on.

    Where it is not ahead there is nothing to accept, and nothing is recorded.
    """
    head = ledger.head()
    now = (clock or SystemClock()).now()
    ahead = (head.appended_at - now) // timedelta(microseconds=1)
    if ahead <= 0:
        return
    ledger.append(
        [
            Draft.from_json(
                {
                    "type": "ClockSynchronised",
                    "occurred_at": format_time(now),
                    "data": {
                        "source": "database clock",
                        "divergence_microseconds": str(ahead),
                        "reason": reason,
                    },
                }
            )
        ]
    )
