"""Signing the head: only one that follows from the last, and nothing is opened behind it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ledger.clock import FixedClock
from ledger.errors import AppendNotPermittedError, InvalidInputError, LedgerBehindError
from ledger.growth import GivenCheckpoint
from ledger.merkle import root_hash
from ledger.note import SignatureType
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.keyring import Keyring, Purpose
from ledger.prove import prove_inclusion
from ledger.signing.head import accept_restore, sign_head
from ledger.signing.keys import generate_keys, is_registered
from ledger.signing.tiles import publish_tiles
from ledger.store.ledger import Ledger
from ledger.store.roles import RoleKind
from ledger.store.tree import event_tree
from ledger.trust import trust_checkpoint
from ledger.verify import verify_ledger
from tests.support.direct import login
from tests.support.examples import deposit
from tests.support.keys import AT, ORIGIN, log_key, policy, quantum_key
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = (log_key(), quantum_key())


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin=ORIGIN) as opened:
        yield opened


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints")


def test_the_checkpoint_is_of_every_event_and_signed_by_both_keys(
    ledger: Ledger, checkpoints: CheckpointFolder
) -> None:
    ledger.append([deposit(f"A{number}") for number in range(300)])
    head = sign_head(ledger, KEYS, checkpoints, clock=FixedClock(AT))
    trusted = trust_checkpoint(head.path.read_bytes(), policy(*KEYS))
    assert (head.fresh, trusted.checkpoint.size, trusted.checkpoint.origin) == (True, 301, ORIGIN)
    assert trusted.checkpoint.root_hash == root_hash(stored for _, _, stored in ledger.entries())
    assert [each.key.type for each in trusted.log_signatures] == [
        SignatureType.ED25519, SignatureType.ML_DSA_44
    ]  # fmt: skip
    assert trusted.log_signatures[1].signed_at == AT


def test_a_head_that_has_not_moved_is_not_signed_again(ledger: Ledger, checkpoints: CheckpointFolder) -> None:
    first = sign_head(ledger, KEYS, checkpoints, clock=FixedClock(AT))
    again = sign_head(ledger, KEYS, checkpoints, clock=FixedClock(AT + timedelta(hours=1)))
    assert (again.fresh, again.note) == (False, first.note)


def test_a_key_that_came_since_adds_its_signature_to_the_same_head(
    ledger: Ledger, checkpoints: CheckpointFolder
) -> None:
    first = sign_head(ledger, KEYS[:1], checkpoints)
    again = sign_head(ledger, KEYS, checkpoints)
    assert again.fresh
    assert again.note.signatures[:1] == first.note.signatures
    assert len(trust_checkpoint(again.path.read_bytes(), policy(*KEYS)).log_signatures) == 2


def test_checkpoint_after_checkpoint_the_log_only_grows(
    ledger: Ledger, checkpoints: CheckpointFolder
) -> None:
    for count in (1, 254, 1, 300, 5):
        ledger.append([deposit(f"A{number}") for number in range(count)])
        sign_head(ledger, KEYS[:1], checkpoints)
    sizes = checkpoints.sizes(ORIGIN)
    assert sizes == [2, 256, 257, 557, 562]
    given = [GivenCheckpoint(str(size), checkpoints.read(ORIGIN, size)[1], True) for size in sizes]  # noqa: FBT003 (fields in order)
    assert verify_ledger(ledger, checkpoints=given).ok


def test_a_key_of_another_name_signs_nothing(ledger: Ledger, checkpoints: CheckpointFolder) -> None:
    with pytest.raises(InvalidInputError, match="is not named like the ledger"):
        sign_head(ledger, (log_key("other.example"),), checkpoints)
    assert checkpoints.newest(ORIGIN) is None


@pytest.mark.parametrize("more", [0, 1, 2, 50])
def test_a_database_that_was_set_back_is_not_written_to_until_someone_accepts_it(
    database_server_url: str, ledger: Ledger, database_url: str, checkpoints: CheckpointFolder, more: int
) -> None:
    """Whether it is still behind the checkpoint or has grown past it meanwhile."""
    ledger.append([deposit(f"A{number}") for number in range(5)])
    sign_head(ledger, KEYS, checkpoints)
    with fresh_database(database_server_url, like=database_url) as backup:
        ledger.append([deposit(f"B{number}") for number in range(2)])
        lost = sign_head(ledger, KEYS, checkpoints).checkpoint
        with Ledger.open(backup) as restored:
            restored.append([deposit(f"C{number}") for number in range(more)])
            size = restored.head().sequence + 1
            with pytest.raises(LedgerBehindError) as caught:
                Ledger.open(backup, checkpoints)
            assert (caught.value.checkpoint_size, caught.value.size) == (8, size)
            with pytest.raises(LedgerBehindError):
                sign_head(restored, KEYS, checkpoints)
            event = accept_restore(restored, checkpoints, "the disk of 12 March")
            assert event is not None
            assert (event.type, event.sequence) == ("RestoreAccepted", size)
            assert event.data.json_value() == {
                "from_checkpoint": " ".join(lost.text().split("\n")[:3]),
                "reason": "the disk of 12 March",
            }
            assert checkpoints.sizes(ORIGIN) == [6]
            assert accept_restore(restored, checkpoints, "again") is None
            assert sign_head(restored, KEYS, checkpoints).checkpoint.size == size + 1
            with Ledger.open(backup, checkpoints) as opened:
                assert verify_ledger(opened).ok


def test_an_acceptance_that_was_interrupted_is_recorded_once(
    database_server_url: str,
    ledger: Ledger,
    database_url: str,
    checkpoints: CheckpointFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fresh_database(database_server_url, like=database_url) as backup:
        ledger.append([deposit("B1")])
        sign_head(ledger, KEYS, checkpoints)
        with Ledger.open(backup) as restored:

            def crash(origin: str, size: int) -> None:
                raise KeyboardInterrupt(origin, size)

            with monkeypatch.context() as patched:
                patched.setattr(checkpoints, "set_aside", crash)
                with pytest.raises(KeyboardInterrupt):
                    accept_restore(restored, checkpoints, "first")
            event = accept_restore(restored, checkpoints, "second")
            assert event is not None
            assert event.data.json_value()["reason"] == "first"
            assert [each.type for each in restored.events()].count("RestoreAccepted") == 1
            assert checkpoints.newest(ORIGIN) is None


def test_a_signer_needs_to_read_the_database_and_no_more(
    ledger: Ledger, database_url: str, checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    ledger.append([deposit(f"A{number}") for number in range(300)])
    with login(database_url, RoleKind.READER) as url, Ledger.open(url, checkpoints) as reader:
        head = sign_head(reader, KEYS, checkpoints)
        assert publish_tiles(reader, head.note, head.checkpoint, tmp_path / "tiles").size == 301
        with reader.reading() as connection:
            proof = prove_inclusion(event_tree(connection, 301), 7, head.note, head.checkpoint)
        assert proof.index == 7
        given = GivenCheckpoint("kept", head.checkpoint, signature_checked=True)
        assert verify_ledger(reader, checkpoints=[given]).ok


@pytest.mark.parametrize(("kind", "may"), [(RoleKind.GOVERNANCE, True), (RoleKind.WRITER, False)])
def test_keys_are_recorded_by_governance_alone(
    ledger: Ledger, database_url: str, tmp_path: Path, kind: RoleKind, *, may: bool
) -> None:
    keyring = Keyring(tmp_path / "keys")
    with login(database_url, kind) as url, Ledger.open(url) as mine:
        refusal = nullcontext() if may else pytest.raises(AppendNotPermittedError)
        with refusal:
            generate_keys(mine, keyring, Purpose.CHECKPOINT, b"correct horse battery")
    assert len(keyring.find()) == (2 if may else 0)  # where it may not be recorded, nothing is made
    assert all(is_registered(ledger, key) for key in keyring.find())
