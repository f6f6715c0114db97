"""Bundles for the tests: events to fill a ledger, tables, a forger who fixes up every hash, both checkers."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.canonical import encode, leaf_hash
from ledger.chain import FORMAT, ZERO_HASH, Sealer
from ledger.events.envelope import Draft, prepare
from ledger.export.bundle import verifier_source
from ledger.export.check import check_bundle
from ledger.export.manifest import BundleFile, Manifest, Program
from ledger.merkle import root_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.canonical import JsonValue
    from ledger.events.envelope import Event
    from ledger.report import BundleReport

ORIGIN = "demo.example/export"
MORNING = datetime(2026, 1, 31, 9, tzinfo=UTC)
VERIFIER = Path(__file__).resolve().parents[2] / "ledger" / "export" / "verify.py"


def opening() -> Draft:
    return _draft(
        0, "LedgerOpened", ledger=ORIGIN, format=FORMAT, description="tests", valuation_currency="USD"
    )


def venue_events(count: int) -> list[Draft]:
    """Deposits and fills of a few accounts."""
    return [
        _draft(number, "DepositRecorded", account=f"A{number % 7}", asset="USD", amount=f"{number}.25")
        if number % 3
        else _draft(
            number,
            "FillRecorded",
            account=f"A{number % 7}",
            instrument="BTC-PERP",
            side="sell",
            quantity=f"{number}",
            price="30000.5",
            purpose="trade",
        )
        for number in range(1, count + 1)
    ]


def _draft(number: int, event_type: str, **data: str) -> Draft:
    at = MORNING + timedelta(seconds=number)
    event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"test event {number}"))
    return Draft.from_json(
        {"type": event_type, "id": event_id, "occurred_at": at.isoformat(), "data": dict(data)}
    )


def sealed_lines(events: Iterable[bytes], origin: str = ORIGIN) -> list[bytes]:
    """Give ``event`` objects their links, as a ledger of this origin would."""
    sealer = Sealer(origin, "writer", MORNING, 0, ZERO_HASH)
    return [sealer.seal(event, bytes([number % 256]) * 16)[0] for number, event in enumerate(events)]


def sealed_venue(count: int) -> list[bytes]:
    """Lines of a ledger with ``count`` events."""
    drafts = [opening(), *venue_events(count - 1)]
    return sealed_lines(prepare(draft, draft.id or uuid.UUID(int=0)).event_bytes for draft in drafts)


def write_bundle(folder: Path, lines: Sequence[bytes], origin: str = ORIGIN) -> Path:
    """Write a bundle in which every hash agrees, whatever the lines are."""
    folder.mkdir()
    (folder / "tables").mkdir()
    (folder / "README.txt").write_text("A bundle of the tests.\n", encoding="utf-8")
    (folder / "verify.py").write_bytes(verifier_source())
    (folder / "tables" / "deposits.csv").write_text("account,deposits\nA1,3\n", encoding="utf-8")
    (folder / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    reseal(folder, origin)
    return folder


def reseal(folder: Path, origin: str = ORIGIN) -> None:
    """Do what a forger does last: make manifest and checksums agree with what is in the folder."""
    leaves = [leaf_hash(line) for line in (folder / "events.jsonl").read_bytes().split(b"\n")[:-1]]
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"manifest.json", "SHA256SUMS"}
    )
    manifest = Manifest(
        schema_name="ledger.bundle/1",
        origin=origin,
        format=FORMAT,
        events=len(leaves),
        first_sequence=0,
        last_sequence=len(leaves) - 1,
        head_hash=leaves[-1].hex(),
        root_hash=base64.b64encode(root_hash(leaves)).decode("ascii"),
        generated_at=MORNING,
        program=Program(name="margin-ledger", version="0"),
        files=[_described(folder, name) for name in names],
        not_included=[],
        not_checked=[],
    )
    write_manifest(folder, manifest.encode())


def _described(folder: Path, name: str) -> BundleFile:
    data = (folder / name).read_bytes()
    return BundleFile(
        name=name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), description=""
    )


def write_manifest(folder: Path, data: bytes) -> None:
    """Write a manifest and the checksums that follow from it."""
    (folder / "manifest.json").write_bytes(data)
    hashes = {file["name"]: file["sha256"] for file in json.loads(data)["files"]}
    hashes["manifest.json"] = hashlib.sha256(data).hexdigest()
    text = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    (folder / "SHA256SUMS").write_text(text, encoding="utf-8")


def edit_manifest(folder: Path, **changes: JsonValue) -> None:
    """Change fields of the manifest and make the checksums agree."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    write_manifest(folder, encode({**manifest, **changes}))


def copy_bundle(bundle: Path, target: Path) -> Path:
    shutil.copytree(bundle, target)
    return target


def flip_byte(path: Path, place: int) -> None:
    """Change one bit of one byte; a negative place counts from the end."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0x01
    path.write_bytes(bytes(data))


@dataclass(frozen=True)
class ScriptResult:
    """What ``verify.py`` did."""

    exit_code: int
    output: str


def run_script(folder: Path, *arguments: str) -> ScriptResult:
    """Run our ``verify.py``, not the bundle's, as somebody without the package does."""
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *arguments, str(folder)],
        capture_output=True,
        check=False,
        timeout=60,
        env={"LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    assert not done.stderr, done.stderr.decode()
    return ScriptResult(done.returncode, done.stdout.decode("ascii"))


def agreed_verdict(folder: Path, *, root: str | None = None, head: str | None = None) -> BundleReport:
    """Check with the package and with the script, and insist that they come to the same conclusion."""
    report = check_bundle(folder, expected_root=root, expected_head=head)
    options = [*(["--expect-root", root] if root else []), *(["--expect-head", head] if head else [])]
    result = run_script(folder, *options)
    assert result.exit_code == (0 if report.ok else 3), (report.failures, result.output)
    return report


class DepositCounts:
    """An export table: deposits of each account."""

    name = "deposits"
    description = "One row an account that had deposits"
    header: tuple[str, ...] = ("account", "deposits")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.sequences: list[int] = []

    def take(self, event: Event) -> None:
        self.sequences.append(event.sequence)
        if event.type == "DepositRecorded":
            account = str(event.data.json_value()["account"])
            self._counts[account] = self._counts.get(account, 0) + 1

    def rows(self) -> Iterator[tuple[str, str]]:
        for account in sorted(self._counts):
            yield account, str(self._counts[account])
