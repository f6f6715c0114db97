"""A second verifier, written from docs/spec/checkpoint.md, proof.md, tiles.md and bundle.md §8 alone.

It imports nothing of ours: the standard library, and the two signature primitives.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

LENGTHS = {1: 32, 4: 32, 6: 1312}
NUMBER = re.compile("0|[1-9][0-9]*")


class RefusedError(Exception):
    """Something does not hold; ``check`` names the step."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class Key(NamedTuple):
    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]


class Line(NamedTuple):
    name: str
    id: bytes
    value: bytes


class Head(NamedTuple):
    text: str
    lines: list[Line]
    origin: str
    size: int
    root: bytes
    extended: bool

    def stamped(self) -> bytes:
        """checkpoint.md §7."""
        own = [line for line in self.lines if line.name == self.origin]
        return (self.text + "\n" + "".join(map(written, own))).encode()


def written(line: Line) -> str:
    return f"— {line.name} {base64.b64encode(line.id + line.value).decode()}\n"


def need(condition: object, check: str) -> None:
    if not condition:
        raise RefusedError(check)


def unbase64(text: str, check: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise RefusedError(check) from None
    need(base64.b64encode(data).decode() == text, check)
    return data


def number(text: str, check: str) -> int:
    need(NUMBER.fullmatch(text) and len(text) < 20 and int(text) < 2**63, check)
    return int(text)


def is_name(text: str) -> bool:
    return text != "" and "+" not in text and not any(character.isspace() for character in text)


def key(text: str) -> Key:
    """checkpoint.md §2."""
    parts = text.split("+", 2)
    need(len(parts) == 3 and is_name(parts[0]), "key")
    data = unbase64(parts[2], "key")
    need(data and len(data) - 1 == LENGTHS.get(data[0]), "key")
    found = Key(parts[0], data[0], data[1:])
    need(found.id.hex() == parts[1], "key")
    return found


def note(data: bytes, check: str) -> tuple[str, list[Line]]:
    """checkpoint.md §1."""
    need(len(data) <= 1_000_000, check)
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise RefusedError(check) from None
    need(not any(character < " " and character != "\n" for character in whole), check)
    place = whole.rfind("\n\n")
    need(place >= 0 and whole.endswith("\n") and place + 2 < len(whole), check)
    lines = whole[place + 2 : -1].split("\n")
    need(len(lines) <= 100, check)
    return whole[: place + 1], [signature_line(each, check) for each in lines]


def head(data: bytes) -> Head:
    """checkpoint.md §1 and §3."""
    text, lines = note(data, "checkpoint")
    rows = text[:-1].split("\n")
    need(len(rows) >= 3 and all(rows), "checkpoint")
    root = unbase64(rows[2], "checkpoint")
    need(len(root) == 32, "checkpoint")
    return Head(text, lines, rows[0], number(rows[1], "checkpoint"), root, len(rows) > 3)


def signature_line(text: str, check: str) -> Line:
    parts = text.split(" ")
    need(len(parts) == 3 and parts[0] == "—" and is_name(parts[1]), check)
    data = unbase64(parts[2], check)
    need(len(data) > 4, check)
    return Line(parts[1], data[:4], data[4:])


def signed_at(signer: Key, line: Line, found: Head) -> int | None:
    """Return the time of a line that holds, or None for one without; checkpoint.md §4."""
    if signer.type == 1:
        primitive(signer, line.value, found.text.encode())
        return None
    need(len(line.value) > 8, "signature")
    seconds = int.from_bytes(line.value[:8], "big")
    need(seconds < 253_402_300_800, "signature")  # the year 10000
    if signer.type == 4:
        message = f"cosignature/v1\ntime {seconds}\n{found.text}".encode()
    else:
        name, origin = signer.name.encode(), found.origin.encode()
        need(len(name) < 256 and len(origin) < 256, "signature")
        message = b"subtree/v1\n\x00" + bytes([len(name)]) + name + line.value[:8]
        message += bytes([len(origin)]) + origin + bytes(8) + found.size.to_bytes(8, "big") + found.root
    primitive(signer, line.value[8:], message)
    return seconds or None


def primitive(signer: Key, value: bytes, message: bytes) -> None:
    kind = MLDSA44PublicKey if signer.type == 6 else Ed25519PublicKey
    try:
        kind.from_public_bytes(signer.public).verify(value, message)
    except (InvalidSignature, ValueError):
        raise RefusedError("signature") from None


class Policy(NamedTuple):
    origin: str
    log: list[Key]
    witnesses: list[Key]
    required: int
    compromised_at: datetime | None


def policy(given: dict[str, Any], keys: dict[str, str]) -> Policy:
    """checkpoint.md §5, what a verifier refuses to begin with."""
    log = [key(keys[name]) for name in given["log_keys"]]
    witnesses = [key(keys[name]) for name in given.get("witness_keys", [])]
    names = {each.name for each in log}
    need(names and ("origin" in given or len(names) == 1), "policy")
    origin = given.get("origin", min(names))
    need(all(each.type in {1, 6} for each in log), "policy")
    need(all(each.type in {4, 6} for each in witnesses), "policy")
    for witness in witnesses:
        need(witness.name not in {*names, origin}, "policy")
        same = {each.name for each in (*log, *witnesses) if each.public == witness.public}
        need(same == {witness.name}, "policy")
    required = given.get("required_witnesses", 0)
    need(required <= len({each.name for each in witnesses}), "policy")
    return Policy(origin, log, witnesses, required, time(given.get("compromised_at")))


def time(text: str | None) -> datetime | None:
    return None if text is None else datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def holding(found: Head, signers: list[Key]) -> list[tuple[Key, int | None]]:
    return [
        (signer, signed_at(signer, line, found))
        for line in found.lines
        for signer in signers
        if (line.name, line.id) == (signer.name, signer.id)
    ]


def checkpoint(data: bytes, trust: Policy, stamped_at: datetime | None = None) -> tuple[Head, set[str]]:
    """checkpoint.md §5 and §6; returns the names of the witnesses too."""
    found = head(data)
    need(found.origin == trust.origin, "origin")
    own, cosigned = holding(found, trust.log), holding(found, trust.witnesses)
    need(own, "signature")
    need(not found.extended or any(signer.type == 1 for signer, _ in own), "signature")
    names = {signer.name for signer, _ in cosigned}
    need(len(names) >= trust.required, "witnesses")
    if trust.compromised_at is not None:
        limit = trust.compromised_at.timestamp()
        early = {signer.name for signer, at in cosigned if at is not None and at < limit}
        under = any(signer.name == found.origin for signer, _ in own)
        stamped = stamped_at is not None and under and stamped_at < trust.compromised_at
        need(stamped or len(early) >= max(1, trust.required), "compromise")
    return found, names


def bundle_signature(data: bytes, origin: str, manifest_sha256: str, trusted: list[Key]) -> list[Key]:
    """bundle.md §8.2; returns the keys that signed."""
    need(trusted and all((each.name, each.type) == (f"{origin}/bundles", 1) for each in trusted), "keys")
    text, lines = note(data, "signature")
    form = re.fullmatch("margin-ledger bundle\n([^\n]+)\n([0-9a-f]{64})\n", text)
    if form is None:
        raise RefusedError("signature")
    need(form[1] == origin, "origin")
    need(form[2] == manifest_sha256, "manifest")
    signed = [
        (each, line) for each in trusted for line in lines if (line.name, line.id) == (each.name, each.id)
    ]
    for signer, line in signed:
        primitive(signer, line.value, text.encode())
    need(signed, "signature")
    return [each for each in trusted if each in {signer for signer, _ in signed}]


def proof_file(data: bytes, first: str | None, word: str) -> tuple[int, list[bytes], bytes]:
    """proof.md §1 to §3."""
    start, blank, rest = data.partition(b"\n\n")
    need(blank and start.isascii() and len(data) <= 1_000_000, "proof")
    lines = start.decode().split("\n")
    if first is not None:
        need(lines.pop(0) == first, "proof")
        if lines and lines[0].startswith("extra "):
            need(unbase64(lines.pop(0)[6:], "proof"), "proof")
    need(lines and lines[0].startswith(f"{word} "), "proof")
    value = number(lines.pop(0)[len(word) + 1 :], "proof")
    hashes = [unbase64(line, "proof") for line in lines]
    need(len(hashes) <= 63 and all(len(each) == 32 for each in hashes), "proof")
    return value, hashes, rest


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def inclusion(data: bytes, entry: bytes, trust: Policy, *, foreign: bool = False) -> int:
    """proof.md §2.1."""
    index, path, note = proof_file(data, "c2sp.org/tlog-proof@v1", "index")
    found, _ = checkpoint(note, trust)
    if not foreign:
        linked = link(entry)
        need((linked["ledger"], linked["sequence"]) == (trust.origin, index), "event")
    need(index < found.size, "inclusion")
    first, last, value = index, found.size - 1, leaf(entry)
    for sibling in path:
        need(last, "inclusion")
        if first % 2 or first == last:
            value = node(sibling, value)
            while first % 2 == 0 and first:
                first, last = first // 2, last // 2
        else:
            value = node(value, sibling)
        first, last = first // 2, last // 2
    need(last == 0 and value == found.root, "inclusion")
    return index


def link(entry: bytes) -> dict[str, Any]:
    """The part of event-format.md §2 to §4 that ties an entry to its place."""
    try:
        value = json.loads(entry.decode())
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        need(canonical == entry and value.keys() == {"event", "link"}, "event")
        need(isinstance(value["event"]["id"], str) and isinstance(value["event"]["type"], str), "event")
        found: dict[str, Any] = value["link"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RefusedError("event") from None
    return found


def consistency(data: bytes, old: Head, trust: Policy) -> int:
    """proof.md §3.1."""
    old_size, path, note = proof_file(data, None, "old")
    new, _ = checkpoint(note, trust)
    need(old.origin == new.origin, "origin")
    need(old_size == old.size, "old_size")
    need(old.size <= new.size, "consistency")
    if old.size == 0:
        need(old.root == hashlib.sha256().digest(), "consistency")
    if old.size in {0, new.size}:
        need(not path and (old.size == 0 or old.root == new.root), "consistency")
        need(old.size != new.size or old.root == new.root, "consistency")
        return new.size
    if old.size & (old.size - 1) == 0:
        path = [old.root, *path]
    need(path, "consistency")
    first, last = old.size - 1, new.size - 1
    while first % 2:
        first, last = first // 2, last // 2
    before = after = path[0]
    for sibling in path[1:]:
        need(last, "consistency")
        if first % 2 or first == last:
            before, after = node(sibling, before), node(sibling, after)
            while first % 2 == 0 and first:
                first, last = first // 2, last // 2
        else:
            after = node(after, sibling)
        first, last = first // 2, last // 2
    need((last, before, after) == (0, old.root, new.root), "consistency")
    return new.size


def tile_path(level: str, index: int, width: int) -> str:
    """tiles.md §1, how a name is written."""
    digits = str(index)
    digits = "0" * (-len(digits) % 3) + digits
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    name = f"tile/{level}/" + "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
    return name if width == 256 else f"{name}.p/{width}"


def read_tile_path(text: str) -> tuple[str, int, int]:
    """tiles.md §1; returns level or "entries", index, width."""
    parts = re.fullmatch(r"tile/([a-z0-9]+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?", text, re.ASCII)
    if parts is None or parts[2].count("/") > 5:
        raise RefusedError("path")
    index, width = int(parts[2].replace("x", "").replace("/", "")), int(parts[3] or 256)
    need(parts[1] == "entries" or number(parts[1], "path") <= 63, "path")
    need(1 <= width <= 256 and tile_path(parts[1], index, width) == text, "path")
    return parts[1], index, width


def bundle(contents: bytes) -> list[bytes]:
    """tiles.md §3."""
    entries = []
    while contents:
        need(len(contents) >= 2, "entries")
        end = 2 + contents[0] * 256 + contents[1]
        need(len(contents) >= end, "entries")
        entries.append(contents[2:end])
        contents = contents[end:]
    return entries


def root(hashes: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256().digest()
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node(root(hashes[:split]), root(hashes[split:]))


def rows(leaves: list[bytes]) -> list[list[bytes]]:
    """tiles.md §2: the hashes of every level."""
    levels = [leaves]
    while len(levels[-1]) >= 256:
        row = levels[-1]
        levels.append([root(row[at : at + 256]) for at in range(0, len(row) - 255, 256)])
    return levels


def tiles(levels: list[list[bytes]]) -> list[tuple[str, bytes]]:
    """tiles.md §2.3: names and contents, level by level."""
    return [
        (tile_path(str(level), at // 256, len(row[at : at + 256])), b"".join(row[at : at + 256]))
        for level, row in enumerate(levels)
        for at in range(0, len(row), 256)
    ]


def folder(files: dict[str, bytes], trust: Policy) -> None:
    """tiles.md §4; stops at the first step that fails."""
    found, _ = checkpoint(files["checkpoint"], trust)
    sizes = [found.size]
    while sizes[-1] >= 256:
        sizes.append(sizes[-1] // 256)
    levels = []
    for level, size in enumerate(sizes):
        row = b""
        for at in range(0, size, 256):
            width = min(256, size - at)
            path, whole = tile_path(str(level), at // 256, width), tile_path(str(level), at // 256, 256)
            need(path in files or whole in files, "tile")
            contents = files.get(path, files.get(whole, b""))
            need(len(contents) == 32 * (width if path in files else 256), "tile")
            row += contents[: 32 * width]
        levels.append([row[at : at + 32] for at in range(0, len(row), 32)])
    need(rows(levels[0])[1:] == levels[1:], "node")
    need(root(levels[0]) == found.root, "root")
    entries = []
    for path, contents in files.items():
        if path.startswith("tile/entries/"):
            _, index, width = read_tile_path(path)
            read = bundle(contents)
            hashes = levels[0][index * 256 : index * 256 + width]
            need(len(read) == width and [leaf(entry) for entry in read] == hashes, "entries")
            entries += read
    prev = "0" * 64
    for sequence, entry in enumerate(entries):
        linked = link(entry)
        given = (linked["sequence"], linked["prev"], linked["ledger"])
        need(given == (sequence, prev, found.origin), "chain")
        prev = leaf(entry).hex()
