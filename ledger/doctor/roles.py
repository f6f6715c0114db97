"""Who may do what: the ledger's roles, those in them, and grants that are not what they should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ledger.store.roles import (
    DUTIES,
    READ_MODEL_SCHEMAS,
    READERS,
    RoleKind,
    may_execute,
    role_names,
    table_privileges,
)
from ledger.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.doctor.mending import Mending

ATTACKERS: Mapping[str, str] = MappingProxyType(
    {
        RoleKind.OWNER: "can switch guards off and rewrite events, and put a trigger on them that runs as "
        "whoever appends, a superuser included; doctor shows guards that are off and triggers that were "
        "added, verify an event that was changed, and only a checkpoint kept elsewhere a history rewritten "
        "as a whole",
        RoleKind.WRITER: "can record what never happened, under its own name, and hold appends up; it "
        "changes and removes nothing, and a comparison with what sources and accounts report finds it",
        RoleKind.GOVERNANCE: "can record false corrections, overrides, holds, keys and commitments, under "
        "its own name, and hold appends up; what they correct or override stays in the log beside them",
        RoleKind.READER: "can read and copy everything, and hold locks that a migration waits for; nothing "
        "in the ledger shows what was read",
        RoleKind.AUDITOR: "can read everything, record an export that was never issued, under its own "
        "name, and hold appends up; no manifest has the hash that it names",
        "signing key": "can sign another history, and date it back; a witness refuses to cosign it, and "
        "verify --compromised-at counts only what was witnessed or timestamped before",
        "superuser": "can do all of this, switch event triggers off and take any role; only checkpoints kept "
        "elsewhere show a history rewritten as a whole",
    }
)
"""What somebody with a role could do, and what finds it."""

_MEMBERS = """
    SELECT r.rolname FROM pg_roles AS r
    WHERE r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, to_regrole(%s), 'MEMBER') ORDER BY 1
"""
_ATTRIBUTES = """
    SELECT rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
    FROM pg_roles WHERE rolname = ANY(%s)
"""
_TABLE_OWNERS = """
    SELECT relname, pg_get_userbyid(relowner) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%s)
"""
_TABLE_GRANTS = """
    SELECT relname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        privilege, is_grantable
    FROM (
        SELECT c.relname, g.grantee, g.privilege_type AS privilege, g.is_grantable
        FROM pg_class AS c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS g
        WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT c.relname, g.grantee, format('%%s (%%I)', g.privilege_type, a.attname), g.is_grantable
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid, aclexplode(a.attacl) AS g
        WHERE c.relnamespace = 'public'::regnamespace
    ) AS granted
    WHERE relname = ANY(%s)
"""
_FUNCTION_GRANTS = """
    SELECT p.oid::regprocedure::text,
        CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
        g.privilege_type, g.is_grantable
    FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY(%s)
"""
_UNREADABLE_SCHEMAS = """
    SELECT n.nspname, role FROM pg_namespace AS n, unnest(%s::text[]) AS role
    WHERE n.nspname = ANY(%s) AND to_regrole(role) IS NOT NULL
        AND (NOT has_schema_privilege(role, n.oid, 'USAGE') OR EXISTS (
            SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind = 'r'
                AND NOT has_table_privilege(role, c.oid, 'SELECT')))
    ORDER BY 1, 2
"""
# Left out is who could have the guards changed anyway: superusers, and whoever is in the owner role.
_CREATORS = """
    SELECT way, CASE who WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(who)) END
    FROM (
        SELECT 'owner' AS way,
            CASE nspowner WHEN 'pg_database_owner'::regrole THEN datdba ELSE nspowner END AS who
        FROM pg_namespace, pg_database WHERE nspname = 'public' AND datname = current_database()
        UNION
        SELECT 'grant', grantee FROM pg_namespace, aclexplode(nspacl)
        WHERE nspname = 'public' AND privilege_type = 'CREATE' AND grantee <> nspowner
    ) AS creators LEFT JOIN pg_roles AS r ON r.oid = who
    WHERE who = 0 OR NOT rolsuper AND NOT pg_has_role(who, to_regrole(%s), 'MEMBER')
    ORDER BY 1, 2
