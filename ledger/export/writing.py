"""Writing a bundle's folder: beside its place first, and put there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from ledger.errors import BundleWriteError, InvalidInputError, LedgerError
from ledger.export.files import list_folder, open_file
from ledger.export.manifest import (
    CHECKSUMS_FILE,
    LARGEST_MANIFEST_BYTES,
    MANIFEST_FILE,
    TABLES_FOLDER,
    BundleFile,
    parse_manifest,
)
from ledger.export.signature import read_bundle_signature
from ledger.note import LARGEST_NOTE_BYTES
from ledger.outside.writing import sync_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER_BYTES = 1 << 20


class HashingFile:
    """A file being written, with the hash and length of what went into it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def described(self, name: str, description: str) -> BundleFile:
        """Return the manifest's line about what was written so far."""
        return BundleFile(
            name=name, sha256=self._digest.hexdigest(), size_bytes=self._size, description=description
        )


class PendingBundle:
    """A bundle in the making: a folder beside its place that is renamed at the end, or vanishes.

    Use it as a context manager; without :meth:`publish` nothing remains. A process that is killed
    leaves a folder ``.NAME.….partial``, which can be removed. The bundle's signature stands beside it as
    ``NAME.signature``; one that is there belongs to an older bundle, and never stays beside a newer one.

    Args:
        target: where the bundle shall be.
        force: whether an older bundle there, and an older signature beside it, may be replaced.

    Raises:
        InvalidInputError: the place is taken, or its parent folder does not exist.
    """

    def __init__(self, target: Path, *, force: bool) -> None:
        # Not resolve(): a symbolic link in the bundle's place is itself what is there.
        self.target = Path(os.path.abspath(target))  # noqa: PTH100 (as said)
        self._force = force
        suffix = secrets.token_hex(4)
        self.folder = self.target.parent / f".{self.target.name}.{suffix}.partial"
        self.signature = self.target.parent / f"{self.target.name}.signature"
        self._replaced = self.target.parent / f".{self.target.name}.{suffix}.replaced"
        self._replaced_signature = self.target.parent / f".{self.target.name}.{suffix}.replaced.signature"

    def __enter__(self) -> Self:
        self._check_place()
        with self._writing():
            self.folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def file(self, name: str) -> Iterator[HashingFile]:
        """Give a new file of the bundle; it is on the disk when the block ends.

        Raises:
            BundleWriteError: the file cannot be written.
        """
        path = self.folder / name
        with self._writing():
            path.parent.mkdir(exist_ok=True)
            with path.open("xb", buffering=_BUFFER_BYTES) as file:
                yield HashingFile(file)
                file.flush()
                os.fsync(file.fileno())

    def publish(self, signature: bytes | None = None) -> None:
        """Put the bundle in its place, then its signature beside it; older ones go only now.

        Raises:
            InvalidInputError: the place was taken meanwhile.
            BundleWriteError: the folder cannot be renamed, and an older bundle is still in its place with
                its signature; or the signature cannot be written, and the bundle is there without one.
        """
        self._check_place()
        with self._writing():
            for folder in (self.folder / TABLES_FOLDER, self.folder):
                if folder.is_dir():
                    sync_folder(folder)
            self._exchange()
            sync_folder(self.target.parent)
        shutil.rmtree(self._replaced, ignore_errors=True)
        with suppress(OSError):
            self._replaced_signature.unlink(missing_ok=True)
        if signature is not None:
            try:
                write_file(self.signature, signature)
            except LedgerError as error:
                raise BundleWriteError(
                    f"the bundle {self.target} is complete, but has no signature: {error.message}",
                    next_step="ledger export --sign --force, when that is mended",
                ) from error

    def _exchange(self) -> None:
        """Rename the new folder into its place; where that fails, what was there is put back."""
        moved = []
        try:
            # The signature goes first: killed in between, this leaves a bundle unsigned, not wrongly signed.
            for place, aside in (
                (self.signature, self._replaced_signature),
                (self.target, self._replaced),
            ):
                if os.path.lexists(place):
                    place.rename(aside)
                    moved.append((place, aside))
            self.folder.rename(self.target)
        except BaseException:
            for place, aside in reversed(moved):
                if not os.path.lexists(place):
                    aside.rename(place)
            raise

    def _check_place(self) -> None:
        if not self.target.parent.is_dir():
            raise InvalidInputError(
                f"the folder {self.target.parent} does not exist", next_step=f"mkdir -p {self.target.parent}"
            )
        for place, why_not in ((self.target, _why_not_a_bundle), (self.signature, _why_not_a_signature)):
            if not os.path.lexists(place):
                continue
            if not self._force:
                raise InvalidInputError(
                    f"{place} exists already; nothing was written",
                    next_step="give another folder, or --force to replace an older bundle with its signature",
                )
            problem = why_not(place)
            if problem:
                raise InvalidInputError(
                    f"{place} is not replaced, because {problem}; nothing was written",
                    next_step="give another folder, or move this one away first",
                )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BundleWriteError(
                f"the bundle {self.target} could not be written: {error.strerror or error}; "
                "nothing was left behind",
                next_step="check the free space and the permissions of the folder above it",
            ) from error


def _why_not_a_bundle(folder: Path) -> str | None:
    """Say why a folder is not a bundle and nothing else, so that --force never deletes other things."""
    if folder.is_symlink() or not folder.is_dir():
        return "it is not a folder"
    try:
        with open_file(folder / MANIFEST_FILE) as file:
            manifest = parse_manifest(file.read(LARGEST_MANIFEST_BYTES + 1))
        listing = list_folder(folder)
    except LedgerError:
        return "it is not a bundle"
    listed = {file.name for file in manifest.files} | {MANIFEST_FILE, CHECKSUMS_FILE}
    others = sorted(listing.files - listed) + sorted(listing.odd) + sorted(listing.folders - {TABLES_FOLDER})
    if others or listing.cut_off:
        return f"it holds {ascii(others[0]) if others else 'many files'}, which is not part of a bundle"
    return None


def _why_not_a_signature(path: Path) -> str | None:
    """Say why a file is not the signature of a bundle, so that --force never deletes other things."""
    try:
        with open_file(path) as file:  # refuses what is no regular file
            read_bundle_signature(file.read(LARGEST_NOTE_BYTES + 1))
    except LedgerError:
        return "it is not the signature of a bundle"
    return None
