"""The cross part of an account: wallet, positions and orders added up, and the state that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from ledger.amounts import ZERO
from replay.margin.order_margin import open_order_initial_margin
from replay.margin.portfolio import Holding, PortfolioTerms, portfolio_margin
from replay.margin.results import Note
from replay.margin.thresholds import MarginState, margin_state
from replay.margin.tiered import collateral_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from replay.margin.market import Market
    from replay.margin.position import PositionFigures
    from replay.state.records import Account


@dataclass(slots=True)
class Notes:
    """Notes in the order in which they came up, each once."""

    notes: dict[Note, None] = field(default_factory=dict)

    def add(self, code: str, message: str, subject: str | None = None) -> None:
        """Add a note unless it is there."""
        self.notes[Note(code, message, subject)] = None

    def extend(self, notes: Iterable[Note]) -> None:
        """Add several."""
        self.notes.update(dict.fromkeys(notes))


@dataclass(frozen=True, slots=True)
class CrossFigures:
    """Sums over the cross wallet and cross positions; None is unknown."""

    notional: Decimal | None
    unrealised_pnl: Decimal | None
    equity: Decimal | None
    collateral_value: Decimal | None
    initial_margin: Decimal | None
    open_order_initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    state: MarginState
    portfolios: Mapping[str, Portfolio]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The positions of one base that are margined together, and what they require."""

    holdings: tuple[Holding, ...]
    terms: PortfolioTerms
    initial_margin: Decimal
    maintenance_margin: Decimal


def cross_figures(
    account: Account, market: Market, cross: list[PositionFigures], notes: Notes, *, doubts: bool
) -> CrossFigures:
    """Add up an account's cross wallet, the positions that share it and open orders, in ``exact()``.

    Args:
        account: whose.
        market: prices, schedules and policy.
        cross: the figures of all positions but isolated ones.
        notes: where to say what is not known.
        doubts: whether something puts the account in doubt, so that no state is stated.
    """
    wallet, collateral = _wallet(account, market, notes)
    unrealised = total([each.unrealised_pnl for each in cross])
    portfolios = _portfolios(cross, market)
    maintenance = total(
        [
            *(each.maintenance_margin for each in cross),
            *(each.maintenance_margin for each in portfolios.values()),
        ]
    )
    order_notes: list[Note] = []
    ordered = open_order_initial_margin(account, market, order_notes) if account.open_orders else ZERO
    notes.extend(order_notes)
    collateral_sum = total([collateral, unrealised])
    certain = not doubts and all(each.determined for each in cross)
    state: MarginState = "undetermined"
    if certain and collateral_sum is not None and maintenance is not None:
        state = margin_state(collateral_sum, maintenance, market.policy)
    return CrossFigures(
        notional=total([each.notional for each in cross]),
        unrealised_pnl=unrealised,
        equity=total([wallet, unrealised]),
        collateral_value=collateral_sum,
        initial_margin=total(
            [
                *(each.initial_margin for each in cross),
                *(each.initial_margin for each in portfolios.values()),
                ordered,
            ]
        ),
        open_order_initial_margin=ordered,
        maintenance_margin=maintenance,
        state=state,
        portfolios=portfolios,
    )


def _portfolios(cross: list[PositionFigures], market: Market) -> dict[str, Portfolio]:
    """Return what positions under portfolio margin require together, by base."""
    by_base: dict[str, list[tuple[Holding, PortfolioTerms]]] = {}
    for each in cross:
        instrument = market.instruments[each.position.instrument]
        rate = market.rate(each.position.settlement_asset)
        if each.portfolio is not None and each.mark_price is not None and rate is not None:
            holding = Holding(instrument, each.position.quantity, each.mark_price, rate)
            by_base.setdefault(instrument.base, []).append((holding, each.portfolio))
    portfolios = {}
    for base, members in by_base.items():
        holdings = [holding for holding, _ in members]
        terms = reduce(PortfolioTerms.joined, (each for _, each in members))
        initial, maintenance = portfolio_margin(holdings, terms)
        portfolios[base] = Portfolio(tuple(holdings), terms, initial, maintenance)
    return portfolios


def _wallet(account: Account, market: Market, notes: Notes) -> tuple[Decimal | None, Decimal | None]:
    """Return the cross wallet's value without and with haircuts."""
    value: Decimal | None = ZERO
    collateral: Decimal | None = ZERO
    for asset in sorted(account.balances):
        amount = account.balances[asset]
        if not amount:
            continue
        rate = market.rate(asset)
        if rate is None:
            message = f"no price of {asset} in {market.valuation_currency} is recorded"
            notes.add("no_asset_price", message, f"asset/{asset}")
            value = collateral = None
            continue
        holding = amount * rate
        schedule = market.collateral_schedule(asset)
        counted = holding if schedule is None else collateral_value(schedule.tiers, holding)
        if schedule is None and asset != market.valuation_currency and account.positions:
            message = f"no haircut schedule of {asset} is in force; it counts in full"
            notes.add("no_collateral_schedule", message, f"asset/{asset}")
        value = total([value, holding])
        collateral = total([collateral, counted])
    return value, collateral


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum, or None where a part is unknown."""
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
