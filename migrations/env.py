"""Alembic's entry: runs the migrations on the connection it is handed, or on LEDGER_DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection, create_engine

from ledger.settings import Settings
from ledger.store.database import sqlalchemy_url
from ledger.store.schema import metadata


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


def run_offline() -> None:
    """Print the SQL instead of running it (alembic upgrade head --sql)."""
    context.configure(dialect_name="postgresql", literal_binds=True, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    run_offline()
elif given is not None:
    run(given)
else:
    with Settings.load().database() as url:
        engine = create_engine(sqlalchemy_url(url))
        with engine.connect() as connection:
            run(connection)
        engine.dispose()
