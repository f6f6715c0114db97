"""How many customers have to check their own leaf until a cheat is found.

A venue that leaves out or lowers the claims of some customers is found by the first of them who
checks. Who checks is taken to be random, and each checks once: the number of cheated among them is
hypergeometric.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal
from typing import Final

from ledger.amounts import ONE, format_exact
from ledger.errors import InvalidInputError

SAMPLING_SCHEMA: Final = "replay.solvency.sampling/1"
# The chance of finding nothing is rounded up at each step: a stated number of checks never falls short.
_CONTEXT = Context(prec=60, rounding=ROUND_UP, Emin=-999_999_999, Emax=999_999_999)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Random checks by customers.

    Attributes:
        customers: how many there are, 1 or more.
        cheated: how many of them a check would show, 1 to ``customers``.
    """

    customers: int
    cheated: int

    def __post_init__(self) -> None:
        """Refuse numbers that no venue has.

        Raises:
            InvalidInputError: there is no customer, nobody is cheated, or more than there are.
        """
        if not 1 <= self.cheated <= self.customers:
            raise InvalidInputError(
                f"{self.cheated:,} cheated of {self.customers:,} customers: give 1 to as many as there are"
            )

    def missed(self, checks: int) -> Decimal:
        """Return the probability that so many checks find no cheated customer, rounded up at 60 digits.

        C(customers − cheated, checks) ÷ C(customers, checks).

        Raises:
            InvalidInputError: more checks than customers, or fewer than none.
        """
        if not 0 <= checks <= self.customers:
            raise InvalidInputError(f"{checks:,} checks of {self.customers:,} customers")
        fewer, more = sorted((checks, self.cheated))
        if fewer + more > self.customers:
            return Decimal(0)
        probability = ONE
        for step in range(fewer):
            left = _CONTEXT.multiply(probability, self.customers - more - step)
            probability = _CONTEXT.divide(left, self.customers - step)
        return probability

    def checks_needed(self, probability: Decimal) -> int:
        """Return the fewest random checks that find a cheated customer with a probability or more.

        Args:
            probability: above 0 and below 1.

        Raises:
            InvalidInputError: the probability is out of that range.
        """
        if not 0 < probability < 1:
            raise InvalidInputError(f"a probability of {format_exact(probability)}: give one between 0 and 1")
        allowed = ONE - probability
        enough = 1
        while self.missed(min(enough, self.customers)) > allowed:
            enough *= 2
        too_few, enough = enough // 2, min(enough, self.customers)
        while enough - too_few > 1:
            middle = (too_few + enough) // 2
            if self.missed(middle) > allowed:
                too_few = middle
            else:
                enough = middle
        return enough
