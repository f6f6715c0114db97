"""Bundles tied to keys, by the command line: signed by the venue, checked by who has no database."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import ExitCode
from ledger.store.ledger import Ledger
from tests.support.bundles import edit_manifest, reseal
from tests.support.examples import deposit
from tests.support.keys import log_key
from tests.support.postgres import fresh_database
from tests.support.processes import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "venue.example/perpetuals"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"
SIGN = ("--sign", "--passphrase-file", "passphrase")
SIGNATURE = ("--signature", "evidence.signature", "--bundle-key", "bundle-key")
CHECKPOINT = ("--trusted-checkpoint", "checkpoint", "--trusted-key", "log-key")


class Venue:
    """A venue's engineer: a ledger, a home folder beside it, and what was handed out."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        (folder / "passphrase").write_text("a passphrase of the test\n")

    def run(self, *words: str) -> Outcome:
        return run(*words, "--home", "home", url=self.url, cwd=self.folder)

    def does(self, *words: str) -> dict[str, Any]:
        """Run a command that succeeds, with its JSON document."""
        outcome = self.run(*words, "--json")
        assert outcome.code == 0, outcome
        return outcome.document


def check(folder: Path, *words: str) -> Outcome:
    """Check the bundle as somebody who has only what is in the folder."""
    return run("check-bundle", "evidence", *words, "--json", url=UNREACHABLE, cwd=folder)


def broken(outcome: Outcome) -> set[str]:
    """The checks that do not hold."""
    assert outcome.code == ExitCode.INTEGRITY_BROKEN, outcome
    return {name for name, held in outcome.document["checks"].items() if not held}


def leaves_open(outcome: Outcome, text: str) -> bool:
    return any(text in each for each in outcome.document["not_checked"])


