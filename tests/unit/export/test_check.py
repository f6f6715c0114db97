"""What a stranger may have done to a bundle; the package and ``verify.py`` must both find it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from ledger.canonical import JsonObject, decode, encode
from ledger.errors import EnvironmentFaultError, InvalidInputError, NotFoundError
from ledger.export.check import check_bundle
from tests.support.bundles import (
    ORIGIN,
    agreed_verdict,
    copy_bundle,
    edit_manifest,
    flip_byte,
    reseal,
    run_script,
    sealed_lines,
    sealed_venue,
    write_bundle,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger.report import BundleReport

EVENTS = 23


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("intact") / "bundle", sealed_venue(EVENTS))


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return copy_bundle(intact, tmp_path / "bundle")


def lines_of(bundle: Path) -> list[bytes]:
    return (bundle / "events.jsonl").read_bytes().split(b"\n")[:-1]


def write_lines(bundle: Path, lines: list[bytes]) -> None:
    (bundle / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def failed_checks(report: BundleReport) -> set[str]:
    return {name for name, held in report.checks.items() if not held}


def test_an_intact_bundle_holds_and_says_what_was_not_checked(bundle: Path) -> None:
    report = agreed_verdict(bundle)
    assert report.ok
    assert (report.origin, report.events, report.head_sequence) == (ORIGIN, EVENTS, EVENTS - 1)
    assert set(report.checks) == {
        *("manifest", "files", "checksums", "totals", "head", "root"),
        *("well_formed", "sequence", "link", "origin", "time_order", "opening"),
    }
    assert all(report.checks.values())
    assert any("--expect-root" in text for text in report.not_checked)
    assert any("tables were not rebuilt from the events" in text for text in report.not_checked)
    assert report.warnings == []


def test_the_verdict_is_a_json_document(bundle: Path) -> None:
    flip_byte(bundle / "events.jsonl", 700)
    report = check_bundle(bundle)
    document = json.loads(json.dumps(report.document()))
    assert document["schema"] == "ledger.check-bundle/1"
    assert document["ok"] is False
    assert document["failure_count"] == len(document["failures"]) == report.failure_count
    assert document["failures"][0].keys() == {"sequence", "check", "expected", "actual", "file"}
    assert document["head"] == {"sequence": EVENTS - 1, "hash": report.head_hash.hex()}


# What somebody does who changes a file and nothing else.


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("events.jsonl", "files"),
        ("tables/deposits.csv", "files"),
        ("README.txt", "files"),
        ("verify.py", "files"),
        ("SHA256SUMS", "checksums"),
    ],
)
@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_changed_byte_is_found_in_every_file(bundle: Path, name: str, check: str, place: int) -> None:
    flip_byte(bundle / name, place)
    report = agreed_verdict(bundle)
    assert check in failed_checks(report)
    assert name in {failure.file for failure in report.failures}


def test_a_changed_byte_is_found_everywhere_in_the_manifest(intact: Path, tmp_path: Path) -> None:
    size = (intact / "manifest.json").stat().st_size
    for place in range(0, size, size // 12):
        bundle = copy_bundle(intact, tmp_path / f"bundle{place}")
        flip_byte(bundle / "manifest.json", place)
        assert failed_checks(agreed_verdict(bundle)) & {"manifest", "checksums"}, place


@pytest.mark.parametrize("name", ["events.jsonl", "manifest.json", "SHA256SUMS", "README.txt", "verify.py"])
def test_a_missing_file_is_a_failure(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    report = agreed_verdict(bundle)
    assert any(failure.file == name and failure.actual == "nothing" for failure in report.failures)


@pytest.mark.parametrize(
    "name", ["notes.txt", "tables/more.csv", ".hidden", "json.py", "tables/x/y", "odd\x1b[31m\n"]
)
def test_a_file_that_is_not_listed_is_a_failure(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("extra", encoding="utf-8")
    report = agreed_verdict(bundle)
    assert failed_checks(report) == {"files"}
    assert all(str(failure.file).isprintable() for failure in report.failures)


def test_a_file_name_that_is_not_utf8_is_a_failure_that_can_be_printed(bundle: Path) -> None:
    with open(os.fsencode(bundle) + b"/\xff\xfe", "wb"):  # noqa: PTH123 (bytes)
        pass
    report = agreed_verdict(bundle)
    assert failed_checks(report) == {"files"}
    json.dumps(report.document(), ensure_ascii=False).encode("utf-8")


def link_file(bundle: Path, name: str) -> None:
    (bundle / name).rename(bundle.parent / "elsewhere")
    (bundle / name).symlink_to(bundle.parent / "elsewhere")


@pytest.mark.parametrize(
    "name", ["events.jsonl", "manifest.json", "SHA256SUMS", "tables/deposits.csv", "tables"]
)
def test_a_symbolic_link_is_not_followed(bundle: Path, name: str) -> None:
    link_file(bundle, name)
    report = agreed_verdict(bundle)
    assert any(failure.actual == "a symbolic link" for failure in report.failures), report.failures


@pytest.mark.parametrize("name", ["events.jsonl", "manifest.json", "README.txt", "extra"])
def test_a_pipe_is_not_waited_for(bundle: Path, name: str) -> None:
    (bundle / name).unlink(missing_ok=True)
    os.mkfifo(bundle / name)
    assert not agreed_verdict(bundle).ok


def test_a_folder_in_the_place_of_a_file_is_a_failure(bundle: Path) -> None:
    (bundle / "README.txt").unlink()
    (bundle / "README.txt").mkdir()
    assert failed_checks(agreed_verdict(bundle)) == {"files"}


def test_a_manifest_that_is_far_too_long_is_refused(bundle: Path) -> None:
    with (bundle / "manifest.json").open("ab") as file:
        file.write(b" " * (2 << 20))
    assert "manifest" in failed_checks(agreed_verdict(bundle))


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hostname", "tables/../../outside.txt"])
def test_a_manifest_that_points_outside_is_refused_and_nothing_there_is_read(bundle: Path, name: str) -> None:
    (bundle.parent / "outside.txt").write_text("", encoding="utf-8")
    files: list[Any] = json.loads((bundle / "manifest.json").read_bytes())["files"]
    files.append({"bytes": 0, "description": "", "name": name, "sha256": "0" * 64})
    files.sort(key=lambda file: str(file["name"]))
    edit_manifest(bundle, files=files)
    report = agreed_verdict(bundle)
    assert failed_checks(report) == {"manifest"}
    assert report.events == EVENTS


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"events": EVENTS + 1, "last_sequence": EVENTS}, "totals"),
        ({"head_hash": "0" * 64}, "head"),
        ({"root_hash": "A" * 43 + "="}, "root"),
        ({"origin": "other.example/log"}, "origin"),
        ({"query": "a field of the future"}, "manifest"),
        ({"schema": "ledger.bundle/2"}, "manifest"),
    ],
)
def test_a_manifest_that_states_something_else_is_refused(
    bundle: Path, changes: JsonObject, check: str
) -> None:
    edit_manifest(bundle, **changes)
    assert check in failed_checks(agreed_verdict(bundle))


def test_the_bundles_own_verifier_is_not_run_and_a_foreign_one_is_told(bundle: Path) -> None:
    (bundle / "verify.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    reseal(bundle)
    report = agreed_verdict(bundle)
    assert report.ok
    assert "verify.py is not the one that this program puts into bundles" in report.warnings[0]


def test_a_file_that_this_program_does_not_know_is_hash_checked_and_said_so(bundle: Path) -> None:
    (bundle / "checkpoint.txt").write_text("from a later version\n", encoding="utf-8")
    reseal(bundle)
    report = agreed_verdict(bundle)
    assert report.ok
    assert any(text.startswith("checkpoint.txt: ") for text in report.not_checked)


# What a forger does who fixes every hash in manifest and checksums: only the chain itself speaks.


def change_amount(lines: list[bytes]) -> list[bytes]:
    assert b'"amount":"5.25"' in lines[5]
    return [*lines[:5], lines[5].replace(b'"amount":"5.25"', b'"amount":"6.25"'), *lines[6:]]


def change_nonce(lines: list[bytes]) -> list[bytes]:
    return [*lines[:5], lines[5].replace(b'"nonce":"05', b'"nonce":"06'), *lines[6:]]


def edited(line: bytes, edit: Callable[[Any], None]) -> bytes:
    value = decode(line)
    edit(value)
    return encode(value)


FORGERIES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str, int]] = {
    "amount": (change_amount, "link", 5),
    "nonce": (change_nonce, "link", 5),
    "deleted": (lambda lines: lines[:5] + lines[6:], "sequence", 5),
    "first deleted": (lambda lines: lines[1:], "sequence", 0),
    "twice": (lambda lines: [*lines[:6], *lines[5:]], "sequence", 5),
    "swapped": (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "sequence", 5),
    "empty line": (lambda lines: [*lines[:5], b"", *lines[5:]], "well_formed", 5),
    "float": (lambda lines: [*lines[:5], lines[5].replace(b'"5.25"', b"5.25"), *lines[6:]], "well_formed", 5),
    "exponent": (
        lambda lines: [*lines[:5], lines[5].replace(b'"5.25"', b"5e2"), *lines[6:]],
        "well_formed",
        5,
    ),
    "not a number": (
        lambda lines: [*lines[:5], lines[5].replace(b'"5.25"', b"NaN"), *lines[6:]],
        "well_formed",
        5,
    ),
    "endless number": (
        lambda lines: [*lines[:5], lines[5].replace(b'"5.25"', b"9" * 5000), *lines[6:]],
        "well_formed",
        5,
    ),
    "duplicate key": (
        lambda lines: [*lines[:5], lines[5].replace(b'"asset":', b'"account":"A1","asset":'), *lines[6:]],
        "well_formed",
        5,
    ),
    "white space": (
        lambda lines: [*lines[:5], lines[5].replace(b":{", b": {", 1), *lines[6:]],
        "well_formed",
        5,
    ),
    "escaped letter": (
        lambda lines: [*lines[:5], lines[5].replace(b"USD", b"\\u0055SD"), *lines[6:]],
        "well_formed",
        5,
    ),
    "lone surrogate": (
        lambda lines: [*lines[:5], lines[5].replace(b"USD", b"\\ud800"), *lines[6:]],
        "well_formed",
        5,
    ),
    "not UTF-8": (
        lambda lines: [*lines[:5], lines[5].replace(b"USD", b"\xff"), *lines[6:]],
        "well_formed",
        5,
    ),
    "carriage return": (lambda lines: [line + b"\r" for line in lines], "well_formed", 0),
    "byte order mark": (lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]], "well_formed", 0),
    "deep": (lambda lines: [*lines[:5], b"[" * 60_000, *lines[6:]], "well_formed", 5),
    "not an object": (lambda lines: [*lines[:5], b"[]", *lines[6:]], "well_formed", 5),
    "no link": (lambda lines: [*lines[:5], b'{"event":{}}', *lines[6:]], "well_formed", 5),
    "link is text": (lambda lines: [*lines[:5], b'{"event":{},"link":"x"}', *lines[6:]], "well_formed", 5),
    "white space in the last": (
        lambda lines: [*lines[:-1], lines[-1].replace(b":{", b": {", 1)],
        "well_formed",
        EVENTS - 1,
    ),
    "order of keys in the last": (
        lambda lines: [*lines[:-1], json.dumps(dict(reversed(json.loads(lines[-1]).items()))).encode()],
        "well_formed",
        EVENTS - 1,
    ),
    "duplicate key in the last": (
        lambda lines: [*lines[:-1], lines[-1].replace(b'"account":', b'"account":"A1","account":')],
        "well_formed",
        EVENTS - 1,
    ),
    "third key": (
        lambda lines: [*lines[:-1], edited(lines[-1], lambda value: value.update(note="x"))],
        "well_formed",
        EVENTS - 1,
    ),
    "unknown link field": (
        lambda lines: [*lines[:-1], edited(lines[-1], lambda value: value["link"].update(extra="x"))],
        "well_formed",
        EVENTS - 1,
    ),
    "no id": (
        lambda lines: [*lines[:-1], edited(lines[-1], lambda value: value["event"].pop("id"))],
        "well_formed",
        EVENTS - 1,
    ),
    "sequence as text": (
        lambda lines: [
            *lines[:-1],
            edited(lines[-1], lambda value: value["link"].update(sequence=str(EVENTS - 1))),
        ],
        "well_formed",
        EVENTS - 1,
    ),
    "other origin at the end": (
        lambda lines: [*lines[:-1], edited(lines[-1], lambda value: value["link"].update(ledger="x/y"))],
        "origin",
        EVENTS - 1,
    ),
    "time runs backwards": (
        lambda lines: [
            *lines[:-1],
            edited(lines[-1], lambda value: value["link"].update(appended_at="2026-01-31T08:59:59.999999Z")),
        ],
        "time_order",
        EVENTS - 1,
    ),
    "prev of the last": (
        lambda lines: [*lines[:-1], edited(lines[-1], lambda value: value["link"].update(prev="0" * 64))],
        "link",
        EVENTS - 2,
    ),
    "overlong line": (lambda lines: [*lines[:5], b'"' + b"x" * 200_000 + b'"', *lines[6:]], "well_formed", 5),
    "another log's opening": (
        lambda lines: sealed_lines(line[len(b'{"event":') : line.rindex(b',"link":')] for line in lines[1:]),
        "opening",
        0,
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forger_who_fixes_manifest_and_checksums_is_found(bundle: Path, forgery: str) -> None:
    forge, check, sequence = FORGERIES[forgery]
    before = lines_of(bundle)
    after = forge(list(before))
    assert after != before
    write_lines(bundle, after)
    reseal(bundle)
    report = agreed_verdict(bundle)
    assert check in failed_checks(report), report.failures
    assert min(f.sequence for f in report.failures if f.check == check and f.sequence is not None) == sequence
    assert {failure.file for failure in report.failures} == {"events.jsonl"}


def test_a_last_line_without_line_end_is_a_failure(bundle: Path) -> None:
    path = bundle / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    report = agreed_verdict(bundle)
    assert {"well_formed", "files"} <= failed_checks(report)


def test_a_gigantic_line_is_read_in_bounded_memory(bundle: Path) -> None:
    import tracemalloc

    with (bundle / "events.jsonl").open("ab") as file:
        for _ in range(24):
            file.write(b"x" * (1 << 20))
    tracemalloc.start()
    try:
        report = check_bundle(bundle)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "well_formed" in failed_checks(report)
    assert peak < 12 << 20, f"{peak} bytes at the most"


def test_an_empty_log_is_no_bundle(bundle: Path) -> None:
    (bundle / "events.jsonl").write_bytes(b"")
    assert {"files", "totals", "head", "root"} <= failed_checks(agreed_verdict(bundle))


# What no bundle can show by itself.


def test_a_cut_tail_with_everything_fixed_up_shows_only_against_a_root_from_elsewhere(bundle: Path) -> None:
    whole = check_bundle(bundle).document()
    write_lines(bundle, lines_of(bundle)[:-3])
    reseal(bundle)
    alone = agreed_verdict(bundle)
    assert alone.ok
    assert any("cut off" in text for text in alone.not_checked)
    by_root = agreed_verdict(bundle, root=whole["root_hash"])
    assert failed_checks(by_root) == {"expected_root"}
    by_head = agreed_verdict(bundle, head=whole["head"]["hash"])
    assert failed_checks(by_head) == {"expected_head"}
    assert not any("cut off" in text for text in by_head.not_checked)


def test_the_right_root_and_head_from_elsewhere_are_checks_that_hold(bundle: Path) -> None:
    document = check_bundle(bundle).document()
    report = agreed_verdict(bundle, root=document["root_hash"], head=document["head"]["hash"])
    assert report.ok
    assert report.checks["expected_root"]
    assert report.checks["expected_head"]


def test_fields_of_an_event_type_are_checked_by_the_package_alone(bundle: Path) -> None:
    lines = [*lines_of(bundle)[:-1]]
    last = edited(lines_of(bundle)[-1], lambda value: value["event"]["data"].update(surprise="x"))
    write_lines(bundle, [*lines, last])
    reseal(bundle)
    report = check_bundle(bundle)
    assert failed_checks(report) == {"well_formed"}
    assert "surprise" in report.failures[0].actual
    result = run_script(bundle)
    assert result.exit_code == 0
    assert "not checked: the fields of each type of event" in result.output


def test_an_event_type_of_the_future_is_said_to_be_unchecked(bundle: Path) -> None:
    lines = lines_of(bundle)
    lines[-1] = edited(lines[-1], lambda value: value["event"].update(type="Tele\u202eported"))
    write_lines(bundle, lines)
    reseal(bundle)
    report = agreed_verdict(bundle)
    assert report.ok
    assert (
        "the fields of 1 events of type Tele\\u202eported, which this program does not know"
        in report.not_checked
    )


# Calling it wrongly.


def test_a_folder_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no folder"):
        check_bundle(tmp_path / "nothing")


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    report = agreed_verdict(tmp_path)
    assert report.checks["manifest"] is False
    assert "root" not in report.checks
    assert any("no manifest" in text for text in report.not_checked)


@pytest.mark.parametrize("root", ["", "AAAA", "A" * 44, "é" * 44, "A" * 42 + "B=", "0" * 64])
def test_an_expected_root_that_is_no_root_is_refused(bundle: Path, root: str) -> None:
    with pytest.raises(InvalidInputError, match="not a root hash"):
        check_bundle(bundle, expected_root=root)


@pytest.mark.parametrize("head", ["", "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_an_expected_head_that_is_no_hash_is_refused(bundle: Path, head: str) -> None:
    with pytest.raises(InvalidInputError, match="not a hash"):
        check_bundle(bundle, expected_head=head)


@pytest.mark.parametrize("option", ["--expect-root", "--expect-head"])
def test_an_empty_expectation_does_not_pass_the_script(bundle: Path, option: str) -> None:
    assert run_script(bundle, option, "").exit_code == 3


def test_a_file_that_the_system_refuses_to_read_is_an_error_and_no_verdict(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def refusing(path: Path, flags: int) -> int:
        if path.name == "README.txt":
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags)

    monkeypatch.setattr("ledger.export.files.os.open", refusing)
    with pytest.raises(EnvironmentFaultError, match=r"README\.txt cannot be read: Permission denied"):
        check_bundle(bundle)


def test_failures_beyond_a_hundred_are_counted(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", sealed_venue(150))
    write_lines(bundle, [line + b" " for line in lines_of(bundle)])
    report = check_bundle(bundle)
    assert len(report.failures) == 100
    assert report.failure_count >= 150
    shutil.rmtree(bundle)
