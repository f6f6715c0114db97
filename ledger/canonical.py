"""Canonical JSON: RFC 8785 (JCS) restricted to what can be read in one way only.

The profile (docs/spec/event-format.md): strings, booleans, null, integers below 2^53 in
magnitude, arrays, and objects whose keys are ASCII. Floats, duplicate keys and lone
surrogates are refused. The event profile narrows this further in ``ledger.events``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from pydantic_core import from_json, to_json

from ledger.errors import CanonicalFormError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

JsonValue: TypeAlias = "str | int | bool | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

LARGEST_INTEGER = 2**53 - 1
# Far deeper than any event; keeps a hostile line from exhausting the stack.
MAXIMUM_DEPTH = 64

_LEAF_PREFIX = b"\x00"
_encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: JsonValue) -> bytes:
    """Return the canonical bytes of a value.

    Raises:
        CanonicalFormError: the value holds a float, an integer of 2^53 or more, a key that is not
            ASCII, a lone surrogate, a value of another type, or is nested deeper than 64 levels.
    """
    _check(value, ())
    return encode_trusted(value)


def encode_trusted(value: JsonValue) -> bytes:
    """Return the canonical bytes of a value that a payload model or :func:`decode` has checked already."""
    return _encoder.encode(value).encode("utf-8")


def encode_ordered(value: JsonValue) -> bytes:
    """Return the canonical bytes of a checked value in all of whose objects the keys ascend already."""
    return to_json(value)


def decode(data: bytes) -> JsonValue:
    """Read JSON text strictly; white space and any order of keys are accepted.

    Raises:
        CanonicalFormError: not UTF-8, not JSON, or outside the profile (floats, duplicate keys,
            big integers, keys beyond ASCII, lone surrogates, depth).
    """
    try:
        text = data.decode("utf-8")
        value: JsonValue = _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise CanonicalFormError(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise CanonicalFormError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise CanonicalFormError(f"nested deeper than {MAXIMUM_DEPTH} levels") from None
    except CanonicalFormError as error:
        raise _with_place(text, error) from None
    # The decoder has refused floats, big integers and duplicate keys; what is left to find takes a
    # character beyond ASCII, an escape that stands for one, or very many brackets.
    if not data.isascii() or b"\\u" in data or data.count(b"{") + data.count(b"[") > MAXIMUM_DEPTH:
        _check(value, ())
    return value


def decode_trusted(data: bytes) -> JsonValue:
    """Read JSON text whose form is shown in another way: floats and duplicate keys go through.

    Raises:
        ValueError: not JSON.
    """
    value: JsonValue = from_json(data)
    return value


def decode_canonical(data: bytes) -> JsonValue:
    """Read bytes that must already be in canonical form: ``encode(decode_canonical(b)) == b``.

    Raises:
        CanonicalFormError: as :func:`decode`, or the bytes are not the canonical form of their value.
    """
    try:
        value = decode_trusted(data)
        # What is written again as it was read has no white space, needless escape or duplicate key.
        if encode_ordered(value) == data and _is_ordered(value, MAXIMUM_DEPTH):
            return value
    except ValueError:
        pass  # said below, with its place
    canonical = encode_trusted(decode(data))
    place = next(
        (
            index
            for index, (found, wanted) in enumerate(zip(data, canonical, strict=False))
            if found != wanted
        ),
        min(len(data), len(canonical)),
    )
    raise CanonicalFormError(f"not in canonical form (RFC 8785): differs from it at byte {place}")


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ data): chain link and RFC 9162 leaf hash at once."""
    return hashlib.sha256(_LEAF_PREFIX + data).digest()


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        duplicate = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise CanonicalFormError(f"the key {duplicate!r} occurs twice in one object")
    return result


def _refuse_float(text: str) -> NoReturn:
    raise CanonicalFormError(f"the number {text} is a float", next_step=f'write it as a string: "{text}"')


def _read_integer(text: str) -> int:
    if text == "-0":
        raise CanonicalFormError("-0 is not in canonical form", next_step="write 0")
    if len(text) > len(str(LARGEST_INTEGER)) + 1:
        raise CanonicalFormError(f"an integer of {len(text)} digits; integers stay below 2^53")
    value = int(text)
    if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        raise CanonicalFormError(f"the integer {text} is not below 2^53")
    return value


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique_keys,
    parse_float=_refuse_float,
    parse_constant=_refuse_float,
    parse_int=_read_integer,
)


class _Refused:
    """Stands, while a place is looked for, where a hook of the decoder refused something."""

    def __init__(self, error: CanonicalFormError) -> None:
        self.error = error


def _marking(hook: Callable[[Any], JsonValue]) -> Callable[[Any], Any]:
    def mark(given: Any) -> Any:
        try:
            return hook(given)
        except CanonicalFormError as error:
            return _Refused(error)

    return mark


_marking_decoder = json.JSONDecoder(
    object_pairs_hook=_marking(_unique_keys),
    parse_float=_marking(_refuse_float),
    parse_constant=_marking(_refuse_float),
    parse_int=_marking(_read_integer),
)


def _with_place(text: str, error: CanonicalFormError) -> CanonicalFormError:
    """Say where a hook of the decoder refused something: hooks are not told, so the text is read again."""
    try:
        unread: list[tuple[tuple[str, ...], Any]] = [((), _marking_decoder.decode(text))]
    except (ValueError, RecursionError):  # not JSON either, further on
        return error
    while unread:
        path, value = unread.pop()
        if isinstance(value, _Refused):
            return CanonicalFormError(
                value.error.problem, place=_place(path), next_step=value.error.next_step
            )
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        unread += reversed([((*path, str(key)), item) for key, item in items])
    return error


def _check(value: JsonValue, path: tuple[str, ...]) -> None:
    # bool before int, since a bool is an int.
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise CanonicalFormError("a lone surrogate is not a character", place=_place(path))
    elif isinstance(value, dict):
        _check_depth(path)
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise CanonicalFormError(f"the key {key!r} is not ASCII", place=_place(path))
            _check(item, (*path, key))
    elif isinstance(value, list):
        _check_depth(path)
        for index, item in enumerate(value):
            _check(item, (*path, str(index)))
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, int):
        if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            raise CanonicalFormError(f"the integer {value} is not below 2^53", place=_place(path))
    elif isinstance(value, float):
        raise CanonicalFormError(
            f"the number {value} is a float", place=_place(path), next_step="write numbers as decimal strings"
        )
    else:
        raise CanonicalFormError(f"a {type(value).__name__} has no canonical form", place=_place(path))


def _is_ordered(value: JsonValue, depth: int) -> bool:
    """Tell whether keys are ASCII and ascend, and numbers are integers below 2^53, down to a depth."""
    if isinstance(value, dict):
        keys = list(value)
        if depth == 0 or keys != sorted(keys) or not "".join(keys).isascii():
            return False
        items: Iterable[JsonValue] = value.values()
    elif isinstance(value, list):
        if depth == 0:
            return False
        items = value
    elif type(value) is int:
        return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
    else:
        return not isinstance(value, float)
    for item in items:  # noqa: SIM110 (a generator would double the time)
        if type(item) is not str and not _is_ordered(item, depth - 1):
            return False
    return True


def _check_depth(path: tuple[str, ...]) -> None:
    if len(path) >= MAXIMUM_DEPTH:
        raise CanonicalFormError(f"nested deeper than {MAXIMUM_DEPTH} levels")


def _place(path: tuple[str, ...]) -> tuple[str, ...]:
    return (".".join(path),) if path else ()
