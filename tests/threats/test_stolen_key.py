"""Attack: with the log's stolen signing keys, sign another history and write an old time under it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import sign_checkpoint
from ledger.clock import format_time
from ledger.errors import EvidenceRefusedError, ExitCode
from ledger.note import Note
from ledger.timestamp import verify_token
from ledger.trust import TrustPolicy, read_checkpoint, stamped_bytes, trust_checkpoint
from tests.support.chains import chain_of
from tests.support.evidence import LOG_KEYS, POLICY, WITNESS, Evidence, Stamping, give_away, write_tiles
from tests.support.keys import AT, ORIGIN
from tests.support.processes import run

if TYPE_CHECKING:
    from pathlib import Path

STOLEN_AT = AT + timedelta(hours=1)
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"
GENUINE = give_away(chain_of(12), old_size=5, index=7)


def forged() -> Evidence:
    """What the thief signs: another history, dated back by a year in the one time that the log signs."""
    found = give_away(chain_of(14, seconds=range(100, 114)), old_size=5, index=7)
    _, checkpoint = read_checkpoint(found.note)
    return replace(found, note=sign_checkpoint(checkpoint, LOG_KEYS, AT - timedelta(days=365)).encode())


FORGED = forged()


def after(limit: datetime, *, required: int = 0) -> TrustPolicy:
    return replace(POLICY, compromised_at=limit, required_witnesses=required)


def test_before_the_theft_is_known_the_thief_is_believed_unless_witnesses_are_required() -> None:
    trust_checkpoint(FORGED.note, replace(POLICY, required_witnesses=0))
    with pytest.raises(EvidenceRefusedError, match="witnesses"):
        trust_checkpoint(FORGED.note, POLICY)


def test_once_it_is_known_the_time_that_the_log_signs_counts_for_nothing() -> None:
    with pytest.raises(EvidenceRefusedError, match="compromise"):
        trust_checkpoint(FORGED.note, after(STOLEN_AT))


def test_what_was_witnessed_before_goes_on_to_count() -> None:
    trusted = trust_checkpoint(GENUINE.note, after(STOLEN_AT, required=1))
    assert trusted.witnesses == (WITNESS.verifier.name,)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=1), timedelta(days=30)])
def test_what_was_witnessed_since_does_not_count(later: timedelta) -> None:
    note, checkpoint = read_checkpoint(FORGED.note)
    cosigned = note.with_signatures((WITNESS.sign(checkpoint, STOLEN_AT + later),)).encode()
    with pytest.raises(EvidenceRefusedError, match="compromise"):
        trust_checkpoint(cosigned, after(STOLEN_AT))


def test_the_cosignature_of_the_genuine_checkpoint_does_not_go_with_the_forged_one() -> None:
    borrowed = Note.parse(FORGED.note).with_signatures(Note.parse(GENUINE.note).signatures[-1:]).encode()
    with pytest.raises(EvidenceRefusedError, match="signature"):
        trust_checkpoint(borrowed, after(STOLEN_AT))


def test_a_timestamp_counts_if_it_is_older_than_the_theft(tmp_path: Path) -> None:
    stamping = Stamping.make(tmp_path / "authority")
    token = stamping.token(GENUINE.note)
    stamped = stamped_bytes(*read_checkpoint(GENUINE.note))
    stamped_at = verify_token(token, stamped, stamping.roots).time
    own = Note.parse(GENUINE.note).signed_by(ORIGIN).encode()
    trust_checkpoint(own, after(stamped_at + timedelta(seconds=1)), stamped_at=stamped_at)
    for limit in (stamped_at, stamped_at - timedelta(seconds=1)):
        with pytest.raises(EvidenceRefusedError, match="compromise"):
            trust_checkpoint(own, after(limit), stamped_at=stamped_at)


def test_the_command_line_says_the_same_of_a_folder_of_tiles(tmp_path: Path) -> None:
    keys = [word for key in LOG_KEYS for word in ("--trusted-key", key.verifier.encode())]
    trust = [*keys, "--witness-key", WITNESS.verifier.encode()]
    since = ["--compromised-at", format_time(STOLEN_AT)]
    for name, evidence in (("genuine", GENUINE), ("forged", FORGED)):
        write_tiles(tmp_path / name, evidence, entries=True)

    def verify(name: str, *words: str) -> tuple[int, bool | None]:
        outcome = run("verify", "--tiles", name, *trust, *words, "--json", url=UNREACHABLE, cwd=tmp_path)
        return outcome.code, outcome.document["checks"].get("compromise")

    assert verify("forged") == (ExitCode.OK, None)
    assert verify("forged", *since) == (ExitCode.INTEGRITY_BROKEN, False)
    assert verify("genuine", *since) == (ExitCode.OK, True)
