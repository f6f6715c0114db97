"""Exporting a ledger as an evidence bundle: one pass over the events, one moment, memory flat."""

from __future__ import annotations

import base64
import hashlib
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ledger.canonical import leaf_hash
from ledger.chain import FORMAT, ZERO_HASH, decode_event, parse_entry
from ledger.clock import SystemClock, format_time
from ledger.errors import (
    ChainBrokenError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    RecordUnreadableError,
)
from ledger.export.manifest import (
    CHECKSUMS_FILE,
    EVENTS_FILE,
    MANIFEST_FILE,
    README_FILE,
    SCHEMA,
    TABLES_FOLDER,
    VERIFIER_FILE,
    BundleFile,
    Manifest,
    Program,
    program_version,
)
from ledger.export.readme import readme
from ledger.export.signature import bundle_origin, check_bundle_signature, sign_bundle
from ledger.export.tables import LooksUpEvents, check_names, description_of, feed, write_csv
from ledger.export.writing import PendingBundle
from ledger.merkle import MerkleFrontier
from ledger.progress import SILENT, Progress
from ledger.store.read import EventQuery, read_entries
from ledger.store.schema import events, ledger_head

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from ledger.chain import Link
    from ledger.checkpoint import SigningKey
    from ledger.clock import Clock
    from ledger.events.envelope import Event
    from ledger.export.tables import ExportTable
    from ledger.export.writing import HashingFile
    from ledger.store.ledger import Ledger

NOT_CHECKED_BY_A_BUNDLE = (
    "where the log comes from: no signature or checkpoint is in this bundle, so it proves only that it "
    "agrees with itself; compare its root or head hash with one obtained elsewhere",
    "whether the events are true and none is missing: that is reconciliation with their sources",
    "whether the tables follow from the events: their hashes are checked, they are not computed again",
)
"""What the manifest says that no check of the bundle alone can tell."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A bundle that was written.

    Attributes:
        directory: where it is, absolute.
        manifest: what it holds.
        manifest_sha256: hash of ``manifest.json``, which covers every other file but ``SHA256SUMS``.
        signature: the signature beside the folder, or None for a bundle that is not signed.
    """

    directory: Path
    manifest: Manifest
    manifest_sha256: str
    signature: Path | None = None

    def document(self) -> dict[str, Any]:
        """Return the result as the JSON document ``ledger.export/1``."""
        manifest = self.manifest
        return {
            "schema": "ledger.export/1",
            "directory": str(self.directory),
            "origin": manifest.origin,
            "events": manifest.events,
            "first_sequence": manifest.first_sequence,
            "head": {"sequence": manifest.last_sequence, "hash": manifest.head_hash},
            "root_hash": manifest.root_hash,
            "generated_at": format_time(manifest.generated_at),
            "manifest_sha256": self.manifest_sha256,
            "signature": None if self.signature is None else str(self.signature),
            "files": [
                {
                    "name": file.name,
                    "sha256": file.sha256,
                    "bytes": file.size_bytes,
                    "description": file.description,
                }
                for file in manifest.files
            ],
            "not_included": manifest.not_included,
            "not_checked": manifest.not_checked,
        }


