"""Files of a bundle that somebody else may have made: what is in the folder, and reading it safely."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from ledger.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST_LINE_BYTES = 65 * 1024
"""No line of events is longer: an entry has at most 65,535 bytes (C2SP tlog-tiles), then comes LF."""

MOST_ENTRIES = 10_000
_DEEPEST = 2
_CHUNK_BYTES = 1 << 20


@dataclass(slots=True)
class Listing:
    """What is in a folder.

    Attributes:
        files: names of the regular files below it, with ``/`` between.
        folders: names of the folders below it.
        odd: names of what is neither, such as symbolic links and pipes, with what they are.
        cut_off: whether there is more than was looked at.
    """

    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    odd: dict[str, str] = field(default_factory=dict)
    cut_off: bool = False


def list_folder(folder: Path) -> Listing:
    """List a folder, following no symbolic link and looking at no more than 10,000 names.

    Raises:
        EnvironmentFaultError: the folder cannot be read.
    """
    listing = Listing()
    with reading(folder):
        _list_into(listing, folder, "", 1)
    return listing


def _list_into(listing: Listing, folder: Path, prefix: str, depth: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(listing.files) + len(listing.folders) + len(listing.odd) >= MOST_ENTRIES:
                listing.cut_off = True
                return
            name = prefix + entry.name
            if entry.is_symlink():
                listing.odd[name] = "a symbolic link"
            elif entry.is_dir(follow_symlinks=False):
                listing.folders.add(name)
                if depth < _DEEPEST:
                    _list_into(listing, folder / entry.name, name + "/", depth + 1)
            elif entry.is_file(follow_symlinks=False):
                listing.files.add(name)
            else:
                listing.odd[name] = "neither a file nor a folder"


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file for reading; a symbolic link or a pipe is refused, not followed or waited for.

    Raises:
        EnvironmentFaultError: the file cannot be opened or read, or is not a regular file.
    """
    with reading(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=_CHUNK_BYTES) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(0, "it is not a regular file")
            yield file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's refusal to read into our error."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFaultError(
            f"{path} cannot be read: {error.strerror or error}",
            next_step="check the folder's permissions and the disk, then run it again",
        ) from error


def hash_file(path: Path) -> tuple[str, int]:
    """Return a file's SHA-256 as hex and its length in bytes."""
    digest = hashlib.sha256()
    size = 0
    with open_file(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def read_lines(file: IO[bytes], seen: Callable[[bytes], object]) -> Iterator[tuple[bytes, str | None]]:
    """Yield lines without their LF, each with what is wrong with it as a line, in bounded memory.

    Of a line that is too long only the beginning is given; ``seen`` is handed every byte.
    """
    while line := file.readline(LONGEST_LINE_BYTES):
        seen(line)
        if line.endswith(b"\n"):
            yield line[:-1], None
        elif len(line) < LONGEST_LINE_BYTES:
            yield line, "a last line that does not end in LF"
        else:
            start = line
            while line and not line.endswith(b"\n"):
                line = file.readline(_CHUNK_BYTES)
                seen(line)
            yield start, f"a line longer than {LONGEST_LINE_BYTES} bytes"
