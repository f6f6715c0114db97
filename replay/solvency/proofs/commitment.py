"""The commitment: an event of the ledger that binds state, subjects and liabilities to the log.

Whoever signs the next checkpoint signs it, too. Here it is made from what was computed, and read back
strictly from its entry, whose place under a checkpoint has to be shown apart (docs/spec/solvency.md §5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ledger.amounts import format_exact
from ledger.chain import check_event, parse_entry
from ledger.errors import EvidenceRefusedError, InvalidEventError, InvalidInputError
from ledger.events.base import problem_text
from ledger.events.envelope import Draft
from ledger.events.governance import StateCommitted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from replay.solvency.proofs.header import Header
    from replay.solvency.proofs.sum_tree import Node

LIABILITIES = "liabilities"
RESERVES = "reserves"
SHORTFALL = "shortfall"
DEBT_AGAINST_COLLATERAL = "debt_against_collateral"
INSURANCE_FUND = "insurance_fund"
NOT_NEGATIVE = (LIABILITIES, RESERVES)
ABOVE_ZERO = (SHORTFALL, DEBT_AGAINST_COLLATERAL)
TOTALS = (LIABILITIES, RESERVES, SHORTFALL, DEBT_AGAINST_COLLATERAL, INSURANCE_FUND)


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a ``StateCommitted`` says.

    Attributes:
        as_of_sequence: the last event of the state.
        projection: the rules by which events became the state,
        projection_version: and their number.
        state_root: 32 bytes.
        subjects_root: 32 bytes.
        liabilities_root: 32 bytes.
        totals: amounts by name of the total and asset.
    """

    as_of_sequence: int
    projection: str
    projection_version: int
    state_root: bytes
    subjects_root: bytes
    liabilities_root: bytes
    totals: Mapping[str, Mapping[str, Decimal]]

    def payload(self) -> StateCommitted:
        """Return the event's data.

        Raises:
            InvalidEventError: a total has more than 38 digits.
        """
        value = {
            "as_of_sequence": str(self.as_of_sequence),
            "projection": self.projection,
            "projection_version": str(self.projection_version),
            "state_root": self.state_root.hex(),
            "liabilities_root": self.liabilities_root.hex(),
            "subjects_root": self.subjects_root.hex(),
            "totals": {
                name: {asset: format_exact(amounts[asset]) for asset in sorted(amounts)}
                for name, amounts in self.totals.items()
            },
        }
        try:
            return StateCommitted.from_value(value)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(step) for step in problem["loc"])
            raise InvalidEventError(problem_text(problem), place=(place,)) from None

    @classmethod
    def of_payload(cls, data: StateCommitted) -> Commitment:
        """Return what an event says.

        Raises:
            EvidenceRefusedError: ``commitment``: a total that every commitment has is missing, or is of an
                amount that it cannot have.
        """
        missing = [name for name in TOTALS if name not in data.totals]
        if missing:
            raise EvidenceRefusedError("commitment", f"totals of {', '.join(TOTALS)}", f"no {missing[0]}")
        for name in NOT_NEGATIVE:
            if any(amount < 0 for amount in data.totals[name].values()):
                raise EvidenceRefusedError("commitment", f"{name} of zero or more", "a negative amount")
        for name in ABOVE_ZERO:
            if any(amount <= 0 for amount in data.totals[name].values()):
                raise EvidenceRefusedError("commitment", f"{name} above zero", "zero or less")
        return cls(
            int(data.as_of_sequence),
            data.projection,
            int(data.projection_version),
            bytes.fromhex(data.state_root),
            bytes.fromhex(data.subjects_root),
            bytes.fromhex(data.liabilities_root),
            data.totals,
        )


def read_commitment(entry: bytes) -> tuple[int, Commitment]:
    """Return the sequence of a commitment's entry and what it says.

    Raises:
        EvidenceRefusedError: ``commitment``: the entry is no ``StateCommitted`` of a known form, or commits
            to a state that lies after it.
    """
    try:
        found = parse_entry(entry)
        check_event(found)
        draft = Draft.from_json(found.event)
    except InvalidInputError as error:
        raise EvidenceRefusedError("commitment", "an entry with a StateCommitted", error.message) from None
    if not isinstance(draft.data, StateCommitted):
        raise EvidenceRefusedError("commitment", "a StateCommitted", f"a {draft.type}")
    commitment = Commitment.of_payload(draft.data)
    sequence = found.link.sequence
    if commitment.as_of_sequence >= sequence:
        raise EvidenceRefusedError(
            "commitment",
            f"a state before the commitment at sequence {sequence}",
            f"one as of sequence {commitment.as_of_sequence}",
        )
    return sequence, commitment


def check_header(header: Header, commitment: Commitment, origin: str) -> None:
    """Refuse a header that is about another ledger or state than the commitment.

    Raises:
        EvidenceRefusedError: ``header``.
    """
    for name, expected, actual in (
        ("origin", origin, header.origin),
        ("as_of_sequence", commitment.as_of_sequence, header.as_of_sequence),
        ("projection", commitment.projection, header.projection),
        ("projection_version", commitment.projection_version, header.projection_version),
    ):
        if expected != actual:
            raise EvidenceRefusedError("header", f"{name} {expected}, as committed", f"{name} {actual}")


def check_liabilities(header: Header, root: Node, commitment: Commitment) -> None:
    """Refuse a tree that is not the committed one, or whose sums are not the committed totals.

    Raises:
        EvidenceRefusedError: ``liabilities_root`` or ``totals``.
        SumOverflowError: a sum of the root is out of range.
    """
    found = header.liabilities_root(root)
    if found != commitment.liabilities_root:
        raise EvidenceRefusedError(
            "liabilities_root", commitment.liabilities_root.hex(), f"{found.hex()}, from this tree and header"
        )
    sums, totals = header.amounts(root.sums), commitment.totals[LIABILITIES]
    if sums != totals:
        differing = sorted(
            asset for asset in sums.keys() | totals.keys() if sums.get(asset) != totals.get(asset)
        )
        raise EvidenceRefusedError(
            "totals",
            f"committed liabilities of {_amount(totals, differing[0])}",
            f"a tree of {_amount(sums, differing[0])}",
        )


def _amount(amounts: Mapping[str, Decimal], asset: str) -> str:
    return f"{format_exact(amounts[asset])} {asset}" if asset in amounts else f"no {asset}"
