"""Was the right account auto-deleveraged?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.evaluations import Evaluations
from replay.audit.units import OVER, judged_by, unit_states
from replay.findings import Severity
from replay.margin import Market, evaluate_account, signed_value
from replay.margin.adl import ADL_RANKS, Candidate, deleveraging_queue
from replay.projection.booking import Booking
from replay.state.records import Account
from replay.state.venue_state import VenueState

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.envelope import Event
    from ledger.events.liquidations import PositionAutoDeleveraged
    from replay.audit.facts import Facts
    from replay.margin import MarginState
    from replay.state.records import Position, PositionKey

OUT_OF_RANK = FindingKind(
    "adl_out_of_rank",
    Severity.ERROR,
    "Somebody was auto-deleveraged whose turn it was not. He holds nothing on the other side of the "
    "bankrupt account's position, has no gain on it at the mark, or is the bankrupt account itself, an "
    "insurance fund or an external account; or somebody with a strictly higher score stands before him who "
    "was not deleveraged in this liquidation and instrument before, gains both at the mark and at the "
    "price, and would have stayed within the liquidation boundary when closing the same quantity at the "
    "price. The score is the one that the risk policy names (`pnl_leverage`, the default: PnL ÷ cost × "
    "notional ÷ equity of the unit; `price_leverage`: mark ÷ entry × notional ÷ equity, for shorts entry ÷ "
    "mark). Evidence: the event, the decision, and the marks, schedules and policy by which both are "
    "ranked.",
)
_NEVER_DELEVERAGED = frozenset({"insurance_fund", "external"})


class AdlRank(Check):
    """Ranks all who hold the other side, with the state that each auto-deleveraging meets."""

    name = "adl_out_of_rank"
    kinds = (OUT_OF_RANK,)
    event_types = frozenset({"PositionAutoDeleveraged"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._deleveraged: dict[tuple[str, str], set[str]] = {}
        self._unknown: Counter[str] = Counter()
        self._evaluations = Evaluations()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at one auto-deleveraging."""
        data = cast("PositionAutoDeleveraged", event.data)
        before = self._deleveraged.setdefault((data.liquidation, data.instrument), set())
        self._judge(state, event, data, before)
        before.add(data.counterparty_account)

    def finish(self, _state: VenueState) -> None:
        """Say what could not be ranked."""
        for what, count in sorted(self._unknown.items()):
            self.could_not_check(f"{count} {what}")

    def _judge(
        self, state: VenueState, event: Event, data: PositionAutoDeleveraged, before: set[str]
    ) -> None:
        counterparty = state.accounts.get(data.counterparty_account, Account(data.counterparty_account))
        market = Market.of(state, max(state.occurred_at, event.occurred_at))
        instrument = market.instruments.get(data.instrument)
        bankrupt_long = self._bankrupt_side(state, data)
        if instrument is None or instrument.kind == "option" or bankrupt_long is None:
            self._unknown["auto-deleveragings are of an option, or of no position in the books"] += 1
            return
        if data.counterparty_account == data.bankrupt_account:
            self._wrong(event, data, "is the bankrupt account itself")
            return
        if counterparty.profile.kind in _NEVER_DELEVERAGED:
            self._wrong(event, data, f"is of the kind {counterparty.profile.kind}")
            return
        if market.policy.adl_rank is not None and market.policy.adl_rank not in ADL_RANKS:
            self._unknown[
                f"auto-deleveragings are ranked by {market.policy.adl_rank}, which is not known"
            ] += 1
            return
        self._evaluations.enter(market)
        queue = deleveraging_queue(
            state.accounts.values(),
            market,
            data.instrument,
            long=not bankrupt_long,
            rank=market.policy.adl_rank,
            evaluate=self._evaluations.evaluate,
        )
        own = [each for each in queue.candidates if each.account == data.counterparty_account]
        if not own:
            if data.counterparty_account in queue.unranked:
                self._unknown["auto-deleveraged accounts have no score: figures unknown, or no equity"] += 1
            else:
                self._wrong(event, data, f"holds no {'short' if bankrupt_long else 'long'}")
            return
        if all(each.unrealised_pnl <= 0 for each in own):
            self._wrong(event, data, "has no gain on it at the mark", own[-1], state=state)
            return
        excused = {*before, data.bankrupt_account, data.counterparty_account}
        for other in queue.candidates:
            if other.score.compare(own[0].score) <= 0:
                break
            if other.account not in excused and _could_have_been(state, market, other, data):
                what = f"stands behind {other.account}, who was passed over"
                self._wrong(event, data, what, own[0], other, state=state)
                return
        ahead = [name for name in queue.unranked if name not in excused and _may_be_deleveraged(state, name)]
        if ahead:
            self._unknown["auto-deleveragings have accounts on the same side that cannot be ranked"] += 1

    def _bankrupt_side(self, state: VenueState, data: PositionAutoDeleveraged) -> bool | None:
        """Tell whether the bankrupt account's position is a long one; None where that is not clear."""
        decision = self.facts.liquidations.decision(data.liquidation)
        if decision is not None and decision.account == data.bankrupt_account:
            held = [
                each for each in decision.judgement.margin.positions if each.instrument == data.instrument
            ]
            sides = {each.quantity > 0 for each in held if each.quantity}
        else:
            account = state.accounts.get(data.bankrupt_account, Account(data.bankrupt_account))
            sides = {
                position.quantity > 0
                for key, position in account.positions.items()
                if key[0] == data.instrument and position.quantity
            }
        return sides.pop() if len(sides) == 1 else None

    def _wrong(
        self,
        event: Event,
        data: PositionAutoDeleveraged,
        why: str,
        *candidates: Candidate,
        state: VenueState | None = None,
    ) -> None:
        decision = self.facts.liquidations.decision(data.liquidation)
        evidence = {event.sequence, *(() if decision is None else (decision.judgement.sequence,))}
        if state is not None:
            for each in candidates:
                evidence.update(judged_by(each.margin, unit_of_candidate(each), state))
        self.report(
            OUT_OF_RANK,
            f"{data.counterparty_account} was auto-deleveraged by {format_exact(data.quantity)} "
            f"{data.instrument} at {format_exact(data.price)} for {data.bankrupt_account} in liquidation "
            f"{data.liquidation}, and {why}",
            account=data.counterparty_account,
            instrument=data.instrument,
            sequence=event.sequence,
            evidence=evidence,
            recorded=data.counterparty_account,
            rebuilt=candidates[1].account if len(candidates) > 1 else None,
        )


