"""The detached signature of a bundle: what makes it count, and the check that fails where it does not."""

from __future__ import annotations

import pytest

from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.export.signature import (
    BundleStatement,
    bundle_key_name,
    bundle_origin,
    check_bundle_signature,
    read_bundle_signature,
    sign_bundle,
)
from ledger.note import Note, NoteFormError, Signature
from ledger.outside.keyring import Purpose
from ledger.signing.keys import key_name
from ledger.trust import TrustPolicy, read_checkpoint, trust_checkpoint
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, witness_key

NAME = f"{ORIGIN}/bundles"
OTHER = "other.example/log"
KEY, ROTATED, FOREIGN = log_key(NAME), log_key(NAME, seed="new"), log_key(f"{OTHER}/bundles")
SHA256 = "5c" * 32
TEXT = f"margin-ledger bundle\n{ORIGIN}\n{SHA256}\n"


def line(key: SigningKey, text: str = TEXT) -> Signature:
    return Signature(key.verifier.name, key.verifier.id, key.private_key.sign(text.encode()))


def signed(text: str) -> bytes:
    """A note whose signature holds, whatever its text is."""
    return Note(text, (line(KEY, text),)).encode()


def refused(data: bytes, *keys: SigningKey, origin: str = ORIGIN, sha256: str = SHA256) -> str:
    """The name of the check that fails."""
    with pytest.raises(EvidenceRefusedError) as caught:
        check_bundle_signature(data, origin, sha256, tuple(key.verifier for key in keys or (KEY,)))
    return caught.value.check


def test_the_text_is_three_lines_and_the_note_is_read_as_it_was_written() -> None:
    note = sign_bundle(SHA256, ORIGIN, (KEY,))
    assert note.text == TEXT
    assert note.signatures == (line(KEY),)
    assert read_bundle_signature(note.encode()) == (note, BundleStatement(ORIGIN, SHA256))


def test_a_ledgers_bundle_key_is_the_one_that_the_keyring_makes() -> None:
    assert bundle_key_name(ORIGIN) == key_name(ORIGIN, Purpose.BUNDLE)


def test_the_keys_that_signed_are_told() -> None:
    both = sign_bundle(SHA256, ORIGIN, (KEY, ROTATED)).encode()
    one = sign_bundle(SHA256, ORIGIN, (ROTATED,)).encode()
    keys = (KEY.verifier, ROTATED.verifier)
    assert check_bundle_signature(both, ORIGIN, SHA256, keys) == keys
    assert check_bundle_signature(both, ORIGIN, SHA256, keys[:1]) == keys[:1]
    assert check_bundle_signature(one, ORIGIN, SHA256, keys) == keys[1:]


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n{SHA256}\n",
        f"margin-ledger bundle\n\n{SHA256}\n",
        f"{TEXT}more\n",
        f"margin-ledger bundles\n{ORIGIN}\n{SHA256}\n",
        f"margin-ledger bundle\n{ORIGIN}\n{SHA256.upper()}\n",
        f"margin-ledger bundle\n{ORIGIN}\n{SHA256[1:]}\n",
    ],
)
def test_another_form_is_refused_although_the_key_signed_it(text: str) -> None:
    assert refused(signed(text)) == "signature"


def test_another_origin_is_refused_although_the_key_signed_it() -> None:
    assert refused(signed(TEXT.replace(ORIGIN, OTHER))) == "origin"
    assert refused(sign_bundle(SHA256, OTHER, (FOREIGN,)).encode()) == "origin"
    assert refused(sign_bundle(SHA256, ORIGIN, (KEY,)).encode(), FOREIGN, origin=OTHER) == "origin"


def test_another_manifest_is_refused() -> None:
    assert refused(signed(TEXT), sha256="5d" * 32) == "manifest"


@pytest.mark.parametrize(
    "signer", [ROTATED, FOREIGN, log_key(), SigningKey.of(ORIGIN, KEY.private_key)], ids=repr
)
def test_a_signature_by_any_other_key_is_refused(signer: SigningKey) -> None:
    assert refused(Note(TEXT, (line(signer),)).encode()) == "signature"


