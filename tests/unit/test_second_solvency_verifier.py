"""The second verifier of solvency proofs, on a tree of eight leaves that is put together by hand."""

import base64
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.hand_made_proofs import (
    KEY,
    ORIGIN,
    PUBLIC,
    TOTALS,
    VKEY,
    Proof,
    attestation,
    built,
    encoded,
    entry_of,
    note_of,
    written,
)
from tests.support.second_solvency_verifier import Node as ReadNode
from tests.support.second_solvency_verifier import (
    Refused,
    Tree,
    check_folder,
    check_inclusion,
    check_path,
    check_proof,
    check_signature,
    checkpoint_of,
    point_of,
    root_of,
    siblings_of,
    unbase64,
)


def is_read(reader: Callable[..., object], *raw: object) -> bool:
    try:
        reader(*raw)
    except ValueError:
        return False
    return True


def refused_inclusion(raw: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        check_inclusion(raw, VKEY)
    return refusal.value.check


def refused_folder(proof: Proof, folder: Path) -> str:
    with pytest.raises(Refused) as refusal:
        check_folder(written(proof, folder), VKEY)
    return refusal.value.check


def test_an_inclusion_file_says_what_the_customer_is_owed_over_all_parts() -> None:
    assert check_inclusion(encoded(built().inclusion) + b"\n", VKEY) == {
        "customer": "ada",
        "as_of_sequence": 1,
        "time": "2026-01-04T12:00:00.000000Z",
        "owed": {"BTC": "1.5", "USDT": "12.5"},
    }


@pytest.mark.parametrize(
    ("check", "place", "value"),
    [
        ("form", ("format",), "margin-ledger/inclusion/2"),
        ("form", ("customer",), ""),
        ("form", ("customer",), "a\nda"),
        ("form", ("customer",), "Ada Lovelace"),
        ("form", ("commitment",), "{}\n"),
        ("form", ("further",), "member"),
        ("form", ("leaves", 0, "index"), 8),
        ("form", ("leaves", 0, "index"), True),
        ("form", ("leaves", 1, "part"), 0),
        ("form", ("leaves", 0, "sums", "BTC"), "1.500000001"),
        ("form", ("leaves", 0, "sums", "BTC"), "1.50"),
        ("form", ("leaves", 0, "sums", "USDT"), "0"),
        ("form", ("leaves", 0, "sums", "ETH"), "1"),
        ("form", ("leaves", 0, "sums", "USDT"), "-1"),
        ("form", ("leaves", 0, "sums", "USDT"), "1" + "0" * 38),
        ("form", ("leaves", 0, "path"), ""),
        ("form", ("header", "parts"), 3),
        ("form", ("header", "depth"), 41),
        ("form", ("header", "undetermined"), ["BTC", "BTC"]),
        ("form", ("header", "time"), "2026-02-30T12:00:00.000000Z"),
        ("form", ("header", "time"), "2026-01-04T12:00:00.000000"),
        ("form", ("header", "time"), "2026-01-04T12:00:00Z"),
        ("form", ("header", "maximum_age_seconds"), "-1"),
        ("form", ("header", "maximum_age_seconds"), "0.0000000000000000001"),
        ("proof", ("commitment_proof",), "c2sp.org/tlog-proof@v2\nindex 2\n\n"),
        ("proof", ("commitment_proof",), "c2sp.org/tlog-proof@v1\nextra QQ==\n\n"),
        ("event", ("commitment",), "{}"),
        ("header", ("header", "projection_version"), 8),
        ("header", ("header", "origin"), "other.example"),
        ("header", ("header", "projection"), "other"),
        ("sum", ("leaves", 0, "sums", "USDT"), "2" + "0" * 36),
        ("liabilities_root", ("leaves", 0, "sums", "BTC"), "1.4"),
        ("liabilities_root", ("leaves", 0, "nonce"), "0" * 64),
        ("liabilities_root", ("leaves", 1, "nonce"), "0" * 64),
        ("liabilities_root", ("header", "maximum_age_seconds"), "7200"),
        ("liabilities_root", ("customer",), "bob"),
    ],
)
def test_a_changed_inclusion_file_is_refused(check: str, place: tuple[Any, ...], value: object) -> None:
    file: Any = built().inclusion
    inner = file
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert refused_inclusion(encoded(file) + b"\n") == check


def test_a_path_is_read_to_its_last_byte() -> None:
    file = built().inclusion
    path = base64.b64decode(file["leaves"][0]["path"])
    assert len(path) > 32
    for changed in (path[:-1], path + b"\0", path[:32] + b"\xff" + path[33:], path[:20]):
        file["leaves"][0]["path"] = base64.b64encode(changed).decode()
        assert refused_inclusion(encoded(file) + b"\n") == "form"


SIBLING = bytes(range(32))


@pytest.mark.parametrize(
    ("raw", "sums"),
    [
        ("0000", [0, 0, 0]),
        ("1200" + "01" + "0203", [1, 0x0203, 0]),
        ("0e10" + "ff" * 14 + "01", [0, 2**112 - 1, 1]),
        ("f000" + "0001" + "00" * 14, [2**112, 0, 0]),
        ("00f0" + "80" + "00" * 15, [0, 0, 2**127]),
    ],
)
def test_lengths_of_sums_take_half_a_byte_each(raw: str, sums: list[int]) -> None:
    header = {"assets": [{}, {}, {}], "depth": 1}
    path = base64.b64encode(SIBLING + bytes.fromhex(raw)).decode()
    assert siblings_of(path, header) == [(SIBLING, sums)]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("0001", id="the half after an odd number of lengths is not zero"),
        pytest.param("1000" + "00", id="the highest byte is zero"),
        pytest.param("f000" + "0000" + "ff" * 14, id="sixteen bytes for what takes fourteen"),
        pytest.param("f000" + "ff" * 15, id="a byte is missing"),
        pytest.param("00", id="a length is missing"),
        pytest.param("0000" + "00", id="a byte too many"),
    ],
)
def test_a_sibling_is_written_in_one_way_only(raw: str) -> None:
    path = base64.b64encode(SIBLING + bytes.fromhex(raw)).decode()
    assert not is_read(siblings_of, path, {"assets": [{}, {}, {}], "depth": 1})


