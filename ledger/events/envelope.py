"""The event around a payload: drafts going in, recorded events coming out.

A draft is what a source says. :func:`prepare` checks it against the catalogue and fixes the
bytes of its ``event`` object; the ledger adds ``link`` when it takes it (:mod:`ledger.chain`).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args
from uuid import UUID

from pydantic import Field, ValidationError

from ledger.canonical import JsonObject, JsonValue, decode, encode_ordered, encode_trusted
from ledger.errors import InvalidEventError
from ledger.events.base import (
    EventId,
    FileName,
    JsonData,
    Payload,
    Reference,
    Strict,
    Time,
    json_object,
    problem_text,
)
from ledger.events.registry import PAYLOADS
from ledger.events.upcast import upcast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

LARGEST_EVENT_BYTES = 65_000
CATALOGUE_HINT = "docs/reference/events.md lists every type and its fields"

_ACCOUNT_FIELDS = frozenset(
    {
        "account",
        "bankrupt_account",
        "buyer",
        "counterparty_account",
        "from_account",
        "fund",
        "parent_account",
        "seller",
        "to_account",
    }
)
SUBJECT_KINDS: dict[str, str] = {
    **dict.fromkeys(sorted(_ACCOUNT_FIELDS), "account"),
    "asset": "asset",
    "fee_asset": "asset",
    "index": "index",
    "instrument": "instrument",
}
"""Field name anywhere in ``data`` → the kind of subject its value names; ``subjects`` lists whole ones."""


class Source(Strict):
    """Where a fact was read: system, file (a name, no path), row, and whether an importer concluded it.

    ``system`` is what ``SourceDeclared.source`` and ``SourceTotalsReported.source`` speak of.
    """

    system: Reference | None = None
    file: FileName | None = None
    row: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,17})$")] | None = None
    inferred: bool | None = None


class _Envelope(Strict):
    occurred_at: Time
    received_at: Time | None = None
    processed_at: Time | None = None
    actor: Reference | None = None
    causation: EventId | None = None
    correlation: Reference | None = None
    source: Source | None = None


class Draft(_Envelope):
    """An event before the ledger takes it.

    Attributes:
        data: the payload; its class is the event's type.
        occurred_at: business time at the source.
        id: the idempotency key; a repeat of an append without it cannot be recognised.
        received_at: when the venue's engine got the fact.
        processed_at: when the engine acted on it.
    """

    data: Payload
    id: EventId | None = None

    @property
    def type(self) -> str:
        """The event type's name."""
        return type(self.data).__name__

    @classmethod
    def from_json(cls, value: JsonValue) -> Draft:
        """Check one JSON object against the catalogue (keys whose value is null are dropped).

        Raises:
            InvalidEventError: unknown type, unknown or missing field, or a value out of form; names it.
        """
        if not isinstance(value, dict):
            raise InvalidEventError("an event is a JSON object", next_step=CATALOGUE_HINT)
        given = {key: item for key, item in value.items() if item is not None}
        payload_type = _payload_type(given.pop("type", None))
        schema = given.pop("schema", payload_type.schema_number)
        if type(schema) is not int or not 1 <= schema <= payload_type.schema_number:
            raise InvalidEventError(
                f"schema {schema!r} of {payload_type.__name__} is not known; "
                f"the newest is {payload_type.schema_number}",
                place=("schema",),
                next_step="a newer program wrote this: upgrade margin-ledger",
            )
        data = given.pop("data", None)
        if not isinstance(data, dict):
            raise InvalidEventError(
                "the event's data object is missing", place=("data",), next_step=CATALOGUE_HINT
            )
        payload = _payload(payload_type, schema, data)
        try:
            return cls.from_value({**given, "data": payload})
        except ValidationError as error:
            raise _invalid(error, cls, "") from None


class UnknownEvent(_Envelope):
    """An event of a type or schema number not known here; its data is held to the profile."""

    data: JsonData
    id: EventId
    schema_number: Annotated[int, Field(alias="schema", ge=1, lt=2**53)]
    type: Reference

    @classmethod
    def from_json(cls, value: JsonObject) -> UnknownEvent:
        """Check an event's envelope and profile.

        Raises:
            InvalidEventError: a field of the envelope is missing, unknown or out of form; names it.
        """
        try:
            return cls.from_value(value)
        except ValidationError as error:
            raise _invalid(error, cls, "") from None

    def event_bytes(self) -> bytes:
        """Return the canonical bytes of the ``event`` object."""
        return encode_trusted(self.model_dump(mode="json", exclude_none=True, by_alias=True))


@dataclass(frozen=True, slots=True)
class PreparedEvent:
    """A checked draft whose event bytes are fixed; everything the ledger needs to record it.

    Attributes:
        id: idempotency key.
        type: event type.
        occurred_at: business time in UTC.
        event_bytes: canonical bytes of the ``event`` object.
    """

    id: UUID
    type: str
    occurred_at: datetime
    event_bytes: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """A recorded event, decoded.

    Attributes:
        sequence: 0-based place in the ledger.
        hash: SHA-256 leaf hash of ``canonical`` (32 bytes).
        canonical: the stored bytes, which are the truth.
        data: the payload, brought up to its newest schema number.
        schema: the schema number that was stored.
        appended_at: when the ledger took it.
        writer: the database role that appended it.
        prev: hash of the event before (32 bytes; zeros at sequence 0).
    """

    sequence: int
    hash: bytes
    canonical: bytes
    id: UUID
    type: str
    schema: int
    occurred_at: datetime
    received_at: datetime | None
    processed_at: datetime | None
    appended_at: datetime
    actor: str | None
    causation: UUID | None
    correlation: str | None
    source: Source | None
    data: Payload
    ledger: str
    nonce: str
    prev: bytes
    writer: str


