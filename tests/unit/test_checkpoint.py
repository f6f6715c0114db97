"""Checkpoints as C2SP tlog-checkpoint and tlog-cosignature have them, and the signatures over them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ledger.checkpoint import (
    Checkpoint,
    SigningKey,
    cosigned_message,
    sign_checkpoint,
    verify_ed25519,
    verify_ml_dsa_44,
    verify_signature,
)
from ledger.merkle import EMPTY_ROOT
from ledger.note import NoteFormError, Signature, VerifierKey
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, witness_key

ROOT = bytes(range(32))
ROOT_TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
CHECKPOINT = Checkpoint(ORIGIN, 7, ROOT)
SECONDS = int(AT.timestamp())
KEYS = pytest.mark.parametrize(
    "key", [log_key(), witness_key(), quantum_key()], ids=lambda key: key.verifier.type.name
)
COSIGNERS = pytest.mark.parametrize(
    "key", [witness_key(), quantum_key("witness.example/one")], ids=lambda key: key.verifier.type.name
)


def test_a_checkpoint_is_origin_tree_size_and_root_hash() -> None:
    assert CHECKPOINT.text() == f"venue.example/perpetuals\n7\n{ROOT_TEXT}\n"
    assert Checkpoint.parse(CHECKPOINT.text()) == CHECKPOINT


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint(ORIGIN, 0, EMPTY_ROOT),
        Checkpoint(ORIGIN, 2**63 - 1, ROOT),
        Checkpoint("a log with spaces + plus", 1, ROOT),
        Checkpoint(ORIGIN, 7, ROOT, "of another log\nand more\n"),
    ],
)
def test_it_is_read_as_it_is_written(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at least three lines"),
        (f"log\n7\n{ROOT_TEXT}", "at least three lines"),
        (f"\n7\n{ROOT_TEXT}\n", "at least three lines"),
        (f"log\n{ROOT_TEXT}\n", "at least three lines"),
        (f"log\n7\n{ROOT_TEXT}\n\n", "at least three lines"),
        (f"log\n7\n{ROOT_TEXT}\n\nmore\n", "at least three lines"),
        (f"log\n07\n{ROOT_TEXT}\n", "'07' is not a tree size"),
        (f"log\n+7\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n-7\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n 7\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n7 \n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n0x7\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n٧\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n{2**63}\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n{'9' * 5000}\n{ROOT_TEXT}\n", "is not a tree size"),
        (f"log\n7\n{ROOT_TEXT[:-1]}\n", "is not base64"),
        (f"log\n7\n{ROOT_TEXT[:-2]}9=\n", "is not base64"),
        (f"log\n7\n{base64.b64encode(ROOT[:31]).decode()}\n", "31 bytes, not 32"),
        (f"log\n7\n{base64.b64encode(ROOT + b'x').decode()}\n", "33 bytes, not 32"),
    ],
)
def test_what_is_no_checkpoint_in_its_one_form_is_refused(text: str, problem: str) -> None:
    with pytest.raises(NoteFormError, match=problem):
        Checkpoint.parse(text)


@KEYS
def test_what_a_key_signs_holds_with_its_public_key(key: SigningKey) -> None:
    verified = verify_signature(key.verifier, key.sign(CHECKPOINT, AT), CHECKPOINT)
    assert verified is not None
    assert verified.key == key.verifier
    assert verified.signed_at == (None if key.verifier == log_key().verifier else AT)


@KEYS
@pytest.mark.parametrize(
    "other",
    [
        replace(CHECKPOINT, origin="venue.example/other"),
        replace(CHECKPOINT, size=8),
        replace(CHECKPOINT, root_hash=ROOT[::-1]),
    ],
    ids=["origin", "size", "root"],
)
def test_it_does_not_hold_for_another_checkpoint(key: SigningKey, other: Checkpoint) -> None:
    assert verify_signature(key.verifier, key.sign(CHECKPOINT, AT), other) is None


@KEYS
def test_it_does_not_hold_with_one_bit_changed_cut_off_or_added(key: SigningKey) -> None:
    good = key.sign(CHECKPOINT, AT)
    size = len(good.value)
    places = [*range(0, size, max(1, size // 40)), size - 1]
    flipped = [good.value[:at] + bytes([good.value[at] ^ 1]) + good.value[at + 1 :] for at in places]
    for value in [*flipped, good.value[:-1], good.value + b"\x00", good.value[:8], good.value[:7], b"x"]:
        assert verify_signature(key.verifier, replace(good, value=value), CHECKPOINT) is None


@KEYS
def test_it_does_not_hold_for_a_key_of_another_name_or_id(key: SigningKey) -> None:
    good = key.sign(CHECKPOINT, AT)
    renamed = replace(key.verifier, name="witness.example/renamed")
    assert verify_signature(renamed, good, CHECKPOINT) is None
    assert verify_signature(key.verifier, replace(good, key_id=b"\x00" * 4), CHECKPOINT) is None


def test_an_ml_dsa_44_cosignature_is_bound_to_its_cosigners_name_and_an_ed25519_one_is_not() -> None:
    for key, holds in ((quantum_key("witness.example/one"), False), (witness_key(), True)):
        renamed = replace(key.verifier, name="witness.example/renamed")
        copied = Signature(renamed.name, renamed.id, key.sign(CHECKPOINT, AT).value)
        assert (verify_signature(renamed, copied, CHECKPOINT) is not None) == holds


def test_an_ed25519_signature_over_the_text_is_no_cosignature_and_the_other_way_round() -> None:
    plain = log_key()
    cosigner = SigningKey.of(ORIGIN, plain.private_key, cosigner=True)
    for one, other in ((plain, cosigner), (cosigner, plain)):
        value = one.sign(CHECKPOINT, AT).value
        claimed = Signature(ORIGIN, other.verifier.id, value)
        assert verify_signature(other.verifier, claimed, CHECKPOINT) is None


@COSIGNERS
def test_a_cosignature_starts_with_its_time_in_eight_bytes_rounded_down(key: SigningKey) -> None:
    signature = key.sign(CHECKPOINT, AT + timedelta(microseconds=999_999))
    assert signature.value[:8] == SECONDS.to_bytes(8, "big")


@COSIGNERS
@pytest.mark.parametrize("seconds", [253_402_300_800, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_time_that_is_no_date_or_is_too_large_holds_nothing(key: SigningKey, seconds: int) -> None:
    message = cosigned_message(key.verifier, CHECKPOINT, seconds)
    value = seconds.to_bytes(8, "big") + key.private_key.sign(message)
    signature = Signature(key.verifier.name, key.verifier.id, value)
    assert verify_signature(key.verifier, signature, CHECKPOINT) is None


def test_the_last_second_of_the_year_9999_is_a_time() -> None:
    at = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    verified = verify_signature(witness_key().verifier, witness_key().sign(CHECKPOINT, at), CHECKPOINT)
    assert verified is not None
    assert verified.signed_at == at


def test_an_ed25519_cosigner_signs_a_header_the_time_and_the_text() -> None:
    message = cosigned_message(witness_key().verifier, CHECKPOINT, SECONDS)
    assert message == b"cosignature/v1\ntime 1773307800\n" + CHECKPOINT.text().encode()


def test_an_ml_dsa_44_cosigner_signs_names_time_range_and_root() -> None:
    message = cosigned_message(quantum_key("witness.example/one").verifier, CHECKPOINT, SECONDS)
    assert message == (
        b"subtree/v1\n\x00"
        b"\x13witness.example/one" + SECONDS.to_bytes(8, "big") + b"\x18venue.example/perpetuals"
        b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + ROOT
    )


def test_a_name_or_origin_of_more_than_255_bytes_fits_no_ml_dsa_44_cosignature() -> None:
    longest = quantum_key("n" * 255)
    assert verify_signature(longest.verifier, longest.sign(CHECKPOINT, AT), CHECKPOINT)
    with pytest.raises(NoteFormError, match="256 bytes"):
        quantum_key("n" * 256).sign(CHECKPOINT, AT)
    long_origin = replace(CHECKPOINT, origin="o" * 256)
    with pytest.raises(NoteFormError, match="256 bytes"):
        quantum_key().sign(long_origin, AT)
    own = quantum_key().verifier
    assert verify_signature(own, Signature(own.name, own.id, bytes(2428)), long_origin) is None


def test_a_checkpoint_is_signed_by_every_key_in_their_order() -> None:
    keys = (quantum_key(), log_key(), witness_key())
    note = sign_checkpoint(CHECKPOINT, keys, AT)
    assert note.text == CHECKPOINT.text()
    assert all(each.is_by(key.verifier) for each, key in zip(note.signatures, keys, strict=True))


def test_a_signing_key_does_not_show_its_secret() -> None:
    for key in (log_key(), quantum_key()):
        shown = repr(key)
        assert shown == f"SigningKey({ORIGIN}+{key.verifier.id.hex()})"


def test_the_two_algorithms_refuse_bytes_that_are_no_key() -> None:
    assert not verify_ed25519(bytes(31), b"", bytes(64))
    assert not verify_ml_dsa_44(bytes(1311), b"", bytes(2420))
    broken = VerifierKey(ORIGIN, log_key().verifier.type, bytes(31))
    assert verify_signature(broken, Signature(ORIGIN, broken.id, bytes(64)), CHECKPOINT) is None
