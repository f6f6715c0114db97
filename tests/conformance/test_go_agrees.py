"""Go's checksum database (golang.org/x/mod/sumdb), which shares no code with us, agrees with our bytes.

The program under ``go/`` answers with that code: it opens our notes, computes our roots, checks our
proofs and makes proofs that we check. Where one refuses, the other has to refuse too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import EvidenceRefusedError
from ledger.merkle import root_hash, verify_consistency, verify_inclusion
from ledger.note import Note, NoteFormError, Signature, VerifierKey
from ledger.tiles import NodeBuilder, Tile, TileTree, tiles_of
from ledger.trust import trust_checkpoint
from tests.support.chains import chain_of
from tests.support.keys import AT, ORIGIN, log_key, policy, quantum_key, witness_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask: TypeAlias = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

PROGRAM = Path(__file__).parent / "go" / "main.go"
PACKAGES = "golang-go and golang-golang-x-mod-dev"
SIZES = [*range(1, 301), 511, 512, 513, 1000, 1024, 1025, 4095, 4097]
LARGEST = SIZES[-1]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the Go program a list of questions; it starts anew each time."""
    folder = tmp_path_factory.mktemp("go")
    go = shutil.which("go")
    assert go is not None, f"no program `go`; these tests need the Debian packages {PACKAGES}"
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder)}
    build = subprocess.run(
        [go, "build", "-o", folder / "sumdb", PROGRAM],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, f"{build.stderr}\nthese tests need the Debian packages {PACKAGES}"

    def ask(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lines = "\n".join(json.dumps(question) for question in questions)
        run = subprocess.run(
            [folder / "sumdb"], input=lines, capture_output=True, text=True, check=False, timeout=300
        )
        assert run.returncode == 0, run.stderr
        answers = [json.loads(line) for line in run.stdout.splitlines()]
        assert len(answers) == len(questions)
        return answers

    return ask


@cache
def leaves() -> list[bytes]:
    return [hashlib.sha256(b"leaf %d" % number).digest() for number in range(LARGEST)]


@cache
def root(size: int) -> bytes:
    return root_hash(leaves()[:size])


@cache
def nodes() -> dict[tuple[int, int], bytes]:
    builder = NodeBuilder()
    return {(level, index): node for leaf in leaves() for level, index, node in builder.append(leaf)}


def contents(tile: Tile) -> bytes:
    places = range(tile.first, tile.first + tile.width)
    return b"".join(leaves()[each] if tile.level == 0 else nodes()[tile.level, each] for each in places)


@cache
def tree(size: int) -> TileTree:
    return TileTree(size, contents)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def texts(hashes: list[bytes]) -> list[str]:
    return [text(each) for each in hashes]


def hashes_of(answer: dict[str, Any]) -> list[bytes]:
    assert "refused" not in answer, answer
    return [base64.b64decode(each) for each in answer.get("hashes", [])]


def grow() -> dict[str, Any]:
    return {"ask": "grow", "leaves": texts(leaves())}


def leaves_of(size: int) -> list[int]:
    """Every leaf of a small tree; the ends and some in between of a larger one."""
    if size <= 40:
        return list(range(size))
    rng = random.Random(size)
    return sorted({0, 1, size // 2, size - 2, size - 1, *rng.sample(range(size), 6)})


def old_sizes_of(size: int) -> list[int]:
    return [leaf + 1 for leaf in leaves_of(size)]


def changed_paths(path: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Paths that are none: each hash changed in turn, one too few, one too many, two swapped."""
    for place, each in enumerate(path):
        yield "hash changed", [*path[:place], bytes([each[0] ^ 1]) + each[1:], *path[place + 1 :]]
    if path:
        yield "last hash left out", path[:-1]
        yield "first hash left out", path[1:]
    yield "hash added at the end", [*path, bytes(32)]
    yield "hash added at the start", [leaves()[0], *path]
    if len(path) > 1:
        yield "two hashes swapped", [path[1], path[0], *path[2:]]


def test_the_root_of_every_size_is_the_same(ask: Ask) -> None:
    _, *answers = ask([grow(), *({"ask": "root", "size": size} for size in SIZES)])
    assert [hashes_of(answer) for answer in answers] == [[root(size)] for size in SIZES]
    assert [tree(size).root() for size in SIZES] == [root(size) for size in SIZES]


def test_inclusion_proofs_are_the_same_and_hold_on_both_sides(ask: Ask) -> None:
    cases = [(size, leaf) for size in SIZES for leaf in leaves_of(size)]
    _, *proofs = ask([grow(), *({"ask": "prove record", "size": n, "index": i} for n, i in cases)])
    for (size, leaf), answer in zip(cases, proofs, strict=True):
        proof = hashes_of(answer)
        assert proof == tree(size).inclusion_proof(leaf), (size, leaf)
        assert verify_inclusion(leaves()[leaf], leaf, size, proof, root(size)), (size, leaf)
    checked = ask([record(size, leaf, tree(size).inclusion_proof(leaf)) for size, leaf in cases])
    assert [case for case, answer in zip(cases, checked, strict=True) if "refused" in answer] == []
    assert len(cases) > 3000


def test_consistency_proofs_are_the_same_and_hold_on_both_sides(ask: Ask) -> None:
    cases = [(size, old) for size in SIZES for old in old_sizes_of(size)]
    _, *proofs = ask([grow(), *({"ask": "prove tree", "size": n, "old_size": m} for n, m in cases)])
    for (size, old), answer in zip(cases, proofs, strict=True):
        proof = hashes_of(answer)
        assert proof == tree(size).consistency_proof(old), (size, old)
        assert verify_consistency(old, size, proof, root(old), root(size)), (size, old)
    checked = ask([growth(size, old, tree(size).consistency_proof(old)) for size, old in cases])
    assert [case for case, answer in zip(cases, checked, strict=True) if "refused" in answer] == []
    assert len(cases) > 3000


def test_inclusion_proofs_with_one_thing_changed_are_refused_by_both(ask: Ask) -> None:
    cases: list[tuple[str, int, int, list[bytes], bytes, bytes]] = []
    for size in SIZES[1::7]:
        for leaf in leaves_of(size)[::3]:
            path, given = tree(size).inclusion_proof(leaf), (leaves()[leaf], root(size))
            cases += [(what, size, leaf, other, *given) for what, other in changed_paths(path)]
            cases += [
                ("index before", size, leaf - 1, path, *given),
                ("index after", size, leaf + 1, path, *given),
                ("smaller tree", size - 1, leaf, path, *given),
                ("larger tree", size + 1, leaf, path, *given),
                ("twice the tree", 2 * size, leaf, path, *given),
                ("another leaf", size, leaf, path, leaves()[leaf - 1], root(size)),
                ("another root", size, leaf, path, leaves()[leaf], root(size - 1)),
                ("root as leaf", size, leaf, [], root(size), root(size)),
            ]
    answers = ask([record(size, index, path, a, b) for _, size, index, path, a, b in cases])
    refused, kinds = Counter[str](), Counter[str]()
    for (what, size, index, path, leaf_bytes, root_bytes), answer in zip(cases, answers, strict=True):
        kinds[what] += 1
        holds = verify_inclusion(leaf_bytes, index, size, path, root_bytes)
        assert holds == ("refused" not in answer), (what, size, index, answer)
        refused[what] += not holds
    # A path may fit two tree sizes; that is why the size stands in what is signed.
    assert {what for what in kinds if refused[what] != kinds[what]} <= {"smaller tree", "larger tree"}
    assert refused.total() > 2500


def test_consistency_proofs_with_one_thing_changed_are_refused_by_both(ask: Ask) -> None:
    cases: list[tuple[str, int, int, list[bytes], bytes, bytes]] = []
    for size in SIZES[1::7]:
        for old in old_sizes_of(size)[::3]:
            path, given = tree(size).consistency_proof(old), (root(old), root(size))
            cases += [(what, size, old, other, *given) for what, other in changed_paths(path)]
            cases += [
                ("smaller old tree", size, old - 1, path, *given),
                ("larger old tree", size, old + 1, path, *given),
                ("larger tree", size + 1, old, path, *given),
                ("another old root", size, old, path, leaves()[old], root(size)),
                ("another root", size, old, path, root(old), leaves()[old - 1]),
                *([("roots swapped", size, old, path, root(size), root(old))] if old < size else []),
            ]
    cases = [case for case in cases if case[2] > 0]  # Go proves nothing about a tree without leaves
    answers = ask([growth(size, old, path, a, b) for _, size, old, path, a, b in cases])
    refused, kinds = Counter[str](), Counter[str]()
    for (what, size, old, path, old_root, new_root), answer in zip(cases, answers, strict=True):
        kinds[what] += 1
        holds = verify_consistency(old, size, path, old_root, new_root)
        assert holds == ("refused" not in answer), (what, size, old, answer)
        refused[what] += not holds
    assert {what for what in kinds if refused[what] != kinds[what]} <= {
        "smaller old tree", "larger old tree", "larger tree",
    }  # fmt: skip
    assert refused.total() > 2000


def record(
    size: int, index: int, path: list[bytes], leaf: bytes | None = None, tree_root: bytes | None = None
) -> dict[str, Any]:
    return {
        "ask": "check record",
        "size": size,
        "index": index,
        "proof": texts(path),
        "leaf": text(leaf or leaves()[index]),
        "root": text(tree_root or root(size)),
    }


def growth(
    size: int, old: int, path: list[bytes], old_root: bytes | None = None, new_root: bytes | None = None
) -> dict[str, Any]:
    return {
        "ask": "check tree",
        "size": size,
        "old_size": old,
        "proof": texts(path),
        "old_root": text(old_root or root(old)),
        "root": text(new_root or root(size)),
    }


def test_tiles_have_the_same_names_and_contents(ask: Ask) -> None:
    tiles = [tile for size in (1, 255, 256, 257, 1000, 4097) for tile in tiles_of(size)]
    questions = [{"ask": "tile", "level": t.level, "index": t.index, "width": t.width} for t in tiles]
    _, *answers = ask([grow(), *questions])
    for tile, answer in zip(tiles, answers, strict=True):
        assert "refused" not in answer, (tile, answer)
        # Go's names have the height in them, which tlog-tiles fixes at 8 and leaves out.
        assert answer["path"] == tile.path().replace("tile/", "tile/8/"), tile
        assert base64.b64decode(answer["contents"]) == contents(tile), tile


def test_the_hash_of_a_canonical_entry_is_that_of_a_record_and_its_proof_holds_in_go(ask: Ask) -> None:
    entries = chain_of(20)
    hashes = [leaf_hash(entry) for entry in entries]
    (recorded,) = ask([{"ask": "hash records", "records": texts(entries)}])
    assert hashes_of(recorded) == hashes
    questions: list[dict[str, Any]] = [{"ask": "grow", "leaves": recorded["hashes"]}]
    questions += [{"ask": "prove record", "size": 20, "index": index} for index in range(20)]
    _, *proofs = ask(questions)
    for index, answer in enumerate(proofs):
        assert verify_inclusion(hashes[index], index, 20, hashes_of(answer), root_hash(hashes))


def checkpoint() -> Checkpoint:
    return Checkpoint(ORIGIN, 300, root(300))


def everything_signed() -> Note:
    keys = (log_key(), quantum_key(), witness_key(), quantum_key("witness.example/two"))
    return sign_checkpoint(checkpoint(), keys, AT)


def opening(note: bytes, *keys: str) -> dict[str, Any]:
    return {"ask": "open", "note": text(note), "keys": list(keys or [log_key().verifier.encode()])}


def test_a_note_of_ours_opens_and_the_signatures_that_go_does_not_know_are_passed_over(ask: Ask) -> None:
    (answer,) = ask([opening(everything_signed().encode())])
    assert answer == {
        "text": checkpoint().text(),
        "verified": [ORIGIN],
        "unverified": [ORIGIN, "witness.example/one", "witness.example/two"],
    }


def test_a_note_with_one_thing_changed_opens_nowhere(ask: Ask) -> None:
    note = everything_signed()
    data, own = note.encode(), note.signatures[0]
    broken = Note(note.text, (Signature(own.name, own.key_id, bytes(64)), *note.signatures))
    cases = {
        "size": data.replace(b"\n300\n", b"\n301\n"),
        "origin": data.replace(ORIGIN.encode() + b"\n", b"venue.example/other\n", 1),
        "extension": data.replace(b"\n\n", b"\nmore\n\n"),
        "signature of the log left out": Note(note.text, note.signatures[1:]).encode(),
        "signature that does not hold beside one that does": broken.encode(),
        "no signatures": note.text.encode() + b"\n",
        "no line end": data[:-1],
        "carriage returns": data.replace(b"\n", b"\r\n"),
        "control character": data.replace(b"\n300\n", b"\n300\t\n"),
        "not UTF-8": data.replace(b"venue", b"venu\xff", 1),
        "hyphen for dash": data.replace("—".encode(), b"-"),
        "two spaces": data.replace("— ".encode(), "—  ".encode()),
        "plus in a name": data.replace(b"witness.example/one ", b"witness+one "),
        "short signature": data + "— other.example AAAAAA==\n".encode(),
        "words under the signatures": data + b"words\n",
    }
    answers = ask([opening(each) for each in cases.values()])
    assert [what for what, answer in zip(cases, answers, strict=True) if "refused" not in answer] == []
    for what, each in cases.items():
        assert not opens_with_us(each), what


def opens_with_us(data: bytes) -> bool:
    try:
        trust_checkpoint(data, policy())
    except EvidenceRefusedError:
        return False
    return True


@pytest.mark.parametrize(("old", "new"), [("venue", "venus"), ("+", "++"), ("/perpetuals+", "/perpetuals +")])
def test_a_key_out_of_form_is_none_for_both(ask: Ask, old: str, new: str) -> None:
    key = log_key().verifier.encode().replace(old, new, 1)
    (answer,) = ask([opening(everything_signed().encode(), key)])
    assert "malformed" in answer["refused"] or "invalid" in answer["refused"]
    with pytest.raises(NoteFormError):
        VerifierKey.parse(key)


def test_without_go_the_tests_fail_and_name_the_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AssertionError, match="Debian packages golang-go and golang-golang-x-mod-dev"):
        ask.__wrapped__(tmp_path_factory)  # type: ignore[attr-defined] # the function under the fixture
