"""Attack: show one history to some and another to others, both signed by the log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ledger.errors import EvidenceRefusedError, ExitCode
from ledger.note import Note
from ledger.proof import ConsistencyProof, check_consistency
from ledger.trust import trust_checkpoint
from ledger.witness.decision import Verdict, WatchedLog, consider
from tests.support.chains import chain_of
from tests.support.evidence import LOG_KEYS, POLICY, WITNESS, Evidence, give_away, write_tiles
from tests.support.keys import AT, ORIGIN, policy, witness_key
from tests.support.processes import run

if TYPE_CHECKING:
    from pathlib import Path

UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"
KEYS = [word for key in LOG_KEYS for word in ("--trusted-key", key.verifier.encode())]


def uncosigned(evidence: Evidence) -> Evidence:
    return replace(evidence, note=Note.parse(evidence.note).signed_by(ORIGIN).encode())


SHOWN_TO_SOME = give_away(chain_of(12), old_size=5, index=7)
SHOWN_TO_OTHERS = uncosigned(give_away(chain_of(12, seconds=range(50, 62)), old_size=5, index=7))


def test_each_history_holds_by_itself() -> None:
    one = trust_checkpoint(SHOWN_TO_SOME.note, policy(*LOG_KEYS)).checkpoint
    other = trust_checkpoint(SHOWN_TO_OTHERS.note, policy(*LOG_KEYS)).checkpoint
    assert (one.origin, one.size) == (other.origin, other.size)
    assert one.root_hash != other.root_hash


def test_who_requires_a_witness_believes_the_one_that_it_cosigned_alone() -> None:
    assert trust_checkpoint(SHOWN_TO_SOME.note, POLICY).witnesses == (WITNESS.verifier.name,)
    with pytest.raises(EvidenceRefusedError, match="witnesses"):
        trust_checkpoint(SHOWN_TO_OTHERS.note, POLICY)


def test_a_cosignature_by_a_witness_that_nobody_trusts_does_not_help() -> None:
    checkpoint = trust_checkpoint(SHOWN_TO_OTHERS.note, policy(*LOG_KEYS)).checkpoint
    line = witness_key("witness.of.the.venue/one").sign(checkpoint, AT)
    cosigned = Note.parse(SHOWN_TO_OTHERS.note).with_signatures((line,)).encode()
    with pytest.raises(EvidenceRefusedError, match="witnesses"):
        trust_checkpoint(cosigned, POLICY)


def test_no_proof_leads_from_one_history_to_the_other() -> None:
    old = trust_checkpoint(SHOWN_TO_SOME.old_note, policy(*LOG_KEYS))
    for evidence in (SHOWN_TO_SOME, SHOWN_TO_OTHERS):
        hashes = ConsistencyProof.parse(evidence.consistency).hashes
        proof = ConsistencyProof(5, hashes, SHOWN_TO_OTHERS.note).encode()
        with pytest.raises(EvidenceRefusedError, match="consistency"):
            check_consistency(proof, old, policy(*LOG_KEYS))


def test_verify_with_require_witnesses_exits_3_for_the_history_that_no_witness_saw(tmp_path: Path) -> None:
    trust = [*KEYS, "--witness-key", WITNESS.verifier.encode(), "--require-witnesses", "1"]
    for name, evidence, code in (
        ("some", SHOWN_TO_SOME, ExitCode.OK),
        ("others", SHOWN_TO_OTHERS, ExitCode.INTEGRITY_BROKEN),
    ):
        write_tiles(tmp_path / name, evidence, entries=True)
        outcome = run("verify", "--tiles", name, *trust, "--json", url=UNREACHABLE, cwd=tmp_path)
        assert (outcome.code, outcome.document["checks"]["witnesses"]) == (code, code == ExitCode.OK)


def test_who_kept_a_checkpoint_of_one_history_finds_the_other(tmp_path: Path) -> None:
    """Who verifies with an older checkpoint of one's own is a witness, too."""
    write_tiles(tmp_path / "others", SHOWN_TO_OTHERS, entries=True)
    (tmp_path / "seen").write_bytes(SHOWN_TO_SOME.old_note)
    words = ("--trusted-checkpoint", "seen", *KEYS, "--json")
    outcome = run("verify", "--tiles", "others", *words, url=UNREACHABLE, cwd=tmp_path)
    assert (outcome.code, outcome.document["checks"]["trusted_checkpoint"]) == (3, False)


def test_a_witness_cosigns_one_of_two_histories_and_keeps_the_other_as_evidence() -> None:
    keys = tuple(key.verifier for key in LOG_KEYS)
    first = ConsistencyProof(0, (), uncosigned(SHOWN_TO_SOME).note).encode()
    cosigned = consider(first, WatchedLog(ORIGIN, keys), (WITNESS,), AT)
    assert cosigned.verdict is Verdict.COSIGNED
    watched = WatchedLog(ORIGIN, keys, cosigned.cosigned)
    other = ConsistencyProof(12, (), SHOWN_TO_OTHERS.note).encode()
    refused = consider(other, watched, (WITNESS,), AT)
    assert (refused.verdict, refused.cosignatures) == (Verdict.OTHER_ROOT, ())
    assert refused.contradicts == cosigned.cosigned
    longer = give_away(chain_of(14, seconds=range(50, 64)), old_size=12, index=7)
    growth = ConsistencyProof(12, ConsistencyProof.parse(longer.consistency).hashes, uncosigned(longer).note)
    assert consider(growth.encode(), watched, (WITNESS,), AT).verdict is Verdict.UNPROVEN
