"""``ledger witness`` as a regulator runs it: no database, a folder, files and a server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ledger.errors import WitnessRefusedError
from ledger.note import Note, VerifierKey
from ledger.trust import TrustPolicy, trust_checkpoint
from ledger.witness.client import request_cosignatures
from ledger.witness.folder import log_id
from tests.support.growing_log import GrowingLog
from tests.support.keys import ORIGIN, log_key, quantum_key
from tests.support.processes import Outcome, command_line, environment
from tests.support.witnesses import NAME, PASSPHRASE

if TYPE_CHECKING:
    from pathlib import Path

LOG = GrowingLog()
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
SECRET = {"LEDGER_KEY_PASSPHRASE": PASSPHRASE}


@dataclass(frozen=True)
class Regulator:
    """A person with a folder; the database that the environment names cannot be reached."""

    folder: Path

    def run(self, *words: str, stdin: bytes = b"", secret: bool = True) -> Outcome:
        done = subprocess.run(
            command_line("witness", *words),
            input=stdin,
            capture_output=True,
            env=environment(NOWHERE, **(SECRET if secret else {})),
            cwd=self.folder,
            check=False,
            timeout=120,
        )
        outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
        for said in (outcome.out, outcome.err):
            assert "Traceback" not in said
            assert PASSPHRASE not in said
        return outcome

    def file(self, name: str, content: bytes | str) -> str:
        data = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(data)
        return name


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A witness that watches a log, to be copied."""
    it = Regulator(tmp_path_factory.mktemp("prepared"))
    made = it.run("init", "w", "--name", NAME)
    assert made.code == 0, made.err
    keys = f"{log_key().verifier.encode()}\n{quantum_key().verifier.encode()}\n"
    trusted = it.run("trust", "w", "--trusted-key", it.file("log.vkey", keys))
    assert trusted.code == 0, trusted.err
    return it.folder


@pytest.fixture
def regulator(prepared: Path, tmp_path: Path) -> Regulator:
    """A witness that watches a log and has cosigned nothing."""
    shutil.copytree(prepared, tmp_path / "r")
    return Regulator(tmp_path / "r")


def public_keys(regulator: Regulator) -> tuple[VerifierKey, ...]:
    listed = regulator.run("list", "w", "--json", secret=False).document
    return tuple(map(VerifierKey.parse, listed["public_keys"]))


def test_a_cosigned_checkpoint_is_trusted_with_the_keys_that_were_published(regulator: Regulator) -> None:
    done = regulator.run("cosign", "w", regulator.file("c", LOG.note(5)), "--out", "cosigned")
    assert (done.code, "size 5" in done.out) == (0, True), done.err
    policy = TrustPolicy.of((log_key().verifier,), witness_keys=public_keys(regulator), required_witnesses=1)
    trusted = trust_checkpoint((regulator.folder / "cosigned").read_bytes(), policy)
    assert (trusted.checkpoint, trusted.witnesses) == (LOG.checkpoint(5), (NAME,))
    assert len(trusted.cosignatures) == 2


def test_growth_is_cosigned_from_stdin_to_stdout(regulator: Regulator) -> None:
    regulator.run("cosign", "w", regulator.file("c", LOG.note(5)))
    done = regulator.run("cosign", "w", "-", stdin=LOG.request(5, 8))
    assert done.code == 0, done.err
    assert Note.parse(done.out.encode()).text == LOG.checkpoint(8).text()
    lines = regulator.run("cosign", "w", "-", "--only-cosignatures", stdin=LOG.request(5, 8))
    assert [line.split()[1] for line in lines.out.splitlines()] == [NAME, NAME]
    again = regulator.run("cosign", "w", "-", "--json", stdin=LOG.request(8, 8)).document
    assert (again["schema"], again["size"], again["origin"]) == ("ledger.witness/1", 8, ORIGIN)
    assert len(again["cosignatures"]) == 2


