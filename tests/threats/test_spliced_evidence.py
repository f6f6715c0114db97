"""Attacks on what is handed out: splice it, pass one thing off as another, guess it, bring one's own keys."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import leaf_hash
from ledger.chain import event_bytes_of, parse_entry
from ledger.checkpoint import sign_checkpoint
from ledger.errors import EvidenceRefusedError, ExitCode, InvalidInputError
from ledger.events.envelope import Draft
from ledger.merkle import node_hash, root_hash, verify_inclusion
from ledger.proof import InclusionProof, check_consistency, check_inclusion
from ledger.tiles import decode_entries
from ledger.trust import TrustPolicy, trust_checkpoint
from tests.support.chains import chain_of, verdict
from tests.support.evidence import LOG_KEYS, POLICY, give_away, write_tiles
from tests.support.examples import deposit, draft_json, prepared
from tests.support.keys import AT, ORIGIN, log_key, policy, quantum_key
from tests.support.processes import run

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "other.example/log"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"
EVENT_ID = "00000000-0000-4000-8000-000000000001"
OURS = give_away(chain_of(12), old_size=5, index=7)
THEIRS = give_away(chain_of(12), old_size=5, index=7, origin=OTHER)
"""The same entries, which name our log, under the checkpoint of another log."""
BOTH = TrustPolicy.of(
    tuple(key.verifier for key in (*LOG_KEYS, log_key(OTHER), quantum_key(OTHER))), origin=ORIGIN
)
OF_OTHER = replace(BOTH, origin=OTHER)
THIEF = (log_key(seed="thief"), quantum_key(seed="thief"))


def refusal(proof: bytes, trust: TrustPolicy) -> str:
    with pytest.raises(EvidenceRefusedError) as refused:
        check_inclusion(proof, OURS.entry, trust)
    return refused.value.check


# Splice proofs of different logs


def test_a_proof_under_the_checkpoint_of_another_log_is_refused_by_its_origin() -> None:
    assert [refusal(THEIRS.inclusion, trust) for trust in (BOTH, POLICY)] == ["origin", "origin"]


def test_an_event_of_one_log_is_refused_under_a_trusted_checkpoint_of_another() -> None:
    """The hashes lead to the root, and the other log signed it; but the event says whose it is."""
    assert refusal(THEIRS.inclusion, OF_OTHER) == "event"


def test_the_path_in_one_tree_is_refused_under_the_checkpoint_of_a_larger_one() -> None:
    larger = give_away(chain_of(13), old_size=5, index=7)
    proof = replace(InclusionProof.parse(OURS.inclusion), checkpoint=larger.note)
    assert refusal(proof.encode(), POLICY) == "inclusion"


def test_growth_from_a_checkpoint_of_another_log_is_refused() -> None:
    old = trust_checkpoint(THEIRS.old_note, OF_OTHER)
    with pytest.raises(EvidenceRefusedError, match="origin"):
        check_consistency(OURS.consistency, old, BOTH)


def test_signatures_of_one_checkpoint_are_refused_under_the_text_of_another() -> None:
    text, _, _ = OURS.note.partition(b"\n\n")
    _, _, lines = OURS.old_note.partition(b"\n\n")
    with pytest.raises(EvidenceRefusedError, match="signature"):
        trust_checkpoint(text + b"\n\n" + lines, POLICY)


# Leaf and node, concatenation


def test_the_children_of_a_node_are_not_taken_for_an_entry() -> None:
    leaves = [leaf_hash(line) for line in OURS.lines]
    assert leaf_hash(leaves[6] + leaves[7]) != node_hash(leaves[6], leaves[7])
    proof = InclusionProof.parse(OURS.inclusion)
    for index in (3, 7):
        shortened = replace(proof, index=index, hashes=proof.hashes[1:])
        with pytest.raises(EvidenceRefusedError, match="inclusion"):
            check_inclusion(shortened.encode(), leaves[6] + leaves[7], POLICY, foreign=True)


def test_a_part_of_a_path_leads_nowhere() -> None:
    leaves = [leaf_hash(line) for line in OURS.lines]
    hashes = InclusionProof.parse(OURS.inclusion).hashes
    assert verify_inclusion(leaves[7], 7, 12, hashes, root_hash(leaves))
    for cut in range(1, len(hashes)):
        assert not verify_inclusion(leaves[7], 7, 12, hashes[:cut], root_hash(leaves))
        assert not verify_inclusion(leaves[7], 7, 12, hashes[cut:], root_hash(leaves))


def test_bytes_moved_from_one_field_to_the_next_make_another_event() -> None:
    """Where fields are joined without their lengths, "A1" and "23" are "A12" and "3"."""
    one, other = (
        prepared(deposit(account, amount=amount), EVENT_ID).event_bytes
        for account, amount in (("A1", "23"), ("A12", "3"))
    )
    assert one != other
    assert leaf_hash(one) != leaf_hash(other)


def test_the_border_between_two_entries_cannot_be_moved() -> None:
    first, second, *rest = chain_of(4)
    assert verdict([first, second, *rest]) == []
    assert {failure.sequence for failure in verdict([first + second[:1], second[1:], *rest])} >= {0, 1}
    bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in (first, second))
    moved = (len(first) + 2).to_bytes(2, "big") + bundle[2:]
    with pytest.raises(InvalidInputError, match="ends inside"):
        decode_entries(moved)


# Guess an event from its hash


def test_an_event_that_can_be_guessed_cannot_be_confirmed_by_its_hash() -> None:
    """All but the nonce is known: the account and a round amount to try, the link before, the time."""
    event = prepared(deposit("A3", amount="700"), EVENT_ID).event_bytes
    line = chain_of(2, [event])[1]
    published, nonce = leaf_hash(line), parse_entry(line).link.nonce.encode()
    guesses = [
        event.replace(b'"A3"', b'"A%d"' % account).replace(b'"700"', b'"%d"' % amount)
        for account, amount in itertools.product(range(10), range(100, 1100, 100))
    ]
    assert event in guesses
    for guess in guesses:
        for tried in (b"0" * 32, b"f" * 32, leaf_hash(guess).hex().encode()[:32]):
            assert leaf_hash(line.replace(event, guess).replace(nonce, tried)) != published
            assert leaf_hash(guess) != published
    confirmed = [guess for guess in guesses if leaf_hash(line.replace(event, guess)) == published]
    assert confirmed == [event]  # with the nonce anyone could, so it is as secret as the event


def test_the_same_event_under_two_nonces_has_two_hashes() -> None:
    event = prepared(deposit("A3"), EVENT_ID).event_bytes
    lines = chain_of(3, [event, event])
    assert [event_bytes_of(line) for line in lines[1:]] == [event, event]
    assert len({parse_entry(line).link.nonce for line in lines}) == 3


# A key or a verifier that comes along with the evidence


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """A folder of tiles of the thief's own, signed by his key, with that key and a verifier in it."""
    forged = give_away(chain_of(9), old_size=5, index=7)
    checkpoint = trust_checkpoint(forged.note, POLICY).checkpoint
    own = replace(forged, note=sign_checkpoint(checkpoint, THIEF, AT).encode())
    folder = write_tiles(tmp_path / "tiles", own, entries=True)
    text = "".join(f"{key.verifier.encode()}\n" for key in THIEF)
    for name in ("trusted-key", "keys", "log.vkey", "trusted-keys.txt"):
        (folder / name).write_text(text)
    (folder / "verify.py").write_text("print('everything holds')\n")
    return folder


