"""The detached signature of a bundle (docs/spec/bundle.md §8). Bytes in, verdict out.

The ledger's bundle key signs it and never the checkpoint key. Their texts cannot be taken for each other
either, whichever key signs: where a checkpoint has a root hash of 44 characters, a bundle's text has 64.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.checkpoint import verify_ed25519
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.note import Note, NoteFormError, Signature, SignatureType, VerifierKey

if TYPE_CHECKING:
    from ledger.checkpoint import SigningKey

_FIRST_LINE = "margin-ledger bundle"
_KEY_NAME_END = "/bundles"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BundleStatement:
    """What a bundle's signature is over.

    Attributes:
        origin: the ledger that the bundle was taken from.
        manifest_sha256: hash of ``manifest.json``, 64 hex digits; it covers every other file.
    """

    origin: str
    manifest_sha256: str

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{_FIRST_LINE}\n{self.origin}\n{self.manifest_sha256}\n"

    @classmethod
    def parse(cls, text: str) -> BundleStatement:
        """Read the text under a bundle's signature.

        Raises:
            NoteFormError: not exactly the three lines.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[0] != _FIRST_LINE or lines[3]:
            raise NoteFormError(f"its text is not three lines, the first of them {_FIRST_LINE!r}")
        _, origin, manifest_sha256, _ = lines
        if not origin:
            raise NoteFormError("its second line, the origin, is empty")
        if _SHA256.fullmatch(manifest_sha256) is None:
            raise NoteFormError(f"{manifest_sha256[:80]!r} is not a SHA-256 in 64 lowercase hex digits")
        return cls(origin, manifest_sha256)


@dataclass(frozen=True, slots=True)
class GivenSignature:
    """A bundle's signature that the person who checks brings along, and whom they trust.

    Attributes:
        note: the bytes of the signed note.
        origin: the ledger that is meant.
        keys: its bundle keys that are trusted.
    """

    note: bytes
    origin: str
    keys: tuple[VerifierKey, ...]


def bundle_key_name(origin: str) -> str:
    """Return the name of a ledger's bundle keys."""
    return f"{origin}{_KEY_NAME_END}"


def bundle_origin(keys: tuple[VerifierKey, ...], origin: str | None = None) -> str:
    """Return the ledger whose bundles some keys sign; without an origin their name tells it.

    Raises:
        InvalidInputError: no key, keys of several ledgers, or one that is no bundle key of the origin.
    """
    if origin is None:
        names = sorted({key.name for key in keys})
        if len(names) > 1:
            raise InvalidInputError(f"the bundle keys have several names: {', '.join(names)}")
        origin = names[0].removesuffix(_KEY_NAME_END) if names else ""
    _check_keys(origin, keys)
    return origin


def sign_bundle(manifest_sha256: str, origin: str, keys: tuple[SigningKey, ...]) -> Note:
    """Return the signature of a bundle by every key, in their order.

    Raises:
        InvalidInputError: no key, one that is no bundle key of this origin, or no such hash.
    """
    _check_keys(origin, tuple(key.verifier for key in keys))
    text = BundleStatement(origin, manifest_sha256).text()
    BundleStatement.parse(text)  # what is signed can be read again
    signatures = (
        Signature(key.verifier.name, key.verifier.id, key.private_key.sign(text.encode())) for key in keys
    )
    return Note(text, tuple(signatures))


def read_bundle_signature(data: bytes) -> tuple[Note, BundleStatement]:
    """Read a bundle's signature without believing it.

    Raises:
        EvidenceRefusedError: not one in its one form.
    """
    try:
        note = Note.parse(data)
        return note, BundleStatement.parse(note.text)
    except NoteFormError as error:
        raise EvidenceRefusedError("signature", "the signed note of a bundle", error.problem) from None


def check_bundle_signature(
    data: bytes, origin: str, manifest_sha256: str, keys: tuple[VerifierKey, ...]
) -> tuple[VerifierKey, ...]:
    """Hold a bundle's signature to the keys that the caller trusts; return those that signed.

    Args:
        data: the note's bytes.
        origin: the ledger that is meant, from the person who checks.
        manifest_sha256: hash of the ``manifest.json`` that is there, 64 hex digits.
        keys: trusted bundle keys; at least one must have signed, and every line that claims to be by
            one of them must hold.

    Raises:
        InvalidInputError: no key is given, or one that is no bundle key of this origin.
        EvidenceRefusedError: names the check that fails: ``signature`` (its form), ``origin``,
            ``manifest`` or ``signature``.
    """
    _check_keys(origin, keys)
    note, statement = read_bundle_signature(data)
    if statement.origin != origin:
        raise EvidenceRefusedError("origin", origin, statement.origin)
    if statement.manifest_sha256 != manifest_sha256:
        raise EvidenceRefusedError(
            "manifest", f"a manifest of SHA-256 {statement.manifest_sha256}", f"one of {manifest_sha256}"
        )
    signers = []
    for signature in note.signatures:
        for key in keys:
            if signature.is_by(key):
                if not verify_ed25519(key.public_key, note.text.encode(), signature.value):
                    raise EvidenceRefusedError(
                        "signature", f"a valid signature by {key}", "one that does not hold"
                    )
                signers.append(key)
    if not signers:
        wanted = " or ".join(f"{key}" for key in keys)
        found = ", ".join(f"{each.name}+{each.key_id.hex()}" for each in note.signatures)
        raise EvidenceRefusedError("signature", f"a signature by {wanted}", f"signatures by {found}")
    return tuple(dict.fromkeys(signers))


def _check_keys(origin: str, keys: tuple[VerifierKey, ...]) -> None:
    if not keys:
        raise InvalidInputError(
            "no bundle key is trusted, so no signature could be checked",
            next_step="give the key that ledger keys export-public --purpose bundle prints",
        )
    for key in keys:
        if key.name != bundle_key_name(origin) or key.type is not SignatureType.ED25519:
            raise InvalidInputError(
                f"the key {key} is not one that bundles of {origin or 'a ledger'} are signed with: "
                f"that is an Ed25519 key of the name {bundle_key_name(origin or 'ORIGIN')}",
                next_step="give the key that ledger keys export-public --purpose bundle prints",
            )
