"""From sources to the ledger: check everything, sort by time, count identical rows, record in batches.

The first pass reads every row of every source into a spool and refuses the whole import at the
first thing that is wrong; only then does the second pass hand batches to the ledger. Each batch
is a transaction of its own and ids are the same on every run, so an import that was killed goes
on when it is run again. Memory does not grow with the number of rows.
"""

from __future__ import annotations

import hashlib
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar
from uuid import UUID

from ledger.errors import InvalidEventError, InvalidInputError
from ledger.events.envelope import PreparedEvent, differing_fields, prepare
from ledger.importers.reading import import_id
from ledger.importers.spool import SortedSpool
from ledger.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from ledger.importers.reading import ImportedDraft, ImportSource

BATCH_EVENTS: Final = 5_000
BATCH_BYTES: Final = 4 << 20
MOST_WARNINGS: Final = 100

_PROGRESS_STEP = 500
# Time in microseconds, source, rank, file, row, arrival: big-endian, so that bytes sort as the numbers do.
_KEY = struct.Struct(">QHBIQQ")
_FILE_PREFIX_BYTES = 15  # time, source, rank and file: identical rows of one file agree in these
_HEAD = struct.Struct(">16sBBI")  # id, whether it is final, length of the type, length of the id's name
_ID_RECORD = struct.Struct(">16s16sHIQ")  # id, digest of the content, source, file, row
_FIRST_TIME = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ID_MARK = b',"id":"'
_ID_TEXT_BYTES = 36

_T = TypeVar("_T")


class BatchResult(Protocol):
    """What the ledger says about one recorded batch."""

    @property
    def appended(self) -> int:
        """Events that are new."""

    @property
    def already_recorded(self) -> int:
        """Events that were there."""

    @property
    def first_sequence(self) -> int | None:
        """The first new event's sequence."""

    @property
    def last_sequence(self) -> int | None:
        """The last new event's sequence."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did.

    Attributes:
        events: events read, repeats included.
        counts: events read by type.
        appended: events that are new in the ledger; 0 in a dry run.
        already_recorded: events that the ledger had.
        first_sequence: the first new event's sequence.
        last_sequence: the last new event's sequence.
        warnings: what was odd but not wrong.
        dry_run: whether everything was checked and nothing recorded.
    """

    events: int
    counts: Mapping[str, int]
    appended: int
    already_recorded: int
    first_sequence: int | None
    last_sequence: int | None
    warnings: Sequence[str]
    dry_run: bool


@dataclass(slots=True)
class _Warnings:
    texts: dict[str, None] = field(default_factory=dict)
    more: int = 0

    def add(self, text: str) -> None:
        if len(self.texts) < MOST_WARNINGS:
            self.texts[text] = None
        elif text not in self.texts:
            self.more += 1

    def all(self) -> tuple[str, ...]:
        return (*self.texts, *((f"and {self.more} more warnings",) if self.more else ()))


def import_sources(
    sources: Sequence[ImportSource],
    record: Callable[[Sequence[PreparedEvent]], BatchResult],
    progress: Progress = SILENT,
    *,
    check: Callable[[Sequence[PreparedEvent]], object] | None = None,
    dry_run: bool = False,
    batch_events: int = BATCH_EVENTS,
) -> ImportResult:
    """Read, check and sort all sources, then record them in batches; a dry run stops before recording.

    Args:
        sources: where events of the same time come from more than one, earlier sources come first.
        record: appends a batch to the ledger in one transaction and recognises repeats by id.
        progress: told about both passes.
        check: refuses a batch that contradicts what is recorded; every batch passes it before the first is
            recorded.
        dry_run: check only.
        batch_events: most events in a batch.

    Raises:
        InvalidInputError: something in a source is wrong; names file, line and field; nothing was recorded.
        EnvironmentFaultError: the temporary folder is full.
    """
    warnings = _Warnings()
    done = _Recorded()
    with SpooledImport() as spooled:
        for source in sources:
            with _stage(progress, None, f"checking {source.label}"):
                spooled.read(source, warnings.add, progress.advance)
        spooled.check_ids()
        if check is not None:
            with _stage(progress, spooled.events, "comparing"), spooled.batches(batch_events) as batches:
                for batch in batches:
                    check(batch)
                    progress.advance(len(batch))
        if not dry_run:
            with _stage(progress, spooled.events, "recording"), spooled.batches(batch_events) as batches:
                for batch in batches:
                    done.add(record(batch))
                    progress.advance(len(batch))
        return ImportResult(
            events=spooled.events,
            counts=dict(sorted(spooled.counts.items())),
            appended=done.appended,
            already_recorded=done.already_recorded,
            first_sequence=done.first_sequence,
            last_sequence=done.last_sequence,
            warnings=warnings.all(),
            dry_run=dry_run,
        )


