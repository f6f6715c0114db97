"""The hash chain: an event's ``link``, its bytes as stored, and a streaming check of them all.

Bytes in, verdict out: nothing here knows where the bytes come from (docs/spec/event-format.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import Field, ValidationError

from ledger.canonical import (
    JsonObject,
    JsonValue,
    decode_canonical,
    decode_trusted,
    encode_trusted,
    leaf_hash,
)
from ledger.clock import format_time
from ledger.errors import CanonicalFormError, InvalidEventError, InvalidInputError, RecordUnreadableError
from ledger.events.base import HexHash, Identifier, Strict, Time, problem_text
from ledger.events.envelope import Draft, Event, PreparedEvent, UnknownEvent, prepare
from ledger.events.registry import PAYLOADS
from ledger.merkle import MerkleFrontier

FORMAT = "margin-ledger/1"
_EVENT_START = b'{"event":'
_LINK_START = b',"link":{"appended_at":"'
_NIL = UUID(int=0)
ZERO_HASH = bytes(32)
"""``prev`` of the first event."""


# A link as nearly all are, at the end of an entry: its writer's name is ASCII and needs no escape.
_PLAIN_LINK = re.compile(
    rb',"link":\{"appended_at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)",'
    rb'"ledger":"([A-Za-z0-9._:/-]{1,128})","nonce":"([0-9a-f]{32})",'
    rb'"prev":"([0-9a-f]{64})","sequence":(0|[1-9][0-9]{0,14}),"writer":"([ !#-\[\]-~]{1,63})"\}\}'
)


class _LinkForm(Strict):
    appended_at: Time
    ledger: Identifier
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    prev: HexHash
    sequence: Annotated[int, Field(ge=0, lt=2**53)]
    writer: Annotated[str, Field(min_length=1, max_length=63)]


class Link(NamedTuple):
    """What the ledger adds to an event when it takes it.

    Attributes:
        appended_at: when, as text in the ledger's form.
        ledger: the origin.
        nonce: 32 hex digits.
        prev: hash of the entry before, 64 hex digits.
        sequence: the entry's place.
        writer: the database role that appended it.
    """

    appended_at: str
    ledger: str
    nonce: str
    prev: str
    sequence: int
    writer: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that verification found not to hold.

    Attributes:
        sequence: where, or None where the failure is about the ledger as a whole.
        check: name of the check.
        expected: what should be there.
        actual: what is there.
    """

    sequence: int | None
    check: str
    expected: str
    actual: str


class Sealer:
    """Gives consecutive entries their links; what is the same in all of them is encoded once.

    Args:
        ledger: the origin.
        writer: the authenticated database role.
        appended_at: the batch's time.
        sequence: the first entry's place.
        prev: hash of the entry before it.
    """

    def __init__(self, ledger: str, writer: str, appended_at: datetime, sequence: int, prev: bytes) -> None:
        self.sequence = sequence
        self.prev = prev
        self._before_nonce = (
            f',"link":{{"appended_at":"{format_time(appended_at)}","ledger":"{ledger}","nonce":"'
        ).encode()
        self._writer = b',"writer":' + encode_trusted(writer) + b"}}"

    def seal(self, event_bytes: bytes, nonce: bytes) -> tuple[bytes, bytes]:
        """Return the next entry's canonical bytes and hash; ``nonce`` is 16 random bytes."""
        canonical = b"".join(
            (
                b'{"event":',
                event_bytes,
                self._before_nonce,
                nonce.hex().encode(),
                b'","prev":"',
                self.prev.hex().encode(),
                b'","sequence":',
                str(self.sequence).encode(),
                self._writer,
            )
        )
        self.prev = leaf_hash(canonical)
        self.sequence += 1
        return canonical, self.prev


class Entry(NamedTuple):
    """An entry taken apart without looking into its payload."""

    event: JsonObject
    link: Link
    event_bytes: bytes


def event_bytes_of(canonical: bytes) -> bytes:
    """Return the ``event`` object's bytes inside a canonical entry, where the link stands at the end."""
    return canonical[len(_EVENT_START) : canonical.rindex(_LINK_START)]


