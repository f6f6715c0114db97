"""Signatures of bundles that a verifier accepts, and those that it refuses, with the check that fails."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from signed_material import AT, BUNDLE_KEYS, LEAVES, ORIGIN, OTHER, written

from ledger.checkpoint import Checkpoint
from ledger.export.signature import BundleStatement, sign_bundle
from ledger.merkle import root_hash
from ledger.note import Note, Signature

MANIFEST_SHA256 = hashlib.sha256(b"a manifest.json").hexdigest()
OTHER_SHA256 = hashlib.sha256(b"another manifest.json").hexdigest()
TEXT = BundleStatement(ORIGIN, MANIFEST_SHA256).text()
HEAD = Checkpoint(ORIGIN, 4, root_hash(LEAVES))


def _line(name: str, text: str = TEXT) -> Signature:
    """Return a line by a key of type 1 over any text."""
    key = BUNDLE_KEYS[name]
    return Signature(key.verifier.name, key.verifier.id, key.private_key.sign(text.encode()))


def _signed(text: str, name: str = "bundle") -> bytes:
    """Return a note whose signature holds, whatever its text is."""
    return Note(text, (_line(name, text),)).encode()


def _vector(word: str, said: str, data: bytes, **more: Any) -> dict[str, Any]:
    """Return what is given to a verifier: a note, and what it is held to."""
    given = {"origin": ORIGIN, "manifest_sha256": MANIFEST_SHA256, "trusted": ["bundle"], **more}
    return {word: said, **given, **written("note", data)}


def signatures_that_hold() -> list[dict[str, Any]]:
    """Return signatures with the keys by which they count, and those that signed."""
    good = sign_bundle(MANIFEST_SHA256, ORIGIN, (BUNDLE_KEYS["bundle"],))
    both = ["bundle", "bundle, after a rotation"]
    unknown = Signature("nobody.example", b"\x01\x02\x03\x04", b"of a kind that nobody knows")
    same_id = Signature("nobody.example", BUNDLE_KEYS["bundle"].verifier.id, b"a line of another name")
    cases: list[tuple[str, list[str], Note, list[str]]] = [
        ("one signature", ["bundle"], good, ["bundle"]),
        ("both keys are trusted and one signed", both, good, ["bundle"]),
        ("both keys are trusted and signed", both, Note(TEXT, tuple(map(_line, both))), both),
        ("one of two signers is trusted", ["bundle, after a rotation"],
         Note(TEXT, tuple(map(_line, both))), ["bundle, after a rotation"]),
        ("a line of an unknown kind is passed over", ["bundle"],
         good.with_signatures((unknown,)), ["bundle"]),
        ("a line of the name and another id is passed over", ["bundle"],
         Note(TEXT, (_line("bundle's name, another key"), *good.signatures)), ["bundle"]),
        ("a line of another name and the id is passed over", ["bundle"],
         good.with_signatures((same_id,)), ["bundle"]),
    ]  # fmt: skip
    return [
        _vector("what", what, note.encode(), trusted=trusted, signed_by=signers)
        for what, trusted, note, signers in cases
    ]


def _form() -> list[tuple[str, bytes]]:
    """Return bytes that are no signature of a bundle."""
    good = _signed(TEXT)
    root = base64.b64encode(HEAD.root_hash).decode()
    return [
        ("nothing", b""),
        ("the text without a signature", TEXT.encode() + b"\n"),
        ("no line end at the end", good[:-1]),
        ("CR before LF", good.replace(b"\n", b"\r\n")),
        ("bytes that are not UTF-8", good.replace(b"bundle\n", b"bundle\xff\n", 1)),
        ("another first line", _signed(TEXT.replace("margin-ledger bundle", "margin-ledger/1 bundle"))),
        ("a first line in capitals", _signed(TEXT.replace("margin-ledger bundle", "Margin-ledger bundle"))),
        ("a first line with a space after it", _signed(TEXT.replace("bundle\n", "bundle \n", 1))),
        ("no first line", _signed(f"{ORIGIN}\n{MANIFEST_SHA256}\n")),
        ("no origin", _signed(f"margin-ledger bundle\n{MANIFEST_SHA256}\n")),
        ("an empty origin", _signed(f"margin-ledger bundle\n\n{MANIFEST_SHA256}\n")),
        ("a fourth line", _signed(f"{TEXT}more\n")),
        ("an empty fourth line", _signed(f"{TEXT}\n")),
        ("a hash in capitals", _signed(TEXT.replace(MANIFEST_SHA256, MANIFEST_SHA256.upper()))),
        ("a hash of 63 digits", _signed(TEXT.replace(MANIFEST_SHA256, MANIFEST_SHA256[:-1]))),
        ("a hash of 65 digits", _signed(TEXT.replace(MANIFEST_SHA256, f"{MANIFEST_SHA256}0"))),
        ("a hash with a space after it", _signed(TEXT.replace(MANIFEST_SHA256, f"{MANIFEST_SHA256} "))),
        ("a hash in base64", _signed(TEXT.replace(MANIFEST_SHA256, root))),
        ("a checkpoint, signed by the trusted bundle key", _signed(HEAD.text())),
        ("a checkpoint of a log that is called like the first line, signed by the trusted bundle key",
         _signed(Checkpoint("margin-ledger bundle", 4, HEAD.root_hash).text())),
    ]  # fmt: skip


def _refusals() -> list[tuple[str, str, Note, dict[str, Any]]]:
    own, both = _line("bundle"), ["bundle", "bundle, after a rotation"]
    elsewhere = BundleStatement(OTHER, MANIFEST_SHA256).text()
    changed = Signature(own.name, own.key_id, own.value[:-1] + bytes([own.value[-1] ^ 1]))
    of_checkpoint = Signature(own.name, own.key_id, _line("bundle", HEAD.text()).value)
    cosigned = BUNDLE_KEYS["bundle's name as a witness"].sign(HEAD, AT)
    by_renamed_log_key = Signature(own.name, own.key_id, _line("bundle's name, the log's key").value)
    second = Signature(own.name, BUNDLE_KEYS[both[1]].verifier.id, bytes(64))
    return [
        ("another origin, signed by the trusted key", "origin",
         Note(elsewhere, (_line("bundle", elsewhere),)), {}),
        ("another ledger's bundle, signed by its key", "origin",
         Note(elsewhere, (_line("other ledger's bundle", elsewhere),)), {}),
        ("another manifest", "manifest", Note(TEXT, (own,)), {"manifest_sha256": OTHER_SHA256}),
        ("the log's checkpoint key", "signature", Note(TEXT, (_line("log"),)), {}),
        ("the log's checkpoint key under the name of the bundle key", "signature",
         Note(TEXT, (_line("bundle's name, the log's key"),)), {}),
        ("the log's checkpoint key under name and id of the bundle key", "signature",
         Note(TEXT, (by_renamed_log_key,)), {}),
        ("the trusted key under the name of the checkpoint key", "signature",
         Note(TEXT, (_line("log's name, the bundle's key"),)), {}),
        ("the trusted key under the name of another ledger's", "signature",
         Note(TEXT, (_line("other ledger's name, the bundle's key"),)), {}),
        ("another key of the same name", "signature", Note(TEXT, (_line("bundle's name, another key"),)), {}),
        ("a key that came with a rotation and is not trusted", "signature",
         Note(TEXT, (_line(both[1]),)), {}),
        ("a cosignature by the trusted key", "signature", Note(TEXT, (cosigned,)), {}),
        ("the trusted key's signature of a checkpoint", "signature", Note(TEXT, (of_checkpoint,)), {}),
        ("one bit of the signature changed", "signature", Note(TEXT, (changed,)), {}),
        ("a signature of 63 bytes", "signature",
         Note(TEXT, (Signature(own.name, own.key_id, own.value[:-1]),)), {}),
        ("a line by the trusted key that does not hold, beside one that does", "signature",
         Note(TEXT, (own, Signature(own.name, own.key_id, bytes(64)))), {}),
        ("a second trusted key's line does not hold", "signature", Note(TEXT, (own, second)),
         {"trusted": both}),
    ]  # fmt: skip


def signatures_refused() -> list[dict[str, Any]]:
    """Return what a verifier must refuse, with the check that fails."""
    form = [_vector("why", why, data, check="signature") for why, data in _form()]
    return form + [
        _vector("why", why, note.encode(), check=check, **more) for why, check, note, more in _refusals()
    ]


def inputs_refused() -> list[dict[str, Any]]:
    """Return what a verifier must refuse to begin with, though the signature itself holds."""
    return [
        _vector("why", why, _signed(TEXT), trusted=trusted, **more)
        for why, trusted, more in (
            ("no key", [], {}),
            ("the log's checkpoint key", ["log"], {}),
            ("the log's checkpoint key beside the bundle key", ["bundle", "log"], {}),
            ("another ledger's bundle key", ["other ledger's bundle"], {}),
            ("the bundle key where another ledger is meant", ["bundle"], {"origin": OTHER}),
            ("the bundle key where a ledger of its name is meant", ["bundle"],
             {"origin": f"{ORIGIN}/bundles"}),
            ("a key of type 4", ["bundle's name as a witness"], {}),
            ("a key of type 6", ["bundle's name, ML-DSA-44"], {}),
        )
    ]  # fmt: skip
