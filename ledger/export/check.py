"""Checking an evidence bundle offline: nothing in it is run, followed or believed (docs/spec/bundle.md)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from ledger.chain import ChainVerifier
from ledger.errors import EvidenceRefusedError, InvalidInputError, NotFoundError
from ledger.export.bundle import verifier_source
from ledger.export.files import Listing, hash_file, list_folder, open_file, read_lines
from ledger.export.manifest import (
    CHECKSUMS_FILE,
    EVENTS_FILE,
    LARGEST_MANIFEST_BYTES,
    MANIFEST_FILE,
    REQUIRED_FILES,
    TABLES_FOLDER,
    VERIFIER_FILE,
    Manifest,
    parse_manifest,
)
from ledger.export.signature import GivenSignature, bundle_origin, check_bundle_signature
from ledger.growth import GivenCheckpoint, GrowthChecker
from ledger.merkle import HASH_SIZE_BYTES
from ledger.progress import SILENT, Progress
from ledger.report import BundleReport, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SEQUENCE_AT_END = re.compile(rb'"sequence":([0-9]{1,16}),"writer":"(?:[^"\\]|\\.)*"\}\}\Z')
_HEX_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)

_TOO_SHORT = "the bundle holds fewer than the checkpoint covers, by choice or because they were cut off"

MANIFEST_CHECKS = ("files", "checksums", "totals", "head", "root")
"""What is compared with the manifest. ``files``: exactly those it lists are there, with their lengths and
hashes. ``checksums``: SHA256SUMS says the same. ``totals``, ``head``, ``root``: the events' number, the last
one's hash and the tree root are those it states."""


def check_bundle(
    directory: Path,
    *,
    expected_root: str | None = None,
    expected_head: str | None = None,
    checkpoints: Sequence[GivenCheckpoint] = (),
    signature: GivenSignature | None = None,
    progress: Progress = SILENT,
) -> BundleReport:
    """Check a bundle without a database, in constant memory.

    Whatever is wrong with the bundle is a failure in the report, and so is a signature that does not
    hold. Nothing in it is executed, and no key, hash or root in it is taken for more than a statement to
    compare with. What is given from elsewhere is compared under the checks ``expected_root``,
    ``expected_head``, ``trusted_checkpoint`` (the bundle's first events are those of each checkpoint)
    and ``bundle_signature``.

    Args:
        directory: the bundle's folder.
        expected_root: a tree root obtained elsewhere, base64.
        expected_head: a head hash obtained elsewhere, 64 hex digits.
        checkpoints: checkpoints that were kept elsewhere, their signatures checked by the caller.
        signature: the bundle's detached signature, with the bundle keys that the caller trusts.
        progress: told one step an event.

    Raises:
        InvalidInputError: an expectation is not a hash in its form, or a key is no bundle key.
        NotFoundError: there is no such folder.
        EnvironmentFaultError: the system refuses to read the folder or a file in it.
    """
    _check_expectations(expected_root, expected_head)
    if signature is not None:
        bundle_origin(signature.keys, signature.origin)
    if not directory.is_dir():
        raise NotFoundError(
            f"there is no folder {printable(directory)}",
            next_step="give the folder that holds manifest.json",
        )
    report = BundleReport(directory)
    report.checks = dict.fromkeys(("manifest", *ChainVerifier.CHECKS), True)
    listing = list_folder(directory)
    manifest = _read_manifest(directory, listing, report)
    if checkpoints:
        report.checks["trusted_checkpoint"] = True
    hashes = _check_events(directory, listing, manifest, report, GrowthChecker(checkpoints), progress)
    if manifest is not None:
        report.checks |= dict.fromkeys(MANIFEST_CHECKS, True)
        _check_files(directory, listing, manifest, hashes, report)
        _check_totals(manifest, report)
        _look_at_verifier(manifest, report)
    root, head = base64.b64encode(report.root_hash).decode("ascii"), report.head_hash.hex()
    if expected_root is not None:
        report.compare("expected_root", expected_root, root, file=EVENTS_FILE)
    if expected_head is not None:
        report.compare("expected_head", expected_head, head, file=EVENTS_FILE)
    if signature is not None:
        _check_signature(signature, manifest, report)
    compared = expected_root is not None or expected_head is not None
    report.not_checked[:0] = [
        *([] if compared else _not_compared(checkpoints, report)),
        *_not_checked(manifest, signed=signature is not None),
    ]
    return report


