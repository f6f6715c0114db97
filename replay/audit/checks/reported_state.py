"""Are the figures that the venue reports of an account the ones that its events come to?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.takeover import COARSEST_AMOUNT
from replay.audit.terms import asset_unit, followed_from, in_doubt, is_one_sided, moment_of
from replay.findings import Severity
from replay.margin import Market, evaluate_account
from replay.state.records import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.events.accounts import AccountStateReported, ReportedPosition
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.margin import AccountMargin, PositionMargin
    from replay.state.records import PositionKey
    from replay.state.venue_state import VenueState

BALANCE_DIFFERS = FindingKind(
    "reported_balance_differs",
    Severity.ERROR,
    "A wallet balance of an AccountStateReported (cross and isolated together; an asset that it does not "
    "name is zero) differs from the rebuilt one by more than one unit of the asset. Reports of sources that "
    "show one side only are not compared, here and below. Evidence: the report, and the last event before "
    "it that was booked on the account.",
)
MARGIN_DIFFERS = FindingKind(
    "reported_margin_differs",
    Severity.ERROR,
    "Equity, initial margin, maintenance margin or margin ratio of an AccountStateReported, or the initial"
    " or maintenance margin of one of its positions, differs from the rebuilt figure by more than one "
    "unit: of an amount at the scale of the valuation currency, of a ratio in its own last place. "
    "Evidence: the report, the last event before it that was booked on the account, and the marks and "
    "schedules in force.",
)
POSITION_DIFFERS = FindingKind(
    "reported_position_differs",
    Severity.ERROR,
    "Quantity, mark price or leverage of a position in an AccountStateReported differs from the rebuilt "
    "one, or its entry price, notional, unrealised PnL or isolated margin by more than one unit; or the "
    "report, where it lists positions, lacks one that is open or lists one that is not. Evidence: the "
    "report, the last event before it that was booked on the account, and the instrument's mark and "
    "schedule.",
)

_ACCOUNT_AMOUNTS = ("equity", "initial_margin", "maintenance_margin")
_POSITION_MARGINS = ("initial_margin", "maintenance_margin")
_POSITION_AMOUNTS = ("notional", "unrealised_pnl", "isolated_margin")
_POSITION_EXACT = ("mark_price", "leverage")


@dataclass(frozen=True, slots=True)
class _Difference:
    what: str
    recorded: Decimal
    rebuilt: Decimal

    def __str__(self) -> str:
        return (
            f"{self.what} is reported as {format_exact(self.recorded)} and rebuilt as "
            f"{format_exact(self.rebuilt)}"
        )


class ReportedState(Check):
    """Evaluates an account where its venue reported it, and compares field by field."""

    name = "reported_account_state"
    kinds = (BALANCE_DIFFERS, MARGIN_DIFFERS, POSITION_DIFFERS)
    event_types = frozenset({"AccountStateReported"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._skipped: Counter[str] = Counter()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Compare a report with the state that it meets."""
        report = cast("AccountStateReported", event.data)
        if is_one_sided(state, event):
            self._skipped["reports of sources that show one side only, whose cash may not be complete,"] += 1
            return
        account = state.accounts.get(report.account, Account(report.account))
        if in_doubt(state, account):
            self._skipped["reports of accounts whose books are in doubt"] += 1
            return
        self._balances(state, event, report, account)
        market = Market.of(state, moment_of(state, event))
        margin = evaluate_account(account, market, with_prices=False)
        place = _Place(event, account, margin)
        differences = list(self._account_figures(state, report, margin))
        if differences:
            self._differ(MARGIN_DIFFERS, place, differences)
        if report.positions is not None:
            self._positions(state, place, report.positions)

    def _balances(
        self, state: VenueState, event: Event, report: AccountStateReported, account: Account
    ) -> None:
        rebuilt = account.wallet_balances()
        for asset in sorted(rebuilt.keys() | report.wallet_balance.keys()):
            said, is_ = report.wallet_balance.get(asset, ZERO), rebuilt.get(asset, ZERO)
            if abs(said - is_) > asset_unit(state, asset, said):
                self.report(
                    BALANCE_DIFFERS,
                    f"{account.account}: {_Difference(f'the balance of {asset}', said, is_)}",
                    account=account.account,
                    sequence=event.sequence,
                    evidence=_evidence(event, account),
                    recorded=format_exact(said),
                    rebuilt=format_exact(is_),
                )

    def _account_figures(
        self, state: VenueState, report: AccountStateReported, margin: AccountMargin
    ) -> Iterator[_Difference]:
        for name in _ACCOUNT_AMOUNTS:
            said = getattr(report, name)
            yield from self._amount(state, margin, name, said, getattr(margin, name))
        said = report.margin_ratio
        if said is not None:
            yield from self._within("margin_ratio", said, margin.margin_ratio, _last_place(said))

    def _positions(self, state: VenueState, place: _Place, reported: list[ReportedPosition]) -> None:
        rebuilt = {
            (each.instrument, each.position_side): each for each in place.margin.positions if each.quantity
        }
        for each in reported:
            key = _key(each, rebuilt)
            position = rebuilt.pop(key, None)
            if position is None:
                if each.quantity:
                    nothing = _Difference("quantity", each.quantity, ZERO)
                    self._differ(POSITION_DIFFERS, place, [nothing], each.instrument)
                continue
            margins = list(self._amounts(state, place.margin, each, position, _POSITION_MARGINS))
            if margins:
                self._differ(MARGIN_DIFFERS, place, margins, each.instrument)
            others = list(self._position_figures(state, place.margin, each, position))
            if others:
                self._differ(POSITION_DIFFERS, place, others, each.instrument)
        for instrument, side in sorted(rebuilt):
            missing = _Difference("quantity", ZERO, rebuilt[instrument, side].quantity)
            self._differ(POSITION_DIFFERS, place, [missing], instrument)

    def _position_figures(
        self, state: VenueState, margin: AccountMargin, said: ReportedPosition, rebuilt: PositionMargin
    ) -> Iterator[_Difference]:
        yield from self._within("quantity", said.quantity, rebuilt.quantity, ZERO)
        for name in _POSITION_EXACT:
            figure = getattr(said, name)
            if figure is not None:
                yield from self._within(name, figure, getattr(rebuilt, name), ZERO)
        if said.entry_price is not None:
            tick = state.instruments[said.instrument].tick_size
            coarsest = COARSEST_AMOUNT if tick is None else tick
            unit = min(_last_place(said.entry_price), coarsest)
            yield from self._within("entry_price", said.entry_price, rebuilt.entry_price, unit)
        yield from self._amounts(state, margin, said, rebuilt, _POSITION_AMOUNTS)

    def _amounts(
        self,
        state: VenueState,
        margin: AccountMargin,
        said: ReportedPosition,
        rebuilt: PositionMargin,
        names: tuple[str, ...],
    ) -> Iterator[_Difference]:
        for name in names:
            yield from self._amount(state, margin, name, getattr(said, name), getattr(rebuilt, name))

    def _amount(
        self,
        state: VenueState,
        margin: AccountMargin,
        name: str,
        said: Decimal | None,
        rebuilt: Decimal | None,
    ) -> Iterator[_Difference]:
        if said is not None:
            unit = asset_unit(state, margin.valuation_currency, said)
            yield from self._within(name, said, rebuilt, unit)

    def _within(
        self, name: str, said: Decimal, rebuilt: Decimal | None, tolerance: Decimal
    ) -> Iterator[_Difference]:
        if rebuilt is None:
            self._skipped[f"reported figures ({name}) that cannot be rebuilt"] += 1
        elif abs(said - rebuilt) > tolerance:
            yield _Difference(name, said, rebuilt)

    def _differ(
        self,
        kind: FindingKind,
        place: _Place,
        differences: list[_Difference],
        instrument: str | None = None,
    ) -> None:
        where = place.account.account if instrument is None else f"{place.account.account} in {instrument}"
        first = differences[0]
        self.report(
            kind,
            f"{where}: {'; '.join(str(each) for each in differences)}",
            account=place.account.account,
            instrument=instrument,
            sequence=place.event.sequence,
            evidence=(*_evidence(place.event, place.account), *followed_from(place.margin, instrument)),
            recorded=format_exact(first.recorded),
            rebuilt=format_exact(first.rebuilt),
        )

    def finish(self, _state: VenueState) -> None:
        """Say what was not compared."""
        for what, count in sorted(self._skipped.items()):
            self.could_not_check(f"{count} {what} were not compared")


@dataclass(frozen=True, slots=True)
class _Place:
    """A report with what it is compared with."""

    event: Event
    account: Account
    margin: AccountMargin


def _key(said: ReportedPosition, rebuilt: dict[PositionKey, PositionMargin]) -> PositionKey:
    """Return the rebuilt position that is meant; a venue may name the side of a one-way position too."""
    key: PositionKey = (said.instrument, said.position_side or "both")
    one_way: PositionKey = (said.instrument, "both")
    if said.position_side is not None and one_way in rebuilt:
        long = rebuilt[one_way].quantity > 0
        return one_way if (said.position_side == "long") == long else key
    return key


def _evidence(event: Event, account: Account) -> tuple[int, ...]:
    last = account.last_sequence
    return (event.sequence,) if last < 0 else (last, event.sequence)


def _last_place(figure: Decimal) -> Decimal:
    """Return one unit in the last place of a figure, which has no superfluous zeros; at most 1."""
    exponent = figure.as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
