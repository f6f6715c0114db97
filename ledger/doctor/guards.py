"""Whether the guards are in force: triggers, event triggers, and the functions that they run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from ledger.store.migrate import migrations_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.doctor.mending import Mending

GUARDS = (
    ("event_subjects", "refuse_change"),
    ("event_subjects", "refuse_direct_change"),
    ("events", "guard_append"),
    ("events", "guard_roles"),
    ("events", "guard_tree"),
    ("events", "refuse_change"),
    ("ledger_head", "refuse_change"),
    ("ledger_head", "refuse_direct_change"),
    ("ledger_roles", "refuse_change"),
    ("tree_nodes", "refuse_change"),
    ("tree_nodes", "refuse_direct_change"),
)
"""Table and trigger."""

EVENT_TRIGGERS = ("ledger_refuse_ddl", "ledger_refuse_ddl_start")

_SAFE_PATH = "search_path=pg_catalog, pg_temp"
FUNCTIONS: Mapping[str, tuple[bool, str | None]] = MappingProxyType(
    {
        "ledger_are_canonical_keys": (False, _SAFE_PATH),
        "ledger_guard_append": (True, _SAFE_PATH),
        "ledger_grow_tree": (False, _SAFE_PATH),
        "ledger_guard_roles": (True, _SAFE_PATH),
        "ledger_guard_tree": (True, _SAFE_PATH),
        "ledger_lock_head": (True, _SAFE_PATH),
        "ledger_refuse_change": (False, _SAFE_PATH),
        "ledger_refuse_direct_change": (False, _SAFE_PATH),
        "ledger_tile_root": (False, _SAFE_PATH),
        "ledger_time_text": (False, None),
    }
)
"""Function of the owner role → whether it runs with the owner's rights, and its fixed search_path.

None of the schemas is one that others can make things in. The one without names every schema itself.
"""

_TRIGGERS = """
    SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
"""
_EVENT_TRIGGERS = """
    SELECT e.evtname, e.evtenabled, r.rolsuper, p.prosrc
    FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = e.evtfoid JOIN pg_roles AS r ON r.oid = p.proowner
    WHERE p.proname = 'ledger_refuse_ddl' AND p.pronamespace = 'public'::regnamespace
"""
_FUNCTIONS = """
    SELECT p.proname, p.oid::regprocedure::text, pg_get_userbyid(p.proowner), p.prosrc, p.prosecdef,
        (SELECT max(option) FROM unnest(p.proconfig) AS option WHERE option LIKE 'search_path=%%')
    FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY(%s)
"""
_OTHER_FUNCTIONS = """
    SELECT format('%%I.%%I(%%s)', n.nspname, proname, pg_get_function_identity_arguments(p.oid))
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace
    WHERE prosecdef AND NOT (nspname = 'public' AND proname = ANY(%s))
        AND proowner = to_regrole(%s) ORDER BY 1
"""
# What can run at an append, or hide rows, and is none of the migrations'. The functions and operators of the
# server itself are not in pg_depend, so what constraints, defaults and indexes of ours use is not found.
_ADDITIONS = """
    WITH tables AS (
        SELECT oid, relname, relrowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%s)
    ), code AS (
        SELECT classid, objid FROM pg_depend
        WHERE refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
    )
    SELECT relname, format('trigger %%I', tgname), format('DROP TRIGGER %%I ON %%I', tgname, relname)
    FROM tables JOIN pg_trigger ON tgrelid = tables.oid
    WHERE NOT tgisinternal AND relname || '.' || tgname <> ALL (%s)
    UNION ALL
    SELECT relname, format('rule %%I', rulename), format('DROP RULE %%I ON %%I', rulename, relname)
    FROM tables JOIN pg_rewrite ON ev_class = tables.oid
    UNION ALL
    SELECT relname, 'row level security', format('ALTER TABLE %%I DISABLE ROW LEVEL SECURITY', relname)
    FROM tables WHERE relrowsecurity
    UNION ALL
    SELECT relname, format('constraint %%I', conname),
        format('ALTER TABLE %%I DROP CONSTRAINT %%I', relname, conname)
    FROM tables JOIN pg_constraint AS c ON conrelid = tables.oid
    WHERE ('pg_constraint'::regclass, c.oid) IN (TABLE code)
    UNION ALL
    SELECT relname, format('default of %%I', attname),
        format('ALTER TABLE %%I ALTER COLUMN %%I DROP DEFAULT', relname, attname)
    FROM tables JOIN pg_attrdef AS d ON adrelid = tables.oid
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE ('pg_attrdef'::regclass, d.oid) IN (TABLE code)
    UNION ALL
    SELECT relname, format('index %%s', indexrelid::regclass), format('DROP INDEX %%s', indexrelid::regclass)
    FROM tables JOIN pg_index ON indrelid = tables.oid
    WHERE ('pg_class'::regclass, indexrelid) IN (TABLE code)
    ORDER BY 1, 2
