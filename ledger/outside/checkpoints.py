"""Checkpoints that were signed, kept outside the database: what shows that it was set back."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from ledger.errors import EnvironmentFaultError, EvidenceRefusedError, NotFoundError
from ledger.outside.writing import make_folder, read_small_file, write_file
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger.checkpoint import Checkpoint
    from ledger.note import Note

_SET_ASIDE = "set-aside"
_SUFFIX = ".checkpoint"
_LOCK = ".lock"


class CheckpointFolder:
    """A folder with the checkpoints of any number of logs, one file for each size.

    Args:
        folder: holds ``ORIGIN/SIZE.checkpoint``, the origin percent-encoded, the size of 20 digits, and
            ``SIZE.tsr`` beside it where a timestamp was got.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sizes(self, origin: str) -> list[int]:
        """Return the tree sizes of which there are checkpoints, ascending.

        Raises:
            EnvironmentFaultError: the folder is there and cannot be read, so nobody knows what is kept.
        """
        folder = self._of(origin)
        try:
            found = [path.name for path in folder.iterdir()]  # glob takes what cannot be read for empty
        except FileNotFoundError:
            return []
        except OSError as error:
            raise EnvironmentFaultError(
                f"the kept checkpoints in {folder} cannot be read: {error.strerror}",
                next_step="check the permissions of the home folder; ledger doctor",
            ) from error
        names = (name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def newest(self, origin: str) -> int | None:
        """Return the largest size of which there is a checkpoint, or None."""
        sizes = self.sizes(origin)
        return sizes[-1] if sizes else None

    def path(self, origin: str, size: int) -> Path:
        """Return where the checkpoint of a size is or would be."""
        return self._of(origin) / f"{size:020d}{_SUFFIX}"

    def timestamp_path(self, origin: str, size: int) -> Path:
        """Return where the timestamp token of a checkpoint is or would be."""
        return self.path(origin, size).with_suffix(".tsr")

    def read(self, origin: str, size: int) -> tuple[Note, Checkpoint]:
        """Return a kept checkpoint.

        Raises:
            NotFoundError: there is none of this size.
            EvidenceRefusedError: the file is not the checkpoint that its name says.
        """
        path = self.path(origin, size)
        if not path.exists():
            raise NotFoundError(
                f"there is no checkpoint of {size} events of {origin} in {self.folder}",
                next_step="ledger checkpoint",
            )
        note, checkpoint = read_checkpoint(read_small_file(path))
        if (checkpoint.origin, checkpoint.size) != (origin, size):
            raise EvidenceRefusedError(
                "checkpoint",
                f"the one of {origin} at size {size}",
                f"one of {checkpoint.origin} at size {checkpoint.size}",
                place=str(path),
            )
        return note, checkpoint

    @contextmanager
    def locked(self, origin: str) -> Iterator[Callable[[Note, Checkpoint], Path]]:
        """Give what :meth:`keep` does, while nobody else signs or keeps a checkpoint of this log here.

        Raises:
            EnvironmentFaultError: the folder cannot be written.
        """
        make_folder(self._of(origin))
        try:
            descriptor = os.open(self._of(origin) / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EnvironmentFaultError(
                f"{self._of(origin)} cannot be written: {error.strerror}",
                next_step="check the permissions of the home folder",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self._keep
        finally:
            os.close(descriptor)

    def keep(self, note: Note, checkpoint: Checkpoint) -> Path:
        """Keep a checkpoint, or add signatures to the one of its size; return its file.

        Of each key one line is kept: the note's own before the one that was kept.

        Raises:
            EvidenceRefusedError: another root is kept at this size.
            EnvironmentFaultError: the file cannot be written.
        """
        with self.locked(checkpoint.origin) as keep:
            return keep(note, checkpoint)

    def _keep(self, note: Note, checkpoint: Checkpoint) -> Path:
        path = self.path(checkpoint.origin, checkpoint.size)
        if path.exists():
            kept, before = self.read(checkpoint.origin, checkpoint.size)
            if before != checkpoint:
                raise EvidenceRefusedError(
                    "consistency",
                    f"the root of {path}",
                    f"another root of the same {checkpoint.size} events",
                )
            note = note.with_signatures(kept.signatures)
        data = note.encode()
        read_checkpoint(data)  # what could not be read again would stop every command
        write_file(path, data, force=True)
        return path

    def set_aside(self, origin: str, size: int) -> None:
        """Move the checkpoint of a size out of the way, so that it no longer counts; nothing is deleted."""
        self._set_aside(self.timestamp_path(origin, size), self.path(origin, size))

    def set_token_aside(self, origin: str, size: int) -> None:
        """Move a timestamp token out of the way; nothing is deleted."""
        self._set_aside(self.timestamp_path(origin, size))

    @staticmethod
    def _set_aside(*paths: Path) -> None:
        aside = paths[0].parent / _SET_ASIDE
        make_folder(aside)
        stem, number = paths[0].stem, 1
        name = stem
        while any((aside / f"{name}{path.suffix}").exists() for path in paths):  # given up before, too
            number += 1
            name = f"{stem}-{number}"
        for path in paths:
            if path.exists():
                path.replace(aside / f"{name}{path.suffix}")

    def _of(self, origin: str) -> Path:
        name = quote(origin, safe="")
        # quote leaves dots alone, and a folder of dots alone leads elsewhere.
        return self.folder / (name if name.strip(".") else name.replace(".", "%2E"))
