"""What every payload is made of: a strict model and the field types of the catalogue."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from ledger.amounts import format_amount, parse_amount
from ledger.clock import format_time, parse_time
from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

    from ledger.canonical import JsonObject, JsonValue

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:/-]{1,128}", re.ASCII)
# Patterns of fields are matched by pydantic's own engine: a search, in which $ is the end of the text.
_IDENTIFIER_FORM = r"^[A-Za-z0-9._:/-]{1,128}$"
_FIELD_NAME_FORM = r"^[a-z][a-z0-9_]*$"
_HASH_FORM = r"^[0-9a-f]{64}$"
_PLAIN_TEXT_FORM = r"^[^\x00-\x1f\x7f-\x9f]*$"
_FILE_NAME_FORM = r"^[^\x00-\x1f\x7f-\x9f/\\]*$"
_PROBLEMS = {
    _IDENTIFIER_FORM: "{!r} is not an identifier (1 to 128 of A-Z a-z 0-9 . _ : / -)",
    _FIELD_NAME_FORM: "{!r} is not a field name (a-z, 0-9 and _, first a letter)",
    _HASH_FORM: "{!r} is not a hash of 64 lowercase hex digits",
    _PLAIN_TEXT_FORM: "the text holds a control character",
    _FILE_NAME_FORM: "a file's name without its path, and without control characters, is wanted",
}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_MAXIMUM_TEXT_LENGTH = 4000
_MAXIMUM_DATA_DEPTH = 32  # the whole entry has to stay within ledger.canonical.MAXIMUM_DEPTH


class Strict(BaseModel):
    """A part of a payload: frozen, no unknown fields, no conversions between types.

    Attributes:
        json_members: (key in JSON, field name) of every field, in canonical order.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, populate_by_name=True, arbitrary_types_allowed=False
    )

    json_members: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.json_members = tuple(
            sorted((field.alias or name, name) for name, field in cls.model_fields.items())
        )

    @classmethod
    def from_value(cls, value: object) -> Self:
        """Check a JSON value, whose keys are the fields' names in JSON.

        Raises:
            ValidationError: something is out of form, unknown or missing.
        """
        checked: Self = cls.__pydantic_validator__.validate_python(value, by_alias=True, by_name=False)
        return checked


class Payload(Strict):
    """The ``data`` of one event type in one schema number."""

    schema_number: ClassVar[int] = 1

    def json_value(self) -> JsonObject:
        """Return the payload as its canonical JSON value: decimals and times as text, nothing unknown."""
        return json_object(self)


_AS_TEXT: dict[type, Callable[[Any], str]] = {Decimal: format_amount, datetime: format_time, UUID: str}


def json_object(model: Strict) -> JsonObject:
    """Return a model as its canonical JSON value; the keys of every object ascend."""
    values = model.__dict__
    return {
        key: value if type(value) is str else _json_value(value)
        for key, name in model.json_members
        if (value := values[name]) is not None
    }


def _json_value(value: Any) -> JsonValue:
    as_text = _AS_TEXT.get(type(value))
    if as_text is not None:
        return as_text(value)
    if isinstance(value, Strict):
        return json_object(value)
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _json_value(value[key]) for key in sorted(value)}
    if isinstance(value, str | bool):
        return value
    raise TypeError(f"a {type(value).__name__} has no place in a payload")


def problem_text(problem: ErrorDetails) -> str:
    """Say in words what one of pydantic's findings is."""
    context = problem.get("ctx", {})
    given = problem.get("input")
    if problem["type"] == "value_error":
        cause = context.get("error")
        return cause.problem if isinstance(cause, InvalidInputError) else str(cause)
    if context.get("pattern") in _PROBLEMS:
        return _PROBLEMS[context["pattern"]].format(given)
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{given!r}: {message}" if isinstance(given, str | int | float | bool) else message


