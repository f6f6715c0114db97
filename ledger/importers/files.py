"""Input files as they are: plain, gzip or zip, told apart by their first bytes and never by name only.

Lines are streamed; nothing here holds more than one line of a file.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ledger.errors import EnvironmentFaultError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_INPUT = "-"
LONGEST_LINE_BYTES = 1 << 20
"""Far above the 65,000 bytes of an event; keeps a file without line ends from filling the memory."""

LARGEST_DOCUMENT_BYTES = 64 << 20
"""For files that are one JSON document and have to be read as a whole."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = b"\n"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
_TABLE_SUFFIXES = (".csv",)
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_NOT_IN_A_NAME = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\ud800-\udfff]")


class _StandardInput:
    """A copy of standard input that can be read more than once; closed with the last member that reads it."""

    def __init__(self) -> None:
        # Anonymous: gone when the process ends, however it ends.
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        try:
            shutil.copyfileobj(sys.stdin.buffer, self.file, 1 << 20)
            self.file.flush()
        except OSError as error:
            raise EnvironmentFaultError(
                f"standard input cannot be copied to {tempfile.gettempdir()} ({error.strerror})",
                next_step="make room there, or set TMPDIR to another folder",
            ) from None

    def __del__(self) -> None:
        self.file.close()


@dataclass(frozen=True, slots=True)
class Member:
    """One readable text: a file, or one member of a zip archive.

    Attributes:
        label: where it is, for messages: the path as given, and the member's name after a colon.
        name: the base name for an event's ``source.file``, or None for standard input.
    """

    label: str
    name: str | None
    _stored: Path | _StandardInput
    _archived: str | None = None

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield (1-based number, text without its line end) of every line; a byte order mark is dropped.

        Raises:
            InvalidInputError: empty, not UTF-8, damaged, or a line of over 1 MiB; names the file and line.
        """
        number = 0
        with self._readable(), self._open() as stream:
            while line := stream.readline(LONGEST_LINE_BYTES + 1):
                number += 1
                if number == 1:
                    line = self._without_mark(line)
                text = self._decode(line, number)
                if len(line) > LONGEST_LINE_BYTES:
                    raise self.error(f"a line of more than {LONGEST_LINE_BYTES} bytes", number)
                yield number, text.removesuffix("\n").removesuffix("\r")
        if number == 0:
            raise self._empty()

    def document(self) -> str:
        """Return the whole text; for files of one JSON document.

        Raises:
            InvalidInputError: as :meth:`lines`, or larger than 64 MiB.
        """
        with self._readable(), self._open() as stream:
            content = stream.read(LARGEST_DOCUMENT_BYTES + 1)
        if len(content) > LARGEST_DOCUMENT_BYTES:
            raise self.error(f"a document of more than {LARGEST_DOCUMENT_BYTES} bytes")
        if not content:
            raise self._empty()
        content = self._without_mark(content)
        return self._decode(content, 1)

    def error(self, problem: str, line: int | None = None, field: str | None = None) -> InvalidInputError:
        """Return an error at a place in this file."""
        place = (
            self.label,
            *(() if line is None else (f"line {line}",)),
            *(() if field is None else (field,)),
        )
        return InvalidInputError(problem, place=place)

    def _empty(self) -> InvalidInputError:
        return self.error("the file is empty")

    def _without_mark(self, start: bytes) -> bytes:
        if start.startswith(_OTHER_ENCODINGS):
            raise InvalidInputError(
                "not UTF-8 (it starts like UTF-16)",
                place=(self.label, "line 1"),
                next_step="convert the file to UTF-8",
            )
        rest = start.removeprefix(_BYTE_ORDER_MARK)
        if not rest:
            raise self._empty()
        return rest

    def _decode(self, data: bytes, line: int) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start]
            raise InvalidInputError(
                f"byte {error.start - before.rfind(_NEWLINE) - 1} of the line is not UTF-8",
                place=(self.label, f"line {line + before.count(_NEWLINE)}"),
                next_step="convert the file to UTF-8",
            ) from None

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with _stored_bytes(self._stored, self.label) as stored:
            if self._archived is not None:
                with zipfile.ZipFile(stored) as archive, archive.open(self._archived) as stream:
                    yield io.BufferedReader(stream)  # type: ignore[type-var]  # ZipExtFile is a raw stream in all but name
            elif _starts_with(stored, (_GZIP_MAGIC,)):
                with gzip.GzipFile(fileobj=stored, mode="rb") as stream:
                    yield io.BufferedReader(stream)
            else:
                yield stored

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what the decompressors raise into errors that name the file."""
        try:
            yield
        except EOFError:
            raise self._damaged("the compressed data ends too early: the file is truncated") from None
        except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
            raise self._damaged(f"the compressed data is damaged ({error})") from None
        except NotImplementedError as error:
            raise self._damaged(f"the zip archive cannot be read ({error})") from None
        except OSError as error:
            raise self.error(f"the file cannot be read ({error.strerror or error})") from None

    def _damaged(self, problem: str) -> InvalidInputError:
        return InvalidInputError(problem, place=(self.label,), next_step="fetch the file again")


