from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ledger.clock import FixedClock
from ledger.errors import InvalidInputError, KeyUnusableError, NotFoundError, WitnessStateError
from ledger.note import Note, SignatureType
from ledger.proof import ConsistencyProof
from ledger.witness.decision import Verdict
from ledger.witness.folder import WitnessFolder, log_id
from tests.support.growing_log import GrowingLog
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, witness_key
from tests.support.witnesses import NAME, PASSPHRASE, make_folder, make_witness

if TYPE_CHECKING:
    from pathlib import Path

LOG = GrowingLog()


def test_a_new_witness_has_two_keys_that_its_passphrase_opens(tmp_path: Path) -> None:
    WitnessFolder.create(tmp_path / "w", NAME, PASSPHRASE.encode())
    folder = WitnessFolder.open(tmp_path / "w")
    assert folder.name == NAME
    keys = folder.signing_keys(PASSPHRASE.encode)
    assert tuple(key.verifier for key in keys) == folder.public_keys()
    assert [key.verifier.type.name for key in keys] == ["COSIGNATURE", "ML_DSA_44"]
    with pytest.raises(KeyUnusableError):
        folder.signing_keys(b"another passphrase".title)
    assert (tmp_path / "w").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "two words", "a+b", "x" * 256])
def test_a_name_that_no_cosignature_holds_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError):
        WitnessFolder.create(tmp_path / "w", name, PASSPHRASE.encode())
    assert not (tmp_path / "w").exists()


