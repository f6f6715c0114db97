"""``ledger keys list``."""

from __future__ import annotations

from ledger.cli.common import Session, ledger_command
from ledger.cli.keys.documents import SCHEMA, key_documents, key_lines


@ledger_command("list")
def list_(session: Session) -> None:
    """List the keys below the home folder; the database is not needed."""
    keys = session.keyring().find()
    lines = key_lines(keys) or [f"There are no keys in {session.keyring().folder}."]
    session.emit({"schema": SCHEMA, "keys": key_documents(keys)}, "\n".join(lines))
