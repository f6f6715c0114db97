"""Signed notes (C2SP signed-note): text, and lines of signatures under it. Bytes in, verdict out.

A note is read strictly: what :func:`Note.parse` accepts, :meth:`Note.encode` gives back to the byte.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum

from ledger.errors import InvalidInputError

LARGEST_NOTE_BYTES = 1_000_000
MOST_SIGNATURES = 100
_KEY_ID_BYTES = 4
_LINE_START = "— "
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PUBLIC_KEY_BYTES = {1: 32, 4: 32, 6: 1312}
_SIGN_BIT = 0x80
# The y of Ed25519's eight points of small order, two of them in a second spelling. Under such a key there
# is a signature that holds for every text, so whoever published it could deny all that it signed.
_SMALL_ORDER = {
    bytes.fromhex(y)
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
}


class SignatureType(IntEnum):
    """How a key signs; the byte that is part of its id.

    Attributes:
        ED25519: Ed25519 over the note's text (C2SP signed-note).
        COSIGNATURE: Ed25519 over a time and a checkpoint (C2SP tlog-cosignature, cosignature/v1).
        ML_DSA_44: ML-DSA-44 over a time and a checkpoint (C2SP tlog-cosignature, subtree/v1).
    """

    ED25519 = 1
    COSIGNATURE = 4
    ML_DSA_44 = 6


class NoteFormError(InvalidInputError):
    """Bytes are not a signed note, a checkpoint, a proof or a key in its one form."""


def decode_base64(text: str, what: str) -> bytes:
    """Read standard base64 in its one form.

    Raises:
        NoteFormError: other characters, wrong padding, or bits set that padding hides.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise NoteFormError(f"{what} is not base64")
    return data


def check_key_name(name: str) -> None:
    """Refuse what cannot be the name of a key.

    Raises:
        NoteFormError: empty, or with a space, a plus, a control character or half a character.
    """
    is_word = name.split() == [name] and not _CONTROL.search(name) and not _SURROGATE.search(name)
    if not is_word or "+" in name:
        raise NoteFormError(f"{name!r} cannot be a key's name: it has a space, a plus, or nothing")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and way of signing.

    Attributes:
        name: who signs; for a log's own key the log's origin.
        type: how it signs.
        public_key: 32 bytes (Ed25519) or 1,312 (ML-DSA-44).
    """

    name: str
    type: SignatureType
    public_key: bytes

    def __repr__(self) -> str:
        return f"VerifierKey({self})"

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}"

    @property
    def id(self) -> bytes:
        """The four bytes that tell keys of one name apart; no proof of anything."""
        body = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(body).digest()[:_KEY_ID_BYTES]

    def encode(self) -> str:
        """Return the key as text: ``name+id+base64``, the vkey form of C2SP signed-note."""
        key = base64.b64encode(bytes([self.type]) + self.public_key).decode()
        return f"{self}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a key in vkey form.

        Raises:
            NoteFormError: not such a key, of a type not known here, the id is not that of the key, or
                anyone can sign with it.
        """
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteFormError(f"{text[:80]!r} is not a public key of the form name+id+base64")
        name, key_id, encoded = parts
        check_key_name(name)
        data = decode_base64(encoded, f"the public key of {name}")
        if data[0] not in _PUBLIC_KEY_BYTES:
            raise NoteFormError(f"the key {name} has the signature type {data[0]}, which is not known here")
        if len(data) - 1 != _PUBLIC_KEY_BYTES[data[0]]:
            raise NoteFormError(f"the key {name} has {len(data) - 1} bytes, not {_PUBLIC_KEY_BYTES[data[0]]}")
        key = cls(name, SignatureType(data[0]), data[1:])
        if key.type is not SignatureType.ML_DSA_44 and is_of_small_order(key.public_key):
            raise NoteFormError(f"the key {name} is a point of small order: anyone can sign with it")
        if key.id.hex() != key_id:
            raise NoteFormError(f"the key {name} has the id {key.id.hex()}, its text says {key_id[:20]!r}")
        return key


def is_of_small_order(public_key: bytes) -> bool:
    """Tell whether an Ed25519 key is one under which anyone can sign anything."""
    return public_key[:-1] + bytes([public_key[-1] & ~_SIGN_BIT]) in _SMALL_ORDER


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note; says nothing until it is verified.

    Attributes:
        name: of the key.
        key_id: four bytes.
        value: the signature itself; its form depends on the key's type.
    """

    name: str
    key_id: bytes
    value: bytes

    def is_by(self, key: VerifierKey) -> bool:
        """Tell whether the line says that it is this key's."""
        return self.name == key.name and self.key_id == key.id

    def encode(self) -> str:
        """Return the line with its line end."""
        return f"{_LINE_START}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Read a line, without its line end.

        Raises:
            NoteFormError: not such a line.
        """
        name, space, encoded = line.removeprefix(_LINE_START).partition(" ")
        if not line.startswith(_LINE_START) or not space:
            raise NoteFormError(f"{line[:40]!r} is not a line of a signature (— name base64)")
        check_key_name(name)
        data = decode_base64(encoded, f"the signature by {name}")
        if len(data) <= _KEY_ID_BYTES:
            raise NoteFormError(f"the signature by {name} is empty")
        return cls(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the lines of signatures under it, verified or not.

    Attributes:
        text: what is signed; ends with a line end.
        signatures: one or more, in their order.
    """

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return (self.text + "\n" + "".join(each.encode() for each in self.signatures)).encode()

    def with_signatures(self, more: tuple[Signature, ...]) -> Note:
        """Return the note with more lines under it; of each key the first line stands."""
        lines: dict[tuple[str, bytes], Signature] = {}
        for each in (*self.signatures, *more):
            lines.setdefault((each.name, each.key_id), each)
        return Note(self.text, tuple(lines.values()))

    def signed_by(self, name: str) -> Note:
        """Return the note with the signatures of one name alone, as it was before others cosigned it."""
        return Note(self.text, tuple(each for each in self.signatures if each.name == name))

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note's bytes.

        Raises:
            NoteFormError: not UTF-8, a control character, no signature, or a line out of form.
        """
        if len(data) > LARGEST_NOTE_BYTES:
            raise NoteFormError(f"a note of {len(data)} bytes; {LARGEST_NOTE_BYTES} are read at most")
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise NoteFormError(f"byte {error.start} of the note is not UTF-8") from None
        control = _CONTROL.search(whole)
        if control is not None:
            raise NoteFormError(f"the note holds the control character {control.group()!r}")
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise NoteFormError("no signature stands under the text, after an empty line")
        signatures = lines[:-1].split("\n")
        if len(signatures) > MOST_SIGNATURES:
            raise NoteFormError(f"{len(signatures)} signatures; {MOST_SIGNATURES} are read at most")
        return cls(text + "\n", tuple(Signature.parse(line) for line in signatures))