def link_of(canonical: bytes) -> Link:
    """Read an entry's link, without looking at the event.

    Raises:
        CanonicalFormError, InvalidEventError: as :func:`parse_entry`.
    """
    parts = _split(canonical)
    return parse_entry(canonical).link if parts is None else parts[1]


def parse_entry(canonical: bytes) -> Entry:
    """Read an entry's bytes, which must be canonical and hold exactly ``event`` and ``link``.

    Raises:
        CanonicalFormError: not canonical JSON.
        InvalidEventError: other top-level keys, or a link out of its form.
    """
    parts = _split(canonical)
    if parts is None:
        return _parse_any(canonical)
    event_bytes, link = parts
    try:
        event = decode_canonical(event_bytes)
    except CanonicalFormError:
        return _parse_any(canonical)  # names the place in the whole entry
    return Entry(event, link, event_bytes) if isinstance(event, dict) else _parse_any(canonical)


def _split(canonical: bytes) -> tuple[bytes, Link] | None:
    """Take an entry's link off where it has the usual form; the event's bytes are as they were found."""
    start = canonical.rfind(_LINK_START)
    form = _PLAIN_LINK.fullmatch(canonical, max(start, 0))
    if form is None or not canonical.startswith(_EVENT_START):
        return None
    appended_at, ledger, nonce, prev, sequence, writer = form.groups()
    link = Link(
        appended_at.decode(), ledger.decode(), nonce.decode(), prev.decode(), int(sequence), writer.decode()
    )
    try:
        datetime.fromisoformat(link.appended_at)
    except ValueError:
        return None
    return canonical[len(_EVENT_START) : start], link


def _parse_any(canonical: bytes) -> Entry:
    value: JsonValue = decode_canonical(canonical)
    if not isinstance(value, dict) or value.keys() != {"event", "link"}:
        raise InvalidEventError("an entry holds exactly the keys event and link")
    event, link = value["event"], value["link"]
    if not isinstance(event, dict) or not isinstance(link, dict):
        raise InvalidEventError("event and link are objects")
    try:
        form = _LinkForm.from_value(link)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(("link", *map(str, problem["loc"])))
        raise InvalidEventError(problem_text(problem), place=(place,)) from None
    appended_at = format_time(form.appended_at)
    if link["appended_at"] != appended_at:
        raise InvalidEventError(f"not written as {appended_at}", place=("link.appended_at",))
    given = Link(appended_at, form.ledger, form.nonce, form.prev, form.sequence, form.writer)
    return Entry(event, given, event_bytes_of(canonical))


def is_known(event: JsonObject) -> bool:
    """Tell whether this program knows the event's type and schema number."""
    payload = PAYLOADS.get(str(event.get("type")))
    schema = event.get("schema")
    return payload is not None and type(schema) is int and 1 <= schema <= payload.schema_number


def check_event(entry: Entry) -> PreparedEvent:
    """Hold an entry's event object to the catalogue, to the letter: its bytes are the ones we would write.

    Raises:
        InvalidEventError: a field is missing, unknown, or not in its one canonical form.
    """
    draft = Draft.from_json(entry.event)
    schema = entry.event.get("schema")
    if draft.id is None or schema is None:
        name = "id" if draft.id is None else "schema"
        raise InvalidEventError(f"the event has no {name}", place=(name,))
    prepared = prepare(draft, draft.id)
    if schema == draft.data.schema_number:
        _check_same(entry.event_bytes, prepared.event_bytes)
    return prepared


def _read_as_written(canonical: bytes) -> tuple[Entry, PreparedEvent] | tuple[None, None]:
    """Read an entry whose event is to the letter what we would write of it, and so in its one form."""
    parts = _split(canonical)
    if parts is None:
        return None, None
    event_bytes, link = parts
    try:
        event = decode_trusted(event_bytes)
        draft = Draft.from_json(event)
        prepared = prepare(draft, draft.id or _NIL)
    except ValueError:
        return None, None
    if not isinstance(event, dict) or prepared.event_bytes != event_bytes:
        return None, None
    return Entry(event, link, event_bytes), prepared


