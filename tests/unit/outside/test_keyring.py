"""Keys outside the database: encrypted, each for one purpose, rotated without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.checkpoint import Checkpoint, verify_signature
from ledger.errors import InvalidInputError, KeyUnusableError, NotFoundError
from ledger.note import NoteFormError, SignatureType
from ledger.outside.keyring import Keyring, Purpose
from tests.support.keys import AT, ORIGIN

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = b"correct horse battery"


def given() -> bytes:
    return PASSPHRASE


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = Keyring(tmp_path / "keys")
    keyring.generate(Purpose.CHECKPOINT, ORIGIN, PASSPHRASE)
    return keyring


def test_a_checkpoint_is_signed_by_a_pair_of_keys(keyring: Keyring) -> None:
    keys = keyring.load(Purpose.CHECKPOINT, ORIGIN, given)
    assert [key.verifier.type for key in keys] == [SignatureType.ED25519, SignatureType.ML_DSA_44]
    checkpoint = Checkpoint(ORIGIN, 1, bytes(32))
    for key in keys:
        assert verify_signature(key.verifier, key.sign(checkpoint, AT), checkpoint) is not None


@pytest.mark.parametrize(
    ("purpose", "types"),
    [
        (Purpose.BUNDLE, [SignatureType.ED25519]),
        (Purpose.WITNESS, [SignatureType.COSIGNATURE, SignatureType.ML_DSA_44]),
    ],
)
def test_each_purpose_has_keys_of_its_own(
    keyring: Keyring, purpose: Purpose, types: list[SignatureType]
) -> None:
    with pytest.raises(NotFoundError, match=f"there is no current {purpose} key"):
        keyring.load(purpose, ORIGIN, given)
    keyring.generate(purpose, ORIGIN, PASSPHRASE)
    assert [key.verifier.type for key in keyring.find(purpose)] == types
    of_checkpoints = {key.verifier.public_key for key in keyring.find(Purpose.CHECKPOINT)}
    assert of_checkpoints.isdisjoint(key.verifier.public_key for key in keyring.find(purpose))


def test_private_keys_are_encrypted_pkcs8_that_others_read(keyring: Keyring) -> None:
    for key in keyring.find(state="current"):
        pem = key.file.read_bytes()
        assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert key.file.stat().st_mode & 0o777 == 0o600
        assert load_pem_private_key(pem, PASSPHRASE) is not None


def test_a_wrong_passphrase_is_refused_and_none_is_asked_for_without_a_key(keyring: Keyring) -> None:
    with pytest.raises(KeyUnusableError, match="wrong passphrase"):
        keyring.load(Purpose.CHECKPOINT, ORIGIN, lambda: b"another passphrase")

    def never() -> bytes:
        raise AssertionError("asked")

    with pytest.raises(NotFoundError):
        keyring.load(Purpose.CHECKPOINT, "other.example", never)


def test_a_short_passphrase_is_refused_and_no_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="fewer than 12 bytes"):
        Keyring(tmp_path / "keys").generate(Purpose.CHECKPOINT, ORIGIN, b"short")
    assert not (tmp_path / "keys").exists()


def test_keys_that_are_there_are_not_replaced(keyring: Keyring) -> None:
    with pytest.raises(InvalidInputError, match="there is a current checkpoint key already"):
        keyring.generate(Purpose.CHECKPOINT, ORIGIN, PASSPHRASE)
    keyring.generate(Purpose.CHECKPOINT, "other.example", PASSPHRASE)  # of another log in the same home
    assert len(keyring.find(Purpose.CHECKPOINT)) == 4


def test_a_rotation_puts_the_next_keys_in_place_and_keeps_the_old_ones(keyring: Keyring) -> None:
    old = keyring.load(Purpose.CHECKPOINT, ORIGIN, given)
    keyring.generate(Purpose.CHECKPOINT, ORIGIN, b"another passphrase", state="next")
    new = keyring.load(Purpose.CHECKPOINT, ORIGIN, lambda: b"another passphrase", state="next")
    keyring.promote(Purpose.CHECKPOINT, ORIGIN)
    keyring.promote(Purpose.CHECKPOINT, ORIGIN)  # nothing is next: nothing moves
    current = keyring.load(Purpose.CHECKPOINT, ORIGIN, lambda: b"another passphrase")
    retired = keyring.load(Purpose.CHECKPOINT, ORIGIN, given, state="retired")
    assert [key.verifier for key in current] == [key.verifier for key in new]
    assert [key.verifier for key in retired] == [key.verifier for key in old]
    assert keyring.find(state="next") == []


def test_a_private_key_that_does_not_belong_to_its_public_one_is_refused(keyring: Keyring) -> None:
    keyring.generate(Purpose.CHECKPOINT, "other.example", PASSPHRASE)
    (ours, *_), (theirs, *_) = keyring.find(name=ORIGIN), keyring.find(name="other.example")
    ours.file.write_bytes(theirs.file.read_bytes())
    with pytest.raises(KeyUnusableError, match=r"not the private key of the \.vkey file"):
        keyring.load(Purpose.CHECKPOINT, ORIGIN, given)


@pytest.mark.parametrize(
    ("encrypted", "problem"), [(True, "neither Ed25519 nor ML-DSA-44"), (False, "not encrypted")]
)
def test_a_key_of_another_kind_or_without_encryption_is_refused(
    keyring: Keyring, problem: str, *, encrypted: bool
) -> None:
    encryption = BestAvailableEncryption(PASSPHRASE) if encrypted else NoEncryption()
    pem = generate_private_key(65_537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    keyring.find()[0].file.write_bytes(pem)
    with pytest.raises(KeyUnusableError, match=problem):
        keyring.load(Purpose.CHECKPOINT, ORIGIN, given)


def test_files_that_are_no_keys_are_named(keyring: Keyring) -> None:
    (keyring.folder / "checkpoint-00.vkey").write_text("nonsense")
    with pytest.raises(NoteFormError, match=r"checkpoint-00\.vkey"):
        keyring.find()
    (keyring.folder / "checkpoint-00.vkey").rename(keyring.folder / "lunch-00.vkey")
    (keyring.folder / "lunch-00.vkey").write_text(
        keyring.folder.joinpath(
            next(path.name for path in keyring.folder.glob("checkpoint-*.vkey"))
        ).read_text()
    )
    with pytest.raises(InvalidInputError, match="'lunch' is no purpose of a key"):
        keyring.find()


def test_half_a_pair_is_completed_only_with_its_own_passphrase(keyring: Keyring) -> None:
    """Otherwise no passphrase would open both."""
    half = keyring.find(Purpose.CHECKPOINT, ORIGIN)[1]
    for path in (half.file, half.file.with_suffix(".vkey")):
        path.unlink()
    with pytest.raises(KeyUnusableError, match="wrong passphrase"):
        keyring.generate(Purpose.CHECKPOINT, ORIGIN, b"another passphrase")
    assert len(keyring.find(Purpose.CHECKPOINT, ORIGIN)) == 1
    keyring.generate(Purpose.CHECKPOINT, ORIGIN, PASSPHRASE)
    assert len(keyring.load(Purpose.CHECKPOINT, ORIGIN, given)) == 2


def test_keys_are_never_printed(keyring: Keyring) -> None:
    (key, _) = keyring.load(Purpose.CHECKPOINT, ORIGIN, given)
    assert repr(key) == f"SigningKey({ORIGIN}+{key.verifier.id.hex()})"
