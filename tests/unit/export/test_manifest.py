from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import encode
from ledger.errors import InvalidInputError
from ledger.export.manifest import parse_manifest
from tests.support.bundles import sealed_venue, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import JsonObject, JsonValue


@pytest.fixture
def manifest_bytes(tmp_path: Path) -> bytes:
    return (write_bundle(tmp_path / "bundle", sealed_venue(3)) / "manifest.json").read_bytes()


def changed(data: bytes, **changes: JsonValue) -> bytes:
    return encode({**json.loads(data), **changes})


def file_named(name: str) -> JsonObject:
    return {"bytes": 0, "description": "", "name": name, "sha256": "0" * 64}


def files_with(data: bytes, name: str) -> list[JsonValue]:
    listed = [*json.loads(data)["files"], file_named(name)]
    return sorted(listed, key=lambda file: str(file["name"]))


def test_a_manifest_is_its_own_bytes_again(manifest_bytes: bytes) -> None:
    assert parse_manifest(manifest_bytes).encode() == manifest_bytes


def test_checksums_list_every_other_file_once_and_sorted(manifest_bytes: bytes) -> None:
    lines = parse_manifest(manifest_bytes).checksums().decode().splitlines()
    names = [line.split("  ")[1] for line in lines]
    assert names == ["README.txt", "events.jsonl", "manifest.json", "tables/deposits.csv", "verify.py"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "tables/../../outside",
        "tables/",
        ".hidden",
        "a/b/c",
        "a\\b",
        "a b",
        "a\n",
        "",
        "manifest.json",
        "SHA256SUMS",
        "events.jsonl",
    ],
)
def test_a_file_name_that_leads_elsewhere_or_is_taken_is_refused(manifest_bytes: bytes, name: str) -> None:
    with pytest.raises(InvalidInputError, match="files"):
        parse_manifest(changed(manifest_bytes, files=files_with(manifest_bytes, name)))


def test_files_out_of_order_are_refused(manifest_bytes: bytes) -> None:
    files = json.loads(manifest_bytes)["files"][::-1]
    with pytest.raises(InvalidInputError, match="not sorted"):
        parse_manifest(changed(manifest_bytes, files=files))


@pytest.mark.parametrize("name", ["events.jsonl", "README.txt", "verify.py"])
def test_a_file_that_every_bundle_has_must_be_listed(manifest_bytes: bytes, name: str) -> None:
    files = [file for file in json.loads(manifest_bytes)["files"] if file["name"] != name]
    with pytest.raises(InvalidInputError, match=f"{name} is not listed"):
        parse_manifest(changed(manifest_bytes, files=files))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema": "ledger.bundle/2"}, "ledger.bundle/2"),
        ({"format": "margin-ledger/2"}, "margin-ledger/2"),
        ({"query": "account/A1"}, "query"),
        ({"events": 4}, "4 events cannot have the sequences 0 to 2"),
        ({"first_sequence": 1}, "cannot have the sequences"),
        ({"events": 0, "last_sequence": 0}, "cannot have the sequences"),
        ({"events": "3"}, "events"),
        ({"head_hash": "0" * 63}, "head_hash"),
        ({"root_hash": "AAAA"}, "root_hash"),
        ({"generated_at": "2026-01-31T09:00:00Z"}, "canonical form"),
        ({"origin": "two words"}, "origin"),
    ],
)
def test_what_is_not_this_schema_to_the_letter_is_refused(
    manifest_bytes: bytes, changes: JsonObject, problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        parse_manifest(changed(manifest_bytes, **changes))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{}", b'{"schema":"ledger.bundle/1"}', b"\xff", b"\xef\xbb\xbf{}"]
)
def test_what_is_no_manifest_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        parse_manifest(data)


def test_white_space_around_a_manifest_is_refused(manifest_bytes: bytes) -> None:
    with pytest.raises(InvalidInputError, match="canonical form"):
        parse_manifest(manifest_bytes + b"\n")
