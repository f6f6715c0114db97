"""Checkpoints that were kept elsewhere against the log as it is now: did it only grow?"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.chain import Failure
from ledger.merkle import EMPTY_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.checkpoint import Checkpoint
    from ledger.merkle import MerkleFrontier


@dataclass(frozen=True, slots=True)
class GivenCheckpoint:
    """A checkpoint that the verifier brings along.

    Attributes:
        name: of its file.
        checkpoint: what it says.
        signature_checked: whether a trusted key's signature was found to hold.
    """

    name: str
    checkpoint: Checkpoint
    signature_checked: bool


class GrowthChecker:
    """Compares roots as a log is read.

    Args:
        given: what to compare with.
        check: what the check is called.
    """

    def __init__(self, given: Sequence[GivenCheckpoint], check: str = "trusted_checkpoint") -> None:
        self._check = check
        self._waiting = sorted(given, key=lambda each: each.checkpoint.size)

    def check(self, tree: MerkleFrontier, origin: str | None) -> list[Failure]:
        """Compare with the checkpoints of the size that the tree has now."""
        failures: list[Failure] = []
        while self._waiting and self._waiting[0].checkpoint.size <= tree.size:
            given = self._waiting.pop(0)
            checkpoint = given.checkpoint
            if checkpoint.origin != origin:
                failures.append(self._failure(given, None, f"log {checkpoint.origin}", f"log {origin}"))
                continue
            # A smaller one is of no events: every other size is met on the way.
            root = tree.root() if checkpoint.size == tree.size else EMPTY_ROOT
            if checkpoint.root_hash != root:
                failures.append(
                    self._failure(
                        given,
                        None,
                        f"{checkpoint.size} events with root {_text(checkpoint.root_hash)}",
                        f"others, with root {_text(root)}",
                    )
                )
        return failures

    def finish(self, size: int, *, meaning: str = "the log was cut off or set back") -> list[Failure]:
        """Return the checkpoints that cover more events than there are; ``meaning`` says what that shows."""
        return [
            self._failure(given, size, f"{given.checkpoint.size} events", f"{size}: {meaning}")
            for given in self._waiting
        ]

    def _failure(self, given: GivenCheckpoint, sequence: int | None, expected: str, actual: str) -> Failure:
        return Failure(sequence, self._check, f"{expected} ({given.name})", actual)


def _text(root_hash: bytes) -> str:
    return base64.b64encode(root_hash).decode()