def open_members(path: str) -> list[Member]:
    """Return the texts in a file: itself (plain or gzip), or the members of a zip archive in name order.

    A zip archive holds one member, or several of which those that end in .csv (if there are
    none, in .json, .jsonl or .ndjson) are taken. ``-`` is standard input, which is copied to a
    temporary file first.

    Raises:
        InvalidInputError: no such file, or the archive is damaged, encrypted or holds nothing to read.
    """
    if path == STANDARD_INPUT:
        return _members_of(_StandardInput(), "standard input", None)
    return _members_of(Path(path), path, _safe_name(Path(path).name))


def _members_of(stored: Path | _StandardInput, label: str, name: str | None) -> list[Member]:
    with _stored_bytes(stored, label) as stream:
        if not _starts_with(stream, _ZIP_MAGICS):
            return [Member(label, name, stored)]
        try:
            with zipfile.ZipFile(stream) as archive:
                chosen = _choose(archive, label)
        except zipfile.BadZipFile as error:
            raise InvalidInputError(
                f"the zip archive is damaged ({error})", place=(label,), next_step="fetch the file again"
            ) from None
    if len(chosen) == 1:
        return [Member(label, name, stored, chosen[0])]
    return [
        Member(f"{label}:{member}", _safe_name(f"{name or 'stdin'}:{member}"), stored, member)
        for member in chosen
    ]


def _choose(archive: zipfile.ZipFile, label: str) -> list[str]:
    entries = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir()
        and not entry.filename.startswith("__MACOSX/")
        and not entry.filename.startswith(".")
    ]
    if any(entry.flag_bits & 1 for entry in entries):
        raise InvalidInputError("the zip archive is encrypted", place=(label,), next_step="unpack it first")
    names = sorted(entry.filename for entry in entries)
    if len(names) == 1:
        return names
    for suffixes in (_TABLE_SUFFIXES, _JSON_SUFFIXES):
        chosen = [name for name in names if name.lower().endswith(suffixes)]
        if chosen:
            return chosen
    raise InvalidInputError(
        f"the zip archive holds {len(names)} files, none of them .csv or .json",
        place=(label,),
        next_step="unpack it",
    )


@contextmanager
def _stored_bytes(stored: Path | _StandardInput, label: str) -> Iterator[IO[bytes]]:
    if not isinstance(stored, Path):
        stored.file.seek(0)
        yield stored.file
        return
    try:
        stream = stored.open("rb")
    except FileNotFoundError:
        raise InvalidInputError("there is no such file", place=(label,)) from None
    except IsADirectoryError:
        raise InvalidInputError("this is a folder, a file is wanted", place=(label,)) from None
    except OSError as error:
        raise InvalidInputError(f"the file cannot be opened ({error.strerror})", place=(label,)) from None
    with stream:
        yield stream


def _starts_with(stream: IO[bytes], magics: tuple[bytes, ...]) -> bool:
    start = stream.read(max(map(len, magics)))
    stream.seek(0)
    return start.startswith(magics)


def _safe_name(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", os.path.normpath(name))[:256]
