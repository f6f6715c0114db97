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


def with_value(data: Note, key: SigningKey, value: bytes) -> Note:
    """The note with the value of one key's signature replaced."""
    lines = (
        Signature(each.name, each.key_id, value) if each.is_by(key.verifier) else each
        for each in data.signatures
    )
    return Note(data.text, tuple(lines))


def test_one_signature_by_a_trusted_key_is_enough_and_unknown_ones_are_passed_over() -> None:
    unknown = Signature("nobody.example", b"1234", b"whatever")
    trusted = accepted(note(log_key(), quantum_key(), ONE).with_signatures((unknown,)), policy())
    assert trusted.checkpoint == Checkpoint(ORIGIN, 7, ROOT)
    assert [each.key for each in trusted.log_signatures] == [log_key().verifier]
    assert (trusted.cosignatures, trusted.witnesses, trusted.stamped_at) == ((), (), None)


@pytest.mark.parametrize("key", [log_key(), quantum_key()], ids=lambda key: key.verifier.type.name)
def test_trust_in_either_kind_of_key_alone_is_possible(key: SigningKey) -> None:
    trusted = accepted(note(log_key(), quantum_key()), policy(key))
    assert [each.key for each in trusted.log_signatures] == [key.verifier]


def test_where_ml_dsa_44_alone_is_trusted_a_note_without_it_is_refused() -> None:
    assert refused(note(log_key()), policy(quantum_key())) == "signature"
    assert refused(note(log_key(), quantum_key(seed="other")), policy(quantum_key())) == "signature"


def test_what_is_no_checkpoint_is_refused_as_one() -> None:
    for data in (b"", b"text\n\n", note().encode()[:-1], note().encode().replace(b"\n7\n", b"\n07\n")):
        assert refused(data, policy()) == "checkpoint"
    words = Note("words\n", note().signatures)
    assert refused(words, policy()) == "checkpoint"


def test_a_checkpoint_of_another_origin_is_refused_even_where_the_key_is_trusted() -> None:
    other = note(checkpoint=Checkpoint(OTHER, 7, ROOT))
    assert refused(other, policy()) == "origin"
    assert refused(note(), TrustPolicy.of((log_key().verifier,), origin=OTHER)) == "origin"


def test_a_signature_by_a_key_of_another_name_does_not_count() -> None:
    same_key = SigningKey.of(OTHER, log_key().private_key)
    assert refused(note(same_key), policy()) == "signature"


def test_a_signature_by_a_key_of_the_same_name_and_another_id_does_not_count() -> None:
    assert refused(note(log_key(seed="another")), policy()) == "signature"
    # It does no harm beside one that counts.
    assert accepted(note(log_key(seed="another"), log_key()), policy()).checkpoint.size == 7


def test_a_key_with_the_id_of_a_trusted_one_and_other_bytes_gains_nothing() -> None:
    theirs = log_key(seed="another").sign(Checkpoint(ORIGIN, 7, ROOT), AT)
    claimed = Signature(ORIGIN, log_key().verifier.id, theirs.value)
    assert refused(Note(note().text, (claimed,)), policy()) == "signature"


@pytest.mark.parametrize("broken", [log_key(), quantum_key(), ONE], ids=["Ed25519", "ML-DSA-44", "witness"])
def test_one_that_claims_to_be_trusted_and_does_not_hold_spoils_the_note(broken: SigningKey) -> None:
    trust = policy(log_key(), quantum_key(), witnesses=(ONE, TWO), required=1)
    good = note(log_key(), quantum_key(), ONE, TWO)
    assert accepted(good, trust).witnesses == ("witness.example/one", "witness.example/two")
    assert refused(with_value(good, broken, bytes(72)), trust) == "signature"
    beside = Note(good.text, (*good.signatures, Signature(broken.verifier.name, broken.verifier.id, b"x")))
    assert refused(beside, trust) == "signature"


@pytest.mark.parametrize(("old", "new"), [("\n7\n", "\n8\n"), ("AAEC", "AAED")])
def test_a_changed_size_or_root_is_refused(old: str, new: str) -> None:
    data = note(log_key(), quantum_key())
    changed = Note(data.text.replace(old, new), data.signatures)
    for key in (log_key(), quantum_key()):
        assert refused(changed, policy(key)) == "signature"


def test_signatures_of_an_older_checkpoint_do_not_hold_for_a_newer_one() -> None:
    older = note(log_key(), ONE)
    newer = Checkpoint(ORIGIN, 8, ROOT[::-1])
    trust = policy(witnesses=(ONE,), required=1)
    assert refused(Note(newer.text(), older.signatures), trust) == "signature"
    mixed = note(checkpoint=newer).with_signatures(older.signatures[1:])
    assert refused(mixed, trust) == "signature"


def test_too_few_witnesses_are_refused() -> None:
    trust = policy(witnesses=(ONE, TWO), required=2)
    assert accepted(note(log_key(), ONE, TWO), trust).witnesses == (ONE.verifier.name, TWO.verifier.name)
    for keys in ((log_key(),), (log_key(), ONE), (log_key(), ONE, witness_key("witness.example/three"))):
        assert refused(note(*keys), trust) == "witnesses"