"""
_SUPERUSERS = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY 1"
_FORBIDDEN = ("LOGIN", "SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
_OWN_TABLE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"})
VERSION_TABLE = "alembic_version"
LEDGER_TABLES = (*sorted(metadata.tables), VERSION_TABLE)


@dataclass(slots=True)
class FoundRoles:
    """Who is who, and what is amiss.

    Attributes:
        roles: kind → name of the role, what it may, and the members that can log in, superusers apart.
        superusers: those that can log in.
        attackers: kind → what somebody with that role could do, and what finds it.
    """

    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    superusers: list[str] = field(default_factory=list)
    attackers: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def examine_roles(connection: Connection, mending: Mending, functions: tuple[str, ...]) -> FoundRoles:
    """Look at the roles of a ledger and at what is granted on its tables and these functions."""
    names = role_names(connection)
    found = FoundRoles(
        superusers=list(connection.exec_driver_sql(_SUPERUSERS).scalars()),
        attackers={str(kind): text for kind, text in ATTACKERS.items()},
    )
    for kind, name in names.items():
        members = list(connection.exec_driver_sql(_MEMBERS, (name,)).scalars())
        found.roles[kind.value] = {"role": name, "duty": DUTIES[kind], "members": members}
    found.problems += _role_problems(connection, names)
    found.problems += _owner_problems(connection, mending, LEDGER_TABLES)
    found.problems += _table_problems(connection, mending, names, LEDGER_TABLES)
    found.problems += _function_problems(connection, mending, names, functions)
    found.problems += _schema_problems(connection, mending, names)
    return found


def _role_problems(connection: Connection, names: Mapping[RoleKind, str]) -> Iterator[str]:
    rows = connection.exec_driver_sql(_ATTRIBUTES, (list(names.values()),))
    attributes = {name: values for name, *values in rows}
    for kind in RoleKind:
        name = names.get(kind)
        if name is None:
            yield f"ledger_roles names no {kind.value} role (next: restore a backup, then ledger verify)"
            continue
        if name not in attributes:
            yield f"the role {name} is not on this server (next: CREATE ROLE {name} NOLOGIN, ledger doctor)"
            continue
        for attribute, held in zip(_FORBIDDEN, attributes[name], strict=True):
            if held:
                yield f"the role {name} has {attribute} (next: ALTER ROLE {name} NO{attribute})"
    among = """
        SELECT member, role FROM unnest(%s::text[]) AS member, unnest(%s::text[]) AS role
        WHERE member <> role AND pg_has_role(to_regrole(member), to_regrole(role), 'MEMBER') ORDER BY 1, 2
    """
    every = list(names.values())
    for member, role in connection.exec_driver_sql(among, (every, every)):
        yield f"the role {member} is in {role}, and so are its members (next: REVOKE {role} FROM {member})"


def _owner_problems(connection: Connection, mending: Mending, tables: tuple[str, ...]) -> Iterator[str]:
    for table, owner in connection.exec_driver_sql(_TABLE_OWNERS, (list(tables),)):
        if owner != mending.owner:
            change = mending.as_superuser(f"ALTER TABLE {table} OWNER TO {mending.owner}")
            yield f"the table {table} belongs to {owner} (next: {change})"


def _table_problems(
    connection: Connection, mending: Mending, names: Mapping[RoleKind, str], tables: tuple[str, ...]
) -> Iterator[str]:
    wanted = {
        (table, name): _OWN_TABLE if kind is RoleKind.OWNER else table_privileges(kind, table)
        for table in tables
        for kind, name in names.items()
    }
    grants = connection.exec_driver_sql(_TABLE_GRANTS, (list(tables),)).all()
    yield from _grant_problems(mending, grants, wanted, "")


def _function_problems(
    connection: Connection, mending: Mending, names: Mapping[RoleKind, str], functions: tuple[str, ...]
) -> Iterator[str]:
    grants = connection.exec_driver_sql(_FUNCTION_GRANTS, (list(functions),)).all()
    wanted = {
        (signature, name): frozenset({"EXECUTE"})
        for signature in sorted({signature for signature, *_ in grants})
        for kind, name in names.items()
        if kind is RoleKind.OWNER or may_execute(kind, signature.partition("(")[0])
    }
    yield from _grant_problems(mending, grants, wanted, "FUNCTION ")


def _grant_problems(
    mending: Mending,
    grants: Sequence[tuple[str, str, str, bool]],
    wanted: Mapping[tuple[str, str], frozenset[str]],
    sort: str,
) -> Iterator[str]:
    """Tell what is granted and not wanted, and what is wanted and not granted."""
    held = {(thing, grantee, privilege) for thing, grantee, privilege, _ in grants}
    for thing, grantee, privilege, grantable in sorted(grants):
        if grantee == mending.owner:
            continue  # an owner grants itself what it wants
        if privilege not in wanted.get((thing, grantee), ()):
            change = mending.as_owner(f"REVOKE {privilege} ON {sort}{thing} FROM {grantee} CASCADE")
            yield f"{grantee} has {privilege} on {thing}, which is too much (next: {change})"
        elif grantable:
            change = mending.as_owner(
                f"REVOKE GRANT OPTION FOR {privilege} ON {sort}{thing} FROM {grantee} CASCADE"
            )
            yield f"{grantee} may give {privilege} on {thing} away (next: {change})"
    for (thing, grantee), privileges in sorted(wanted.items()):
        for privilege in sorted(privileges):
            if (thing, grantee, privilege) not in held:
                change = mending.as_owner(f"GRANT {privilege} ON {sort}{thing} TO {grantee}")
                yield f"{grantee} has no {privilege} on {thing} (next: {change})"


def _schema_problems(
    connection: Connection, mending: Mending, names: Mapping[RoleKind, str]
) -> Iterator[str]:
    for way, who in connection.exec_driver_sql(_CREATORS, (mending.owner,)):
        if way == "owner":
            yield (
                f"{who} owns the schema public, by itself or with the database: it can drop guards, and make "
                "things there that run in the sessions of others "
                f"(next: ALTER SCHEMA public OWNER TO {mending.owner})"
            )
        else:
            yield (
                f"{'everyone' if who == 'PUBLIC' else who} may make things in the schema public, and they "
                "can run in the sessions of others "
                f"(next: REVOKE CREATE ON SCHEMA public FROM {who} CASCADE)"
            )
    readers = [names[kind] for kind in READERS if kind in names]
    rows = connection.exec_driver_sql(_UNREADABLE_SCHEMAS, (readers, list(READ_MODEL_SCHEMAS)))
    for schema, role in rows:
        yield (
            f"{role} cannot read all of {schema} (next: GRANT USAGE ON SCHEMA {schema} TO {role}; "
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role})"
        )
