"""Making proofs, from the database or from published tiles; each is checked before it is given away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import IntegrityError, InvalidInputError
from ledger.merkle import verify_consistency, verify_inclusion
from ledger.proof import ConsistencyProof, InclusionProof

if TYPE_CHECKING:
    from ledger.checkpoint import Checkpoint
    from ledger.note import Note
    from ledger.tiles import TileTree


def prove_inclusion(tree: TileTree, index: int, note: Note, checkpoint: Checkpoint) -> InclusionProof:
    """Prove that the entry at an index is under a checkpoint, from O(log n) tiles of its tree.

    Args:
        tree: of at least the checkpoint's size.
        index: the entry's place.
        note: the signed checkpoint, which goes into the proof.
        checkpoint: what it says.

    Raises:
        InvalidInputError: the checkpoint does not cover the entry.
        IntegrityError: the tree is not the one that was signed.
    """
    if index >= checkpoint.size:
        raise InvalidInputError(
            f"the checkpoint covers {checkpoint.size} entries, and entry {index} is not among them",
            next_step="take a newer checkpoint",
        )
    _check_not_behind(tree, checkpoint.size)
    hashes = tuple(tree.inclusion_proof(index, checkpoint.size))
    if not verify_inclusion(tree.leaf(index), index, checkpoint.size, hashes, checkpoint.root_hash):
        raise IntegrityError(
            f"the hashes do not lead from entry {index} to the root that was signed at {checkpoint.size}",
            next_step="ledger verify --trusted-checkpoint FILE",
        )
    return InclusionProof(index, hashes, note.encode())


@dataclass(frozen=True, slots=True)
class Growth:
    """Two trees and what shows that the larger one only grew from the smaller.

    Attributes:
        old_size: of the smaller tree.
        new_size: of the larger tree.
        old_root: 32 bytes.
        new_root: 32 bytes.
        hashes: the proof of RFC 9162 §2.1.4.
    """

    old_size: int
    new_size: int
    old_root: bytes
    new_root: bytes
    hashes: tuple[bytes, ...]

    def proof(self, note: Note) -> ConsistencyProof:
        """Return the proof as a file, under the signed checkpoint of the larger tree."""
        return ConsistencyProof(self.old_size, self.hashes, note.encode())


def prove_consistency(
    tree: TileTree,
    old_size: int,
    new_size: int,
    *,
    old: Checkpoint | None = None,
    new: Checkpoint | None = None,
) -> Growth:
    """Prove that a tree only grew between two sizes, from O(log n) of its tiles.

    Args:
        tree: of at least the larger size.
        old_size: of the smaller tree.
        new_size: of the larger tree.
        old: the checkpoint of the smaller tree, whose root must be the tree's.
        new: that of the larger one, likewise.

    Raises:
        InvalidInputError: the sizes are the wrong way round, or the tree is smaller.
        IntegrityError: a checkpoint is not one of this tree.
    """
    if old_size > new_size:
        raise InvalidInputError(
            f"there is no proof from size {old_size} to size {new_size}",
            next_step="give the smaller size first",
        )
    for given in (old, new):
        if given is not None:
            _check_not_behind(tree, given.size)
    if new_size > tree.size:
        raise InvalidInputError(
            f"the log has {tree.size} entries, so there is no proof to size {new_size}",
            next_step="give a size that it has, or leave it out",
        )
    growth = Growth(
        old_size,
        new_size,
        tree.root(old_size),
        tree.root(new_size),
        tuple(tree.consistency_proof(old_size, new_size)),
    )
    for given, root in ((old, growth.old_root), (new, growth.new_root)):
        if given is not None and given.root_hash != root:
            raise IntegrityError(
                f"the checkpoint of {given.size} entries is not one of this log: it has another root",
                next_step="ledger verify --trusted-checkpoint FILE",
            )
    if not verify_consistency(old_size, new_size, growth.hashes, growth.old_root, growth.new_root):
        raise IntegrityError(
            f"the stored nodes between {old_size} and {new_size} entries contradict each other",
            next_step="ledger verify",
        )
    return growth


def _check_not_behind(tree: TileTree, size: int) -> None:
    if tree.size < size:
        raise IntegrityError(
            f"the log has {tree.size} entries, and the checkpoint covers {size}: it was cut off or set back",
            next_step="ledger verify --trusted-checkpoint FILE",
        )
