"""All margined units of a venue at a moment, the nearest to liquidation first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact, format_exact
from replay.margin.account import evaluate_account
from replay.margin.market import Market

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.margin.results import AccountMargin
    from replay.margin.thresholds import MarginState
    from replay.state.records import AccountKind
    from replay.state.venue_state import VenueState

STATES: tuple[MarginState, ...] = (
    "bankrupt",
    "liquidatable",
    "undetermined",
    "margin_call",
    "warning",
    "healthy",
)
"""The gravest first; what nobody can judge comes before what is known to be well."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One unit: the cross part of an account, or an isolated position (``instrument``).

    Attributes:
        margin_ratio: maintenance margin ÷ value, 12 digits, half-even; None where undefined.
        value: collateral value, of an isolated position its equity, in the valuation currency.
        buffer: value − maintenance margin.
    """

    account: str
    kind: AccountKind
    instrument: str | None
    state: MarginState
    margin_ratio: Decimal | None
    value: Decimal | None
    maintenance_margin: Decimal | None
    buffer: Decimal | None

    def json_value(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "account": self.account,
            "kind": self.kind,
            "instrument": self.instrument,
            "state": self.state,
            "margin_ratio": _text(self.margin_ratio),
            "value": _text(self.value),
            "maintenance_margin": _text(self.maintenance_margin),
            "buffer": _text(self.buffer),
        }


@exact()
def standings(state: VenueState, *, at: datetime | None = None) -> list[Standing]:
    """Return every unit with an open position, the gravest state first and in it the highest ratio.

    External accounts stand for what is not in the ledger and are left out.
    """
    market = Market.of(state, at)
    found: list[Standing] = []
    for name in sorted(state.accounts):
        account = state.accounts[name]
        if account.profile.kind != "external" and any(each.quantity for each in account.positions.values()):
            margin = evaluate_account(account, market, with_prices=False)
            found.extend(_units(margin, account.profile.kind))
    return sorted(found, key=_gravity)


def _units(margin: AccountMargin, kind: AccountKind) -> Iterator[Standing]:
    open_positions = [each for each in margin.positions if each.quantity]
    if any(each.margin_mode != "isolated" for each in open_positions):
        yield Standing(
            margin.account,
            kind,
            None,
            margin.state,
            margin.margin_ratio,
            margin.collateral_value,
            margin.maintenance_margin,
            margin.buffer,
        )
    for each in open_positions:
        if each.margin_mode == "isolated":
            buffer = None
            if each.equity is not None and each.maintenance_margin is not None:
                buffer = each.equity - each.maintenance_margin
            yield Standing(
                margin.account,
                kind,
                each.instrument,
                each.state,
                each.margin_ratio,
                each.equity,
                each.maintenance_margin,
                buffer,
            )


def _gravity(standing: Standing) -> tuple[int, bool, Decimal, str]:
    ratio, buffer = standing.margin_ratio, standing.buffer
    worst = (ZERO if buffer is None else buffer) if ratio is None else -ratio
    return (STATES.index(standing.state), ratio is None, worst, standing.account)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_exact(value)
