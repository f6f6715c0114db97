"""Writes checkpoint.json, proof.json and tiles.json: what a verifier accepts, and what it refuses and why.

    python docs/spec/vectors/generate_signed.py [--check]

The values are fixed, so the files are the same on every run. ML-DSA-44 signatures are not: whoever
makes them draws random bytes. They are kept in ml-dsa-44-signatures.json, by the SHA-256 of
key id ‖ message, and only those that are missing or do not hold are made again. The keys are secret to
nobody and good for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint, SigningKey, cosigned_message, verify_ml_dsa_44
from ledger.merkle import EMPTY_ROOT, node_hash, root_hash
from ledger.note import Note, Signature, SignatureType
from ledger.proof import ConsistencyProof, InclusionProof
from ledger.tiles import NodeBuilder, Tile, TileTree, encode_entries, tiles_of
from ledger.trust import read_checkpoint, stamped_bytes

FOLDER = Path(__file__).parent
STORED = FOLDER / "ml-dsa-44-signatures.json"
ORIGIN, OTHER = "vectors.example/perpetuals", "vectors.example/other"
AT = datetime(2026, 1, 4, 12, 0, tzinfo=UTC)
COMPROMISE, LATE = AT + timedelta(hours=1), AT + timedelta(hours=2)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_entries = json.loads((FOLDER / "event-format.json").read_text(encoding="utf-8"))["hold"]
ENTRIES = [entry["canonical"].encode() for entry in _entries]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
RECORDS = [b"record %d" % number for number in range(13)]
RECORD_LEAVES = [leaf_hash(record) for record in RECORDS]


def _key(name: str, seed: str, kind: SignatureType) -> SigningKey:
    secret = hashlib.sha256(f"vector {seed}".encode()).digest()
    if kind is SignatureType.ML_DSA_44:
        return SigningKey.of(name, MLDSA44PrivateKey.from_seed_bytes(secret))
    private_key = Ed25519PrivateKey.from_private_bytes(secret)
    return SigningKey.of(name, private_key, cosigner=kind is SignatureType.COSIGNATURE)


PLAIN, COSIGNS, QUANTUM = SignatureType.ED25519, SignatureType.COSIGNATURE, SignatureType.ML_DSA_44
KEYS = {
    "log": _key(ORIGIN, "log", PLAIN),
    "log ML-DSA-44": _key(ORIGIN, "log ML-DSA-44", QUANTUM),
    "log's name, another key": _key(ORIGIN, "impostor", PLAIN),
    "log's key, another name": _key(OTHER, "log", PLAIN),
    "log's key as a witness": _key("one.witness.example", "log", COSIGNS),
    "log's name as a witness": _key(ORIGIN, "witness one", COSIGNS),
    "operator": _key("operator.example", "operator", PLAIN),
    "witness one": _key("one.witness.example", "witness one", COSIGNS),
    "witness one ML-DSA-44": _key("one.witness.example", "witness one ML-DSA-44", QUANTUM),
    "witness one, plain": _key("one.witness.example", "witness one", PLAIN),
    "witness one's key, another name": _key("two.witness.example", "witness one", COSIGNS),
    "witness two": _key("two.witness.example", "witness two", COSIGNS),
}


class Signatures:
    """Makes signatures; those of ML-DSA-44 are made once and kept."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = json.loads(STORED.read_text()) if STORED.exists() else {}
        self.used: dict[str, str] = {}

    def sign(self, name: str, checkpoint: Checkpoint, at: datetime) -> Signature:
        """Return a key's signature, for ML-DSA-44 the one that is kept."""
        key = KEYS[name]
        if key.verifier.type is not QUANTUM:
            return key.sign(checkpoint, at)
        seconds = int(at.timestamp())
        message = cosigned_message(key.verifier, checkpoint, seconds)
        place = hashlib.sha256(key.verifier.id + message).hexdigest()
        value = base64.b64decode(self.stored.get(place, ""))
        if not verify_ml_dsa_44(key.verifier.public_key, message, value):
            assert isinstance(key.private_key, MLDSA44PrivateKey)
            value = key.private_key.sign(message)
        self.used[place] = self.stored[place] = base64.b64encode(value).decode()
        return Signature(key.verifier.name, key.verifier.id, seconds.to_bytes(8, "big") + value)


