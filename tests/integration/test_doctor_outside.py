"""Doctor looks at what is kept outside the database, too: keys and checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.doctor import Examination, examine
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.keyring import Keyring, Purpose
from ledger.settings import Settings
from ledger.signing.head import sign_head
from ledger.signing.keys import generate_keys
from ledger.store.ledger import Ledger
from ledger.trust import read_checkpoint
from tests.support.examples import deposit
from tests.support.keys import ORIGIN, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSPHRASE = b"correct horse battery"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(tmp_path, database_url, "a test")


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    assert settings.database_url is not None
    with Ledger.initialise(settings.database_url, origin=ORIGIN) as opened:
        yield opened


def problems(found: Examination) -> list[str]:
    return [problem for problem in found.problems if "fsync" not in problem]


def test_without_keys_and_checkpoints_nothing_is_amiss(settings: Settings, ledger: Ledger) -> None:
    found = examine(settings)
    assert (found.keys, found.checkpoint, problems(found)) == ([], None, [])
    assert ledger.origin == found.origin


def test_it_says_which_keys_there_are_and_what_came_since_the_last_checkpoint(
    settings: Settings, ledger: Ledger
) -> None:
    keyring = Keyring(settings.keys_folder)
    generate_keys(ledger, keyring, Purpose.CHECKPOINT, PASSPHRASE)
    keys = keyring.load(Purpose.CHECKPOINT, ORIGIN, lambda: PASSPHRASE)
    checkpoints = CheckpointFolder(settings.checkpoints_folder)
    head = sign_head(ledger, keys, checkpoints)
    ledger.append([deposit(), deposit()])
    found = examine(settings)
    assert [(key["state"], key["type"], key["recorded"]) for key in found.keys] == [
        ("current", "ed25519", True),
        ("current", "ml_dsa_44", True),
    ]
    assert found.checkpoint == {
        "tree_size": 3,
        "file": str(head.path),
        "cosigned_by": [],
        "timestamp": False,
        "events_since": 2,
    }
    assert problems(found) == []


def test_keys_that_others_may_read_are_amiss(settings: Settings, ledger: Ledger) -> None:
    keyring = Keyring(settings.keys_folder)
    key = generate_keys(ledger, keyring, Purpose.BUNDLE, PASSPHRASE)[0]
    key.file.chmod(0o644)
    assert problems(examine(settings)) == [f"others may read {key.file} (next: chmod go= {key.file})"]
    key.file.unlink()
    assert problems(examine(settings)) == [
        f"the private key {key.file} is missing (next: restore it, or ledger keys rotate)"
    ]


def test_keys_that_were_not_recorded_and_rotations_that_were_interrupted_are_amiss(
    settings: Settings, ledger: Ledger
) -> None:
    keyring = Keyring(settings.keys_folder)
    keyring.generate(Purpose.CHECKPOINT, ORIGIN, PASSPHRASE)
    keyring.generate(Purpose.CHECKPOINT, ORIGIN, PASSPHRASE, state="next")
    found = "\n".join(problems(examine(settings)))
    assert found.count("is not recorded in the ledger (next: ledger keys generate") == 2
    assert "a rotation of keys was interrupted (next: ledger keys rotate" in found
    generate_keys(ledger, keyring, Purpose.CHECKPOINT, PASSPHRASE)  # goes on
    assert "is not recorded" not in "\n".join(problems(examine(settings)))


@pytest.mark.parametrize("size", [1, 9])
def test_a_checkpoint_that_the_ledger_does_not_bear_out_is_amiss(
    settings: Settings, ledger: Ledger, size: int
) -> None:
    checkpoints = CheckpointFolder(settings.checkpoints_folder)
    checkpoints.keep(*read_checkpoint(signed(size, bytes(32))))
    found = problems(examine(settings))
    assert len(found) == 1
    assert found[0].startswith("the ledger ")
    assert "ledger verify --trusted-checkpoint" in found[0]
    assert ledger.head().sequence == 0


def test_what_cannot_be_read_is_told(settings: Settings, ledger: Ledger) -> None:
    generate_keys(ledger, Keyring(settings.keys_folder), Purpose.BUNDLE, PASSPHRASE)
    next(settings.keys_folder.glob("*.vkey")).write_text("nonsense")
    path = CheckpointFolder(settings.checkpoints_folder).keep(*read_checkpoint(signed(1, bytes(32))))
    path.write_bytes(b"nonsense")
    found = problems(examine(settings))
    assert len(found) == 2
    assert "nonsense" in found[0]
    assert "checkpoint: expected a signed checkpoint" in found[1]
