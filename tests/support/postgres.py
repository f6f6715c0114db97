"""A Postgres for the tests: LEDGER_TEST_DATABASE_URL, else one embedded server for the whole run."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_SYSTEM_FOLDER_PREFIX = "margin-ledger-tests-"


@contextmanager
def running_server(home: Path) -> Iterator[str]:
    """Give the URL of a server; processes that name the same home share one."""
    given = os.environ.get("LEDGER_TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql+psycopg://", "postgresql://", 1)
        return
    from ledger.store.embedded import EmbeddedServer

    with EmbeddedServer.start(home) as server:
        yield server.url


@contextmanager
def fresh_database(
    server_url: str, *, like: str | None = None, keep_roles_of: str | None = None
) -> Iterator[str]:
    """Give the URL of a new database on a server and drop it at the end, whoever is connected.

    It is empty, or a copy of the database with the URL ``like``, to which nobody may be connected. The
    ledger's roles go with it, other than those that it shares with what it is a copy of, or with the
    database ``keep_roles_of``.
    """
    name = f"ledger_test_{uuid.uuid4().hex}"
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    with psycopg.connect(server_url, autocommit=True) as connection:
        template = "template0" if like is None else urlsplit(like).path.removeprefix("/")
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    shared = set() if like is None else ledger_roles(url)
    if keep_roles_of is not None:
        shared |= ledger_roles(keep_roles_of)
    try:
        yield url
    finally:
        drop_database(server_url, url, keep=shared)


def ledger_roles(url: str) -> set[str]:
    """Return the names of the roles of a database's ledger, of which there may be none."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('public.ledger_roles')").fetchone() == (None,):
            return set()
        return {name for (name,) in connection.execute("SELECT role FROM public.ledger_roles").fetchall()}


def drop_database(server_url: str, url: str, *, keep: AbstractSet[str] = frozenset()) -> None:
    """Drop a database and the roles of its ledger."""
    roles = ledger_roles(url) - keep
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        for role in sorted(roles):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def make_system_folder() -> Path | None:
    """As root, make a folder for this run's embedded servers that their account can reach.

    Pytest's own folders are private. What killed runs have left is removed; a server whose files are
    gone ends by itself within a minute.
    """
    if os.geteuid() != 0:
        return None
    temporary = Path(tempfile.gettempdir())
    for left in temporary.glob(f"{_SYSTEM_FOLDER_PREFIX}*"):
        process_id = left.name.removeprefix(_SYSTEM_FOLDER_PREFIX).partition("-")[0]
        if left.lstat().st_uid == 0 and process_id.isdigit() and not Path("/proc", process_id).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_SYSTEM_FOLDER_PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    return folder
