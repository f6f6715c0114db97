"""What the venue says about itself: states of accounts, reserves, counts of events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.days.amounts import ZERO, quotient, rounded
from tests.simulation.days.margin import (
    initial_of,
    leverage_of,
    maintenance_of,
    notional_of,
    unrealised_of,
)
from tests.simulation.days.records import PERIOD, Moment
from tests.simulation.days.terms import INSTRUMENTS, OTHER, SETTLEMENT

if TYPE_CHECKING:
    from tests.simulation.days.books import Account
    from tests.simulation.days.records import Record
    from tests.simulation.days.venue import Venue


def _money(value: Decimal) -> Decimal:
    return rounded(value, 6, "half_even")


def state_data(venue: Venue, account: Account) -> dict[str, Any]:
    """Return the data of an exact ``AccountStateReported``; for accounts that have no order open."""
    books = venue.books
    dollar = books.asset_prices[SETTLEMENT]
    wallet = dict(account.wallet)
    margins = sum((position.margin for position in account.positions.values()), ZERO)
    wallet[SETTLEMENT] = wallet.get(SETTLEMENT, ZERO) + margins
    figures = venue.figures((account.name, None))
    rows, initial = [], ZERO
    for name, position in sorted(account.positions.items()):
        if not position.quantity:
            continue
        row = _position(venue, account, name)
        rows.append(row)
        if name not in account.isolated:
            initial += initial_of(books, account, name, position.quantity) * dollar
    data = {
        "account": account.name,
        "wallet_balance": wallet,
        "equity": _money(figures.equity),
        "initial_margin": _money(initial),
        "maintenance_margin": _money(figures.maintenance),
        "positions": rows,
    }
    ratio = figures.ratio()
    if ratio is not None:
        data["margin_ratio"] = ratio
    return data


def _position(venue: Venue, account: Account, name: str) -> dict[str, Any]:
    books = venue.books
    position = account.positions[name]
    dollar = books.asset_prices[SETTLEMENT]
    size = position.quantity * INSTRUMENTS[name].contract_size
    notional = notional_of(books, name, position.quantity)
    row = {
        "instrument": name,
        "margin_mode": "isolated" if name in account.isolated else "cross",
        "quantity": position.quantity,
        "entry_price": quotient(position.cost, size, 18, "half_even"),
        "mark_price": books.marks[name],
        "notional": _money(notional * dollar),
        "unrealised_pnl": _money(unrealised_of(books, name, position) * dollar),
        "initial_margin": _money(initial_of(books, account, name, position.quantity) * dollar),
        "maintenance_margin": _money(maintenance_of(books, name, position.quantity) * dollar),
        "leverage": leverage_of(books, account, name, notional),
    }
    if name in account.isolated:
        row["isolated_margin"] = _money(position.margin * dollar)
    return row


def report_state(venue: Venue, account: Account) -> Record:
    """Record an account's state."""
    return venue.emit("AccountStateReported", state_data(venue, account))


def attest_reserves(venue: Venue) -> None:
    """Record what custodians hold."""
    for asset, custodian, amount in (
        (SETTLEMENT, "bank", Decimal(4_000_000_000)),
        (OTHER, "vault", Decimal(900)),
    ):
        data = {
            "asset": asset,
            "custodian": custodian,
            "amount": amount + venue.rng.randrange(1000),
            "as_of": Moment(venue.journal.now - 1_000_000),
            "attester": "auditor",
        }
        venue.emit("ReserveAttested", data)


def report_totals(venue: Venue, period: int, *, off: int = 0) -> Record:
    """Record how many events of each type occurred in a period; one of the counts may be off."""
    counts = {kind: Decimal(number) for kind, number in sorted(venue.journal.counts[period].items())}
    if off:
        kind = max(counts, key=lambda each: counts[each])
        counts[kind] += off
    data = {
        "source": "venue",
        "from": Moment(period * PERIOD),
        "to": Moment((period + 1) * PERIOD),
        "counts": counts,
    }
    return venue.emit("SourceTotalsReported", data)


def collect_fees(venue: Venue) -> None:
    """Give the house what fees, interest and remainders of funding have come to."""
    amount = venue.books.uncollected
    if amount:
        data = {"account": "house", "asset": SETTLEMENT, "amount": -amount, "reason": "fees of the hour"}
        venue.emit("FeeCharged", data)