def test_list_shows_what_was_cosigned_last_and_what_became_evidence(regulator: Regulator) -> None:
    before = regulator.run("list", "w", "--json", secret=False).document
    assert [(log["origin"], log["size"], log["cosigned_at"]) for log in before["logs"]] == [(ORIGIN, 0, None)]
    regulator.run("cosign", "w", regulator.file("c", LOG.note(5)))
    refused = regulator.run("cosign", "w", regulator.file("f", LOG.fork(3).note(5)))
    assert "EVIDENCE" in refused.err
    [log] = regulator.run("list", "w", "--json", secret=False).document["logs"]
    assert (log["size"], len(log["trusted_keys"])) == (5, 2)
    assert log["cosigned_at"].endswith("Z")
    [case] = log["evidence"]
    assert (regulator.folder / case / "request").exists()
    assert case in regulator.run("list", "w", secret=False).out


def broken_log(regulator: Regulator) -> Path:
    """The file of a second log, which is broken; there is a case of evidence against this log."""
    other = GrowingLog("other.example")
    regulator.run("trust", "w", "--trusted-key", log_key(other.origin).verifier.encode())
    regulator.run("cosign", "w", regulator.file("c", other.note(5)))
    assert "EVIDENCE" in regulator.run("cosign", "w", regulator.file("f", other.fork(3).note(5))).err
    file = regulator.folder / "w" / "logs" / log_id(other.origin) / "cosigned"
    file.write_bytes(b"broken")
    return file


def test_list_names_a_log_that_cannot_be_relied_on_beside_the_others(regulator: Regulator) -> None:
    file = broken_log(regulator).relative_to(regulator.folder)
    regulator.run("cosign", "w", regulator.file("c", LOG.note(5)))
    listed = regulator.run("list", "w", secret=False)
    assert listed.code == 3, listed.err
    assert f"{ORIGIN}: size 5" in listed.out
    [line] = [line for line in listed.out.splitlines() if line.startswith("BROKEN ")]
    assert str(file) in line
    assert "other.example" in line
    assert "  next: " in listed.out
    document = regulator.run("list", "w", "--json", secret=False).document
    assert [log["origin"] for log in document["logs"]] == [ORIGIN]
    [broken] = document["broken"]
    assert broken["file"] == str(file)
    assert broken["next_step"]
    [case] = broken["evidence"]
    assert (regulator.folder / case / "request").exists()


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"nothing", 2, "prove consistency"),
        (LOG.request(9, 9).replace(b"old 9", b"old 10"), 2, "above"),
        (GrowingLog("other.example").note(9), 5, "witness trust w"),
        (LOG.note(9, log_key(seed="x")), 3, "signature"),
        (LOG.fork(3).request(5, 9), 3, "consistency"),
        (LOG.fork(3).request(5, 5), 3, "consistency"),
        (LOG.note(9), 2, "ledger prove consistency 5 --out FILE"),
        (LOG.request(3, 9), 2, "ledger prove consistency 5 --out FILE"),
        (LOG.note(4), 2, "newer checkpoint"),
    ],
)
def test_a_refusal_says_what_where_and_what_next(
    regulator: Regulator, content: bytes, code: int, words: str
) -> None:
    regulator.run("cosign", "w", regulator.file("c", LOG.note(5)))
    refused = regulator.run("cosign", "w", regulator.file("asked", content), "--out", "o", "--json")
    assert refused.code == code, refused.err
    assert (words in refused.err, "asked" in refused.err) == (True, True), refused.err
    assert (refused.document["schema"], refused.document["exit_code"]) == ("ledger.error/1", code)
    assert refused.document["next_step"]
    assert not (regulator.folder / "o").exists()
    assert regulator.run("list", "w", "--json").document["logs"][0]["size"] == 5


def test_a_dry_run_changes_nothing(regulator: Regulator) -> None:
    regulator.file("c", LOG.note(5))
    for words in (
        ("cosign", "w", "c", "--dry-run"),
        ("init", "v", "--name", NAME, "--dry-run"),
        ("trust", "w", "--trusted-key", log_key("x.example").verifier.encode(), "--dry-run"),
    ):
        done = regulator.run(*words, "--json")
        assert (done.code, done.document["dry_run"]) == (0, True), done.err
    [log] = regulator.run("list", "w", "--json").document["logs"]
    assert (log["size"], (regulator.folder / "v").exists()) == (0, False)


