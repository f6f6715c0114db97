"""What each customer is owed, exactly and ready for the tree; what customers owe is totalled apart.

A customer's accounts count together. Of each account only what it is owed counts: a negative claim lowers
nothing, neither the customer's own nor anybody's. It is a shortfall where the account is owed nothing at
all, and else debt against collateral, in another asset, which no price turns into a smaller liability.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, exact, round_to
from replay.margin import Market
from replay.solvency.claims import LIABLE_KINDS, account_claim
from replay.solvency.proofs.errors import SumOverflowError
from replay.solvency.proofs.header import Asset
from replay.solvency.proofs.sum_tree import SUM_BYTES, SUM_LIMIT, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
        by_customer: what each customer is owed, packed (:func:`replay.solvency.proofs.sum_tree.pack`).
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
        claims: gives every account's claim once, each time it is called: once, or twice where an asset has to
            take a larger scale than the listed one; so no claim has to be kept.
        scales: listed scales by asset; 0 where none is. An asset takes a larger one where a claim has more
            digits after the point, so that nothing is rounded.

    Raises:
        SumOverflowError: a customer's sum needs more than 127 bits.
    """
    wanted = {asset: min(scale, MAXIMUM_SCALE) for asset, scale in scales.items()}
    while True:
        adding = _Adding(wanted)
        adding.take(claims())
        if not adding.finer:
            return adding.result()
        wanted |= adding.finer


class _Adding:
    """Adds claims up; all sums of a customer are one number, with 128 bits for each asset.

    An asset gets its bits when it is first met, the lowest first; the order of the tree comes at the end.

    Attributes:
        finer: larger scales by asset, where a claim needs them.
    """

    def __init__(self, scales: Mapping[str, int]) -> None:
        self._scales = scales
        self._columns: dict[str, tuple[int, Decimal, Decimal]] = {}
        self._sums: dict[str, int] = {}
        self._found = Liabilities()
        self._undetermined: set[str] = set()
        self._guard, self._guarded = 0, 0
        self.finer: dict[str, int] = {}

    def take(self, claims: Iterable[CustomerClaim]) -> None:
        """Add claims.

        Raises:
            SumOverflowError: a customer's sum needs more than 127 bits.
        """
        columns, sums, zero = self._columns, self._sums, ZERO
        for each in claims:
            packed, debts = 0, {}
            for asset, amount in each.claim.amounts.items():
                if amount > zero:
                    column = columns.get(asset) or self._column(asset)
                    shift, factor, unit = column
                    if amount % unit:
                        self._refine(asset, amount)
                    units = int(amount * factor)
                    if units >= SUM_LIMIT:
                        raise SumOverflowError(place=shift // _SUM_BITS, amount=units)
                    packed |= units << shift
                elif amount:
                    debts[asset] = amount
            if debts:
                self._add_debts(debts, is_owed=packed > 0)
            self._undetermined |= each.claim.undetermined
            own = sums.get(each.customer)
            sums[each.customer] = packed if own is None else self._together(own, packed)

    def result(self) -> Liabilities:
        """Return what came of it, with assets in the tree's order."""
        found = self._found
        found.assets = tuple(
            Asset(asset, self._scales.get(asset, 0)) for asset in sorted(self._columns, key=str.encode)
        )
        width = SUM_BYTES * len(found.assets)
        starts = [self._columns[each.asset][0] // 8 for each in found.assets]
        total = 0
        for customer in [*self._sums]:
            packed = self._sums.pop(customer)
            total = self._together(total, packed)
            found.by_customer[customer] = _in_order(packed.to_bytes(width, "little"), starts)
        sums = unpack(_in_order(total.to_bytes(width, "little"), starts))
        found.totals = {
            each.asset: each.amount(units) for each, units in zip(found.assets, sums, strict=True)
        }
        found.undetermined = frozenset(self._undetermined)
        return found

    def _column(self, asset: str) -> tuple[int, Decimal, Decimal]:
        scale = self._scales.get(asset, 0)
        column = (_SUM_BITS * len(self._columns), ONE.scaleb(scale), ONE.scaleb(-scale))
        self._columns[asset] = column
        return column

    def _refine(self, asset: str, amount: Decimal) -> None:
        exponent = amount.normalize().as_tuple().exponent
        assert isinstance(exponent, int)  # noqa: S101 (amounts are finite)
        self.finer[asset] = max(self.finer.get(asset, 0), -exponent)

    def _together(self, own: int, more: int) -> int:
        """Add two numbers of sums; with every first bit clear none carries into the next."""
        total = own + more
        if len(self._columns) != self._guarded:
            self._guarded = len(self._columns)
            self._guard = sum(SUM_LIMIT << (_SUM_BITS * place) for place in range(self._guarded))
        if total & self._guard:
            sums = unpack(total.to_bytes(SUM_BYTES * self._guarded, "big"))
            raise _overflow([*reversed(sums)])
        return total

    def _add_debts(self, debts: Mapping[str, Decimal], *, is_owed: bool) -> None:
        totals = self._found.debt_against_collateral if is_owed else self._found.shortfall
        for asset, amount in debts.items():
            totals[asset] = totals.get(asset, ZERO) - amount


def _in_order(lowest_first: bytes, starts: Sequence[int]) -> bytes:
    """Return sums in the tree's order, the highest byte of each first."""
    return b"".join([lowest_first[start : start + SUM_BYTES][::-1] for start in starts])


def _overflow(sums: Sequence[int]) -> SumOverflowError:
    place = next(place for place, amount in enumerate(sums) if amount >= SUM_LIMIT)
    return SumOverflowError(place=place, amount=sums[place])
