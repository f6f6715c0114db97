"""Inclusion files that are changed in one thing, for readers that have to come to one verdict."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.solvency import edited

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from replay.solvency import Inclusion

HASH_BYTES = 32


def value_changes(inclusion: Inclusion) -> Iterator[tuple[str, bytes]]:
    """Files that are canonical and have one value changed; the customer is owed 2 BTC, ETH and USDT."""
    file = inclusion.encode()
    given = json.loads(file)
    leaf, header = given["leaves"][0], given["header"]
    path = base64.b64decode(leaf["path"])

    def leaf_with(name: str, value: Any) -> bytes:
        return edited(file, "leaves", 0, name, to=value)

    def path_of(data: bytes) -> bytes:
        return leaf_with("path", base64.b64encode(data).decode())

    def sums(**more: Any) -> bytes:
        return leaf_with("sums", {**leaf["sums"], **more})

    yield "amount", sums(BTC="3")
    yield "amount left out", leaf_with("sums", {"BTC": "2", "ETH": "0.5"})
    for what, amount in {
        "zero": "0", "negative": "-2", "not normal": "2.0", "exponent": "2e0", "plus": "+2", "blank": " 2",
        "number": 2, "too fine": "2.000000001", "too large": "9" * 38, "too long": "9" * 39, "words": "two",
        "empty": "", "point": "2.", "list": ["2"], "flag": True, "leading zero": "02",
    }.items():  # fmt: skip
        yield f"amount: {what}", sums(BTC=amount)
    yield "no sums", leaf_with("sums", {})
    yield "sums as a list", leaf_with("sums", [])
    yield "sums as text", leaf_with("sums", "2")
    yield "unknown asset", sums(XRP="1")
    yield "asset out of form", sums(**{"B C": "1"})
    yield "nonce", leaf_with("nonce", "00" * 32)
    yield "nonce in capitals", leaf_with("nonce", leaf["nonce"].upper())
    yield "short nonce", leaf_with("nonce", leaf["nonce"][:-2])
    yield "index", leaf_with("index", leaf["index"] ^ 1)
    for index in (-1, 8, 2**53 - 1, True, "1", [1]):
        yield f"index {index!r}", leaf_with("index", index)
    yield "part", leaf_with("part", 1)
    yield "path", path_of(bytes([path[0] ^ 1]) + path[1:])
    yield "path cut", path_of(path[:-1])
    yield "path too long", path_of(path + bytes(35))
    yield "path without its end", path_of(path[:40])
    yield "no path", leaf_with("path", "")
    yield "path not base64", leaf_with("path", leaf["path"][:-4] + "A A=")
    yield "hidden bits in the path", leaf_with("path", hidden_bits(path))
    rest = path[HASH_BYTES + 1 + path[HASH_BYTES] :]  # after the first sum of the lowest sibling
    yield "sum of a sibling", path_of(path[:HASH_BYTES] + b"\x0a" + b"\x01" * 10 + rest)
    yield "sum of a sibling with a leading zero", path_of(path[:HASH_BYTES] + b"\x02\x00\x01" + rest)
    yield "sum of a sibling of 17 bytes", path_of(path[:HASH_BYTES] + b"\x11" + b"\x01" * 17 + rest)
    yield "sum of a sibling of 2^127", path_of(path[:HASH_BYTES] + b"\x10\x80" + bytes(15) + rest)
    yield "sum that becomes 2^127", path_of(path[:HASH_BYTES] + b"\x10\x7f" + b"\xff" * 15 + rest)
    yield "customer", edited(file, "customer", to="emilia")
    yield "no customer", edited(file, "customer", to="")
    yield "customer out of form", edited(file, "customer", to="emil ")
    yield "format", edited(file, "format", to="margin-ledger/inclusion/2")
    yield "member too many", edited(file, "more", to="1")
    yield "members that look like others", edited(file, "leaves", 0, to={",".join(sorted(leaf)): 1})
    for name in ("commitment", "commitment_proof", "customer", "format"):
        yield f"{name} as a number", edited(file, name, to=5)
    yield "no leaves", edited(file, "leaves", to=[])
    yield "a leaf too many", edited(file, "leaves", to=[leaf, leaf])
    yield "leaves as an object", edited(file, "leaves", to={"0": leaf})
    yield from header_changes(file, header)
    yield from commitment_changes(file, given["commitment"])
    yield from proof_changes(file, given["commitment_proof"])


def header_changes(file: bytes, header: Any) -> Iterator[tuple[str, bytes]]:
    """The header alone is another, or out of form."""
    changes: dict[str, tuple[Any, ...]] = {
        "as_of_sequence": (22, -1, "23", 2**53 - 1),
        "assets": ([], header["assets"][::-1], [*header["assets"], header["assets"][0]], {}, "BTC"),
        "depth": (2, 4, 41, -1, True),
        "maximum_age_seconds": ("86401", "-1", "86400.0", 86400, "0", "0.5"),
        "origin": ("venue.example/other", "", 1),
        "parts": (2, 0, 17, "1"),
        "projection": ("other", "", "a b"),
        "projection_version": (3, -1, True),
        "time": (
            "2026-03-12T09:00:24.000000Z", "2026-03-12T09:00:23Z", "2026-02-29T09:00:23.000000Z", "yesterday",
            "2026-03-12T24:00:00.000000Z", "2026-03-12T09:00:60.000000Z", "0000-01-01T00:00:00.000000Z",
            "2026-03-12T09:00:23.000000+00:00", "2026-13-01T00:00:00.000000Z", "2024-02-29T00:00:00.000000Z",
        ),
        "undetermined": (["BTC"], ["B", "A"], ["A", "A"], [1], "BTC"),
        "more": (1,),
    }  # fmt: skip
    for name, values in changes.items():
        for value in values:
            yield f"header: {name} {value!r}", edited(file, "header", name, to=value)
    for scale in (9, 7, 19, -1):
        yield f"scale {scale}", edited(file, "header", "assets", 0, "scale", to=scale)


def commitment_changes(file: bytes, entry: str) -> Iterator[tuple[str, bytes]]:
    """The commitment's entry alone is another, or out of form."""
    for what, other in {
        "a root": entry.replace('"state_root":"', '"state_root":"0', 1),
        "white space": entry.replace(":", ": ", 1),
        "cut": entry[:-1],
        "nothing": "",
        "two values": entry + entry,
        "sequence": entry.replace('"sequence":24', '"sequence":25'),
        "sequence as text": entry.replace('"sequence":24', '"sequence":"24"'),
        "ledger": entry.replace('"ledger":"venue.example/perpetuals"', '"ledger":"venue.example/other"'),
        "writer": entry.replace('"writer":"writer"', '"writer":"other"'),
        "long writer": entry.replace('"writer":"writer"', f'"writer":"{"w" * 64}"'),
        "prev": entry.replace('"prev":"', '"prev":"g', 1),
        "appended_at": entry.replace('"appended_at":"2026-', '"appended_at":"2026'),
        "type": entry.replace('"type":"StateCommitted"', '"type":"Other"'),
        "type as a number": entry.replace('"type":"StateCommitted"', '"type":1'),
        "id": entry.replace('"id":"', '"ie":"', 1),
        "further member": entry.replace('{"event":', '{"a":"","event":', 1),
    }.items():
        assert other != entry, what
        yield f"entry: {what}", edited(file, "commitment", to=other)


