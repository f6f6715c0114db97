"""The roles of a ledger: their names, and what each may do.

Roles belong to the whole server, so every ledger has five of its own; the table ``ledger_roles`` says
which. They cannot log in: a user is given one with ``GRANT role TO user``. Who may append which type is
decided by the trigger ``guard_roles`` (migrations/sql/0003_roles.sql); a test holds that it says the same.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger.errors import AppendNotPermittedError
from ledger.store.schema import ledger_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


class RoleKind(StrEnum):
    """What a role is for."""

    OWNER = "owner"
    WRITER = "writer"
    GOVERNANCE = "governance"
    READER = "reader"
    AUDITOR = "auditor"


GOVERNANCE_TYPES = frozenset(
    {
        "CorrectionRecorded",
        "LedgerOpened",
        "LegalHoldPlaced",
        "LegalHoldReleased",
        "PriceOverridden",
        "RestoreAccepted",
        "SigningKeyRegistered",
        "SigningKeyRetired",
        "StateCommitted",
    }
)
"""Event types that only the governance role appends."""

AUDITOR_TYPES = frozenset({"ExportIssued"})
"""Event types that the auditor appends, and the governance role too."""

_HOLDS = """
    SELECT session_user::text, EXISTS (
        SELECT FROM unnest(%s::text[]) AS role WHERE pg_has_role(session_user, to_regrole(role), 'MEMBER'))
"""

READERS = (RoleKind.WRITER, RoleKind.GOVERNANCE, RoleKind.READER, RoleKind.AUDITOR)
APPENDERS = (RoleKind.WRITER, RoleKind.GOVERNANCE, RoleKind.AUDITOR)

READ_MODEL_SCHEMAS = ("read_models", "read_models_shadow")

DUTIES: Mapping[RoleKind, str] = MappingProxyType(
    {
        RoleKind.OWNER: "owns tables and guards; migrations act as it",
        RoleKind.WRITER: "reads, and appends what governance and auditor do not",
        RoleKind.GOVERNANCE: f"reads, and appends {', '.join(sorted(GOVERNANCE_TYPES | AUDITOR_TYPES))}",
        RoleKind.READER: "reads",
        RoleKind.AUDITOR: f"reads, and appends {', '.join(sorted(AUDITOR_TYPES))}",
    }
)
"""What each role is there for, in words."""


def kinds_that_append(event_type: str) -> tuple[RoleKind, ...]:
    """Return the roles any one of which suffices to append an event of a type."""
    if event_type in GOVERNANCE_TYPES:
        return (RoleKind.GOVERNANCE,)
    if event_type in AUDITOR_TYPES:
        return (RoleKind.AUDITOR, RoleKind.GOVERNANCE)
    return (RoleKind.WRITER,)


def table_privileges(kind: RoleKind, table: str) -> frozenset[str]:
    """Return what a role other than the owner may do with a table of the ledger."""
    if kind not in READERS:
        return frozenset()
    return frozenset({"SELECT", "INSERT"} if table == "events" and kind in APPENDERS else {"SELECT"})


def may_execute(kind: RoleKind, function: str) -> bool:
    """Return whether a role other than the owner may call a function of the ledger."""
    return function == "ledger_lock_head" and kind in APPENDERS


def role_names(connection: Connection) -> dict[RoleKind, str]:
    """Return the names of this ledger's roles."""
    rows = connection.execute(select(ledger_roles.c.kind, ledger_roles.c.role))
    found = {row.kind: row.role for row in rows}
    return {kind: found[kind] for kind in RoleKind if kind in found}


def check_may_append(connection: Connection, event_type: str) -> None:
    """Ask in advance what the trigger would decide.

    Raises:
        AppendNotPermittedError: the session's role may not append an event of this type.
    """
    names, kinds = role_names(connection), kinds_that_append(event_type)
    wanted = [names[kind] for kind in kinds if kind in names]
    role, held = connection.exec_driver_sql(_HOLDS, (wanted,)).one()
    if not held:
        grant = f"GRANT {wanted[0]} TO {role}" if wanted else None
        raise AppendNotPermittedError(event_type, role, kinds[0].value, wanted[0] if wanted else None, grant)
