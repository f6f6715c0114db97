"""Attack: publish a key under which one signature holds for every text, and deny what was signed."""

from __future__ import annotations

import pytest

from ledger.checkpoint import verify_ed25519
from ledger.note import NoteFormError, SignatureType, VerifierKey
from tests.support.keys import log_key, witness_key

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(one: Point, other: Point) -> Point:
    """The group law of edwards25519 (RFC 8032 §5.1.4), as it is written in a textbook."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x, y


def times_eight(point: Point) -> Point:
    for _ in range(3):
        point = add(point, point)
    return point


def point_of(y: int) -> Point | None:
    """A point with this y, if there is one (RFC 8032 §5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def times(point: Point, factor: int) -> Point:
    found = IDENTITY
    while factor:
        if factor & 1:
            found = add(found, point)
        point, factor = add(point, point), factor >> 1
    return found


def small_points() -> set[Point]:
    """All eight, found by taking the large prime factor of the group's order out of any points."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        point = point_of(y)
        if point is not None:
            found.add(times(point, order))
            found.add(times((-point[0] % P, y), order))
        y += 1
    return found


def spellings(point: Point) -> set[bytes]:
    """The bytes that a reader may take for the point: y, y + p where it fits, either sign."""
    values = [y for y in (point[1], point[1] + P) if y < 2**255]
    return {(y | sign << 255).to_bytes(32, "little") for y in values for sign in (0, 1)}


SMALL = sorted({spelling for point in small_points() for spelling in spellings(point)})


def vkey(public_key: bytes, kind: SignatureType) -> str:
    return VerifierKey("venue.example/log", kind, public_key).encode()


def test_the_points_are_of_small_order() -> None:
    points = small_points()
    assert len(points) == 8
    assert {times_eight(point) for point in points} == {IDENTITY}
    assert len(SMALL) == 14


def test_under_such_a_key_one_signature_holds_for_every_text() -> None:
    """This is what the reader of keys guards against; the signature's check does not."""
    key = (1).to_bytes(32, "little")
    signature = key + bytes(32)
    assert verify_ed25519(key, b"one", signature)
    assert verify_ed25519(key, b"the other", signature)


@pytest.mark.parametrize("kind", [SignatureType.ED25519, SignatureType.COSIGNATURE])
def test_no_such_key_is_read(kind: SignatureType) -> None:
    for public_key in SMALL:
        with pytest.raises(NoteFormError, match="anyone can sign with it"):
            VerifierKey.parse(vkey(public_key, kind))


def test_other_keys_are_read() -> None:
    for key in (log_key(), witness_key()):
        assert VerifierKey.parse(key.verifier.encode()) == key.verifier
    for public_key in (bytes(31) + b"\x01", b"\x02" + bytes(31)):
        VerifierKey.parse(vkey(public_key, SignatureType.ED25519))
