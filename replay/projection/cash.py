"""Cash: deposits, transfers, charges, funding, isolated margin, insurance fund, socialised loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.amounts import ZERO
from replay.projection.booking import Booking, record_anomaly
from replay.projection.trading import EXTERNAL_PROFILE, external_account
from replay.state.records import Anomaly, PendingLoss, Reserve

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.events.cash import (
        DepositRecorded,
        FeeCharged,
        FundingPaid,
        InsuranceFundContributed,
        InsuranceFundDrawn,
        InterestAccrued,
        LossSocialised,
        MarginAdjusted,
        ReserveAttested,
        TransferRecorded,
        WithdrawalRecorded,
    )
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

LOSS_ACCOUNT = external_account("loss")


def deposit_recorded(state: VenueState, event: Event, data: DepositRecorded) -> None:
    """Add to the wallet what came from outside."""
    booking = Booking(state, data.account)
    booking.cash("deposit", data.asset, data.amount)
    booking.commit(event.sequence)


def withdrawal_recorded(state: VenueState, event: Event, data: WithdrawalRecorded) -> None:
    """Take from the wallet what left."""
    booking = Booking(state, data.account)
    booking.cash("withdrawal", data.asset, -data.amount)
    booking.commit(event.sequence)


def transfer_recorded(state: VenueState, event: Event, data: TransferRecorded) -> None:
    """Move cash between two accounts."""
    for account, amount in ((data.from_account, -data.amount), (data.to_account, data.amount)):
        booking = Booking(state, account)
        booking.cash("transfer", data.asset, amount)
        booking.commit(event.sequence)


def fee_charged(state: VenueState, event: Event, data: FeeCharged) -> None:
    """Charge a fee (negative: pay a rebate)."""
    booking = Booking(state, data.account)
    booking.cash("fee", data.asset, -data.amount)
    booking.commit(event.sequence)


def interest_accrued(state: VenueState, event: Event, data: InterestAccrued) -> None:
    """Charge interest (negative: pay it)."""
    booking = Booking(state, data.account)
    booking.cash("interest", data.asset, -data.amount)
    booking.commit(event.sequence)


def funding_paid(state: VenueState, event: Event, data: FundingPaid) -> None:
    """Charge funding to the position's isolated margin where it has one, else to the wallet."""
    booking = Booking(state, data.account)
    key = (data.instrument, data.position_side or "both")
    booking.isolated_cash("funding", key, data.asset, -data.amount)
    booking.commit(event.sequence)


def margin_adjusted(state: VenueState, event: Event, data: MarginAdjusted) -> None:
    """Move isolated margin between wallet and position; the account's total stays the same."""
    booking = Booking(state, data.account)
    instrument = state.instruments.get(data.instrument)
    if instrument is None:
        booking.doubt(
            event.sequence,
            "instrument_not_listed",
            f"margin adjustment in {data.instrument}, which is not listed, not applied",
        )
    elif booking.margin_mode(data.instrument) != "isolated" and not booking.adopt_isolated_mode(
        data.instrument
    ):
        booking.doubt(
            event.sequence,
            "margin_adjusted_in_cross_mode",
            f"margin adjustment in {data.instrument}, whose margin is not isolated, not applied",
        )
    else:
        booking.move_margin(instrument, data.position_side or "both", data.amount)
    booking.commit(event.sequence)


def insurance_fund_contributed(state: VenueState, event: Event, data: InsuranceFundContributed) -> None:
    """The account pays into the fund."""
    _insurance_fund_movement(state, event, data, data.amount)


def insurance_fund_drawn(state: VenueState, event: Event, data: InsuranceFundDrawn) -> None:
    """The fund pays the account."""
    _insurance_fund_movement(state, event, data, -data.amount)


def _insurance_fund_movement(
    state: VenueState, event: Event, data: InsuranceFundContributed | InsuranceFundDrawn, into_fund: Decimal
) -> None:
    fund = Booking(state, data.fund)
    if not fund.profile.opened:
        fund.profile = replace(fund.profile, kind="insurance_fund")
    fund.cash("insurance_fund", data.asset, into_fund)
    fund.commit(event.sequence)
    account = Booking(state, data.account)
    account.cash("insurance_fund", data.asset, -into_fund)
    account.commit(event.sequence)


def loss_socialised(state: VenueState, event: Event, data: LossSocialised) -> None:
    """Collect a loss from those it is allocated to, once all parts are recorded.

    What is collected goes to the account of the liquidation that the event names, whose debt it
    covers; where no such liquidation is recorded, to the external account ``external/loss``.
    """
    for allocation in data.allocations:
        Booking(state, allocation.account).commit(event.sequence)
    key = (data.liquidation or "", data.asset, data.amount, int(data.parts))
    part = tuple((allocation.account, allocation.amount) for allocation in data.allocations)
    pending = state.pending_losses.get(key, PendingLoss({}))
    number = int(data.part)
    if number in pending.parts:
        message = f"part {number} of a loss of {data.amount} {data.asset} came twice; the first one stands"
        record_anomaly(state, Anomaly(event.sequence, "loss_part_repeated", message))
        return
    parts = {**pending.parts, number: part}
    if len(parts) < key[3]:
        state.pending_losses[key] = PendingLoss(parts)
        return
    state.pending_losses.pop(key, None)
    allocations = [allocation for number in sorted(parts) for allocation in parts[number]]
    _collect_loss(state, event.sequence, data, allocations)


def _collect_loss(
    state: VenueState, sequence: int, data: LossSocialised, allocations: list[tuple[str, Decimal]]
) -> None:
    total = ZERO
    for account, amount in allocations:
        booking = Booking(state, account)
        booking.cash("loss", data.asset, -amount)
        booking.commit(sequence)
        total += amount
    payee = state.liquidations.get(data.liquidation) if data.liquidation is not None else None
    booking = Booking(state, payee or LOSS_ACCOUNT, default=None if payee else EXTERNAL_PROFILE)
    booking.cash("loss", data.asset, total)
    booking.commit(sequence)
    if total != data.amount:
        message = f"the allocations come to {total} {data.asset}, the loss is said to be {data.amount}"
        record_anomaly(state, Anomaly(sequence, "loss_allocations_differ", message))


def reserve_attested(state: VenueState, event: Event, data: ReserveAttested) -> None:
    """Keep the latest attestation of each holding, by the time that it speaks of."""
    key = (data.asset, data.custodian, data.address or "")
    before = state.reserves.get(key)
    if before is not None and before.as_of > data.as_of:
        return
    state.reserves[key] = reserve_of(data, event.sequence)


def reserve_of(data: ReserveAttested, sequence: int) -> Reserve:
    """Return what an event attests, as the state keeps it."""
    return Reserve(
        data.asset,
        data.custodian,
        data.address,
        data.amount,
        data.encumbered,
        data.as_of,
        data.attester,
        sequence,
    )
