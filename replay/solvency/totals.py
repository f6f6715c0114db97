"""Sums of claims and of reserves, asset by asset, and whether the second cover the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, Rounding, divide, exact, format_exact
from replay.margin import Note
from replay.solvency.claims import LIABLE_KINDS, account_claim

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from decimal import Decimal

    from replay.margin import Market
    from replay.solvency.claims import AccountClaim
    from replay.solvency.reserves import Attestation
    from replay.state.venue_state import VenueState

RESERVE_RATIO_SCALE = 12
# A ratio never says more than is there; whether liabilities are covered is decided on the amounts.
RESERVE_RATIO_ROUNDING = Rounding.DOWN


@dataclass(slots=True)
class ClaimTotals:
    """The claims of a venue's accounts, added up by asset.

    Attributes:
        liabilities: positive claims of customers and market makers.
        insurance_fund: claims of insurance funds; below zero where they owe.
        owed_by: account → asset → what a customer or market maker owes, below zero.
        owed: the sum of that by asset.
        undetermined: assets in which some claim is not known.
        notes: what the claims have to say, each once, in order.
    """

    liabilities: dict[str, Decimal] = field(default_factory=dict)
    insurance_fund: dict[str, Decimal] = field(default_factory=dict)
    owed_by: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    owed: dict[str, Decimal] = field(default_factory=dict)
    undetermined: set[str] = field(default_factory=set)
    notes: dict[Note, None] = field(default_factory=dict)

    def add_claim(self, claim: AccountClaim) -> None:
        """Add what a customer is owed, and apart from it what the customer owes."""
        for asset, amount in claim.amounts.items():
            if amount > 0:
                self.liabilities[asset] = self.liabilities.get(asset, ZERO) + amount
            elif amount < 0:
                self.owed_by.setdefault(claim.account, {})[asset] = amount
                self.owed[asset] = self.owed.get(asset, ZERO) + amount
        self.undetermined.update(claim.undetermined)
        self.notes.update(dict.fromkeys(claim.notes))

    def add_fund(self, claim: AccountClaim) -> None:
        """Add an insurance fund."""
        for asset, amount in claim.amounts.items():
            self.insurance_fund[asset] = self.insurance_fund.get(asset, ZERO) + amount
        self.notes.update(dict.fromkeys(claim.notes))


@exact()
def claim_totals(state: VenueState, market: Market, reserves: Collection[str]) -> ClaimTotals:
    """Return the claims of a state's accounts at the marks of a market, which may be a hypothetical one.

    Args:
        state: the venue's state.
        market: whose marks value open positions.
        reserves: assets that are attested; a correction that could not be applied puts them in doubt too.
    """
    totals = ClaimTotals()
    for name in sorted(state.accounts):
        account = state.accounts[name]
        if account.profile.kind in LIABLE_KINDS:
            totals.add_claim(account_claim(market, account))
        elif account.profile.kind == "insurance_fund":
            totals.add_fund(account_claim(market, account))
    if state.unapplied_corrections:
        totals.undetermined.update(totals.liabilities, reserves)
    return totals


def reserve_ratio(reserve: Decimal | None, liability: Decimal | None) -> Decimal | None:
    """Return reserve ÷ liability at scale 12, rounded down; None where either is missing."""
    if reserve is None or not liability:
        return None
    return divide(reserve, liability, scale=RESERVE_RATIO_SCALE, rounding=RESERVE_RATIO_ROUNDING)


def uncovered_assets(
    liabilities: Mapping[str, Decimal], reserves: Mapping[str, Decimal], undetermined: AbstractSet[str]
) -> list[str]:
    """Return the assets whose claims are all known and that reserves do not cover."""
    return [
        asset
        for asset, amount in liabilities.items()
        if asset not in undetermined and amount and (asset not in reserves or reserves[asset] < amount)
    ]


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
    if uncovered_assets(liabilities, reserves, undetermined):
        return False
    return None if undetermined else True


def reserve_notes(
    held: Sequence[Attestation], liabilities: Collection[str], maximum_age_seconds: Decimal
) -> list[Note]:
    """Return which attestations do not count, and which assets are owed and not attested."""
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
    for asset in sorted(set(liabilities) - {each.reserve.asset for each in held}):
        if held:
            message = f"no reserves of {asset} are attested"
            notes.append(Note("asset_not_attested", message, f"asset/{asset}"))
    return notes


def record_notes(state: VenueState) -> list[Note]:
    """Return what is missing in the records themselves."""
    notes = []
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
