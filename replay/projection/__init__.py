"""The projection from events to margin state: :func:`initial` and :func:`apply`, pure and total.

Which events move balances and which only assert is fixed by the catalogue. Every event can be
applied to every state: what does not fit is recorded as an anomaly and never raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.amounts import exact
from replay.projection import assertions, cash, corrections, orders, parameters, trading
from replay.projection.trading import external_account
from replay.state.snapshot import PROJECTION, PROJECTION_VERSION
from replay.state.venue_state import VenueState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from ledger.events.envelope import Event

    Resolve = Callable[[UUID], Event | None]
    Handler = Callable[[VenueState, Event, Any], None]

__all__ = [
    "ANOMALIES",
    "PROJECTION",
    "PROJECTION_VERSION",
    "RECORD_KEEPING",
    "apply",
    "apply_exact",
    "external_account",
    "initial",
]

ANOMALIES: Mapping[str, str] = {
    "correction_not_applied": "a correction whose effect on the books could not be worked out",
    "instrument_not_listed": "a fill, margin adjustment or settlement of an instrument that is not listed",
    "instrument_terms_changed": "an instrument is listed anew with other terms while it is held",
    "ledger_opened_twice": "a second LedgerOpened",
    "loss_allocations_differ": "the allocations of a socialised loss do not come to its amount",
    "loss_part_repeated": "a part of a socialised loss came twice",
    "margin_adjusted_in_cross_mode": "a margin adjustment of an instrument whose margin is not isolated",
    "position_mode_changed_while_open": "the position mode changed while positions of the other were open",
    "position_side_missing": "a fill in hedge mode that names no position side",
    "position_side_overrun": "a long side that fills took below zero, or a short side above",
    "position_side_unexpected": "a fill in one-way mode that names a position side",
    "price_without_value": "an inverse contract traded or settled at price zero",
}
"""What each anomaly code means."""

_HANDLERS: Mapping[str, Handler] = {
    "LedgerOpened": parameters.ledger_opened,
    "SourceDeclared": parameters.source_declared,
    "AssetListed": parameters.asset_listed,
    "AccountOpened": parameters.account_opened,
    "AccountClosed": parameters.account_closed,
    "LeverageSet": parameters.leverage_set,
    "MarginModeSet": parameters.margin_mode_set,
    "PositionModeSet": parameters.position_mode_set,
    "MarginScheduleSet": parameters.margin_schedule_set,
    "CollateralScheduleSet": parameters.collateral_schedule_set,
    "RiskPolicySet": parameters.risk_policy_set,
    "FeeScheduleSet": parameters.fee_schedule_set,
    "FundingScheduleSet": parameters.funding_schedule_set,
    "MarkPriceUpdated": parameters.mark_price_updated,
    "LastPriceUpdated": parameters.last_price_updated,
    "IndexPriceUpdated": parameters.index_price_updated,
    "AssetPriceUpdated": parameters.asset_price_updated,
    "PriceBarRecorded": parameters.price_bar_recorded,
    "PriceOverridden": parameters.price_overridden,
    "InstrumentListed": trading.instrument_listed,
    "InstrumentSettled": trading.instrument_settled,
    "FillRecorded": trading.fill_recorded,
    "TradeExecuted": trading.trade_executed,
    "DepositRecorded": cash.deposit_recorded,
    "WithdrawalRecorded": cash.withdrawal_recorded,
    "TransferRecorded": cash.transfer_recorded,
    "FeeCharged": cash.fee_charged,
    "InterestAccrued": cash.interest_accrued,
    "FundingPaid": cash.funding_paid,
    "MarginAdjusted": cash.margin_adjusted,
    "InsuranceFundContributed": cash.insurance_fund_contributed,
    "InsuranceFundDrawn": cash.insurance_fund_drawn,
    "LossSocialised": cash.loss_socialised,
    "ReserveAttested": cash.reserve_attested,
    "AccountStateReported": assertions.account_named,
    "MarginCallIssued": assertions.account_named,
    "MarginCallCured": assertions.account_named,
    "OrderAccepted": orders.order_accepted,
    "OrderCancelled": orders.order_cancelled,
    "OrderRejected": assertions.account_named,
    "LiquidationStarted": assertions.liquidation_started,
    "LiquidationExecuted": assertions.liquidation_executed,
    "PositionAutoDeleveraged": assertions.position_auto_deleveraged,
    "FundingSettled": assertions.nothing,
    "StateCommitted": assertions.nothing,
    "SourceTotalsReported": assertions.nothing,
    "LegalHoldPlaced": assertions.nothing,
    "LegalHoldReleased": assertions.nothing,
    "ExportIssued": assertions.nothing,
    "ClockSynchronised": assertions.nothing,
    "RestoreAccepted": assertions.nothing,
    "SigningKeyRegistered": assertions.nothing,
    "SigningKeyRetired": assertions.nothing,
}
"""Event type → what it does to the state. ``CorrectionRecorded`` is apart: it needs the event it corrects."""

RECORD_KEEPING = frozenset(
    {
        "LedgerOpened",
        "SourceDeclared",
        "SourceTotalsReported",
        "StateCommitted",
        "CorrectionRecorded",
        "LegalHoldPlaced",
        "LegalHoldReleased",
        "ExportIssued",
        "ClockSynchronised",
        "RestoreAccepted",
        "SigningKeyRegistered",
        "SigningKeyRetired",
    }
)
"""Types that are about the records and not about the venue's day: they do not move its time, so that
a ledger opened, exported or corrected years later still has the time of what happened at the venue."""


def initial() -> VenueState:
    """Return the state before the first event."""
    return VenueState()


@exact()
def apply(state: VenueState, event: Event, resolve: Resolve | None = None) -> VenueState:
    """Advance ``state`` in place by one event and return it.

    Args:
        state: the state after the event before; it belongs to the caller's fold.
        event: any recorded event.
        resolve: looks a recorded event up by its id, for corrections; without it the effect of a
            correction is unknown, which is recorded and puts every account in doubt.
    """
    return apply_exact(state, event, resolve)


def apply_exact(state: VenueState, event: Event, resolve: Resolve | None = None) -> VenueState:
    """Do what :func:`apply` does, for callers that are inside :func:`ledger.amounts.exact` already."""
    if event.type == "CorrectionRecorded":
        corrections.correction_recorded(state, event, event.data, _HANDLERS, resolve)  # type: ignore[arg-type]
    else:
        _HANDLERS[event.type](state, event, event.data)
    state.sequence = event.sequence
    if event.occurred_at > state.occurred_at and event.type not in RECORD_KEEPING:
        state.occurred_at = event.occurred_at
    return state
