"""Small changes to values: what differs as little as it can and is still of the same kind."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ledger.canonical import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.canonical import JsonValue

Path = tuple[str | int, ...]


def members(value: JsonValue, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all objects, arrays and plain values inside a value."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from members(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from members(inner, (*path, place))


def words(path: Path) -> str:
    """Return a path as text: ``event.data.takeovers.0.price``."""
    return ".".join(map(str, path))


def with_another_value(canonical: bytes, path: Path) -> bytes:
    """Return canonical bytes in which the value at a path is another one of its kind."""
    return _replaced(canonical, path, _another)


def without(canonical: bytes, path: Path) -> bytes:
    """Return canonical bytes in which what stands at a path is left out."""
    return _replaced(canonical, path, None)


def flipped(data: bytes, place: int, mask: int = 1) -> bytes:
    """Return bytes with one of them changed; a negative place counts from the end."""
    changed = bytearray(data)
    changed[place] ^= mask
    return bytes(changed)


def _replaced(canonical: bytes, path: Path, change: Any) -> bytes:
    whole: Any = copy.deepcopy(decode(canonical))
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    if change is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = change(holder[path[-1]])
    found = encode(whole)
    assert found != canonical
    return found


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        place = max(place for place, char in enumerate(value) if char.isalnum() and char != "Z")
        char = value[place]
        other = chr(ord(char) - 1) if char not in "0aA" else chr(ord(char) + 1)
        return value[:place] + other + value[place + 1 :]
    if isinstance(value, list):
        return value[::-1] if value != value[::-1] else [*value, *value]
    return {**value, "further": "1"}
