"""What a venue hands to outsiders, and how they check it: by the command line, without the database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ledger.errors import ExitCode
from ledger.store.ledger import Ledger
from tests.support.direct import without_triggers
from tests.support.examples import EVENT_ID, deposit, draft_json
from tests.support.keys import signed
from tests.support.postgres import fresh_database
from tests.support.processes import Outcome, command_line, environment, run
from tests.support.timestamp_authority import Authority, make_pair, make_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "venue.example/perpetuals"
PASSPHRASE = "a passphrase of the test"
LONG_AGO = "2020-01-01T00:00:00Z"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"


class Venue:
    """A venue's engineer: a ledger, a home folder beside it, and what was handed out."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        (folder / "passphrase").write_text(f"{PASSPHRASE}\n")

    def run(self, *words: str, url: str | None = None, stdin: str = "") -> Outcome:
        return run(*words, "--home", "home", url=url or self.url, cwd=self.folder, stdin=stdin)

    def does(self, *words: str) -> dict[str, Any]:
        """Run a command that succeeds, with its JSON document."""
        outcome = self.run(*words, "--json")
        assert outcome.code == 0, outcome
        document: dict[str, Any] = json.loads(outcome.out)
        return document

    def with_key(self, *words: str) -> dict[str, Any]:
        return self.does(*words, "--passphrase-file", "passphrase")