def test_a_root_has_sums_below_the_limit_too() -> None:
    leaf = {"index": 0, "nonce": "0" * 64, "part": 0}
    half = ReadNode(SIBLING, [2**126])
    assert root_of(leaf, "ada", [2**126 - 1], [half]).sums == [2**127 - 1]
    assert not is_read(root_of, leaf, "ada", [2**126], [half])


def test_a_file_of_more_than_a_million_bytes_is_refused() -> None:
    for length, holds in ((740_000, True), (748_900, False)):
        file = built().inclusion
        extra = f"v1\nextra {base64.b64encode(bytes(length)).decode()}\n"
        file["commitment_proof"] = file["commitment_proof"].replace("v1\n", extra, 1)
        raw = encoded(file) + b"\n"
        assert (len(raw) <= 1_000_000) is holds
        assert len(file["commitment_proof"]) < 1_000_000
        assert check_inclusion(raw, VKEY) if holds else refused_inclusion(raw) == "form"


def test_a_path_is_as_long_as_the_signed_size_asks_for() -> None:
    leaf = sha256(b"\0entry").digest()
    above = sha256(b"\x01" + SIBLING + leaf).digest()
    assert is_read(check_path, b"entry", 0, [], Tree(ORIGIN, 1, leaf))
    assert not is_read(check_path, b"entry", 1, [], Tree(ORIGIN, 1, leaf))
    assert not is_read(check_path, b"entry", 0, [SIBLING], Tree(ORIGIN, 1, above))


def test_one_leaf_is_not_two_parts() -> None:
    file = built().inclusion
    file["leaves"][1]["index"] = file["leaves"][0]["index"]
    assert refused_inclusion(encoded(file) + b"\n") == "form"


def test_an_entry_nests_at_most_64_levels_deep() -> None:
    # The entry, its event and the data are three, and data that is not a commitment's fails a later check.
    for levels, check in ((61, "commitment"), (62, "event")):
        nested = json.loads("[" * levels + "]" * levels)
        assert refused_inclusion(encoded(built(data={"further": nested}).inclusion) + b"\n") == check


def test_base64_is_read_in_one_way_only() -> None:
    assert unbase64("QQ==") == b"A"
    for changed in ("QR==", "QQ=", "QQ", "QQ==\n", "Q Q==", "_w==", "QQ==é"):
        assert not is_read(unbase64, changed)


