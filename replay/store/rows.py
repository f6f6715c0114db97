"""A state as rows of the read models: pure functions from records to column values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger.amounts import ZERO, exact
from ledger.canonical import encode
from replay.margin import Market, evaluate_account
from replay.state import PROJECTION, PROJECTION_VERSION, account_value, snapshot
from replay.store.schema import LIVE, SETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from replay.margin import AccountMargin
    from replay.state import Account, VenueState

Row = dict[str, Any]
"""Column → value."""


def progress_row(state: VenueState, processed_hash: bytes, priced_sequence: int) -> Row:
    """Return how far the read models of a state are; the database sets ``updated_at``."""
    return {
        "projection": PROJECTION,
        "projection_version": PROJECTION_VERSION,
        "processed_sequence": state.sequence,
        "processed_hash": processed_hash,
        "priced_sequence": priced_sequence,
        "state_time": state.occurred_at,
    }


def state_parts(state: VenueState) -> dict[str, bytes]:
    """Return the canonical bytes of every field of a state but ``accounts``, by the field's name."""
    value = snapshot(replace(state, accounts={}))["state"]
    assert isinstance(value, dict)  # noqa: S101 (a state is written as an object)
    return {part: encode(content) for part, content in value.items() if part != "accounts"}


def book_rows(accounts: Iterable[Account]) -> dict[str, list[Row]]:
    """Return the rows of the book tables for some accounts, by table."""
    rows: dict[str, list[Row]] = {"accounts": [], "balances": [], "flows": [], "positions": []}
    for account in accounts:
        rows["accounts"].append(_account(account))
        rows["balances"] += _balances(account)
        rows["flows"] += [
            {"account": account.account, "flow": flow, "asset": asset, "amount": amount}
            for (flow, asset), amount in account.flows.items()
        ]
        rows["positions"] += _positions(account)
    return rows


def _account(account: Account) -> Row:
    profile = account.profile
    return {
        "account": account.account,
        "kind": profile.kind,
        "margin_mode": profile.margin_mode,
        "position_mode": profile.position_mode,
        "opened": profile.opened,
        "closed": profile.closed,
        "event_count": account.event_count,
        "last_sequence": account.last_sequence,
        "anomaly": None if account.anomaly is None else account.anomaly.code,
        "canonical": encode(account_value(account)),
    }


def _balances(account: Account) -> Iterator[Row]:
    for asset, amount in account.wallet_balances().items():
        yield {
            "account": account.account,
            "asset": asset,
            "wallet_balance": amount,
            "cross_wallet_balance": account.balances.get(asset, ZERO),
        }


def _positions(account: Account) -> Iterator[Row]:
    for position in account.positions.values():
        yield {
            "account": account.account,
            "instrument": position.instrument,
            "position_side": position.position_side,
            "margin_mode": account.margin_mode(position.instrument),
            "quantity": position.quantity,
            "cost": position.cost,
            "settlement_asset": position.settlement_asset,
            "isolated_margin": position.isolated_margin,
        }


@exact()
def margin_rows(state: VenueState) -> dict[str, list[Row]]:
    """Return the rows of the margin tables for every account of a state, by table."""
    market = Market.of(state)
    rows: dict[str, list[Row]] = {"account_margins": [], "position_margins": []}
    for account in state.accounts.values():
        margin = evaluate_account(account, market)
        rows["account_margins"].append(_account_margin(margin))
        rows["position_margins"] += [
            {
                name: account.account if name == "account" else getattr(position, name)
                for name in _names("position_margins")
            }
            for position in margin.positions
        ]
    return rows


def _account_margin(margin: AccountMargin) -> Row:
    notes = encode([note.json_value() for note in margin.notes]).decode()
    return {name: notes if name == "notes" else getattr(margin, name) for name in _names("account_margins")}


def _names(table: str) -> list[str]:
    return [column.name for column in SETS[LIVE][table].columns]


def key_of(table: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the primary key of a row."""
    return tuple(row[column.name] for column in SETS[LIVE][table].primary_key.columns)
