#!/usr/bin/env python3
"""Check an evidence bundle (schema ledger.bundle/1) with Python 3.8 or newer and nothing else.

    python3 -I verify.py [--expect-root BASE64] [--expect-head HEX] [FOLDER]

Without FOLDER, the folder that this file is in. Exit code 0: all that was checked holds; 3: something
does not hold; 2: nothing could be checked (wrong arguments, unreadable folder). Memory use is constant.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

LONGEST_LINE = 65 * 1024  # bytes, line end included
LARGEST_MANIFEST = 1024 * 1024
MOST_FAILURES_SHOWN = 20
SCHEMA, FORMAT = "ledger.bundle/1", "margin-ledger/1"
ALWAYS_LISTED = {"events.jsonl", "README.txt", "verify.py"}
NEVER_LISTED = {"manifest.json", "SHA256SUMS"}
MANIFEST_FIELDS = [
    *("events", "files", "first_sequence", "format", "generated_at", "head_hash", "last_sequence"),
    *("not_checked", "not_included", "origin", "program", "root_hash", "schema"),
]
EVENT_FIELDS = {"data", "id", "occurred_at", "schema", "type"}
LINK_FIELDS = ["appended_at", "ledger", "nonce", "prev", "sequence", "writer"]
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
SEQUENCE_AT_END = re.compile(rb'"sequence":([0-9]{1,16}),"writer":"(?:[^"\\]|\\.)*"\}\}\Z')
NOT_CHECKED = [
    "where the log comes from: the bundle carries no signature",
    "whether the events are true and none is missing, and that no id occurs twice",
    "the fields of each type of event (ledger check-bundle checks them)",
    "what tables and other files say (only their hashes are checked)",
]
NOT_COMPARED = "whether this is the log, and all of it: give --expect-root with a root obtained elsewhere"


class Verdict:
    """What does not hold."""

    def __init__(self) -> None:
        self.failures = 0

    def fail(self, place: str, problem: object) -> None:
        """Print a failure, with everything that could confuse a terminal escaped."""
        self.failures += 1
        if self.failures <= MOST_FAILURES_SHOWN:
            text = "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in f"{place}: {problem}")
            print("FAILED", text[:500])

    def same(self, place: str, expected: object, actual: object) -> None:
        """Fail where two values differ."""
        if expected != actual:
            self.fail(place, f"expected {expected}, found {actual}")


class Tree:
    """RFC 9162 Merkle tree hash, kept as the roots of the complete subtrees to the left."""

    def __init__(self) -> None:
        self.size = 0
        self.subtrees: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        size, node = self.size, leaf
        while size & 1:
            node = hashlib.sha256(b"\x01" + self.subtrees.pop() + node).digest()
            size >>= 1
        self.subtrees.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        nodes = self.subtrees[:] or [hashlib.sha256(b"").digest()]
        node = nodes.pop()
        while nodes:
            node = hashlib.sha256(b"\x01" + nodes.pop() + node).digest()
        return node


class Chain:
    """The events so far: each must stand in its place and name the hash of the one before it."""

    def __init__(self, origin: str, verdict: Verdict) -> None:
        self.origin, self.verdict = origin, verdict
        self.head, self.next_sequence, self.latest_time, self.tree = bytes(32), 0, "", Tree()

    def take(self, line: bytes) -> None:
        """Check the next line and go on to the one after it, whatever was found."""
        found = SEQUENCE_AT_END.search(line)
        sequence = int(found.group(1)) if found else self.next_sequence
        place = f"events.jsonl line {self.tree.size + 1}"
        self.verdict.same(place + " sequence", self.next_sequence, sequence)
        try:
            self.check(place, sequence, parse_canonical(line))
        except (ValueError, TypeError, KeyError) as error:
            self.verdict.fail(place, f"not a canonical event: {error!r}")
        self.head = hashlib.sha256(b"\x00" + line).digest()
        self.next_sequence = sequence + 1
        self.tree.append(self.head)

    def check(self, place: str, sequence: int, entry: Any) -> None:
        """Check what an entry says; one of another shape raises TypeError or KeyError."""
        event, link = entry["event"], entry["link"]
        same = self.verdict.same
        same(place + " keys", ["event", "link"], sorted(entry))
        same(place + " link", LINK_FIELDS, sorted(link))
        same(place + " fields missing from event", set(), EVENT_FIELDS - set(event))
        same(place + " sequence", sequence, link["sequence"])
        same(place + " prev", self.head.hex(), link["prev"])
        same(place + " origin", self.origin, link["ledger"])
        if not re.fullmatch("[0-9a-f]{32}", link["nonce"]) or not TIME.fullmatch(link["appended_at"]):
            self.verdict.fail(place, "nonce or appended_at is out of form")
        if link["appended_at"] < self.latest_time:
            self.verdict.fail(place, f"appended_at runs backwards to {link['appended_at']}")
        self.latest_time = link["appended_at"]
        if self.tree.size == 0:
            same(place, ("LedgerOpened", FORMAT), (event["type"], event["data"]["format"]))


def parse_canonical(data: bytes) -> Any:
    """Read JSON that must be in canonical form (RFC 8785, ASCII keys, integers below 2^53, no floats)."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs) or not all(key.isascii() for key, _ in pairs):
            raise ValueError("a key occurs twice in one object, or is not ASCII")
        return dict(pairs)

    def integer(text: str) -> int:
        if len(text) > 17 or abs(int(text)) >= 2**53:
            raise ValueError("an integer is not below 2^53")
        return int(text)

    def refuse(text: str) -> None:
        raise ValueError(f"the number {text[:40]} is not an integer")

    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=unique,
            parse_int=integer,
            parse_float=refuse,
            parse_constant=refuse,
        )
        canonical = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
            "utf-8"
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if canonical != data:
        raise ValueError("not in canonical form")
    return value


