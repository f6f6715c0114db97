"""The folders and files of an embedded server: where they are, whose they are, who may enter.

As an ordinary user everything is in ``<home>/postgres``. As root the server needs an
unprivileged account, which may be unable to reach the home at all; its folder is then made in
the system folder and ``<home>/postgres`` holds a pointer. Nothing outside these
folders changes owner or mode.
"""

from __future__ import annotations

import fcntl
import grp
import hashlib
import os
import pwd
import stat
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import EmbeddedServerError
from ledger.outside.writing import sync_folder
from ledger.store.embedded.binaries import Account, make_readable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_SYSTEM_FOLDER = Path("/var/lib/margin-ledger")
PORT = 5432

_ACCOUNT_NAMES = ("postgres", "nobody")
# systemd's table of ids (uids-gids) keeps these free of users, services and containers; ids above
# 65535 do not exist inside most rootless containers.
_PRIVATE_GROUP_IDS = range(60578, 61184)
# sun_path of Linux has 108 bytes and of BSD and macOS 104, the closing zero included.
_LONGEST_SOCKET_PATH_BYTES = 103


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of one embedded server is.

    Attributes:
        folder: the server's own folder, which nobody else may enter.
        account: whom the server runs as, or None where that is the user of this process.
    """

    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """Postgres's data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.folder / "server.log"

    @property
    def running(self) -> Path:
        """The file that every process of the server keeps locked as long as it lives."""
        return self.folder / "running"

    @property
    def users(self) -> Path:
        """The file that every process using the server keeps locked."""
        return self.folder / "users"

    @property
    def owner_id(self) -> int:
        """The user whose the data is."""
        return os.geteuid() if self.account is None else self.account.user_id


def system_folder() -> Path:
    """Return where root's embedded servers are: ``LEDGER_SYSTEM_DIR``, else ``/var/lib/margin-ledger``."""
    return Path(os.environ.get("LEDGER_SYSTEM_DIR") or DEFAULT_SYSTEM_FOLDER).absolute()


def lock(path: Path, *, shared: bool = False) -> int:
    """Open a file of ours, wait for its lock, and return its descriptor for ``unlock``.

    Locks are of the ``flock`` kind: they belong to the open file, so they end with the last
    process that has it open however that process ends, and are seen across containers.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def try_lock(path: Path) -> int | None:
    """Lock a file of ours if nobody has it locked and return its descriptor, else None."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def unlock(descriptor: int) -> None:
    """Let go of a lock, also where another thread's fork has just copied the open file."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock that serialises what changes a folder: making, starting, stopping."""
    descriptor = lock(folder / "lock")
    try:
        yield
    finally:
        unlock(descriptor)


def control_folder(home: Path) -> Path:
    """Make ``<home>/postgres``, open to this user only, where it does not exist, and return it.

    Raises:
        EmbeddedServerError: the home or the folder belongs to, or is open to, somebody else.
        OSError: the home cannot be made or written.
    """
    home = home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = home.lstat()
    if found.st_uid != os.geteuid():
        raise EmbeddedServerError(
            f"the home folder {home} belongs to user {user_name(found.st_uid)}, "
            f"not to {user_name(os.geteuid())}",
            next_step=f"run this as {user_name(found.st_uid)}, or give another --home",
        )
    if found.st_mode & stat.S_IWOTH:
        raise EmbeddedServerError(
            f"the home folder {home} can be written by every user, who could put another ledger in its place",
            next_step=f"chmod o-w {home}, or give another --home",
        )
    return _private_folder(home / "postgres", os.geteuid())