SIGNATURES = Signatures()


def note(checkpoint: Checkpoint, *names: str, at: datetime = AT) -> Note:
    """Return a checkpoint signed by keys, at one time."""
    return Note(checkpoint.text(), tuple(SIGNATURES.sign(name, checkpoint, at) for name in names or ("log",)))


def signed(size: int, leaves: list[bytes], *names: str, origin: str = ORIGIN) -> bytes:
    """Return the bytes of a signed checkpoint over the first leaves."""
    return note(Checkpoint(origin, size, root_hash(leaves[:size])), *names).encode()


def time(at: datetime) -> str:
    """Return a time as the ledger writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def policy(*keys: str, **more: Any) -> dict[str, Any]:
    """Return whom a verifier is told to trust; keys are named as in ``keys``."""
    return {"log_keys": list(keys or ("log",)), **more}


def written(name: str, data: bytes) -> dict[str, str]:
    """Return bytes under a name: as text where they are, else in base64."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}


WITNESSED = policy(witness_keys=["witness one", "witness one ML-DSA-44", "witness two"], required_witnesses=2)
ONE_WITNESS = {**WITNESSED, "required_witnesses": 1}
COMPROMISED = {**ONE_WITNESS, "required_witnesses": 0, "compromised_at": time(COMPROMISE)}
HEAD = Checkpoint(ORIGIN, 4, root_hash(LEAVES))
EXTENDED = Checkpoint(ORIGIN, 4, root_hash(LEAVES), "an extension\n")


def checkpoints_that_hold() -> list[dict[str, Any]]:
    """Return checkpoints with a policy under which they count."""
    unknown = Signature("nobody.example", b"\x01\x02\x03\x04", b"of a kind that nobody knows")
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
        ("no witness", "witnesses", ONE_WITNESS, note(HEAD), None),
        ("two signatures of one witness where two are required", "witnesses", WITNESSED, cosigned, None),
        ("a plain signature by a witness", "witnesses", {**ONE_WITNESS, "witness_keys": ["witness one"]},
         note(HEAD, "log", "witness one, plain"), None),
        ("a witness's name with another id", "witnesses", {**ONE_WITNESS, "witness_keys": ["witness two"]},
         Note(HEAD.text(), (own, Signature("two.witness.example", other_id, one.value))), None),
        ("nothing shows that it is from before the compromise", "compromise", COMPROMISED, note(HEAD), None),
        ("cosigned after the compromise", "compromise", COMPROMISED, note(HEAD).with_signatures(late), None),
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


def public_keys() -> dict[str, str]:
    """Return all keys by the names that the vectors use."""
    return {name: key.verifier.encode() for name, key in KEYS.items()}


def tree(leaves: list[bytes]) -> TileTree:
    """Return a tree over fewer than 65,536 leaves."""
    return TileTree(len(leaves), lambda tile: contents_of(tile, leaves))


def contents_of(tile: Tile, leaves: list[bytes]) -> bytes:
    """Return a tile's contents, computed from the leaves."""
    span = 256**tile.level
    roots = (
        root_hash(leaves[at * span : (at + 1) * span]) for at in range(tile.first, tile.first + tile.width)
    )
    return b"".join(roots)


def _path(index: int, size: int, leaves: list[bytes]) -> tuple[bytes, ...]:
    return tuple(tree(leaves[:size]).inclusion_proof(index))


