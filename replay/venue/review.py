"""After every command: who is to be liquidated, and who is called for margin."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger.amounts import ONE, ZERO, Rounding, divide, round_to
from ledger.events.liquidations import MarginCallCured, MarginCallIssued
from replay.venue.liquidation import RATIO_SCALE, liquidate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.venue.risk import RiskView, Standing
    from replay.venue.venue import MarginPot


def review(view: RiskView, accounts: Iterable[str]) -> None:
    """Liquidate what is in breach and issue or end margin calls.

    The pot that lacks most is liquidated first, then everything is looked at again, since its trades
    and losses reach others.
    """
    concerned = {name for name in accounts if name != view.venue.configuration.insurance_fund}
    liquidated: set[MarginPot] = set()
    standings = _standings(view, concerned)
    while breached := [each for each in standings if _to_liquidate(view, each, liquidated)]:
        worst = min(breached, key=lambda standing: (-standing.shortfall, standing.pot))
        liquidate(view, worst)
        liquidated.add(worst.pot)
        concerned |= holders(view)
        standings = _standings(view, concerned)
    for standing in standings:
        if not view.policy.breached(standing.value, standing.maintenance_margin):
            view.venue.partly_liquidated.discard(standing.pot)
            _call(view, standing)
    _end_calls_of_closed_positions(view, concerned)


def holders(view: RiskView, instrument: str | None = None) -> set[str]:
    """Return the accounts with a position, of an instrument or any; not the insurance fund."""
    return {
        name
        for name, account in view.venue.state.accounts.items()
        if name != view.venue.configuration.insurance_fund
        and any(instrument in (None, key[0]) for key in account.positions)
    }


def _standings(view: RiskView, accounts: Iterable[str]) -> list[Standing]:
    found: list[Standing] = []
    for name in sorted(accounts):
        account = view.venue.state.accounts.get(name)
        if account is not None and account.profile.kind != "external":
            found.extend(view.standings(account))
    return found


def _to_liquidate(view: RiskView, standing: Standing, liquidated: set[MarginPot]) -> bool:
    if not standing.exposures or standing.pot in liquidated:
        return False
    if not view.policy.breached(standing.value, standing.maintenance_margin):
        return False
    cooling_until = view.venue.cooling_until.get(standing.pot)
    cooling = cooling_until is not None and view.venue.journal.processed_at < cooling_until
    return not cooling or standing.value <= 0 or standing.equity <= 0


def _call(view: RiskView, standing: Standing) -> None:
    venue = view.venue
    called = standing.pot in venue.calls
    if view.policy.calls(standing.value, standing.maintenance_margin) == called:
        return
    ratio = ZERO
    if standing.maintenance_margin:
        ratio = divide(
            standing.maintenance_margin, standing.value, scale=RATIO_SCALE, rounding=Rounding.HALF_EVEN
        )
    terms: dict[str, Any] = {
        "account": standing.account,
        "instrument": standing.pot[1] or None,
        "margin_ratio": ratio,
    }
    if called:
        venue.calls.discard(standing.pot)
        venue.journal.decide(MarginCallCured(**terms, required=ZERO))
    else:
        venue.calls.add(standing.pot)
        venue.journal.decide(MarginCallIssued(**terms, required=_required(view, standing)))


def _required(view: RiskView, standing: Standing) -> Decimal:
    """Return the least value, at the settlement asset's scale, that ends the call when it is added."""
    scale = view.venue.settlement_scale()
    ratio = view.policy.margin_call_ratio or ONE
    wanted = divide(standing.maintenance_margin, ratio, scale=scale, rounding=Rounding.FLOOR)
    wanted += Decimal(1).scaleb(-scale)
    return round_to(wanted - standing.value, scale, Rounding.UP)


def _end_calls_of_closed_positions(view: RiskView, accounts: Iterable[str]) -> None:
    """End calls of isolated positions that are no longer open."""
    for name, instrument in sorted(view.venue.calls):
        if not instrument or name not in accounts:
            continue
        position = view.venue.account(name).positions.get((instrument, "both"))
        if position is None or not position.quantity:
            view.venue.calls.discard((name, instrument))
            cured = MarginCallCured(account=name, instrument=instrument, margin_ratio=ZERO, required=ZERO)
            view.venue.journal.decide(cured)