def test_two_signatures_of_one_witness_count_once() -> None:
    also_one = quantum_key("witness.example/one")
    trust = policy(witnesses=(ONE, also_one, TWO), required=2)
    once = note(log_key(), ONE, also_one)
    twice = replace(once, signatures=once.signatures + note(ONE, at=LATE).signatures)
    assert len(twice.signatures) == 4
    assert refused(twice, trust) == "witnesses"
    assert len(accepted(twice, replace(trust, required_witnesses=1)).cosignatures) == 3


def test_cosignatures_without_a_signature_of_the_log_are_not_enough() -> None:
    assert refused(note(ONE, TWO), policy(witnesses=(ONE, TWO), required=2)) == "signature"


def test_a_plain_signature_by_a_witness_is_no_cosignature() -> None:
    plain = SigningKey.of("witness.example/one", ONE.private_key)
    assert refused(note(log_key(), plain), policy(witnesses=(ONE,), required=1)) == "witnesses"


@pytest.mark.parametrize(
    ("cosigned_at", "stamped_at", "check"),
    [
        (None, None, "compromise"),
        (AT, None, None),
        (LATE, None, "compromise"),
        (LIMIT, None, "compromise"),
        (LIMIT - timedelta(seconds=1), None, None),
        (None, AT, None),
        (None, LIMIT, "compromise"),
        (None, LATE, "compromise"),
        (LATE, AT, None),
        (LATE, LATE, "compromise"),
    ],
)
def test_after_a_compromise_others_have_to_show_that_the_checkpoint_is_older(
    cosigned_at: datetime | None, stamped_at: datetime | None, check: str | None
) -> None:
    trust = replace(policy(witnesses=(ONE,)), compromised_at=LIMIT)
    data = note().with_signatures(note(ONE, at=cosigned_at).signatures if cosigned_at else ())
    if check is None:
        assert accepted(data, trust, stamped_at).checkpoint.size == 7
    else:
        assert refused(data, trust, stamped_at) == check


def test_after_a_compromise_the_logs_own_time_and_unknown_witnesses_show_nothing() -> None:
    trust = replace(policy(log_key(), quantum_key(), witnesses=(ONE,)), compromised_at=LIMIT)
    assert refused(note(log_key(), quantum_key(), TWO), trust) == "compromise"


def test_after_a_compromise_as_many_witnesses_as_are_required_have_to_be_from_before() -> None:
    trust = replace(policy(witnesses=(ONE, TWO), required=2), compromised_at=LIMIT)
    late = note(TWO, at=LATE).signatures
    assert refused(note(log_key(), ONE).with_signatures(late), trust) == "compromise"
    assert accepted(note(log_key(), ONE, TWO).with_signatures(late), trust).checkpoint.size == 7
    assert accepted(note(log_key(), ONE).with_signatures(late), trust, AT).stamped_at == AT


def test_a_timestamp_does_not_stand_in_for_witnesses() -> None:
    trust = replace(policy(witnesses=(ONE,), required=1), compromised_at=LIMIT)
    assert refused(note(), trust, AT) == "witnesses"


def test_a_timestamp_token_is_over_the_text_and_the_lines_of_the_log() -> None:
    own = note(log_key(), quantum_key())
    data = own.with_signatures(note(ONE).signatures)
    assert stamped_bytes(*read_checkpoint(data.encode())) == own.encode()
    assert stamped_bytes(*read_checkpoint(own.encode())) == own.encode()


def test_without_an_origin_it_is_the_name_of_the_keys() -> None:
    assert policy(log_key(), quantum_key()).origin == ORIGIN
    with pytest.raises(InvalidInputError, match="several names"):
        policy(log_key(), log_key(OTHER))
    both = TrustPolicy.of((log_key().verifier, log_key(OTHER).verifier), origin=ORIGIN)
    assert both.origin == ORIGIN


def test_a_key_that_is_not_of_its_part_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no key of the log is trusted"):
        TrustPolicy.of(())
    with pytest.raises(InvalidInputError, match="is not one that a log signs with"):
        policy(witness_key(ORIGIN))
    with pytest.raises(InvalidInputError, match="is not one that a witness signs with"):
        policy(witnesses=(log_key("witness.example/one"),))


def test_the_log_is_no_witness_of_its_own() -> None:
    for own in (witness_key(ORIGIN), quantum_key(ORIGIN, seed="second")):
        with pytest.raises(InvalidInputError, match="nobody is a witness of themselves"):
            policy(witnesses=(own,))
    with pytest.raises(InvalidInputError, match="nobody is a witness of themselves"):
        TrustPolicy.of((log_key().verifier,), origin=OTHER, witness_keys=(witness_key(OTHER).verifier,))


def test_more_witnesses_cannot_be_required_than_are_named() -> None:
    with pytest.raises(InvalidInputError, match="2 witnesses are required, and the keys of 1 are given"):
        policy(witnesses=(ONE, quantum_key("witness.example/one")), required=2)


def test_reading_a_checkpoint_believes_nothing() -> None:
    forged = Note(note().text, (Signature(ORIGIN, log_key().verifier.id, b"x"),))
    assert read_checkpoint(forged.encode()) == (forged, Checkpoint(ORIGIN, 7, ROOT))


def test_the_error_says_what_was_wanted_and_what_was_there() -> None:
    with pytest.raises(EvidenceRefusedError) as caught:
        trust_checkpoint(signed(7, ROOT), policy(witnesses=(ONE, TWO), required=2))
    assert (caught.value.expected, caught.value.actual) == ("2 trusted witnesses", "0: none")
