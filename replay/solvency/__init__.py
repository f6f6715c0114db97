"""Are liabilities covered? Claims of customers, reserves attested for them, and what is not known."""

from replay.solvency.claims import LIABLE_KINDS, AccountClaim, account_claim
from replay.solvency.report import NegativeEquity, VenueReport
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, Attestation, attestations
from replay.solvency.sampling import SAMPLING_SCHEMA, Sampling
from replay.solvency.totals import RESERVE_RATIO_SCALE
from replay.solvency.venue import VENUE_SCHEMA, venue_report

__all__ = [
    "DEFAULT_MAXIMUM_AGE_SECONDS",
    "LIABLE_KINDS",
    "RESERVE_RATIO_SCALE",
    "SAMPLING_SCHEMA",
    "VENUE_SCHEMA",
    "AccountClaim",
    "Attestation",
    "NegativeEquity",
    "Sampling",
    "VenueReport",
    "account_claim",
    "attestations",
    "venue_report",
]