@dataclass(slots=True)
class _Recorded:
    appended: int = 0
    already_recorded: int = 0
    first_sequence: int | None = None
    last_sequence: int | None = None

    def add(self, result: BatchResult) -> None:
        self.appended += result.appended
        self.already_recorded += result.already_recorded
        if self.first_sequence is None:
            self.first_sequence = result.first_sequence
        if result.last_sequence is not None:
            self.last_sequence = result.last_sequence


@contextmanager
def _stage(progress: Progress, total: int | None, label: str) -> Iterator[None]:
    progress.start(total, label)
    try:
        yield
    finally:
        progress.finish()


class SpooledImport:
    """Everything that was read and found well-formed, on its way into time order.

    Attributes:
        events: number of events.
        counts: number of events by type.
    """

    def __init__(self) -> None:
        self.events = 0
        self.counts: dict[str, int] = {}
        self._spool = SortedSpool()
        self._given_ids = SortedSpool()
        self._labels: dict[tuple[int, int], str] = {}
        self._sources = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__(None, None, None)
        self._given_ids.__exit__(None, None, None)

    def read(self, source: ImportSource, warn: Callable[[str], None], advance: Callable[[int], None]) -> None:
        """Take every event of a source.

        Raises:
            InvalidInputError: names the file, line and field.
        """
        number = self._sources
        self._sources += 1
        since_advance = 0
        for imported in source.read(warn):
            self._take(number, imported)
            since_advance += 1
            if since_advance == _PROGRESS_STEP:
                advance(since_advance)
                since_advance = 0
        advance(since_advance)

    def _take(self, source: int, imported: ImportedDraft) -> None:
        draft = imported.draft
        event_id = draft.id
        if event_id is None:
            raise TypeError("a reader gives every draft an id")
        try:
            prepared = prepare(draft, event_id)
        except InvalidInputError as error:
            raise error.within(imported.label, f"line {imported.row}") from None
        name = imported.name or b""
        event_type = prepared.type.encode()
        key = _KEY.pack(
            (prepared.occurred_at - _FIRST_TIME) // _MICROSECOND,
            source,
            imported.rank,
            imported.file,
            imported.row,
            self.events,
        )
        head = _HEAD.pack(event_id.bytes, imported.name is None, len(event_type), len(name))
        self._spool.add(b"".join((key, head, event_type, name, prepared.event_bytes)))
        if imported.name is None:
            digest = _content_digest(prepared.event_bytes, has_source=draft.source is not None)
            self._given_ids.add(_ID_RECORD.pack(event_id.bytes, digest, source, imported.file, imported.row))
        self._labels.setdefault((source, imported.file), imported.label)
        self.events += 1
        self.counts[prepared.type] = self.counts.get(prepared.type, 0) + 1

    def check_ids(self) -> None:
        """Refuse two events that were given the same id with different content.

        Raises:
            InvalidEventError: names the place of the second and that of the first.
        """
        for one, other in pairwise(self._given_ids):
            if one[:16] == other[:16] and one[16:32] != other[16:32]:
                raise self._conflict(one, other)

    def _conflict(self, *records: bytes) -> InvalidEventError:
        places = sorted(_ID_RECORD.unpack(record)[2:] for record in records)
        event_id = UUID(bytes=records[0][:16])
        bodies = []
        for record in self._spool:
            _, source, _, file, row, _ = _unpack_key(record)
            if (source, file, row) in places and record[_KEY.size : _KEY.size + 16] == event_id.bytes:
                bodies.append(_prepared(record, {}).event_bytes)
        (first_source, first_file, first_row), (source, file, row) = places
        return InvalidEventError(
            f"the id {event_id} stands in {self._labels[first_source, first_file]}, line {first_row}, with "
            f"other content already: {', '.join(differing_fields(bodies[0], bodies[-1]))} differ",
            place=(self._labels[source, file], f"line {row}", "id"),
            next_step="give each event an id of its own",
        )

    @contextmanager
    def batches(self, most_events: int) -> Iterator[Iterator[list[PreparedEvent]]]:
        """Give the events in order, in batches, the next of which is made while one is being used."""
        with closing(_read_ahead(_batches(self.events_in_order(), most_events))) as batches:
            yield batches

    def events_in_order(self) -> Iterator[PreparedEvent]:
        """Yield the events by (time, source, rank, file, row), each under its final id."""
        ordinals: dict[bytes, int] = {}
        prefix = b""
        for record in self._spool:
            if not record.startswith(prefix) or not prefix:
                prefix = record[:_FILE_PREFIX_BYTES]
                ordinals.clear()
            yield _prepared(record, ordinals)


