"""A second verifier of solvency proofs, written from docs/spec alone; it shares no code with the project.

It makes the public checks, §8.1 steps 1 to 7 and §8.2 steps 1 to 6 of docs/spec/solvency.md, with one Ed25519
log key and no witnesses. A section sign without a file's name is one of that text.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from fractions import Fraction
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any, NamedTuple


class RefusedError(Exception):
    """What is checked does not hold; `check` is the name of the step that fails, `key` if none can begin."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


Refused = RefusedError


@contextmanager
def step(check: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError):
        raise Refused(check) from None


def need(holds: object) -> None:
    if not holds:
        raise ValueError


# Ed25519 (RFC 8032 §5.1), without the cofactor: [s]B − [h]A, encoded, is R to the byte.

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def added(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    (a, b), (c, d) = one, two
    e = D * a * b * c * d
    return (a * d + b * c) * pow(1 + e, -1, P) % P, (b * d + a * c) * pow(1 - e, -1, P) % P


def times(number: int, point: tuple[int, int]) -> tuple[int, int]:
    product = (0, 1)
    for bit in f"{number:b}":
        product = added(product, product)
        product = added(product, point) if bit == "1" else product
    return product


def point_of(raw: bytes) -> tuple[int, int]:
    sign, y = divmod(int.from_bytes(raw, "little"), 1 << 255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    need(y < P and x * x % P == square and (x or not sign))
    return (x if x % 2 == sign else P - x), y


def check_signature(key: bytes, message: bytes, signature: bytes) -> None:
    (x, y), s = point_of(key), int.from_bytes(signature[32:], "little")
    need(len(signature) == 64 and s < ORDER)
    h = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % ORDER
    x, y = added(times(s, point_of(b"\x58" + b"\x66" * 31)), times(h, (P - x, y)))
    need(signature[:32] == (y | x % 2 << 255).to_bytes(32, "little"))


# Canonical JSON, and the forms of values (§1, event-format.md §2 to §4, events.md).


def encoded(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_strict(value: Any, *, integers: bool, depth: int = 0) -> bool:
    if type(value) is dict and not all(key.isascii() for key in value):
        return False
    if type(value) in (dict, list):
        inner = [*value, *value.values()] if type(value) is dict else value
        return depth < 64 and all(is_strict(each, integers=integers, depth=depth + 1) for each in inner)
    if type(value) is str:
        return not re.search("[\x00-\x1f\x7f-\x9f]", value)
    return type(value) is bool or (integers and type(value) is int and abs(value) < 1 << 53)


def canonical(raw: bytes, of_lines: str = "") -> Any:
    """The object that the bytes write; integers are let pass, and LFs in its member `of_lines`."""
    value = json.loads(raw.decode())
    # Of two equal keys one is lost here, so the bytes are others.
    need(encoded(value) == raw and type(value) is dict)
    in_lines = type(value.get(of_lines)) is str
    joined = value | {of_lines: value[of_lines].replace("\n", "")} if in_lines else value
    need(is_strict(joined, integers=True))
    return value


def unbase64(text: str) -> bytes:
    value = b64decode(text, validate=True)
    need(b64encode(value).decode() == text)
    return value


def time_of(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    need(time.isoformat(timespec="microseconds") == text.removesuffix("Z") + "+00:00")
    return time


def fits(value: Any, form: Any) -> bool:
    """Form: range, pattern, [of each], (of keys, of values), {key: of it, optional?: of it} or type."""
    if isinstance(form, range):
        return type(value) is int and value in form
    if isinstance(form, str):
        return type(value) is str and bool(time_of(value) if form == TIME else re.fullmatch(form, value))
    if isinstance(form, list):
        return type(value) is list and all(fits(each, form[0]) for each in value)
    if isinstance(form, type) or type(value) is not dict:
        return form is type(value)
    if isinstance(form, tuple):
        return all(fits(key, form[0]) and fits(inner, form[1]) for key, inner in value.items())
    required, forms = {key for key in form if key[-1] != "?"}, {key.rstrip("?"): form[key] for key in form}
    return required <= set(value) <= set(forms) and all(fits(value[key], forms[key]) for key in value)


Form = Any
WHOLE, COUNT, TIME, ANY, SOME = range(1 << 53), r"0|[1-9][0-9]{,37}", "time", r"(?s:.*)", r"(?s:.+)"
NAME, REFERENCE, WORDS = r"[A-Za-z0-9._:/-]{1,128}", r"(?s:.{1,256})", r"(?s:.{,4000})"
HASH, UUID = r"[0-9a-f]{64}", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UNSIGNED = r"(?=[0.]*([0-9]\.?){,38}\Z)(0|[1-9][0-9]*)(\.[0-9]{,17}[1-9])?"
AMOUNTS, POSITIVE = (NAME, rf"(?!-0\Z)-?{UNSIGNED}"), (NAME, rf"(?!0\Z){UNSIGNED}")
OWED = (NAME, UNSIGNED)

LINK: Form = {"appended_at": TIME, "ledger": NAME, "nonce": r"[0-9a-f]{32}", "prev": HASH}
LINK |= {"sequence": WHOLE, "writer": r"(?s:.{1,63})"}
EVENT: Form = {"id": UUID, "schema": range(1, 2), "actor?": REFERENCE, "causation?": UUID}
EVENT |= {"correlation?": REFERENCE, "occurred_at": TIME, "processed_at?": TIME, "received_at?": TIME}
EVENT |= {"source?": {"file?": r"[^/]+", "inferred?": bool, "row?": r"[0-9]+", "system?": REFERENCE}}
COMMITMENT: Form = {"as_of_sequence": COUNT, "projection": NAME, "projection_version": COUNT}
COMMITMENT |= {"state_root": HASH, "subjects_root": HASH, "liabilities_root": HASH}
COMMITMENT |= {"totals": (r"[a-z][a-z0-9_]*", AMOUNTS)}
TOTALS: Form = {"liabilities": OWED, "reserves": OWED, "shortfall": POSITIVE}
TOTALS |= {"debt_against_collateral": POSITIVE, "insurance_fund": AMOUNTS}
RESERVE: Form = {"asset": NAME, "custodian": NAME, "address?": REFERENCE, "amount": UNSIGNED}
RESERVE |= {"as_of": TIME, "attester": REFERENCE, "encumbered?": UNSIGNED, "proof_reference?": REFERENCE}
CORRECTION: Form = {"corrects": UUID, "action": "replace", "replacement": RESERVE}
CORRECTION |= {"reason": WORDS, "approvers": [REFERENCE]}
HEADER: Form = {"as_of_sequence": WHOLE, "assets": [{"asset": NAME, "scale": range(19)}]}
HEADER |= {"depth": range(41), "maximum_age_seconds": UNSIGNED, "origin": NAME, "parts": range(1, 17)}
HEADER |= {"projection": NAME, "projection_version": WHOLE, "time": TIME, "undetermined": [NAME]}
INCLUSION: Form = {"commitment": ANY, "commitment_proof": ANY, "customer": NAME, "header": HEADER}
INCLUSION |= {"leaves": [{"index": WHOLE, "nonce": HASH, "part": WHOLE, "path": ANY, "sums": POSITIVE}]}
INCLUSION |= {"format": "margin-ledger/inclusion/1"}
FOLDER: Form = {"attestations": [{"entry": ANY, "path": [HASH]}], "format": "margin-ledger/solvency/1"}
FOLDER |= {"header": HEADER, "root": {"hash": HASH, "sums": (NAME, UNSIGNED)}}


# The log (checkpoint.md §5, proof.md §2.1).


class Tree(NamedTuple):
    """What a verified checkpoint signs."""

    origin: str
    size: int
    root: bytes


def number_of(text: str) -> int:
    need(re.fullmatch(r"0|[1-9][0-9]{,18}", text) and int(text) < 1 << 63)
    return int(text)


def hash_of(text: str) -> bytes:
    value = unbase64(text)
    need(len(value) == 32)
    return value


def checkpoint_of(note: bytes, vkey: str) -> Tree:
    with step("key"):
        name, identity, base64 = vkey.split("+", 2)
        key = unbase64(base64)
        own_id = sha256(name.encode() + b"\n" + key).digest()[:4]
        need(re.fullmatch(r"\S+", name) and len(key) == 33 and key[0] == 1 and own_id.hex() == identity)
    with step("checkpoint"):
        text, _, lines = note.decode().rpartition("\n\n")
        need(len(note) <= 1_000_000 and not re.search("[\x00-\x09\x0b-\x1f]", text + lines))
        need(re.fullmatch(r"(— [^\s+]+ \S+\n){1,100}", lines))
        signatures = [(line.split(" ")[1], unbase64(line.split(" ")[2])) for line in lines[:-1].split("\n")]
        origin, size, root, *extensions = text.split("\n")
        need(all(len(signature) > 4 for _, signature in signatures) and origin and all(extensions))
        tree = Tree(origin, number_of(size), hash_of(root))
    with step("origin"):
        need(origin == name)
    with step("signature"):
        own = [signed[4:] for signer, signed in signatures if (signer, signed[:4]) == (name, own_id)]
        need(own)
        for signature in own:
            check_signature(key[1:], f"{text}\n".encode(), signature)
    return tree


def entry_of(raw: bytes, origin: str) -> Any:
    """An entry of the origin with an id and a type, in canonical form (proof.md §2.1 step 3)."""
    entry = canonical(raw)
    need(fits(entry, {"event": dict, "link": dict}))
    event, link = entry["event"], entry["link"]
    need(is_strict([event | {"schema": ""}, link | {"sequence": ""}], integers=False))
    need(fits(event.get("id"), SOME) and fits(event.get("type"), SOME))
    need(fits(link.get("sequence"), WHOLE) and link.get("ledger") == origin)
    return entry


def check_event(entry: Any, kind: str, data: Any) -> None:
    """The form of an event of a type (event-format.md §3 and §4)."""
    need(fits(entry, {"event": EVENT | {"type": kind, "data": data}, "link": LINK}))
    need(entry["event"].get("source", "none") and len(encoded(entry["event"])) <= 65_000)


def check_path(raw: bytes, index: int, path: list[bytes], tree: Tree) -> None:
    first, last, node = index, tree.size - 1, sha256(b"\0" + raw).digest()
    need(first <= last)
    for sibling in path:
        need(last)
        if first % 2 or first == last:
            node = sha256(b"\1" + sibling + node).digest()
            while first % 2 == 0 and first > 0:
                first, last = first // 2, last // 2
        else:
            node = sha256(b"\1" + node + sibling).digest()
        first, last = first // 2, last // 2
    need(last == 0 and node == tree.root)


def check_proof(proof: bytes, raw: bytes, vkey: str) -> tuple[Any, Tree]:
    """The entry of an inclusion proof, and the tree that it is in."""
    with step("proof"):
        head, gap, note = proof.partition(b"\n\n")
        need(gap and len(proof) <= 1_000_000)
        first, second, *lines = head.decode("ascii").split("\n")
        if second.startswith("extra "):
            need(unbase64(second.removeprefix("extra ")) and lines)
            second = lines.pop(0)
        need(first == "c2sp.org/tlog-proof@v1" and second.startswith("index ") and len(lines) <= 63)
        index, path = number_of(second.removeprefix("index ")), [hash_of(line) for line in lines]
    tree = checkpoint_of(note, vkey)
    with step("event"):
        entry = entry_of(raw, tree.origin)
        need(entry["link"]["sequence"] == index)
    with step("inclusion"):
        check_path(raw, index, path, tree)
    return entry, tree


# The header, the tree of liabilities and the commitment (§2, §3, §5).


def check_header(header: Any) -> None:
    """The order of what the header lists (§2); the rest of its form is in the table."""
    for names in ([each["asset"] for each in header["assets"]], header["undetermined"]):
        need(names == sorted(set(names)))


def sums_of(amounts: Any, header: Any) -> list[int]:
    """Amounts in units, in the order of the header's assets; one that is not there is zero."""
    scales = {each["asset"]: each["scale"] for each in header["assets"]}
    units = [Fraction(amounts.get(asset, 0)) * 10**scale for asset, scale in scales.items()]
    need(set(amounts) <= set(scales) and all(each.denominator == 1 for each in units))
    return [int(each) for each in units]


def texts_of(sums: list[int], header: Any) -> dict[str, str]:
    texts = {}
    for each, units in zip(header["assets"], sums, strict=True):
        whole, rest = divmod(units, 10 ** each["scale"])
        texts[each["asset"]] = f"{whole}.{rest:0{each['scale']}}".rstrip("0").removesuffix(".")
    return texts


class Node(NamedTuple):
    """A node's hash and sums."""

    hash: bytes
    sums: list[int]

    def raw(self) -> bytes:
        """What a hash takes of the node. Each one that is given or computed comes by here (§3.2)."""
        need(all(units < 1 << 127 for units in self.sums))
        return self.hash + b"".join(units.to_bytes(16, "big") for units in self.sums)


def tagged(kind: bytes, raw: bytes) -> bytes:
    return sha256(b"margin-ledger/liabilities/%s/1\n" % kind + raw).digest()


def root_of(leaf: Any, customer: str, sums: list[int], siblings: list[Node]) -> Node:
    """The root node that a leaf leads to (§3.1, §3.2)."""
    blinded = Node(bytes.fromhex(leaf["nonce"]), sums).raw()
    node = Node(tagged(b"leaf", blinded + leaf["part"].to_bytes(4, "big") + customer.encode()), sums)
    for level, sibling in enumerate(siblings):
        left, right = (sibling, node) if leaf["index"] >> level & 1 else (node, sibling)
        both = [one + two for one, two in zip(left.sums, right.sums, strict=True)]
        node = Node(tagged(b"node", left.raw() + right.raw()), both)
    node.raw()
    return node


def check_commitment(proof: bytes, raw: bytes, vkey: str, header: Any) -> tuple[Any, Tree]:
    """The commitment's data and the tree that it is in (§8.1 steps 2 to 4)."""
    entry, tree = check_proof(proof, raw, vkey)
    with step("commitment"):
        check_event(entry, "StateCommitted", COMMITMENT)
        data = entry["event"]["data"]
        need(fits({name: data["totals"].get(name) for name in TOTALS}, TOTALS))
        need(int(data["as_of_sequence"]) < entry["link"]["sequence"])
    with step("header"):
        need(header["origin"] == tree.origin and header["projection"] == data["projection"])
        need(all(str(header[name]) == data[name] for name in ("as_of_sequence", "projection_version")))
    return data, tree


def check_root(root: Node, header: Any, data: Any) -> None:
    """The root node against the commitment (§3.3, §8.1 steps 6 and 7)."""
    with step("sum"):
        raw = root.raw()
    with step("liabilities_root"):
        of_header = len(encoded(header)).to_bytes(4, "big") + encoded(header)
        need(tagged(b"root", of_header + raw).hex() == data["liabilities_root"])
    with step("totals"):
        need(data["totals"]["liabilities"] == texts_of(root.sums, header))


# The inclusion file (§6, §8.1).


def siblings_of(path: str, header: Any) -> list[Node]:
    raw, siblings, count = unbase64(path), [], len(header["assets"])
    for _ in range(header["depth"]):
        start = 32 + (count + 1) // 2
        need(len(raw) >= start)
        # Hexadecimal digits are half bytes: each is a length, and one more after an odd number is zero.
        lengths, sibling, raw = raw[32:start].hex(), Node(raw[:32], []), raw[start:]
        need(lengths[count:] in ("", "0"))
        for length in [int(digit, 16) for digit in lengths[:count]]:
            size = 16 if length == 15 else length
            units = int.from_bytes(raw[:size], "big")
            need(len(raw) >= size and length == min((units.bit_length() + 7) // 8, 15))
            sibling.sums.append(units)
            raw = raw[size:]
        siblings.append(sibling)
    need(not raw)
    return siblings


def check_inclusion(file: bytes, vkey: str) -> dict[str, Any]:
    """What an inclusion file shows (§8.1 steps 1 to 7), or Refused with the check that fails."""
    with step("form"):
        need(file.endswith(b"\n") and len(file) <= 1_000_000)
        value = canonical(file[:-1], "commitment_proof")
        need(fits(value, INCLUSION))
        header, leaves, customer = value["header"], value["leaves"], value["customer"]
        check_header(header)
        need([leaf["part"] for leaf in leaves] == list(range(header["parts"])))
        indices = {leaf["index"] for leaf in leaves}
        need(len(indices) == len(leaves) and max(indices) < 2 ** header["depth"])
        sums = [sums_of(leaf["sums"], header) for leaf in leaves]
        paths = [siblings_of(leaf["path"], header) for leaf in leaves]
    proof, commitment = value["commitment_proof"].encode(), value["commitment"].encode()
    data, _ = check_commitment(proof, commitment, vkey, header)
    with step("sum"):
        read = zip(leaves, sums, paths, strict=True)
        roots = [root_of(leaf, customer, owed, siblings) for leaf, owed, siblings in read]
    with step("liabilities_root"):
        need(all(root == roots[0] for root in roots))
    check_root(roots[0], header, data)
    texts = texts_of([sum(units) for units in zip(*sums, strict=True)], header)
    state = {name: header[name] for name in ("as_of_sequence", "time")}
    return state | {"customer": customer, "owed": {name: text for name, text in texts.items() if text != "0"}}


# The proof folder (§7, §8.2).


def attestation_of(each: Any, as_of_sequence: int, tree: Tree) -> tuple[int, Any]:
    """Sequence and data of an attestation, or of the one that a correction put in place."""
    raw = each["entry"].encode()
    entry = entry_of(raw, tree.origin)
    is_correction = entry["event"]["type"] == "CorrectionRecorded"
    if is_correction:
        check_event(entry, "CorrectionRecorded", CORRECTION)
    else:
        check_event(entry, "ReserveAttested", RESERVE)
    sequence, data = entry["link"]["sequence"], entry["event"]["data"]
    need(sequence <= as_of_sequence)
    check_path(raw, sequence, [bytes.fromhex(sibling) for sibling in each["path"]], tree)
    return sequence, data["replacement"] if is_correction else data


def reserves_of(attested: list[Any], header: Any) -> dict[str, Fraction]:
    """By asset, what fresh attestations leave free."""
    reserves: dict[str, Fraction] = {}
    for each in attested:
        age = (time_of(header["time"]) - time_of(each["as_of"])) // timedelta(microseconds=1)
        if 0 <= age <= Fraction(header["maximum_age_seconds"]) * 10**6:
            free = Fraction(each["amount"]) - Fraction(each.get("encumbered", "0"))
            reserves[each["asset"]] = reserves.get(each["asset"], Fraction(0)) + max(free, Fraction(0))
    return reserves


def check_folder(folder: Path, vkey: str) -> dict[str, Any]:
    """What a proof folder shows (§8.2 steps 1 to 6), or Refused; OSError where a file is missing."""
    names = ("proof.json", "commitment.json", "commitment.tlog-proof")
    published, commitment, proof = [(folder / name).read_bytes() for name in names]
    with step("form"):
        need(published.endswith(b"\n") and commitment.endswith(b"\n"))
        value = canonical(published[:-1])
        need(fits(value, FOLDER))
        header, root = value["header"], value["root"]
        check_header(header)
        node = Node(bytes.fromhex(root["hash"]), sums_of(root["sums"], header))
        need(len(root["sums"]) == len(node.sums))
    data, tree = check_commitment(proof, commitment[:-1], vkey, header)
    check_root(node, header, data)
    with step("attestations"):
        read = [attestation_of(each, header["as_of_sequence"], tree) for each in value["attestations"]]
        need([sequence for sequence, _ in read] == sorted({sequence for sequence, _ in read}))
        need(len({(each["asset"], each["custodian"], each.get("address")) for _, each in read}) == len(read))
    with step("reserves"):
        reserves = reserves_of([each for _, each in read], header)
        need(reserves == {asset: Fraction(amount) for asset, amount in data["totals"]["reserves"].items()})
    owed = {asset: Fraction(amount) for asset, amount in data["totals"]["liabilities"].items()}
    short = {asset for asset, amount in owed.items() if amount > reserves.get(asset, 0)}
    solvent = None if header["undetermined"] else True
    solvent = False if short - set(header["undetermined"]) else solvent
    shown = {name: data["totals"][name] for name in ("liabilities", "reserves")}
    return shown | {"solvent": solvent if read else None}
