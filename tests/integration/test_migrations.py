"""``alembic upgrade head`` makes exactly what is declared: tables of ledger and replay, and the guards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from ledger.store.database import make_engine
from ledger.store.migrate import upgrade
from ledger.store.schema import metadata as event_tables
from replay.store.schema import SETS
from replay.store.schema import metadata as read_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

REVIEWED = Path(__file__).parent / "reviewed_guards.sql"
FUNCTIONS = """
    SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p
    WHERE p.pronamespace = 'public'::regnamespace
    ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C"
"""
TRIGGERS = """
    SELECT pg_get_triggerdef(t.oid) || '; -- enabled: '
        || CASE t.tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin' ELSE 'no' END
    FROM pg_trigger AS t WHERE NOT t.tgisinternal
    ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname COLLATE "C"
"""
EVENT_TRIGGERS = """
    SELECT format(
            'CREATE EVENT TRIGGER %s ON %s EXECUTE FUNCTION %s', evtname, evtevent, evtfoid::regprocedure)
        || '; -- enabled: ' || CASE evtenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin' ELSE 'no' END
    FROM pg_event_trigger ORDER BY evtname COLLATE "C"
"""
COLUMNS = """
    SELECT table_schema, table_name, column_name, collation_name, generation_expression
    FROM information_schema.columns
    WHERE table_schema IN ('public', 'read_models', 'read_models_shadow')
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url)
    upgrade(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "schema" or name is None or name in SETS


def test_the_tables_are_those_that_are_declared(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_schemas": True,
            "include_name": _ours,
            "target_metadata": [event_tables, read_models],
        },
    )
    # Alembic takes a list, though its type does not say so.
    assert compare_metadata(context, [event_tables, read_models]) == []  # type: ignore[arg-type]


def test_collations_and_computed_columns_are_those_that_are_declared(connection: Connection) -> None:
    rows = connection.execute(text(COLUMNS)).all()
    found = {(row.table_schema, row.table_name, row.column_name): row for row in rows}
    for metadata in (event_tables, read_models):
        for table in metadata.tables.values():
            for column in table.columns:
                row = found[table.schema or "public", table.name, column.name]
                assert row.collation_name == getattr(column.type, "collation", None), column
                assert (row.generation_expression is not None) == (column.computed is not None), column


def test_guard_functions_and_triggers_are_those_that_were_reviewed(connection: Connection) -> None:
    """After a reviewed change: LEDGER_WRITE_REVIEWED_GUARDS=1 pytest tests/integration/test_migrations.py."""
    server = f"-- As Postgres {connection.dialect.server_version_info[0]} prints them.\n\n"  # type: ignore[index]
    functions = connection.execute(text(FUNCTIONS)).scalars().all()
    triggers = connection.execute(text(TRIGGERS)).scalars().all()
    event_triggers = connection.execute(text(EVENT_TRIGGERS)).scalars().all()
    definitions = (*functions, *triggers, *event_triggers)
    found = server + "".join(f"{definition.strip()}\n\n" for definition in definitions)
    if os.environ.get("LEDGER_WRITE_REVIEWED_GUARDS"):
        REVIEWED.write_text(found, encoding="utf-8")
    reviewed = REVIEWED.read_text(encoding="utf-8")
    if not reviewed.startswith(server):
        pytest.skip(f"every Postgres prints definitions its own way; reviewed: {reviewed.splitlines()[0]}")
    assert found == reviewed


def test_both_sets_of_read_models_have_the_same_indexes_and_constraints(connection: Connection) -> None:
    def of(schema: str) -> list[tuple[Any, ...]]:
        rows = connection.execute(
            text(
                "SELECT tablename, indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes "
                "WHERE schemaname = :schema ORDER BY 1, 2"
            ),
            {"schema": schema},
        )
        return [tuple(row) for row in rows]

    live, shadow = map(of, SETS)
    assert live == shadow
    assert len(live) == 8 + 3
