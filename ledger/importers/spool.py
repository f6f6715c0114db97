"""Sorting more records than fit in memory, in one anonymous temporary file.

The file has no name: it is private, and gone when the process ends, however it ends. Runs are
sorted stretches of it, so one file descriptor serves any number of them.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

BUFFER_BYTES: Final = 24 << 20
"""Records are held in memory up to this much (their own bytes and what Python adds)."""

LARGEST_MERGE: Final = 128
"""Runs merged at a time; each takes one read buffer."""

_READ_BYTES: Final = 128 << 10
_WRITE_BYTES: Final = 1 << 20
_LENGTH_BYTES: Final = 4
_OBJECT_BYTES: Final = 50  # what Python adds to a record in a list


@dataclass(slots=True)
class _Run:
    start: int
    end: int
    last: bytes


class SortedSpool:
    """Takes byte records in any order and gives them back in ascending order of their bytes.

    Args:
        buffer_bytes: memory for records before they are written out.
        largest_merge: number of runs read at a time.
    """

    def __init__(self, *, buffer_bytes: int = BUFFER_BYTES, largest_merge: int = LARGEST_MERGE) -> None:
        self._buffer_bytes = buffer_bytes
        self._largest_merge = max(2, largest_merge)
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._runs: list[_Run] = []
        self._size = 0
        self._count = 0
        with _enough_room():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, record: bytes) -> None:
        """Take one record (at most 4 GiB)."""
        self._buffer.append(record)
        self._count += 1
        self._buffered += len(record) + _OBJECT_BYTES
        if self._buffered >= self._buffer_bytes:
            self._flush()

    def __iter__(self) -> Iterator[bytes]:
        """Yield all records in order; may be done again, and again after more were added."""
        self._flush()
        while len(self._runs) > self._largest_merge:
            self._merge_once()
        return heapq.merge(*(self._read(run) for run in self._runs))

    def _flush(self) -> None:
        if not self._buffer:
            return
        self._buffer.sort()
        # Input that is mostly in order makes few runs: what follows the newest one extends it.
        follows = (
            bool(self._runs) and self._runs[-1].end == self._size and self._buffer[0] >= self._runs[-1].last
        )
        start = self._runs.pop().start if follows else self._size
        self._runs.append(self._write(iter(self._buffer), start))
        self._buffer = []
        self._buffered = 0

    def _merge_once(self) -> None:
        """Merge the runs in groups; the stretches they came from stay unused until the file is closed."""
        groups = [
            self._runs[place : place + self._largest_merge]
            for place in range(0, len(self._runs), self._largest_merge)
        ]
        self._runs = [
            self._write(heapq.merge(*(self._read(run) for run in group)), self._size)
            if len(group) > 1
            else group[0]
            for group in groups
        ]

    def _write(self, records: Iterator[bytes], start: int) -> _Run:
        """Append records to the file and return the run that begins at ``start`` and ends with them."""
        pending: list[bytes] = []
        pending_bytes = 0
        record = b""
        for record in records:
            pending.append(len(record).to_bytes(_LENGTH_BYTES, "big"))
            pending.append(record)
            pending_bytes += len(record) + _LENGTH_BYTES
            if pending_bytes >= _WRITE_BYTES:
                self._append(b"".join(pending))
                pending, pending_bytes = [], 0
        self._append(b"".join(pending))
        return _Run(start, self._size, record)

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        with _enough_room():
            while view:
                written = os.pwrite(self._file.fileno(), view, self._size)
                self._size += written
                view = view[written:]

    def _read(self, run: _Run) -> Iterator[bytes]:
        descriptor = self._file.fileno()
        place, end = run.start, run.end
        chunk, at = b"", 0
        while True:
            if len(chunk) - at < _LENGTH_BYTES and place < end:
                chunk, place, at = self._more(descriptor, chunk[at:], place, end, _LENGTH_BYTES)
            if at == len(chunk):
                return
            length = int.from_bytes(chunk[at : at + _LENGTH_BYTES], "big")
            at += _LENGTH_BYTES
            if len(chunk) - at < length:
                chunk, place, at = self._more(descriptor, chunk[at:], place, end, length)
            yield chunk[at : at + length]
            at += length

    @staticmethod
    def _more(descriptor: int, rest: bytes, place: int, end: int, wanted: int) -> tuple[bytes, int, int]:
        parts = [rest]
        missing = wanted - len(rest)
        while place < end and (missing > 0 or len(parts) == 1):
            part = os.pread(descriptor, min(max(_READ_BYTES, missing), end - place), place)
            if not part:
                raise EnvironmentFaultError(
                    "the temporary file ended too early", next_step="run the command again"
                )
            parts.append(part)
            place += len(part)
            missing -= len(part)
        return b"".join(parts), place, 0


@contextmanager
def _enough_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentFaultError(
            f"the temporary folder {tempfile.gettempdir()} cannot be written ({error.strerror})",
            next_step="make room there, or set TMPDIR to another folder; nothing was recorded",
        ) from None
