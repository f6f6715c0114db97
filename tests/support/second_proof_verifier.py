"""A second reader of canonical JSON, checkpoints and inclusion proofs, written from docs/spec alone.

It shares no code with the project. One Ed25519 log key is given to it, and no witnesses.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

IDENTIFIER = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
AMOUNT = re.compile(r"(?!-0\Z)-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
COUNT = re.compile(r"0|[1-9][0-9]*")
HASH = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
LONGEST_FILE = 1_000_000

Json = dict[str, Any]


class RefusedError(Exception):
    """What is checked does not hold; `check` is the name of the step that says so."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


Refused = RefusedError


def need(holds: object, check: str) -> None:
    if not holds:
        raise Refused(check)


# Ed25519 (RFC 8032 §5.1), points in extended coordinates.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]


def added(one: Point, two: Point) -> Point:
    a, b = (one[1] - one[0]) * (two[1] - two[0]), (one[1] + one[0]) * (two[1] + two[0])
    c, d = 2 * one[3] * two[3] * D, 2 * one[2] * two[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    product = (0, 1, 1, 0)
    for bit in f"{number:b}":
        product = added(product, product)
        product = added(product, point) if bit == "1" else product
    return product


def point_of(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Without cofactor: [s]B − [h]A, encoded, is R to the byte. Keys of small order are refused."""
    key, s = point_of(public_key), int.from_bytes(signature[32:], "little")
    base = point_of(b"\x58" + b"\x66" * 31)
    if key is None or base is None or len(signature) != 64 or s >= L or times(8, key)[0] == 0:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % L
    x, y, z, _ = added(times(s, base), times(h, (P - key[0], key[1], 1, P - key[3])))
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return signature[:32] == (y | (x & 1) << 255).to_bytes(32, "little")


# Forms (event-format.md §2 and §3, solvency.md §1).


def unbase64(text: str, check: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(check) from None
    need(base64.b64encode(value).decode() == text, check)
    return value


def parts_of(value: Any, breaks: str | None = None) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value and its place; a key counts as text at the place of its object."""
    stack: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while stack:
        place, part = stack.pop()
        yield place, part.replace("\n", "") if place == (breaks,) and type(part) is str else part
        if type(part) is dict:
            stack.extend(((*place, key), inner) for key, inner in part.items())
            yield from ((place, key if key.isascii() else "\0") for key in part)
        elif type(part) is list:
            stack.extend(((*place, number), inner) for number, inner in enumerate(part))


def canonical(raw: bytes, check: str, breaks: str | None = None) -> Any:
    """The value of canonical JSON (event-format.md §2); the text under the key `breaks` may hold LF."""

    def distinct(members: list[tuple[str, Any]]) -> Json:
        need(len(dict(members)) == len(members), check)
        return dict(members)

    try:
        value = json.loads(raw.decode(), object_pairs_hook=distinct)
        again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(check) from None
    need(again == raw, check)
    for place, part in parts_of(value, breaks):
        need(type(part) in (str, bool, int, dict, list), check)
        need(type(part) is not int or abs(part) < 1 << 53, check)
        need(type(part) is not str or not CONTROL.search(part), check)
        need(type(part) not in (dict, list) or len(place) < 64, check)
    return value


def canonical_file(raw: bytes, check: str, breaks: str | None = None) -> Any:
    need(raw.endswith(b"\n"), check)
    return canonical(raw[:-1], check, breaks)


def canonical_lines(raw: bytes, check: str, keys: set[str]) -> list[Json]:
    need(not raw or raw.endswith(b"\n"), check)
    lines = [canonical(line, check) for line in raw.split(b"\n")[:-1]]
    need(all(has_keys(line, keys) for line in lines), check)
    return lines


def has_keys(value: Any, keys: set[str], optional: AbstractSet[str] = frozenset()) -> bool:
    return type(value) is dict and keys <= set(value) <= keys | optional


def is_whole(value: Any, least: int, most: int = (1 << 53) - 1) -> bool:
    return type(value) is int and least <= value <= most


def is_text(value: Any, form: re.Pattern[str] | None = None) -> bool:
    return type(value) is str and value != "" and (form is None or form.fullmatch(value) is not None)


def time_of(value: Any, check: str) -> datetime:
    need(is_text(value, TIME), check)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise Refused(check) from None


def amount_of(value: Any, check: str, scale: int | None = None) -> Fraction:
    # Python reads no integer text of more than 4,300 digits.
    need(is_text(value, AMOUNT) and len(value) <= 4_000, check)
    need(scale is None or len(value.partition(".")[2]) <= scale, check)
    return Fraction(value)


def amounts_of(value: Any, check: str) -> dict[str, Fraction]:
    need(type(value) is dict and all(is_text(asset, IDENTIFIER) for asset in value), check)
    return {asset: amount_of(amount, check) for asset, amount in value.items()}


def plain(units: int, scale: int) -> str:
    digits = str(units).rjust(scale + 1, "0")
    whole, rest = digits[: len(digits) - scale], digits[len(digits) - scale :].rstrip("0")
    return f"{whole}.{rest}" if rest else whole


# The log: keys, checkpoint, inclusion, entries.


class Tree(NamedTuple):
    """The tree that a verified checkpoint signs."""

    origin: str
    size: int
    root: bytes


def key_of(vkey: str) -> tuple[str, bytes, bytes]:
    """Name, id and public key; ValueError where checkpoint.md §2 refuses it, or it is not of type 1."""
    name, identity, encoded = vkey.split("+", 2)
    try:
        key = unbase64(encoded, "key")
    except Refused:
        raise ValueError("the key is not in base64") from None
    computed = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if not name or any(map(str.isspace, name)) or len(key) != 33 or key[0] != 1 or computed.hex() != identity:
        raise ValueError("not an Ed25519 log key")
    return name, computed, key[1:]


def number_of(text: str, check: str) -> int:
    need(is_text(text, COUNT) and len(text) < 20 and int(text) < 1 << 63, check)
    return int(text)


def hash_of(text: str, check: str) -> bytes:
    value = unbase64(text, check)
    need(len(value) == 32, check)
    return value


def checkpoint_of(note: bytes, vkey: str) -> Tree:
    """The tree of a checkpoint that the key signed (checkpoint.md §5)."""
    name, identity, public_key = key_of(vkey)
    try:
        text, gap, lines = note.decode().rpartition("\n\n")
    except ValueError:
        raise Refused("checkpoint") from None
    signatures = re.findall(r"— ([^ +\n]+) ([^ \n]+)\n", lines)
    joined = "".join(f"— {signer} {encoded}\n" for signer, encoded in signatures)
    need(gap and len(note) <= LONGEST_FILE and 1 <= len(signatures) <= 100 and joined == lines, "checkpoint")
    need(not re.search("[\x00-\x09\x0b-\x1f]", note.decode()), "checkpoint")
    need(not any(map(str.isspace, "".join(signer for signer, _ in signatures))), "checkpoint")
    decoded = [(signer, unbase64(encoded, "checkpoint")) for signer, encoded in signatures]
    need(all(len(signature) > 4 for _, signature in decoded), "checkpoint")
    origin, *rest = text.split("\n")
    need(origin and len(rest) >= 2 and all(rest), "checkpoint")
    tree = Tree(origin, number_of(rest[0], "checkpoint"), hash_of(rest[1], "checkpoint"))
    need(origin == name, "origin")
    own = [signed[4:] for signer, signed in decoded if (signer, signed[:4]) == (name, identity)]
    need(own and all(is_signed(public_key, (text + "\n").encode(), each) for each in own), "signature")
    return tree


def entry_of(raw: bytes, check: str, origin: str) -> Json:
    """An entry of the origin (event-format.md §1 and §2), as far as proof.md §2.1 asks for its members."""
    entry: Json = canonical(raw, check)
    need(has_keys(entry, {"event", "link"}) and all(type(part) is dict for part in entry.values()), check)
    numbers = {place for place, part in parts_of(entry) if type(part) is int}
    need(numbers <= {("event", "schema"), ("link", "sequence")}, check)
    event, link = entry["event"], entry["link"]
    need(is_text(event.get("id")) and is_text(event.get("type")), check)
    need(is_whole(link.get("sequence"), 0) and link.get("ledger") == origin, check)
    return entry


def leads_to_root(raw: bytes, index: int, path: list[bytes], tree: Tree) -> bool:
    if index >= tree.size:
        return False
    first, last, node = index, tree.size - 1, hashlib.sha256(b"\0" + raw).digest()
    for sibling in path:
        if last == 0:
            return False
        if first % 2 or first == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while first % 2 == 0 and first > 0:
                first, last = first // 2, last // 2
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        first, last = first // 2, last // 2
    return last == 0 and node == tree.root


def check_proof(proof: bytes, raw: bytes, vkey: str) -> tuple[Json, Tree]:
    """The entry of an inclusion proof and the tree that it is in (proof.md §2.1)."""
    head, gap, note = proof.partition(b"\n\n")
    need(gap and len(proof) <= LONGEST_FILE and head.isascii(), "proof")
    first, *lines = head.decode().split("\n")
    if lines and lines[0].startswith("extra "):
        need(unbase64(lines.pop(0).removeprefix("extra "), "proof"), "proof")
    need(first == "c2sp.org/tlog-proof@v1" and lines and lines[0].startswith("index "), "proof")
    index = number_of(lines[0].removeprefix("index "), "proof")
    path = [hash_of(line, "proof") for line in lines[1:]]
    need(len(path) <= 63, "proof")
    tree = checkpoint_of(note, vkey)
    entry = entry_of(raw, "event", tree.origin)
    need(entry["link"]["sequence"] == index, "event")
    need(leads_to_root(raw, index, path, tree), "inclusion")
    return entry, tree
