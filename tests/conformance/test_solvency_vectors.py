"""The published vectors of solvency proofs, by our code."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.amounts import format_exact
from ledger.canonical import encode, leaf_hash
from ledger.chain import decode_event
from ledger.clock import format_time, parse_time
from ledger.errors import EvidenceRefusedError
from ledger.merkle import root_hash
from ledger.note import VerifierKey
from ledger.trust import TrustPolicy
from replay.solvency import (
    Blinding,
    Expected,
    Header,
    History,
    Inclusion,
    Leaf,
    Node,
    ProofFormError,
    SolvencyProof,
    SubjectHistories,
    check_inclusion_file,
    check_proof,
    leaves_of,
)
from replay.solvency.proofs.inclusion import decode_path, encode_path
from replay.solvency.proofs.sum_tree import pack, parent

FILE = Path(__file__).resolve().parents[2] / "docs" / "spec" / "vectors" / "solvency.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
INCLUSION, PROOF, PRIMITIVES = VECTORS["inclusion"], VECTORS["proof"], VECTORS["primitives"]
CHECKS_OF_THE_LOG = {"proof", "checkpoint", "origin", "signature", "event", "inclusion"}
CHECKS_OF_BOTH = {"form", "commitment", "header", "sum", "liabilities_root", "totals"}


def each(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: str(vector["what"]))


def policy(vector: dict[str, Any]) -> TrustPolicy:
    return TrustPolicy.of((VerifierKey.parse(vector["vkey"]),))


def node(written: dict[str, Any]) -> Node:
    return Node(bytes.fromhex(written["hash"]), tuple(int(units) for units in written["sums"]))


def leaf(written: dict[str, Any]) -> Leaf:
    sums = pack(int(units) for units in written["sums"])
    return Leaf(written["customer"], written["part"], bytes.fromhex(written["nonce"]), sums)


def test_every_check_of_the_specification_has_a_vector_that_fails_it() -> None:
    checks = {vector["check"] for vector in INCLUSION["refused"]}
    assert checks == CHECKS_OF_BOTH | CHECKS_OF_THE_LOG
    checks = {vector["check"] for vector in PROOF["refused"]}
    assert checks >= CHECKS_OF_BOTH | {"signature", "origin", "inclusion", "attestations", "reserves"}
    assert {vector["solvent"] for vector in PROOF["hold"]} == {True, False, None}


def test_no_vector_says_the_same_as_another() -> None:
    for vectors in (*INCLUSION.values(), *PROOF.values()):
        assert len({vector["what"] for vector in vectors}) == len(vectors)
        contents = {json.dumps({**vector, "what": "", "check": ""}) for vector in vectors}
        assert len(contents) == len(vectors)


@each(INCLUSION["hold"])
def test_an_inclusion_file_that_holds_shows_what_is_owed(vector: dict[str, Any]) -> None:
    data = vector["file"].encode()
    checked = check_inclusion_file(data, policy(vector), Expected(customer=vector["customer"]))
    owed = checked.inclusion.owed()
    assert {asset: format_exact(amount) for asset, amount in owed.items()} == vector["owed"]
    header = checked.inclusion.header
    assert (header.as_of_sequence, format_time(header.time)) == (vector["as_of_sequence"], vector["time"])
    assert Inclusion.parse(data).encode() == data


@each(INCLUSION["refused"])
def test_an_inclusion_file_that_does_not_hold_is_refused_by_its_check(vector: dict[str, Any]) -> None:
    with pytest.raises(EvidenceRefusedError) as refused:
        check_inclusion_file(vector["file"].encode(), policy(vector))
    assert refused.value.check == vector["check"]


@each(INCLUSION["hold"])
def test_a_file_of_another_customer_or_an_older_state_than_expected_is_refused(
    vector: dict[str, Any],
) -> None:
    data = vector["file"].encode()
    for expected, check in (
        (Expected(customer=vector["customer"] + "x"), "customer"),
        (Expected(not_before_sequence=vector["as_of_sequence"] + 1), "age"),
        (Expected(not_before_time=parse_time(vector["time"].replace("2026", "2027"))), "age"),
    ):
        with pytest.raises(EvidenceRefusedError) as refused:
            check_inclusion_file(data, policy(vector), expected)
        assert refused.value.check == check


def files(vector: dict[str, Any]) -> tuple[bytes, bytes, bytes, TrustPolicy]:
    proof, entry, inclusion = (vector[name].encode() for name in ("proof", "commitment", "inclusion"))
    assert entry.endswith(b"\n")
    return proof, entry[:-1], inclusion, policy(vector)


@each(PROOF["hold"])
def test_a_proof_that_holds_shows_what_is_owed_what_is_there_and_the_verdict(vector: dict[str, Any]) -> None:
    checked = check_proof(*files(vector))
    for amounts, name in ((checked.liabilities, "liabilities"), (checked.reserves, "reserves")):
        assert {asset: format_exact(amount) for asset, amount in amounts.items()} == vector[name]
    assert checked.solvent is vector["solvent"]
    assert SolvencyProof.parse(vector["proof"].encode()).encode() == vector["proof"].encode()


@each(PROOF["refused"])
def test_a_proof_that_does_not_hold_is_refused_by_its_check(vector: dict[str, Any]) -> None:
    with pytest.raises(EvidenceRefusedError) as refused:
        check_proof(*files(vector))
    assert refused.value.check == vector["check"]


# What they are made of.


@pytest.mark.parametrize("vector", PRIMITIVES["leaves"])
def test_the_hash_of_a_leaf(vector: dict[str, Any]) -> None:
    assert leaf(vector).hash.hex() == vector["hash"]


@pytest.mark.parametrize("vector", PRIMITIVES["nodes"])
def test_the_node_over_two(vector: dict[str, Any]) -> None:
    assert parent(node(vector["left"]), node(vector["right"])) == node(vector["parent"])


@pytest.mark.parametrize("vector", PRIMITIVES["liabilities_roots"])
def test_the_root_over_tree_and_header(vector: dict[str, Any]) -> None:
    header = Header.parse(vector["header"])
    assert encode(header.value()).decode() == vector["header_canonical"]
    assert header.liabilities_root(node(vector["root"])).hex() == vector["liabilities_root"]


@pytest.mark.parametrize("vector", PRIMITIVES["blinding"])
def test_nonces_and_draws(vector: dict[str, Any]) -> None:
    blinding = Blinding(
        bytes.fromhex(vector["seed"]), origin=vector["origin"], as_of_sequence=vector["as_of_sequence"]
    )
    assert blinding.nonce(vector["customer"], vector["part"]).hex() == vector["nonce"]
    draw = blinding.fraction(vector["customer"], vector["part"], vector["place"])
    assert draw == int(vector["draw"], 16)


def test_claims_split_into_parts_with_their_padding() -> None:
    vector = PRIMITIVES["split"]
    blinding = Blinding(
        bytes.fromhex(vector["seed"]), origin=vector["origin"], as_of_sequence=vector["as_of_sequence"]
    )
    claims = [(name, pack(int(units) for units in sums)) for name, sums in vector["claims"].items()]
    found = leaves_of(claims, blinding, assets=2, parts=vector["parts"])
    assert found == [leaf(written) for written in vector["leaves"]]
    assert [each.hash.hex() for each in found] == [written["hash"] for written in vector["leaves"]]


def test_the_history_of_a_subject() -> None:
    history = History(0, bytes(32))
    for vector in PRIMITIVES["histories"]:
        history = history.then(bytes.fromhex(vector["event_hash"]))
        assert (history.events, history.hash.hex()) == (vector["events"], vector["history"])


def test_the_root_over_all_subjects() -> None:
    vector, histories = PRIMITIVES["subjects_root"], SubjectHistories()
    for entry in vector["entries"]:
        histories(None, decode_event(entry.encode(), leaf_hash(entry.encode())))
    assert histories.root().hex() == vector["subjects_root"]
    assert root_hash(leaf_hash(each.encode()) for each in vector["leaves"]).hex() == vector["subjects_root"]


@each(PRIMITIVES["paths"])
def test_a_path_as_bytes_and_back(vector: dict[str, Any]) -> None:
    siblings, path = tuple(map(node, vector["siblings"])), base64.b64decode(vector["path"], validate=True)
    assert encode_path(siblings) == path
    assert decode_path(path, depth=vector["depth"], assets=vector["assets"]) == siblings


@each(PRIMITIVES["paths_refused"])
def test_a_path_that_is_not_in_its_one_form_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(ProofFormError):
        decode_path(base64.b64decode(vector["path"]), depth=vector["depth"], assets=vector["assets"])
