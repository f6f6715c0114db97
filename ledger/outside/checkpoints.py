"""Checkpoints that were signed, kept outside the database: what shows that it was set back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ledger.errors import EnvironmentFaultError, EvidenceRefusedError, NotFoundError
from ledger.outside.writing import make_folder, read_small_file, write_file
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.checkpoint import Checkpoint
    from ledger.note import Note

_SET_ASIDE = "set-aside"
_SUFFIX = ".checkpoint"


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

    def keep(self, note: Note, checkpoint: Checkpoint) -> Path:
        """Keep a checkpoint, or add signatures to the one of its size; return its file.

        Raises:
            EvidenceRefusedError: another root is kept at this size.
            EnvironmentFaultError: the file cannot be written.
        """
        path = self.path(checkpoint.origin, checkpoint.size)
        make_folder(path.parent)
        if path.exists():
            kept, before = self.read(checkpoint.origin, checkpoint.size)
            if before != checkpoint:
                raise EvidenceRefusedError(
                    "consistency",
                    f"the root of {path}",
                    f"another root of the same {checkpoint.size} events",
                )
            note = kept.with_signatures(note.signatures)
        write_file(path, note.encode(), force=True)
        return path

    def set_aside(self, origin: str, size: int) -> None:
        """Move the checkpoint of a size out of the way, so that it no longer counts; nothing is deleted."""
        aside = self._of(origin) / _SET_ASIDE
        make_folder(aside)
        kept = self.path(origin, size)
        name, number = kept.stem, 1
        while (aside / f"{name}{_SUFFIX}").exists():  # given up before: another one of the same size
            number += 1
            name = f"{kept.stem}-{number}"
        for path in (self.timestamp_path(origin, size), kept):
            if path.exists():
                path.replace(aside / f"{name}{path.suffix}")

    def _of(self, origin: str) -> Path:
        name = quote(origin, safe="")
        # quote leaves dots alone, and a folder of dots alone leads elsewhere.
        return self.folder / (name if name.strip(".") else name.replace(".", "%2E"))