def _decimal(value: object) -> Decimal:
    if isinstance(value, str):
        return parse_amount(value)
    if isinstance(value, Decimal):
        return parse_amount(format_amount(value))
    if isinstance(value, bool | int | float):
        raise ValueError(f'numbers are decimal strings: write "{value}" in quotes')  # noqa: TRY004 (pydantic's protocol)
    raise ValueError("a decimal string is wanted")


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError(f"{value} is not above zero")
    return value


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError(f"{value} is below zero")
    return value


def _whole(value: Decimal) -> Decimal:
    if value < 0 or value != value.to_integral_value():
        raise ValueError(f"{value} is not a whole number of zero or more")
    return value


def _time(value: object) -> datetime:
    if isinstance(value, datetime):
        return parse_time(format_time(value))
    if isinstance(value, str):
        return parse_time(value)
    raise ValueError("a time such as 2026-01-31T09:30:00.000000Z is wanted")


def _uuid(value: object) -> UUID | str:
    if isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return value  # text of other forms, such as with braces, would go through as well
    raise ValueError("a UUID such as 6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a11 is wanted")


def _plain_text(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("the text holds a control character")
    return value


def _within_profile(value: object, depth: int) -> object:
    """Hold a free value to the event profile: no null, no numbers, plain text, field names, not too deep."""
    if isinstance(value, list | dict) and depth > _MAXIMUM_DATA_DEPTH:
        raise ValueError(f"nested deeper than {_MAXIMUM_DATA_DEPTH} levels")
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [_within_profile(item, depth + 1) for item in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or _IDENTIFIER.fullmatch(key) is None:
                raise ValueError(f"{key!r} is not a field name")
        return {key: _within_profile(item, depth + 1) for key, item in value.items() if item is not None}
    raise ValueError(
        f"{value!r}: only strings, booleans, arrays and objects have a place here; numbers are strings"
    )


Identifier = Annotated[str, Field(pattern=_IDENTIFIER_FORM)]
"""An account, instrument, asset, index or source: 1 to 128 characters of ``A-Z a-z 0-9 . _ : / -``."""

FieldName = Annotated[str, Field(pattern=_FIELD_NAME_FORM)]
"""A name made of ``a-z``, ``0-9`` and ``_`` that starts with a letter."""

Text = Annotated[str, Field(max_length=_MAXIMUM_TEXT_LENGTH, pattern=_PLAIN_TEXT_FORM)]
"""Words for people, without control characters, at most 4,000 characters; no personal data."""

Reference = Annotated[str, Field(min_length=1, max_length=256, pattern=_PLAIN_TEXT_FORM)]
"""A name that another system gave: an order, a trade; 1 to 256 characters, none of them control."""

FileName = Annotated[str, Field(min_length=1, max_length=256, pattern=_FILE_NAME_FORM)]
"""A file's name without its path, 1 to 256 characters."""

HexHash = Annotated[str, Field(pattern=_HASH_FORM)]
"""A SHA-256 as 64 lowercase hex digits."""

Amount = Annotated[Decimal, BeforeValidator(_decimal), PlainSerializer(format_amount, return_type=str)]
"""An exact decimal, at most 38 significant digits, at most 18 after the point; as text in JSON."""

PositiveAmount = Annotated[Amount, AfterValidator(_positive)]
"""An :data:`Amount` above zero."""

NonNegativeAmount = Annotated[Amount, AfterValidator(_not_negative)]
"""An :data:`Amount` of zero or more."""

Count = Annotated[Amount, AfterValidator(_whole)]
"""A whole number of zero or more; as text in JSON like every number."""

Time = Annotated[datetime, BeforeValidator(_time), PlainSerializer(format_time, return_type=str)]
"""A moment in UTC to the microsecond."""

EventId = Annotated[UUID, Field(strict=False), BeforeValidator(_uuid), PlainSerializer(str, return_type=str)]
"""The UUID of an event, lowercase in JSON."""

JsonData = Annotated[dict[str, Any], BeforeValidator(lambda value: _within_profile(value, 1))]
"""A free JSON object within the event profile."""
