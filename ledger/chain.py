"""The hash chain: an event's ``link``, its bytes as stored, and a streaming check of them all.

Bytes in, verdict out: nothing here knows where the bytes come from (docs/spec/event-format.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationError

from ledger.canonical import JsonObject, JsonValue, decode_canonical, encode_trusted, leaf_hash
from ledger.clock import format_time
from ledger.errors import InvalidEventError, InvalidInputError, RecordUnreadableError
from ledger.events.base import HexHash, Strict, Time
from ledger.events.envelope import Draft, Event, PreparedEvent, UnknownEvent, prepare
from ledger.events.registry import PAYLOADS
from ledger.merkle import MerkleFrontier

FORMAT = "margin-ledger/1"
_EVENT_START = b'{"event":'
_LINK_START = b',"link":{"appended_at":"'
ZERO_HASH = bytes(32)
"""``prev`` of the first event."""


class Link(Strict):
    """What the ledger adds to an event when it takes it."""

    appended_at: Time
    ledger: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,128}$")]
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    prev: HexHash
    sequence: Annotated[int, Field(ge=0, lt=2**53)]
    writer: Annotated[str, Field(min_length=1, max_length=63)]


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


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry taken apart without looking into its payload."""

    event: JsonObject
    link: Link
    event_bytes: bytes


def event_bytes_of(canonical: bytes) -> bytes:
    """Return the ``event`` object's bytes inside a canonical entry, where the link stands at the end."""
    return canonical[len(_EVENT_START) : canonical.rindex(_LINK_START)]


def parse_entry(canonical: bytes) -> Entry:
    """Read an entry's bytes, which must be canonical and hold exactly ``event`` and ``link``.

    Raises:
        CanonicalFormError: not canonical JSON.
        InvalidEventError: other top-level keys, or a link out of its form.
    """
    value: JsonValue = decode_canonical(canonical)
    if not isinstance(value, dict) or value.keys() != {"event", "link"}:
        raise InvalidEventError("an entry holds exactly the keys event and link")
    event, link_value = value["event"], value["link"]
    if not isinstance(event, dict) or not isinstance(link_value, dict):
        raise InvalidEventError("event and link are objects")
    try:
        link = Link.model_validate(link_value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(("link", *map(str, problem["loc"])))
        raise InvalidEventError(problem["msg"], place=(place,)) from None
    appended_at = format_time(link.appended_at)
    if link_value["appended_at"] != appended_at:
        raise InvalidEventError(f"not written as {appended_at}", place=("link.appended_at",))
    return Entry(event, link, event_bytes_of(canonical))


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
        appended_at=link.appended_at,
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
        self._appended_at: datetime | None = None
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
        entry: Entry | None = None
        prepared: PreparedEvent | None = None
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
        if self._appended_at is not None and link.appended_at < self._appended_at:
            earliest = format_time(self._appended_at)
            failures.append(
                Failure(sequence, "time_order", f"{earliest} or later", format_time(link.appended_at))
            )
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