def test_every_line_that_claims_a_trusted_key_must_hold() -> None:
    wrong = Signature(NAME, ROTATED.verifier.id, bytes(64))
    note = Note(TEXT, (line(KEY), wrong)).encode()
    assert check_bundle_signature(note, ORIGIN, SHA256, (KEY.verifier,)) == (KEY.verifier,)
    assert refused(note, KEY, ROTATED) == "signature"
    assert (
        refused(Note(TEXT, (line(KEY), Signature(NAME, KEY.verifier.id, bytes(64)))).encode()) == "signature"
    )


# A checkpoint and a signed bundle are never taken for each other.


@pytest.mark.parametrize("origin", [ORIGIN, "7", "margin-ledger bundle"])
def test_a_checkpoint_is_no_signature_of_a_bundle_whoever_signed_it(origin: str) -> None:
    for key in (KEY, log_key(), SigningKey.of(NAME, log_key().private_key)):
        checkpoint = sign_checkpoint(Checkpoint(origin, 7, bytes(range(32))), (key,), AT).encode()
        assert refused(checkpoint) == "signature"
        with pytest.raises(EvidenceRefusedError, match=r"^signature: expected the signed note of a bundle"):
            read_bundle_signature(checkpoint)


@pytest.mark.parametrize("origin", [ORIGIN, "7", "0"])
def test_a_signature_of_a_bundle_is_no_checkpoint_whoever_signed_it(origin: str) -> None:
    text = BundleStatement(origin, SHA256).text()
    policy = TrustPolicy.of((log_key().verifier,), origin="margin-ledger bundle")
    for key in (KEY, log_key()):
        note = Note(text, (line(key, text),)).encode()
        with pytest.raises(EvidenceRefusedError, match=r"^checkpoint: "):
            read_checkpoint(note)
        with pytest.raises(EvidenceRefusedError, match=r"^checkpoint: "):
            trust_checkpoint(note, policy)


def test_a_signature_of_a_checkpoint_does_not_hold_under_a_bundles_text() -> None:
    """One private key under both names: its two kinds of signature are over different bytes."""
    shared = SigningKey.of(ORIGIN, KEY.private_key)
    value = shared.sign(Checkpoint(ORIGIN, 7, bytes(32)), AT).value
    assert refused(Note(TEXT, (Signature(NAME, KEY.verifier.id, value),)).encode()) == "signature"


# Calling it wrongly.


@pytest.mark.parametrize(
    "keys",
    [
        (),
        (log_key(),),
        (KEY, log_key()),
        (FOREIGN,),
        (SigningKey.of(f"{NAME}/bundles", KEY.private_key),),
        (witness_key(NAME),),
        (quantum_key(NAME),),
    ],
    ids=repr,
)
def test_keys_that_sign_no_bundles_of_the_ledger_are_refused(keys: tuple[SigningKey, ...]) -> None:
    with pytest.raises(InvalidInputError, match="bundle"):
        check_bundle_signature(signed(TEXT), ORIGIN, SHA256, tuple(key.verifier for key in keys))
    with pytest.raises(InvalidInputError, match="bundle"):
        sign_bundle(SHA256, ORIGIN, keys)


@pytest.mark.parametrize("sha256", ["", SHA256.upper(), SHA256[1:], f"{SHA256}\n"])
def test_what_is_no_hash_is_not_signed(sha256: str) -> None:
    with pytest.raises(NoteFormError):
        sign_bundle(sha256, ORIGIN, (KEY,))


def test_the_origin_is_that_of_the_keys_or_the_one_that_is_meant() -> None:
    assert bundle_origin((KEY.verifier, ROTATED.verifier)) == ORIGIN
    assert bundle_origin((KEY.verifier,), ORIGIN) == ORIGIN
    for keys, origin in (((KEY, FOREIGN), None), ((KEY,), OTHER), ((log_key(),), None), ((), None)):
        with pytest.raises(InvalidInputError, match="bundle"):
            bundle_origin(tuple(key.verifier for key in keys), origin)
