"""Would reserves still cover liabilities if prices moved, and if what is attested were worth less?

One price move for all: what customers are owed is computed anew at the moved marks, account by account, so
that the winner's claim grows while the loser's stops at nothing left. Nobody is liquidated on the way, and
no fund pays: it is the venue as it stands, against other prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cmp_to_key
from typing import TYPE_CHECKING

from ledger.amounts import ONE, ZERO, exact, format_exact
from ledger.errors import InvalidInputError
from replay.margin import Market, Note
from replay.solvency.claims import LIABLE_KINDS
from replay.solvency.reserves import DEFAULT_MAXIMUM_AGE_SECONDS, attestations, fresh_reserves
from replay.solvency.stress_report import StressedClaims, StressReport, StressScenario
from replay.solvency.totals import (
    claim_totals,
    is_solvent,
    record_notes,
    reserve_notes,
    reserve_ratio,
    uncovered_assets,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from replay.solvency.reserves import Attestation
    from replay.solvency.totals import ClaimTotals
    from replay.state.venue_state import VenueState

PRICE_MOVES = tuple(Decimal(percent).scaleb(-2) for percent in (-50, -30, -20, -10, -5, 0, 5, 10, 20, 30, 50))
HAIRCUTS = tuple(Decimal(percent).scaleb(-2) for percent in (0, 10, 20, 50))


@dataclass(frozen=True, slots=True)
class _Moved:
    """The venue at one price move: claims are added up once for all haircuts."""

    market: Market
    totals: ClaimTotals
    claims: StressedClaims


def stress_moves(moves: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Return price moves in order, each once.

    Raises:
        InvalidInputError: there is none, or one is −1 or less: a price cannot fall by all of it.
    """
    ordered = tuple(sorted(set(moves)))
    if not ordered:
        raise InvalidInputError("no price move is given")
    if ordered[0] <= -ONE:
        raise InvalidInputError(
            f"a price move of {format_exact(ordered[0])}: a price cannot fall by all of it"
        )
    return ordered


