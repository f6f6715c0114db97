"""Alembic's entry: runs the migrations on the connection it is handed, or on LEDGER_DATABASE_URL."""

from typing import Any

from alembic import context
from sqlalchemy import Connection

from ledger.settings import Settings
from ledger.store.database import make_engine
from ledger.store.schema import metadata as event_tables
from replay.store.schema import SETS
from replay.store.schema import metadata as read_models


def ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Whether autogenerate looks at a schema: the default one, and those of the read models."""
    return kind != "schema" or name is None or name in SETS


OPTIONS: dict[str, Any] = {
    "target_metadata": [event_tables, read_models],
    "include_schemas": True,
    "include_name": ours,
}


def run(connection: Connection) -> None:
    context.configure(connection=connection, compare_type=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_offline() -> None:
    """Print the SQL instead of running it (alembic upgrade head --sql)."""
    context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    run_offline()
elif given is not None:
    run(given)
else:
    with Settings.load().database() as url:
        engine = make_engine(url)
        with engine.connect() as connection:
            run(connection)
        engine.dispose()
