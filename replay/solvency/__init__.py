"""Are liabilities covered? Claims of customers, reserves attested for them, and proofs of both."""

from replay.solvency.claims import LIABLE_KINDS, AccountClaim, account_claim
from replay.solvency.proofs.commitment import Commitment, read_commitment
from replay.solvency.proofs.errors import (
    ProofFormError,
    SeedUnusableError,
    SumOverflowError,
    SumTreeShapeError,
)
from replay.solvency.proofs.header import Asset, Header
from replay.solvency.proofs.inclusion import (
    INCLUSION_FORMAT,
    CheckedInclusion,
    Expected,
    Inclusion,
    PlacedLeaf,
    check_inclusion_file,
)
from replay.solvency.proofs.leaves import Blinding, Leaf, leaves_of, liabilities_tree, places_by_customer
from replay.solvency.proofs.liabilities import (
    CustomerClaim,
    Liabilities,
    customer_claims,
    customer_of,
    liabilities_of,
    liabilities_of_state,
)
from replay.solvency.proofs.making import Figures, MadeTree, Plan, figures_of, header_of, make_tree
from replay.solvency.proofs.published import AttestedEntry, CheckedProof, SolvencyProof, check_proof
from replay.solvency.proofs.records import Difference, Records, check_records
from replay.solvency.proofs.roots import History, StateRoots, SubjectHistories, state_roots
from replay.solvency.proofs.sum_tree import Node, SumTree, root_from_path
from replay.solvency.report import NegativeEquity, VenueReport
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, Attestation, attestations, fresh_reserves
from replay.solvency.sampling import SAMPLING_SCHEMA, Sampling
from replay.solvency.stress import HAIRCUTS, PRICE_MOVES, solvency_under_stress, stress_haircuts, stress_moves
from replay.solvency.stress_report import (
    STRESS_SCHEMA,
    BreakingMoves,
    StressedClaims,
    StressReport,
    StressScenario,
)
from replay.solvency.totals import RESERVE_RATIO_SCALE, is_solvent, reserve_ratio
from replay.solvency.venue import VENUE_SCHEMA, venue_report
from replay.solvency.watching import LIABILITIES_EXCEED_RESERVES, solvency_findings

__all__ = [
    "DEFAULT_MAXIMUM_AGE_SECONDS",
    "HAIRCUTS",
    "INCLUSION_FORMAT",
    "LIABILITIES_EXCEED_RESERVES",
    "LIABLE_KINDS",
    "PRICE_MOVES",
    "RESERVE_RATIO_SCALE",
    "SAMPLING_SCHEMA",
    "STRESS_SCHEMA",
    "VENUE_SCHEMA",
    "AccountClaim",
    "Asset",
    "Attestation",
    "AttestedEntry",
    "Blinding",
    "BreakingMoves",
    "CheckedInclusion",
    "CheckedProof",
    "Commitment",
    "CustomerClaim",
    "Difference",
    "Expected",
    "Figures",
    "Header",
    "History",
    "Inclusion",
    "Leaf",
    "Liabilities",
    "MadeTree",
    "NegativeEquity",
    "Node",
    "PlacedLeaf",
    "Plan",
    "ProofFormError",
    "Records",
    "Sampling",
    "SeedUnusableError",
    "SolvencyProof",
    "StateRoots",
    "StressReport",
    "StressScenario",
    "StressedClaims",
    "SubjectHistories",
    "SumOverflowError",
    "SumTree",
    "SumTreeShapeError",
    "VenueReport",
    "account_claim",
    "attestations",
    "check_inclusion_file",
    "check_proof",
    "check_records",
    "customer_claims",
    "customer_of",
    "figures_of",
    "fresh_reserves",
    "header_of",
    "is_solvent",
    "leaves_of",
    "liabilities_of",
    "liabilities_of_state",
    "liabilities_tree",
    "make_tree",
    "places_by_customer",
    "read_commitment",
    "reserve_ratio",
    "root_from_path",
    "solvency_findings",
    "solvency_under_stress",
    "state_roots",
    "stress_haircuts",
    "stress_moves",
    "venue_report",
]
