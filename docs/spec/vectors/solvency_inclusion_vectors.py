"""Inclusion files that hold, and those that do not, with the check that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from signed_material import OTHER, text
from solvency_material import (
    ALONE,
    CUSTOMERS,
    ETH_ONLY,
    FINE,
    FOUR,
    IMPOSTOR,
    VKEY,
    WHALES,
    Committed,
    committed,
    edited,
    texts,
)

from ledger.clock import format_time
from replay.solvency import Asset, Node
from replay.solvency.proofs.commitment import LIABILITIES
from replay.solvency.proofs.inclusion import encode_path
from replay.solvency.proofs.sum_tree import SUM_LIMIT, pack, parent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replay.solvency import Inclusion


def inclusions_that_hold() -> list[dict[str, Any]]:
    """Return files of customers, with what they show."""
    three = committed()
    further = three.with_totals(another={"USDT": "-1"})
    witnessed = replace(three, signers=("log", "witness one", IMPOSTOR))
    given: list[tuple[str, Committed, Iterable[str]]] = [
        ("one part, two assets", three, ("ada", "berta", "carl")),
        ("three parts", committed(parts=3), ("ada",)),
        ("one asset, four customers, no padding", committed(FOUR), ("dora",)),
        ("a tree of one customer", committed(ALONE), ("solo",)),
        ("a tree of one customer of two parts", committed(ALONE, parts=2), ("solo",)),
        ("nobody is owed anything", committed({"ada": {"A1": {"USDT": "-5"}}}), ("ada",)),
        ("sums of 14, 15 and 16 bytes",
         committed(WHALES, scales={"ETH": "18"}, reserves=ETH_ONLY), ("whole", "sixteen")),
        ("claims finer than the listed scale", committed(FINE), ("berta",)),
        ("an asset in which a claim is not known", committed(position_without_mark=True), ("ada",)),
        ("a commitment with a further total", further, ("ada",)),
        ("signatures of others on the checkpoint", witnessed, ("ada",)),
    ]  # fmt: skip
    return [
        {
            "what": f"{what}: {customer}",
            "file": world.inclusion(customer).encode().decode(),
            "vkey": VKEY,
            "customer": customer,
            "owed": texts(world.made.figures.liabilities.owed(customer)),
            "as_of_sequence": world.made.header.as_of_sequence,
            "time": format_time(world.made.header.time),
        }
        for what, world, customers in given
        for customer in customers
    ]


def inclusions_refused() -> list[dict[str, Any]]:
    """Return files that fail one check."""
    world = committed()
    cases = [
        *_refused_for_form(world),
        *_refused_for_the_log(world),
        *_refused_for_the_commitment(world),
        *_refused_for_the_tree(world),
    ]
    return [
        {"what": what, "file": file.decode(), "vkey": VKEY, "check": check} for what, check, file in cases
    ]


def _refused_for_form(world: Committed) -> list[tuple[str, str, bytes]]:
    file, split = world.inclusion("ada").encode(), committed(parts=3).inclusion("ada").encode()
    one = committed(ALONE).inclusion("solo").encode()
    path = encode_path(world.inclusion("ada").leaves[0].siblings)
    odd = committed(FOUR).inclusion("ada")
    nibble = bytearray(encode_path(odd.leaves[0].siblings))
    nibble[32] |= 1  # the half byte of no sum

    def header(**changes: Any) -> bytes:
        return edited(file, "header", to=lambda given: given | changes)

    def leaf(**changes: Any) -> bytes:
        return edited(file, "leaves", 0, to=lambda given: given | changes)

    def assets(change: Any) -> bytes:
        return edited(file, "header", "assets", to=change)

    cases: list[tuple[str, bytes]] = [
        ("nothing", b""),
        ("no line end", file[:-1]),
        ("white space", file.replace(b'":', b'": ', 1)),
        ("a key twice", file.replace(b'"customer":"ada"', b'"customer":"ada","customer":"ada"', 1)),
        ("another format", edited(file, "format", to="margin-ledger/inclusion/2")),
        ("a key more", file.replace(b'"format"', b'"firm":"x","format"', 1)),
        ("no identifier for a customer", edited(file, "customer", to="ada lovelace")),
        ("a sequence as text", header(as_of_sequence=str(world.made.header.as_of_sequence))),
        ("a depth of 41", header(depth=41)),
        ("17 parts", header(parts=17)),
        ("a part more than leaves", header(parts=2)),
        ("a negative age", header(maximum_age_seconds="-1")),
        ("an age with a superfluous zero", header(maximum_age_seconds="86400.0")),
        ("a time of seconds", header(time="2026-01-04T11:00:13Z")),
        ("undetermined assets out of order", header(undetermined=["USDT", "BTC"])),
        ("assets out of order", assets(lambda given: given[::-1])),
        ("an asset twice", assets(lambda given: [given[0], *given])),
        ("an asset less than sums", assets(lambda given: given[:1])),
        ("a leaf with a key less", edited(file, "leaves", 0, to=lambda given: {
            name: given[name] for name in given if name != "nonce"})),
        ("an index beyond the tree", leaf(index=1 << world.made.header.depth)),
        ("a part that is not the first", leaf(part=1)),
        ("a negative amount", leaf(sums={"USDT": "-1510.25"})),
        ("an amount of zero written down", edited(file, "leaves", 0, "sums", "USDT", to="0")),
        ("more digits than the scale", edited(file, "leaves", 0, "sums", "USDT", to="1510.2500001")),
        ("an amount of an asset that the header does not have", leaf(sums={"XRP": "1"})),
        ("a path cut off", leaf(path=text(path[:-1]))),
        ("a path with a byte more", leaf(path=text(path + b"\0"))),
        ("a sibling less", header(depth=world.made.header.depth + 1)),
        ("a sibling of no tree", edited(one, "leaves", 0, "path", to=text(bytes(33)))),
        ("a length of a sum that is not there", edited(
            odd.encode(), "leaves", 0, "path", to=text(bytes(nibble)))),
        ("a sum with a zero in front", leaf(path=text(_with_zero_in_front(world)))),
        ("16 bytes for a sum of 14", leaf(path=text(_in_sixteen_bytes(world)))),
        ("a part kept back", edited(split, "leaves", to=lambda given: given[:2])),
        ("a part twice", edited(split, "leaves", to=lambda given: [*given[:2], given[1]])),
        ("two parts at one place", edited(split, "leaves", to=lambda given: [
            given[0], given[1] | {"index": given[0]["index"]}, given[2]])),
    ]  # fmt: skip
    return [(what, "form", given) for what, given in cases]


def _with_zero_in_front(world: Committed) -> bytes:
    """Return Ada's path with a zero byte before the first sum that is not zero."""
    first, *rest = world.inclusion("ada").leaves[0].siblings
    second = first.sums[1].to_bytes((first.sums[1].bit_length() + 7) // 8, "big")
    own = first.sums[0].to_bytes((first.sums[0].bit_length() + 7) // 8, "big")
    lengths = bytes([len(own) << 4 | len(second) + 1])
    return first.hash + lengths + own + b"\0" + second + encode_path(rest)


def _in_sixteen_bytes(world: Committed) -> bytes:
    """Return Ada's path with a length of 15 for a sum that needs less."""
    first, *rest = world.inclusion("ada").leaves[0].siblings
    own = first.sums[0].to_bytes((first.sums[0].bit_length() + 7) // 8, "big")
    return (
        first.hash + bytes([len(own) << 4 | 15]) + own + first.sums[1].to_bytes(16, "big") + encode_path(rest)
    )


def _refused_for_the_log(world: Committed) -> list[tuple[str, str, bytes]]:
    file = world.inclusion("ada")
    theirs = committed(origin=OTHER)
    proof = file.commitment_proof
    at = world.sequence

    def proven(given: bytes) -> bytes:
        return replace(file, commitment_proof=given).encode()

    changed = file.commitment.replace(b'"25000"', b'"25001"').replace(b'"24000"', b'"24001"')
    assert changed != file.commitment
    return [
        ("no proof of the commitment", "proof", proven(b"")),
        ("an index of another event", "event", proven(
            proof.replace(b"index %d" % at, b"index %d" % (at - 1)))),
        ("no signature", "checkpoint", proven(proof[: proof.index("— ".encode())])),
        ("a checkpoint of another key", "signature",
         replace(world, signers=(IMPOSTOR,)).inclusion("ada").encode()),
        ("everything of another log", "origin", theirs.inclusion("ada").encode()),
        ("an entry of another log", "event",
         replace(file, commitment=theirs.inclusion("ada").commitment).encode()),
        ("totals changed after the signature", "inclusion", replace(file, commitment=changed).encode()),
        ("a path of another entry", "inclusion", proven(
            world.proof_of(at + 1).replace(b"index %d" % (at + 1), b"index %d" % at))),
    ]  # fmt: skip


def _refused_for_the_commitment(world: Committed) -> list[tuple[str, str, bytes]]:
    file, header = world.inclusion("ada"), world.made.header
    deposit = replace(
        file,
        commitment=world.entries[world.sequence + 1],
        commitment_proof=world.proof_of(world.sequence + 1),
    )
    at_itself = world.with_tree(as_of_sequence=world.sequence)
    incomplete = world.changed({world.sequence: lambda data: data["totals"].pop("shortfall")})
    liabilities = texts(world.made.commitment.totals[LIABILITIES])

    def other_header(**changes: Any) -> bytes:
        return replace(file, header=replace(header, **changes)).encode()

    def total(amounts: Mapping[str, str]) -> bytes:
        return world.with_totals(liabilities=dict(amounts)).inclusion("ada").encode()

    return [
        ("an event that is no commitment", "commitment", deposit.encode()),
        (
            "a commitment to a state that it is itself part of",
            "commitment",
            at_itself.inclusion("ada").encode(),
        ),
        ("a commitment without one of the totals", "commitment", incomplete.inclusion("ada").encode()),
        ("a header of another origin", "header", other_header(origin=OTHER)),
        ("a header of another sequence", "header", other_header(as_of_sequence=header.as_of_sequence - 1)),
        ("a header of another version", "header", other_header(projection_version=1)),
        ("totals of less", "totals", total({**liabilities, "USDT": "1"})),
        ("totals without an asset", "totals", total({"BTC": liabilities["BTC"]})),
        ("totals with another asset", "totals", total({**liabilities, "XRP": "0"})),
    ]


def _refused_for_the_tree(world: Committed) -> list[tuple[str, str, bytes]]:
    file, header = world.inclusion("ada"), world.made.header
    placed = file.leaves[0]
    siblings = placed.siblings
    split = committed(parts=3)
    of_split = split.inclusion("ada")
    older = committed({**CUSTOMERS, "ada": {"A1": {"USDT": "1", "BTC": "1"}, "A2": {"USDT": "1"}}})
    largest = "171" + "0" * 18  # of a scale of 18: 1.71 × 10^38 units, 2^127 is 1.70141… × 10^38
    whale = committed(WHALES, scales={"ETH": "18"}, reserves=ETH_ONLY).inclusion("whole").encode()
    twins = committed({name: {name: {"USDT": "10"}} for name in ("ada", "bert")})
    first, second = header.assets

    def pathed(*nodes: Node) -> bytes:
        return replace(file, leaves=(replace(placed, siblings=nodes),)).encode()

    def raised(node: Node, units: int) -> Node:
        return Node(node.hash, (node.sums[0], node.sums[1] + units))

    def other_header(**changes: Any) -> bytes:
        return replace(world.inclusion("berta"), header=replace(header, **changes)).encode()

    def of_leaf(**changes: Any) -> bytes:
        return replace(file, leaves=(replace(placed, leaf=replace(placed.leaf, **changes)),)).encode()

    out_of_range = [
        ("a sibling's sum of 2^127", pathed(Node(siblings[0].hash, (SUM_LIMIT, 0)), *siblings[1:])),
        ("a sibling's sum that wrapped below zero",
         pathed(siblings[0], raised(siblings[1], 2**128 - 1 - siblings[1].sums[1]))),
        ("sums that wrap on the way",
         pathed(Node(siblings[0].hash, (SUM_LIMIT - 1, 0)), Node(siblings[1].hash, (SUM_LIMIT - 1, 0)))),
        ("a leaf of more than 2^127", edited(whale, "leaves", 0, "sums", "ETH", to=largest)),
    ]  # fmt: skip
    other_root = [
        ("a leaf that is owed less", of_leaf(packed=pack((placed.leaf.sums[0], 1)))),
        ("another nonce", of_leaf(nonce=bytes(32))),
        ("the leaf of somebody else who is owed the same",
         edited(twins.inclusion("ada").encode(), "customer", to="bert")),
        ("another place", edited(file.encode(), "leaves", 0, "index", to=placed.index ^ 1)),
        ("a sibling with another hash", pathed(Node(bytes(32), siblings[0].sums), *siblings[1:])),
        ("a sibling that is owed less", pathed(siblings[0], raised(siblings[1], -1))),
        ("sums moved from a sibling to another", pathed(raised(siblings[0], 1), raised(siblings[1], -1))),
        ("a sum moved from the leaf to its sibling", replace(file, leaves=(replace(
            placed, leaf=replace(placed.leaf, packed=pack((placed.leaf.sums[0], placed.leaf.sums[1] - 1))),
            siblings=(raised(siblings[0], 1), siblings[1])),)).encode()),
        ("a leaf of another state", replace(
            file, leaves=older.inclusion("ada").leaves, header=older.made.header).encode()),
        ("a part of somebody else", replace(of_split, leaves=(
            *of_split.leaves[:2], split.inclusion("berta").leaves[2])).encode()),
        ("a part kept back, and a header of fewer", edited(edited(
            of_split.encode(), "header", "parts", to=2), "leaves", to=lambda given: given[:2])),
        ("another scale", other_header(assets=(Asset(first.asset, first.scale + 1), second))),
        ("another name of an asset", other_header(assets=(Asset("AAA", first.scale), second))),
        ("an undetermined asset kept quiet about", edited(committed(
            position_without_mark=True).inclusion("berta").encode(), "header", "undetermined", to=[])),
        ("an older age allowed", other_header(maximum_age_seconds=header.maximum_age_seconds * 30)),
        ("another time", other_header(time=header.time + timedelta(seconds=1))),
        ("a tree in which only somebody else counts", _only_somebody_else(committed(
            {"ada": {"A1": {"USDT": "10"}}, "bert": {"B1": {"USDT": "7"}}})).encode()),
    ]  # fmt: skip
    return [
        *((what, "sum", given) for what, given in out_of_range),
        *((what, "liabilities_root", given) for what, given in other_root),
    ]


def _only_somebody_else(world: Committed) -> Inclusion:
    """Return Bert's file under a root that counts only Ada: her sibling is said to be owed nothing."""
    ada = world.inclusion("ada").leaves[0]
    nothing = Node(ada.siblings[0].hash, (0,))
    pair = (nothing, ada.leaf.node) if ada.index else (ada.leaf.node, nothing)
    root = world.made.header.liabilities_root(parent(*pair)).hex()
    return world.committing(liabilities_root=root).with_totals(liabilities={"USDT": "10"}).inclusion("bert")
