"""A second verifier of solvency proofs, written from docs/spec alone; it shares no code with the project.

One Ed25519 log key is given to it, and no witnesses. Section signs are those of docs/spec/solvency.md.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Set
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

TAG = b"margin-ledger/liabilities/%s/1\n"
IDENTIFIER = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
AMOUNT = re.compile(r"(?!-0\Z)-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
COUNT = re.compile(r"0|[1-9][0-9]*")
HASH = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
LIMIT = 1 << 127
LONGEST_FILE = 1_000_000
WHAT_IT_IS = {"as_of_sequence", "origin", "projection", "projection_version", "time", "undetermined"}
HEADER = {"assets", "depth", "maximum_age_seconds", "parts"} | WHAT_IT_IS
ROOTS = {"state_root", "subjects_root", "liabilities_root"}
COMMITTED = {"as_of_sequence", "projection", "projection_version", "totals"} | ROOTS
TOTALS = {"liabilities", "reserves", "shortfall", "debt_against_collateral", "insurance_fund"}
ATTESTED = {"asset", "custodian", "amount", "as_of", "attester"}
ATTESTED_OPTIONAL = {"address", "encumbered", "proof_reference"}

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


# Forms (§1).


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


def has_keys(value: Any, keys: set[str], optional: Set[str] = frozenset()) -> bool:
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


class Header(NamedTuple):
    """§2: the members as they stand, its bytes, and the scale of each asset in order."""

    members: Json
    raw: bytes
    scales: dict[str, int]
    depth: int
    parts: int

    def sums_of(self, amounts: Any, check: str) -> list[int]:
        """Sums in units, in the order of the assets; absent assets are zero."""
        need(type(amounts) is dict and set(amounts) <= set(self.scales), check)
        held = {asset: amount_of(text, check, self.scales[asset]) for asset, text in amounts.items()}
        need(all(amount >= 0 for amount in held.values()), check)
        return [int(held.get(asset, 0) * 10**scale) for asset, scale in self.scales.items()]

    def amounts_of(self, sums: list[int]) -> dict[str, str]:
        named = zip(self.scales.items(), sums, strict=True)
        return {asset: plain(units, scale) for (asset, scale), units in named}


def header_of(value: Any) -> Header:
    need(has_keys(value, HEADER), "form")
    need(is_whole(value["depth"], 0, 40) and is_whole(value["parts"], 1, 16), "form")
    need(is_whole(value["as_of_sequence"], 0) and is_whole(value["projection_version"], 0), "form")
    need(is_text(value["origin"]) and is_text(value["projection"]), "form")
    amount_of(value["maximum_age_seconds"], "form")
    time_of(value["time"], "form")
    assets, undetermined = value["assets"], value["undetermined"]
    need(type(assets) is list and all(has_keys(each, {"asset", "scale"}) for each in assets), "form")
    need(all(is_whole(each["scale"], 0, 18) for each in assets) and type(undetermined) is list, "form")
    for names in ([each["asset"] for each in assets], undetermined):
        need(all(is_text(name, IDENTIFIER) for name in names) and names == sorted(set(names)), "form")
    raw = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    scales = {each["asset"]: each["scale"] for each in assets}
    return Header(value, raw, scales, value["depth"], value["parts"])


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


def check_commitment(proof: bytes, raw: bytes, vkey: str, header: Header) -> tuple[Json, Tree]:
    """The commitment's data and its tree (§8.1 steps 2 to 4)."""
    entry, tree = check_proof(proof, raw, vkey)
    event, data = entry["event"], entry["event"].get("data")
    need(event["type"] == "StateCommitted" and is_whole(event.get("schema"), 1, 1), "commitment")
    need(has_keys(data, COMMITTED) and is_text(data["projection"], IDENTIFIER), "commitment")
    need(all(is_text(data[name], COUNT) for name in ("as_of_sequence", "projection_version")), "commitment")
    need(number_of(data["as_of_sequence"], "commitment") < entry["link"]["sequence"], "commitment")
    need(all(is_text(data[name], HASH) for name in ROOTS), "commitment")
    need(type(data["totals"]) is dict and set(data["totals"]) >= TOTALS, "commitment")
    for amounts in data["totals"].values():
        amounts_of(amounts, "commitment")
    members = header.members
    need(members["origin"] == tree.origin and members["projection"] == data["projection"], "header")
    for name in ("as_of_sequence", "projection_version"):
        need(str(members[name]) == data[name], "header")
    return data, tree