def inclusion_vectors() -> dict[str, list[dict[str, Any]]]:
    """Return inclusion proofs, of events and of another log's records."""
    hold: list[dict[str, Any]] = []
    for size in range(1, 5):
        for index in range(size):
            file = InclusionProof(index, _path(index, size, LEAVES), signed(size, LEAVES))
            hold.append({"what": f"event {index} of {size}", **_inclusion(file.encode(), ENTRIES[index])})
    quantum = InclusionProof(
        2, _path(2, 3, LEAVES), signed(3, LEAVES, "log ML-DSA-44", "witness one"), b"extra"
    )
    trust = policy("log ML-DSA-44", witness_keys=["witness one"], required_witnesses=1)
    hold.append(
        {"what": "extra data, ML-DSA-44 and a witness", **_inclusion(quantum.encode(), ENTRIES[2], trust)}
    )
    for index in range(13):
        file = InclusionProof(index, _path(index, 13, RECORD_LEAVES), signed(13, RECORD_LEAVES))
        vector = _inclusion(file.encode(), RECORDS[index])
        hold.append({"what": f"record {index} of another log's 13", **vector, "foreign": True})

    path, head = _path(2, 3, LEAVES), signed(3, LEAVES)
    good = InclusionProof(2, path, head).encode()
    swapped = [LEAVES[1], LEAVES[0], LEAVES[2]]
    moved = InclusionProof(0, _path(0, 3, swapped), signed(3, swapped)).encode()
    elsewhere = ENTRIES[2].replace(ORIGIN.encode(), OTHER.encode())
    theirs = [*LEAVES[:2], leaf_hash(elsewhere)]
    foreign = InclusionProof(2, _path(2, 3, theirs), signed(3, theirs)).encode()
    inner = _path(0, 4, LEAVES)[1:]

    def proof(index: int, hashes: tuple[bytes, ...], checkpoint: bytes = head) -> bytes:
        return InclusionProof(index, hashes, checkpoint).encode()

    cases: list[tuple[str, str, bytes, bytes]] = [
        ("nothing", "proof", b"", ENTRIES[2]),
        ("another first line", "proof", good.replace(b"@v1", b"@v2"), ENTRIES[2]),
        ("no index", "proof", good.replace(b"index 2\n", b""), ENTRIES[2]),
        ("an index with a zero in front", "proof", good.replace(b"index 2", b"index 02"), ENTRIES[2]),
        ("an index of 2^63", "proof", good.replace(b"index 2", b"index 9223372036854775808"), ENTRIES[2]),
        ("extra data of no bytes", "proof", good.replace(b"index", b"extra \nindex"), ENTRIES[2]),
        ("extra data after the index", "proof",
         good.replace(b"index 2\n", b"index 2\nextra QQ==\n"), ENTRIES[2]),
        ("a hash of 31 bytes", "proof", proof(2, (bytes(31),)), ENTRIES[2]),
        ("64 hashes", "proof", proof(2, (bytes(32),) * 64), ENTRIES[2]),
        ("no checkpoint after an empty line", "proof", good.partition(b"\n\n")[0] + b"\n", ENTRIES[2]),
        ("a checkpoint that is none", "checkpoint", proof(2, path, b"words\n"), ENTRIES[2]),
        ("a checkpoint of another origin", "origin",
         proof(2, path, signed(3, LEAVES, origin=OTHER)), ENTRIES[2]),
        ("a checkpoint that another key signed", "signature",
         proof(2, path, signed(3, LEAVES, "log's name, another key")), ENTRIES[2]),
        ("the proof of another event", "event", proof(1, _path(1, 3, LEAVES)), ENTRIES[2]),
        ("an event with another index", "event", proof(1, path), ENTRIES[2]),
        ("an event at a place that is not its sequence", "event", moved, ENTRIES[1]),
        ("an event of another ledger under this root", "event", foreign, elsewhere),
        ("an entry with white space", "event", good, ENTRIES[2].replace(b":", b": ", 1)),
        ("an entry with a line end", "event", good, ENTRIES[2] + b"\n"),
        ("words for an entry", "event", good, b"words"),
        ("a changed event", "inclusion", good, ENTRIES[2].replace(b'"side":"buy"', b'"side":"sell"')),
        ("another nonce", "inclusion", good, ENTRIES[2].replace(b"02" * 16, b"03" * 16)),
        ("a path cut off", "inclusion", proof(2, path[:-1]), ENTRIES[2]),
        ("a path with one hash more", "inclusion", proof(2, (*path, bytes(32))), ENTRIES[2]),
        ("a path with one bit changed", "inclusion",
         proof(2, (bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:])), ENTRIES[2]),
        ("a path of another tree", "inclusion", proof(2, path, signed(4, LEAVES)), ENTRIES[2]),
        ("a tree without the event", "inclusion", proof(2, path, signed(2, LEAVES)), ENTRIES[2]),
        ("a leaf for a root", "inclusion",
         proof(0, (), note(Checkpoint(ORIGIN, 2, LEAVES[0])).encode()), ENTRIES[0]),
    ]  # fmt: skip
    refused = [{"why": why, "check": check, **_inclusion(file, entry)} for why, check, file, entry in cases]
    assert node_hash(LEAVES[0], LEAVES[1]) != leaf_hash(LEAVES[0] + LEAVES[1])
    refused.append(
        {
            "why": "the two hashes under an inner node for an entry",
            "check": "inclusion",
            **_inclusion(proof(0, inner, signed(4, LEAVES)), LEAVES[0] + LEAVES[1]),
            "foreign": True,
        }
    )
    return {"hold": hold, "refused": refused}