def test_bytes_that_are_not_canonical_are_refused() -> None:
    raw = encoded(built().inclusion)
    twice = raw.replace(b'{"commitment":', b'{"customer":"ada","commitment":', 1)
    for changed in (
        raw,
        raw + b" ",
        raw + b"\n\n",
        b" " + raw + b"\n",
        twice + b"\n",
        raw.replace(b":7,", b":7.0,") + b"\n",
    ):
        assert refused_inclusion(changed) == "form"


def test_what_is_signed_is_held_against_the_signature_and_the_path() -> None:
    file = built().inclusion
    proof = file["commitment_proof"]
    note = proof.partition("\n\n")[2]
    changes = {
        "checkpoint": proof.replace("— ", "- "),
        "origin": proof.replace(f"\n\n{ORIGIN}", "\n\nother.example"),
        "signature": proof.replace(
            note, note_of(3, bytes(32)).rpartition("\n\n")[0] + "\n\n" + note.rpartition("\n\n")[2]
        ),
        "inclusion": proof.replace(note, note_of(3, bytes(32))),
        "event": proof.replace("index 2", "index 1"),
    }
    for check, changed in changes.items():
        assert changed != proof
        assert refused_inclusion(encoded(file | {"commitment_proof": changed}) + b"\n") == check


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("commitment", {"data": {"as_of_sequence": "2"}}),
        ("commitment", {"data": {"state_root": "1" * 63}}),
        ("commitment", {"data": {"further": "member"}}),
        ("commitment", {"data": {"totals": {name: TOTALS[name] for name in ("liabilities", "reserves")}}}),
        ("commitment", {"totals": {"shortfall": {"USDT": "0"}}}),
        ("commitment", {"totals": {"fees": {"BTC": "01"}}}),
        ("commitment", {"event": {"occurred_at": "2026-01-04"}}),
        ("commitment", {"event": {"schema": 2}}),
        ("commitment", {"event": {"source": {}}}),
        ("commitment", {"event": {"further": "member"}}),
        ("commitment", {"event": {"id": "2"}}),
        ("commitment", {"event": {"actor": "a" * 257}}),
        ("commitment", {"event": {"type": "ReserveAttested"}}),
        ("commitment", {"totals": {"fees": {f"ASSET-{number}": "1" for number in range(5_000)}}}),
        ("event", {"event": {"id": ""}}),
        ("event", {"event": {"schema": 2**53}}),
        ("form", {"event": {"actor": "\x7f"}}),
        ("event", {"data": {"further": 1}}),
        ("event", {"data": {"further": None}}),
        ("event", {"data": {"é": "member"}}),
        ("header", {"header": {"as_of_sequence": 0}}),
        ("liabilities_root", {"data": {"liabilities_root": "0" * 64}}),
        ("totals", {"totals": {"liabilities": {"BTC": "1.50000001"}}}),
        ("totals", {"totals": {"liabilities": {"BTC": "1.50000001", "ETH": "0", "USDT": "15.5"}}}),
        ("totals", {"totals": {"liabilities": {"BTC": "1.5", "USDT": "15.5"}}}),
        ("sum", {"parts": {"bob": ((0, 2**126), (0, 2**126))}}),
    ],
)
def test_a_signed_commitment_that_does_not_hold_is_refused(check: str, changes: dict[str, Any]) -> None:
    assert refused_inclusion(encoded(built(**changes).inclusion) + b"\n") == check


def test_further_totals_are_accepted() -> None:
    assert check_inclusion(encoded(built(totals={"fees": {"BTC": "1"}}).inclusion) + b"\n", VKEY)["owed"]


def test_a_folder_says_what_is_owed_and_held(tmp_path: Path) -> None:
    assert check_folder(written(built(), tmp_path), VKEY) == {
        "liabilities": TOTALS["liabilities"],
        "reserves": TOTALS["reserves"],
        "solvent": True,
    }