@pytest.fixture(scope="module")
def prepared(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A ledger of 301 events with keys, a checkpoint and published tiles."""
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit("A17", id=EVENT_ID), *(deposit(f"A{n}") for n in range(297))])
        venue = Venue(url, tmp_path_factory.mktemp("venue"))
        venue.with_key("keys", "generate")
        venue.does("keys", "export-public", "--out", "trusted")
        venue.with_key("checkpoint", "--tiles", "tiles", "--entries", "--out", "checkpoint")
        yield venue


def outsider(venue: Venue, *words: str) -> Outcome:
    """Run a command in the venue's folder, but with no database within reach."""
    return run(*words, url=UNREACHABLE, cwd=venue.folder)


def test_a_key_is_recorded_when_it_is_made_and_a_second_one_is_refused(prepared: Venue) -> None:
    listed = prepared.does("keys", "list")["keys"]
    assert [(key["type"], key["state"]) for key in listed] == [
        ("ed25519", "current"),
        ("ml_dsa_44", "current"),
    ]
    with Ledger.open(prepared.url) as ledger:
        recorded = [e.data.json_value() for e in ledger.events() if e.type == "SigningKeyRegistered"]
    assert [each["public_key"] for each in recorded] == [key["public_key"] for key in listed]
    again = prepared.run("keys", "generate", "--passphrase-file", "passphrase")
    assert (again.code, "ledger keys rotate" in again.err) == (ExitCode.USAGE, True)


def test_the_checkpoint_has_the_fields_that_are_promised(prepared: Venue) -> None:
    document = prepared.with_key("checkpoint")
    assert document["schema"] == "ledger.checkpoint/1"
    assert (document["tree_size"], document["fresh"]) == (301, False)
    assert document["note"] == (prepared.folder / "checkpoint").read_text()
    assert document["root_hash"] == document["note"].splitlines()[2]
    assert document["root_hash"] == prepared.does("verify")["root_hash"]


def test_without_its_passphrase_nothing_is_signed(prepared: Venue) -> None:
    assert prepared.run("checkpoint").code == ExitCode.USAGE
    (prepared.folder / "wrong").write_text("some other passphrase")
    outcome = prepared.run("checkpoint", "--passphrase-file", "wrong")
    assert (outcome.code, "wrong passphrase" in outcome.err) == (ExitCode.ENVIRONMENT, True)
    assert PASSPHRASE not in outcome.err + outcome.out


def test_a_dry_run_says_what_would_be_signed(prepared: Venue) -> None:
    document = prepared.does("checkpoint", "--dry-run")
    assert (document["tree_size"], document["note"], document["dry_run"]) == (301, None, True)


def test_anyone_checks_the_tiles(prepared: Venue) -> None:
    outcome = outsider(prepared, "verify", "--tiles", "tiles", "--trusted-key", "trusted", "--json")
    assert outcome.code == 0
    document = outcome.document
    assert document["schema"] == "ledger.verify-tiles/1"
    assert (document["ok"], document["events"], document["entries"]) == (True, 301, 301)
    assert document["entries_are"] == "events"
    assert len(document["signed_by"]) == 2


def test_tiles_are_not_checked_without_a_key_from_elsewhere(prepared: Venue) -> None:
    outcome = outsider(prepared, "verify", "--tiles", "tiles")
    assert (outcome.code, "give --trusted-key" in outcome.err) == (ExitCode.USAGE, True)


def test_a_receipt_is_made_and_checked_offline(prepared: Venue) -> None:
    made = prepared.does(
        "prove", "inclusion", EVENT_ID, "--out", "receipt", "--event-out", "event", "--force"
    )
    assert (made["sequence"], made["tree_size"]) == (1, 301)
    words = ("prove", "check", "receipt", "--event", "event", "--trusted-key", "trusted")
    outcome = outsider(prepared, *words, "--json")
    assert outcome.code == 0
    document = outcome.document
    assert (document["sequence"], document["event_id"], document["origin"]) == (1, EVENT_ID, ORIGIN)
    assert len(document["not_checked"]) == 2
    (prepared.folder / "event").write_bytes((prepared.folder / "event").read_bytes() + b"\n")
    assert outsider(prepared, *words).code == 0  # as a line of an export has it


def test_a_receipt_made_from_tiles_is_the_same(prepared: Venue) -> None:
    prepared.does("prove", "inclusion", "7", "--out", "seven", "--event-out", "seven-event", "--force")
    words = ("prove", "inclusion", "7", "--tiles", "tiles", "--out", "again", "--event-out", "again-event")
    assert outsider(prepared, *words, "--force").code == 0
    for one, other in (("seven", "again"), ("seven-event", "again-event")):
        assert (prepared.folder / one).read_bytes() == (prepared.folder / other).read_bytes()


@pytest.mark.parametrize(
    ("words", "check"),
    [
        (("--event", "other-event", "--trusted-key", "trusted"), "event"),
        (("--event", "event", "--trusted-key", "trusted", "--origin", "other.example"), "origin"),
        (("--event", "event", "--trusted-key", "stranger"), "origin"),
        (("--event", "event", "--trusted-key", "stranger", "--origin", ORIGIN), "signature"),
        (("--event", "event", "--trusted-key", "trusted", "--compromised-at", LONG_AGO), "compromise"),
    ],
)  # fmt: skip
def test_a_receipt_that_does_not_fit_says_which_check_fails(
    prepared: Venue, words: tuple[str, ...], check: str
) -> None:
    prepared.does("prove", "inclusion", "1", "--out", "receipt", "--event-out", "event", "--force")
    prepared.does("prove", "inclusion", "2", "--out", "other", "--event-out", "other-event", "--force")
    (prepared.folder / "stranger").write_text(
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\n"
    )
    outcome = outsider(prepared, "prove", "check", "receipt", *words, "--json")
    assert outcome.code == ExitCode.INTEGRITY_BROKEN, outcome
    assert outcome.document["message"].startswith(f"{check}: "), outcome.document


def test_an_event_that_no_checkpoint_covers_has_no_receipt_yet(
    database_server_url: str, prepared: Venue
) -> None:
    with fresh_database(database_server_url, like=prepared.url) as url:
        assert run("append", "-", url=url, stdin=json.dumps(draft_json()) + "\n").code == 0
        outcome = prepared.run("prove", "inclusion", "301", url=url)
        assert (outcome.code, "ledger checkpoint" in outcome.err) == (ExitCode.NOT_FOUND, True)


def test_growth_is_proved_and_checked_offline(
    database_server_url: str, prepared: Venue, tmp_path: Path
) -> None:
    with fresh_database(database_server_url, like=prepared.url) as url:
        grown = Venue(url, tmp_path)
        shutil.copytree(prepared.folder / "home", tmp_path / "home")
        drafts = "".join(json.dumps(draft_json()) + "\n" for _ in range(20))
        assert grown.run("append", "-", stdin=drafts).code == 0
        grown.with_key("checkpoint")
        made = grown.does("prove", "consistency", str(prepared.folder / "checkpoint"), "--out", "growth")
        assert (made["old_size"], made["new_size"]) == (301, 321)
        words = ("prove", "check", "growth", "--trusted-key", str(prepared.folder / "trusted"))
        old = ("--old-checkpoint", str(prepared.folder / "checkpoint"))
        checked = outsider(grown, *words, *old, "--json")
        assert (checked.code, checked.document["old_size"]) == (0, 301)
        assert outsider(grown, *words).code == ExitCode.USAGE
        data = (tmp_path / "growth").read_text()
        (tmp_path / "growth").write_text(data.replace("old 301", "old 300"))
        refused = outsider(grown, *words, *old)
        assert (refused.code, "old_size" in refused.err) == (ExitCode.INTEGRITY_BROKEN, True)


def test_a_cut_tail_shows_against_a_checkpoint_kept_elsewhere(
    database_server_url: str, prepared: Venue
) -> None:
    """The chain alone is whole; appending is refused too, because of the one below the home."""
    with fresh_database(database_server_url, like=prepared.url) as url:
        with without_triggers(url) as connection:
            for table in ("events", "event_subjects"):
                connection.execute(f"DELETE FROM {table} WHERE sequence >= 290".encode())
            connection.execute(
                "UPDATE ledger_head SET (sequence, hash, appended_at) ="
                " (SELECT sequence, hash, appended_at FROM events WHERE sequence = 289)"
            )
        assert run("verify", url=url).code == 0
        checkpoint = ("--trusted-checkpoint", str(prepared.folder / "checkpoint"))
        trusted = ("--trusted-key", str(prepared.folder / "trusted"))
        outcome = run("verify", *checkpoint, *trusted, "--json", url=url)
        assert outcome.code == ExitCode.INTEGRITY_BROKEN
        failure = outcome.document["failures"][0]
        assert (failure["check"], failure["sequence"]) == ("trusted_checkpoint", 290)
        own = prepared.run("verify", "--json", url=url)  # compares with the one below the home by itself
        assert own.code == ExitCode.INTEGRITY_BROKEN
        assert [each["check"] for each in own.document["failures"]] == ["kept_checkpoint"]
        for words in (("inclusion", "7"), ("consistency", "100")):
            behind = prepared.run("prove", *words, "--out", "never", url=url)
            assert (behind.code, "was cut off or set back" in behind.err) == (ExitCode.INTEGRITY_BROKEN, True)
        draft = json.dumps(draft_json()) + "\n"
        refused = prepared.run("append", "-", url=url, stdin=draft)
        assert (refused.code, "--accept-restore" in refused.err) == (ExitCode.INTEGRITY_BROKEN, True)
        assert prepared.run("checkpoint", "--passphrase-file", "passphrase", url=url).code == 3


def test_a_rewritten_history_shows_against_a_checkpoint_kept_elsewhere(
    database_server_url: str, prepared: Venue
) -> None:
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"B{n}") for n in range(400)])
        words = ("--trusted-checkpoint", str(prepared.folder / "checkpoint"))
        outcome = run("verify", *words, "--json", url=url)
        assert outcome.code == ExitCode.INTEGRITY_BROKEN
        assert outcome.document["checks"]["trusted_checkpoint"] is False
        assert outcome.document["checks"]["link"] is True
        assert any("no trusted key was given" in text for text in outcome.document["not_checked"])