def _unpack_key(record: bytes) -> tuple[int, ...]:
    return _KEY.unpack_from(record)


def _prepared(record: bytes, ordinals: dict[bytes, int]) -> PreparedEvent:
    """Decode a spooled record; of identical rows, the n-th (from 0) gets the n-th id."""
    microseconds = int.from_bytes(record[:8], "big")
    id_bytes, final, type_length, name_length = _HEAD.unpack_from(record, _KEY.size)
    type_end = _KEY.size + _HEAD.size + type_length
    name_end = type_end + name_length
    event_id = UUID(bytes=id_bytes)
    event_bytes = record[name_end:]
    if not final:
        ordinal = ordinals.get(id_bytes, 0)
        ordinals[id_bytes] = ordinal + 1
        if ordinal:
            event_id = import_id(record[type_end:name_end], ordinal)
            event_bytes = _with_id(event_bytes, event_id)
    return PreparedEvent(
        id=event_id,
        type=record[_KEY.size + _HEAD.size : type_end].decode(),
        occurred_at=_FIRST_TIME + timedelta(microseconds=microseconds),
        event_bytes=event_bytes,
    )


def _with_id(event_bytes: bytes, event_id: UUID) -> bytes:
    # Keys are sorted: after the event's own id come strings, numbers and source, none of which has a key id;
    # inside a string the quotes would be escaped.
    start = event_bytes.rindex(_ID_MARK) + len(_ID_MARK)
    return event_bytes[:start] + str(event_id).encode() + event_bytes[start + _ID_TEXT_BYTES :]


def _content_digest(event_bytes: bytes, *, has_source: bool) -> bytes:
    """Return a digest of the event without ``source``, by which repeats are judged."""
    content = event_bytes
    if has_source:
        start = event_bytes.rindex(b',"source":{')
        content = event_bytes[:start] + event_bytes[event_bytes.rindex(b'},"type":"') + 1 :]
    return hashlib.sha256(content).digest()[:16]


def _read_ahead(items: Iterator[_T]) -> Generator[_T]:
    """Yield items one behind a thread that makes them."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        following = executor.submit(next, items, None)
        while (item := following.result()) is not None:
            following = executor.submit(next, items, None)
            yield item


def _batches(events: Iterator[PreparedEvent], most_events: int) -> Iterator[list[PreparedEvent]]:
    batch: list[PreparedEvent] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.event_bytes)
        if len(batch) >= most_events or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
