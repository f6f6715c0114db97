"""From a state to its commitment: header, tree of liabilities, roots and totals. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, exact, round_to
from replay.margin import Market
from replay.solvency.claims import account_claim
from replay.solvency.proofs.commitment import (
    DEBT_AGAINST_COLLATERAL,
    INSURANCE_FUND,
    LIABILITIES,
    RESERVES,
    SHORTFALL,
    Commitment,
)
from replay.solvency.proofs.header import Header
from replay.solvency.proofs.leaves import Blinding, Leaf, leaves_of, liabilities_tree
from replay.solvency.proofs.liabilities import liabilities_of_state
from replay.solvency.proofs.roots import state_roots
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, attestations, fresh_reserves
from replay.solvency.totals import is_solvent, reserve_ratio
from replay.state.snapshot import PROJECTION, PROJECTION_VERSION

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.solvency.proofs.liabilities import Liabilities
    from replay.solvency.proofs.roots import StateRoots, SubjectHistories
    from replay.solvency.proofs.sum_tree import SumTree
    from replay.solvency.reserves import Attestation
    from replay.state.venue_state import VenueState


@dataclass(frozen=True, slots=True)
class Plan:
    """How a tree of liabilities is made.

    Attributes:
        seed: secret, 32 bytes or more; blinds the leaves.
        parts: how many leaves each customer has, 1 to 16.
        maximum_age_seconds: how old an attestation may be to count.
    """

    seed: bytes
    parts: int = 1
    maximum_age_seconds: Decimal = DEFAULT_MAXIMUM_AGE_SECONDS


@dataclass(frozen=True, slots=True)
class Figures:
    """What a state comes to, before a tree is made of it.

    Attributes:
        liabilities: by customer.
        attestations: the latest of each holding.
        reserves: those that are free and fresh, by asset.
        insurance_fund: wallets and unrealised PnL of insurance funds, by asset, in 18 digits after the point.
        solvent: as of :class:`replay.solvency.VenueReport`.
    """

    liabilities: Liabilities
    attestations: tuple[Attestation, ...]
    reserves: dict[str, Decimal]
    insurance_fund: dict[str, Decimal]
    solvent: bool | None

    def reserve_ratio(self) -> dict[str, Decimal | None]:
        """Return reserves ÷ liabilities by asset, scale 12, rounded down; None where either is missing."""
        owed, held = self.liabilities.totals, self.reserves
        return {asset: reserve_ratio(held.get(asset), owed.get(asset)) for asset in owed.keys() | held.keys()}

    def totals(self) -> dict[str, dict[str, Decimal]]:
        """Return the totals as they are committed."""
        return {
            LIABILITIES: self.liabilities.totals,
            RESERVES: self.reserves,
            SHORTFALL: self.liabilities.shortfall,
            DEBT_AGAINST_COLLATERAL: self.liabilities.debt_against_collateral,
            INSURANCE_FUND: self.insurance_fund,
        }


@dataclass(frozen=True, slots=True)
class MadeTree:
    """A tree of liabilities with all that it is bound to.

    Attributes:
        figures: what the state comes to.
        header: what the tree is about.
        leaves: in the tree's order, padding included.
        tree: over them.
        roots: of state and subjects.
        commitment: what goes into the ledger.
    """

    figures: Figures
    header: Header
    leaves: list[Leaf]
    tree: SumTree
    roots: StateRoots
    commitment: Commitment


def figures_of(state: VenueState, maximum_age_seconds: Decimal) -> Figures:
    """Return what a state comes to.

    Raises:
        SumOverflowError: a sum needs more than 127 bits.
    """
    liabilities = liabilities_of_state(state)
    held = attestations(state, state.occurred_at, maximum_age_seconds)
    reserves = fresh_reserves(held)
    if state.unapplied_corrections:
        liabilities.undetermined |= reserves.keys()
    solvent = is_solvent(liabilities.totals, reserves, liabilities.undetermined, attested=bool(held))
    return Figures(liabilities, held, reserves, _insurance_fund(state), solvent)


def header_of(state: VenueState, figures: Figures, plan: Plan, *, depth: int) -> Header:
    """Return the header of a tree over a state's liabilities."""
    return Header(
        as_of_sequence=state.sequence,
        assets=figures.liabilities.assets,
        depth=depth,
        maximum_age_seconds=plan.maximum_age_seconds,
        origin=state.origin,
        parts=plan.parts,
        projection=PROJECTION,
        projection_version=PROJECTION_VERSION,
        time=state.occurred_at,
        undetermined=tuple(sorted(figures.liabilities.undetermined, key=str.encode)),
    )


def make_tree(state: VenueState, histories: SubjectHistories, plan: Plan) -> MadeTree:
    """Make the tree of liabilities of a state, and the commitment to both.

    Args:
        state: after its last event, which the tree is about.
        histories: observed over all events up to it.
        plan: how.

    Raises:
        SumOverflowError: a sum needs more than 127 bits.
        SeedUnusableError: the seed is too short.
        SumTreeShapeError: a number of parts that is not possible.
    """
    figures = figures_of(state, plan.maximum_age_seconds)
    blinding = Blinding(plan.seed, origin=state.origin, as_of_sequence=state.sequence)
    count = len(figures.liabilities.assets)
    leaves = leaves_of(figures.liabilities.by_customer.items(), blinding, assets=count, parts=plan.parts)
    tree = liabilities_tree(leaves, assets=count)
    header = header_of(state, figures, plan, depth=tree.depth)
    roots = state_roots(state, histories)
    commitment = Commitment(
        state.sequence,
        PROJECTION,
        PROJECTION_VERSION,
        roots.state,
        roots.subjects,
        header.liabilities_root(tree.root),
        figures.totals(),
    )
    return MadeTree(figures, header, leaves, tree, roots, commitment)


@exact()
def _insurance_fund(state: VenueState) -> dict[str, Decimal]:
    """Return the claims of insurance funds; what has more digits than an event holds is rounded down."""
    market = Market.of(state)
    totals: dict[str, Decimal] = {}
    for account in state.accounts.values():
        if account.profile.kind == "insurance_fund":
            for asset, amount in account_claim(market, account).amounts.items():
                totals[asset] = totals.get(asset, ZERO) + amount
    return {asset: round_to(amount, MAXIMUM_SCALE, Rounding.FLOOR) for asset, amount in totals.items()}