def check_unknown_event(entry: Entry) -> None:
    """Hold an event whose payload this program does not know to the form that every event has.

    Raises:
        InvalidEventError: a field of the envelope is missing, unknown, or not in its one canonical form.
    """
    _check_same(entry.event_bytes, UnknownEvent.from_json(entry.event).event_bytes())


def _check_same(found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise InvalidEventError(
            "a value is not in its canonical form", place=(_first_difference(found, wanted),)
        )


def _first_difference(found: bytes, wanted: bytes) -> str:
    place = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), len(found))
    excerpt = found[max(0, place - 30) : place + 10].decode(errors="replace")
    return f"byte {place} of event, near {excerpt!r}"


def decode_event(canonical: bytes, event_hash: bytes | None = None) -> Event:
    """Decode a stored entry into an :class:`~ledger.events.envelope.Event`.

    Raises:
        RecordUnreadableError: the bytes are not an entry of this catalogue.
    """
    try:
        entry = parse_entry(canonical)
        draft = Draft.from_json(entry.event)
    except InvalidInputError as error:
        raise RecordUnreadableError(_sequence_in(canonical), str(error)) from None
    link = entry.link
    schema = entry.event.get("schema")
    if draft.id is None or not isinstance(schema, int):
        raise RecordUnreadableError(link.sequence, "the event has no id or no schema number")
    return Event(
        sequence=link.sequence,
        hash=leaf_hash(canonical) if event_hash is None else event_hash,
        canonical=canonical,
        id=draft.id,
        type=draft.type,
        schema=schema,
        occurred_at=draft.occurred_at,
        received_at=draft.received_at,
        processed_at=draft.processed_at,
        appended_at=datetime.fromisoformat(link.appended_at),
        actor=draft.actor,
        causation=draft.causation,
        correlation=draft.correlation,
        source=draft.source,
        data=draft.data,
        ledger=link.ledger,
        nonce=link.nonce,
        prev=bytes.fromhex(link.prev),
        writer=link.writer,
    )


def _sequence_in(canonical: bytes) -> int:
    _, _, tail = canonical.rpartition(b'"sequence":')
    digits = tail.split(b",", 1)[0]
    return int(digits) if digits.isdigit() and len(digits) < 20 else -1


