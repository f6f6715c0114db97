"""Starting, sharing and stopping the embedded server.

Three locks carry the whole protocol, and the kernel lets go of each when its holders end,
however they end. ``lock`` is held while a process starts or stops the server. ``users`` is
shared by every process that uses it; who leaves and is alone stops it. ``running`` is handed
to the server, whose every process keeps it: it says, where a process number cannot (numbers are
used again, and differ between containers), whether the server or a piece of it still lives.
"""

from __future__ import annotations

import logging
import os
import signal
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import psycopg
from psycopg.pq import PGconn, Ping

from ledger.errors import EmbeddedServerError
from ledger.store.embedded.folders import (
    PORT,
    Layout,
    control_folder,
    find_layout,
    forget_socket_folder,
    lock,
    make_layout,
    one_at_a_time,
    socket_folder,
    try_lock,
    unlock,
)
from ledger.store.embedded.launch import NAME, data_version, launch, log_tail, recorded_process_id

if TYPE_CHECKING:
    from collections.abc import Iterator

_logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 120  # how long a living server may refuse to say even that it is starting
_NOTICE_SECONDS = 5
_STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class EmbeddedServerStatus:
    """What there is of an embedded server.

    Attributes:
        running: whether any process of it lives.
        process_id: of the postmaster, or None where it does not run.
        data_directory: Postgres's data folder, or None where none was made.
        size_bytes: of the files in it, 0 where there is none.
        major: the major version of Postgres that wrote it, or None.
    """

    running: bool
    process_id: int | None
    data_directory: Path | None
    size_bytes: int
    major: str | None