def export_bundle(
    ledger: Ledger,
    directory: Path,
    *,
    to_sequence: int | None = None,
    tables: Sequence[ExportTable] = (),
    keys: tuple[SigningKey, ...] = (),
    force: bool = False,
    progress: Progress = SILENT,
    clock: Clock | None = None,
) -> ExportResult:
    """Write the whole log, or its beginning, as an evidence bundle (docs/spec/bundle.md).

    Every event is checked against its stored hash, its predecessor, the origin and the ledger's head on
    the way; a log that does not hold is not exported. Payloads are held to the catalogue only where there
    are tables, which need them. The bundle appears in its place whole, or not at all.

    Args:
        ledger: the ledger to read; all reads see the same moment.
        directory: the bundle's folder, which must not exist.
        to_sequence: the last event to export; the newest if None.
        tables: fresh tables, usually of :func:`ledger.export.tables.load_tables`.
        keys: the ledger's bundle keys, which sign it beside the folder; none leaves it unsigned.
        force: replace an older bundle in ``directory`` with its signature, at the very end.
        progress: told one step an event.
        clock: for ``generated_at``.

    Raises:
        InvalidInputError: ``directory`` is taken, its parent does not exist, ``to_sequence`` is negative,
            or a key is no bundle key of this ledger.
        NotFoundError: the ledger has no event at ``to_sequence``.
        ChainBrokenError, RecordUnreadableError, IntegrityError: the stored log does not hold.
        ExportTableError: a table failed.
        BundleWriteError: the disk refused.
        DatabaseUnavailableError: the database went away.
    """
    if to_sequence is not None and to_sequence < 0:
        raise InvalidInputError(f"the sequence {to_sequence} is below zero", place=("--to-sequence",))
    check_names(tables)
    if keys:
        bundle_origin(tuple(key.verifier for key in keys), ledger.origin)
    with ExitStack() as stack:
        bundle = stack.enter_context(PendingBundle(directory, force=force))
        for table in tables:
            if isinstance(table, LooksUpEvents):
                table.look_up_with(stack.enter_context(ledger.finder()))
        connection = stack.enter_context(ledger.reading())
        newest, newest_hash = _head(connection)
        last = newest if to_sequence is None else to_sequence
        if last > newest:
            raise NotFoundError(
                f"there is no event at sequence {last}; the newest is {newest}", next_step="ledger log"
            )
        chain = _ExportedChain(ledger.origin)
        with bundle.file(EVENTS_FILE) as file:
            _write_events(connection, last, chain, file, tables, progress)
            if last == newest and chain.head != newest_hash:
                raise ChainBrokenError(last, newest_hash.hex(), chain.head.hex())
            files = [
                file.described(
                    EVENTS_FILE, "every event's canonical bytes, one event a line, in sequence order"
                )
            ]
        files += [_write_table(bundle, table) for table in tables]
        manifest = _finish(bundle, chain, files, newest, (clock or SystemClock()).now())
        manifest_sha256 = hashlib.sha256(manifest.encode()).hexdigest()
        bundle.publish(_signature(manifest_sha256, ledger.origin, keys) if keys else None)
    return ExportResult(bundle.target, manifest, manifest_sha256, bundle.signature if keys else None)


def _signature(manifest_sha256: str, origin: str, keys: tuple[SigningKey, ...]) -> bytes:
    """Sign, and check as whoever receives the bundle does before it is given away."""
    note = sign_bundle(manifest_sha256, origin, keys).encode()
    check_bundle_signature(note, origin, manifest_sha256, tuple(key.verifier for key in keys))
    return note