"""
_BODY = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (?:public\.)?(\w+)(?:(?!^CREATE ).)*?\bAS \$\$(.*?)\$\$",
    re.MULTILINE | re.DOTALL,
)
_STATES = {"A": "always", "O": "not in replicas", "R": "in replicas only", "D": "off"}


@dataclass(slots=True)
class FoundGuards:
    """In what state each guard is, by name, and what is amiss."""

    states: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def event_triggers_exist(connection: Connection) -> bool:
    """Return whether DDL on the ledger is looked at."""
    return bool(connection.exec_driver_sql(_EVENT_TRIGGERS).all())


def examine_triggers(connection: Connection, mending: Mending | None) -> FoundGuards:
    """Look at the triggers of the tables; without ``mending`` there are no roles yet."""
    found = FoundGuards()
    states = {(table, name): enabled for table, name, enabled in connection.exec_driver_sql(_TRIGGERS)}
    for table, name in GUARDS:
        state = _STATES.get(states.get((table, name), ""), "missing")
        if mending is None and state == "missing":
            continue  # of a later revision, which is said elsewhere
        found.states[f"{table}.{name}"] = state
        if state != "always":
            enable = f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
            found.problems.append(
                f"the guard {name} of {table} is not in force (next: ledger verify, then "
                f"{enable if mending is None else mending.as_owner(enable)})"
            )
    return found


def examine_event_triggers(connection: Connection) -> FoundGuards:
    """Look at what refuses DDL on the ledger."""
    found = FoundGuards()
    rows = {name: row for name, *row in connection.exec_driver_sql(_EVENT_TRIGGERS)}
    script = migrations_folder() / "sql" / "0003_refuse_ddl.sql"
    make = f"a superuser runs psql --dbname=DATABASE --single-transaction --file={script}"
    for name in EVENT_TRIGGERS:
        enabled, function_of_superuser, body = rows.get(name, ("", True, None))
        state = _STATES.get(enabled, "missing")
        found.states[name] = state
        if state == "missing":
            found.problems.append(
                f"the event trigger {name} is missing: DDL on the ledger is not refused (next: {make})"
            )
            continue
        if state != "always":
            found.problems.append(
                f"the event trigger {name} is not in force (next: ledger verify, then "
                f"ALTER EVENT TRIGGER {name} ENABLE ALWAYS)"
            )
        if body != _shipped_bodies()["ledger_refuse_ddl"]:
            found.problems.append(
                f"the function of the event trigger {name} is not the one of this program's migrations "
                f"(next: ledger verify, then {make})"
            )
        # No DDL before that: it would run the function as the superuser.
        if not function_of_superuser:
            found.problems.append(
                f"the function of the event trigger {name} belongs to no superuser, so its owner can become "
                f"one at a superuser's next DDL (next: {make})"
            )
    return found


def examine_functions(connection: Connection, mending: Mending) -> list[str]:
    """Return what is amiss with the functions: owner, search_path, rights, body."""
    others = connection.exec_driver_sql(_OTHER_FUNCTIONS, (list(FUNCTIONS), mending.owner)).scalars()
    problems = [
        f"the function {signature}, which is none of this program's, runs with the owner role's rights "
        f"(next: ledger verify, then {mending.as_owner(f'ALTER FUNCTION {signature} SECURITY INVOKER')})"
        for signature in others
    ]
    rows = connection.exec_driver_sql(_FUNCTIONS, (list(FUNCTIONS),)).all()
    problems += [
        f"the function {name} is missing (next: restore a backup, then ledger verify)"
        for name in FUNCTIONS.keys() - {row[0] for row in rows}
    ]
    shipped = _shipped_bodies()
    for name, signature, owner, body, with_owner_rights, search_path in rows:
        wanted_rights, wanted_path = FUNCTIONS[name]
        if owner != mending.owner and body != shipped[name]:
            # Given to the owner role, it would run with its rights.
            problems.append(
                f"the function {signature} of {owner} is none of this program's "
                f"(next: DROP FUNCTION public.{signature})"
            )
            continue
        if owner != mending.owner:
            problems.append(
                f"the function {name} belongs to {owner} (next: "
                f"{mending.as_superuser(f'ALTER FUNCTION public.{signature} OWNER TO {mending.owner}')})"
            )
        if search_path != wanted_path:
            change = (
                "RESET search_path" if wanted_path is None else f"SET {wanted_path.replace('=', ' = ', 1)}"
            )
            problems.append(
                f"the function {name} has {search_path or 'no fixed search_path'} (next: "
                f"{mending.as_owner(f'ALTER FUNCTION public.{signature} {change}')})"
            )
        if with_owner_rights != wanted_rights:
            change = f"SECURITY {'DEFINER' if wanted_rights else 'INVOKER'}"
            problems.append(
                f"the function {name} runs with its {'owner' if with_owner_rights else 'caller'}'s rights "
                f"(next: {mending.as_owner(f'ALTER FUNCTION public.{signature} {change}')})"
            )
        if body != shipped[name]:
            problems.append(
                f"the function {name} is not the one of this program's migrations (next: ledger verify, then "
                f"define it again as {migrations_folder() / 'sql'} does)"
            )
    return problems


def examine_additions(connection: Connection, mending: Mending, tables: Sequence[str]) -> list[str]:
    """Return what was put on the tables that the migrations do not make, and that runs as whoever appends."""
    ours = [f"{table}.{name}" for table, name in GUARDS]
    return [
        f"the {addition} of {table} is none of this program's, and works in the sessions of others "
        f"(next: ledger verify, then {mending.as_owner(removal)})"
        for table, addition, removal in connection.exec_driver_sql(_ADDITIONS, (list(tables), ours))
    ]


def _shipped_bodies() -> dict[str, str]:
    """Return the newest body of every function that the migrations make."""
    scripts = sorted((migrations_folder() / "sql").glob("*.sql"))
    shipped = "\n".join(script.read_text(encoding="utf-8") for script in scripts)
    return dict(_BODY.findall(shipped))
