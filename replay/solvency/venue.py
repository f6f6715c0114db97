"""Add up a venue: liabilities, reserves, insurance fund, and whether the first are covered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ledger.amounts import exact
from replay.margin import Market, Note
from replay.solvency.report import VENUE_SCHEMA, NegativeEquity, VenueReport
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, attestations, fresh_reserves
from replay.solvency.totals import (
    claim_totals,
    is_solvent,
    record_notes,
    reserve_notes,
    reserve_ratio,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.solvency.reserves import Attestation
    from replay.solvency.totals import ClaimTotals
    from replay.state.venue_state import VenueState

__all__ = ["VENUE_SCHEMA", "venue_report"]


@exact()
def venue_report(
    state: VenueState, *, maximum_age_seconds: Decimal = DEFAULT_MAXIMUM_AGE_SECONDS
) -> VenueReport:
    """Return what a venue owes, and whether attested reserves cover it, after the state's last event.

    Args:
        state: the venue's state.
        maximum_age_seconds: how old an attestation may be to count, from its ``as_of`` to the
            latest time of the state; the system clock plays no part.
    """
    held = attestations(state, state.occurred_at, maximum_age_seconds)
    reserves = fresh_reserves(held)
    totals = claim_totals(state, Market.of(state), reserves)
    ratios = {asset: reserve_ratio(reserves.get(asset), owed) for asset, owed in totals.liabilities.items()}
    ratios |= dict.fromkeys(reserves.keys() - ratios.keys())
    return VenueReport(
        sequence=state.sequence,
        at=state.occurred_at,
        accounts_by_kind=Counter(account.profile.kind for account in state.accounts.values()),
        liabilities=totals.liabilities,
        reserves=reserves,
        reserve_ratio=ratios,
        insurance_fund=totals.insurance_fund,
        negative_equity=NegativeEquity(totals.owed_by, totals.owed),
        attestations=held,
        undetermined=frozenset(totals.undetermined),
        solvent=is_solvent(totals.liabilities, reserves, totals.undetermined, attested=bool(held)),
        notes=tuple(_notes(state, totals, held, maximum_age_seconds)),
    )


def _notes(
    state: VenueState, totals: ClaimTotals, held: tuple[Attestation, ...], maximum_age_seconds: Decimal
) -> list[Note]:
    notes = [*totals.notes, *reserve_notes(held, totals.liabilities, maximum_age_seconds)]
    if totals.owed:
        message = "what accounts owe is not set against what others are owed (negative_equity)"
        notes.append(Note("negative_equity", message))
    return notes + record_notes(state)