def test_a_key_inside_the_folder_of_tiles_is_never_used(brought: Path) -> None:
    for folder, cwd in (("tiles", brought.parent), (".", brought)):
        without = run("verify", "--tiles", folder, url=UNREACHABLE, cwd=cwd)
        assert (without.code, "--trusted-key" in without.err) == (ExitCode.USAGE, True)
    words = ("--trusted-key", log_key().verifier.encode(), "--json")
    outcome = run("verify", "--tiles", "tiles", *words, url=UNREACHABLE, cwd=brought.parent)
    assert (outcome.code, outcome.document["checks"]["signature"]) == (ExitCode.INTEGRITY_BROKEN, False)
    assert "everything holds" not in outcome.out


def test_a_proof_is_never_checked_by_a_key_that_nobody_named(tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(OURS.inclusion)
    (tmp_path / "entry").write_bytes(OURS.entry)
    outcome = run("prove", "check", "proof", "--event", "entry", url=UNREACHABLE, cwd=tmp_path)
    assert (outcome.code, "--trusted-key" in outcome.err) == (ExitCode.USAGE, True)


def test_an_event_that_registers_a_key_makes_nobody_trust_it() -> None:
    """The log may record any key as its own; a verifier goes by the keys that the person gave."""
    data = {"name": ORIGIN, "public_key": THIEF[0].verifier.encode(), "purpose": "checkpoint"}
    event = prepared(Draft.from_json(draft_json("SigningKeyRegistered", data=data))).event_bytes
    evidence = give_away(chain_of(4, [event]), old_size=2, index=1)
    checkpoint = trust_checkpoint(evidence.note, POLICY).checkpoint
    with pytest.raises(EvidenceRefusedError, match="signature"):
        trust_checkpoint(sign_checkpoint(checkpoint, THIEF, AT).encode(), policy())
