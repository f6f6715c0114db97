"""Strict DER (X.690 §10, §11), as much of it as timestamp tokens use: bytes to a tree and back.

What is accepted re-encodes to the same bytes. BER's other spellings (indefinite and padded
lengths, padded integers, constructed strings) are refused, because bytes that mean the same in two spellings
could be changed without anyone noticing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ledger.errors import InvalidInputError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_IDENTIFIER = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, GENERALIZED_TIME = 0x0C, 0x18
SEQUENCE, SET = 0x30, 0x31

_CONSTRUCTED = 0x20
_LARGE_TAG = 0x1F
_CONSTRUCTED_UNIVERSALS = (SEQUENCE, SET)
_UNIVERSAL_LIMIT = 0x40
_LONGEST_INTEGER_BYTES = 64  # serial numbers and nonces have 20 or fewer; Python prints no number of 1,800
_LONGEST_ARC_BITS = 128  # as long as the longest in use, a UUID under 2.25
_MAX_DEPTH = 32  # certificates nest a dozen deep; this bounds our own recursion

# RFC 3161 §2.4.2: seconds always, a fraction without trailing zeros, zone Z.
_GENERALIZED_TIME = re.compile(r"([0-9]{14})(?:\.([0-9]*[1-9]))?Z", re.ASCII)


def context(number: int, *, constructed: bool = True) -> int:
    """Return the tag ``[number]``, constructed or primitive."""
    return 0x80 | number | (_CONSTRUCTED if constructed else 0)


@dataclass(frozen=True, slots=True)
class Element:
    """One value of a DER tree.

    Attributes:
        tag: its identifier octet.
        content: its contents octets.
        parts: the values inside, where it is constructed.
        offset: where its identifier octet stands in the bytes that were decoded.
    """

    tag: int
    content: bytes
    parts: tuple[Element, ...] = ()
    offset: int = field(default=0, compare=False)

    def encoded(self) -> bytes:
        """Return its DER, built anew from the parts."""
        return encode(self.tag, *(part.encoded() for part in self.parts) if self.parts else (self.content,))

    def refused(self, problem: str) -> InvalidInputError:
        """Return the error that says what is wrong with this value."""
        return InvalidInputError(problem, place=(f"byte {self.offset}",))

    def expect(self, tag: int) -> Element:
        """Return this value where it has the tag, or raise InvalidInputError."""
        if self.tag != tag:
            raise self.refused(f"tag 0x{self.tag:02x} where 0x{tag:02x} belongs")
        return self

    def members(self, tag: int = SEQUENCE) -> Members:
        """Return the values inside, to be taken in order; the tag has to be this one."""
        return Members(self.expect(tag))

    def integer(self) -> int:
        """Return an INTEGER's value."""
        content = self.expect(INTEGER).content
        padded = len(content) > 1 and (
            (content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)
        )
        if not content or padded:
            raise self.refused("an INTEGER that is not in its shortest form")
        if len(content) > _LONGEST_INTEGER_BYTES:
            raise self.refused(
                f"an INTEGER of {len(content)} bytes; {_LONGEST_INTEGER_BYTES} are read at most"
            )
        return int.from_bytes(content, signed=True)

    def boolean(self) -> bool:
        """Return a BOOLEAN that is there although its DEFAULT is FALSE: in DER it can only be TRUE."""
        if self.expect(BOOLEAN).content != b"\xff":
            raise self.refused("a BOOLEAN other than TRUE where FALSE is left out")
        return True

    def object_identifier(self) -> str:
        """Return an OBJECT IDENTIFIER in dotted form (X.690 §8.19)."""
        content = self.expect(OBJECT_IDENTIFIER).content
        arcs: list[int] = []
        arc, fresh = 0, True
        for octet in content:
            if fresh and octet == 0x80:
                raise self.refused("an OBJECT IDENTIFIER with a padded arc")
            arc, fresh = arc << 7 | octet & 0x7F, octet < 0x80
            if arc.bit_length() > _LONGEST_ARC_BITS:
                raise self.refused(f"an OBJECT IDENTIFIER with an arc of over {_LONGEST_ARC_BITS} bits")
            if fresh:
                arcs.append(arc)
                arc = 0
        if not arcs or not fresh:
            raise self.refused("an OBJECT IDENTIFIER that ends inside an arc")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def time(self) -> datetime:
        """Return a GeneralizedTime in UTC; finer than a microsecond is refused, not rounded."""
        text = self.expect(GENERALIZED_TIME).content.decode("latin-1")
        form = _GENERALIZED_TIME.fullmatch(text)
        if form is None:
            raise self.refused(f"{text!r} is no GeneralizedTime in DER")
        fraction = form[2] or ""
        if len(fraction) > 6:
            raise self.refused(f"the time {text!r} is finer than a microsecond")
        try:
            time = datetime.strptime(form[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            raise self.refused(f"{text!r} is no time") from None
        return time.replace(microsecond=int(fraction.ljust(6, "0")))

    def text(self) -> str:
        """Return a UTF8String's text."""
        try:
            return self.expect(UTF8_STRING).content.decode()
        except UnicodeDecodeError:
            raise self.refused("a UTF8String that is not UTF-8") from None


class Members:
    """The values inside a SEQUENCE or SET, taken in order; none may be left over."""

    def __init__(self, outer: Element) -> None:
        self._outer = outer
        self._next = 0

    def take(self, tag: int | None = None) -> Element:
        """Return the next value, which has to be there, with the tag if one is named."""
        if self._next == len(self._outer.parts):
            raise self._outer.refused("a value is missing")
        part = self._outer.parts[self._next]
        if tag is not None:
            part.expect(tag)
        self._next += 1
        return part

    def take_if(self, tag: int) -> Element | None:
        """Return the next value if it has the tag, else None and take nothing."""
        if self._next == len(self._outer.parts) or self._outer.parts[self._next].tag != tag:
            return None
        return self.take()

    def end(self) -> None:
        """Raise InvalidInputError where values are left over."""
        if self._next < len(self._outer.parts):
            raise self._outer.parts[self._next].refused("a value that does not belong here")


def encode(tag: int, *contents: bytes) -> bytes:
    """Return tag, length and the joined contents."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def decode(data: bytes) -> Element:
    """Read one DER value that is all of the bytes.

    Raises:
        InvalidInputError: not DER, truncated, or bytes are left over.
    """
    element, end = _element(data, 0, len(data), 0)
    if end != len(data):
        raise InvalidInputError(f"{len(data) - end} bytes are left over", place=(f"byte {end}",))
    return element


def _element(data: bytes, start: int, limit: int, depth: int) -> tuple[Element, int]:
    place = (f"byte {start}",)
    if depth > _MAX_DEPTH:
        raise InvalidInputError("nested too deep", place=place)
    if limit - start < 2:
        raise InvalidInputError("ends inside a value", place=place)
    tag, length, begin = data[start], data[start + 1], start + 2
    if tag & _LARGE_TAG == _LARGE_TAG:
        raise InvalidInputError("a tag number over 30", place=place)
    constructed = bool(tag & _CONSTRUCTED)
    if tag < _UNIVERSAL_LIMIT and constructed != (tag | _CONSTRUCTED in _CONSTRUCTED_UNIVERSALS):
        raise InvalidInputError(f"a value with the tag 0x{tag:02x}, which DER does not have", place=place)
    if length >= 0x80:
        count = length & 0x7F
        octets = data[begin : min(begin + count, limit)]
        begin += count
        length = int.from_bytes(octets)
        if not octets or len(octets) < count or octets[0] == 0 or length < 0x80:
            raise InvalidInputError("a length that is cut off or not in its shortest form", place=place)
    end = begin + length
    if end > limit:
        raise InvalidInputError("ends inside a value", place=place)
    parts: list[Element] = []
    at = begin
    while constructed and at < end:
        part, at = _element(data, at, end, depth + 1)
        parts.append(part)
    return Element(tag, data[begin:end], tuple(parts), start), end
