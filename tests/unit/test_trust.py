"""Whom a verifier trusts: what makes a checkpoint count, and the check that fails where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.note import Note, Signature
from ledger.trust import TrustPolicy, read_checkpoint, stamped_bytes, trust_checkpoint
from tests.support.keys import AT, ORIGIN, log_key, policy, quantum_key, signed, witness_key

if TYPE_CHECKING:
    from ledger.trust import TrustedCheckpoint

ROOT = bytes(range(32))
OTHER = "venue.example/other"
ONE, TWO = witness_key("witness.example/one"), witness_key("witness.example/two")
LIMIT = AT + timedelta(hours=1)
LATE = AT + timedelta(hours=2)
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def note(*keys: SigningKey, at: datetime = AT, checkpoint: Checkpoint | None = None) -> Note:
    """A checkpoint signed by the log's Ed25519 key, or by others."""
    return sign_checkpoint(checkpoint or Checkpoint(ORIGIN, 7, ROOT), keys or (log_key(),), at)


def refused(data: Note | bytes, trust: TrustPolicy, stamped_at: datetime | None = None) -> str:
    """The name of the check that fails."""
    with pytest.raises(EvidenceRefusedError) as caught:
        trust_checkpoint(data.encode() if isinstance(data, Note) else data, trust, stamped_at=stamped_at)
    return caught.value.check


def accepted(data: Note, trust: TrustPolicy, stamped_at: datetime | None = None) -> TrustedCheckpoint:
    return trust_checkpoint(data.encode(), trust, stamped_at=stamped_at)


def of_type_4(name: str, key: Ed25519PrivateKey) -> SigningKey:
    return SigningKey.of(name, key, cosigner=True)


@pytest.mark.parametrize("kind", ["Ed25519", "ML-DSA-44"])
def test_a_cosignature_of_time_zero_says_nothing_of_when_it_was_made(kind: str) -> None:
    # tlog-cosignature lets a cosigner write 0 where it makes no statement about the time.
    witness = ONE if kind == "Ed25519" else quantum_key("witness.example/one")
    cosigned = note().with_signatures(note(witness, at=datetime(1970, 1, 1, tzinfo=UTC)).signatures)
    trust = policy(witnesses=(witness,), required=1)
    (cosignature,) = accepted(cosigned, trust).cosignatures
    assert cosignature.signed_at is None
    assert refused(cosigned, replace(trust, compromised_at=LIMIT)) == "compromise"


def test_one_witness_key_under_two_names_is_refused() -> None:
    # cosignature/v1 does not sign the cosigner's name: one cosignature would count as two witnesses.
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    both = tuple(of_type_4(name, private) for name in ("witness.example/one", "witness.example/two"))
    with pytest.raises(InvalidInputError, match=r"one and witness\.example/two are one key"):
        policy(witnesses=both, required=2)


def test_a_witness_that_holds_the_key_of_the_log_is_refused() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(InvalidInputError, match=r"venue\.example/perpetuals and witness.* are one key"):
        policy(SigningKey.of(ORIGIN, private), witnesses=(of_type_4("witness.example/one", private),))


def test_a_witness_may_have_two_keys_and_a_key_may_be_given_twice() -> None:
    again = quantum_key("witness.example/one")
    assert policy(witnesses=(ONE, again, ONE), required=1).required_witnesses == 1


def test_a_timestamp_counts_only_where_the_signature_that_holds_is_under_it() -> None:
    # Stamped are the text and the lines under the origin's name; a key of another name may have
    # signed a text that was stamped long before.
    named = SigningKey.of("operator.example/key", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    trust = TrustPolicy.of((named.verifier,), origin=ORIGIN, compromised_at=LIMIT)
    assert accepted(note(named), replace(trust, compromised_at=None)).stamped_at is None
    assert refused(note(named), trust, stamped_at=AT) == "compromise"
    both = TrustPolicy.of((named.verifier, log_key().verifier), origin=ORIGIN, compromised_at=LIMIT)
    assert accepted(note(named, log_key()), both, stamped_at=AT).stamped_at == AT


def test_extension_lines_that_no_signature_covers_are_refused() -> None:
    # ML-DSA-44 cosignatures sign origin, size and root alone (C2SP tlog-cosignature).
    plain, extended = Checkpoint(ORIGIN, 7, ROOT), Checkpoint(ORIGIN, 7, ROOT, "more\n")
    forged = Note(extended.text(), note(quantum_key(), checkpoint=plain).signatures)
    assert refused(forged, policy(quantum_key())) == "signature"
    both = note(log_key(), quantum_key(), checkpoint=extended)
    assert accepted(both, policy(log_key(), quantum_key())).checkpoint == extended
    assert refused(both, policy(quantum_key())) == "signature"


def test_an_origin_that_is_given_empty_is_not_taken_from_the_keys() -> None:
    trust = TrustPolicy.of((log_key().verifier,), origin="")
    assert refused(note(), trust) == "origin"
