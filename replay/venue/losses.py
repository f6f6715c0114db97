"""Sharing out a loss that neither margin nor insurance fund covers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, Rounding, divide
from ledger.events.cash import LossAllocation, LossSocialised

if TYPE_CHECKING:
    from uuid import UUID

    from replay.venue.risk import RiskView

# So many allocations with names of 128 characters stay well under the largest event.
ALLOCATIONS_A_PART = 200
_BEAR_NO_LOSS = frozenset({"insurance_fund", "external"})


def loss_allocations(view: RiskView, bankrupt: str, loss: Decimal) -> list[tuple[str, Decimal]]:
    """Return who bears how much of a loss, in proportion to cross equity above zero; the sum is the loss.

    Shares are rounded down to the settlement asset's scale; what that leaves is borne by the
    account with the most equity. Nobody bears more than his equity: a loss beyond all equity is
    shared out only as far as it goes.
    """
    equities = []
    for name in sorted(view.venue.state.accounts):
        account = view.venue.state.accounts[name]
        if name == bankrupt or account.profile.kind in _BEAR_NO_LOSS:
            continue
        standing = view.cross(account)
        if standing is not None and standing.equity > 0:
            equities.append((name, standing.equity))
    total = sum((equity for _, equity in equities), ZERO)
    if total <= loss:
        return equities
    scale = view.venue.settlement_scale()
    shares = {
        name: divide(loss * equity, total, scale=scale, rounding=Rounding.DOWN) for name, equity in equities
    }
    left = loss - sum(shares.values(), ZERO)
    for name, equity in sorted(equities, key=lambda each: (-each[1], each[0])):
        more = min(left, equity - shares[name])
        shares[name] += more
        left -= more
    return [(name, share) for name, share in shares.items() if share]


def socialise(view: RiskView, bankrupt: str, loss: Decimal, liquidation: str, causation: UUID | None) -> None:
    """Record a loss as shared out; in several parts where there are many accounts."""
    allocations = loss_allocations(view, bankrupt, loss)
    parts = [
        allocations[start : start + ALLOCATIONS_A_PART]
        for start in range(0, len(allocations), ALLOCATIONS_A_PART)
    ]
    amount = sum((share for _, share in allocations), ZERO)
    for number, part in enumerate(parts, start=1):
        view.venue.journal.decide(
            LossSocialised(
                liquidation=liquidation,
                asset=view.venue.configuration.settlement_asset,
                amount=amount,
                allocations=[LossAllocation(account=name, amount=share) for name, share in part],
                part=Decimal(number),
                parts=Decimal(len(parts)),
            ),
            causation=causation,
            correlation=liquidation,
        )