def prepare(draft: Draft, event_id: UUID) -> PreparedEvent:
    """Fix the bytes of a draft under an id.

    Raises:
        InvalidEventError: the event is larger than 65,000 bytes.
    """
    event = json_object(draft)
    if not event.get("source", True):
        del event["source"]  # nothing is known of it
    if draft.id != event_id:
        event["id"] = str(event_id)
    event["schema"] = draft.data.schema_number
    event["type"] = draft.type
    event_bytes = encode_ordered({key: event[key] for key in sorted(event)})
    if len(event_bytes) > LARGEST_EVENT_BYTES:
        raise InvalidEventError(
            f"the event has {len(event_bytes)} bytes; {LARGEST_EVENT_BYTES} are allowed",
            next_step="split lists with part and parts, or refer to larger evidence by its SHA-256",
        )
    return PreparedEvent(event_id, draft.type, draft.occurred_at, event_bytes)


def differing_fields(recorded: bytes, given: bytes) -> tuple[str, ...]:
    """Compare two ``event`` objects by their canonical bytes, without ``source``.

    Returns:
        The names of the fields that differ, sorted; empty if the two are the same event.
    """
    if recorded == given:
        return ()
    one, other = decode(recorded), decode(given)
    assert isinstance(one, dict)  # noqa: S101 (event bytes are made by prepare)
    assert isinstance(other, dict)  # noqa: S101 (likewise)
    return tuple(sorted(k for k in (one.keys() | other.keys()) - {"source"} if one.get(k) != other.get(k)))


def subjects_of(data: JsonValue) -> set[str]:
    """Return what an event touches (``account/A17``), read off the field names anywhere in ``data``."""
    subjects: set[str] = set()
    _collect_subjects(data, subjects)
    return subjects


def _collect_subjects(value: JsonValue, subjects: set[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "subjects":
                named = item if isinstance(item, list) else [item]
                subjects.update(subject for subject in named if isinstance(subject, str))
            if isinstance(item, str):
                kind = SUBJECT_KINDS.get(key)
                if kind is not None:
                    subjects.add(f"{kind}/{item}")
            else:
                _collect_subjects(item, subjects)
    elif isinstance(value, list):
        for item in value:
            _collect_subjects(item, subjects)


def without_null(value: JsonObject) -> JsonObject:
    """Return a copy in which keys whose value is null are gone, at every depth."""
    return {key: _without_null(item) for key, item in value.items() if item is not None}


def _without_null(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return without_null(value)
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


def _payload_type(name: JsonValue) -> type[Payload]:
    if isinstance(name, str) and name in PAYLOADS:
        return PAYLOADS[name]
    if not isinstance(name, str):
        raise InvalidEventError("the event's type is missing", place=("type",), next_step=CATALOGUE_HINT)
    raise InvalidEventError(
        f"there is no event type {name!r}{_nearest(name, PAYLOADS)}",
        place=("type",),
        next_step=CATALOGUE_HINT,
    )


def _payload(payload_type: type[Payload], schema: int, data: JsonObject) -> Payload:
    if schema == payload_type.schema_number:
        try:  # null in the place of an optional field means the same as its absence
            return payload_type.from_value(data)
        except ValidationError:
            pass
    newest = upcast(payload_type.__name__, schema, without_null(data), payload_type.schema_number)
    try:
        return payload_type.from_value(newest)
    except ValidationError as error:
        raise _invalid(error, payload_type, "data") from None


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _invalid(error: ValidationError, model: type[Strict], prefix: str) -> InvalidEventError:
    """Turn pydantic's report into one error that names a field and says how many more there are.

    An unknown field is named before a missing one: the one is mostly the other, misspelt.
    """
    problems = error.errors(include_url=False)
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    path = ".".join(str(part) for part in (prefix, *first["loc"]) if part != "")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidEventError(
        _problem(first, model) + more, place=(path,) if path else (), next_step=CATALOGUE_HINT
    )


def _problem(problem: Any, model: type[Strict]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        *outer, name = problem["loc"]
        return f"there is no such field{_nearest(str(name), _field_names(model, outer))}"
    if kind == "missing":
        return "the field is missing"
    return problem_text(problem)


def _field_names(model: type[Strict], path: Iterable[str | int]) -> list[str]:
    """Return the fields, by the names they have in JSON, of the part of a model that a path leads to."""
    for step in path:
        field = _fields(model).get(str(step))
        model = next(_models_in(field.annotation), model) if field is not None else model
    return list(_fields(model))


def _fields(model: type[Strict]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[Strict]]:
    """Yield the models that an annotation names, for example ``list[MarginTier] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
