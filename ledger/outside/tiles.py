"""A log's tiles in a folder, laid out as C2SP tlog-tiles serves them: anyone can check them offline."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ledger.errors import EnvironmentFaultError, EvidenceRefusedError, InvalidInputError
from ledger.merkle import HASH_SIZE_BYTES
from ledger.outside.writing import make_folder, open_regular, read_small_file, write_file
from ledger.tiles import TILE_WIDTH, Tile, TileTree, decode_entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKPOINT_FILE = "checkpoint"
_MOST_UNSETTLED = 1_000
_LARGEST_BUNDLE_BYTES = TILE_WIDTH * (2 + 65_535)


class TileFolder:
    """A folder with ``checkpoint`` and ``tile/…``; reading believes nothing but lengths.

    Args:
        folder: ours, or one that another implementation of tlog-tiles wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unsettled: list[tuple[Path, Path]] = []  # written beside its place, and the place

    def checkpoint(self) -> bytes | None:
        """Return the published checkpoint's bytes, or None where there is none.

        Raises:
            InvalidInputError: the file cannot be read.
        """
        path = self.folder / CHECKPOINT_FILE
        return read_small_file(path, regular=True) if path.exists() else None

    def tree(self, size: int) -> TileTree:
        """Return a tree whose tiles are read from the folder; errors as in :meth:`read`."""
        return TileTree(size, self.read)

    def read(self, tile: Tile) -> bytes:
        """Return a tile's contents; those of a partial one may be read from the full tile that it became.

        Raises:
            EvidenceRefusedError: the file is missing or has another length.
        """
        found = self._contents(tile, TILE_WIDTH * HASH_SIZE_BYTES)
        if found is None:
            raise EvidenceRefusedError("tile", "a file", "nothing", place=tile.path())
        read, contents = found
        if len(contents) != read.width * HASH_SIZE_BYTES:
            raise EvidenceRefusedError(
                "tile", f"{read.width * HASH_SIZE_BYTES} bytes", f"{len(contents)} bytes", place=read.path()
            )
        return contents[: tile.width * HASH_SIZE_BYTES]

    def entries(self, tile: Tile) -> list[bytes] | None:
        """Return the entries under a tile of level 0, or None where they were not published.

        Raises:
            EvidenceRefusedError: there are more or fewer of them, or the file ends inside one.
        """
        found = self._contents(Tile(0, tile.index, tile.width, entries=True), _LARGEST_BUNDLE_BYTES)
        if found is None:
            return None
        read, contents = found
        try:
            entries = decode_entries(contents)
        except InvalidInputError as error:
            raise EvidenceRefusedError("entries", "whole entries", error.problem, place=read.path()) from None
        if len(entries) != read.width:
            raise EvidenceRefusedError(
                "entries", f"{read.width} entries", f"{len(entries)} entries", place=read.path()
            )
        return entries[: tile.width]

    def _contents(self, tile: Tile, largest_bytes: int) -> tuple[Tile, bytes] | None:
        """Return what stands in a tile's file, or in that of the full tile, and which of them it was."""
        for each in dict.fromkeys((tile, Tile(tile.level, tile.index, entries=tile.entries))):
            path = self.folder / each.path()
            try:
                with open_regular(path) as file:
                    return each, file.read(largest_bytes + 1)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise EvidenceRefusedError(
                    "tile", "a file", error.strerror or "an error", place=each.path()
                ) from None
        return None

    def write(self, tile: Tile, contents: bytes) -> bool:
        """Write a tile that is not there yet; return False where it is, with the same contents.

        It has its name only after :meth:`settle`, which happens by itself now and then.

        Raises:
            EvidenceRefusedError: a tile with other contents is there; tiles never change.
            EnvironmentFaultError: the system refuses.
        """
        path = self.folder / tile.path()
        if path.exists():
            if not self._holds(path, contents):
                raise EvidenceRefusedError(
                    "tile", "the contents of the log", "others", place=str(path),
                    next_step="give an empty folder; keep this one as evidence",
                )  # fmt: skip
            return False
        make_folder(path.parent)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")  # nobody else's, and no link
        self._unsettled.append((beside, path))
        with self._writing(path), beside.open("xb") as file:
            file.write(contents)
        if len(self._unsettled) >= _MOST_UNSETTLED:
            self.settle()
        return True

    def settle(self) -> None:
        """Give the tiles that were written their names, now that their contents are on the disk.

        Raises:
            EnvironmentFaultError: the system refuses.
        """
        os.sync()  # one call for many tiles; without it a power failure would leave names of empty files
        while self._unsettled:
            beside, path = self._unsettled[-1]
            with self._writing(path):
                beside.replace(path)
            self._unsettled.pop()

    def discard(self) -> None:
        """Remove what was written and has no name yet."""
        while self._unsettled:
            self._unsettled.pop()[0].unlink(missing_ok=True)

    @staticmethod
    @contextmanager
    def _writing(path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentFaultError(
                f"{path} could not be written: {error.strerror or error}",
                next_step="check the free space and the permissions of its folder",
            ) from error

    @staticmethod
    def _holds(path: Path, contents: bytes) -> bool:
        try:
            with open_regular(path) as file:
                return file.read(len(contents) + 1) == contents
        except OSError as error:
            raise EnvironmentFaultError(
                f"{path} cannot be read: {error.strerror}", next_step="give an empty folder"
            ) from error

    def publish(self, note: bytes) -> None:
        """Put a checkpoint in place, after everything under it is on the disk.

        Raises:
            EnvironmentFaultError: the system refuses.
        """
        make_folder(self.folder)
        self.settle()
        os.sync()  # the names, too
        write_file(self.folder / CHECKPOINT_FILE, note, force=True)

    def drop_partial(self, tile: Tile) -> None:
        """Remove the partial tiles that a full one made superfluous."""
        folder = (self.folder / tile.path()).with_name(f"{(self.folder / tile.path()).name}.p")
        if folder.is_symlink() or not folder.is_dir():  # what a link leads to is not ours to remove
            return
        for path in folder.iterdir():
            if path.name.isdigit() and not path.is_dir():
                path.unlink()
        with suppress(OSError):  # something else is in it
            folder.rmdir()
