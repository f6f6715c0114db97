"""Are liabilities covered? Claims of customers, reserves attested for them, and what is not known."""

from replay.solvency.claims import LIABLE_KINDS, AccountClaim, account_claim
from replay.solvency.report import NegativeEquity, VenueReport
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, Attestation, attestations
from replay.solvency.sampling import SAMPLING_SCHEMA, Sampling
from replay.solvency.stress import HAIRCUTS, PRICE_MOVES, solvency_under_stress, stress_haircuts, stress_moves
from replay.solvency.stress_report import (
    STRESS_SCHEMA,
    BreakingMoves,
    StressedClaims,
    StressReport,
    StressScenario,
)
from replay.solvency.totals import RESERVE_RATIO_SCALE
from replay.solvency.venue import VENUE_SCHEMA, venue_report

__all__ = [
    "DEFAULT_MAXIMUM_AGE_SECONDS",
    "HAIRCUTS",
    "LIABLE_KINDS",
    "PRICE_MOVES",
    "RESERVE_RATIO_SCALE",
    "SAMPLING_SCHEMA",
    "STRESS_SCHEMA",
    "VENUE_SCHEMA",
    "AccountClaim",
    "Attestation",
    "BreakingMoves",
    "NegativeEquity",
    "Sampling",
    "StressReport",
    "StressScenario",
    "StressedClaims",
    "VenueReport",
    "account_claim",
    "attestations",
    "solvency_under_stress",
    "stress_haircuts",
    "stress_moves",
    "venue_report",
]