def _inclusion(file: bytes, entry: bytes, trust: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"policy": trust or policy(), **written("proof", file), **written("entry", entry)}


def consistency_vectors() -> dict[str, list[dict[str, Any]]]:
    """Return consistency proofs between trees of 0 to 13 records."""
    hold = []
    sizes = [(0, 0), (0, 13), *((old, new) for new in (1, 2, 7, 8, 13) for old in range(1, new + 1))]
    for old, new in sizes:
        file = _growth(old, new)
        hold.append({"what": f"{old} to {new}", **_consistency(file.encode(), signed(old, RECORD_LEAVES))})
    good, older = _growth(6, 13), signed(6, RECORD_LEAVES)
    head, path = good.checkpoint, good.hashes
    rewritten = [bytes(32), *RECORD_LEAVES[1:]]
    fork = ConsistencyProof(6, tuple(tree(rewritten).consistency_proof(6)), signed(13, rewritten)).encode()

    def proof(old: int, hashes: tuple[bytes, ...], checkpoint: bytes = head) -> bytes:
        return ConsistencyProof(old, hashes, checkpoint).encode()

    nonsense = note(Checkpoint(ORIGIN, 0, bytes(32))).encode()
    no_growth = note(Checkpoint(ORIGIN, 8, root_hash(RECORD_LEAVES[:4]))).encode()
    cases: list[tuple[str, str, bytes, bytes]] = [
        ("nothing", "proof", b"", older),
        ("no old size", "proof", good.encode().replace(b"old 6\n", b""), older),
        ("an old size with a zero in front", "proof", good.encode().replace(b"old 6", b"old 06"), older),
        ("a hash of 33 bytes", "proof", proof(6, (bytes(33),)), older),
        ("64 hashes", "proof", proof(6, (bytes(32),) * 64), older),
        ("a checkpoint of another origin", "origin",
         proof(6, path, signed(13, RECORD_LEAVES, origin=OTHER)), older),
        ("a checkpoint that another key signed", "signature",
         proof(6, path, signed(13, RECORD_LEAVES, "log's name, another key")), older),
        ("a proof from another size", "old_size", _growth(5, 13).encode(), older),
        ("a proof from another size that says it is from this one", "consistency",
         proof(6, _growth(5, 13).hashes), older),
        ("an older checkpoint offered as a newer one", "consistency",
         proof(13, path, older), signed(13, RECORD_LEAVES)),
        ("a history that was rewritten", "consistency", fork, older),
        ("two roots of one size", "consistency",
         proof(13, (), signed(13, rewritten)), signed(13, RECORD_LEAVES)),
        ("a path cut off", "consistency", proof(6, path[:-1]), older),
        ("a path with one hash more", "consistency", proof(6, (*path, bytes(32))), older),
        ("a path with one bit changed", "consistency",
         proof(6, (*path[:-1], bytes([path[-1][0] ^ 1]) + path[-1][1:])), older),
        ("hashes where no growth needs any", "consistency", proof(13, path), signed(13, RECORD_LEAVES)),
        ("hashes where the older tree is empty", "consistency", proof(0, path), signed(0, RECORD_LEAVES)),
        ("an empty tree with another root", "consistency", proof(0, ()), nonsense),
        ("the old root as the new one", "consistency", proof(4, (), no_growth), signed(4, RECORD_LEAVES)),
    ]  # fmt: skip
    refused = [{"why": why, "check": check, **_consistency(file, old)} for why, check, file, old in cases]
    other = {"old_policy": policy("log's key, another name", origin=OTHER)}
    theirs = signed(6, RECORD_LEAVES, "log's key, another name", origin=OTHER)
    refused.append(
        {"why": "growth of another log", "check": "origin", **_consistency(good.encode(), theirs), **other}
    )
    return {"hold": hold, "refused": refused}


