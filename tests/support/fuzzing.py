"""Seeded random changes to bytes, and the words for what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Kind = Callable[[random.Random, bytes, int], bytes]

_LONGEST = 40


@dataclass(frozen=True)
class Mutation:
    """A change.

    Attributes:
        kind: what was done.
        place: the first byte that it touches.
        data: the bytes afterwards.
    """

    kind: str
    place: int
    data: bytes


def mutate(chance: random.Random, data: bytes, where: range) -> Mutation:
    """Change bytes in one of the ways, from a random place within a range on."""
    kind, place = chance.choice(list(_KINDS)), chance.choice(where)
    return Mutation(kind, place, _KINDS[kind](chance, data, place))


def _bit(chance: random.Random, data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _byte(chance: random.Random, data: bytes, place: int) -> bytes:
    return data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]


def _delete(chance: random.Random, data: bytes, place: int) -> bytes:
    return data[:place] + data[_end(chance, place) :]


def _insert(chance: random.Random, data: bytes, place: int) -> bytes:
    return data[:place] + chance.randbytes(chance.randrange(1, 4)) + data[place:]


def _duplicate(chance: random.Random, data: bytes, place: int) -> bytes:
    end = _end(chance, place)
    return data[:end] + data[place:end] + data[end:]


def _truncate(_: random.Random, data: bytes, place: int) -> bytes:
    return data[:place]


def _swap(chance: random.Random, data: bytes, place: int) -> bytes:
    first, second = sorted((place, chance.randrange(len(data))))
    middle, end = min(_end(chance, first), second), _end(chance, second)
    return data[:first] + data[second:end] + data[middle:second] + data[first:middle] + data[end:]


def _duplicate_line(_: random.Random, data: bytes, place: int) -> bytes:
    start, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place) + 1 or len(data)
    return data[:end] + data[start:end] + data[end:]


def _swap_lines(chance: random.Random, data: bytes, place: int) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = data.count(b"\n", 0, place), chance.randrange(len(lines))
    one = min(one, len(lines) - 1)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _end(chance: random.Random, start: int) -> int:
    return start + chance.randrange(1, _LONGEST)


_KINDS: dict[str, Kind] = {
    "bit flipped": _bit,
    "byte changed": _byte,
    "bytes deleted": _delete,
    "bytes inserted": _insert,
    "bytes duplicated": _duplicate,
    "truncated": _truncate,
    "ranges swapped": _swap,
    "line duplicated": _duplicate_line,
    "lines swapped": _swap_lines,
}
