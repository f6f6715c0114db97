"""The seam between a contract's terms and everything else: quantity × price as value in the settlement asset.

A position has a signed value and a signed cost, both in the settlement asset, and its unrealised
PnL is value − cost for every contract kind. A linear long is worth quantity × contract_size × price.
An inverse long owes quantity × contract_size ÷ price of the settlement asset, so its value is
negative and falls towards zero as the price rises; PnL = Q·(1/EP − 1/P) follows (DOMAIN §2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide, exact, round_to

if TYPE_CHECKING:
    from decimal import Decimal

Contract = Literal["linear", "inverse"]
"""How a position's value hangs on its price."""

# Cash and cost basis have this scale, so that balances never need more digits than an event can hold.
VALUE_SCALE = MAXIMUM_SCALE
VALUE_ROUNDING = Rounding.HALF_EVEN
# An entry price is a quotient that is shown and never computed with.
PRICE_SCALE = MAXIMUM_SCALE


def signed_value(contract: Contract, quantity: Decimal, contract_size: Decimal, price: Decimal) -> Decimal:
    """Return what ``quantity`` contracts (signed) are worth at ``price``, in the settlement asset.

    A linear value is exact and unrounded. An inverse value is a quotient at scale 18, half-even.

    Raises:
        ZeroDivisionError: an inverse contract at price zero.
    """
    if contract == "linear":
        return quantity * contract_size * price
    return divide(-quantity * contract_size, price, scale=VALUE_SCALE, rounding=VALUE_ROUNDING)


def signed_cost(contract: Contract, quantity: Decimal, contract_size: Decimal, price: Decimal) -> Decimal:
    """Return :func:`signed_value` at scale 18, rounded half-even: what a fill adds to a position's cost.

    Half-even is symmetric, so the two sides of one trade always cancel.
    """
    return round_to(signed_value(contract, quantity, contract_size, price), VALUE_SCALE, VALUE_ROUNDING)


def released_cost(cost: Decimal, quantity: Decimal, closed: Decimal) -> Decimal:
    """Return the part of ``cost`` that leaves with ``closed`` of ``quantity`` contracts; both have one sign.

    A full close releases all of it; otherwise cost × closed ÷ quantity at scale 18, half-even,
    and the remainder stays with the position.
    """
    if closed == quantity:
        return cost
    return divide(cost * closed, quantity, scale=VALUE_SCALE, rounding=VALUE_ROUNDING)


@exact()
def entry_price(
    contract: Contract, quantity: Decimal, contract_size: Decimal, cost: Decimal
) -> Decimal | None:
    """Return the average entry price at scale 18, half-even, or None where there is none.

    Linear: cost ÷ (quantity × contract_size). Inverse: −quantity × contract_size ÷ cost.
    """
    size = quantity * contract_size
    if not size or not cost:
        return ZERO if size and contract == "linear" else None
    if contract == "linear":
        return divide(cost, size, scale=PRICE_SCALE, rounding=Rounding.HALF_EVEN)
    return divide(-size, cost, scale=PRICE_SCALE, rounding=Rounding.HALF_EVEN)