def test_a_rotation_hands_over_from_the_old_key_to_the_new_one(
    database_server_url: str, tmp_path: Path
) -> None:
    with fresh_database(database_server_url) as url:
        Ledger.initialise(url, origin=ORIGIN).close()
        venue = Venue(url, tmp_path)
        venue.with_key("keys", "generate")
        venue.does("keys", "export-public", "--out", "old-keys")
        rotated = venue.with_key("keys", "rotate", "--reason", "every year")
        venue.does("keys", "export-public", "--out", "new-keys")
        assert [len(rotated[each]) for each in ("retired", "registered")] == [2, 2]
        (tmp_path / "handover").write_text(rotated["handover"])
        for keys in ("old-keys", "new-keys"):
            words = ("verify", "--trusted-checkpoint", "handover", "--trusted-key", keys)
            assert venue.run(*words).code == 0, keys
        with psycopg.connect(url) as connection:
            types = connection.execute("SELECT type FROM events ORDER BY sequence").fetchall()
        registered, retired = ("SigningKeyRegistered",), ("SigningKeyRetired",)
        assert types[1:] == [registered, registered, registered, registered, retired, retired]
        later = venue.with_key("checkpoint")
        assert later["fresh"] is False
        compromised = venue.with_key(
            "keys", "rotate", "--reason", "stolen", "--compromised-at", "2026-03-01T00:00:00Z"
        )
        (tmp_path / "after").write_text(compromised["handover"])
        after = ("verify", "--trusted-checkpoint", "after", "--trusted-key")
        assert venue.run(*after, "new-keys").code == ExitCode.INTEGRITY_BROKEN
        venue.does("keys", "export-public", "--out", "newest-keys")
        assert venue.run(*after, "newest-keys").code == 0


