"""The published vectors of checkpoints, proofs, tiles and signed bundles, by our code and a second verifier.

The second one is written from the specifications alone (tests/support/second_verifier.py).
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.canonical import leaf_hash
from ledger.chain import ChainVerifier
from ledger.clock import parse_time
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.export.signature import check_bundle_signature, read_bundle_signature
from ledger.note import Note, NoteFormError, VerifierKey
from ledger.proof import check_consistency, check_inclusion
from ledger.tiles import NodeBuilder, Tile, TileTree, decode_entries, encode_entries, hashes_of, tiles_of
from ledger.trust import TrustPolicy, read_checkpoint, stamped_bytes, trust_checkpoint
from ledger.verify.tiles import verify_tiles
from tests.support import second_verifier as second

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "spec" / "vectors"


def document(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


CHECKPOINT, PROOF, TILES = document("checkpoint.json"), document("proof.json"), document("tiles.json")
BUNDLE = document("bundle-signature.json")
KEYS: dict[str, str] = CHECKPOINT["keys"]
INCLUSION, CONSISTENCY = PROOF["inclusion"], PROOF["consistency"]


def name_of(vector: dict[str, Any]) -> str:
    return str(vector.get("why") or vector.get("what"))


def each(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=name_of)


def data_of(vector: dict[str, Any], name: str) -> bytes:
    """Bytes that are written as text where they are, else in base64."""
    if name in vector:
        return str(vector[name]).encode()
    return base64.b64decode(vector[f"{name}_base64"], validate=True)


def policy(given: dict[str, Any]) -> TrustPolicy:
    compromised_at = given.get("compromised_at")
    return TrustPolicy.of(
        tuple(VerifierKey.parse(KEYS[name]) for name in given["log_keys"]),
        origin=given.get("origin"),
        witness_keys=tuple(VerifierKey.parse(KEYS[name]) for name in given.get("witness_keys", [])),
        required_witnesses=given.get("required_witnesses", 0),
        compromised_at=parse_time(compromised_at) if compromised_at else None,
    )


def stamped_at(vector: dict[str, Any]) -> datetime | None:
    return parse_time(vector["stamped_at"]) if "stamped_at" in vector else None


def second_policy(vector: dict[str, Any], name: str = "policy") -> second.Policy:
    return second.policy(vector.get(name, vector["policy"]), KEYS)


def test_the_vectors_are_those_of_the_program_that_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    generate = importlib.import_module("generate_signed")
    written = generate.documents()
    assert set(written) == {
        *("checkpoint.json", "proof.json", "tiles.json", "bundle-signature.json"),
        *("solvency.json", "ml-dsa-44-signatures.json"),
    }
    for name, content in written.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == content, name


def test_every_check_of_the_specification_has_a_vector_that_fails_it() -> None:
    checks = {vector["check"] for vector in CHECKPOINT["refused"]}
    assert checks == {"checkpoint", "origin", "signature", "witnesses", "compromise"}
    assert {"proof", "event", "inclusion"} <= {vector["check"] for vector in INCLUSION["refused"]}
    assert {"proof", "origin", "old_size", "consistency"} <= {v["check"] for v in CONSISTENCY["refused"]}
    folders = {vector["check"] for folder in TILES["folders"] for vector in folder["refused"]}
    assert folders == {"signature", "tile", "node", "root", "entries", "chain"}
    assert {vector["check"] for vector in BUNDLE["refused"]} == {"signature", "origin", "manifest"}


@each(CHECKPOINT["hold"])
def test_a_checkpoint_that_counts_is_accepted(vector: dict[str, Any]) -> None:
    data, root_hash = data_of(vector, "note"), base64.b64decode(vector["root_hash"])
    trusted = trust_checkpoint(data, policy(vector["policy"]), stamped_at=stamped_at(vector))
    found = trusted.checkpoint
    assert (found.origin, found.size, found.root_hash) == (vector["origin"], vector["size"], root_hash)
    assert list(trusted.witnesses) == vector["witnesses"]
    assert stamped_bytes(trusted.note, found).decode() == vector["stamped_bytes"]
    assert Note.parse(data).encode() == data

    head, names = second.checkpoint(data, second_policy(vector), stamped_at(vector))
    assert (head.origin, head.size, head.root) == (vector["origin"], vector["size"], root_hash)
    assert sorted(names) == vector["witnesses"]
    assert head.stamped().decode() == vector["stamped_bytes"]


@each(CHECKPOINT["refused"])
def test_a_checkpoint_that_does_not_count_is_refused_by_its_check(vector: dict[str, Any]) -> None:
    data = data_of(vector, "note")
    with pytest.raises(EvidenceRefusedError) as ours:
        trust_checkpoint(data, policy(vector["policy"]), stamped_at=stamped_at(vector))
    with pytest.raises(second.RefusedError) as theirs:
        second.checkpoint(data, second_policy(vector), stamped_at(vector))
    assert (ours.value.check, theirs.value.check) == (vector["check"], vector["check"])


@each(CHECKPOINT["policies_refused"])
def test_a_policy_that_cannot_be_meant_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        policy(vector["policy"])
    with pytest.raises(second.RefusedError, match="policy"):
        second_policy(vector)


@each(CHECKPOINT["keys_refused"])
def test_a_line_that_is_no_key_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(NoteFormError):
        VerifierKey.parse(vector["key"])
    with pytest.raises(second.RefusedError, match="key"):
        second.key(vector["key"])


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_read_with_its_id(name: str) -> None:
    ours, theirs = VerifierKey.parse(KEYS[name]), second.key(KEYS[name])
    assert ours.encode() == KEYS[name]
    assert (ours.name, ours.type, ours.public_key, ours.id) == (*theirs, theirs.id)


@each(INCLUSION["hold"])
def test_an_inclusion_proof_that_holds_is_accepted(vector: dict[str, Any]) -> None:
    data, entry = data_of(vector, "proof"), data_of(vector, "entry")
    foreign = vector.get("foreign", False)
    verdict = check_inclusion(data, entry, policy(vector["policy"]), foreign=foreign)
    assert verdict.leaf_hash == second.leaf(entry)
    assert verdict.sequence == second.inclusion(data, entry, second_policy(vector), foreign=foreign)


@each(INCLUSION["refused"])
def test_an_inclusion_proof_that_does_not_hold_is_refused_by_its_check(vector: dict[str, Any]) -> None:
    data, entry = data_of(vector, "proof"), data_of(vector, "entry")
    foreign = vector.get("foreign", False)
    with pytest.raises(EvidenceRefusedError) as ours:
        check_inclusion(data, entry, policy(vector["policy"]), foreign=foreign)
    with pytest.raises(second.RefusedError) as theirs:
        second.inclusion(data, entry, second_policy(vector), foreign=foreign)
    assert (ours.value.check, theirs.value.check) == (vector["check"], vector["check"])


@each(CONSISTENCY["hold"])
def test_a_consistency_proof_that_holds_is_accepted(vector: dict[str, Any]) -> None:
    data, old = data_of(vector, "proof"), data_of(vector, "old")
    trust = policy(vector["policy"])
    grown = check_consistency(data, trust_checkpoint(old, trust), trust)
    head, _ = second.checkpoint(old, second_policy(vector))
    assert grown.checkpoint.size == second.consistency(data, head, second_policy(vector))


@each(CONSISTENCY["refused"])
def test_a_consistency_proof_that_does_not_hold_is_refused_by_its_check(vector: dict[str, Any]) -> None:
    data, old = data_of(vector, "proof"), data_of(vector, "old")
    before = trust_checkpoint(old, policy(vector.get("old_policy", vector["policy"])))
    with pytest.raises(EvidenceRefusedError) as ours:
        check_consistency(data, before, policy(vector["policy"]))
    head, _ = second.checkpoint(old, second_policy(vector, "old_policy"))
    with pytest.raises(second.RefusedError) as theirs:
        second.consistency(data, head, second_policy(vector))
    assert (ours.value.check, theirs.value.check) == (vector["check"], vector["check"])


@pytest.mark.parametrize("vector", TILES["paths"], ids=lambda vector: vector["path"])
def test_a_tile_has_one_name(vector: dict[str, Any]) -> None:
    tile = Tile(vector["level"], vector["index"], vector["width"], entries=vector["entries"])
    assert (tile.path(), Tile.parse(vector["path"])) == (vector["path"], tile)
    row = "entries" if tile.entries else str(tile.level)
    assert second.tile_path(row, tile.index, tile.width) == vector["path"]
    assert second.read_tile_path(vector["path"]) == (row, tile.index, tile.width)


@pytest.mark.parametrize("path", TILES["paths_refused"])
def test_other_names_are_refused(path: str) -> None:
    with pytest.raises(InvalidInputError):
        Tile.parse(path)
    with pytest.raises(second.RefusedError):
        second.read_tile_path(path)


@pytest.mark.parametrize("vector", TILES["trees_of_records"], ids=lambda vector: vector["size"])
def test_a_tree_of_records_has_its_tiles_and_its_root(vector: dict[str, Any]) -> None:
    leaves = [leaf_hash(b"record %d" % number) for number in range(vector["size"])]
    builder, rows = NodeBuilder(), {0: leaves}
    for leaf in leaves:
        for level, _, node in builder.append(leaf):
            rows.setdefault(level, []).append(node)

    def contents(tile: Tile) -> bytes:
        return b"".join(rows[tile.level][tile.first : tile.first + tile.width])

    ours = [(tile.path(), contents(tile)) for tile in tiles_of(vector["size"])]
    assert ours == second.tiles(second.rows(leaves))
    assert [path for path, _ in ours if ".p/" in path] == vector["partial_tiles"]
    assert len(ours) == vector["tiles"]
    whole = b"".join(path.encode() + b"\n" + data for path, data in ours)
    assert hashlib.sha256(whole).hexdigest() == vector["sha256"]
    roots = {TileTree(vector["size"], contents).root(), second.root(leaves)}
    assert {base64.b64encode(root).decode() for root in roots} == {vector["root_hash"]}


@pytest.mark.parametrize("vector", TILES["bundles"], ids=lambda vector: len(vector["entries"]))
def test_a_bundle_is_its_entries_after_their_lengths(vector: dict[str, Any]) -> None:
    entries = [base64.b64decode(entry) for entry in vector["entries"]]
    contents = base64.b64decode(vector["contents"])
    assert (encode_entries(entries), decode_entries(contents)) == (contents, entries)
    assert second.bundle(contents) == entries


@each(TILES["bundles_refused"])
def test_a_bundle_that_ends_inside_an_entry_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        decode_entries(base64.b64decode(vector["contents"]))
    with pytest.raises(second.RefusedError):
        second.bundle(base64.b64decode(vector["contents"]))


def files_of(folder: dict[str, Any], changes: dict[str, str | None] | None = None) -> dict[str, bytes]:
    texts = {**folder["files"], **(changes or {})}
    return {path: base64.b64decode(text) for path, text in texts.items() if text is not None}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@each(TILES["folders"])
def test_a_folder_that_holds_is_verified(vector: dict[str, Any], tmp_path: Path) -> None:
    report = verify_tiles(written(tmp_path, files_of(vector)), policy(vector["policy"]))
    assert (report.ok, report.failures) == (True, [])


@each(TILES["folders"])
def test_a_folder_that_holds_is_accepted_whole(vector: dict[str, Any]) -> None:
    files = files_of(vector)
    second.folder(files, second_policy(vector))
    trusted = trust_checkpoint(files["checkpoint"], policy(vector["policy"]))
    size = trusted.checkpoint.size
    assert {tile.path() for tile in tiles_of(size)} == {
        path for path in files if path[:6] in {"tile/0", "tile/1"}
    }
    assert TileTree(size, lambda tile: files[tile.path()]).root() == trusted.checkpoint.root_hash
    chain = ChainVerifier(trusted.checkpoint.origin)
    for path in (path for path in files if path.startswith("tile/entries")):
        for sequence, entry in enumerate(decode_entries(files[path])):
            assert chain.take(sequence, entry)[0] == []
            assert hashes_of(files["tile/0/000.p/4"])[sequence] == leaf_hash(entry)


REFUSED_FOLDERS = [(folder, vector) for folder in TILES["folders"] for vector in folder["refused"]]


@pytest.mark.parametrize(("folder", "vector"), REFUSED_FOLDERS, ids=name_of)
def test_a_folder_with_one_thing_changed_is_refused_by_its_check(
    folder: dict[str, Any], vector: dict[str, Any], tmp_path: Path
) -> None:
    report = verify_tiles(written(tmp_path, files_of(folder, vector["files"])), policy(folder["policy"]))
    broken = {failure.check for failure in report.failures}
    assert broken & ({*ChainVerifier.CHECKS} if vector["check"] == "chain" else {vector["check"]}), broken

    with pytest.raises(second.RefusedError) as caught:
        second.folder(files_of(folder, vector["files"]), second_policy(folder))
    assert caught.value.check == vector["check"]


def test_reading_a_checkpoint_believes_no_more_than_its_form() -> None:
    for vector in CHECKPOINT["refused"]:
        if vector["check"] == "checkpoint":
            with pytest.raises(EvidenceRefusedError, match=r"^checkpoint: "):
                read_checkpoint(data_of(vector, "note"))
        else:
            assert read_checkpoint(data_of(vector, "note"))[0].encode() == data_of(vector, "note")


def ours_of_bundle(vector: dict[str, Any]) -> tuple[VerifierKey, ...]:
    keys = tuple(VerifierKey.parse(BUNDLE["keys"][name]) for name in vector["trusted"])
    return check_bundle_signature(data_of(vector, "note"), vector["origin"], vector["manifest_sha256"], keys)


def theirs_of_bundle(vector: dict[str, Any]) -> list[second.Key]:
    keys = [second.key(BUNDLE["keys"][name]) for name in vector["trusted"]]
    note = data_of(vector, "note")
    return second.bundle_signature(note, vector["origin"], vector["manifest_sha256"], keys)


@each(BUNDLE["hold"])
def test_a_signature_of_a_bundle_that_counts_is_accepted(vector: dict[str, Any]) -> None:
    signers = {BUNDLE["keys"][name] for name in vector["signed_by"]}
    assert {key.encode() for key in ours_of_bundle(vector)} == signers
    assert theirs_of_bundle(vector) == [second.key(BUNDLE["keys"][name]) for name in vector["signed_by"]]
    assert read_bundle_signature(data_of(vector, "note"))[0].encode() == data_of(vector, "note")


@each(BUNDLE["refused"])
def test_a_signature_of_a_bundle_that_does_not_count_is_refused_by_its_check(vector: dict[str, Any]) -> None:
    with pytest.raises(EvidenceRefusedError) as ours:
        ours_of_bundle(vector)
    with pytest.raises(second.RefusedError) as theirs:
        theirs_of_bundle(vector)
    assert (ours.value.check, theirs.value.check) == (vector["check"], vector["check"])


@each(BUNDLE["inputs_refused"])
def test_a_key_that_signs_no_bundles_of_the_ledger_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        ours_of_bundle(vector)
    with pytest.raises(second.RefusedError, match="keys"):
        theirs_of_bundle(vector)


@each([*BUNDLE["hold"], *BUNDLE["inputs_refused"]])
def test_a_signature_of_a_bundle_is_no_checkpoint(vector: dict[str, Any]) -> None:
    with pytest.raises(EvidenceRefusedError, match=r"^checkpoint: "):
        read_checkpoint(data_of(vector, "note"))
    with pytest.raises(second.RefusedError, match="checkpoint"):
        second.head(data_of(vector, "note"))


@each(CHECKPOINT["hold"])
def test_a_checkpoint_is_no_signature_of_a_bundle(vector: dict[str, Any]) -> None:
    with pytest.raises(EvidenceRefusedError, match=r"^signature: "):
        read_bundle_signature(data_of(vector, "note"))
