"""Checkpoints that a verifier accepts, and those that it refuses, with the check that fails."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

from signed_material import (
    AT,
    COMPROMISE,
    KEYS,
    LATE,
    LEAVES,
    NEVER,
    ORIGIN,
    OTHER,
    note,
    policy,
    time,
    written,
)

from ledger.checkpoint import Checkpoint
from ledger.merkle import EMPTY_ROOT, root_hash
from ledger.note import Note, Signature
from ledger.trust import read_checkpoint, stamped_bytes

WITNESSED = policy(witness_keys=["witness one", "witness one ML-DSA-44", "witness two"], required_witnesses=2)
ONE_WITNESS = {**WITNESSED, "required_witnesses": 1}
COMPROMISED = {**ONE_WITNESS, "required_witnesses": 0, "compromised_at": time(COMPROMISE)}
HEAD = Checkpoint(ORIGIN, 4, root_hash(LEAVES))
TABULATED = Checkpoint(ORIGIN, 4, root_hash(LEAVES), "an\textension\n")
EXTENDED = Checkpoint(ORIGIN, 4, root_hash(LEAVES), "an extension\n")


def checkpoints_that_hold() -> list[dict[str, Any]]:
    """Return checkpoints with a policy under which they count."""
    unknown = Signature("nobody.example", b"\x01\x02\x03\x04", b"of a kind that nobody knows")
    log_id = KEYS["log"].verifier.id
    same_id = Signature("nobody.example", log_id, b"a line of another name")
    everybody = note(HEAD, "log", "log ML-DSA-44", "witness one", "witness two")
    impostor = note(HEAD, "log's name, another key", "log")
    early, late = note(HEAD, "log", "witness one"), note(HEAD, "witness two", at=LATE).signatures
    zero = note(HEAD).with_signatures(note(HEAD, "witness one ML-DSA-44", at=NEVER).signatures)
    cases: list[tuple[str, dict[str, Any], Note, datetime | None]] = [
        ("one Ed25519 signature", policy(), note(HEAD), None),
        ("of two signatures Ed25519 is trusted", policy(), everybody, None),
        ("of two signatures ML-DSA-44 is trusted", policy("log ML-DSA-44"), everybody, None),
        ("both are trusted", policy("log", "log ML-DSA-44"), everybody, None),
        ("both are trusted and one is there", policy("log", "log ML-DSA-44"), note(HEAD), None),
        ("two witnesses", WITNESSED, everybody, None),
        ("lines of unknown kinds are passed over", policy(), note(HEAD).with_signatures((unknown,)), None),
        ("a line of the log's name and another id is passed over", policy(), impostor, None),
        ("a line of another name and the log's id is passed over", policy(),
         note(HEAD).with_signatures((same_id,)), None),
        ("a tree without events", policy(), note(Checkpoint(ORIGIN, 0, EMPTY_ROOT)), None),
        ("the largest tree", policy(), note(Checkpoint(ORIGIN, 2**63 - 1, bytes(32))), None),
        ("extension lines under an Ed25519 signature", policy(), note(EXTENDED), None),
        ("a key of another name than the origin", policy("operator", origin=ORIGIN),
         note(HEAD, "operator"), None),
        ("cosigned before a compromise", COMPROMISED, early.with_signatures(late), None),
        ("timestamped before a compromise", COMPROMISED, note(HEAD).with_signatures(late), AT),
        ("a cosignature of time 0 is one", ONE_WITNESS, zero, None),
    ]  # fmt: skip
    vectors = []
    for what, trust, each, stamped_at in cases:
        parsed, checkpoint = read_checkpoint(each.encode())
        names = {KEYS[name].verifier.name for name in trust.get("witness_keys", [])}
        vectors.append(
            {
                "what": what,
                "policy": trust,
                "note": each.encode().decode(),
                **({"stamped_at": time(stamped_at)} if stamped_at else {}),
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root_hash": base64.b64encode(checkpoint.root_hash).decode(),
                "witnesses": sorted({line.name for line in each.signatures if line.name in names}),
                "stamped_bytes": stamped_bytes(parsed, checkpoint).decode(),
            }
        )
    return vectors


def _form() -> list[tuple[str, bytes]]:
    """Return bytes that are no note or no checkpoint."""
    good, line = note(HEAD).encode(), note(HEAD).signatures[0].encode().encode()
    root = base64.b64encode(HEAD.root_hash)

    def changed(old: bytes, new: bytes) -> bytes:
        assert good.count(old) >= 1, old
        return good.replace(old, new, 1)

    return [
        ("nothing", b""),
        ("no signature", HEAD.text().encode() + b"\n"),
        ("no empty line", changed(b"\n\n", b"\n")),
        ("no line end at the end", good[:-1]),
        ("an empty line at the end", good + b"\n"),
        ("words under the signatures", good + b"words\n"),
        ("a hyphen for the dash", changed("— ".encode(), b"- ")),
        ("two spaces after the dash", changed("— ".encode(), "—  ".encode())),
        ("a name with a plus", good + "— a+b AQIDBAU=\n".encode()),
        ("a name with a space that is not ASCII", good + "— a\u2003b AQIDBAU=\n".encode()),
        ("a signature of no bytes", good + "— nobody.example AQIDBA==\n".encode()),
        ("base64 without padding", good + "— nobody.example AQIDBAU\n".encode()),
        ("base64 with bits under the padding", good + "— nobody.example AQIDBAV=\n".encode()),
        ("base64 for URLs", good + "— nobody.example AQIDBA-_\n".encode()),
        ("CR before LF", good.replace(b"\n", b"\r\n")),
        ("a tabulator", changed(b"\n4\n", b"\n4\t\n")),
        ("a tabulator in an extension line, signed so", note(TABULATED).encode()),
        ("bytes that are not UTF-8", changed(b"\n4\n", b"\n4\xff\n")),
        ("101 signature lines", HEAD.text().encode() + b"\n" + line * 101),
        ("two lines of text", changed(root + b"\n", b"")),
        ("an empty origin", changed(ORIGIN.encode(), b"")),
        ("an empty line in the text", changed(b"\n4\n", b"\n4\n\n")),
        ("an empty line after the text", changed(root + b"\n", root + b"\n\n")),
        ("a size with a zero in front", changed(b"\n4\n", b"\n04\n")),
        ("a size with a sign", changed(b"\n4\n", b"\n+4\n")),
        ("a size with a space", changed(b"\n4\n", b"\n4 \n")),
        ("a size in digits that are not ASCII", changed(b"\n4\n", "\n٤\n".encode())),
        ("a size of 2^63", changed(b"\n4\n", b"\n9223372036854775808\n")),
        ("a root of 31 bytes", changed(root, base64.b64encode(bytes(31)))),
        ("a root in hexadecimal digits", changed(root, HEAD.root_hash.hex().encode())),
    ]


def _value(signature: Signature, value: bytes) -> Signature:
    return Signature(signature.name, signature.key_id, value)


def _refusals() -> list[tuple[str, str, dict[str, Any], Note, datetime | None]]:
    own, quantum, one = (note(HEAD, name).signatures[0] for name in ("log", "log ML-DSA-44", "witness one"))
    bigger = Checkpoint(ORIGIN, 5, HEAD.root_hash)
    renamed = Checkpoint(OTHER, 4, HEAD.root_hash)
    cosigned = note(HEAD, "log", "witness one", "witness one ML-DSA-44")
    late = note(HEAD, "witness one", "witness two", at=LATE).signatures
    zero = note(HEAD).with_signatures(note(HEAD, "witness one ML-DSA-44", at=NEVER).signatures)
    other_id = KEYS["witness one"].verifier.id
    both = policy("log", "log ML-DSA-44")
    quantum_alone = policy("log ML-DSA-44")
    two_required = {**COMPROMISED, "required_witnesses": 2}
    early_and_late = note(HEAD, "log", "witness one").with_signatures(late[1:])
    by_operator = policy("operator", origin=ORIGIN, compromised_at=time(COMPROMISE))
    other_time = bytes([*quantum.value[:7], quantum.value[7] ^ 1]) + quantum.value[8:]
    far = (2**63).to_bytes(8, "big")
    return [
        ("another origin, signed by the trusted key", "origin", policy(), note(renamed), None),
        ("another origin than the one that was named", "origin", policy(origin=OTHER), note(HEAD), None),
        ("another key of the same name", "signature", policy(),
         note(HEAD, "log's name, another key"), None),
        ("the same key under another name", "signature", policy(),
         note(HEAD, "log's key, another name"), None),
        ("witnesses without the log", "signature", WITNESSED, note(HEAD, "witness one", "witness two"), None),
        ("a cosignature under the id of a plain signature", "signature", policy(),
         Note(HEAD.text(), (_value(own, one.value),)), None),
        ("the signature of a larger tree", "signature", policy(), Note(bigger.text(), (own,)), None),
        ("the ML-DSA-44 signature of a larger tree", "signature", quantum_alone,
         Note(bigger.text(), (quantum,)), None),
        ("one bit of the signature changed", "signature", policy(),
         Note(HEAD.text(), (_value(own, own.value[:-1] + bytes([own.value[-1] ^ 1])),)), None),
        ("one bit of the ML-DSA-44 signature changed", "signature", quantum_alone,
         Note(HEAD.text(), (_value(quantum, quantum.value[:-1] + bytes([quantum.value[-1] ^ 1])),)), None),
        ("one bit of the ML-DSA-44 signature's time changed", "signature", quantum_alone,
         Note(HEAD.text(), (_value(quantum, other_time),)), None),
        ("a line by a trusted key that does not hold, beside one that does", "signature", policy(),
         Note(HEAD.text(), (own, _value(own, bytes(64)))), None),
        ("a second trusted key's line does not hold", "signature", both,
         Note(HEAD.text(), (own, _value(quantum, bytes(2428)))), None),
        ("a trusted witness's line does not hold", "signature", ONE_WITNESS,
         Note(HEAD.text(), (own, _value(one, bytes(72)))), None),
        ("a cosignature of a time above 2^63 - 1", "signature", ONE_WITNESS,
         Note(HEAD.text(), (own, _value(one, far + one.value[8:]))), None),
        ("a cosignature too short for a time", "signature", ONE_WITNESS,
         Note(HEAD.text(), (own, _value(one, one.value[:8]))), None),
        ("the ML-DSA-44 line taken away where it alone is trusted", "signature", quantum_alone,
         note(HEAD), None),
        ("extension lines that ML-DSA-44 does not sign", "signature", quantum_alone,
         note(EXTENDED, "log", "log ML-DSA-44"), None),
        ("an origin that ML-DSA-44 cannot sign", "signature", policy("log ML-DSA-44", origin="o" * 256),
         Note(Checkpoint("o" * 256, 4, HEAD.root_hash).text(), (quantum,)), None),
        ("no witness", "witnesses", ONE_WITNESS, note(HEAD), None),
        ("two signatures of one witness where two are required", "witnesses", WITNESSED, cosigned, None),
        ("a plain signature by a witness", "witnesses", {**ONE_WITNESS, "witness_keys": ["witness one"]},
         note(HEAD, "log", "witness one, plain"), None),
        ("a witness's name with another id", "witnesses", {**ONE_WITNESS, "witness_keys": ["witness two"]},
         Note(HEAD.text(), (own, Signature("two.witness.example", other_id, one.value))), None),
        ("nothing shows that it is from before the compromise", "compromise", COMPROMISED, note(HEAD), None),
        ("cosigned after the compromise", "compromise", COMPROMISED, note(HEAD).with_signatures(late), None),
        ("cosigned at the moment of the compromise", "compromise", COMPROMISED,
         note(HEAD).with_signatures(note(HEAD, "witness one", at=COMPROMISE).signatures), None),
        ("timestamped at the moment of the compromise", "compromise", COMPROMISED, note(HEAD), COMPROMISE),
        ("cosigned at no stated time", "compromise", COMPROMISED, zero, None),
        ("the time of the log's own ML-DSA-44 signature", "compromise",
         {**both, "compromised_at": time(COMPROMISE)}, note(HEAD, "log", "log ML-DSA-44"), None),
        ("one of two required witnesses is from before", "compromise", two_required, early_and_late, None),
        ("timestamped, but not the signature that holds", "compromise", by_operator,
         note(HEAD, "operator"), AT),
    ]  # fmt: skip


def checkpoints_refused() -> list[dict[str, Any]]:
    """Return what a verifier must refuse, with the check that fails."""
    form = [
        {"why": why, "check": "checkpoint", "policy": policy(), **written("note", data)}
        for why, data in _form()
    ]
    return form + [
        {
            "why": why,
            "check": check,
            "policy": trust,
            "note": each.encode().decode(),
            **({"stamped_at": time(stamped_at)} if stamped_at else {}),
        }
        for why, check, trust, each, stamped_at in _refusals()
    ]


def policies_refused() -> list[dict[str, Any]]:
    """Return what a verifier must refuse to begin with."""
    return [
        {"why": why, "policy": trust}
        for why, trust in (
            ("no log key", {"log_keys": []}),
            ("log keys of two names and no origin", policy("log", "operator")),
            ("a cosigner's key as a log key", policy("witness one")),
            ("a plain key as a witness key", policy(witness_keys=["witness one, plain"])),
            ("a witness of the log's name", policy(witness_keys=["log's name as a witness"])),
            ("a witness of the origin's name", policy("operator", origin="one.witness.example",
                                                      witness_keys=["witness one"])),
            ("a witness with the log's key", policy(witness_keys=["log's key as a witness"])),
            ("one witness key under two names",
             policy(witness_keys=["witness one", "witness one's key, another name"])),
            ("more witnesses required than there are names",
             policy(witness_keys=["witness one", "witness one ML-DSA-44"], required_witnesses=2)),
        )
    ]  # fmt: skip


def keys_refused() -> list[dict[str, str]]:
    """Return lines that are no key."""
    good = KEYS["log"].verifier
    name, key_id, encoded = good.encode().split("+", 2)

    def of(body: bytes) -> str:
        digest = hashlib.sha256(name.encode() + b"\n" + body).hexdigest()[:8]
        return f"{name}+{digest}+{base64.b64encode(body).decode()}"

    return [
        {"why": why, "key": key}
        for why, key in (
            ("no id", f"{name}+{encoded}"),
            ("no name", f"+{key_id}+{encoded}"),
            ("a name with a space", f"a b+{key_id}+{encoded}"),
            ("the id of another name", f"other.example+{key_id}+{encoded}"),
            ("an id in capitals", f"{name}+{key_id.upper()}+{encoded}"),
            ("an unknown type", of(b"\x02" + good.public_key)),
            ("a type and no key", of(b"\x01")),
            ("an Ed25519 key of 31 bytes", of(b"\x01" + good.public_key[1:])),
            ("an ML-DSA-44 key of 32 bytes", of(b"\x06" + good.public_key)),
            ("base64 without padding", of(b"\x01" + good.public_key + b"x").rstrip("=")),
            ("a line end", f"{good.encode()}\n"),
        )
    ]