class ChainVerifier:
    """Checks entries one after the other in constant memory and builds the RFC 9162 tree over them.

    Checks, by name: ``well_formed`` (canonical JSON, catalogue), ``sequence`` (dense from 0),
    ``link`` (each ``prev`` is the hash of the entry before), ``origin``, ``time_order``, ``opening``
    (the first event is LedgerOpened of this format).

    A broken link is laid at the door of the entry that changed: where entry N does not hash to what
    N+1 names, but N+1 is what N+2 names, N was changed and N+1 is the evidence.

    Attributes:
        events: entries taken.
        head: hash of the last entry, or zeros.
        tree: the Merkle frontier over all hashes.
        unknown_types: event types whose payload this program cannot check, with counts.
    """

    CHECKS = ("well_formed", "sequence", "link", "origin", "time_order", "opening")

    def __init__(self, origin: str | None = None) -> None:
        self.events = 0
        self.head = ZERO_HASH
        self.origin = origin
        self.tree = MerkleFrontier()
        self.unknown_types: dict[str, int] = {}
        self._next_sequence = 0
        self._appended_at = ""
        self._suspect: Failure | None = None  # of the last two entries one changed; the next one tells which

    def take(
        self, sequence: int, canonical: bytes
    ) -> tuple[list[Failure], Entry | None, PreparedEvent | None]:
        """Check the entry that stands at ``sequence``.

        Returns:
            What does not hold (a broken link is told one entry late), the entry where its bytes can
            be read, and the checked event where its type is known and its payload holds.
        """
        failures: list[Failure] = []
        follows = sequence == self._next_sequence
        if not follows:
            failures.append(
                Failure(
                    min(sequence, self._next_sequence), "sequence", str(self._next_sequence), str(sequence)
                )
            )
            failures += self._settle_suspect()
        entry, prepared = _read_as_written(canonical)
        if entry is None:
            try:
                entry = parse_entry(canonical)
                prepared = self._checked(entry)
            except InvalidInputError as error:
                failures.append(Failure(sequence, "well_formed", "a canonical event", str(error)))
        if entry is not None:
            failures += self._check_entry(sequence, entry)
            failures += self._check_prev(sequence, entry.link) if follows else []
        else:
            failures += self._settle_suspect()
        self.events += 1
        self._next_sequence = sequence + 1
        self.head = leaf_hash(canonical)
        self.tree.append(self.head)
        return failures, entry, prepared

    def finish(self, head: bytes | None = None) -> list[Failure]:
        """Tell what the last entry left open; ``head`` is the hash it should have, where that is known."""
        if self._suspect is not None and head is not None and head != self.head:
            suspect, self._suspect = self._suspect, None
            last = self._next_sequence - 1
            return [
                Failure(
                    last,
                    "link",
                    head.hex(),
                    f"{self.head.hex()}, and its prev is not the hash of {suspect.sequence}",
                )
            ]
        failures = self._settle_suspect()
        if head is not None and head != self.head:
            failures.append(Failure(self._next_sequence - 1, "link", head.hex(), self.head.hex()))
        return failures

    def _checked(self, entry: Entry) -> PreparedEvent | None:
        if is_known(entry.event):
            return check_event(entry)
        check_unknown_event(entry)
        name = str(entry.event["type"])
        self.unknown_types[name] = self.unknown_types.get(name, 0) + 1
        return None

    def _check_prev(self, sequence: int, link: Link) -> list[Failure]:
        actual, prev = self.head.hex(), link.prev
        if prev == actual:
            return self._settle_suspect()
        if self._suspect is None and (sequence == 0 or link.sequence > sequence):
            # Nothing stands before, or what should stand here is gone and a later entry moved up.
            return [Failure(sequence, "link", actual, prev)]
        if self._suspect is not None:  # wrong on both sides: the entry between them is the one that changed
            self._suspect = None
            return [Failure(sequence - 1, "link", f"{prev} (the prev of {sequence})", actual)]
        self._suspect = Failure(sequence - 1, "link", f"{prev} (the prev of {sequence})", actual)
        return []

    def _settle_suspect(self) -> list[Failure]:
        suspect, self._suspect = self._suspect, None
        return [suspect] if suspect is not None else []

    def _check_entry(self, sequence: int, entry: Entry) -> list[Failure]:
        link = entry.link
        failures: list[Failure] = []
        if link.sequence != sequence:
            failures.append(Failure(sequence, "sequence", str(sequence), str(link.sequence)))
        self.origin = self.origin or link.ledger
        if link.ledger != self.origin:
            failures.append(Failure(sequence, "origin", self.origin, link.ledger))
        if link.appended_at < self._appended_at:  # texts of one length: their order is that of the times
            earliest = f"{self._appended_at} or later"
            failures.append(Failure(sequence, "time_order", earliest, link.appended_at))
        self._appended_at = link.appended_at
        return failures + self._check_opening(sequence, entry)

    def _check_opening(self, sequence: int, entry: Entry) -> list[Failure]:
        event_type = entry.event.get("type")
        if sequence > 0:
            wrong = event_type == "LedgerOpened"
            return (
                [Failure(sequence, "opening", "LedgerOpened at sequence 0 only", "another")] if wrong else []
            )
        data = entry.event.get("data")
        form, name = (data.get("format"), data.get("ledger")) if isinstance(data, dict) else (None, None)
        expected = f"LedgerOpened of {entry.link.ledger}, format {FORMAT}"
        found = f"{event_type} of {name}, format {form}"
        return [Failure(0, "opening", expected, found)] if found != expected else []
