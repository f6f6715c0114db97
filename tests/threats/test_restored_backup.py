"""Attack: set the database back to an old backup or cut its tail off, and go on as if nothing had been."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ledger.errors import ExitCode
from ledger.outside.checkpoints import CheckpointFolder
from ledger.signing.head import accept_restore, sign_head
from ledger.store.ledger import Ledger
from ledger.verify import verify_database
from tests.support.commands import Commands
from tests.support.direct import without_triggers
from tests.support.evidence import LOG_KEYS
from tests.support.examples import deposit, draft_json
from tests.support.keys import ORIGIN
from tests.support.postgres import fresh_database
from tests.support.processes import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAFT = json.dumps(draft_json()) + "\n"


@pytest.fixture
def backup(database_server_url: str, tmp_path: Path) -> Iterator[str]:
    """A backup of six events; the ledger grew to nine since, and a checkpoint of nine is kept."""
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"A{number}") for number in range(5)])
        with fresh_database(database_server_url, like=url) as copy:
            with Ledger.open(url) as ledger:
                ledger.append([deposit(f"B{number}") for number in range(3)])
                sign_head(ledger, LOG_KEYS, kept(tmp_path))
            yield copy


def kept(folder: Path) -> CheckpointFolder:
    return CheckpointFolder(folder / "home" / "checkpoints")


def append(url: str, folder: Path, *words: str) -> Outcome:
    return run("append", "-", *words, "--home", "home", url=url, cwd=folder, stdin=DRAFT)


def grow(url: str, events: int) -> None:
    with Ledger.open(url) as ledger:
        ledger.append([deposit(f"C{number}") for number in range(events)])


def types(url: str) -> list[str]:
    with Ledger.open(url) as ledger:
        return [event.type for event in ledger.events()]


def broken(outcome: Outcome) -> set[str]:
    return {name for name, held in outcome.document["checks"].items() if not held}


def test_the_chain_of_a_restored_backup_is_whole_so_verification_alone_is_content(backup: str) -> None:
    report = verify_database(backup)
    assert (report.ok, report.events) == (True, 6)
    assert any("restored backup" in words for words in report.not_checked)


@pytest.mark.parametrize("grown_by", [0, 3, 40])
def test_a_trusted_checkpoint_shows_it_whether_or_not_it_grew_past_the_checkpoint(
    backup: str, tmp_path: Path, grown_by: int
) -> None:
    grow(backup, grown_by)
    path = kept(tmp_path).path(ORIGIN, 9)
    outcome = run("verify", "--trusted-checkpoint", str(path), "--json", url=backup, cwd=tmp_path)
    assert (outcome.code, broken(outcome)) == (ExitCode.INTEGRITY_BROKEN, {"trusted_checkpoint"})


@pytest.mark.parametrize("grown_by", [0, 40])
def test_nothing_is_recorded_until_someone_accepts_the_restore_which_is_recorded_once(
    backup: str, tmp_path: Path, grown_by: int
) -> None:
    grow(backup, grown_by)
    before = types(backup)
    refused = append(backup, tmp_path)
    assert (refused.code, "--accept-restore" in refused.err) == (ExitCode.INTEGRITY_BROKEN, True)
    assert types(backup) == before

    accepted = append(backup, tmp_path, "--accept-restore", "the disk of 12 March")
    assert (accepted.code, "RestoreAccepted is recorded" in accepted.err) == (ExitCode.OK, True), accepted
    assert types(backup) == [*before, "RestoreAccepted", "DepositRecorded"]
    assert kept(tmp_path).sizes(ORIGIN) == []
    assert [path.name for path in (tmp_path / "home").rglob("set-aside/*")] == [f"{9:020d}.checkpoint"]

    again = append(backup, tmp_path, "--accept-restore", "the disk of 12 March")
    assert (again.code, "nothing was to be accepted" in again.err) == (ExitCode.OK, True), again
    assert types(backup).count("RestoreAccepted") == 1


def test_a_crash_between_recording_and_setting_aside_is_made_up_for(
    backup: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = kept(tmp_path)

    def crash(origin: str, size: int) -> None:
        raise KeyboardInterrupt(origin, size)

    with Ledger.open(backup) as ledger, monkeypatch.context() as patched:
        patched.setattr(checkpoints, "set_aside", crash)
        with pytest.raises(KeyboardInterrupt):
            accept_restore(ledger, checkpoints, "first try")
    assert types(backup)[-1] == "RestoreAccepted"
    assert append(backup, tmp_path).code == ExitCode.INTEGRITY_BROKEN
    assert append(backup, tmp_path, "--accept-restore", "second try").code == ExitCode.OK
    assert types(backup)[-2:] == ["RestoreAccepted", "DepositRecorded"]
    assert types(backup).count("RestoreAccepted") == 1


def test_what_is_set_aside_twice_at_one_size_is_all_still_there(
    database_server_url: str, backup: str, tmp_path: Path
) -> None:
    """A second restore of a log that was signed at the same size leaves the first evidence alone."""
    checkpoints = kept(tmp_path)
    first = checkpoints.path(ORIGIN, 9).read_bytes()
    with fresh_database(database_server_url, like=backup) as other:
        with Ledger.open(backup) as ledger:
            accept_restore(ledger, checkpoints, "first")
            ledger.append([deposit("C1"), deposit("C2")])
            second = sign_head(ledger, LOG_KEYS, checkpoints).note.encode()
            assert ledger.head().sequence == 8
        with Ledger.open(other) as ledger:
            accept_restore(ledger, checkpoints, "second")
    aside = [path.read_bytes() for path in (tmp_path / "home").rglob("set-aside/*")]
    assert sorted(aside) == sorted([first, second])


def test_a_cut_tail_is_shown_by_a_trusted_checkpoint_and_stops_appends(backup: str, tmp_path: Path) -> None:
    kept(tmp_path).set_aside(ORIGIN, 9)
    with Ledger.open(backup) as ledger:
        head = sign_head(ledger, LOG_KEYS, kept(tmp_path))
    with without_triggers(backup) as connection:
        for table in ("events", "event_subjects"):
            connection.execute(f"DELETE FROM {table} WHERE sequence >= 4".encode())
        connection.execute(
            "UPDATE ledger_head SET (sequence, hash, appended_at) ="
            " (SELECT sequence, hash, appended_at FROM events WHERE sequence = 3)"
        )
    assert verify_database(backup).ok
    outcome = run("verify", "--trusted-checkpoint", str(head.path), "--json", url=backup, cwd=tmp_path)
    failure = outcome.document["failures"][0]
    assert (outcome.code, failure["check"], failure["sequence"]) == (3, "trusted_checkpoint", 4)
    assert append(backup, tmp_path).code == ExitCode.INTEGRITY_BROKEN


def test_the_demo_does_not_fill_a_ledger_that_was_set_back_to_its_opening(
    database_server_url: str, tmp_path: Path
) -> None:
    with fresh_database(database_server_url) as url:
        Ledger.initialise(url, origin=ORIGIN).close()
        with fresh_database(database_server_url, like=url) as emptied:
            with Ledger.open(url) as ledger:
                ledger.append([deposit()])
                sign_head(ledger, LOG_KEYS, kept(tmp_path))
            run_of_demo = Commands(emptied, tmp_path).demo("--home", "home")
            assert run_of_demo.exit_code == ExitCode.INTEGRITY_BROKEN, run_of_demo
            assert types(emptied) == ["LedgerOpened"]
