"""The SQL that mends what is amiss, as whoever runs it has to write it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mending:
    """How statements on what belongs to the ledger get past its own guard.

    Attributes:
        owner: the ledger's owner role.
        ddl_is_refused: whether the event triggers exist.
    """

    owner: str
    ddl_is_refused: bool

    def as_owner(self, *statements: str) -> str:
        """Return statements that the owner role may run."""
        return "; ".join([f"SET ROLE {self.owner}", *statements, "RESET ROLE"])

    def as_superuser(self, *statements: str) -> str:
        """Return statements that only a superuser may run, because something is not the owner's."""
        if not self.ddl_is_refused:
            return "; ".join(statements)
        trigger = "ALTER EVENT TRIGGER ledger_refuse_ddl"
        return "; ".join([f"{trigger} DISABLE", *statements, f"{trigger} ENABLE ALWAYS"])
