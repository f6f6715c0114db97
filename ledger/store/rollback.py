"""Whether a database was set back behind a checkpoint that is kept outside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ledger.errors import LedgerBehindError
from ledger.store.schema import events
from ledger.store.tree import event_tree

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.outside.checkpoints import CheckpointFolder


def ledger_size(connection: Connection) -> int:
    """Return how many events there are, by the last one's sequence."""
    size: int = connection.execute(select(func.coalesce(func.max(events.c.sequence), -1) + 1)).scalar_one()
    return size


def check_not_behind(connection: Connection, origin: str, checkpoints: CheckpointFolder) -> None:
    """Make sure that the newest kept checkpoint is one of this ledger, as far as its stored hashes say.

    Reads O(log n) rows; ``ledger verify --trusted-checkpoint`` derives the hashes anew.

    Raises:
        LedgerBehindError: events that the checkpoint covers are gone, or are not those that it signs.
        EvidenceRefusedError: the kept file is no checkpoint.
    """
    size = checkpoints.newest(origin)
    if size is not None and not agrees(connection, origin, checkpoints, size):
        place = str(checkpoints.path(origin, size))
        raise LedgerBehindError(size, ledger_size(connection), place)


def agrees(connection: Connection, origin: str, checkpoints: CheckpointFolder, size: int) -> bool:
    """Tell whether the ledger's first events are those of a kept checkpoint.

    Raises:
        EvidenceRefusedError: the kept file is no checkpoint.
    """
    _, checkpoint = checkpoints.read(origin, size)
    return size <= ledger_size(connection) and event_tree(connection, size).root() == checkpoint.root_hash
