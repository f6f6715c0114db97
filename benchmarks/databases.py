"""A database of its own for a measurement."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """Give the URL of a new database on a server; it and its ledger's roles are gone afterwards."""
    name = f"ledger_benchmark_{uuid.uuid4().hex[:12]}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield url
    finally:
        with psycopg.connect(url) as connection:
            made = connection.execute("SELECT to_regclass('ledger_roles')").fetchone() != (None,)
            roles = connection.execute("SELECT role FROM ledger_roles").fetchall() if made else []
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            for (role,) in roles:
                connection.execute(f"DROP ROLE {role}".encode())