# The tree of liabilities (§3).


class Node(NamedTuple):
    """A node's hash and sums."""

    hash: bytes
    sums: list[int]

    def raw(self) -> bytes:
        return self.hash + b"".join(units.to_bytes(16, "big") for units in self.sums)


def leaf_of(nonce: str, sums: list[int], part: int, customer: str) -> Node:
    raw = Node(bytes.fromhex(nonce), sums).raw() + part.to_bytes(4, "big") + customer.encode()
    return Node(hashlib.sha256(TAG % b"leaf" + raw).digest(), sums)


def parent_of(left: Node, right: Node, check: str = "sum") -> Node:
    sums = [one + two for one, two in zip(left.sums, right.sums, strict=True)]
    need(all(units < LIMIT for units in left.sums + right.sums + sums), check)
    return Node(hashlib.sha256(TAG % b"node" + left.raw() + right.raw()).digest(), sums)


def siblings_of(text: Any, header: Header) -> list[Node]:
    """The path of an inclusion file (§6), read to its last byte."""
    need(type(text) is str, "form")
    raw, siblings = unbase64(text, "form"), []
    for _ in range(header.depth):
        hashed, raw, sums = raw[:32], raw[32:], []
        for _ in header.scales:
            need(raw and raw[0] <= 16 and raw[0] < len(raw), "form")
            digits, raw = raw[1 : 1 + raw[0]], raw[1 + raw[0] :]
            need(not digits.startswith(b"\0"), "form")
            sums.append(int.from_bytes(digits, "big"))
        siblings.append(Node(hashed, sums))
    need(not raw and all(len(node.hash) == 32 for node in siblings), "form")
    return siblings


def check_root(header: Header, root: Node, data: Json) -> None:
    """§8.1 steps 6 (the root alone) and 7."""
    raw = TAG % b"root" + len(header.raw).to_bytes(4, "big") + header.raw + root.raw()
    need(hashlib.sha256(raw).hexdigest() == data["liabilities_root"], "liabilities_root")
    need(data["totals"]["liabilities"] == header.amounts_of(root.sums), "totals")


def check_inclusion(file: bytes, vkey: str) -> Json:
    """What an inclusion file shows (§8.1 steps 1 to 7), or Refused with the check that fails."""
    need(len(file) <= LONGEST_FILE, "form")
    value = canonical_file(file, "form", "commitment_proof")
    need(
        has_keys(value, {"commitment", "commitment_proof", "customer", "format", "header", "leaves"}), "form"
    )
    texts = [value[name] for name in ("commitment", "commitment_proof", "customer")]
    need(all(is_text(text) for text in texts) and value["format"] == "margin-ledger/inclusion/1", "form")
    header, leaves = header_of(value["header"]), value["leaves"]
    need(type(leaves) is list and len(leaves) == header.parts, "form")
    read: list[tuple[int, list[int], list[Node]]] = []
    for part, leaf in enumerate(leaves):
        need(has_keys(leaf, {"index", "nonce", "part", "path", "sums"}), "form")
        need(is_whole(leaf["index"], 0, 2**header.depth - 1) and is_whole(leaf["part"], part, part), "form")
        need(is_text(leaf["nonce"], HASH) and type(leaf["sums"]) is dict, "form")
        need("0" not in leaf["sums"].values(), "form")
        sums = header.sums_of(leaf["sums"], "form")
        read.append((leaf["index"], sums, siblings_of(leaf["path"], header)))
    need(len({index for index, _, _ in read}) == len(read), "form")
    data, _ = check_commitment(texts[1].encode(), texts[0].encode(), vkey, header)
    roots = []
    for part, (index, sums, siblings) in enumerate(read):
        need(all(units < LIMIT for units in sums), "sum")
        node = leaf_of(leaves[part]["nonce"], sums, part, value["customer"])
        for level, sibling in enumerate(siblings):
            node = parent_of(sibling, node) if index >> level & 1 else parent_of(node, sibling)
        roots.append(node)
    need(all(root == roots[0] for root in roots), "liabilities_root")
    check_root(header, roots[0], data)
    owed = header.amounts_of([sum(units) for units in zip(*(sums for _, sums, _ in read), strict=True)])
    return {
        "customer": value["customer"],
        "as_of_sequence": header.members["as_of_sequence"],
        "time": header.members["time"],
        "owed": {asset: amount for asset, amount in owed.items() if amount != "0"},
    }