def _growth(old: int, new: int) -> ConsistencyProof:
    path = tuple(tree(RECORD_LEAVES[:new]).consistency_proof(old))
    return ConsistencyProof(old, path, signed(new, RECORD_LEAVES))


def _consistency(file: bytes, old: bytes) -> dict[str, Any]:
    return {"policy": policy(), **written("proof", file), **written("old", old)}


def tile_vectors() -> dict[str, Any]:
    """Return names of tiles, trees with their tiles, bundles, and whole folders."""
    named = [
        Tile(0, 0), Tile(0, 5), Tile(0, 999), Tile(0, 1000), Tile(0, 1_234_067), Tile(0, 1_234_067, 5),
        Tile(1, 0, 1), Tile(63, 0, 255), Tile(0, 2**55 - 1), Tile(0, 7, entries=True),
        Tile(0, 7, 12, entries=True),
    ]  # fmt: skip
    paths_refused = [
        "", "tile/0", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/-1/000",
        "tile/0/x000/001", "tile/0/001/002", "tile/0/x001/x002", "tile/0/X001/002", "tile/0/1000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
        "tile/0/000.p", "tile/0/000/", "/tile/0/000", "tile/8/0/000x", "tile/data/000",
        "tile/entries/x000/001", "tile/0/000\n",
        "tile/٠/000", "tile/0/x001/x002/x003/x004/x005/x006/007",
    ]  # fmt: skip
    leaves = [leaf_hash(b"record %d" % number) for number in range(70_000)]
    trees = [_tree(size, leaves) for size in (1, 2, 255, 256, 257, 512, 1000, 65_536, 70_000)]
    bundles = [[], [b""], [b"one"], [b"one", b"", b"\x00\x01", bytes(300)], ENTRIES]
    full = encode_entries([b"one", b"three"])
    return {
        "paths": [
            {"path": t.path(), "level": t.level, "index": t.index, "width": t.width, "entries": t.entries}
            for t in named
        ],
        "paths_refused": paths_refused,
        "trees_of_records": trees,
        "bundles": [
            {"entries": [text(entry) for entry in entries], "contents": text(encode_entries(entries))}
            for entries in bundles
        ],
        "bundles_refused": [
            {"why": why, "contents": text(data)}
            for why, data in (
                ("a length of one byte", b"\x00"),
                ("a length and no entry", b"\x00\x01"),
                ("an entry cut off", full[:-1]),
                ("a byte after the last entry", full + b"\x00"),
                ("a length with the lower byte first", b"\x01\x00x"),
            )
        ],
        "folders": [_events_folder(), _records_folder(leaves)],
    }