def test_a_timestamp_is_asked_for_kept_and_checked(prepared: Venue, tmp_path: Path) -> None:
    ours, other = make_root(tmp_path / "ours"), make_root(tmp_path / "other")
    authority = Authority(tmp_path / "ours", make_pair(tmp_path / "ours", "Test authority", issuer=ours))
    prepared.does("timestamp", "request", "--out", "query", "--data-out", "stamped", "--force")
    reply = authority.reply((prepared.folder / "query").read_bytes())
    (prepared.folder / "reply").write_bytes(reply)
    stored = prepared.does("timestamp", "store", "reply", "--request", "query", "--force")
    root = ours.certificate_path
    words = ("timestamp", "check", stored["file"], "--checkpoint", "checkpoint", "--tsa-root", str(root))
    checked = outsider(prepared, *words, "--json")
    assert (checked.code, checked.document["tree_size"]) == (0, 301)
    openssl = ["openssl", "ts", "-verify", "-in", "reply", "-data", "stamped", "-CAfile", str(root)]
    subprocess.run(openssl, cwd=prepared.folder, check=True, capture_output=True)
    trusted = ("verify", "--tiles", "tiles", "--trusted-key", "trusted", "--timestamp", "reply")
    later = ("--compromised-at", "2100-01-01T00:00:00Z")
    stamped = outsider(prepared, *trusted, "--tsa-root", str(root), *later, "--json")
    assert (stamped.code, stamped.document["checks"]["compromise"]) == (0, True)
    before = ("--compromised-at", "2020-01-01T00:00:00Z")
    assert outsider(prepared, *trusted, "--tsa-root", str(root), *before).code == ExitCode.INTEGRITY_BROKEN
    stranger = ("--tsa-root", str(other.certificate_path))
    assert outsider(prepared, *trusted, *stranger).code == ExitCode.INTEGRITY_BROKEN