# The proof folder (§7).


def file_of(path: Path, check: str) -> bytes:
    need(path.is_file(), check)
    return path.read_bytes()


def attested(raw: bytes, path: list[str], header: Header, tree: Tree) -> tuple[int, Json]:
    """Sequence and data of a recorded attestation, or of the one that a correction put in its place."""
    check = "attestations"
    entry = entry_of(raw, check, tree.origin)
    event, sequence = entry["event"], entry["link"]["sequence"]
    data = event.get("data")
    if event["type"] == "CorrectionRecorded" and type(data) is dict and data.get("action") == "replace":
        data = data.get("replacement")
    else:
        need(event["type"] == "ReserveAttested", check)
    need(is_whole(event.get("schema"), 1, 1) and has_keys(data, ATTESTED, ATTESTED_OPTIONAL), check)
    need(all(is_text(data[name], IDENTIFIER) for name in ("asset", "custodian")), check)
    need(all(is_text(data[name]) for name in set(data) - {"amount", "encumbered", "as_of"}), check)
    need(all(amount_of(data.get(name, "0"), check) >= 0 for name in ("amount", "encumbered")), check)
    time_of(data["as_of"], check)
    need(sequence <= header.members["as_of_sequence"], check)
    need(leads_to_root(raw, sequence, [bytes.fromhex(each) for each in path], tree), check)
    return sequence, data


def check_reserves(attestations: list[Any], header: Header, tree: Tree, data: Json) -> None:
    """§8.2 steps 4 and 5."""
    read = [attested(each["entry"].encode(), each["path"], header, tree) for each in attestations]
    sequences = [sequence for sequence, _ in read]
    need(sequences == sorted(set(sequences)), "attestations")
    holdings = {(each["asset"], each["custodian"], each.get("address")) for _, each in read}
    need(len(holdings) == len(read), "attestations")
    now = time_of(header.members["time"], "form")
    longest = amount_of(header.members["maximum_age_seconds"], "form") * 10**6
    reserves: dict[str, Fraction] = {}
    for _, each in read:
        age = (now - time_of(each["as_of"], "attestations")) // timedelta(microseconds=1)
        if 0 <= age <= longest:
            free = Fraction(each["amount"]) - Fraction(each.get("encumbered", "0"))
            reserves[each["asset"]] = reserves.get(each["asset"], Fraction(0)) + max(free, Fraction(0))
    need(reserves == amounts_of(data["totals"]["reserves"], "reserves"), "reserves")


def check_folder(folder: Path, vkey: str) -> Json:
    """What a proof folder shows (§8.2), with its private part where there is one."""
    value = canonical_file(file_of(folder / "proof.json", "form"), "form")
    need(has_keys(value, {"attestations", "format", "header", "root"}), "form")
    need(value["format"] == "margin-ledger/solvency/1" and has_keys(value["root"], {"hash", "sums"}), "form")
    need(is_text(value["root"]["hash"], HASH) and type(value["attestations"]) is list, "form")
    header = header_of(value["header"])
    root = Node(bytes.fromhex(value["root"]["hash"]), header.sums_of(value["root"]["sums"], "form"))
    need(set(value["root"]["sums"]) == set(header.scales), "form")
    for each in value["attestations"]:
        need(has_keys(each, {"entry", "path"}) and is_text(each["entry"]), "form")
        need(type(each["path"]) is list and all(is_text(sibling, HASH) for sibling in each["path"]), "form")
    raw = file_of(folder / "commitment.json", "form")
    need(raw.endswith(b"\n"), "event")
    data, tree = check_commitment(file_of(folder / "commitment.tlog-proof", "form"), raw[:-1], vkey, header)
    need(all(units < LIMIT for units in root.sums), "sum")
    check_root(header, root, data)
    check_reserves(value["attestations"], header, tree, data)
    totals = data["totals"]
    if (folder / "private").is_dir():
        check_private(folder / "private", header, root, totals)
    short = {
        asset
        for asset, owed in totals["liabilities"].items()
        if Fraction(owed) > Fraction(totals["reserves"].get(asset, "0"))
    }
    solvent: bool | None = not header.members["undetermined"] or None
    if short - set(header.members["undetermined"]):
        solvent = False
    if not value["attestations"]:
        solvent = None
    return {"liabilities": totals["liabilities"], "reserves": totals["reserves"], "solvent": solvent}


