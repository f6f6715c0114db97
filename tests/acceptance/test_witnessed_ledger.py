"""A venue's ledger and a regulator's witness, with nothing between them but files and HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ledger.note import VerifierKey
from ledger.proof import ConsistencyProof
from ledger.trust import read_checkpoint
from ledger.witness.client import request_cosignatures
from tests.support.examples import draft_json
from tests.support.postgres import fresh_database
from tests.support.processes import Outcome, command_line, environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "venue.example/perpetuals"


@pytest.fixture
def venue(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with keys; the venue's and the regulator's files are in one folder."""
    monkeypatch.setenv("LEDGER_KEY_PASSPHRASE", "a passphrase for tests alone")
    for words in (
        ("init", "--origin", ORIGIN),
        ("keys", "generate"),
        ("keys", "export-public", "--out", "venue.vkey"),
        ("witness", "init", "w", "--name", "regulator.example/w1"),
        ("witness", "trust", "w", "--trusted-key", "venue.vkey"),
    ):
        work(tmp_path, database_url, *words)
    return database_url


def work(folder: Path, url: str, *words: str, code: int = 0) -> Outcome:
    done = run(*words, url=url, cwd=folder)
    assert done.code == code, f"{words}: {done.err}"
    return done


def grow(folder: Path, url: str) -> int:
    """Record three more events and sign; returns the size that was signed."""
    (folder / "drafts").write_text(3 * (json.dumps(draft_json("DepositRecorded")) + "\n"))
    work(folder, url, "append", "drafts")
    signed = work(folder, url, "checkpoint", "--out", "checkpoint", "--force", "--json")
    size = signed.document["tree_size"]
    assert isinstance(size, int)
    return size


def test_files_alone_make_a_witnessed_ledger(venue: str, tmp_path: Path) -> None:
    first = grow(tmp_path, venue)
    work(tmp_path, venue, "witness", "cosign", "w", "checkpoint", "--out", "first.cosigned")
    second = grow(tmp_path, venue)
    refused = work(tmp_path, venue, "witness", "cosign", "w", "checkpoint", "--json", code=2)
    told = refused.document["next_step"].partition("ledger ")[2].replace("FILE", "growth").split()
    work(tmp_path, venue, *told)  # the command that the refusal names
    work(tmp_path, venue, "witness", "cosign", "w", "growth", "--out", "second.cosigned")
    keys = sorted((tmp_path / "w" / "keys").glob("*.vkey"))
    trust = (
        "--trusted-key", "venue.vkey", "--require-witnesses", "1",
        *(word for key in keys for word in ("--witness-key", str(key))),
    )  # fmt: skip
    for name, size in (("first.cosigned", first), ("second.cosigned", second)):
        assert read_checkpoint((tmp_path / name).read_bytes())[1].size == size
        verified = work(tmp_path, venue, "verify", "--trusted-checkpoint", name, *trust, "--json")
        assert verified.document["ok"] is True
    work(tmp_path, venue, "verify", "--trusted-checkpoint", "checkpoint", *trust, code=3)


def test_over_http_the_venue_brings_its_proofs_along(venue: str, tmp_path: Path) -> None:
    listed = work(tmp_path, venue, "witness", "list", "w", "--json").document
    keys = tuple(map(VerifierKey.parse, listed["public_keys"]))

    def prove(start: int) -> tuple[bytes, ...]:
        work(tmp_path, venue, "prove", "consistency", str(start), "--out", "growth", "--force")
        return ConsistencyProof.parse((tmp_path / "growth").read_bytes()).hashes

    with subprocess.Popen(
        command_line("witness", "serve", "w", "--listen", "127.0.0.1:0", "--json"),
        stdout=subprocess.PIPE,
        env=environment(venue),
        cwd=tmp_path,
    ) as serving:
        assert serving.stdout is not None
        url = json.loads(serving.stdout.readline())["url"]
        for known in (0, 0):  # the second time the witness says from where
            size = grow(tmp_path, venue)
            note = (tmp_path / "checkpoint").read_bytes()
            assert len(request_cosignatures(url, known, note, prove, keys)) == 2
        serving.terminate()
        assert serving.wait(timeout=60) == 0
    [log] = work(tmp_path, venue, "witness", "list", "w", "--json").document["logs"]
    assert (log["origin"], log["size"]) == (ORIGIN, size)


@contextmanager
def listening(folder: Path) -> Iterator[str]:
    """Run a witness for a block, and give its address."""
    with subprocess.Popen(
        command_line("witness", "serve", "w", "--listen", "127.0.0.1:0", "--json"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
        assert process.wait(timeout=30) == 0


def test_the_venue_asks_its_witnesses_with_each_checkpoint(venue: str, tmp_path: Path) -> None:
    listed = work(tmp_path, venue, "witness", "list", "w", "--json").document
    (tmp_path / "witness.vkey").write_text("\n".join(listed["public_keys"]))
    ask = ("--witness-key", "witness.vkey", "--require-witnesses", "1", "--tiles", "tiles", "--json")
    with listening(tmp_path) as url:
        for _ in range(2):
            grow(tmp_path, venue)
            made = work(tmp_path, venue, "checkpoint", "--witness", url, *ask).document
            assert made["cosigned_by"] == ["regulator.example/w1"]
        again = work(tmp_path, venue, "checkpoint", "--witness", url, *ask).document
        assert again["note"] == made["note"]  # nobody was asked again
    trust = ("--trusted-key", "venue.vkey", "--witness-key", "witness.vkey", "--require-witnesses", "1")
    verified = work(tmp_path, venue, "verify", "--tiles", "tiles", *trust, "--json").document
    assert verified["witnesses"] == ["regulator.example/w1"]
    published = (tmp_path / "tiles" / "checkpoint").read_bytes()

    grow(tmp_path, venue)
    alone = work(tmp_path, venue, "checkpoint", "--witness", url, *ask, code=4)
    assert "0 of 1 witnesses cosigned" in alone.document["message"]
    assert "cannot be reached" in alone.document["message"]
    assert (tmp_path / "tiles" / "checkpoint").read_bytes() == published
    kept = work(tmp_path, venue, "checkpoint", "--witness", url, "--witness-key", "witness.vkey", "--json")
    assert kept.document["fresh"] is False
    assert "cannot be reached" in kept.document["warnings"][0]


def test_a_witness_that_saw_another_history_ends_the_checkpoint(
    venue: str, database_server_url: str, tmp_path: Path
) -> None:
    listed = work(tmp_path, venue, "witness", "list", "w", "--json").document
    (tmp_path / "witness.vkey").write_text("\n".join(listed["public_keys"]))
    grow(tmp_path, venue)
    with listening(tmp_path) as url:
        ask = ("--witness", url, "--witness-key", "witness.vkey", "--json")
        with fresh_database(database_server_url, like=venue) as other:
            grow(tmp_path, venue)
            work(tmp_path, venue, "checkpoint", *ask)
            shutil.rmtree(tmp_path / ".ledger" / "checkpoints")  # so that nothing here remembers
            (tmp_path / "drafts").write_text(5 * (json.dumps(draft_json("DepositRecorded")) + "\n"))
            work(tmp_path, other, "append", "drafts")
            refused = work(tmp_path, other, "checkpoint", *ask, code=3)
            assert refused.document["error"] == "WitnessDisagreesError"