def test_nothing_is_cosigned_where_the_result_has_no_place(regulator: Regulator) -> None:
    regulator.file("c", LOG.note(5))
    regulator.file("there", "already")
    refused = regulator.run("cosign", "w", "c", "--out", "there")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert regulator.run("list", "w", "--json").document["logs"][0]["size"] == 0
    assert regulator.run("cosign", "w", "c", "--out", "there", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("init", "w", "--name", NAME), 2, "not an empty folder"),
        (("init", "v", "--name", "two words"), 2, "cannot be a key's name"),
        (("trust", "w", "--trusted-key", "no.vkey"), 2, "no.vkey"),
        (("trust", "w"), 2, "--trusted-key"),
        (("trust", "w", "--trusted-key", quantum_key(NAME).verifier.encode()), 2, "witness of themselves"),
        (("list", "nowhere"), 5, "witness init"),
        (("cosign", "w", "nothing"), 2, "nothing"),
        (("serve", "w", "--listen", "8080"), 2, "HOST:PORT"),
        (("serve", "w", "--listen", "127.0.0.1:99999"), 2, "port"),
        (("serve", "w", "--listen", "192.0.2.1:0"), 4, "cannot listen"),
    ],
)
def test_a_mistake_is_told_in_words(
    regulator: Regulator, words: tuple[str, ...], code: int, said: str
) -> None:
    done = regulator.run(*words)
    assert (done.code, said in done.err) == (code, True), done.err


def test_the_passphrase_comes_from_a_file_or_the_command_says_how_to_give_it(regulator: Regulator) -> None:
    regulator.file("c", LOG.note(5))
    without = regulator.run("cosign", "w", "c", secret=False)
    assert (without.code, "--passphrase-file" in without.err) == (2, True), without.err
    wrong = regulator.run("cosign", "w", "c", "--passphrase-file", regulator.file("p", "another one\n"))
    assert (wrong.code, "passphrase" in wrong.err) == (4, True), wrong.err
    right = regulator.run(
        "cosign", "w", "c", "--passphrase-file", regulator.file("p", PASSPHRASE + "\n"), secret=False
    )
    assert right.code == 0, right.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_log_is_served_until_the_witness_is_told_to_stop(regulator: Regulator, number: int) -> None:
    keys = public_keys(regulator)
    with subprocess.Popen(
        command_line("witness", "serve", "w", "--listen", "127.0.0.1:0", "--prefix", "/w1", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment(NOWHERE, **SECRET)},
        cwd=regulator.folder,
    ) as serving:
        assert serving.stdout is not None
        started = json.loads(serving.stdout.readline())
        assert started["schema"] == "ledger.witness/1"
        for old, size in ((0, 5), (5, 8)):
            proof = partial(LOG.proof, size=size)
            found = request_cosignatures(started["url"], old, LOG.note(size), proof, keys)
            assert len(found) == 2
        serving.send_signal(number)
        _, err = serving.communicate(timeout=60)
    lines = err.decode().splitlines()
    assert (serving.returncode, lines[-1]) == (0, "stopping"), lines
    assert [" 200 " in line and "/w1/add-checkpoint" in line for line in lines[:-1]] == [True, True]
    assert PASSPHRASE not in err.decode()
    # A later run goes on from what was served.
    assert regulator.run("list", "w", "--json").document["logs"][0]["size"] == 8


def test_a_log_that_cannot_be_relied_on_does_not_keep_the_others_from_being_served(
    regulator: Regulator,
) -> None:
    file = broken_log(regulator)
    keys = public_keys(regulator)
    with subprocess.Popen(
        command_line("witness", "serve", "w", "--listen", "127.0.0.1:0", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment(NOWHERE, **SECRET)},
        cwd=regulator.folder,
    ) as serving:
        assert serving.stdout is not None
        url = json.loads(serving.stdout.readline())["url"]
        assert len(request_cosignatures(url, 0, LOG.note(5), partial(LOG.proof, size=5), keys)) == 2
        other = GrowingLog("other.example")
        with pytest.raises(WitnessRefusedError) as caught:
            request_cosignatures(url, 5, other.note(8), partial(other.proof, size=8), keys)
        serving.send_signal(signal.SIGTERM)
        _, err = serving.communicate(timeout=60)
    assert (serving.returncode, caught.value.status) == (0, 500)
    [line] = [line for line in err.decode().splitlines() if line.startswith("BROKEN ")]
    assert str(file.relative_to(regulator.folder)) in line