def test_checkpoints_go_on_until_they_are_asked_to_stop(database_server_url: str, tmp_path: Path) -> None:
    with fresh_database(database_server_url) as url:
        Ledger.initialise(url, origin=ORIGIN).close()
        venue = Venue(url, tmp_path)
        venue.with_key("keys", "generate")
        words = ("checkpoint", "--every", "1s", "--json", "--tiles", "tiles", "--home", "home")
        process = subprocess.Popen(
            command_line(*words, "--passphrase-file", "passphrase"),
            cwd=tmp_path,
            env=environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert venue.run("append", "-", stdin=json.dumps(draft_json()) + "\n").code == 0
        sizes = {first["tree_size"]}
        while len(sizes) < 2:
            sizes.add(json.loads(process.stdout.readline())["tree_size"])
        venue.with_key("keys", "rotate", "--reason", "every year")
        assert process.stderr is not None
        assert "the keys were rotated" in process.stderr.readline()
        assert venue.run("append", "-", stdin=json.dumps(draft_json()) + "\n").code == 0
        newest = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (0, "stopped\n")
        assert (sizes, newest["tree_size"]) == ({3, 4}, 9)
        trusted = [key["public_key"] for key in venue.does("keys", "list")["keys"]]
        for key, code in ((trusted[0], 0), (trusted[-1], ExitCode.INTEGRITY_BROKEN)):  # new, retired
            assert venue.run("verify", "--tiles", "tiles", "--trusted-key", key).code == code


@pytest.mark.parametrize("span", ["0s", "10", "ten", "1d", "-1s"])
def test_a_span_that_is_none_is_refused(prepared: Venue, span: str) -> None:
    assert prepared.run("checkpoint", "--every", span).code == ExitCode.USAGE


def test_private_keys_are_nobodys_business(prepared: Venue) -> None:
    folder = prepared.folder / "home" / "keys"
    assert folder.stat().st_mode & 0o077 == 0
    for path in folder.glob("*.pem"):
        assert path.stat().st_mode & 0o077 == 0
        assert os.fsencode(PASSPHRASE) not in path.read_bytes()


def test_a_proof_of_the_other_kind_or_an_option_that_says_nothing_is_wrong_usage(prepared: Venue) -> None:
    prepared.does("prove", "inclusion", "1", "--out", "receipt", "--event-out", "event", "--force")
    words = ("prove", "check", "receipt", "--event", "event", "--trusted-key", "trusted")
    idle = outsider(prepared, *words, "--old-checkpoint", "checkpoint")
    assert (idle.code, "and not both" in idle.err) == (ExitCode.USAGE, True)
    other = prepared.run("prove", "inclusion", "1", "--checkpoint", "stranger-checkpoint", "--dry-run")
    assert other.code == ExitCode.USAGE  # there is no such file
    (prepared.folder / "stranger-checkpoint").write_bytes(signed(5, bytes(32), origin="other.example"))
    other = prepared.run("prove", "inclusion", "1", "--checkpoint", "stranger-checkpoint", "--dry-run")
    assert (other.code, "origin: " in other.err) == (ExitCode.INTEGRITY_BROKEN, True)


def test_keys_of_nobody_else_make_a_witness_and_none_is_required_without_a_name(prepared: Venue) -> None:
    sign = ("checkpoint", "--passphrase-file", "passphrase", "--require-witnesses", "1")
    nobody = prepared.run(*sign)
    assert (nobody.code, "none is named" in nobody.err) == (ExitCode.USAGE, True)
    itself = prepared.run(*sign, "--witness", "http://127.0.0.1:9/", "--witness-key", "trusted")
    assert itself.code == ExitCode.USAGE, itself
    for option in ("--witness", "--tsa"):
        keys = () if option == "--tsa" else ("--witness-key", "trusted")
        wrong = prepared.run("checkpoint", "--passphrase-file", "passphrase", option, "foo", *keys)
        assert (wrong.code, "http://" in wrong.err) == (ExitCode.USAGE, True)


def test_a_key_that_the_ledger_has_not_recorded_or_has_retired_signs_nothing(
    database_server_url: str, prepared: Venue, tmp_path: Path
) -> None:
    with fresh_database(database_server_url) as url:
        Ledger.initialise(url, origin=ORIGIN).close()
        venue = Venue(url, tmp_path)
        shutil.copytree(prepared.folder / "home" / "keys", tmp_path / "home" / "keys")
        (tmp_path / "home" / "keys").chmod(0o700)
        unknown = venue.run("checkpoint", "--passphrase-file", "passphrase")
        assert (unknown.code, "is not recorded in this ledger" in unknown.err) == (ExitCode.USAGE, True)
        venue.with_key("keys", "generate")  # records those that are there
        venue.with_key("checkpoint")
        shutil.copytree(tmp_path / "home" / "keys", tmp_path / "old-keys")
        venue.with_key("keys", "rotate", "--reason", "every year")
        shutil.rmtree(tmp_path / "home" / "keys")
        (tmp_path / "old-keys").rename(tmp_path / "home" / "keys")
        retired = venue.run("checkpoint", "--passphrase-file", "passphrase")
        assert (retired.code, "signs no more" in retired.err) == (ExitCode.USAGE, True)
