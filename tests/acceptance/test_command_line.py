"""The ledger command as a user runs it: documents, exit codes, messages."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from ledger.canonical import leaf_hash
from ledger.merkle import root_hash
from ledger.store.ledger import Ledger
from ledger.store.roles import RoleKind
from tests.support.direct import DirectWriter, role_name, unguarded, without_triggers
from tests.support.examples import EVENT_ID, deposit, draft_json, prepared
from tests.support.postgres import fresh_database
from tests.support.processes import Outcome, command_line, environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "venue.example/perpetuals"
OK, NEGATIVE, USAGE, BROKEN, ENVIRONMENT, NOT_FOUND, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
OTHER_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def opened(database_server_url: str) -> Iterator[str]:
    """A ledger of one event, to be copied."""
    with fresh_database(database_server_url) as database_url:
        Ledger.initialise(database_url, origin=ORIGIN, valuation_currency="USDT").close()
        yield database_url


@pytest.fixture
def url(database_server_url: str, opened: str) -> Iterator[str]:
    with fresh_database(database_server_url, like=opened) as copy:
        yield copy


@pytest.fixture(scope="module")
def standing(database_server_url: str, opened: str) -> Iterator[str]:
    """A ledger of four events, only to be read."""
    with fresh_database(database_server_url, like=opened) as copy:
        with Ledger.open(copy) as ledger:
            ledger.append(
                [deposit("A17", id=EVENT_ID), deposit("A18", amount="2.5"), deposit("A17", amount="3")]
            )
        yield copy


def line(**changes: Any) -> str:
    return json.dumps(draft_json(**changes)) + "\n"


def fails(outcome: Outcome, code: int) -> str:
    """Check how a failing command ends, and return what it said."""
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.err
    assert "unexpected" not in outcome.err
    return outcome.err


def newest(url: str) -> int:
    with Ledger.open(url) as ledger:
        return ledger.head().sequence


# init


def test_init_opens_a_ledger_and_says_what_is_permanent(database_url: str) -> None:
    outcome = run("init", "--origin", ORIGIN, "--valuation-currency", "USDT", url=database_url)
    assert outcome.code == OK
    assert f"Opened the ledger {ORIGIN}" in outcome.out
    assert "permanent" in outcome.out
    assert outcome.err == ""
    with Ledger.open(database_url) as ledger:
        assert (ledger.origin, ledger.valuation_currency) == (ORIGIN, "USDT")


def test_init_as_json(database_url: str) -> None:
    document = run("init", "--origin", ORIGIN, "--json", url=database_url).document
    assert document["schema"] == "ledger.init/1"
    assert (document["origin"], document["valuation_currency"]) == (ORIGIN, "USD")


def test_init_changes_nothing_on_a_dry_run(database_url: str) -> None:
    assert run("init", "--origin", ORIGIN, "--dry-run", url=database_url).code == OK
    fails(run("log", url=database_url), ENVIRONMENT)


def test_init_refuses_a_second_ledger(url: str) -> None:
    outcome = run("init", "--origin", "other.example", "--json", url=url)
    assert "is open in this database already" in fails(outcome, USAGE)
    assert outcome.document["error"] == "LedgerExistsError"
    assert run("init", "--upgrade", url=url).code == OK


@pytest.mark.parametrize(
    "words", [[], ["--origin", "a b"], ["--origin", "a+b"], ["--origin", "x", "--upgrade"]]
)
def test_init_refuses_what_is_no_origin(standing: str, words: list[str]) -> None:
    fails(run("init", *words, url=standing), USAGE)


# append


def test_append_records_a_file_once(url: str, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts.ndjson"
    drafts.write_text(line(id=EVENT_ID) + "\n" + line(id=OTHER_ID))
    first = run("append", str(drafts), "--json", url=url)
    assert (first.code, first.err) == (OK, "")
    document = first.document
    assert document["schema"] == "ledger.append/1"
    fields = ("appended", "already_recorded", "first_sequence", "last_sequence")
    assert [document[field] for field in fields] == [2, 0, 1, 2]
    second = run("append", str(drafts), "--json", url=url).document
    assert [second[field] for field in fields] == [0, 2, None, None]


def test_append_reads_stdin(url: str) -> None:
    outcome = run("append", "-", url=url, stdin=line(id=EVENT_ID))
    assert (outcome.code, outcome.out) == (
        OK,
        "1 events recorded, sequences 1 to 1; 0 were recorded already.\n",
    )


def test_append_reads_a_pipe_that_cannot_be_read_twice(url: str, tmp_path: Path) -> None:
    pipe = tmp_path / "drafts"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(line(id=EVENT_ID),))
    writer.start()
    outcome = run("append", str(pipe), "--json", url=url)
    writer.join()
    assert outcome.document["appended"] == 1


def test_append_warns_that_a_repeat_without_ids_is_not_recognised(url: str) -> None:
    outcome = run("append", "-", "--json", url=url, stdin=line())
    assert "warning: 1 of 1 lines have no id" in outcome.err
    assert outcome.document["without_id"] == 1


def test_append_checks_without_recording_on_a_dry_run(url: str) -> None:
    outcome = run("append", "-", "--dry-run", "--json", url=url, stdin=line(id=EVENT_ID))
    assert (outcome.document["dry_run"], outcome.document["appended"], outcome.document["lines"]) == (
        True,
        0,
        1,
    )
    assert newest(url) == 0


def test_append_of_nothing_records_nothing(url: str) -> None:
    document = run("append", "-", "--json", url=url).document
    assert (document["appended"], document["first_sequence"]) == (0, None)


GOOD = line(id=EVENT_ID)
DEPOSIT = draft_json()["data"]
assert isinstance(DEPOSIT, dict)


@pytest.mark.parametrize(
    ("bad", "place", "problem"),
    [
        ("{\n", "line 2", "not JSON"),
        (line(data={**DEPOSIT, "amount": 1.5}), "line 2, data.amount", "the number 1.5 is a float"),
        (line(data={**DEPOSIT, "amount": 2}), "line 2, data.amount", 'write "2" in quotes'),
        (
            line(data={**DEPOSIT, "amount": "9" * 39}),
            "line 2, data.amount",
            "more than 38 significant digits",
        ),
        (line(data={**DEPOSIT, "colour": "red"}), "line 2, data.colour", "no such field"),
        (GOOD.replace("DepositRecorded", "DepositRecoded"), "line 2, type", "did you mean DepositRecorded?"),
        (line(occurred_at="2026-01-31T09:30:00"), "line 2, occurred_at", "has no zone"),
        (line(id="7"), "line 2, id", "UUID"),
        (GOOD.replace('"asset"', '"account"'), "line 2, data", "'account' occurs twice"),
        ('"' + "x" * 1_000_001 + '"\n', "line 2", "longer than 1000000 bytes"),
    ],
)
def test_a_file_with_a_bad_line_is_refused_whole(
    standing: str, tmp_path: Path, bad: str, place: str, problem: str
) -> None:
    before = newest(standing)
    drafts = tmp_path / "drafts.ndjson"
    drafts.write_text(line(id=OTHER_ID) + bad + line())
    outcome = run("append", str(drafts), "--json", url=standing)
    said = fails(outcome, USAGE)
    assert said.startswith(f"error: {drafts}, {place}: ")
    assert problem in said
    assert outcome.document["schema"] == "ledger.error/1"
    assert outcome.document["message"] in said
    assert outcome.document["exit_code"] == USAGE
    assert newest(standing) == before


def test_bytes_that_are_not_utf_8_are_refused_with_their_line(standing: str) -> None:
    said = fails(run("append", "-", url=standing, stdin=GOOD.encode() + b'{"type":"\xff"}'), USAGE)
    assert said.startswith("error: stdin, line 2: byte 9 is not UTF-8")


@pytest.mark.parametrize("what", ["folder", "missing"])
def test_a_file_that_cannot_be_read_is_named(standing: str, tmp_path: Path, what: str) -> None:
    path = tmp_path if what == "folder" else tmp_path / "missing.ndjson"
    assert fails(run("append", str(path), url=standing), USAGE).startswith(
        f"error: {path}: the file cannot be read"
    )


def test_an_id_with_other_content_is_refused_with_its_line_and_what_is_recorded(standing: str) -> None:
    drafts = line(id=OTHER_ID) + line(id=EVENT_ID, actor="someone")
    said = fails(run("append", "-", url=standing, stdin=drafts), USAGE)
    assert said.startswith(f"error: stdin, line 2: event {EVENT_ID} is recorded already at sequence 1")
    assert "actor, data differ" in said
    assert "next:  ledger show 1" in said
    assert newest(standing) == 3


@pytest.mark.parametrize("between", [0, 10_000])
def test_an_id_with_two_contents_in_one_file_is_refused_with_both_lines(standing: str, between: int) -> None:
    drafts = line(id=OTHER_ID) + line() * between + line(id=OTHER_ID, actor="someone")
    said = fails(run("append", "-", url=standing, stdin=drafts), USAGE)
    assert f"error: stdin, lines 1 and {between + 2}: event {OTHER_ID} stands in the same input" in said
    assert newest(standing) == 3


def test_a_clock_that_is_behind_is_accepted_by_name_only(url: str) -> None:
    with without_triggers(url) as connection:
        row = DirectWriter(connection).row(prepared(), later_by=timedelta(hours=1))
        connection.execute(
            "INSERT INTO events (sequence, id, type, occurred_at, appended_at, writer, canonical)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [row.sequence, row.id, row.type, row.occurred_at, row.appended_at, row.writer, row.canonical],
        )
        connection.execute("INSERT INTO event_subjects VALUES ('account/A17', 1), ('asset/USDT', 1)")
        connection.execute(
            "UPDATE ledger_head SET (sequence, hash, appended_at) = (SELECT sequence, hash, appended_at"
            " FROM events WHERE sequence = 1)"
        )
    said = fails(run("append", "-", url=url, stdin=GOOD), ENVIRONMENT)
    assert "ahead of the database clock" in said
    assert "--accept-clock REASON" in said
    assert run("append", "-", "--accept-clock", "time server", url=url, stdin=GOOD).code == OK
    with Ledger.open(url) as ledger:
        assert [event.type for event in ledger.events()][2:] == ["ClockSynchronised", "DepositRecorded"]
    assert run("verify", url=url).code == OK


def test_accepting_a_clock_that_is_right_records_nothing_about_it(url: str) -> None:
    assert run("append", "-", "--accept-clock", "habit", url=url, stdin=GOOD).code == OK
    assert newest(url) == 1


# log and show


def test_log_lists_events(standing: str) -> None:
    outcome = run("log", url=standing)
    assert outcome.code == OK
    assert [words.split()[0] for words in outcome.out.splitlines()] == ["0", "1", "2", "3"]
    assert "account=A18" in outcome.out.splitlines()[2]


@pytest.mark.parametrize(
    ("words", "sequences"),
    [
        (["--account", "A17"], [1, 3]),
        (["--subject", "asset/USDT", "--subject", "account/A18"], [2]),
        (["--type", "LedgerOpened"], [0]),
        (["--after", "1"], [2, 3]),
        (["--after", "99999999999999999999"], []),
        (["--limit", "2"], [0, 1]),
        (["--newest", "--limit", "1"], [3]),
        (["--instrument", "BTC-PERP"], []),
        (["--to", "2026-01-31T09:30:00Z"], [1, 2, 3]),
        (["--from", "2026-01-31T10:30:01+01:00"], [0]),
    ],
)
def test_log_narrows(standing: str, words: list[str], sequences: list[int]) -> None:
    outcome = run("log", "--json", *words, url=standing)
    assert (outcome.code, outcome.err) == (OK, "")
    assert [document["sequence"] for document in outcome.lines] == sequences


def test_log_as_json_lines_holds_the_whole_entry(standing: str) -> None:
    (document,) = run("log", "--json", "--after", "0", "--limit", "1", url=standing).lines
    assert document["schema"] == "ledger.event/1"
    assert document["event"]["data"] == {"account": "A17", "asset": "USDT", "amount": "1"}
    assert document["link"]["sequence"] == 1
    assert len(document["hash"]) == 64


def test_show_finds_by_sequence_and_by_id(standing: str) -> None:
    by_sequence = run("show", "1", "--json", url=standing).document
    assert run("show", EVENT_ID, "--json", url=standing).document == by_sequence
    assert by_sequence["event"]["id"] == EVENT_ID
    canonical = run("show", "1", "--canonical", url=standing).out
    assert leaf_hash(canonical.encode()).hex() == by_sequence["hash"]


@pytest.mark.parametrize("what", ["4", "99999999999999999999", OTHER_ID])
def test_what_is_not_recorded_is_not_found(standing: str, what: str) -> None:
    outcome = run("show", what, "--json", url=standing)
    assert "ledger log" in fails(outcome, NOT_FOUND)
    assert (outcome.document["error"], outcome.document["exit_code"]) == ("NotFoundError", NOT_FOUND)


def test_log_follows_until_interrupted(url: str) -> None:
    follower = subprocess.Popen(
        command_line("log", "--follow", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(url),
    )
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["sequence"] == 0
    with Ledger.open(url) as ledger:
        ledger.append([deposit()])
    assert json.loads(follower.stdout.readline())["sequence"] == 1
    follower.send_signal(signal.SIGINT)
    _, said = follower.communicate(timeout=60)
    assert (follower.returncode, said.strip()) == (INTERRUPTED, "interrupted")


def test_log_stops_following_though_a_library_swallowed_the_interruption(url: str) -> None:
    program = """
