"""Events that assert and move nothing; whom a liquidation is of is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.projection.booking import Booking

if TYPE_CHECKING:
    from ledger.events.accounts import AccountStateReported
    from ledger.events.envelope import Event
    from ledger.events.liquidations import (
        LiquidationExecuted,
        LiquidationStarted,
        MarginCallCured,
        MarginCallIssued,
        PositionAutoDeleveraged,
    )
    from ledger.events.trading import OrderRejected
    from replay.state.venue_state import VenueState


def account_named(
    state: VenueState,
    event: Event,
    data: AccountStateReported | MarginCallIssued | MarginCallCured | OrderRejected,
) -> None:
    """Touch the one account that the event names."""
    Booking(state, data.account).commit(event.sequence)


def liquidation_started(state: VenueState, event: Event, data: LiquidationStarted) -> None:
    """Remember whose liquidation this id is."""
    state.liquidations[data.liquidation] = data.account
    Booking(state, data.account).commit(event.sequence)


def liquidation_executed(state: VenueState, event: Event, data: LiquidationExecuted) -> None:
    """Remember whose liquidation this id is; touch who took positions over."""
    state.liquidations[data.liquidation] = data.account
    counterparties = (takeover.counterparty_account for takeover in data.takeovers)
    for account in (data.account, *(each for each in counterparties if each is not None)):
        Booking(state, account).commit(event.sequence)


def position_auto_deleveraged(state: VenueState, event: Event, data: PositionAutoDeleveraged) -> None:
    """Touch both accounts; their fills are events of their own."""
    for account in (data.bankrupt_account, data.counterparty_account):
        Booking(state, account).commit(event.sequence)


def nothing(_state: VenueState, _event: Event, _data: object) -> None:
    """Leave the state as it is."""