def _read_manifest(directory: Path, listing: Listing, report: BundleReport) -> Manifest | None:
    if MANIFEST_FILE not in listing.files:
        report.fail("manifest", "a file", listing.odd.get(MANIFEST_FILE, "nothing"), file=MANIFEST_FILE)
        return None
    with open_file(directory / MANIFEST_FILE) as file:
        data = file.read(LARGEST_MANIFEST_BYTES + 1)  # one more, so that nothing goes unread after it
    try:
        manifest = parse_manifest(data)
    except InvalidInputError as error:
        report.fail("manifest", "a manifest in canonical form", error, file=MANIFEST_FILE)
        return None
    report.origin = manifest.origin
    return manifest


def _check_events(
    directory: Path,
    listing: Listing,
    manifest: Manifest | None,
    report: BundleReport,
    growth: GrowthChecker,
    progress: Progress,
) -> dict[str, tuple[str, int]]:
    """Check the chain and its growth; return hash and length of the very bytes read, by file name."""
    chain = ChainVerifier(manifest.origin if manifest else None)
    digest, size, sequence = hashlib.sha256(), 0, -1

    def seen(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += len(data)

    if EVENTS_FILE in listing.files:
        progress.start(manifest.events if manifest else None, "checking")
        with open_file(directory / EVENTS_FILE) as file:
            for line, problem in read_lines(file, seen):
                stated = _SEQUENCE_AT_END.search(line)
                sequence = int(stated[1]) if stated else sequence + 1
                if problem:
                    report.fail(
                        "well_formed", "one event and LF", problem, file=EVENTS_FILE, sequence=sequence
                    )
                report.add(
                    chain.take(sequence, line)[0] + growth.check(chain.tree, chain.origin), EVENTS_FILE
                )
                progress.advance(1)
        progress.finish()
    elif manifest is None:
        report.fail("files", "a file", listing.odd.get(EVENTS_FILE, "nothing"), file=EVENTS_FILE)
    report.add(chain.finish(bytes.fromhex(manifest.head_hash) if manifest else None), EVENTS_FILE)
    report.add(growth.finish(chain.events, meaning=_TOO_SHORT), EVENTS_FILE)
    report.events, report.head_sequence, report.head_hash = chain.events, sequence, chain.head
    report.root_hash = chain.tree.root()
    report.not_checked += [
        f"the fields of {count} events of type {printable(name)}, which this program does not know"
        for name, count in sorted(chain.unknown_types.items())
    ]
    return {EVENTS_FILE: (digest.hexdigest(), size)}


def _check_files(
    directory: Path,
    listing: Listing,
    manifest: Manifest,
    hashes: dict[str, tuple[str, int]],
    report: BundleReport,
) -> None:
    """Check that the listed files are there as listed, and nothing else."""
    for file in manifest.files:
        if file.name not in listing.files:
            report.fail("files", "a file", listing.odd.get(file.name, "nothing"), file=file.name)
            continue
        sha256, size = hashes.get(file.name) or hash_file(directory / file.name)
        expected = f"{file.size_bytes} bytes, SHA-256 {file.sha256}"
        report.compare("files", expected, f"{size} bytes, SHA-256 {sha256}", file=file.name)
    listed = {file.name for file in manifest.files}
    folders = {name.partition("/")[0] for name in listed if "/" in name}
    for name in sorted(listing.files - listed - {MANIFEST_FILE, CHECKSUMS_FILE}):
        report.fail("files", "nothing", "a file that the manifest does not list", file=name)
    for name in sorted(listing.folders - folders):
        report.fail("files", "nothing", "a folder", file=name)
    for name in sorted(listing.odd.keys() - listed - {MANIFEST_FILE}):
        report.fail("files", "nothing", listing.odd[name], file=name)
    if listing.cut_off:
        report.fail("files", f"{len(listed) + 2} files", "so many that not all were looked at")
    _check_checksums(directory, listing, manifest, report)


def _check_checksums(directory: Path, listing: Listing, manifest: Manifest, report: BundleReport) -> None:
    if CHECKSUMS_FILE not in listing.files:
        report.fail("checksums", "a file", listing.odd.get(CHECKSUMS_FILE, "nothing"), file=CHECKSUMS_FILE)
        return
    expected = manifest.checksums()
    with open_file(directory / CHECKSUMS_FILE) as file:
        found = file.read(len(expected) + 1)
    if found != expected:
        wanted, there = expected.split(b"\n"), found.split(b"\n")
        line = next(
            (i for i, pair in enumerate(zip(wanted, there, strict=False)) if pair[0] != pair[1]), len(wanted)
        )
        expected_line, found_line = (
            text[line].decode("utf-8", "backslashreplace") if line < len(text) else "no such line"
            for text in (wanted, there)
        )
        report.fail("checksums", f"line {line + 1}: {expected_line}", found_line, file=CHECKSUMS_FILE)


def _check_totals(manifest: Manifest, report: BundleReport) -> None:
    report.compare(
        "totals",
        f"{manifest.events} events, the last at sequence {manifest.last_sequence}",
        f"{report.events} events, the last at sequence {report.head_sequence}",
        file=EVENTS_FILE,
    )
    report.compare("head", manifest.head_hash, report.head_hash.hex(), file=EVENTS_FILE)
    report.compare(
        "root", manifest.root_hash, base64.b64encode(report.root_hash).decode("ascii"), file=EVENTS_FILE
    )


def _look_at_verifier(manifest: Manifest, report: BundleReport) -> None:
    ours = hashlib.sha256(verifier_source()).hexdigest()
    theirs = next(file.sha256 for file in manifest.files if file.name == VERIFIER_FILE)
    if ours != theirs:
        report.warnings.append(
            f"{VERIFIER_FILE} is not the one that this program puts into bundles "
            f"(SHA-256 {theirs} instead of {ours}); it was not run; "
            f"the manifest names {manifest.program.name} {manifest.program.version} as the writer"
        )


def _check_signature(given: GivenSignature, manifest: Manifest | None, report: BundleReport) -> None:
    """Check that the manifest, and with it every file, is the one that a trusted bundle key signed."""
    report.checks["bundle_signature"] = True
    if manifest is None:
        report.fail("bundle_signature", "a signed manifest", "none that can be read", file=MANIFEST_FILE)
        return
    manifest_sha256 = hashlib.sha256(manifest.encode()).hexdigest()
    try:
        check_bundle_signature(given.note, given.origin, manifest_sha256, given.keys)
    except EvidenceRefusedError as error:
        report.fail("bundle_signature", f"{error.check}: {error.expected}", error.actual)
    else:  # a ledger's key may have signed the bundle of another one
        report.compare("bundle_signature", f"a bundle of {given.origin}", f"a bundle of {manifest.origin}")


def _not_compared(checkpoints: Sequence[GivenCheckpoint], report: BundleReport) -> list[str]:
    """Say which events nothing from elsewhere was compared with."""
    texts = [
        f"signatures of {given.name}: no trusted key was given"
        for given in checkpoints
        if not given.signature_checked
    ]
    sizes = [given.checkpoint.size for given in checkpoints if given.signature_checked]
    if sizes and not report.checks["trusted_checkpoint"]:
        return texts  # the verdict says already that this is not the log
    covered = max(sizes, default=0)
    if covered == 0:
        texts.append(
            "whether this is the log, and all of it: no root or head hash obtained elsewhere was given "
            "(--expect-root, --expect-head), nor a checkpoint with a key to check it by "
            "(--trusted-checkpoint, --trusted-key), so a log that was cut off or made up later would not show"
        )
    elif covered < report.events:
        texts.append(
            f"whether the log goes on like this: the {report.events - covered} events after sequence "
            f"{covered - 1}, where the newest given checkpoint ends, are only consistent with themselves"
        )
    return texts


def _not_checked(manifest: Manifest | None, *, signed: bool) -> list[str]:
    """Say what else the verdict leaves open."""
    texts = []
    if not signed:
        texts.append(
            "signatures: the bundle carries none, so it does not show by itself where the log comes from"
        )
    texts.append("whether the events are true and none is missing: that is reconciliation with their sources")
    texts.append("that no id occurs twice")
    names = [file.name for file in manifest.files] if manifest else []
    tables = [name for name in names if name.startswith(f"{TABLES_FOLDER}/")]
    if tables:
        texts.append(f"{', '.join(tables)}: the hashes hold or not; tables were not rebuilt from the events")
    others = [name for name in names if name not in tables and name not in REQUIRED_FILES]
    if others:
        texts.append(
            f"{', '.join(others)}: the hashes hold or not; this program does not know what is in them"
        )
    if manifest is None:
        texts.append("the files and their hashes: there is no manifest that can be read")
    return texts


def _check_expectations(expected_root: str | None, expected_head: str | None) -> None:
    if expected_root is not None:
        try:
            root = base64.b64decode(expected_root, validate=True)
        except (binascii.Error, ValueError):
            root = b""
        if len(root) != HASH_SIZE_BYTES or base64.b64encode(root).decode("ascii") != expected_root:
            raise InvalidInputError(
                f"{expected_root!r} is not a root hash",
                place=("--expect-root",),
                next_step="a root hash is 44 characters of base64, as ledger verify prints it",
            )
    if expected_head is not None and _HEX_HASH.fullmatch(expected_head) is None:
        raise InvalidInputError(
            f"{expected_head!r} is not a hash",
            place=("--expect-head",),
            next_step="a head hash is 64 lowercase hex digits, as ledger verify prints it",
        )