import os, signal
from ledger.cli import main
from ledger.store.ledger import Ledger

events = Ledger.events

def swallowing(ledger, query):
    yield from events(ledger, query)
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass

Ledger.events = swallowing
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "log", "--follow"],
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (INTERRUPTED, "interrupted")


def test_a_reader_that_leaves_early_is_no_error(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.append([deposit() for _ in range(3000)])
    writer = subprocess.Popen(
        command_line("log"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(url)
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.readline()
    writer.stdout.close()
    assert (writer.stderr.read(), writer.wait(60)) == (b"", OK)
    writer.stderr.close()


# verify


def test_verify_gives_head_root_and_what_was_not_checked(standing: str) -> None:
    outcome = run("verify", "--json", url=standing)
    assert (outcome.code, outcome.err) == (OK, "")
    document = outcome.document
    assert document["schema"] == "ledger.verify/1"
    assert (document["ok"], document["events"], document["failures"]) == (True, 4, [])
    with Ledger.open(standing) as ledger:
        hashes = [event.hash for event in ledger.events()]
    assert document["head"] == {"sequence": 3, "hash": hashes[-1].hex()}
    assert base64.b64decode(document["root_hash"]) == root_hash(hashes)
    assert all(held is True for held in document["checks"].values())
    assert any("checkpoint" in words for words in document["not_checked"])


@pytest.mark.parametrize("sequence", [0, 1, 3])
def test_verify_exits_3_and_names_the_event(url: str, sequence: int) -> None:
    with Ledger.open(url) as ledger:
        ledger.append([deposit(), deposit(), deposit()])
    with unguarded(url) as connection:
        connection.execute(
            "UPDATE events SET canonical = set_byte(canonical, 12, get_byte(canonical, 12) # 1)"
            " WHERE sequence = %s",
            [sequence],
        )
    outcome = run("verify", "--json", url=url)
    assert fails(outcome, BROKEN) == ""
    document = outcome.document
    assert document["ok"] is False
    assert document["failures"][0]["sequence"] == sequence
    assert document["failures"][0].keys() == {"sequence", "check", "expected", "actual"}
    said = run("verify", url=url)
    assert (said.code, "The chain is BROKEN." in said.out) == (BROKEN, True)
    assert f"sequence {sequence}: " in said.out


def test_a_damaged_event_ends_reading_with_3(url: str) -> None:
    with unguarded(url) as connection:
        connection.execute("UPDATE events SET canonical = canonical || ' '::bytea")
    outcome = run("log", "--json", url=url)
    assert "next:  ledger verify" in fails(outcome, BROKEN)
    assert outcome.document["error"] == "RecordUnreadableError"


# usage and environment


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["log", "--bogus"],
        ["log", "--limit", "0"],
        ["log", "--after", "x"],
        ["show"],
        ["append"],
        ["show", "x"],
        ["log", "--type", "Nothing"],
        ["log", "--from", "2026-01-31"],
        ["log", "--from", "2026-01-31T00:00:00"],
        ["log", "--follow", "--newest"],
    ],
)
def test_wrong_words_end_with_2_and_one_document(standing: str, words: list[str]) -> None:
    outcome = run(*words, "--json", url=standing)
    assert fails(outcome, USAGE) != ""
    document = outcome.document
    assert (document["schema"], document["exit_code"]) == ("ledger.error/1", USAGE)
    assert document["message"]


@pytest.mark.parametrize(
    "words", [["log"], ["verify"], ["append", "-"], ["init", "--origin", ORIGIN], ["show", "0"]]
)
def test_a_database_that_is_down_ends_with_4(words: list[str]) -> None:
    outcome = run(*words, "--json", url="postgresql://nobody:secret@127.0.0.1:1/none")
    said = fails(outcome, ENVIRONMENT)
    assert "secret" not in said + outcome.out
    assert "cannot be used" in said
    assert "next:  " in said
    assert outcome.document["error"] == "DatabaseUnavailableError"


def test_a_database_that_does_not_exist_ends_with_4(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        name = connection.info.dbname
    fails(run("log", url=database_url.replace(name, "no_such_database")), ENVIRONMENT)


def test_a_url_of_another_kind_ends_with_2() -> None:
    outcome = run("log", "--database", "mysql://me:secret@host/db")
    assert "secret" not in fails(outcome, USAGE)


def test_the_option_comes_before_the_variable(standing: str) -> None:
    outcome = run(
        "log", "--json", "--limit", "1", "--database", standing, url="postgresql://127.0.0.1:1/none"
    )
    assert (outcome.code, len(outcome.lines)) == (OK, 1)


def test_a_config_file_may_name_the_database(standing: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'database_url = "{standing}"\n')
    assert run("log", "--limit", "1", "--home", str(tmp_path)).code == OK
    (tmp_path / "config.toml").write_text('databse_url = "x"\n')
    said = fails(run("log", "--home", str(tmp_path)), USAGE)
    assert "the key 'databse_url' is not known" in said


@pytest.mark.parametrize("words", [["log"], ["verify"], ["append", "-"], ["show", "0"]])
def test_a_database_without_a_ledger_ends_with_4_and_the_way_out(database_url: str, words: list[str]) -> None:
    said = fails(run(*words, url=database_url, stdin=GOOD), ENVIRONMENT)
    assert "next:  ledger init --origin NAME" in said


@pytest.mark.parametrize("words", [["log"], ["verify"], ["init", "--upgrade"]])
def test_tables_of_a_newer_program_end_with_4_and_the_way_out(url: str, words: list[str]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    said = fails(run(*words, url=url), ENVIRONMENT)
    assert "next:  pip install --upgrade margin-ledger" in said


def test_tables_of_an_older_program_end_with_4_and_the_way_out(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "next:  ledger init --upgrade" in fails(run("verify", url=url), ENVIRONMENT)


def test_a_role_that_may_not_append_is_told(url: str) -> None:
    role = sql.Identifier(f"ledger_test_reader_{os.getpid()}")
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'reader'").format(role))
        given = sql.Identifier(role_name(connection, RoleKind.READER))
        connection.execute(sql.SQL("GRANT {} TO {}").format(given, role))
    try:
        from sqlalchemy import make_url

        reader = make_url(url).set(username=f"ledger_test_reader_{os.getpid()}", password="reader")
        outcome = run("append", "-", url=reader.render_as_string(hide_password=False), stdin=GOOD)
        assert "this role may not append" in fails(outcome, ENVIRONMENT)
        assert newest(url) == 0
    finally:
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_traceback_is_shown_when_it_is_asked_for(standing: str) -> None:
    outcome = run("show", "4", "--debug", url=standing)
    assert (outcome.code, "Traceback" in outcome.err, outcome.out) == (NOT_FOUND, True, "")


def test_help_lists_the_commands() -> None:
    outcome = run("--help")
    assert outcome.code == OK
    assert {"init", "append", "log", "show", "verify", "doctor"} <= set(outcome.out.split())
