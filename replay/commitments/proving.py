"""Proving solvency of a real ledger from end to end: replay, commit, sign, write."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import InvalidInputError
from ledger.outside.writing import make_folder, read_small_file, write_file
from ledger.progress import SILENT
from replay.commitments.folder import new_proof, write_proof
from replay.commitments.recording import record_commitment
from replay.solvency import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.checkpoint import SigningKey
    from ledger.clock import Clock
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger
    from replay.commitments.recording import RecordedCommitment
    from replay.commitments.replaying import Replayed
    from replay.solvency import MadeTree, Plan

SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, and where checkpoints are kept.

    Attributes:
        keys: the log's.
        checkpoints: the folder.
        clock: for the commitment's time and signatures; the system's where None.
    """

    keys: tuple[SigningKey, ...]
    checkpoints: CheckpointFolder
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """A commitment with all that it was made of."""

    made: MadeTree
    recorded: RecordedCommitment


def prove(
    ledger: Ledger,
    replayed: Replayed,
    plan: Plan,
    signing: Signing,
    *,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> Proved:
    """Commit to a replayed state, sign the commitment, and write the proof.

    Args:
        ledger: opened for writing.
        replayed: its events, through the sequence to commit to.
        plan: how the tree is made.
        signing: who signs.
        out: the folder to write, or None to commit only.
        force: whether an older proof there may be replaced.
        progress: told of what takes long.

    Raises:
        InvalidInputError: the place is taken; nothing was recorded.
        EnvironmentFaultError: the folder cannot be made, and nothing was recorded; or it cannot be filled,
            and the commitment is found again when the same state is proved once more.
        LedgerError: as :func:`replay.commitments.recording.record_commitment`.
    """
    made = make_tree(replayed.state, replayed.histories, plan)
    # The folder comes first: what cannot be written shall not be committed to.
    with nullcontext() if out is None else new_proof(out, force=force) as beside:
        recorded = record_commitment(
            ledger,
            made.commitment,
            made.figures.attestations,
            signing.keys,
            signing.checkpoints,
            clock=signing.clock,
            progress=progress,
        )
        if beside is not None:
            write_proof(beside, replayed.state, made, recorded, progress=progress)
    return Proved(made, recorded)


def read_seed(file: Path) -> bytes:
    """Read a seed: hexadecimal digits on one line, 64 or more.

    Raises:
        InvalidInputError: the file cannot be read, or holds something else.
    """
    content = read_small_file(file)
    try:
        seed = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        seed = b""
    if len(seed) < SEED_BYTES:
        raise InvalidInputError(
            f"the file does not hold {2 * SEED_BYTES} hexadecimal digits or more",
            place=(str(file),),
            next_step=f"openssl rand -hex {SEED_BYTES} > FILE",
        )
    return seed


def make_seed(file: Path) -> bytes:
    """Make a seed of the system's random source and write it for its owner alone to read.

    Raises:
        InvalidInputError: the file exists.
        EnvironmentFaultError: the system refuses.
    """
    seed = secrets.token_bytes(SEED_BYTES)
    make_folder(file.parent, private=True)
    write_file(file, seed.hex().encode() + b"\n", private=True)
    return seed
