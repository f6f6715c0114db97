"""Files that are written beside their place and put there whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from ledger.errors import EnvironmentFaultError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_READ_AT_MOST_BYTES = 16 << 20


def write_file(path: Path, data: bytes, *, force: bool = False, private: bool = False) -> None:
    """Write a file so that a crash leaves the old one, the new one, or none, and never half of it.

    Args:
        path: where; its folder must exist.
        data: what.
        force: whether a file that is there may be replaced.
        private: whether only its owner may read it.

    Raises:
        InvalidInputError: something is there already, or the folder is missing.
        EnvironmentFaultError: the system refuses.
    """
    if not path.parent.is_dir():
        raise InvalidInputError(
            f"the folder {path.parent} does not exist", next_step=f"mkdir -p {path.parent}"
        )
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if force:
            beside.replace(path)
        else:
            os.link(beside, path)  # unlike a rename, this fails where something is
        sync_folder(path.parent)
    except FileExistsError:
        raise InvalidInputError(
            f"{path} exists already; nothing was written", next_step="give another name, or --force"
        ) from None
    except OSError as error:
        raise EnvironmentFaultError(
            f"{path} could not be written: {error.strerror or error}",
            next_step="check the free space and the permissions of its folder",
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def make_folder(path: Path, *, private: bool = False) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        EnvironmentFaultError: the system refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o755)
    except OSError as error:
        raise EnvironmentFaultError(
            f"the folder {path} could not be made: {error.strerror or error}",
            next_step="check the permissions of the folder above it",
        ) from error


@contextmanager
def new_folder(target: Path, *, replaces: str | None = None) -> Iterator[Path]:
    """Give a folder beside its place, which is put there whole when the block ends, or vanishes.

    Files in it are the block's to flush. A process that is killed leaves a folder ``.NAME.….partial``, and
    between its last two steps the folder that was replaced as ``.NAME.….replaced``.

    Args:
        target: where the folder shall be; the folder above it must exist.
        replaces: a folder that is there may be replaced, if it holds a file of this name; None for never.

    Raises:
        InvalidInputError: the place is taken, or the folder above it is missing.
        EnvironmentFaultError: the system refuses.
    """
    check_free(target, replaces=replaces)
    suffix = secrets.token_hex(4)
    beside = target.with_name(f".{target.name}.{suffix}.partial")
    replaced = target.with_name(f".{target.name}.{suffix}.replaced")
    try:
        beside.mkdir()
        yield beside
        check_free(target, replaces=replaces)
        sync_folder(beside)
        if target.exists():
            target.rename(replaced)
        beside.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise EnvironmentFaultError(
            f"{target} could not be written: {error.strerror or error}",
            next_step="check the free space and the permissions of its folder",
        ) from error
    finally:
        if replaced.exists() and not target.exists():  # whatever came between, be it Ctrl-C
            replaced.rename(target)
        shutil.rmtree(beside, ignore_errors=True)
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)


def check_free(target: Path, *, replaces: str | None = None) -> None:
    """Refuse a place for a new folder that is taken; arguments as of :func:`new_folder`.

    Raises:
        InvalidInputError: something is there that may not be replaced, or the folder above it is missing.
    """
    if not target.parent.is_dir():
        raise InvalidInputError(
            f"the folder {target.parent} does not exist", next_step=f"mkdir -p {target.parent}"
        )
    if target.is_symlink() or target.exists():
        if replaces is None:
            raise InvalidInputError(
                f"{target} exists already; nothing was written", next_step="give another name, or --force"
            )
        if target.is_symlink() or not (target / replaces).is_file():
            raise InvalidInputError(
                f"{target} holds no {replaces}, so it is not replaced; nothing was written",
                next_step="give another name",
            )


def open_regular(path: Path) -> IO[bytes]:
    """Open a file of a folder that a stranger made: never a pipe, on which reading would wait, or a device.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_small_file(path: Path, *, regular: bool = False) -> bytes:
    """Return the contents of a file of at most 16 MiB.

    Args:
        path: which; a pipe will do,
        regular: unless it has to be a regular file, as in a folder that a stranger made.

    Raises:
        InvalidInputError: there is no such file, it cannot be read, or it is larger.
    """
    try:
        with open_regular(path) if regular else path.open("rb") as file:
            data = file.read(_READ_AT_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(f"the file cannot be read: {error.strerror}", place=(str(path),)) from None
    if len(data) > _READ_AT_MOST_BYTES:
        raise InvalidInputError(f"the file has more than {_READ_AT_MOST_BYTES} bytes", place=(str(path),))
    return data


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
