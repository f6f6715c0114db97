"""Whether an account can bear an order: initial margin with everything that is still open in the book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ZERO
from replay.margin.tiered import initial_margin
from replay.venue.book import crosses, opposite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from replay.state.records import Account
    from replay.venue.book import Order
    from replay.venue.commands import Side
    from replay.venue.risk import RiskView


@dataclass(frozen=True, slots=True)
class Claim:
    """What an order would do to an account when it fills; amounts in the settlement asset.

    Attributes:
        quantity: signed contracts.
        loss: what filling at the order's price rather than at the mark costs.
        fee: at the taker's rate.
    """

    instrument: str
    quantity: Decimal
    loss: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Room:
    """What an account has left, in the valuation currency; negative is lacking.

    Attributes:
        after_losses: collateral value − losses and fees of open orders.
        after_margin: that − initial margin of the worst that positions and open orders can become.
    """

    after_losses: Decimal
    after_margin: Decimal


def claim_at(
    view: RiskView, instrument: str, side: Side, fills: Iterable[tuple[Decimal, Decimal]]
) -> Claim | None:
    """Return the claim of an order that fills at these (price, quantity) pairs; None without a mark price."""
    mark = view.mark_price(instrument)
    if mark is None:
        return None
    contract_size = view.venue.instrument(instrument).contract_size
    sign = 1 if side == "buy" else -1
    quantity = loss = notional = ZERO
    for price, filled in fills:
        quantity += filled * sign
        loss += max((price - mark) * sign, ZERO) * filled * contract_size
        notional += max(price, mark) * filled * contract_size
    schedule = view.venue.fee_schedule(instrument)
    rate = ZERO if schedule is None else max(schedule.taker_rate, schedule.maker_rate, ZERO)
    return Claim(instrument, quantity, loss, view.venue.to_venue(notional * rate))


def expected_fills(
    view: RiskView, instrument: str, side: Side, quantity: Decimal, limit: Decimal | None
) -> list[tuple[Decimal, Decimal]]:
    """Return what an order would fill at once, as (price, quantity), if every resting order stands."""
    book = view.venue.books.get(instrument)
    fills: list[tuple[Decimal, Decimal]] = []
    left = quantity
    for order in () if book is None else book.orders(opposite(side)):
        if not left or not crosses(side, limit, order.price):
            break
        filled = min(left, order.quantity)
        fills.append((order.price, filled))
        left -= filled
    return fills


def claims_of(view: RiskView, orders: Sequence[Order]) -> list[Claim] | None:
    """Return the claims of resting orders; None where one has no mark price."""
    claims = []
    for order in orders:
        claim = claim_at(view, order.instrument, order.side, [(order.price, order.quantity)])
        if claim is None:
            return None
        claims.append(claim)
    return claims


def order_room(view: RiskView, account: Account, claims: Sequence[Claim]) -> Room | None:
    """Return what an account has left if all these claims come true; None is undetermined.

    Per instrument the worst of all buys and of all sells filling is taken. An isolated instrument
    claims from the wallet the margin that its increases would have to bring.
    """
    cross = view.cross(account)
    margin = margin_with_orders(view, account, claims)
    if cross is None or margin is None:
        return None
    costs = sum((claim.loss + claim.fee for claim in claims), ZERO)
    after_losses = cross.value - costs * cross.rate
    return Room(after_losses, after_losses - margin * cross.rate)


def margin_with_orders(view: RiskView, account: Account, claims: Sequence[Claim]) -> Decimal | None:
    """Return the initial margin of positions and orders in the settlement asset; None is undetermined."""
    cross = view.cross(account)
    if cross is None:
        return None
    quantities = {exposure.position.instrument: exposure.position.quantity for exposure in cross.exposures}
    for key, position in account.positions.items():
        if account.margin_mode(key[0]) == "isolated":
            quantities[key[0]] = position.quantity
    for claim in claims:
        quantities.setdefault(claim.instrument, ZERO)
    margin = ZERO
    for instrument in sorted(quantities):
        mark = view.mark_price(instrument)
        if mark is None or not view.tiers(instrument):
            return None
        here = [claim.quantity for claim in claims if claim.instrument == instrument]
        margin += _worst_margin(view, account, instrument, quantities[instrument], here, mark)
    return margin


def _worst_margin(
    view: RiskView,
    account: Account,
    instrument: str,
    held: Decimal,
    orders: Sequence[Decimal],
    mark: Decimal,
) -> Decimal:
    most = held + sum((quantity for quantity in orders if quantity > 0), ZERO)
    least = held + sum((quantity for quantity in orders if quantity < 0), ZERO)
    if account.margin_mode(instrument) == "isolated":
        required = max(most, ZERO) - max(held, ZERO), max(-least, ZERO) - max(-held, ZERO)
        worst = max(required)
    else:
        worst = max(abs(most), abs(least))
    unit = view.venue.instrument(instrument).contract_size * mark
    leverage = view.leverage(account, instrument, max(abs(most), abs(least)) * unit)
    return initial_margin(worst * unit, leverage)


def reduces(account: Account, claim: Claim, same_side: Decimal = ZERO) -> bool:
    """Tell whether a claim can only make a position smaller after ``same_side`` contracts ordered before."""
    position = account.positions.get((claim.instrument, "both"))
    held = ZERO if position is None else position.quantity
    return claim.quantity * held < 0 and abs(claim.quantity) + same_side <= abs(held)


def can_bear_reduction(view: RiskView, account: Account, claim: Claim) -> bool:
    """Tell whether a reduction at its price leaves the account at zero or more."""
    cross = view.cross(account)
    if cross is None:
        return False
    costs = claim.loss + claim.fee
    if account.margin_mode(claim.instrument) != "isolated":
        return cross.value >= costs * cross.rate
    for standing in view.isolated(account):
        if standing.pot[1] == claim.instrument:
            # What is closed takes its share of the position's equity along; compared in products.
            held = abs(standing.exposures[0].position.quantity)
            return cross.equity * held + standing.equity * abs(claim.quantity) >= costs * held
    return False