class EmbeddedServer:
    """A running server that this process uses; a context manager that leaves it at the end.

    Attributes:
        url: how libpq and psycopg reach its database; it holds no secret.
        data_directory: Postgres's data folder.
        version: of Postgres, for example ``18.6``.
    """

    def __init__(self, layout: Layout, users: int, url: str, version: str) -> None:
        self._layout = layout
        self._users: int | None = users
        self.url = url
        self.data_directory = layout.data
        self.version = version
        forget = weakref.WeakMethod(self._forget)
        # A child of fork shares the open file; closing its copy leaves the lock to the parent alone.
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    @classmethod
    def start(cls, home: Path) -> Self:
        """Make, start or join the server of a home folder, and return once it takes connections.

        However long recovery after a crash takes is waited for.

        Raises:
            EmbeddedServerError: no wheel is installed, the home cannot be used, or the server ended; then the
                end of its log is in the message.
        """
        with _explained(home):
            control = control_folder(home)
            with one_at_a_time(control):
                layout = make_layout(home, control)
            with one_at_a_time(layout.folder):
                users = lock(layout.users, shared=True)
                try:
                    folder = _bring_up(layout)
                    version = _prepare_database(folder)
                except BaseException:
                    unlock(users)
                    raise
        url = f"postgresql://{NAME}@/{NAME}?host={quote(str(folder), safe='')}&port={PORT}"
        return cls(layout, users, url, version)

    @classmethod
    def status(cls, home: Path) -> EmbeddedServerStatus:
        """Return what there is in a home folder, without making, starting or changing anything.

        Raises:
            EmbeddedServerError: the home holds something that is not ours, or may not be read.
        """
        with _explained(home):
            layout = find_layout(home)
            if layout is None:
                return EmbeddedServerStatus(
                    running=False, process_id=None, data_directory=None, size_bytes=0, major=None
                )
            idle = try_lock(layout.running)
            if idle is not None:
                unlock(idle)
            return EmbeddedServerStatus(
                running=idle is None,
                process_id=None if idle is not None else _postmaster(layout),
                data_directory=layout.data,
                size_bytes=_size(layout.data),
                major=data_version(layout),
            )

    def stop(self) -> None:
        """Leave the server, and stop it if nobody else uses it; a second call does nothing.

        Raises:
            EmbeddedServerError: the server was asked to stop and is still there after a minute.
        """
        users, self._users = self._users, None
        if users is None:
            return
        if not self._layout.folder.exists():
            # Somebody deleted it; the server notices within a minute that its files are gone, and ends.
            unlock(users)
            return
        with _explained(self._layout.folder), one_at_a_time(self._layout.folder):
            unlock(users)
            alone = try_lock(self._layout.users)
            if alone is not None:
                unlock(alone)
                _shut_down(self._layout)

    def _forget(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    """Turn what the operating system or libpq refused into this module's error."""
    try:
        yield
    except OSError as error:
        named = f": {error.filename}" if error.filename is not None else ""
        raise EmbeddedServerError(
            f"the embedded server of {home} cannot be used: {error.strerror or error}{named}",
            next_step="check the folder's owner and mode and the free space, or give another --home, "
            "or --database URL",
        ) from error
    except psycopg.Error as error:
        raise EmbeddedServerError(
            f"the embedded server of {home} runs but refuses a connection: {str(error).strip()}",
            next_step="ledger doctor",
        ) from error


def _bring_up(layout: Layout) -> Path:
    """Return the socket folder once the server answers, starting it if nothing of it lives."""
    folder = socket_folder(layout)
    idle = _wait(layout, folder)
    if idle is not None:
        try:
            launch(layout, folder, idle)
        except BaseException:
            forget_socket_folder(layout)
            raise
        finally:
            # Not unlocked: the server has it open, and keeps it.
            os.close(idle)
        idle = _wait(layout, folder)
        if idle is not None:
            forget_socket_folder(layout)
            unlock(idle)
            raise EmbeddedServerError(
                f"the embedded server ended while it started; the end of {layout.log}:\n{log_tail(layout)}",
                next_step="put right what the log names, for example free disk space; then try again",
            )
    return folder


def _wait(layout: Layout, folder: Path) -> int | None:
    """Wait until the server answers (None) or nothing of it lives (the locked file that says so)."""
    began = heard = time.monotonic()
    pause, noticed = 0.005, False
    address = f"host='{_in_quotes(folder)}' port={PORT} dbname=postgres user={NAME}".encode()
    while True:
        idle = try_lock(layout.running)
        if idle is not None:
            return idle
        answer = PGconn.ping(address)
        if answer == Ping.OK:
            return None
        now = time.monotonic()
        if answer == Ping.REJECT:
            heard = now
        if now - heard > _SILENCE_SECONDS:
            raise EmbeddedServerError(
                f"something of the embedded server in {layout.folder} still lives but answers nobody",
                next_step=f"see {layout.log}; end what `fuser {layout.running}` names, then try again",
            )
        if not noticed and now - began > _NOTICE_SECONDS:
            noticed = True
            _logger.warning(
                "waiting for the embedded server (it may be recovering from a crash): %s", layout.log
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def _prepare_database(folder: Path) -> str:
    """Make the database where there is none and return Postgres's version."""
    with psycopg.connect(
        host=str(folder), port=PORT, user=NAME, dbname="postgres", autocommit=True
    ) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [NAME]).rowcount == 0:
            connection.execute(f"CREATE DATABASE {NAME}")
        major, minor = divmod(connection.info.server_version, 10000)
    return f"{major}.{minor}"


def _shut_down(layout: Layout) -> None:
    """Stop the server and wait until nothing of it lives."""
    process_id = _postmaster(layout)
    if process_id is None:
        # It is ending already, or it was started in another container and cannot be told from here.
        return
    with suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGINT)
    deadline = time.monotonic() + _STOP_SECONDS
    while (idle := try_lock(layout.running)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server in {layout.folder} did not stop within {_STOP_SECONDS} s",
                next_step=f"see {layout.log}; end what `fuser {layout.running}` names",
            )
        time.sleep(0.005)
    unlock(idle)
    forget_socket_folder(layout)


def _postmaster(layout: Layout) -> int | None:
    """Return the process number of a server that lives, or None if it cannot be told to be the server's."""
    process_id = recorded_process_id(layout)
    if process_id is None:
        return None
    if not Path("/proc/self").exists():
        return process_id
    process = Path("/proc", str(process_id))
    try:
        # The postmaster's folder is its data folder, also after that was moved.
        found = (process / "cwd").samefile(layout.data)
    except PermissionError:
        found = os.fsencode(layout.data) in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        found = False
    return process_id if found else None


def _size(folder: Path) -> int:
    """Return the bytes of the files below a folder; files come and go while a server runs."""
    size = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            with suppress(FileNotFoundError):
                size += Path(parent, file).lstat().st_size
    return size


def _in_quotes(value: Path) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")
