"""Where a liquidation's money goes and comes from: fee, insurance fund, and losses that all share."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ZERO, of_fraction
from tests.simulation.days.faults import FAULTLESS, Fault
from tests.simulation.days.margin import equity_in_settlement
from tests.simulation.days.terms import FUND, SETTLEMENT

if TYPE_CHECKING:
    from tests.simulation.days.records import Record
    from tests.simulation.days.venue import Venue


def charge(venue: Venue, account: str, amount: Decimal, reference: str) -> None:
    """Record a liquidation fee, if there is one to take."""
    if amount > 0:
        data = {"account": account, "asset": SETTLEMENT, "amount": amount, "reason": "liquidation fee"}
        venue.emit("FeeCharged", {**data, "reference": reference}, correlation=reference)


def move_fund(
    venue: Venue, event_type: str, account: str, amount: Decimal, liquidation: str | None, reason: str
) -> Record:
    """Record a movement between the insurance fund and an account."""
    data: dict[str, Any] = {
        "fund": FUND,
        "asset": SETTLEMENT,
        "amount": amount,
        "account": account,
        "reason": reason,
    }
    if liquidation is not None:
        data["liquidation"] = liquidation
    return venue.emit(event_type, data, correlation=liquidation)


def cover(venue: Venue, account: str, lacking: Decimal, name: str, fault: Fault = FAULTLESS) -> None:
    """Pay a shortfall out of the fund, as far as it goes, and share out what remains."""
    books = venue.books
    available = max(ZERO, min(books.accounts[FUND].cash(), equity_in_settlement(books, (FUND, None))))
    drawn = lacking if fault.overdraw else min(lacking, available - fault.kept_back)
    if drawn > 0:
        reason = "a liquidation's shortfall"
        move_fund(venue, "InsuranceFundDrawn", account, drawn + fault.drawn_off, name, reason)
        lacking -= drawn
    if lacking > 0:
        share_loss(venue, account, lacking + fault.loss_off, name, fault)
        venue.support_fund()


def share_loss(venue: Venue, account: str, amount: Decimal, name: str, fault: Fault = FAULTLESS) -> Record:
    """Share a loss out in proportion to equity, in two parts; returns the last."""
    equities = {
        each.name: equity
        for each in venue.books.accounts.values()
        if each.name not in (FUND, account) and (equity := venue.figures((each.name, None)).equity) > 0
    }
    total = sum(equities.values(), ZERO)
    shares = {
        name: of_fraction(Fraction(amount) * Fraction(equity) / Fraction(total), 6, "down")
        for name, equity in equities.items()
    }
    shares = {name: share for name, share in shares.items() if share > 0}
    richest, next_richest = sorted(shares, key=lambda each: equities[each], reverse=True)[:2]
    shares[richest] += amount - sum(shares.values(), ZERO) - fault.share_off
    shares[next_richest] += fault.share_off
    rows = [{"account": bearer, "amount": share} for bearer, share in shares.items()]
    middle = len(rows) // 2
    for part, allocations in enumerate((rows[:middle], rows[middle:]), start=1):
        data = {
            "liquidation": name,
            "asset": SETTLEMENT,
            "amount": amount,
            "allocations": allocations,
            "part": Decimal(part),
            "parts": Decimal(2),
        }
        last = venue.emit("LossSocialised", data, correlation=name)
    venue.books.socialise(account, SETTLEMENT, shares)
    return last
