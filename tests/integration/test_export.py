"""Exporting from a real Postgres: what a bundle holds, and that there is a whole one or none."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from ledger.canonical import leaf_hash
from ledger.clock import FixedClock
from ledger.errors import (
    BundleWriteError,
    ChainBrokenError,
    ExportTableError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    RecordUnreadableError,
)
from ledger.export.bundle import export_bundle
from ledger.export.manifest import parse_manifest
from ledger.merkle import root_hash
from ledger.store.ledger import Ledger
from ledger.store.read import EventQuery
from tests.support.bundles import (
    MORNING,
    ORIGIN,
    DepositCounts,
    agreed_verdict,
    flip_byte,
    venue_events,
)
from tests.support.direct import allow_ddl
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger.events.envelope import Event

EVENTS = 301


@pytest.fixture(scope="module")
def venue_url(database_server_url: str) -> Iterator[str]:
    """A database whose ledger no test of this file changes."""
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append(venue_events(EVENTS - 1))
        yield url


@pytest.fixture
def venue(venue_url: str) -> Iterator[Ledger]:
    with Ledger.open(venue_url) as ledger:
        yield ledger


@pytest.fixture
def small(database_url: str) -> Iterator[Ledger]:
    """A ledger of its own, for tests that write."""
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        ledger.append(venue_events(20))
        yield ledger


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bundle_holds_the_log_byte_for_byte_and_checks_itself(venue: Ledger, tmp_path: Path) -> None:
    result = export_bundle(venue, tmp_path / "bundle", tables=[DepositCounts()], clock=FixedClock(MORNING))
    stored = list(venue.entries())
    folder = result.directory
    assert (folder / "events.jsonl").read_bytes() == b"".join(canonical + b"\n" for _, canonical, _ in stored)
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    assert manifest == result.manifest
    assert (manifest.origin, manifest.events, manifest.last_sequence) == (ORIGIN, EVENTS, EVENTS - 1)
    assert manifest.head_hash == venue.head().hash.hex()
    leaves = [leaf_hash(canonical) for _, canonical, _ in stored]
    assert manifest.root_hash == base64.b64encode(root_hash(leaves)).decode()
    report = agreed_verdict(folder, root=manifest.root_hash, head=manifest.head_hash)
    assert report.ok, report.failures
    assert report.warnings == []


def test_the_result_is_a_json_document(venue: Ledger, tmp_path: Path) -> None:
    result = export_bundle(venue, tmp_path / "bundle", tables=[DepositCounts()])
    document = json.loads(json.dumps(result.document()))
    assert document["schema"] == "ledger.export/1"
    assert document["head"] == {"sequence": EVENTS - 1, "hash": venue.head().hash.hex()}
    assert (
        document["manifest_sha256"]
        == hashlib.sha256((tmp_path / "bundle/manifest.json").read_bytes()).hexdigest()
    )
    assert [file["name"] for file in document["files"]] == [
        *("README.txt", "events.jsonl", "tables/deposits.csv", "verify.py"),
    ]


def test_a_table_is_handed_every_event_once_and_written_beside(venue: Ledger, tmp_path: Path) -> None:
    table = DepositCounts()
    export_bundle(venue, tmp_path / "bundle", tables=[table])
    assert table.sequences == list(range(EVENTS))
    rows = (tmp_path / "bundle/tables/deposits.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "account,deposits"
    assert sum(int(row.split(",")[1]) for row in rows[1:]) == 200


def test_the_same_log_gives_the_same_bundle(venue: Ledger, tmp_path: Path) -> None:
    for name in ("one", "other"):
        export_bundle(venue, tmp_path / name, tables=[DepositCounts()], clock=FixedClock(MORNING))
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils are not installed")
def test_coreutils_check_the_files_as_the_readme_says(venue: Ledger, tmp_path: Path) -> None:
    folder = export_bundle(venue, tmp_path / "bundle", tables=[DepositCounts()]).directory
    command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{name}: OK"
        for name in ("README.txt", "events.jsonl", "manifest.json", "tables/deposits.csv", "verify.py")
    ]
    flip_byte(folder / "events.jsonl", 1000)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "events.jsonl: FAILED" in done.stdout


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils are not installed")
def test_what_the_readme_says_is_true_when_it_is_typed_in(venue: Ledger, tmp_path: Path) -> None:
    result = export_bundle(venue, tmp_path / "bundle", tables=[DepositCounts()])
    text = (result.directory / "README.txt").read_text(encoding="utf-8")
    assert text.isprintable() or set(text) - {"\n"} <= {chr(code) for code in range(32, 127)}
    for fact in (ORIGIN, f"sequence 0 to {EVENTS - 1}", result.manifest.head_hash, result.manifest.root_hash):
        assert fact in text
    commands = [line.strip() for line in text.splitlines() if "verify.py" in line or "| sha256sum" in line]
    one_liner = next(command for command in commands if command.endswith("| sha256sum"))
    done = subprocess.run(
        ["sh", "-c", one_liner], cwd=result.directory, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == result.manifest.head_hash
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", "--expect-root", result.manifest.root_hash],
        cwd=result.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert max(map(len, text.splitlines())) <= 110


def test_a_bundle_may_end_earlier_and_says_what_is_missing(venue: Ledger, tmp_path: Path) -> None:
    result = export_bundle(venue, tmp_path / "bundle", to_sequence=99)
    assert result.manifest.events == 100
    assert any("the 201 events after sequence 99" in text for text in result.manifest.not_included)
    assert agreed_verdict(result.directory).ok
    assert not (result.directory / "tables").exists()


def test_what_is_recorded_during_an_export_is_not_in_it(small: Ledger, tmp_path: Path) -> None:
    class Appending(DepositCounts):
        def take(self, event: Event) -> None:
            if event.sequence == 3:
                small.append(venue_events(25)[20:])
            super().take(event)

    result = export_bundle(small, tmp_path / "bundle", tables=[Appending()])
    assert small.head().sequence == 25
    assert result.manifest.events == 21
    assert not any("after sequence" in text for text in result.manifest.not_included)
    assert agreed_verdict(result.directory).ok


def test_progress_is_told_event_by_event(venue: Ledger, tmp_path: Path) -> None:
    told: list[object] = []

    class Listener:
        def start(self, total: int | None, label: str) -> None:
            told.append((total, label))

        def advance(self, steps: int) -> None:
            told.append(steps)

        def finish(self) -> None:
            told.append("end")

    export_bundle(venue, tmp_path / "bundle", progress=Listener())
    assert told == [(EVENTS, "exporting"), *[1] * EVENTS, "end"]


@pytest.mark.parametrize(("to_sequence", "error"), [(EVENTS, NotFoundError), (-1, InvalidInputError)])
def test_an_end_that_is_not_in_the_ledger_is_refused(
    venue: Ledger, tmp_path: Path, to_sequence: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        export_bundle(venue, tmp_path / "bundle", to_sequence=to_sequence)
    assert names_in(tmp_path) == []


# Where a bundle goes, and what it may replace.


def make_file(target: Path) -> None:
    target.write_text("mine", encoding="utf-8")


def make_folder(target: Path) -> None:
    target.mkdir()


def make_link(target: Path) -> None:
    (target.parent / "elsewhere").mkdir()
    target.symlink_to(target.parent / "elsewhere")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("occupy", [make_file, make_folder, make_link])
def test_what_is_there_and_no_bundle_is_never_replaced(
    venue: Ledger, tmp_path: Path, occupy: Callable[[Path], None], *, force: bool
) -> None:
    occupy(tmp_path / "bundle")
    before = names_in(tmp_path)
    with pytest.raises(InvalidInputError, match="nothing was written"):
        export_bundle(venue, tmp_path / "bundle", force=force)
    assert names_in(tmp_path) == before


def test_an_older_bundle_is_replaced_only_with_force(venue: Ledger, tmp_path: Path) -> None:
    export_bundle(venue, tmp_path / "bundle", to_sequence=9, tables=[DepositCounts()])
    with pytest.raises(InvalidInputError, match="exists already") as refused:
        export_bundle(venue, tmp_path / "bundle")
    assert "--force" in str(refused.value.next_step)
    assert agreed_verdict(tmp_path / "bundle").events == 10
    export_bundle(venue, tmp_path / "bundle", force=True)
    assert agreed_verdict(tmp_path / "bundle").events == EVENTS
    assert names_in(tmp_path) == ["bundle"]


@pytest.mark.parametrize("name", ["notes.txt", "tables/mine.csv", "folder/deep/mine.txt"])
def test_an_older_bundle_with_somebodys_files_in_it_is_not_replaced(
    venue: Ledger, tmp_path: Path, name: str
) -> None:
    export_bundle(venue, tmp_path / "bundle", to_sequence=9, tables=[DepositCounts()])
    (tmp_path / "bundle" / name).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / "bundle" / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="not part of a bundle"):
        export_bundle(venue, tmp_path / "bundle", force=True)
    assert (tmp_path / "bundle" / name).read_text(encoding="utf-8") == "mine"


def test_a_missing_parent_folder_is_named(venue: Ledger, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="nowhere does not exist"):
        export_bundle(venue, tmp_path / "nowhere" / "bundle")


def test_a_relative_place_and_the_root_folder(
    venue: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    assert export_bundle(venue, Path("bundle/"), to_sequence=1).directory == tmp_path / "bundle"
    with pytest.raises(InvalidInputError, match="exists already"):
        export_bundle(venue, Path("/"))


def test_a_place_that_is_taken_meanwhile_is_left_alone(venue: Ledger, tmp_path: Path) -> None:
    class Occupying(DepositCounts):
        def take(self, event: Event) -> None:
            if event.sequence == 5:
                make_file(tmp_path / "bundle")

    with pytest.raises(InvalidInputError, match="exists already"):
        export_bundle(venue, tmp_path / "bundle", tables=[Occupying()])
    assert (tmp_path / "bundle").read_text(encoding="utf-8") == "mine"
    assert names_in(tmp_path) == ["bundle"]


def test_a_rename_that_fails_leaves_the_older_bundle_in_its_place(
    venue: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    export_bundle(venue, tmp_path / "bundle", to_sequence=9)
    really_rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return really_rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(BundleWriteError, match="No space left on device"):
        export_bundle(venue, tmp_path / "bundle", force=True)
    assert names_in(tmp_path) == ["bundle"]
    assert agreed_verdict(tmp_path / "bundle").events == 10


# Whatever goes wrong, there is no half a bundle.


class FailingInRows(DepositCounts):
    def rows(self) -> Iterator[tuple[str, str]]:
        yield "A1", "1"
        raise LookupError("no price")


class FailingInTake(DepositCounts):
    def take(self, event: Event) -> None:
        if event.sequence == 150:
            raise LookupError("no price")


class Interrupting(DepositCounts):
    def take(self, event: Event) -> None:
        if event.sequence == 150:
            raise KeyboardInterrupt("by the test")


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        (
            FailingInRows,
            ExportTableError,
            "'deposits' failed in its rows: LookupError: no price; no bundle was written",
        ),
        (FailingInTake, ExportTableError, "'deposits' failed at sequence 150: LookupError: no price"),
        (Interrupting, KeyboardInterrupt, "^by the test$"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_table_that_fails_leaves_nothing_and_keeps_the_older_bundle(
    venue: Ledger,
    tmp_path: Path,
    table: type[DepositCounts],
    error: type[BaseException],
    words: str,
    *,
    force: bool,
) -> None:
    if force:
        export_bundle(venue, tmp_path / "bundle", to_sequence=9)
    with pytest.raises(error, match=words):
        export_bundle(venue, tmp_path / "bundle", tables=[table()], force=force)
    assert names_in(tmp_path) == (["bundle"] if force else [])
    if force:
        assert agreed_verdict(tmp_path / "bundle").events == 10


# A ledger that somebody tampered with is not exported.


def tamper(ledger: Ledger, statement: str) -> None:
    """Do something to the table as a superuser with every guard off."""
    url = ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        allow_ddl(connection)
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        checks = connection.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'events'::regclass AND contype = 'c'"
        ).fetchall()
        for (name,) in checks:
            connection.execute(
                psycopg.sql.SQL("ALTER TABLE events DROP CONSTRAINT {}").format(psycopg.sql.Identifier(name))
            )
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("statement", "error", "words"),
    [
        (
            "UPDATE events SET canonical = convert_to("
            "replace(convert_from(canonical, 'UTF8'), '5.25', '6.25'), 'UTF8') WHERE sequence = 5",
            ChainBrokenError,
            "broken at sequence 5",
        ),
        ("DELETE FROM events WHERE sequence = 5", IntegrityError, "sequence 6 says sequence 6"),
        (
            "DELETE FROM events WHERE sequence = 20",
            IntegrityError,
            "head is at sequence 20, but its last event at 19",
        ),
        (
            "UPDATE events SET canonical = convert_to("
            "replace(convert_from(canonical, 'UTF8'), '20.25', '21.25'), 'UTF8') WHERE sequence = 20",
            ChainBrokenError,
            "broken at sequence 20",
        ),
        (
            "ALTER TABLE events ALTER COLUMN hash DROP EXPRESSION; "
            "UPDATE events SET hash = sha256('another') WHERE sequence = 5",
            ChainBrokenError,
            "broken at sequence 5",
        ),
        ("DELETE FROM events WHERE sequence = 0", IntegrityError, "sequence 1 says sequence 1"),
        ("UPDATE events SET sequence = 21 WHERE sequence = 5", IntegrityError, "its last event at 21"),
        ("UPDATE events SET sequence = 30 WHERE sequence = 20", IntegrityError, "its last event at 30"),
        (
            "UPDATE events SET sequence = 30 WHERE sequence = 20; "
            "UPDATE events SET sequence = 20 WHERE sequence = 19; "
            "UPDATE events SET sequence = 19 WHERE sequence = 30",
            IntegrityError,
            "sequence 19 says sequence 20",
        ),
        (r"UPDATE events SET canonical = '\x7b7d' WHERE sequence = 5", RecordUnreadableError, "sequence 5"),
    ],
)
@pytest.mark.parametrize("with_table", [False, True])
def test_a_log_that_does_not_hold_is_not_exported(
    small: Ledger, tmp_path: Path, statement: str, error: type[Exception], words: str, *, with_table: bool
) -> None:
    tamper(small, statement)
    with pytest.raises(error, match=words) as broken:
        export_bundle(small, tmp_path / "bundle", tables=[DepositCounts()] if with_table else [])
    assert getattr(broken.value, "next_step", None) == "ledger verify"
    assert names_in(tmp_path) == []


def test_the_newest_event_of_a_ledger_is_where_a_query_would_end(venue: Ledger, tmp_path: Path) -> None:
    result = export_bundle(venue, tmp_path / "bundle", to_sequence=EVENTS - 1)
    expected = [canonical for _, canonical, _ in venue.entries(EventQuery())]
    assert (result.directory / "events.jsonl").read_bytes().splitlines() == expected
