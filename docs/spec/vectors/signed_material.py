"""Keys, checkpoints and records that the vectors of checkpoints, proofs, tiles and bundles are made of.

ML-DSA-44 signatures differ each time, as whoever makes them draws random bytes. They are kept in
ml-dsa-44-signatures.json, by the SHA-256 of key id ‖ message, and only those that are missing or do not hold
are made again. The keys are secret to nobody and good for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint, SigningKey, cosigned_message, verify_ml_dsa_44
from ledger.merkle import root_hash
from ledger.note import Note, Signature, SignatureType
from ledger.tiles import Tile, TileTree

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


BUNDLE_KEYS = {
    "bundle": _key(f"{ORIGIN}/bundles", "bundle", PLAIN),
    "bundle, after a rotation": _key(f"{ORIGIN}/bundles", "bundle, after a rotation", PLAIN),
    "bundle's name, another key": _key(f"{ORIGIN}/bundles", "impostor", PLAIN),
    "bundle's name, the log's key": _key(f"{ORIGIN}/bundles", "log", PLAIN),
    "bundle's name as a witness": _key(f"{ORIGIN}/bundles", "bundle", COSIGNS),
    "bundle's name, ML-DSA-44": _key(f"{ORIGIN}/bundles", "bundle ML-DSA-44", QUANTUM),
    "other ledger's bundle": _key(f"{OTHER}/bundles", "other bundle", PLAIN),
    "other ledger's name, the bundle's key": _key(f"{OTHER}/bundles", "bundle", PLAIN),
    "log": KEYS["log"],
    "log's name, the bundle's key": _key(ORIGIN, "bundle", PLAIN),
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


def public_keys(keys: dict[str, SigningKey] = KEYS) -> dict[str, str]:
    """Return all keys by the names that the vectors use."""
    return {name: key.verifier.encode() for name, key in keys.items()}


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


def text(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()