def read_manifest(folder: Path) -> Any:
    """Read manifest.json; raise ValueError, TypeError or KeyError if it is not a manifest."""
    path = folder / "manifest.json"
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is missing, or not a regular file")
    with path.open("rb") as file:
        manifest = parse_canonical(file.read(LARGEST_MANIFEST))
    if (manifest["schema"], manifest["format"], sorted(manifest)) != (SCHEMA, FORMAT, MANIFEST_FIELDS):
        raise ValueError(f"it is not of schema {SCHEMA} and format {FORMAT}, or has other fields")
    names = []
    for item in manifest["files"]:
        if sorted(item) != ["bytes", "description", "name", "sha256"] or not FILE_NAME.fullmatch(
            item["name"]
        ):
            raise ValueError(f"a file has other fields, or a name that is not allowed: {item}")
        names.append(item["name"])
    if names != sorted(set(names)) or ALWAYS_LISTED - set(names) or NEVER_LISTED & set(names):
        raise ValueError("files are not in order, or one is missing from them or must not be among them")
    return manifest


def check_files(folder: Path, manifest: Any, verdict: Verdict) -> None:
    """Check that the listed files are there, and nothing else, and that SHA256SUMS says the same."""
    listed = {item["name"]: item for item in manifest["files"]}
    present = regular_files(folder, {name.split("/")[0] for name in listed if "/" in name}, verdict)
    for name in sorted(present - set(listed) - NEVER_LISTED):
        verdict.fail(name, "is not listed in the manifest")
    sums = {"manifest.json": hash_file(folder / "manifest.json")[0]}
    for name, item in listed.items():
        sums[name] = item["sha256"]
        if name in present:
            verdict.same(name, (item["sha256"], item["bytes"]), hash_file(folder / name))
        else:
            verdict.fail(name, "is missing, or not a regular file")
    expected = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    found = b""
    if "SHA256SUMS" in present:
        with (folder / "SHA256SUMS").open("rb") as file:
            found = file.read(len(expected) + 1)
    if found != expected:
        verdict.fail("SHA256SUMS", "is missing, or does not say what the manifest says")


def regular_files(folder: Path, folders_wanted: set[str], verdict: Verdict) -> set[str]:
    """Return the names of the regular files below a folder; fail for everything else that is there."""
    present = set()
    for place, folders, files in os.walk(str(folder), onerror=stop):
        for name in folders + files:
            path = Path(place) / name
            relative = path.relative_to(folder).as_posix()
            if path.is_file() and not path.is_symlink():
                present.add(relative)
            elif path.is_symlink() or not path.is_dir() or relative not in folders_wanted:
                verdict.fail(relative, "does not belong in a bundle")
    return present


def stop(error: OSError) -> None:
    """Pass on what os.walk would swallow."""
    raise error


def hash_file(path: Path) -> tuple[str, int]:
    """Return a file's SHA-256 and length."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def check_events(path: Path, chain: Chain, verdict: Verdict) -> None:
    """Check every line; a line that is too long is taken in pieces, each of which fails."""
    if path.is_symlink() or not path.is_file():
        return  # check_files has said so
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(LONGEST_LINE), b""):
            if not line.endswith(b"\n"):
                verdict.fail(
                    "events.jsonl", f"a line is longer than {LONGEST_LINE} bytes, or has no line end"
                )
            chain.take(line[:-1] if line.endswith(b"\n") else line)


def check(folder: Path, expected_root: str | None, expected_head: str | None) -> int:
    """Check a bundle, print the verdict and return the exit code."""
    verdict = Verdict()
    try:
        manifest = read_manifest(folder)
    except (ValueError, TypeError, KeyError) as error:
        verdict.fail("manifest.json", repr(error))
        return 3
    check_files(folder, manifest, verdict)
    chain = Chain(manifest["origin"], verdict)
    check_events(folder / "events.jsonl", chain, verdict)
    count, root = chain.tree.size, base64.b64encode(chain.tree.root()).decode()
    stated = (manifest["events"], manifest["first_sequence"], manifest["last_sequence"])
    verdict.same("manifest.json events, first and last sequence", stated, (count, 0, count - 1))
    verdict.same("manifest.json head_hash", manifest["head_hash"], chain.head.hex())
    verdict.same("manifest.json root_hash", manifest["root_hash"], root)
    verdict.same("--expect-root", root if expected_root is None else expected_root, root)
    verdict.same(
        "--expect-head", chain.head.hex() if expected_head is None else expected_head, chain.head.hex()
    )
    print(f"{manifest['origin']!a}: {count} events\nhead hash  {chain.head.hex()}\ntree root  {root}")
    compared = expected_root is not None or expected_head is not None
    for text in NOT_CHECKED if compared else [NOT_COMPARED, *NOT_CHECKED]:
        print("not checked:", text)
    print(f"{verdict.failures} FAILURES" if verdict.failures else "All that was checked holds.")
    return 3 if verdict.failures else 0


def main() -> int:
    """Read the arguments and check the folder."""
    parser = argparse.ArgumentParser(description="Check an evidence bundle.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--expect-root", metavar="BASE64", help="tree root obtained elsewhere")
    parser.add_argument("--expect-head", metavar="HEX", help="head hash obtained elsewhere")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is not a folder")
    try:
        return check(arguments.folder, arguments.expect_root, arguments.expect_head)
    except OSError as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
