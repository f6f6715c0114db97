"""What an account may claim of the venue, asset by asset.

A claim is the wallet (cross and isolated) and the unrealised PnL of the positions that settle in
the asset. Assets are never netted against each other: who has one bitcoin and owes ten thousand
dollars is owed one bitcoin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact
from replay.margin import Market, Note, signed_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from replay.state.records import Account, AccountKind, Position

LIABLE_KINDS: frozenset[AccountKind] = frozenset({"customer", "market_maker"})
"""Whose claims are liabilities; not those of the venue's own accounts and of external ones."""


@dataclass(frozen=True, slots=True)
class AccountClaim:
    """One account's claims.

    Attributes:
        amounts: by asset; negative is what the account owes.
        undetermined: assets in which something is not known and was left out.
        notes: what that is.
    """

    account: str
    amounts: Mapping[str, Decimal]
    undetermined: frozenset[str]
    notes: tuple[Note, ...]


@exact()
def account_claim(market: Market, account: Account) -> AccountClaim:
    """Return an account's claims at the marks of a market, exact but for inverse contracts (scale 18)."""
    amounts = account.wallet_balances()
    undetermined: set[str] = set()
    notes: dict[Note, None] = {}
    for position in account.positions.values():
        if not position.quantity:
            continue
        asset = position.settlement_asset
        pnl = _unrealised_pnl(market, position)
        if pnl is None:
            undetermined.add(asset)
            message = (
                f"no mark price of {position.instrument} that the policy accepts: "
                "unrealised PnL in it is not counted"
            )
            notes[Note("no_mark_price", message, f"instrument/{position.instrument}")] = None
        else:
            amounts[asset] = amounts.get(asset, ZERO) + pnl
    if account.anomaly is not None:
        undetermined.update(amounts)
        message = f"the books of {account.account} are in doubt since sequence {account.anomaly.sequence}"
        notes[Note(account.anomaly.code, message, f"account/{account.account}")] = None
    return AccountClaim(account.account, amounts, frozenset(undetermined), tuple(notes))


def _unrealised_pnl(market: Market, position: Position) -> Decimal | None:
    instrument = market.instruments[position.instrument]
    mark = market.mark_prices.get(position.instrument)
    if mark is None or market.is_stale(mark) or (instrument.priced_as == "inverse" and not mark.price):
        return None
    value = signed_value(instrument.priced_as, position.quantity, instrument.contract_size, mark.price)
    return value - position.cost
