"""A log that grows and forks in memory, and what it asks of a witness."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.checkpoint import Checkpoint
from ledger.merkle import consistency_proof, root_hash
from ledger.proof import ConsistencyProof
from tests.support.keys import ORIGIN, signed

if TYPE_CHECKING:
    from ledger.checkpoint import SigningKey


@dataclass(frozen=True, slots=True)
class GrowingLog:
    """Leaves without end; a fork has the same leaves up to a size, and others from there.

    Attributes:
        origin: the log's name.
        forks: the sizes from which on it went another way, with the number of the way.
    """

    origin: str = ORIGIN
    forks: tuple[tuple[int, int], ...] = ()

    def fork(self, size: int, way: int = 1) -> GrowingLog:
        """A log that agrees with this one up to a size."""
        return GrowingLog(self.origin, (*self.forks, (size, way)))

    def leaf(self, index: int) -> bytes:
        """The hash of a leaf."""
        ways = [way for size, way in self.forks if index >= size]
        return hashlib.sha256(f"{index} {ways}".encode()).digest()

    def root(self, size: int) -> bytes:
        """The root of the first leaves."""
        return root_hash(self.leaf(index) for index in range(size))

    def checkpoint(self, size: int) -> Checkpoint:
        """The head at a size."""
        return Checkpoint(self.origin, size, self.root(size))

    def note(self, size: int, *keys: SigningKey) -> bytes:
        """The signed head at a size."""
        return signed(size, self.root(size), origin=self.origin, keys=keys)

    def proof(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The hashes that show the growth."""

        def subtree(level: int, index: int) -> bytes:
            return root_hash(self.leaf(at) for at in range(index << level, (index + 1) << level))

        return tuple(consistency_proof(old_size, size, subtree))

    def request(self, old_size: int, size: int, *keys: SigningKey) -> bytes:
        """The body of add-checkpoint."""
        hashes = self.proof(old_size, size) if old_size <= size else ()
        return ConsistencyProof(old_size, hashes, self.note(size, *keys)).encode()
