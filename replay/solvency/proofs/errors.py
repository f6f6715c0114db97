"""Why a tree of liabilities is refused."""

from __future__ import annotations

from ledger.errors import EvidenceRefusedError, IntegrityError, InvalidInputError


class SumTreeShapeError(InvalidInputError):
    """Leaves that make no tree: not a power of two of them, or of different sizes."""


class SeedUnusableError(InvalidInputError):
    """A seed that is too short to blind anything."""


class SumOverflowError(IntegrityError):
    """A sum that is negative or too large: it could hide what is owed.

    Attributes:
        place: of the asset in the tree's order.
        amount: the sum, in units of the asset's scale.
    """

    def __init__(self, *, place: int, amount: int) -> None:
        what = "is negative" if amount < 0 else "needs more than 127 bits"
        super().__init__(
            f"sum {place} of a node {what}: {amount}",
            next_step="believe no total of this tree; what a customer owes is totalled apart from it",
        )
        self.place = place
        self.amount = amount


class ProofFormError(EvidenceRefusedError):
    """A file of a solvency proof is not in its one form; the check is ``form``.

    Attributes:
        problem: what is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__("form", "a file in its one form (docs/spec/solvency.md)", problem)
        self.problem = problem


class InclusionPathError(IntegrityError):
    """A path of siblings that cannot lead from a leaf to a root."""