def text(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()


def _tree(size: int, leaves: list[bytes]) -> dict[str, Any]:
    """Return what stands in each tile of a tree as one SHA-256 over names and contents, tile after tile."""
    builder = NodeBuilder()
    rows: dict[int, list[bytes]] = {0: leaves[:size]}
    for leaf in leaves[:size]:
        for level, _, node in builder.append(leaf):
            rows.setdefault(level, []).append(node)
    digest, count = hashlib.sha256(), 0
    partial = []
    for tile in tiles_of(size):
        digest.update(tile.path().encode() + b"\n")
        digest.update(b"".join(rows[tile.level][tile.first : tile.first + tile.width]))
        count += 1
        if not tile.is_full:
            partial.append(tile.path())
    root = text(root_hash(leaves[:size]))
    return {
        "size": size,
        "root_hash": root,
        "tiles": count,
        "partial_tiles": partial,
        "sha256": digest.hexdigest(),
    }


def _events_folder() -> dict[str, Any]:
    hashes, entries = "tile/0/000.p/4", "tile/entries/000.p/4"
    files = {"checkpoint": signed(4, LEAVES), hashes: b"".join(LEAVES), entries: encode_entries(ENTRIES)}
    other = [*ENTRIES[:3], ENTRIES[3].replace(b'"amount":"3"', b'"amount":"4"')]
    swapped = [ENTRIES[0], ENTRIES[2], ENTRIES[1], ENTRIES[3]]
    flipped = bytes([files[hashes][0] ^ 1]) + files[hashes][1:]
    swapped_leaves = [leaf_hash(entry) for entry in swapped]
    cases: list[tuple[str, str, dict[str, bytes | None]]] = [
        ("a checkpoint that another key signed", "signature",
         {"checkpoint": signed(4, LEAVES, "log's name, another key")}),
        ("a tile is missing", "tile", {hashes: None}),
        ("a tile is too short", "tile", {hashes: files[hashes][:-1]}),
        ("a tile is too long", "tile", {hashes: files[hashes] + bytes(32)}),
        ("a leaf hash is changed", "root", {hashes: flipped}),
        ("an entry is changed", "entries", {entries: encode_entries(other)}),
        ("an entry is missing", "entries", {entries: encode_entries(ENTRIES[:3])}),
        ("an entry is cut off", "entries", {entries: encode_entries(ENTRIES)[:-1]}),
        ("two entries are swapped, signed so", "chain",
         {"checkpoint": signed(4, swapped_leaves), hashes: b"".join(swapped_leaves),
          entries: encode_entries(swapped)}),
    ]  # fmt: skip
    return _folder("four events with their entries", files, cases)


def _records_folder(leaves: list[bytes]) -> dict[str, Any]:
    full, upper, rest = "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/1"
    files = {
        "checkpoint": signed(257, leaves),
        full: b"".join(leaves[:256]),
        rest: leaves[256],
        upper: root_hash(leaves[:256]),
    }
    cases: list[tuple[str, str, dict[str, bytes | None]]] = [
        ("an upper hash is changed", "node", {upper: bytes(32)}),
        ("an upper tile is missing", "tile", {upper: None}),
        ("the last leaf is another", "root", {rest: leaves[257]}),
    ]
    return _folder("257 records, hashes alone", files, cases)


def _folder(
    what: str, files: dict[str, bytes], cases: list[tuple[str, str, dict[str, bytes | None]]]
) -> dict[str, Any]:
    return {
        "what": what,
        "policy": policy(),
        "files": {path: text(data) for path, data in files.items()},
        "refused": [
            {
                "why": why,
                "check": check,
                "files": {path: None if data is None else text(data) for path, data in changes.items()},
            }
            for why, check, changes in cases
        ],
    }


def documents() -> dict[str, str]:
    """Return the content of every file, by name."""
    checkpoint = {
        "keys": public_keys(),
        "keys_refused": keys_refused(),
        "policies_refused": policies_refused(),
        "hold": checkpoints_that_hold(),
        "refused": checkpoints_refused(),
    }
    proof = {
        "keys": public_keys(),
        "inclusion": inclusion_vectors(),
        "consistency": consistency_vectors(),
    }
    tiles = {"keys": public_keys(), **tile_vectors()}
    values = {"checkpoint.json": checkpoint, "proof.json": proof, "tiles.json": tiles}
    values[STORED.name] = dict(sorted(SIGNATURES.used.items()))
    return {name: json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in values.items()}


def main(arguments: list[str]) -> None:
    """Write the files, or compare them."""
    for name, content in documents().items():
        path = FOLDER / name
        if "--check" not in arguments:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            sys.exit(f"{name} is out of date")


if __name__ == "__main__":
    main(sys.argv)
