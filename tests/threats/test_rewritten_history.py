"""Attack: as superuser, write the whole history anew, with every hash, link and node in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import EvidenceRefusedError, ExitCode, LedgerBehindError, TimestampInvalidError
from ledger.note import Note
from ledger.outside.checkpoints import CheckpointFolder
from ledger.proof import ConsistencyProof, check_consistency
from ledger.signing.head import sign_head
from ledger.store.ledger import Ledger
from ledger.timestamp import verify_token
from ledger.trust import read_checkpoint, stamped_bytes, trust_checkpoint
from tests.support.evidence import LOG_KEYS, POLICY, WITNESS, Stamping
from tests.support.examples import deposit
from tests.support.keys import AT, ORIGIN, log_key, policy
from tests.support.postgres import fresh_database
from tests.support.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def genuine(database_server_url: str, tmp_path: Path) -> Iterator[bytes]:
    """The signed and witnessed checkpoint of the history that was; the signer keeps it."""
    with fresh_database(database_server_url) as url, Ledger.initialise(url, origin=ORIGIN) as ledger:
        ledger.append([deposit(f"A{number}") for number in range(20)])
        head = sign_head(ledger, LOG_KEYS, CheckpointFolder(tmp_path / "kept"))
        yield head.note.with_signatures((WITNESS.sign(head.checkpoint, AT),)).encode()


@pytest.fixture
def rewritten(database_server_url: str) -> Iterator[str]:
    """Another history under the same name, whole in itself."""
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"A{number}", amount="1000000") for number in range(30)])
        yield url


def forged(url: str, folder: Path) -> Note:
    """What somebody signs who has the rewritten database and the log's keys."""
    with Ledger.open(url) as ledger:
        return sign_head(ledger, LOG_KEYS, CheckpointFolder(folder / "thief")).note


def test_only_a_trusted_checkpoint_tells_them_apart(genuine: bytes, rewritten: str, tmp_path: Path) -> None:
    (tmp_path / "kept-elsewhere").write_bytes(genuine)
    assert run("verify", url=rewritten, cwd=tmp_path).code == ExitCode.OK
    words = ("--trusted-checkpoint", "kept-elsewhere", "--trusted-key", log_key().verifier.encode())
    outcome = run("verify", *words, "--json", url=rewritten, cwd=tmp_path)
    failed = {name for name, held in outcome.document["checks"].items() if not held}
    assert (outcome.code, failed) == (ExitCode.INTEGRITY_BROKEN, {"trusted_checkpoint"})


@pytest.mark.usefixtures("genuine")
def test_the_signer_does_not_sign_it(rewritten: str, tmp_path: Path) -> None:
    with Ledger.open(rewritten) as ledger, pytest.raises(LedgerBehindError) as behind:
        sign_head(ledger, LOG_KEYS, CheckpointFolder(tmp_path / "kept"))
    assert (behind.value.checkpoint_size, behind.value.size) == (21, 31)


def test_without_the_key_no_checkpoint_of_it_is_believed(rewritten: str, tmp_path: Path) -> None:
    with Ledger.open(rewritten) as ledger:
        own = sign_head(ledger, (log_key(seed="thief"),), CheckpointFolder(tmp_path / "thief"))
    with pytest.raises(EvidenceRefusedError, match="signature"):
        trust_checkpoint(own.note.encode(), policy())


def test_with_the_key_there_is_no_proof_that_it_grew_from_what_was_seen(
    genuine: bytes, rewritten: str, tmp_path: Path
) -> None:
    note = forged(rewritten, tmp_path)
    seen = trust_checkpoint(genuine, POLICY)
    new_root = trust_checkpoint(note.encode(), policy(*LOG_KEYS)).checkpoint.root_hash
    for hashes in ((), (bytes(32),), (seen.checkpoint.root_hash, new_root)):
        proof = ConsistencyProof(21, hashes, note.encode()).encode()
        with pytest.raises(EvidenceRefusedError, match="consistency"):
            check_consistency(proof, seen, policy(*LOG_KEYS))


def test_with_the_key_it_has_neither_the_witness_nor_the_timestamp_of_the_genuine_one(
    genuine: bytes, rewritten: str, tmp_path: Path
) -> None:
    stamping = Stamping.make(tmp_path / "authority")
    token = stamping.token(genuine)
    verify_token(token, Note.parse(genuine).signed_by(ORIGIN).encode(), stamping.roots)
    note = forged(rewritten, tmp_path)
    with pytest.raises(EvidenceRefusedError, match="witnesses"):
        trust_checkpoint(note.encode(), POLICY)
    borrowed = note.with_signatures(Note.parse(genuine).signatures[-1:])
    with pytest.raises(EvidenceRefusedError, match="signature"):
        trust_checkpoint(borrowed.encode(), POLICY)
    with pytest.raises(TimestampInvalidError, match="imprint"):
        verify_token(token, stamped_bytes(*read_checkpoint(note.encode())), stamping.roots)