def stress_haircuts(haircuts: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Return haircuts in order, each once.

    Raises:
        InvalidInputError: there is none, or one is below 0 or not below 1.
    """
    ordered = tuple(sorted(set(haircuts)))
    if not ordered:
        raise InvalidInputError("no haircut is given")
    for haircut in ordered:
        if not 0 <= haircut < 1:
            raise InvalidInputError(f"a haircut of {format_exact(haircut)}: give 0 or more, and less than 1")
    return ordered


@exact()
def solvency_under_stress(
    state: VenueState,
    *,
    price_moves: Iterable[Decimal] = PRICE_MOVES,
    haircuts: Iterable[Decimal] = HAIRCUTS,
    maximum_age_seconds: Decimal = DEFAULT_MAXIMUM_AGE_SECONDS,
) -> StressReport:
    """Return whether a venue is solvent under every price move and haircut; the state is not changed.

    Args:
        state: the venue's state.
        price_moves: shares by which all marks and recorded conversion prices move together, above −1.
        haircuts: shares of every attested reserve that do not count, 0 to below 1.
        maximum_age_seconds: how old an attestation may be to count, as for ``venue_report``.

    Raises:
        InvalidInputError: a move or haircut is out of range, or there is none.
    """
    moves, cuts = stress_moves(price_moves), stress_haircuts(haircuts)
    held = attestations(state, state.occurred_at, maximum_age_seconds)
    reserves = fresh_reserves(held)
    market = Market.of(state)
    options = _held_options(state)
    moved = [_moved(state, moved_market(market, move), move, reserves, options) for move in moves]
    scenarios = [_scenario(each, haircut, reserves, held) for haircut in cuts for each in moved]
    owed = sorted({asset for each in moved for asset in each.totals.liabilities})
    counted = {*owed, *(asset for asset, amount in reserves.items() if amount)}
    still = sorted(asset for asset in counted if not _moves(market, asset))
    notes = dict.fromkeys(note for each in moved for note in each.totals.notes)
    notes |= dict.fromkeys(reserve_notes(held, owed, maximum_age_seconds))
    notes |= dict.fromkeys(record_notes(state))
    notes |= dict.fromkeys(_price_notes(market, still, options))
    return StressReport(
        sequence=state.sequence,
        at=state.occurred_at,
        valuation_currency=state.valuation_currency,
        maximum_age_seconds=maximum_age_seconds,
        claims=tuple(each.claims for each in moved),
        scenarios=tuple(scenarios),
        moved_assets=tuple(sorted(asset for asset in counted if _moves(market, asset))),
        still_assets=tuple(still),
        still_options=tuple(sorted(options)),
        attestations=held,
        notes=tuple(notes),
    )


@exact()
def moved_market(market: Market, move: Decimal) -> Market:
    """Return a market with marks and conversion prices multiplied by 1 + move, exactly.

    What an option is worth after a move takes a model, which no event records: its mark stays. So do index
    prices: no claim hangs on one. The valuation currency is the measure and never moves.
    """
    if not move:
        return market
    factor = ONE + move
    options = {name for name, each in market.instruments.items() if each.kind == "option"}
    marks = {
        name: price if name in options else replace(price, price=price.price * factor)
        for name, price in market.mark_prices.items()
    }
    conversions = {
        key: replace(price, price=price.price * factor) for key, price in market.asset_prices.items()
    }
    return replace(market, mark_prices=marks, asset_prices=conversions)


def _held_options(state: VenueState) -> dict[str, str]:
    """Return the options that customers and market makers hold, with what they settle in."""
    held: dict[str, str] = {}
    for account in state.accounts.values():
        if account.profile.kind not in LIABLE_KINDS:
            continue
        for position in account.positions.values():
            if position.quantity and state.instruments[position.instrument].kind == "option":
                held[position.instrument] = position.settlement_asset
    return held


def _moved(
    state: VenueState,
    market: Market,
    move: Decimal,
    reserves: Collection[str],
    options: Mapping[str, str],
) -> _Moved:
    totals = claim_totals(state, market, reserves)
    if move:
        totals.undetermined.update(options.values())
    claims = StressedClaims(
        move=move,
        liabilities=totals.liabilities,
        negative_equity=totals.owed,
        accounts_owing=len(totals.owed_by),
        insurance_fund=totals.insurance_fund,
        undetermined=frozenset(totals.undetermined),
    )
    return _Moved(market, totals, claims)


def _scenario(
    moved: _Moved, haircut: Decimal, reserves: Mapping[str, Decimal], held: tuple[Attestation, ...]
) -> StressScenario:
    totals = moved.totals
    left = {asset: amount * (ONE - haircut) for asset, amount in reserves.items()}
    ratios = {asset: reserve_ratio(left.get(asset), owed) for asset, owed in totals.liabilities.items()}
    ratios |= dict.fromkeys(left.keys() - ratios.keys())
    failing = uncovered_assets(totals.liabilities, left, totals.undetermined) if held else []
    return StressScenario(
        claims=moved.claims,
        haircut=haircut,
        reserves=left,
        reserve_ratio=ratios,
        asset_to_liability_ratio=_overall_ratio(left, totals.liabilities, moved.market) if held else None,
        solvent=is_solvent(totals.liabilities, left, totals.undetermined, attested=bool(held)),
        failing=_worst_covered_first(failing, left, totals.liabilities),
    )


def _worst_covered_first(
    assets: Iterable[str], reserves: Mapping[str, Decimal], liabilities: Mapping[str, Decimal]
) -> tuple[str, ...]:
    """Order assets by reserves ÷ liabilities, compared as products; equals by name."""

    def compare(one: str, other: str) -> int:
        left = reserves.get(one, ZERO) * liabilities[other]
        right = reserves.get(other, ZERO) * liabilities[one]
        return (left > right) - (left < right)

    return tuple(sorted(sorted(assets), key=cmp_to_key(compare)))


def _overall_ratio(
    reserves: Mapping[str, Decimal], liabilities: Mapping[str, Decimal], market: Market
) -> Decimal | None:
    """Return reserves ÷ liabilities, both valued; what is owed and not attested has no reserves."""
    values = []
    for amounts in (reserves, liabilities):
        value = ZERO
        for asset, amount in amounts.items():
            rate = market.rate(asset) if amount else ZERO
            if rate is None:
                return None
            value += amount * rate
        values.append(value)
    return reserve_ratio(values[0], values[1])


def _moves(market: Market, asset: str) -> bool:
    return asset != market.valuation_currency and market.rate(asset) is not None


def _price_notes(market: Market, still: Iterable[str], options: Mapping[str, str]) -> list[Note]:
    notes = []
    currency = market.valuation_currency
    for asset in still:
        if asset != currency:
            message = (
                f"no price of {asset} in {currency} is recorded: {asset} does not move, "
                "and there is no ratio over all assets where it counts"
            )
            notes.append(Note("no_asset_price", message, f"asset/{asset}"))
    for option, asset in sorted(options.items()):
        message = (
            f"option {option} is not valued anew: its mark stands still, "
            f"and what is owed in {asset} is not known under a price move"
        )
        notes.append(Note("option_not_valued", message, f"instrument/{option}"))
    return notes
