"""Add up a venue: liabilities, reserves, insurance fund, and whether the first are covered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, Rounding, divide, exact, format_exact
from replay.margin import Market, Note
from replay.solvency.claims import LIABLE_KINDS, account_claim
from replay.solvency.report import VENUE_SCHEMA, NegativeEquity, VenueReport
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, attestations, fresh_reserves

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from decimal import Decimal

    from replay.solvency.claims import AccountClaim
    from replay.solvency.reserves import Attestation
    from replay.state.venue_state import VenueState

__all__ = ["RESERVE_RATIO_SCALE", "VENUE_SCHEMA", "is_solvent", "reserve_ratio", "venue_report"]

RESERVE_RATIO_SCALE = 12
# A ratio never says more than is there; whether liabilities are covered is decided on the amounts.
RESERVE_RATIO_ROUNDING = Rounding.DOWN


@dataclass(slots=True)
class _Sums:
    liabilities: dict[str, Decimal] = field(default_factory=dict)
    insurance_fund: dict[str, Decimal] = field(default_factory=dict)
    owed_by: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    owed: dict[str, Decimal] = field(default_factory=dict)
    undetermined: set[str] = field(default_factory=set)
    notes: dict[Note, None] = field(default_factory=dict)

    def claim(self, claim: AccountClaim) -> None:
        """Add what a customer is owed, and apart from it what the customer owes."""
        for asset, amount in claim.amounts.items():
            if amount > 0:
                self.liabilities[asset] = self.liabilities.get(asset, ZERO) + amount
            elif amount < 0:
                self.owed_by.setdefault(claim.account, {})[asset] = amount
                self.owed[asset] = self.owed.get(asset, ZERO) + amount
        self.undetermined.update(claim.undetermined)
        self.notes.update(dict.fromkeys(claim.notes))

    def fund(self, claim: AccountClaim) -> None:
        """Add an insurance fund."""
        for asset, amount in claim.amounts.items():
            self.insurance_fund[asset] = self.insurance_fund.get(asset, ZERO) + amount
        self.notes.update(dict.fromkeys(claim.notes))


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
    sums = _Sums()
    market = Market.of(state)
    kinds: Counter[str] = Counter()
    for name in sorted(state.accounts):
        account = state.accounts[name]
        kinds[account.profile.kind] += 1
        if account.profile.kind in LIABLE_KINDS:
            sums.claim(account_claim(market, account))
        elif account.profile.kind == "insurance_fund":
            sums.fund(account_claim(market, account))
    held = attestations(state, state.occurred_at, maximum_age_seconds)
    reserves = fresh_reserves(held)
    if state.unapplied_corrections:
        sums.undetermined.update(sums.liabilities, reserves)
    ratios = {asset: reserve_ratio(reserves.get(asset), amount) for asset, amount in sums.liabilities.items()}
    ratios |= dict.fromkeys(reserves.keys() - ratios.keys())
    return VenueReport(
        sequence=state.sequence,
        at=state.occurred_at,
        accounts_by_kind=dict(kinds),
        liabilities=sums.liabilities,
        reserves=reserves,
        reserve_ratio=ratios,
        insurance_fund=sums.insurance_fund,
        negative_equity=NegativeEquity(sums.owed_by, sums.owed),
        attestations=held,
        undetermined=frozenset(sums.undetermined),
        solvent=is_solvent(sums.liabilities, reserves, sums.undetermined, attested=bool(held)),
        notes=(*sums.notes, *_notes(state, sums, held, maximum_age_seconds)),
    )


def reserve_ratio(reserve: Decimal | None, liability: Decimal | None) -> Decimal | None:
    """Return reserves ÷ liabilities, scale 12, rounded down; None where either is missing."""
    if reserve is None or not liability:
        return None
    return divide(reserve, liability, scale=RESERVE_RATIO_SCALE, rounding=RESERVE_RATIO_ROUNDING)


def is_solvent(
    liabilities: Mapping[str, Decimal],
    reserves: Mapping[str, Decimal],
    undetermined: AbstractSet[str],
    *,
    attested: bool,
) -> bool | None:
    """Decide on amounts; what is known to be uncovered decides before what is not known.

    Args:
        liabilities: by asset.
        reserves: what fresh attestations show, by asset.
        undetermined: assets in which some claim is not known.
        attested: whether there is any attestation, fresh or not.
    """
    if not attested:
        return None
    for asset, amount in liabilities.items():
        covered = asset in reserves and reserves[asset] >= amount
        if amount and not covered and asset not in undetermined:
            return False
    return None if undetermined else True


def _notes(
    state: VenueState, sums: _Sums, held: tuple[Attestation, ...], maximum_age_seconds: Decimal
) -> list[Note]:
    notes = []
    if not held:
        notes.append(Note("no_reserves_attested", "no reserves are attested: solvency is not decided"))
    for each in held:
        if each.fresh:
            continue
        reserve = each.reserve
        subject = f"asset/{reserve.asset}"
        if each.age_seconds < 0:
            message = (
                f"sequence {reserve.sequence}: {reserve.custodian} is attested for a time that the ledger "
                "has not reached; it does not count"
            )
            notes.append(Note("attestation_of_the_future", message, subject))
        else:
            message = (
                f"sequence {reserve.sequence}: the attestation of {reserve.custodian} is "
                f"{format_exact(each.age_seconds)} s old, {format_exact(maximum_age_seconds)} are allowed; "
                "it does not count"
            )
            notes.append(Note("attestation_stale", message, subject))
    for asset in sorted(sums.liabilities.keys() - {each.reserve.asset for each in held}):
        if held:
            message = f"no reserves of {asset} are attested"
            notes.append(Note("asset_not_attested", message, f"asset/{asset}"))
    if sums.owed:
        message = "what accounts owe is not set against what others are owed (negative_equity)"
        notes.append(Note("negative_equity", message))
    for source in sorted(name for name, coverage in state.sources.items() if coverage == "one_sided"):
        message = f"source {source} shows one side of each trade: accounts of the other side are not here"
        notes.append(Note("source_one_sided", message))
    if state.unapplied_corrections:
        message = f"{state.unapplied_corrections} recorded corrections could not be applied"
        notes.append(Note("correction_not_applied", message))
    if state.pending_losses:
        message = f"{len(state.pending_losses)} socialised losses wait for their other parts"
        notes.append(Note("loss_incomplete", message))
    return notes
