"""Could the insurance fund have taken over what others were deleveraged for?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.bankruptcy import bankruptcy_price_at, determined_equity, insurance_funds, tick_of, unit_of
from replay.audit.check import Check, FindingKind
from replay.audit.kept import kept_market
from replay.audit.terms import ADL, INSURANCE_FUND, WATERFALL, moment_of
from replay.findings import Severity
from replay.margin import Market, evaluate_account, signed_cost, signed_value
from replay.state.records import Position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.liquidations import PositionAutoDeleveraged
    from replay.audit.facts import Facts
    from replay.audit.recorder import Decision
    from replay.state.records import Account, Instrument, PositionKey
    from replay.state.venue_state import VenueState

FUND_COULD_PAY = FindingKind(
    "adl_while_fund_could_pay",
    Severity.ERROR,
    "A position was auto-deleveraged although the insurance fund stands before auto-deleveraging in the "
    "risk policy's waterfall and could have taken over all that was left of it: its wallet covers what it "
    "would owe then, and its equity the maintenance margin of all that it would hold. It takes over at the "
    "bankruptcy price; from a unit that is worth less than zero at the mark, and then owes the difference, "
    "with what it already owes in this liquidation. What was left is all that was auto-deleveraged in this "
    "liquidation and instrument, and what the fund took over after that. Evidence: the first "
    "auto-deleveraging and the decision.",
)


@dataclass(slots=True)
class _Case:
    """The first auto-deleveraging of a liquidation in an instrument, with what it met.

    Attributes:
        place: of the event in the fold.
        quantity: contracts that were auto-deleveraged, without sign.
        owed: what the fund already owes in this liquidation, in the settlement asset.
    """

    event: Event
    place: int
    data: PositionAutoDeleveraged
    decision: Decision
    fund: Account
    market: Market
    instrument: Instrument
    long: bool
    mark: Decimal
    bankruptcy_price: Decimal
    bankrupt: bool
    owed: Decimal
    quantity: Decimal = ZERO


class AdlBeforeFund(Check):
    """Asks at every first auto-deleveraging what the fund could have done."""

    name = "adl_while_fund_could_pay"
    kinds = (FUND_COULD_PAY,)
    event_types = frozenset({"PositionAutoDeleveraged"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._cases: dict[tuple[str, str], _Case | None] = {}
        self._unknown: Counter[str] = Counter()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Keep what the first auto-deleveraging meets; add up what follows."""
        data = cast("PositionAutoDeleveraged", event.data)
        key = (data.liquidation, data.instrument)
        if key not in self._cases:
            self._cases[key] = self._first(state, event, data)
        case = self._cases[key]
        if case is not None:
            case.quantity += data.quantity

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Judge every case, now that its quantity is known."""
        for case in self._cases.values():
            if case is None:
                continue
            quantity = case.quantity + sum(
                (
                    abs(each.trade.quantity)
                    for each in self.facts.closings.takeovers(case.data.liquidation)
                    if each.trade.key[0] == case.data.instrument and each.place > case.place
                ),
                ZERO,
            )
            could = _could_take(case, quantity)
            if could is None:
                self._unknown["auto-deleveragings met an insurance fund whose margin is not determined"] += 1
            elif could:
                self._report(case, quantity)
        for what, count in sorted(self._unknown.items()):
            self.could_not_check(f"{count} {what}")

    def _first(self, state: VenueState, event: Event, data: PositionAutoDeleveraged) -> _Case | None:
        decision = self.facts.liquidations.decision(data.liquidation)
        instrument = state.instruments.get(data.instrument)
        if decision is None or instrument is None or decision.account != data.bankrupt_account:
            self._unknown["auto-deleveragings name no recorded liquidation of the account"] += 1
            return None
        if not _fund_comes_first(decision.judgement.policy.waterfall):
            return None
        funds = insurance_funds(state, instrument.settlement_asset)
        if len(funds) > 1:
            self._unknown["auto-deleveragings leave open which of several insurance funds answers"] += 1
        if len(funds) != 1:
            return None
        held = [
            each
            for each in decision.judgement.margin.positions
            if each.instrument == data.instrument and each.quantity
        ]
        tick = tick_of(data.price, instrument, event, self.facts.precision)
        key: PositionKey = (data.instrument, held[0].position_side if len(held) == 1 else "both")
        price = bankruptcy_price_at(decision.judgement, key, instrument, tick)
        equity = determined_equity(decision.judgement, unit_of(decision.judgement, key))
        mark = held[0].mark_price if len(held) == 1 else None
        if price is None or mark is None or equity is None:
            self._unknown["auto-deleveragings have no bankruptcy price: the decision is undetermined"] += 1
            return None
        market = Market.of(state, moment_of(state, event))
        return _Case(
            event=event,
            place=self.facts.liquidations.place,
            data=data,
            decision=decision,
            fund=funds[0],
            market=kept_market(market, funds[0], data.instrument),
            instrument=instrument,
            long=held[0].quantity > 0,
            mark=mark,
            bankruptcy_price=price,
            bankrupt=equity < 0,
            owed=self._owed_already(state, decision),
        )

    def _owed_already(self, state: VenueState, decision: Decision) -> Decimal:
        """Return what the fund's takeovers in a liquidation so far fall short of bankruptcy prices."""
        owed = ZERO
        for closing in self.facts.closings.closings(decision.liquidation):
            instrument = state.instruments[closing.trade.key[0]]
            if closing.counterparty == "fund" and closing.bankruptcy_price is not None:
                closed = -closing.trade.quantity
                lost = _value(instrument, closed, closing.bankruptcy_price) - _value(
                    instrument, closed, closing.trade.price
                )
                owed += max(lost, ZERO)
        return owed

    def _report(self, case: _Case, quantity: Decimal) -> None:
        data = case.data
        self.report(
            FUND_COULD_PAY,
            f"{format_exact(case.quantity)} {data.instrument} were auto-deleveraged in liquidation "
            f"{data.liquidation} of {data.bankrupt_account}, while the insurance fund {case.fund.account} "
            f"could have taken over all {format_exact(quantity)} that were left",
            account=data.bankrupt_account,
            instrument=data.instrument,
            sequence=case.event.sequence,
            evidence=(case.event.sequence, case.decision.judgement.sequence),
        )