def proof_changes(file: bytes, proof: str) -> Iterator[tuple[str, bytes]]:
    """The commitment's inclusion proof alone is another, or out of form; two of them still hold."""
    lines = proof.split("\n")
    head, note = proof.split("\n\n", 1)
    signature = lines[-2]
    other = base64.b64encode(b"some" + bytes(64)).decode()
    end = note.index("\n\n")
    for what, changed in {
        "extra": proof.replace("index", "extra aGVsbG8=\nindex", 1),
        "extra out of form": proof.replace("index", "extra \nindex", 1),
        "extra with hidden bits": proof.replace("index", "extra aGVsbG9=\nindex", 1),
        "first line": proof.replace("@v1", "@v2", 1),
        "index": proof.replace("index 24", "index 25"),
        "index with a zero": proof.replace("index 24", "index 024"),
        "index of 2^63": proof.replace("index 24", f"index {2**63}"),
        "no index": proof.replace("index 24\n", ""),
        "path": proof.replace(lines[2], base64.b64encode(bytes(32)).decode()),
        "path cut": proof.replace(lines[2] + "\n", ""),
        "path too long": proof.replace("\n\n", f"\n{lines[2]}\n\n", 1),
        "64 hashes": proof.replace("\n\n", f"\n{lines[2]}" * 64 + "\n\n", 1),
        "short hash": proof.replace(lines[2], base64.b64encode(bytes(31)).decode()),
        "head beyond ASCII": proof.replace("index", "índex", 1),
        "no checkpoint": head,
        "origin": f"{head}\n\n" + note.replace("venue.example/perpetuals\n", "venue.example/other\n", 1),
        "size": f"{head}\n\n" + note.replace("\n28\n", "\n29\n", 1),
        "size with a zero": f"{head}\n\n" + note.replace("\n28\n", "\n028\n", 1),
        "root": f"{head}\n\n" + note.replace(note.split("\n")[2], base64.b64encode(bytes(32)).decode()),
        "short root": f"{head}\n\n" + note.replace(note.split("\n")[2], "AAAA"),
        "extension": f"{head}\n\n{note[:end]}\nmore{note[end:]}",
        "empty line before the text": f"{head}\n\n\n{note}",
        "empty line in the text": f"{head}\n\n{note[: end + 1]}\nmore{note[end:]}",
        "control character in the origin": f"{head}\n\n"
        + note.replace("perpetuals\n", "perpetuals\x01\n", 1),
        "another last byte": f"{proof[:-1]}x",
        "no signatures": f"{head}\n\n{note[: end + 2]}",
        "unknown signature": f"{proof}— other.example {other}\n",
        "unknown signature alone": proof.replace(signature, f"— other.example {other}"),
        "signature that does not hold": proof.replace(signature, signature[:-8] + "AAAAAA=="),
        "second signature that does not hold": proof + signature[:-8] + "AAAAAA==\n",
        "signature of four bytes": proof + "— other.example AAAAAA==\n",
        "hyphen for dash": proof.replace("— ", "- "),
        "plus in a name": proof + f"— other+example {other}\n",
        "space in a name": proof + f"— other\u00a0example {other}\n",
        "separator in a name": proof + f"— other\u0085example {other}\n",
        "two spaces": proof.replace("— ", "—  "),
        "control character": proof.replace("— ", "—\t"),
        "101 signatures": proof + f"— other.example {other}\n" * 100,
        "no line end": proof[:-1],
        "words at the end": f"{proof}words\n",
        "nothing": "",
    }.items():
        assert changed != proof, what
        name = what if what in {"extra", "unknown signature"} else f"proof: {what}"
        yield name, edited(file, "commitment_proof", to=changed)