class _ExportedChain:
    """The chain over what was exported: each entry must be the one that its predecessor calls for."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.head = ZERO_HASH
        self.tree = MerkleFrontier()

    def take(self, place: int, sequence: int, origin: str, prev: bytes, entry_hash: bytes) -> None:
        """Take what an entry says, which stands at ``place``, or raise where it is not the next one."""
        if place != self.tree.size or sequence != place or origin != self.origin:
            raise IntegrityError(
                f"the record at sequence {place} says sequence {sequence} of {origin}; "
                f"sequence {self.tree.size} of {self.origin} comes next",
                next_step="ledger verify",
            )
        if prev != self.head:
            raise ChainBrokenError(place - 1, prev.hex(), self.head.hex())
        self.head = entry_hash
        self.tree.append(entry_hash)


def _head(connection: Connection) -> tuple[int, bytes]:
    """Return place and hash of the newest event as the head row has them; the events must end there too."""
    head = connection.execute(select(ledger_head.c.sequence, ledger_head.c.hash)).one()
    last: int | None = connection.execute(select(func.max(events.c.sequence))).scalar()
    if last != head.sequence:
        raise IntegrityError(
            f"the ledger's head is at sequence {head.sequence}, but its last event at "
            f"{'none' if last is None else last}",
            next_step="ledger verify",
        )
    return head.sequence, head.hash


def _write_events(
    connection: Connection,
    last: int,
    chain: _ExportedChain,
    file: HashingFile,
    tables: Sequence[ExportTable],
    progress: Progress,
) -> None:
    """Stream the events up to ``last`` into the file and the tables."""
    progress.start(last + 1, "exporting")
    with closing(read_entries(connection, EventQuery(to_sequence=last))) as entries:
        for sequence, canonical, stored_hash in entries:
            actual = leaf_hash(canonical)
            if actual != stored_hash:
                raise ChainBrokenError(sequence, stored_hash.hex(), actual.hex())
            if tables:
                event = _decoded(sequence, canonical, actual)
                chain.take(sequence, event.sequence, event.ledger, event.prev, actual)
                feed(tables, event)
            else:
                link = _link(sequence, canonical)
                chain.take(sequence, link.sequence, link.ledger, bytes.fromhex(link.prev), actual)
            file.write(canonical + b"\n")
            progress.advance(1)
    progress.finish()
    if chain.tree.size != last + 1:
        raise IntegrityError(
            f"the ledger holds {chain.tree.size} events up to sequence {last}; {last + 1} belong there",
            next_step="ledger verify",
        )


def _link(sequence: int, canonical: bytes) -> Link:
    """Read an entry's link without holding its payload to the catalogue."""
    try:
        return parse_entry(canonical).link
    except InvalidInputError as error:
        raise RecordUnreadableError(sequence, str(error)) from None


def _decoded(sequence: int, canonical: bytes, entry_hash: bytes) -> Event:
    """Decode an entry; where it cannot be read, its place is named and not what it says itself."""
    try:
        return decode_event(canonical, entry_hash)
    except RecordUnreadableError as error:
        raise RecordUnreadableError(sequence, error.problem) from None


def _write_table(bundle: PendingBundle, table: ExportTable) -> BundleFile:
    name = f"{TABLES_FOLDER}/{table.name}.csv"
    with bundle.file(name) as file:
        rows = write_csv(table, file.write)
        return file.described(name, f"{description_of(table)} ({rows} rows)")


def _finish(
    bundle: PendingBundle, chain: _ExportedChain, files: list[BundleFile], newest: int, now: datetime
) -> Manifest:
    """Write what is about the events: verifier, README, manifest, checksums."""

    def add(name: str, content: bytes, description: str) -> None:
        with bundle.file(name) as file:
            file.write(content)
            files.append(file.described(name, description))

    def manifest() -> Manifest:
        last = chain.tree.size - 1
        return Manifest(
            schema_name=SCHEMA,
            origin=chain.origin,
            format=FORMAT,
            events=chain.tree.size,
            first_sequence=0,
            last_sequence=last,
            head_hash=chain.head.hex(),
            root_hash=base64.b64encode(chain.tree.root()).decode("ascii"),
            generated_at=now,
            program=Program(name="margin-ledger", version=program_version()),
            files=sorted(files, key=lambda file: file.name),
            not_included=_not_included(newest, last),
            not_checked=list(NOT_CHECKED_BY_A_BUNDLE),
        )

    add(
        VERIFIER_FILE,
        verifier_source(),
        "a check of this bundle that needs Python 3.8 or newer and nothing else",
    )
    add(README_FILE, readme(manifest()).encode("utf-8"), "what this is and how to check it")
    finished = manifest()
    with bundle.file(MANIFEST_FILE) as file:
        file.write(finished.encode())
    with bundle.file(CHECKSUMS_FILE) as file:
        file.write(finished.checksums())
    return finished


def verifier_source() -> bytes:
    """Return the bytes of the ``verify.py`` that this program puts into bundles."""
    return package_files("ledger.export").joinpath(VERIFIER_FILE).read_bytes()


def _not_included(newest: int, last: int) -> list[str]:
    missing = ["signed checkpoints, witness cosignatures and timestamps"]
    if newest > last:
        missing.append(
            f"the {newest - last} events after sequence {last} that the ledger held when this bundle was made"
        )
    return missing
