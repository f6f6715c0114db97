"""Keys and checkpoints outside the database: are they there, private, recorded, and of this ledger?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.errors import LedgerError
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.keyring import Keyring
from ledger.signing.keys import is_registered
from ledger.store.rollback import check_not_behind, ledger_size

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.outside.keyring import StoredKey
    from ledger.settings import Settings
    from ledger.store.ledger import Ledger

_OTHERS = 0o077


@dataclass(slots=True)
class FoundOutside:
    """What is kept below the home folder, and what is amiss.

    Attributes:
        keys: purpose, state, name, id and type of each key, and whether the ledger has recorded it.
        checkpoint: the newest one: its size, its file, who cosigned, whether it has a timestamp, and how many
            events came since.
    """

    keys: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)


def examine_outside(settings: Settings, ledger: Ledger) -> FoundOutside:
    """Look at keys and checkpoints of a ledger; problems are told, not raised."""
    found = FoundOutside()
    for look in (_keys, _checkpoints):
        try:
            look(found, settings, ledger)
        except LedgerError as error:
            found.problems.append(
                f"{error.message} (next: {error.next_step})" if error.next_step else error.message
            )
    return found


def _keys(found: FoundOutside, settings: Settings, ledger: Ledger) -> None:
    keyring = Keyring(settings.keys_folder)
    keys = [key for key in keyring.find() if key.verifier.name.startswith(ledger.origin)]
    for key in keys:
        recorded = is_registered(ledger, key)
        found.keys.append(
            {
                "purpose": str(key.purpose),
                "state": key.state,
                "name": key.verifier.name,
                "id": key.verifier.id.hex(),
                "type": key.verifier.type.name.lower(),
                "recorded": recorded,
            }
        )
        found.problems += _private(key)
        if not recorded and key.state == "current":
            found.problems.append(
                f"the key {key.verifier} is not recorded in the ledger (next: ledger keys generate "
                f"--purpose {key.purpose}, which goes on)"
            )
    if any(key.state == "next" for key in keys):
        found.problems.append(
            "a rotation of keys was interrupted (next: ledger keys rotate --reason REASON, which goes on)"
        )


def _private(key: StoredKey) -> list[str]:
    if not key.file.exists():
        missing = f"the private key {key.file} is missing (next: restore it, or ledger keys rotate)"
        return [] if key.state == "retired" else [missing]
    return [
        f"others may read {path} (next: chmod go= {path})"
        for path in (key.file.parent, key.file)
        if _is_open(path)
    ]


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & _OTHERS)


def _checkpoints(found: FoundOutside, settings: Settings, ledger: Ledger) -> None:
    checkpoints = CheckpointFolder(settings.checkpoints_folder)
    size = checkpoints.newest(ledger.origin)
    if size is None:
        return
    note, _ = checkpoints.read(ledger.origin, size)
    with ledger.reading() as connection:
        found.checkpoint = {
            "tree_size": size,
            "file": str(checkpoints.path(ledger.origin, size)),
            "cosigned_by": sorted({each.name for each in note.signatures} - {ledger.origin}),
            "timestamp": checkpoints.timestamp_path(ledger.origin, size).exists(),
            "events_since": ledger_size(connection) - size,
        }
        check_not_behind(connection, ledger.origin, checkpoints)