def hidden_bits(data: bytes) -> str:
    """Base64 of the data but its last byte, or two, with a bit set that padding hides."""
    cut = base64.b64encode(data[: len(data) - (len(data) % 3 or 3) + 1]).decode()
    assert cut.endswith("==")
    return f"{cut[:-3]}{chr(ord(cut[-3]) + 1)}=="


def byte_changes(file: bytes) -> Iterator[tuple[str, bytes]]:
    """Files that say the same, or nearly, in other bytes, or are none."""
    index = re.search(rb'"index":(\d+)', file)
    assert index is not None
    number = int(index[1])

    def with_index(text: str) -> bytes:
        assert index is not None
        return file.replace(index[0], b'"index":' + text.encode())

    yield "one digit of an amount", file.replace(b'"sums":{"BTC":"2"', b'"sums":{"BTC":"02"')
    yield "a key twice", file.replace(b'"customer":', b'"customer":"ada","customer":')
    yield "white space", file.replace(b'":', b'": ', 1)
    yield "white space at the end", file[:-1] + b" \n"
    yield "two line ends", file + b"\n"
    yield "a space for the line end", file[:-1] + b" "
    yield "no line end", file[:-1]
    yield "carriage return", file[:-1] + b"\r\n"
    yield "byte order mark", b"\xef\xbb\xbf" + file
    yield "needless escape", file.replace(b'"emil"', b'"\\u0065mil"')
    yield "escaped solidus", file.replace(b"margin-ledger/inclusion", b"margin-ledger\\/inclusion")
    yield "other order", file.replace(b'"part":0,', b"").replace(b'{"index"', b'{"part":0,"index"')
    yield "half a character", file.replace(b'"emil"', b'"\\ud800"')
    yield "not UTF-8", file.replace(b'"emil"', b'"emi\xff"')
    yield "zero byte", file[:-1] + b"\0\n"
    for text in (".0", "e0", ".5", "e400"):
        yield f"index and {text}", with_index(f"{number}{text}")
    for text in (f"0{number}", "-0", str(2**53), "null", "NaN"):
        yield f"index {text}", with_index(text)
    yield "cut", file[: len(file) // 2]
    yield "nothing", b""
    yield "only a line end", b"\n"
    yield "another value", b"[]\n"
    yield "a text", b'"emil"\n'
    yield "null", b"null\n"
    yield "deep", b"[" * 100 + b"]" * 100 + b"\n"
    yield "very deep", b"[" * 400_000 + b"]" * 400_000 + b"\n"
    extra = f"extra {base64.b64encode(bytes(750_000)).decode()}\nindex"
    yield "too large", edited(file, "commitment_proof", to=lambda proof: proof.replace("index", extra, 1))
    yield "key beyond ASCII", file.replace(b'"customer":', '"\u00e9":"","customer":'.encode())


def randomly_edited(file: bytes, rng: random.Random) -> bytes:
    """Change one character of one text or number somewhere in the file, and write it canonically again."""
    place, value = rng.choice(list(parts_of(json.loads(file))))
    text = str(value)
    if not text:
        return edited(file, *place, to="0")
    at = rng.randrange(len(text))
    more = text[:at] + rng.choice("0123456789abcdefXYZ+/=.-\n ") + text[at + rng.randrange(2) :]
    if isinstance(value, int):
        return edited(file, *place, to=int(more) if more.isdecimal() else more)
    return edited(file, *place, to=more)


def parts_of(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from parts_of(each, (*place, key))
    else:
        yield place, value