@pytest.fixture(scope="module")
def venue(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A ledger with both kinds of keys, a checkpoint, ten more events, and a signed bundle of it all."""
    with fresh_database(database_server_url) as url:
        venue = Venue(url, tmp_path_factory.mktemp("venue"))
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            for purpose, file in (("checkpoint", "log-key"), ("bundle", "bundle-key")):
                venue.does("keys", "generate", "--purpose", purpose, "--passphrase-file", "passphrase")
                venue.does("keys", "export-public", "--purpose", purpose, "--out", file)
            venue.does("checkpoint", "--passphrase-file", "passphrase", "--out", "checkpoint")
            ledger.append([deposit(f"A{number}") for number in range(10)])
        venue.does("checkpoint", "--passphrase-file", "passphrase", "--out", "newest")
        document = venue.does("export", "evidence", "--no-tables", *SIGN)
        assert document["signature"] == str(venue.folder / "evidence.signature")
        (venue.folder / "stranger").write_text(f"{log_key(f'{ORIGIN}/bundles').verifier.encode()}\n")
        yield venue


@pytest.fixture
def handed_out(venue: Venue, tmp_path: Path) -> Path:
    """A copy of what the venue gave away, for tests that tamper with it."""
    shutil.copytree(venue.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("home", "passphrase"))
    return tmp_path / "copy"


def test_a_signed_bundle_is_checked_offline_by_its_key(venue: Venue) -> None:
    outcome = check(venue.folder, *SIGNATURE)
    assert (outcome.code, outcome.document["checks"]["bundle_signature"]) == (0, True)
    assert not leaves_open(outcome, "signatures")
    assert leaves_open(outcome, "whether this is the log, and all of it")
    words = run("check-bundle", "evidence", *SIGNATURE, url=UNREACHABLE, cwd=venue.folder)
    assert "ok     bundle_signature" in words.out


def test_without_the_signature_the_verdict_says_that_none_was_checked(venue: Venue) -> None:
    outcome = check(venue.folder)
    assert (outcome.code, "bundle_signature" in outcome.document["checks"]) == (0, False)
    assert leaves_open(outcome, "signatures: the bundle carries none")


def test_a_tampered_manifest_and_a_strangers_key_exit_with_3(handed_out: Path) -> None:
    stranger = ("--signature", "evidence.signature", "--bundle-key", "stranger")
    assert broken(check(handed_out, *stranger)) == {"bundle_signature"}
    edit_manifest(handed_out / "evidence", not_checked=[])
    assert check(handed_out).code == 0
    assert broken(check(handed_out, *SIGNATURE)) == {"bundle_signature"}


def test_a_checkpoint_passed_off_as_a_signature_exits_with_3_and_the_reverse_too(venue: Venue) -> None:
    as_signature = check(venue.folder, "--signature", "checkpoint", "--bundle-key", "bundle-key")
    assert broken(as_signature) == {"bundle_signature"}
    words = ("--trusted-checkpoint", "evidence.signature", "--trusted-key")
    for key in ("log-key", "bundle-key"):
        as_checkpoint = check(venue.folder, *words, key)
        assert as_checkpoint.code == ExitCode.INTEGRITY_BROKEN
        assert as_checkpoint.document["message"].startswith("checkpoint: "), as_checkpoint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--signature", "evidence.signature"), "give both --signature FILE and --bundle-key"),
        (("--bundle-key", "bundle-key"), "give both --signature FILE and --bundle-key"),
        (("--signature", "evidence.signature", "--bundle-key", "log-key"), "--bundle-key: the key"),
        ((*SIGNATURE, "--origin", "other.example"), "is not one that bundles of other.example"),
        (("--signature", "nowhere", "--bundle-key", "bundle-key"), "nowhere"),
        (("--trusted-key", "log-key"), "give --trusted-checkpoint FILE"),
        (("--require-witnesses", "1"), "give --trusted-checkpoint FILE"),
        (("--origin", ORIGIN), "give --trusted-checkpoint FILE"),
        (("--trusted-checkpoint", "checkpoint", "--require-witnesses", "1"), "no key of the log is trusted"),
    ],
)
def test_options_that_belong_together_are_given_together(
    venue: Venue, words: tuple[str, ...], said: str
) -> None:
    outcome = check(venue.folder, *words)
    assert outcome.code == ExitCode.USAGE, outcome
    document = outcome.document
    assert said in f"{document['message']} {document['next_step']}"


def test_a_newest_checkpoint_shows_that_it_is_the_log_and_all_of_it(venue: Venue) -> None:
    outcome = check(venue.folder, "--trusted-checkpoint", "newest", "--trusted-key", "log-key", *SIGNATURE)
    assert outcome.code == 0, outcome
    checks = outcome.document["checks"]
    assert (checks["trusted_checkpoint"], checks["bundle_signature"]) == (True, True)
    assert not leaves_open(outcome, "whether this is the log")
    assert not leaves_open(outcome, "only consistent with themselves")


def test_an_older_checkpoint_leaves_the_events_after_it_open(venue: Venue) -> None:
    outcome = check(venue.folder, *CHECKPOINT)
    assert outcome.code == 0, outcome
    assert leaves_open(outcome, "the 10 events after sequence 3")
    unchecked = check(venue.folder, "--trusted-checkpoint", "newest")
    assert unchecked.code == 0
    assert leaves_open(unchecked, "no trusted key was given")
    assert leaves_open(unchecked, "whether this is the log, and all of it")


def test_a_checkpoint_that_covers_more_than_the_bundle_exits_with_3_and_says_so(
    venue: Venue, tmp_path: Path
) -> None:
    venue.does("export", str(tmp_path / "evidence"), "--no-tables", "--to-sequence", "9")
    words = ("--trusted-checkpoint", str(venue.folder / "newest"), "--trusted-key")
    outcome = check(tmp_path, *words, str(venue.folder / "log-key"))
    assert broken(outcome) == {"trusted_checkpoint"}
    assert outcome.document["failures"][0]["actual"].startswith("10: the bundle holds fewer")
    earlier = ("--trusted-checkpoint", str(venue.folder / "checkpoint"), "--trusted-key")
    assert check(tmp_path, *earlier, str(venue.folder / "log-key")).code == 0


def test_a_log_that_was_made_up_later_exits_with_3(
    venue: Venue, database_server_url: str, tmp_path: Path
) -> None:
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"B{number}") for number in range(30)])
        assert run("export", "evidence", "--no-tables", url=url, cwd=tmp_path).code == 0
    assert check(tmp_path).code == 0
    words = ("--trusted-checkpoint", str(venue.folder / "checkpoint"), "--trusted-key")
    assert broken(check(tmp_path, *words, str(venue.folder / "log-key"))) == {"trusted_checkpoint"}


def test_exporting_without_a_key_or_its_passphrase_writes_nothing(
    venue: Venue, database_server_url: str, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("some other passphrase")
    target = str(tmp_path / "evidence")
    wrong = venue.run("export", target, "--sign", "--passphrase-file", str(tmp_path / "wrong"))
    assert (wrong.code, "wrong passphrase" in wrong.err) == (ExitCode.ENVIRONMENT, True)
    assert venue.run("export", target, "--sign").code == ExitCode.USAGE
    with fresh_database(database_server_url) as url:
        Ledger.initialise(url, origin="keyless.example/log").close()
        keyless = run("export", target, *SIGN, url=url, cwd=venue.folder)
    assert (keyless.code, "--purpose bundle" in keyless.err) == (ExitCode.NOT_FOUND, True)
    assert [path.name for path in tmp_path.iterdir()] == ["wrong"]


def test_a_dry_run_names_the_signature_and_writes_nothing(venue: Venue, tmp_path: Path) -> None:
    document = venue.does("export", str(tmp_path / "evidence"), "--dry-run", "--sign")
    assert (document["dry_run"], document["signature"]) == (True, str(tmp_path / "evidence.signature"))
    assert venue.does("export", str(tmp_path / "evidence"), "--dry-run")["signature"] is None
    assert list(tmp_path.iterdir()) == []


def test_force_replaces_bundle_and_signature_together(venue: Venue, tmp_path: Path) -> None:
    target, signature = tmp_path / "evidence", tmp_path / "evidence.signature"
    words = ("export", str(target), "--no-tables")
    venue.does(*words, "--to-sequence", "9", *SIGN)
    first = signature.read_bytes()
    assert venue.run(*words, *SIGN).code == ExitCode.USAGE
    assert signature.read_bytes() == first
    venue.does(*words, *SIGN, "--force")
    assert signature.read_bytes() != first
    key = ("--signature", "evidence.signature", "--bundle-key", str(venue.folder / "bundle-key"))
    assert check(tmp_path, *key).code == 0
    assert venue.does(*words, "--force")["signature"] is None
    assert not signature.exists()


def test_a_forger_who_fixes_every_hash_is_found_by_signature_and_by_checkpoint(handed_out: Path) -> None:
    events = handed_out / "evidence" / "events.jsonl"
    events.write_bytes(b"".join(line + b"\n" for line in events.read_bytes().split(b"\n")[:3]))
    reseal(handed_out / "evidence", ORIGIN)
    assert check(handed_out).code == 0
    assert broken(check(handed_out, *SIGNATURE)) == {"bundle_signature"}
    assert broken(check(handed_out, *CHECKPOINT)) == {"trusted_checkpoint"}