def test_a_folder_in_use_is_not_made_a_witness(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(InvalidInputError, match="not an empty folder"):
        WitnessFolder.create(tmp_path, NAME, PASSPHRASE.encode())
    with pytest.raises(NotFoundError):
        WitnessFolder.open(tmp_path)


def test_what_was_cosigned_is_read_back_with_its_time(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    clock = FixedClock(AT)
    witness = make_witness(folder, clock=clock)
    assert [log.last for log in folder.logs()] == [None]
    witness.add_checkpoint(LOG.request(0, 5))
    clock.at += timedelta(seconds=7)
    answer = witness.add_checkpoint(LOG.request(5, 8))
    [log] = WitnessFolder(tmp_path / "w", NAME).logs()
    assert log.last == answer.cosigned
    assert log.last is not None
    assert log.last.at == AT + timedelta(seconds=7)


def test_logs_are_kept_apart(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    other = GrowingLog("other.example/log")
    folder.trust([log_key(other.origin).verifier])
    witness = make_witness(folder)
    assert witness.add_checkpoint(LOG.request(0, 5)).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint(other.request(0, 3)).verdict is Verdict.COSIGNED
    assert [(log.origin, log.size) for log in folder.logs()] == [(other.origin, 3), (ORIGIN, 5)]


def test_trust_adds_keys_and_replaces_them_only_when_told(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    old, new = log_key().verifier, quantum_key().verifier
    make_witness(folder).add_checkpoint(LOG.request(0, 5))
    assert folder.trust([new], dry_run=True).trusted_keys == (old, new)
    assert folder.logs()[0].trusted_keys == (old,)
    assert folder.trust([new, old]).trusted_keys == (old, new)
    assert folder.trust([new], replace=True).trusted_keys == (new,)
    [log] = folder.logs()
    assert (log.trusted_keys, log.size) == ((new,), 5)


def test_a_log_may_have_another_name_than_its_key(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    origin = "a log with spaces/and ../slashes"
    folder.trust([log_key("key.example").verifier], origin=origin)
    log = GrowingLog(origin)
    assert make_witness(folder).add_checkpoint(log.request(0, 2, log_key("key.example"))).cosigned is not None
    assert folder.path in (folder.path / "logs" / log_id(origin) / "cosigned").resolve().parents


@pytest.mark.parametrize(
    ("key", "origin"),
    [
        (witness_key(NAME).verifier, None),
        (quantum_key(NAME).verifier, None),
        (log_key().verifier, NAME),
        (log_key().verifier, "x" * 256),
        (log_key().verifier, ""),
        (log_key().verifier, "two\nlines"),
        (log_key().verifier, "half a \ud800"),
        (replace(witness_key(NAME).verifier, name=ORIGIN, type=SignatureType.ED25519), None),
    ],
)
def test_what_is_no_log_is_not_watched(tmp_path: Path, key: object, origin: str | None) -> None:
    folder = make_folder(tmp_path / "w")
    with pytest.raises(InvalidInputError):
        folder.trust([key], origin=origin)  # type: ignore[list-item]
    assert len(folder.logs()) == 1


def test_a_state_that_the_witness_did_not_sign_is_not_relied_on(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    witness = make_witness(folder)
    witness.add_checkpoint(LOG.request(0, 5))
    file = folder.path / "logs" / log_id(ORIGIN) / "cosigned"
    good = file.read_bytes()
    for bad in (
        b"",
        good[:-1],
        LOG.note(5),
        LOG.note(3),
        good.replace(b"\n5\n", b"\n3\n", 1),
    ):
        file.write_bytes(bad)
        with pytest.raises(WitnessStateError) as caught:
            witness.add_checkpoint(LOG.request(5, 8))
        assert caught.value.file == str(file)
        with pytest.raises(WitnessStateError):
            folder.logs()
    file.write_bytes(good)
    assert witness.add_checkpoint(LOG.request(5, 8)).verdict is Verdict.COSIGNED


def test_a_log_that_signs_one_checkpoint_a_hundred_times_stops_nobody(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    other = GrowingLog("other.example/log")
    folder.trust([quantum_key(other.origin).verifier])
    checkpoint = other.checkpoint(5)
    key = quantum_key(other.origin)
    lines = tuple(key.sign(checkpoint, AT - timedelta(seconds=each)) for each in range(100))
    body = ConsistencyProof(0, (), Note(checkpoint.text(), lines).encode()).encode()
    witness = make_witness(folder)
    assert witness.add_checkpoint(body).verdict is Verdict.COSIGNED
    assert [(log.origin, log.size) for log in folder.logs()] == [(other.origin, 5), (ORIGIN, 0)]
    assert witness.add_checkpoint(other.request(5, 8, key)).verdict is Verdict.COSIGNED
    assert witness.add_checkpoint(LOG.request(0, 5)).verdict is Verdict.COSIGNED


def test_what_the_reader_would_refuse_is_not_stored(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    make_witness(folder).add_checkpoint(LOG.request(0, 5))
    [before] = folder.logs()
    assert before.last is not None
    own = before.last.note.signatures[1:]
    full = tuple(replace(own[0], name=f"{each}.example") for each in range(100))
    for signatures in ((*full, *own), full):
        note = Note(before.last.note.text, signatures)
        with pytest.raises(WitnessStateError):
            folder.store(replace(before.last, note=note))
        assert folder.logs() == [before]


@pytest.mark.parametrize("file", ["cosigned", "log.json"])
@pytest.mark.parametrize("broken", [b"broken", None], ids=["broken", "a folder in its place"])
def test_a_log_that_cannot_be_relied_on_is_named_and_stops_no_other(
    tmp_path: Path, file: str, broken: bytes | None
) -> None:
    folder = make_folder(tmp_path / "w")
    other = GrowingLog("other.example/log")
    folder.trust([log_key(other.origin).verifier])
    witness = make_witness(folder)
    witness.add_checkpoint(other.request(0, 5))
    path = folder.path / "logs" / log_id(other.origin) / file
    path.unlink()
    if broken is None:
        path.mkdir()
    else:
        path.write_bytes(broken)
    problems: list[WitnessStateError] = []
    assert [log.origin for log in folder.logs(problems.append)] == [ORIGIN]
    assert [problem.file for problem in problems] == [str(path)]
    with pytest.raises(WitnessStateError):
        folder.logs()
    assert witness.add_checkpoint(LOG.request(0, 5)).verdict is Verdict.COSIGNED


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"origin": "\\ud800", "trusted_keys": []}',
        '{"origin": "x", "trusted_keys": []}',
        '{"origin": 1}',
    ],
)
def test_a_broken_record_of_a_log_is_named(tmp_path: Path, content: str) -> None:
    folder = make_folder(tmp_path / "w")
    file = folder.path / "logs" / log_id(ORIGIN) / "log.json"
    file.write_text(content)
    with pytest.raises(WitnessStateError) as caught:
        make_witness(folder).add_checkpoint(LOG.request(0, 5))
    assert caught.value.file == str(file)


def test_a_folder_of_another_format_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "witness.json").write_text(json.dumps({"format": "margin-ledger-witness/2", "name": NAME}))
    with pytest.raises(WitnessStateError):
        WitnessFolder.open(tmp_path)


def test_what_a_killed_writer_left_is_taken_away(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    left = folder.path / "logs" / log_id(ORIGIN) / ".cosigned.0123.partial"
    left.write_bytes(b"half")
    make_witness(folder).add_checkpoint(LOG.request(0, 5))
    assert not left.exists()