def unit_of_candidate(candidate: Candidate) -> PositionKey | None:
    """Return the isolated position that a candidate is, or None for the cross part."""
    key: PositionKey = (candidate.position.instrument, candidate.position.position_side)
    for each in candidate.margin.positions:
        if (each.instrument, each.position_side) == key and each.margin_mode == "isolated":
            return key
    return None


def _may_be_deleveraged(state: VenueState, name: str) -> bool:
    return state.accounts[name].profile.kind not in _NEVER_DELEVERAGED


def _could_have_been(
    state: VenueState, market: Market, candidate: Candidate, data: PositionAutoDeleveraged
) -> bool:
    """Tell whether a candidate gains at mark and price, and stays within the boundary when he closes."""
    position = candidate.position
    if candidate.unrealised_pnl <= 0 or _gain_at(market, position, data.price) <= 0:
        return False
    if not _may_be_deleveraged(state, candidate.account):
        return False
    unit = unit_of_candidate(candidate)
    if unit_states(candidate.margin)[unit] in OVER:
        return False
    return _state_after(state, market, candidate, unit, data) not in OVER


def _gain_at(market: Market, position: Position, price: Decimal) -> Decimal:
    """Return what a position has gained at a price, in its settlement asset."""
    instrument = market.instruments[position.instrument]
    value = signed_value(instrument.priced_as, position.quantity, instrument.contract_size, price)
    return value - position.cost


def _books_of(state: VenueState, account: str) -> VenueState:
    """Return a state with one account alone, and the open interest that a trade changes beside it."""
    return VenueState(accounts={account: state.accounts[account]}, open_interest=dict(state.open_interest))


def _state_after(
    state: VenueState,
    market: Market,
    candidate: Candidate,
    unit: PositionKey | None,
    data: PositionAutoDeleveraged,
) -> MarginState:
    """Return the state of a candidate's unit once he has closed the event's quantity at its price."""
    position = candidate.position
    closed = min(abs(position.quantity), data.quantity)
    closing = -closed if position.quantity > 0 else closed
    trial = _books_of(state, candidate.account)
    booking = Booking(trial, candidate.account)
    instrument = market.instruments[position.instrument]
    booking.trade("trade", instrument, position.position_side, closing, data.price)
    booking.commit(state.sequence)
    if unit is not None and closed == abs(position.quantity):
        # Nothing is left of the isolated position; what it is worth at the price must not be a debt.
        left = (position.isolated_margin or ZERO) + _gain_at(market, position, data.price)
        return "bankrupt" if left < 0 else "healthy"
    after = evaluate_account(trial.accounts[candidate.account], market, with_prices=False)
    return after.state if unit is None else unit_states(after)[unit]
