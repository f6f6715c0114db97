"""A second verifier of solvency proofs, written from docs/spec alone; it shares no code with the project.

Section signs are those of docs/spec/solvency.md.
"""

import hashlib
import json
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.second_proof_verifier import (
    COUNT,
    HASH,
    IDENTIFIER,
    LONGEST_FILE,
    Json,
    Refused,
    Tree,
    amount_of,
    amounts_of,
    canonical_file,
    canonical_lines,
    check_proof,
    entry_of,
    has_keys,
    is_text,
    is_whole,
    leads_to_root,
    need,
    number_of,
    plain,
    time_of,
    unbase64,
)

__all__ = ["Refused", "check_folder", "check_inclusion"]

TAG = b"margin-ledger/liabilities/%s/1\n"
LIMIT = 1 << 127
WHAT_IT_IS = {"as_of_sequence", "origin", "projection", "projection_version", "time", "undetermined"}
HEADER = {"assets", "depth", "maximum_age_seconds", "parts"} | WHAT_IT_IS
ROOTS = {"state_root", "subjects_root", "liabilities_root"}
COMMITTED = {"as_of_sequence", "projection", "projection_version", "totals"} | ROOTS
TOTALS = {"liabilities", "reserves", "shortfall", "debt_against_collateral", "insurance_fund"}
ATTESTED = {"asset", "custodian", "amount", "as_of", "attester"}
ATTESTED_OPTIONAL = {"address", "encumbered", "proof_reference"}


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
