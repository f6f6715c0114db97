"""Keys, checkpoints and policies for tests, the same in every run."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ledger.trust import TrustPolicy

ORIGIN = "venue.example/perpetuals"
AT = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)


def _seed(name: str) -> bytes:
    return hashlib.sha256(f"seed of {name}".encode()).digest()


def log_key(name: str = ORIGIN, *, seed: str = "") -> SigningKey:
    """An Ed25519 key of a log."""
    return SigningKey.of(name, Ed25519PrivateKey.from_private_bytes(_seed(name + seed)))


def quantum_key(name: str = ORIGIN, *, seed: str = "") -> SigningKey:
    """An ML-DSA-44 key of a log or a witness."""
    return SigningKey.of(name, MLDSA44PrivateKey.from_seed_bytes(_seed(name + seed)))


def witness_key(name: str = "witness.example/one") -> SigningKey:
    """An Ed25519 key of a witness."""
    return SigningKey.of(name, Ed25519PrivateKey.from_private_bytes(_seed(name)), cosigner=True)


def signed(
    size: int, root_hash: bytes, *, origin: str = ORIGIN, keys: tuple[SigningKey, ...] = (), at: datetime = AT
) -> bytes:
    """The bytes of a checkpoint, signed by the log's Ed25519 key where no others are given."""
    return sign_checkpoint(Checkpoint(origin, size, root_hash), keys or (log_key(origin),), at).encode()


def policy(*keys: SigningKey, witnesses: tuple[SigningKey, ...] = (), required: int = 0) -> TrustPolicy:
    """Trust in some keys, or in the log's Ed25519 key."""
    return TrustPolicy.of(
        tuple(key.verifier for key in keys or (log_key(),)),
        witness_keys=tuple(key.verifier for key in witnesses),
        required_witnesses=required,
    )
