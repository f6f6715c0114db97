"""Signed notes and keys as C2SP signed-note has them, in their one form."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from ledger.note import (
    LARGEST_NOTE_BYTES,
    MOST_SIGNATURES,
    Note,
    NoteFormError,
    Signature,
    SignatureType,
    VerifierKey,
    check_key_name,
    decode_base64,
)
from tests.support.keys import ORIGIN, log_key, quantum_key, witness_key

if TYPE_CHECKING:
    from ledger.checkpoint import SigningKey


def test_a_name_with_half_a_character_is_refused() -> None:
    # Command lines hold such halves where their bytes are not UTF-8.
    with pytest.raises(NoteFormError, match="cannot be a key's name"):
        VerifierKey.parse("\udcff" + log_key().verifier.encode())


KEY = log_key().verifier
SIGNATURE = Signature(ORIGIN, KEY.id, b"signature")
NOTE = Note("line one\n\nline three – ü\n", (SIGNATURE, Signature("other.example", b"1234", b"x")))


def changed(old: str, new: str) -> bytes:
    data = NOTE.encode().decode()
    assert old in data
    return data.replace(old, new).encode()


def test_a_note_is_text_an_empty_line_and_signatures() -> None:
    encoded = base64.b64encode(KEY.id + b"signature").decode()
    assert NOTE.encode().decode() == (
        f"line one\n\nline three – ü\n\n— venue.example/perpetuals {encoded}\n— other.example MTIzNHg=\n"
    )
    assert Note.parse(NOTE.encode()) == NOTE


def test_the_text_ends_before_the_last_empty_line() -> None:
    note = Note("one\n\n— other.example MTIzNHg=\n\n\n", (SIGNATURE,))
    assert Note.parse(note.encode()).text == note.text


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no signature stands under the text"),
        (b"text\n", "no signature stands under the text"),
        (b"text\n\n", "no signature stands under the text"),
        (NOTE.encode()[:-1], "no signature stands under the text"),
        (NOTE.encode() + b"\n", "no signature stands under the text"),
        (NOTE.encode() + b"words\n", "is not a line of a signature"),
        (changed("— ", "- "), "is not a line of a signature"),
        (changed("— other.example ", "— other.example"), "is not a line of a signature"),
        (changed("— other.example ", "—  other.example "), "cannot be a key's name"),
        (changed("— other.example ", "— "), "is not a line of a signature"),
        (changed("other.example", "other+example"), "cannot be a key's name"),
        (changed("other.example", "other\u00a0example"), "cannot be a key's name"),
        (changed("MTIzNHg=", "MTIzNHg"), "is not base64"),
        (changed("MTIzNHg=", "MTIzNHh="), "is not base64"),  # bits set that the padding hides
        (changed("MTIzNHg=", "MTIzNHg= "), "is not base64"),
        (changed("MTIzNHg=", "MTIz_Hg="), "is not base64"),
        (changed("MTIzNHg=", ""), "is not base64"),
        (changed("MTIzNHg=", "MTIzNA=="), "the signature by other.example is empty"),
        (changed("MTIzNHg=", "MTIz"), "the signature by other.example is empty"),
        (changed("line one", "line\tone"), r"the control character '\\t'"),
        (changed("line one\n", "line one\r\n"), r"the control character '\\r'"),
        (NOTE.encode().replace(b"line one", b"line \xff"), "byte 5 of the note is not UTF-8"),
        (bytes(LARGEST_NOTE_BYTES + 1), "1000000 are read at most"),
        ((NOTE.text + "\n" + SIGNATURE.encode() * (MOST_SIGNATURES + 1)).encode(), "101 signatures"),
    ],
)
def test_what_is_no_note_in_its_one_form_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(NoteFormError, match=problem):
        Note.parse(data)


def test_as_many_signatures_as_are_read_may_stand_under_a_note() -> None:
    assert (
        len(Note.parse((NOTE.text + "\n" + SIGNATURE.encode() * MOST_SIGNATURES).encode()).signatures) == 100
    )


def test_signatures_are_added_once_and_taken_out_by_name() -> None:
    more = Signature("third.example", b"5678", b"y")
    note = NOTE.with_signatures((more, SIGNATURE))
    assert note.signatures == (*NOTE.signatures, more)
    assert note.signed_by(ORIGIN) == Note(NOTE.text, (SIGNATURE,))
    assert note.signed_by("nobody") == Note(NOTE.text, ())


def test_a_signature_is_by_a_key_if_name_and_id_are_both_its_own() -> None:
    assert SIGNATURE.is_by(KEY)
    assert not Signature("other.example", KEY.id, b"x").is_by(KEY)
    assert not Signature(ORIGIN, b"1234", b"x").is_by(KEY)


@pytest.mark.parametrize(
    "key", [log_key(), witness_key(), quantum_key()], ids=lambda key: key.verifier.type.name
)
def test_a_key_is_written_as_name_id_and_base64(key: SigningKey) -> None:
    verifier = key.verifier
    name, key_id, encoded = verifier.encode().split("+", 2)
    assert (name, bytes.fromhex(key_id)) == (verifier.name, verifier.id)
    assert base64.b64decode(encoded) == bytes([verifier.type]) + verifier.public_key
    assert VerifierKey.parse(verifier.encode()) == verifier


def test_the_id_tells_names_and_ways_of_signing_apart() -> None:
    keys = [
        VerifierKey(name, kind, KEY.public_key)
        for name in ("a", "b")
        for kind in (SignatureType.ED25519, SignatureType.COSIGNATURE)
    ]
    assert len({key.id for key in keys}) == 4


def _key(body: bytes, name: str = "log.example") -> str:
    key_id = hashlib.sha256(name.encode() + b"\n" + body).hexdigest()[:8]
    return f"{name}+{key_id}+{base64.b64encode(body).decode()}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a public key of the form"),
        ("log.example", "is not a public key of the form"),
        ("log.example+12345678", "is not a public key of the form"),
        (_key(b"\x01" + bytes(31)), "has 31 bytes, not 32"),
        (_key(b"\x04" + bytes(33)), "has 33 bytes, not 32"),
        (_key(b"\x06" + bytes(32)), "has 32 bytes, not 1312"),
        (_key(b"\x01"), "has 0 bytes, not 32"),
        (_key(b"\x02" + bytes(32)), "has the signature type 2, which is not known here"),
        (_key(b"\x01" + bytes(32), "log example"), "cannot be a key's name"),
        (_key(b"\x01" + bytes(32), ""), "cannot be a key's name"),
        (KEY.encode().replace(ORIGIN, "venue.example/other"), "its text says"),
        (KEY.encode() + "\n", "is not base64"),
        (KEY.encode().replace("+", "+ ", 1), "its text says"),
        (KEY.encode().replace(KEY.id.hex(), KEY.id.hex().upper()), "its text says"),
    ],
)
def test_what_is_no_key_in_its_one_form_is_refused(text: str, problem: str) -> None:
    with pytest.raises(NoteFormError, match=problem):
        VerifierKey.parse(text)


@pytest.mark.parametrize("name", ["", " ", "a b", "a+b", "a\n", "\ta", "a\u2003b", "a\x1fb", "\ud800"])
def test_a_name_is_one_word_without_a_plus(name: str) -> None:
    with pytest.raises(NoteFormError, match="cannot be a key's name"):
        check_key_name(name)


@pytest.mark.parametrize(
    "text", ["", "A", "AA", "AA=", "AB==", "AA==\n", " AA==", "AA==AA==", "é===", "A-_A"]
)
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(NoteFormError, match="the thing is not base64"):
        decode_base64(text, "the thing")
    assert decode_base64("AA==", "the thing") == b"\x00"
