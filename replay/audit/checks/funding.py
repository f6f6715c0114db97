"""Was funding paid as it was settled, does it come to nothing, and did it keep to its interval?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide, exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.audit.judgement import exact_seconds
from replay.audit.terms import asset_unit, in_doubt, is_one_sided, moment_of, terms_in_force
from replay.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ledger.events.cash import FundingPaid, FundingSettled
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.state.records import Account, Instrument, PositionSide
    from replay.state.venue_state import VenueState

TOLERATED_EARLINESS_SECONDS = Decimal(60)

_Holder = tuple[str, "PositionSide"]
"""(account, position side) of a position in an instrument that is known."""

PAYMENT_DIFFERS = FindingKind(
    "funding_payment_differs",
    Severity.ERROR,
    "A FundingPaid has no FundingSettled of its instrument before it; or its quantity is the account's "
    "position neither at the settlement nor at the payment; or its rate, or its price where a mark price "
    "was settled, is not that of the latest FundingSettled; or its amount differs by more than one unit of "
    "the asset from quantity × contract_size × price × rate (inverse: quantity × contract_size ÷ price × "
    "rate). Payments of sources that show one side only are not judged. Evidence: the payment, the "
    "settlement and the last event before it that was booked on the account.",
)
DOES_NOT_SUM = FindingKind(
    "funding_does_not_sum_to_zero",
    Severity.ERROR,
    "The payments after a FundingSettled, until the next one of the instrument or the end, come to less "
    "than minus, or more than, one unit of the asset for each of them: somebody who holds the instrument "
    "did not pay or was not paid. Only where the positions of all accounts sum to zero at the settlement, "
    "those of external accounts left out, and where neither it nor a payment is of a source that shows one "
    "side only. Evidence: the settlement and the last payment.",
)
OFF_SCHEDULE = FindingKind(
    "funding_off_schedule",
    Severity.WARNING,
    "Two FundingSettled of an instrument are closer to each other than the interval of the funding "
    "schedule in force, less 60 seconds. Evidence: both settlements and the schedule.",
)


@dataclass(slots=True)
class _Settlement:
    """The latest settlement of an instrument and what was paid since.

    Attributes:
        held: the positions in the instrument then, by account and side.
        balanced: whether the venue's positions summed to zero then.
        one_sided: whether it, or a payment since, is of a source that shows one side only.
        total: of the payments, signed.
        allowance: one unit for each payment.
    """

    sequence: int
    occurred_at: datetime
    rate: Decimal
    mark_price: Decimal | None
    held: Mapping[_Holder, Decimal]
    balanced: bool
    one_sided: bool
    total: Decimal = ZERO
    allowance: Decimal = ZERO
    payments: int = 0
    last: int = -1


class Funding(Check):
    """Compares payments with the latest settlement; memory grows with the instruments and who holds them.

    A payment follows its settlement, and trades may be recorded between the two.
    """

    name = "funding"
    kinds = (PAYMENT_DIFFERS, DOES_NOT_SUM, OFF_SCHEDULE)
    event_types = frozenset({"FundingSettled", "FundingPaid"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._settled: dict[str, _Settlement] = {}
        self._skipped: Counter[str] = Counter()

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at a settlement or a payment."""
        if event.type == "FundingSettled":
            self._settle(state, event, cast("FundingSettled", event.data))
        else:
            self._pay(state, event, cast("FundingPaid", event.data))

    def _settle(self, state: VenueState, event: Event, data: FundingSettled) -> None:
        earlier = self._settled.get(data.instrument)
        if earlier is not None:
            self._close(data.instrument, earlier)
            self._keep_to_schedule(state, event, data.instrument, earlier)
        held = _positions(state, data.instrument)
        self._settled[data.instrument] = _Settlement(
            event.sequence,
            event.occurred_at,
            data.rate,
            data.mark_price,
            held,
            balanced=not _venue_position(state, held),
            one_sided=is_one_sided(state, event),
        )

    def _keep_to_schedule(
        self, state: VenueState, event: Event, instrument: str, earlier: _Settlement
    ) -> None:
        schedule = terms_in_force(state.funding_schedules, instrument, moment_of(state, event))
        if schedule is None:
            self._skipped["settlements have no funding schedule in force: their interval is not known"] += 1
            return
        apart = exact_seconds(abs(event.occurred_at - earlier.occurred_at))
        if apart < schedule.interval_seconds - TOLERATED_EARLINESS_SECONDS:
            self.report(
                OFF_SCHEDULE,
                f"funding of {instrument} was settled {format_exact(apart)} s after the settlement before; "
                f"the interval is {format_exact(schedule.interval_seconds)} s",
                instrument=instrument,
                sequence=event.sequence,
                evidence=(earlier.sequence, event.sequence, schedule.sequence),
                recorded=format_exact(apart),
                rebuilt=format_exact(schedule.interval_seconds),
            )

    def _pay(self, state: VenueState, event: Event, paid: FundingPaid) -> None:
        settled = self._settled.get(paid.instrument)
        if is_one_sided(state, event):
            self._skipped["payments are of sources that show one side only"] += 1
            if settled is not None:
                settled.one_sided = True
            return
        instrument = state.instruments.get(paid.instrument)
        account = state.accounts.get(paid.account)
        problems = list(self._problems(state, paid, settled, instrument, account))
        if problems:
            evidence = [event.sequence]
            evidence += [] if settled is None else [settled.sequence]
            evidence += [] if account is None else [account.last_sequence]
            _, recorded, rebuilt = problems[0]
            said = "; ".join(words for words, _, _ in problems)
            self.report(
                PAYMENT_DIFFERS,
                f"the funding of {paid.account} in {paid.instrument}: {said}",
                account=paid.account,
                instrument=paid.instrument,
                sequence=event.sequence,
                evidence=evidence,
                recorded=recorded,
                rebuilt=rebuilt,
            )
        if settled is not None and instrument is not None and paid.asset == instrument.settlement_asset:
            settled.total += paid.amount
            settled.allowance += asset_unit(state, paid.asset, paid.amount)
            settled.payments += 1
            settled.last = event.sequence

    def _problems(
        self,
        state: VenueState,
        paid: FundingPaid,
        settled: _Settlement | None,
        instrument: Instrument | None,
        account: Account | None,
    ) -> Iterator[tuple[str, str | None, str | None]]:
        """Yield what is wrong with a payment, as (words, recorded, rebuilt)."""
        if settled is None:
            yield "no FundingSettled was recorded before it", None, None
        else:
            if paid.rate != settled.rate:
                yield _differs("rate", paid.rate, settled.rate)
            if settled.mark_price is not None and paid.price != settled.mark_price:
                yield _differs("price", paid.price, settled.mark_price)
        if account is not None and in_doubt(state, account):
            self._skipped["payments are of accounts whose books are in doubt: their positions"] += 1
        else:
            now = _held(_of_account(account, paid.instrument), paid)
            then = now if settled is None else _held(settled.held, paid)
            if paid.quantity not in (then, now):
                words, recorded, rebuilt = _differs("quantity", paid.quantity, then)
                yield words if then == now else f"{words} or {format_exact(now)}", recorded, rebuilt
        if instrument is None or paid.asset != instrument.settlement_asset:
            self._skipped["payments are not in the settlement asset of a listed instrument: amounts"] += 1
            return
        if instrument.contract == "inverse" and not paid.price:
            self._skipped["payments on an inverse contract at price zero: amounts"] += 1
            return
        amount = _payment(instrument, paid)
        if abs(paid.amount - amount) > asset_unit(state, paid.asset, paid.amount):
            yield _differs("amount", paid.amount, amount)

    def _close(self, name: str, settled: _Settlement) -> None:
        """Conclude what was paid after a settlement."""
        if settled.one_sided:
            self._skipped["settlements were not added up: a source of theirs shows one side only"] += 1
            return
        if not settled.balanced:
            self._skipped[
                "settlements were not added up: one side of the positions is not in the ledger"
            ] += 1
            return
        if abs(settled.total) <= settled.allowance:
            return
        self.report(
            DOES_NOT_SUM,
            f"the {settled.payments} payments after the funding settlement of {name} come to "
            f"{format_exact(settled.total)}, not to zero",
            instrument=name,
            sequence=settled.sequence,
            evidence=(settled.sequence, settled.last),
            recorded=format_exact(settled.total),
            rebuilt="0",
        )

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Conclude the last settlement of every instrument, and say what was not looked at."""
        for instrument, settled in sorted(self._settled.items()):
            self._close(instrument, settled)
        for what, count in sorted(self._skipped.items()):
            self.could_not_check(f"{count} {what}")


def _differs(what: str, recorded: Decimal, rebuilt: Decimal) -> tuple[str, str, str]:
    said, is_ = format_exact(recorded), format_exact(rebuilt)
    return f"the {what} is {said}, not {is_}", said, is_


def _payment(instrument: Instrument, paid: FundingPaid) -> Decimal:
    """Return what a position pays; an inverse one a quotient at scale 18, half-even."""
    size = paid.quantity * instrument.contract_size * paid.rate
    if instrument.contract == "linear":
        return size * paid.price
    return divide(size, paid.price, scale=MAXIMUM_SCALE, rounding=Rounding.HALF_EVEN)


def _of_account(account: Account | None, instrument: str) -> dict[_Holder, Decimal]:
    """Return what an account holds in an instrument, by its sides."""
    if account is None:
        return {}
    return {
        (account.account, side): position.quantity
        for (name, side), position in account.positions.items()
        if name == instrument and position.quantity
    }


def _positions(state: VenueState, instrument: str) -> dict[_Holder, Decimal]:
    """Return all positions in an instrument."""
    held: dict[_Holder, Decimal] = {}
    for account in state.accounts.values():
        held.update(_of_account(account, instrument))
    return held


def _held(positions: Mapping[_Holder, Decimal], paid: FundingPaid) -> Decimal:
    """Return the position that pays; without a side, all sides of the account together."""
    sides: tuple[PositionSide, ...] = ("both", "long", "short")
    return sum(
        (positions.get((paid.account, side), ZERO) for side in sides if paid.position_side in (None, side)),
        ZERO,
    )


def _venue_position(state: VenueState, positions: Mapping[_Holder, Decimal]) -> Decimal:
    """Return the sum of positions but those of external accounts."""
    return sum(
        (
            quantity
            for (account, _), quantity in positions.items()
            if state.accounts[account].profile.kind != "external"
        ),
        ZERO,
    )