def nodes_of(raw: bytes, header: Header) -> list[Node]:
    width = 32 + 16 * len(header.scales)
    need(len(raw) == (2 ** (header.depth + 1) - 1) * width, "nodes")
    starts = range(0, len(raw), width)
    hashes = [raw[start : start + 32] for start in starts]
    sums = [[int.from_bytes(raw[at : at + 16], "big") for at in range(s + 32, s + width, 16)] for s in starts]
    return [Node(hashed, units) for hashed, units in zip(hashes, sums, strict=True)]


def check_private(folder: Path, header: Header, root: Node, totals: Json) -> None:
    """§8.2 step 7."""
    keys = {"account", "claims", "customer"}
    accounts = canonical_lines(file_of(folder / "accounts.ndjson", "accounts"), "accounts", keys)
    keys = {"customer", "index", "nonce", "part"}
    leaves = canonical_lines(file_of(folder / "leaves.ndjson", "leaves"), "leaves", keys)
    nodes = nodes_of(file_of(folder / "nodes.bin", "nodes"), header)
    need(len(leaves) == 2**header.depth, "leaves")
    for place, leaf in enumerate(leaves):
        need(is_whole(leaf["index"], place, place) and is_whole(leaf["part"], 0, 2**32 - 1), "leaves")
        need(is_text(leaf["nonce"], HASH) and type(leaf["customer"]) is str, "leaves")
    check_accounts(accounts, leaves, nodes, header, totals)
    for leaf, node in zip(leaves, nodes, strict=False):
        need(leaf_of(leaf["nonce"], node.sums, leaf["part"], leaf["customer"]) == node, "leaves")
        need(leaf["customer"] or not any(node.sums), "leaves")
    hashes = [node.hash for node in nodes[: len(leaves)]]
    need(hashes == sorted(set(hashes)), "leaves")
    for place, node in enumerate(nodes[len(leaves) :]):
        need(parent_of(nodes[2 * place], nodes[2 * place + 1], "nodes") == node, "nodes")
    need(nodes[-1] == root, "nodes")


def check_accounts(
    accounts: list[Json], leaves: list[Json], nodes: list[Node], header: Header, totals: Json
) -> None:
    check = "accounts"
    names = [account["account"] for account in accounts]
    need(all(is_text(name, IDENTIFIER) for name in names) and names == sorted(set(names)), check)
    owed: dict[str, list[int]] = {}
    owing: dict[str, dict[str, Fraction]] = {"shortfall": {}, "debt_against_collateral": {}}
    for account in accounts:
        need(is_text(account["customer"]), check)
        claims = amounts_of(account["claims"], check)
        need(all(claims.values()), check)
        positive = {asset: account["claims"][asset] for asset, claim in claims.items() if claim > 0}
        before = owed.get(account["customer"], [0] * len(header.scales))
        sums = header.sums_of(positive, check)
        owed[account["customer"]] = [one + two for one, two in zip(before, sums, strict=True)]
        apart = owing["debt_against_collateral" if positive else "shortfall"]
        for asset, claim in claims.items():
            if claim < 0:
                apart[asset] = apart.get(asset, Fraction(0)) - claim
    held: dict[str, list[int]] = {}
    parts: dict[str, list[int]] = {}
    for leaf, node in zip(leaves, nodes, strict=False):
        if leaf["customer"]:
            before = held.get(leaf["customer"], [0] * len(header.scales))
            held[leaf["customer"]] = [one + two for one, two in zip(before, node.sums, strict=True)]
            parts.setdefault(leaf["customer"], []).append(leaf["part"])
    need(held == owed, check)
    need(all(sorted(each) == list(range(header.parts)) for each in parts.values()), check)
    for name, amounts in owing.items():
        recorded = amounts_of(totals[name], check)
        need(amounts == {asset: amount for asset, amount in recorded.items() if amount}, check)