@pytest.mark.parametrize(
    ("expected", "changes", "reserves"),
    [
        (False, {}, {"BTC": "1", "USDT": "20"}),
        (None, {"undetermined": ["BTC"]}, {"BTC": "1", "USDT": "20"}),
        (False, {"undetermined": ["ETH"]}, {"BTC": "1", "USDT": "20"}),
        (None, {"undetermined": ["ETH"]}, {"BTC": "2", "USDT": "20"}),
        (True, {}, {"BTC": "1.50000001", "USDT": "15.5"}),
        (True, {"maximum_age_seconds": "1800"}, {"BTC": "2", "USDT": "20"}),
        (False, {"maximum_age_seconds": "1799.999999"}, {}),
        (False, {"time": "2026-01-04T11:29:59.999999Z"}, {}),
    ],
)
def test_the_verdict(
    expected: object, changes: dict[str, Any], reserves: dict[str, str], tmp_path: Path
) -> None:
    entries = [attestation(n, asset, reserves.get(asset, "20")) for n, asset in enumerate(("BTC", "USDT"))]
    proof = built(header=changes, totals={"reserves": reserves}, entries=entries)
    assert check_folder(written(proof, tmp_path), VKEY)["solvent"] is expected


def test_no_attestation_is_no_verdict(tmp_path: Path) -> None:
    proof = built(totals={"reserves": {}})
    proof.folder["proof.json"]["attestations"] = []
    assert check_folder(written(proof, tmp_path), VKEY)["solvent"] is None


def test_a_correction_stands_for_the_attestation_it_holds(tmp_path: Path) -> None:
    replacement = attestation(0, "USDT", "20")["event"]["data"]
    corrected_id = "00000000-0000-4000-8000-000000000009"
    correction = {"action": "replace", "approvers": [], "corrects": corrected_id, "reason": "r"}
    corrected = entry_of(1, "CorrectionRecorded", correction | {"replacement": replacement})
    proof = built(entries=[attestation(0, "BTC", "2"), corrected])
    assert check_folder(written(proof, tmp_path), VKEY)["solvent"] is True