def _fund_comes_first(waterfall: Sequence[str] | None) -> bool:
    steps = list(WATERFALL if waterfall is None else waterfall)
    if INSURANCE_FUND not in steps:
        return False
    return ADL not in steps or steps.index(INSURANCE_FUND) < steps.index(ADL)


def _could_take(case: _Case, quantity: Decimal) -> bool | None:
    """Tell whether the fund could have taken a quantity over; None where that is not determined."""
    rate = case.market.rate(case.instrument.settlement_asset)
    now = case.market.mark_prices.get(case.instrument.instrument)
    if rate is None or now is None or case.fund.margin_mode(case.instrument.instrument) != "cross":
        return None
    signed = quantity if case.long else -quantity
    difference = _value(case.instrument, signed, case.mark) - _value(
        case.instrument, signed, case.bankruptcy_price
    )
    gain, owed = (ZERO, abs(difference)) if case.bankrupt else (difference, ZERO)
    owed += case.owed
    margin = evaluate_account(case.fund, case.market, with_prices=False)
    then = evaluate_account(_holding(case, signed, now.price), case.market, with_prices=False)
    if margin.equity is None or then.maintenance_margin is None or then.state == "undetermined":
        return None
    wallet = case.fund.balances.get(case.instrument.settlement_asset, ZERO)
    return wallet >= owed and margin.equity + (gain - owed) * rate >= then.maintenance_margin


def _value(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    return signed_value(instrument.priced_as, quantity, instrument.contract_size, price)


def _holding(case: _Case, signed: Decimal, mark: Decimal) -> Account:
    """Return the fund with what it would hold; its position in the instrument counts at the mark."""
    fund, instrument = case.fund, case.instrument
    hedge = fund.position_mode(instrument.instrument) == "hedge"
    key: PositionKey = (instrument.instrument, ("long" if case.long else "short") if hedge else "both")
    held = fund.positions.get(key)
    total = signed + (ZERO if held is None else held.quantity)
    cost = signed_cost(instrument.priced_as, total, instrument.contract_size, mark)
    position = Position(instrument.instrument, key[1], total, cost, instrument.settlement_asset)
    return replace(fund, positions={**fund.positions, key: position})
