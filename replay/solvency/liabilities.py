"""What each customer is owed, exactly and ready for the tree; what customers owe is totalled apart.

A customer's accounts count together. Of each account only what it is owed counts: a negative claim lowers
nothing, neither the customer's own nor anybody's. It is a shortfall where the account is owed nothing at
all, and else debt against collateral, in another asset, which no price turns into a smaller liability.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, exact, round_to
from replay.margin import Market
from replay.solvency.claims import LIABLE_KINDS, account_claim
from replay.solvency.errors import SumOverflowError
from replay.solvency.header import Asset
from replay.solvency.sum_tree import SUM_BYTES, SUM_LIMIT, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from decimal import Decimal

    from replay.solvency.claims import AccountClaim
    from replay.state.records import Account
    from replay.state.venue_state import VenueState

_SUM_BITS = 8 * SUM_BYTES


@dataclass(frozen=True, slots=True)
class CustomerClaim:
    """One account's claim, and whose it is."""

    customer: str
    claim: AccountClaim


@dataclass(slots=True)
class Liabilities:
    """What a venue owes, customer by customer.

    Attributes:
        assets: all in which something is owed, with the scale in which every claim is exact.
        by_customer: what each customer is owed, packed (:func:`replay.solvency.sum_tree.pack`).
        totals: the sum by asset.
        shortfall: what accounts owe that are owed nothing, by asset, above zero.
        debt_against_collateral: what accounts owe that are owed something in another asset, likewise.
        undetermined: assets in which some claim is not known.
    """

    assets: tuple[Asset, ...] = ()
    by_customer: dict[str, bytes] = field(default_factory=dict)
    totals: dict[str, Decimal] = field(default_factory=dict)
    shortfall: dict[str, Decimal] = field(default_factory=dict)
    debt_against_collateral: dict[str, Decimal] = field(default_factory=dict)
    undetermined: frozenset[str] = frozenset()

    def owed(self, customer: str) -> dict[str, Decimal]:
        """Return what a customer is owed by asset, without what is zero.

        Raises:
            KeyError: there is no such customer.
        """
        sums = unpack(self.by_customer[customer])
        return {
            each.asset: each.amount(units) for each, units in zip(self.assets, sums, strict=True) if units
        }


def customer_of(account: Account) -> str:
    """Return whose an account is: the customer that it was opened for, else itself."""
    return account.profile.customer or account.account


def customer_claims(state: VenueState) -> Iterator[CustomerClaim]:
    """Yield the claims of all accounts that can be owed something, in the order of their names.

    Unrealised PnL of more than 18 digits after the point is rounded up (towards the account) to 18.
    """
    market = Market.of(state)
    for name in sorted(state.accounts, key=str.encode):
        account = state.accounts[name]
        if account.profile.kind in LIABLE_KINDS:
            claim = account_claim(market, account)
            yield CustomerClaim(customer_of(account), _rounded(claim) if account.positions else claim)


def _rounded(claim: AccountClaim) -> AccountClaim:
    amounts = {
        asset: round_to(amount, MAXIMUM_SCALE, Rounding.CEILING) for asset, amount in claim.amounts.items()
    }
    return replace(claim, amounts=amounts)


def liabilities_of_state(state: VenueState) -> Liabilities:
    """Return what a venue owes after a state's last event.

    Raises:
        SumOverflowError: a sum needs more than 127 bits.
    """
    scales = {asset: int(scale) for asset, scale in state.assets.items()}
    found = liabilities_of(lambda: customer_claims(state), scales)
    if state.unapplied_corrections:
        found.undetermined |= {each.asset for each in found.assets}
    return found


@exact()
def liabilities_of(claims: Callable[[], Iterable[CustomerClaim]], scales: Mapping[str, int]) -> Liabilities:
    """Add claims up by customer.

    Args:
        claims: gives every account's claim once, each time it is called; it is called two or three times,
            so that no claim has to be kept.
        scales: listed scales by asset; 0 where none is. An asset takes a larger one where a claim has more
            digits after the point, so that nothing is rounded.

    Raises:
        SumOverflowError: a customer's sum needs more than 127 bits.
    """
    found = _without_sums(claims())
    owed = sorted(found.totals, key=str.encode)
    wanted = {asset: min(scales.get(asset, 0), MAXIMUM_SCALE) for asset in owed}
    while True:
        found.assets = tuple(Asset(asset, scale) for asset, scale in wanted.items())
        finer = _add_up(found, claims())
        if not finer:
            return found
        wanted |= finer


def _without_sums(claims: Iterable[CustomerClaim]) -> Liabilities:
    """Find which assets are owed, and all that does not go into the tree."""
    found = Liabilities()
    owed: set[str] = set()
    undetermined: set[str] = set()
    for each in claims:
        amounts = each.claim.amounts
        undetermined |= each.claim.undetermined
        positive = {asset for asset, amount in amounts.items() if amount > 0}
        owed |= positive
        if len(positive) == len(amounts):
            continue
        debts = found.debt_against_collateral if positive else found.shortfall
        for asset, amount in amounts.items():
            if amount < 0:
                debts[asset] = debts.get(asset, ZERO) - amount
    found.totals = dict.fromkeys(owed, ZERO)
    found.undetermined = frozenset(undetermined)
    return found


def _add_up(found: Liabilities, claims: Iterable[CustomerClaim]) -> dict[str, int]:
    """Fill in customers' sums and totals; return the scales of assets whose claims need a finer one."""
    assets = found.assets
    width = SUM_BYTES * len(assets)
    guard = int.from_bytes((b"\x80" + b"\0" * (SUM_BYTES - 1)) * len(assets), "big")
    columns = {
        each.asset: (each.scale, _SUM_BITS * (len(assets) - 1 - place)) for place, each in enumerate(assets)
    }
    sums: dict[str, int] = {}
    finer: dict[str, int] = {}
    total = 0
    for each in claims:
        packed = 0
        for asset, amount in each.claim.amounts.items():
            if amount > 0:
                scale, shift = columns[asset]
                shifted = amount.scaleb(scale)
                units = int(shifted)
                if units != shifted:
                    finer[asset] = max(finer.get(asset, 0), _digits_after_point(amount))
                if units >= SUM_LIMIT:
                    raise SumOverflowError(place=_place(assets, asset), amount=units)
                packed |= units << shift
        own = sums.get(each.customer, 0) + packed
        if own & guard:
            raise _overflow(own, len(assets))
        sums[each.customer] = own
        total += packed
        if total & guard:
            raise _overflow(total, len(assets))
    if not finer:
        found.by_customer = {name: own.to_bytes(width, "big") for name, own in sums.items()}
        amounts = zip(assets, unpack(total.to_bytes(width, "big")), strict=True)
        found.totals = {each.asset: each.amount(units) for each, units in amounts}
    return finer


def _digits_after_point(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 (amounts are finite)
    return max(0, -exponent)


def _place(assets: tuple[Asset, ...], asset: str) -> int:
    return next(place for place, each in enumerate(assets) if each.asset == asset)


def _overflow(packed: int, assets: int) -> SumOverflowError:
    sums = unpack(packed.to_bytes(SUM_BYTES * assets, "big"))
    place, amount = next((place, amount) for place, amount in enumerate(sums) if amount >= SUM_LIMIT)
    return SumOverflowError(place=place, amount=amount)