@pytest.mark.parametrize(
    ("check", "file", "place", "value"),
    [
        ("form", "proof.json", ("root", "hash"), "0" * 63),
        ("form", "proof.json", ("root", "sums"), {"BTC": "1.50000001"}),
        ("liabilities_root", "proof.json", ("root", "hash"), "0" * 64),
        ("form", "proof.json", ("attestations", 0, "further"), "member"),
        ("form", "proof.json", ("format",), "margin-ledger/inclusion/1"),
        ("sum", "proof.json", ("root", "sums", "USDT"), "2" + "0" * 36),
        ("attestations", "proof.json", ("attestations", 0, "path", 0), "0" * 64),
        ("event", "commitment.json", ("link", "sequence"), 3),
        ("inclusion", "commitment.json", ("link", "nonce"), "1" * 32),
    ],
)
def test_a_changed_folder_is_refused(
    check: str, file: str, place: tuple[Any, ...], value: object, tmp_path: Path
) -> None:
    proof = built()
    inner = proof.folder[file]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert refused_folder(proof, tmp_path) == check


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("reserves", {"totals": {"reserves": {"BTC": "2", "USDT": "25"}}}),
        ("reserves", {"totals": {"reserves": {"BTC": "2", "DAI": "0", "USDT": "20"}}}),
        ("attestations", {"entries": [attestation(0, "BTC", "1"), attestation(1, "BTC", "1")]}),
        ("attestations", {"entries": [attestation(0, "BTC", "2"), entry_of(1, "DepositCredited", {})]}),
        ("attestations", {"header": {"as_of_sequence": 0}, "data": {"as_of_sequence": "0"}}),
    ],
)
def test_a_signed_folder_that_does_not_hold_is_refused(
    check: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    assert refused_folder(built(**changes), tmp_path) == check


def test_a_custodian_is_attested_for_each_address(tmp_path: Path) -> None:
    entries = [attestation(0, "BTC", "1"), attestation(1, "BTC", "1", address="x")]
    proof = built(entries=entries, totals={"reserves": {"BTC": "2"}})
    assert check_folder(written(proof, tmp_path), VKEY)["solvent"] is False


def test_what_is_encumbered_beyond_the_amount_takes_nothing_from_others(tmp_path: Path) -> None:
    entries = [attestation(0, "BTC", "2"), attestation(1, "USDT", "1", encumbered="5")]
    proof = built(entries=entries, totals={"reserves": {"BTC": "2", "USDT": "0"}})
    assert check_folder(written(proof, tmp_path), VKEY)["solvent"] is False


def test_attestations_stand_in_ascending_order(tmp_path: Path) -> None:
    proof = built()
    proof.folder["proof.json"]["attestations"].reverse()
    assert refused_folder(proof, tmp_path) == "attestations"


def test_what_is_published_ends_with_one_line_end(tmp_path: Path) -> None:
    proof = built()
    raw = encoded(proof.folder["proof.json"])
    for changed in (raw, raw + b" ", raw + b"\n\n", b"\n"):
        proof.folder["proof.json"] = changed
        assert refused_folder(proof, tmp_path) == "form"


def test_a_commitment_ends_with_one_line_end(tmp_path: Path) -> None:
    proof = built()
    raw = encoded(proof.folder["commitment.json"])
    for changed in (raw, raw + b" ", raw + b"\n\n", b"\n"):
        proof.folder["commitment.json"] = changed
        assert refused_folder(proof, tmp_path) == ("event" if changed.endswith(b"\n") else "form")


@pytest.mark.parametrize("name", ["proof.json", "commitment.json", "commitment.tlog-proof"])
def test_where_a_file_is_missing_there_is_nothing_to_check(name: str, tmp_path: Path) -> None:
    (written(built(), tmp_path) / name).unlink()
    with pytest.raises(FileNotFoundError):
        check_folder(tmp_path, VKEY)


@pytest.mark.parametrize(
    "vkey", ["", VKEY[:-4], VKEY.replace(ORIGIN, "other.example"), VKEY.replace("+", " +", 1)]
)
def test_nothing_begins_with_a_key_that_is_out_of_form(vkey: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_inclusion(encoded(built().inclusion) + b"\n", vkey)
    assert refusal.value.check == "key"


SPEC = Path(__file__).parents[2] / "docs" / "spec" / "vectors"


def vectors(name: str) -> Iterator[Any]:
    """The published vectors whose policy is one Ed25519 log key of a margin ledger."""
    published = json.loads((SPEC / f"{name}.json").read_text(encoding="utf-8"))
    of_kind = published["inclusion"] if name == "proof" else published
    for vector in of_kind["hold"] + of_kind["refused"]:
        if vector["policy"] == {"log_keys": ["log"]} and not vector.get("foreign"):
            yield pytest.param(vector, published["keys"]["log"], id=vector.get("what") or vector["why"])


def refused_check(reader: Callable[..., object], *raw: object) -> str | None:
    try:
        reader(*raw)
    except Refused as refusal:
        return refusal.check
    return None


@pytest.mark.parametrize(("vector", "key"), list(vectors("proof")))
def test_the_published_vectors_of_inclusion_proofs_hold_for_it(vector: dict[str, Any], key: str) -> None:
    check = refused_check(check_proof, vector["proof"].encode(), vector["entry"].encode(), key)
    assert check == vector.get("check")


@pytest.mark.parametrize(("vector", "key"), list(vectors("checkpoint")))
def test_the_published_vectors_of_checkpoints_hold_for_it(vector: dict[str, Any], key: str) -> None:
    note = vector["note"].encode() if "note" in vector else base64.b64decode(vector["note_base64"])
    assert refused_check(checkpoint_of, note, key) == vector.get("check")


def test_the_published_vectors_of_keys_hold_for_it() -> None:
    published = json.loads((SPEC / "checkpoint.json").read_text(encoding="utf-8"))
    for vector in published["keys_refused"]:
        assert refused_check(checkpoint_of, b"", vector["key"]) == "key", vector["why"]


def test_ed25519_refuses_what_admits_two_readings() -> None:
    message, key = b"message", PUBLIC[1:]
    signature = KEY.sign(message)
    order = 2**252 + 27742317777372353535851937790883648493
    raised = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert is_read(check_signature, key, message, signature)
    assert not is_read(check_signature, key, b"another", signature)
    assert not is_read(check_signature, key, message, signature[:32] + raised)
    assert not is_read(check_signature, key, message, signature + b"\0")
    assert not is_read(point_of, (1 | 1 << 255).to_bytes(32, "little"))
    # Only y below p is read, though the 19 numbers from p to 2^255 - 1 fit in the bytes.
    encodings = [(number, number + 2**255 - 19) for number in range(19)]
    assert any(is_read(point_of, y.to_bytes(32, "little")) for y, _ in encodings)
    assert not any(is_read(point_of, y.to_bytes(32, "little")) for _, y in encodings)
