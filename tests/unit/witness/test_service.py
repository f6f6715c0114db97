from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.clock import FixedClock
from ledger.errors import EnvironmentFaultError
from ledger.merkle import verify_consistency
from ledger.proof import ConsistencyProof
from ledger.witness import evidence
from ledger.witness.decision import Verdict, read_request
from ledger.witness.folder import log_id
from tests.support.growing_log import GrowingLog
from tests.support.keys import AT, ORIGIN, log_key
from tests.support.witnesses import make_folder, make_witness

if TYPE_CHECKING:
    from ledger.witness.folder import WitnessFolder
    from ledger.witness.service import Witness

LOG = GrowingLog()


@pytest.fixture
def folder(tmp_path: Path) -> WitnessFolder:
    made = make_folder(tmp_path / "w")
    make_witness(made).add_checkpoint(LOG.request(0, 5))
    return made


def test_no_cosignature_leaves_that_could_not_be_stored(
    folder: WitnessFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise EnvironmentFaultError("no space left")

    monkeypatch.setattr("ledger.witness.folder.write_file", full)
    with pytest.raises(EnvironmentFaultError):
        make_witness(folder).add_checkpoint(LOG.request(5, 8))
    monkeypatch.undo()
    assert folder.logs()[0].size == 5


def test_a_dry_run_decides_and_keeps_nothing(folder: WitnessFolder) -> None:
    witness = make_witness(folder)
    assert witness.add_checkpoint(LOG.request(5, 8), dry_run=True).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint(LOG.fork(3).request(5, 5), dry_run=True).verdict is Verdict.OTHER_ROOT
    assert folder.logs()[0].size == 5
    assert witness.evidence.cases(ORIGIN) == []


def test_a_fork_is_kept_so_that_two_signed_roots_of_one_size_lie_side_by_side(folder: WitnessFolder) -> None:
    told: list[str] = []
    witness = make_witness(folder, tell=told.append)
    body = LOG.fork(3).request(5, 5)
    witness.add_checkpoint(body)
    [case] = witness.evidence.cases(ORIGIN)
    assert case.name.startswith("fork-")
    assert [str(case) in line and ORIGIN in line for line in told] == [True]
    assert (case / "request").read_bytes() == body
    _, note, bad = read_request((case / "request").read_bytes())
    _, _, good = read_request(ConsistencyProof(0, (), (case / "cosigned").read_bytes()).encode())
    assert (bad.size, bad.origin) == (good.size, good.origin)
    assert bad.root_hash != good.root_hash
    assert note.signatures[0].is_by(log_key().verifier)
    about = json.loads((case / "case.json").read_text())
    assert (about["kind"], about["verdict"], about["cosigned_size"]) == ("fork", "other_root", 5)
    assert folder.logs()[0].size == 5


def false_proof(log: GrowingLog, size: int, *, junk: int = 0, old: int = 5) -> bytes:
    """What anyone can make of a checkpoint that a log published."""
    return ConsistencyProof(old, (bytes([junk]) * 32,), log.note(size)).encode()


def test_a_false_proof_is_kept_as_unproven_and_once(folder: WitnessFolder) -> None:
    witness = make_witness(folder)
    for junk in range(3):
        body = false_proof(LOG, 8, junk=junk)
        assert witness.add_checkpoint(body).verdict is Verdict.UNPROVEN
    [case] = witness.evidence.cases(ORIGIN)
    assert case.name.startswith("unproven-")


def test_a_fork_that_grew_is_kept_with_the_proof_that_shows_it(folder: WitnessFolder) -> None:
    witness = make_witness(folder)
    assert witness.add_checkpoint(LOG.fork(3).request(5, 8)).verdict is Verdict.UNPROVEN
    [case] = witness.evidence.cases(ORIGIN)
    assert case.name.startswith("rewrite-")
    about = json.loads((case / "case.json").read_text())
    assert (about["kind"], about["size"], about["cosigned_size"]) == ("rewrite", 8, 5)
    proof, _, bad = read_request((case / "request").read_bytes())
    assert verify_consistency(5, 8, proof.hashes, LOG.fork(3).root(5), bad.root_hash)


def kinds(witness: Witness) -> list[str]:
    return sorted(case.name.partition("-")[0] for case in witness.evidence.cases(ORIGIN))


def test_false_proofs_do_not_crowd_out_what_proves_itself(
    folder: WitnessFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_CASES", 2)
    witness = make_witness(folder)
    for size in range(6, 12):
        witness.add_checkpoint(false_proof(LOG, size))
    witness.add_checkpoint(LOG.fork(3).request(5, 8))
    witness.add_checkpoint(LOG.fork(3).request(5, 5))
    for size in range(12, 18):
        witness.add_checkpoint(false_proof(LOG, size))
    assert kinds(witness) == ["fork", "rewrite", "unproven", "unproven"]


def test_of_what_is_unproven_the_oldest_makes_room(
    folder: WitnessFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_CASES", 2)
    told: list[str] = []
    clock = FixedClock(AT)
    witness = make_witness(folder, clock=clock, tell=told.append)
    for size in (9, 6, 8, 7):
        clock.at += timedelta(seconds=1)
        witness.add_checkpoint(false_proof(LOG, size))
    abouts = [json.loads((case / "case.json").read_text()) for case in witness.evidence.cases(ORIGIN)]
    assert sorted(about["size"] for about in abouts) == [7, 8]
    assert len([line for line in told if line.startswith("EVIDENCE ")]) == 6
    gone = [line.split()[1] for line in told if "made room" in line]
    assert gone == [line.split()[1].rstrip(":") for line in told if " of 9 " in line or " of 6 " in line]
    assert not any(Path(each).exists() for each in gone)


def test_a_case_that_was_not_written_to_its_end_makes_room_first(
    folder: WitnessFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_CASES", 2)
    witness = make_witness(folder)
    witness.add_checkpoint(false_proof(LOG, 6))
    half = folder.path / "evidence" / f"unproven-{log_id(ORIGIN)}-{'f' * 16}"
    half.mkdir()
    (half / "request").write_bytes(b"half")
    witness.add_checkpoint(false_proof(LOG, 7))
    assert not half.exists()
    assert kinds(witness) == ["unproven", "unproven"]


def test_what_proves_itself_stays_and_is_bounded(
    folder: WitnessFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_CASES", 2)
    told: list[str] = []
    witness = make_witness(folder, tell=told.append)
    for size in (6, 7):
        witness.add_checkpoint(LOG.fork(3).request(5, size))
    first = witness.evidence.cases(ORIGIN)
    witness.add_checkpoint(LOG.fork(3).request(5, 8))
    assert "too much" in told[-1]
    assert (kinds(witness), witness.evidence.cases(ORIGIN)) == (["rewrite", "rewrite"], first)


def test_evidence_that_cannot_be_written_changes_no_answer(folder: WitnessFolder) -> None:
    told: list[str] = []
    witness = make_witness(folder, tell=told.append)
    (folder.path / "evidence").write_text("in the way")
    assert witness.add_checkpoint(LOG.fork(3).request(5, 5)).verdict is Verdict.OTHER_ROOT
    assert "could not be kept" in told[0]


def test_a_file_may_be_a_bare_checkpoint_or_one_that_was_cosigned_before(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    witness = make_witness(folder)
    assert witness.add_checkpoint_file(LOG.note(5)).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint_file(LOG.note(5)).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint_file(LOG.note(8)).verdict is Verdict.OTHER_SIZE
    growth = LOG.request(5, 8)
    assert witness.add_checkpoint_file(growth).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint_file(growth).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint(growth).verdict is Verdict.OTHER_SIZE
    assert witness.add_checkpoint_file(LOG.fork(3).note(8)).verdict is Verdict.OTHER_ROOT
    assert witness.add_checkpoint_file(b"nothing").verdict is Verdict.MALFORMED


def test_the_example_log_forks_as_the_tests_take_it_to() -> None:
    fork = LOG.fork(3)
    assert fork.root(3) == LOG.root(3)
    assert fork.root(4) != LOG.root(4)
    assert verify_consistency(3, 8, fork.proof(3, 8), LOG.root(3), fork.root(8))
    assert not verify_consistency(5, 8, fork.proof(5, 8), LOG.root(5), fork.root(8))