def find_layout(home: Path) -> Layout | None:
    """Return where the server of this home is, or None if none was made; changes nothing.

    Raises:
        EmbeddedServerError: the pointer leads nowhere, or to a folder that is not ours.
    """
    control = home.resolve() / "postgres"
    if os.geteuid() != 0:
        return Layout(control, None) if (control / "data").exists() else None
    pointer = control / "location"
    if not pointer.exists():
        return None
    folder = Path(pointer.read_text().rstrip("\n"))
    data = folder / "data"
    try:
        found, owner = folder.lstat(), data.lstat()
    except FileNotFoundError as error:
        raise EmbeddedServerError(
            f"the embedded server's folder is gone: {pointer} names {folder}, "
            f"and {error.filename} does not exist",
            next_step=f"put it back from a backup; or delete {pointer} to begin an empty ledger",
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o027 or owner.st_uid == 0:
        raise EmbeddedServerError(
            f"the embedded server's folder {folder} is not as it was made: it has to be a folder "
            "that belongs to root with mode 0710, and its data to an unprivileged user",
            next_step=f"find out who changed it; then chown root {folder} && chmod 0710 {folder}",
        )
    return Layout(folder, Account(owner.st_uid, found.st_gid))


def make_layout(home: Path, control: Path) -> Layout:
    """Return where the server of this home is, making its folders where there are none.

    Raises:
        EmbeddedServerError: as root, there is no unprivileged user to run the server as.
        OSError: a folder cannot be made.
    """
    if os.geteuid() != 0:
        return Layout(control, None)
    found = find_layout(home)
    if found is not None:
        return found
    base = system_folder()
    make_readable_folder(base)
    if base.stat().st_uid != 0 or base.stat().st_mode & 0o022:
        raise EmbeddedServerError(
            f"the system folder {base} has to belong to root and be writable by root alone",
            next_step=f"chown root {base} && chmod go-w {base}, or set LEDGER_SYSTEM_DIR to another folder",
        )
    closed = [folder for folder in (base, *base.parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if closed:
        raise EmbeddedServerError(
            f"the system folder {base} cannot be reached by the user that Postgres has to run as: "
            f"{closed[-1]} is closed to others",
            next_step="set LEDGER_SYSTEM_DIR to a folder that every user may enter",
        )
    name = hashlib.sha256(os.fsencode(control)).hexdigest()[:12]
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    account = _unprivileged_account(name)
    # The server alone may pass, and only to what it owns: others of the same user have another group.
    os.chown(folder, 0, account.group_id)
    folder.chmod(0o710)
    (folder / "home").write_text(f"{control.parent}\n")
    layout = Layout(folder, account)
    layout.data.mkdir(mode=0o700)
    os.chown(layout.data, account.user_id, account.group_id)
    draft = control / "location.new"
    with draft.open("w") as pointer:
        pointer.write(f"{folder}\n")
        pointer.flush()
        os.fsync(pointer.fileno())
    draft.replace(control / "location")
    for made_in in (base, folder, control, control.parent):
        sync_folder(made_in)  # survives a power failure, as Postgres makes what is in its files
    return layout


def socket_folder(layout: Layout) -> Path:
    """Return the folder of the server's socket, open to its owner only, making it where there is none.

    A path that a socket address cannot hold is replaced by a short one that is remembered in a file.

    Raises:
        EmbeddedServerError: the folder is not ours alone, or root's system folder has too long a path.
    """
    folder = layout.folder / "socket"
    if _holds_socket(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        if layout.account is not None:
            os.chown(folder, layout.account.user_id, layout.account.group_id, follow_symlinks=False)
        return _private_folder(folder, layout.owner_id, make=False)
    if layout.account is not None:
        # In /tmp the folder would be at the mercy of every other process of the account.
        raise EmbeddedServerError(
            f"the path {folder} is too long for a socket, or has a comma, a quote or a line break",
            next_step="set LEDGER_SYSTEM_DIR to a shorter one",
        )
    remembered = layout.folder / "socket_folder"
    with suppress(FileNotFoundError, EmbeddedServerError):
        return _private_folder(Path(remembered.read_text().rstrip("\n")), layout.owner_id, make=False)
    folder = Path(tempfile.mkdtemp(prefix="margin-ledger-", dir=_short_folder()))
    remembered.write_text(f"{folder}\n")
    return folder


def clear_socket_folder(folder: Path) -> None:
    """Remove the socket and its lock file of a server that has ended; its number may be another's."""
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (folder / name).unlink(missing_ok=True)


def forget_socket_folder(layout: Layout) -> None:
    """Remove a socket folder that is not inside the server's own folder; the server has ended."""
    remembered = layout.folder / "socket_folder"
    with suppress(OSError):
        folder = Path(remembered.read_text().rstrip("\n"))
        clear_socket_folder(folder)
        folder.rmdir()
        remembered.unlink()


def _short_folder() -> str:
    """Return where a folder with a short path can be made: the user's runtime folder, else ``/tmp``."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = (
        runtime and _holds_socket(Path(runtime, "margin-ledger-12345678")) and os.access(runtime, os.W_OK)
    )
    return runtime if usable else "/tmp"  # noqa: S108 - mkdtemp makes it, so nobody can have made it before


def _holds_socket(folder: Path) -> bool:
    path = str(folder / f".s.PGSQL.{PORT}")
    # libpq and Postgres read a list of folders where there is a comma, and postmaster.pid has lines.
    return len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES and not set(path) & set(',"\n')


def _private_folder(path: Path, owner_id: int, *, make: bool = True) -> Path:
    """Return a folder after checking that it is one, that it is ``owner_id``'s, and closed to others."""
    if make:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner_id or found.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{path} has to be a folder that belongs to user {user_name(owner_id)} with mode 0700; "
            f"it has mode {stat.filemode(found.st_mode)} and belongs to {user_name(found.st_uid)}",
            next_step=f"find out who changed it; then set its owner and mode (chmod 0700 {path})",
        )
    return path


def _unprivileged_account(seed: str) -> Account:
    """Choose a user that exists and a group that nobody is in."""
    for name in _ACCOUNT_NAMES:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            if user.pw_uid != 0:
                return Account(user.pw_uid, _unused_group_id(seed))
    raise EmbeddedServerError(
        f"Postgres does not run as root, and no user {' or '.join(_ACCOUNT_NAMES)} exists to run it as",
        next_step="run this as an ordinary user, or give --database URL",
    )


def _unused_group_id(seed: str) -> int:
    """Return a group number that no group has, the same one for the same seed where it is still free."""
    first = int(seed, 16) % len(_PRIVATE_GROUP_IDS)
    for group_id in (*_PRIVATE_GROUP_IDS[first:], *_PRIVATE_GROUP_IDS[:first]):
        try:
            grp.getgrgid(group_id)
        except KeyError:
            return int(group_id)
    raise EmbeddedServerError(
        f"every group number from {_PRIVATE_GROUP_IDS[0]} to {_PRIVATE_GROUP_IDS[-1]} is taken",
        next_step="run this as an ordinary user, or give --database URL",
    )


def user_name(user_id: int) -> str:
    """Return a user's name, or its number where it has none."""
    try:
        return str(pwd.getpwuid(user_id).pw_name)
    except KeyError:
        return str(user_id)
