"""Corrections as recorded: an event's effect is reversed, or replaced, at the correction's own place.

A booked event is reversed by booking its opposite: a fill of the other side at the same price,
a payment of the negative amount. That restores every account's total at every price; how the
total divides into cash and unrealised PnL follows the cost basis at the correction's place. A
price or a schedule is taken back if it still stands. What cannot be reversed soundly is recorded
as the anomaly ``correction_not_applied`` and puts the accounts it touches, or all, in doubt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ledger.events.registry import PAYLOADS
from replay.projection.booking import Booking, record_anomaly
from replay.projection.orders import order_corrected
from replay.projection.parameters import FOR_ALL, price_subject
from replay.state.records import Anomaly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from ledger.events.base import Payload
    from ledger.events.envelope import Event
    from ledger.events.governance import CorrectionRecorded
    from replay.state.records import Price
    from replay.state.venue_state import VenueState

    Resolve = Callable[[UUID], Event | None]
    Handler = Callable[[VenueState, Event, Any], None]


def _negative(data: Any) -> Payload:
    reversed_data: Payload = data.model_copy(update={"amount": -data.amount})
    return reversed_data


def _same(data: Any) -> Payload:
    unchanged: Payload = data
    return unchanged


def _opposite_fill(data: Any) -> Payload:
    update = {
        "side": "sell" if data.side == "buy" else "buy",
        "fee": None if data.fee is None else -data.fee,
        "order_id": None,  # the order that it filled stays filled
    }
    reversed_data: Payload = data.model_copy(update=update)
    return reversed_data


def _opposite_trade(data: Any) -> Payload:
    update = {
        "buyer": data.seller,
        "seller": data.buyer,
        "buyer_fee": -data.seller_fee,
        "seller_fee": -data.buyer_fee,
        "buyer_order_id": None,
        "seller_order_id": None,
    }
    reversed_data: Payload = data.model_copy(update=update)
    return reversed_data


_REVERSALS: Mapping[str, Callable[[Any], Payload]] = {
    "DepositRecorded": _negative,
    "WithdrawalRecorded": _negative,
    "TransferRecorded": _negative,
    "FeeCharged": _negative,
    "InterestAccrued": _negative,
    "FundingPaid": _negative,
    "MarginAdjusted": _negative,
    "InsuranceFundContributed": _negative,
    "InsuranceFundDrawn": _negative,
    "FillRecorded": _opposite_fill,
    "TradeExecuted": _opposite_trade,
    "OrderCancelled": _same,
}

_REVERSED_BY: Mapping[str, str] = {"OrderCancelled": "OrderAccepted"}
"""What is reversed by an event of another type rather than by the opposite of its own."""


def _drop_price(prices: dict[Any, Price], key: Any, sequence: int) -> bool:
    """Take the price recorded at ``sequence`` back; tell whether no later one stands."""
    if key in prices and prices[key].sequence > sequence:
        return False
    prices.pop(key, None)
    return True


def _drop_version(schedules: dict[str, Any], key: str, sequence: int) -> bool:
    """Take the version recorded at ``sequence`` back; a schedule's versions stay until taken back."""
    schedules[key] = tuple(version for version in schedules.get(key, ()) if version.sequence != sequence)
    return True


def _drop_policy(state: VenueState, _data: Any, sequence: int) -> bool:
    state.risk_policies = tuple(policy for policy in state.risk_policies if policy.sequence != sequence)
    return True


def _drop_reserve(state: VenueState, data: Any, sequence: int) -> bool:
    key = (data.asset, data.custodian, data.address or "")
    if key in state.reserves and state.reserves[key].sequence == sequence:
        del state.reserves[key]
    return True


_WITHDRAWALS: Mapping[str, Callable[[VenueState, Any, int], bool]] = {
    "MarkPriceUpdated": lambda state, data, at: _drop_price(state.mark_prices, data.instrument, at),
    "LastPriceUpdated": lambda state, data, at: _drop_price(state.last_prices, data.instrument, at),
    "IndexPriceUpdated": lambda state, data, at: _drop_price(state.index_prices, data.index, at),
    "AssetPriceUpdated": lambda state, data, at: _drop_price(
        state.asset_prices, (data.asset, data.valuation_currency), at
    ),
    "PriceBarRecorded": lambda state, data, at: _drop_price(
        state.prices(data.kind), price_subject(state, data.kind, data.instrument), at
    ),
    "PriceOverridden": lambda state, data, at: _drop_price(
        state.prices(data.kind), price_subject(state, data.kind, data.instrument), at
    ),
    "MarginScheduleSet": lambda state, data, at: _drop_version(state.margin_schedules, data.instrument, at),
    "CollateralScheduleSet": lambda state, data, at: _drop_version(
        state.collateral_schedules, data.asset, at
    ),
    "FeeScheduleSet": lambda state, data, at: _drop_version(
        state.fee_schedules, data.instrument or FOR_ALL, at
    ),
    "FundingScheduleSet": lambda state, data, at: _drop_version(
        state.funding_schedules, data.instrument or FOR_ALL, at
    ),
    "RiskPolicySet": _drop_policy,
    "ReserveAttested": _drop_reserve,
}
"""How what one event of a type set is taken back; each tells whether a replacement may stand."""

WITHOUT_EFFECT = frozenset(
    {
        "AccountStateReported",
        "ClockSynchronised",
        "ExportIssued",
        "FundingSettled",
        "LegalHoldPlaced",
        "LegalHoldReleased",
        "LiquidationExecuted",
        "LiquidationStarted",
        "MarginCallCured",
        "MarginCallIssued",
        "OrderRejected",
        "PositionAutoDeleveraged",
        "RestoreAccepted",
        "SigningKeyRegistered",
        "SigningKeyRetired",
        "SourceTotalsReported",
        "StateCommitted",
    }
)
"""Types that move nothing, so that correcting them changes no balance."""


def correction_recorded(
    state: VenueState,
    event: Event,
    data: CorrectionRecorded,
    handlers: Mapping[str, Handler],
    resolve: Resolve | None,
) -> None:
    """Put a correction in effect at its own sequence; of several of one event the latest counts."""
    root_id = state.corrected.get(data.corrects, data.corrects)
    root = resolve(root_id) if resolve is not None else None
    if root is None or root.type not in PAYLOADS:
        _not_applied(state, event, f"the event {root_id} that it corrects cannot be looked up")
        return
    latest_id = state.corrections.get(root_id)
    latest = resolve(latest_id) if resolve is not None and latest_id is not None else None
    if latest_id is not None and latest is None:
        _not_applied(state, event, f"the correction {latest_id} before it cannot be looked up")
        return
    try:
        standing = _standing(root, latest)
        replacement = None
        if data.replacement is not None:
            replacement = PAYLOADS[root.type].model_validate(data.replacement)
    except ValidationError:
        _not_applied(state, event, f"the replacement is not the data of a {root.type}", root)
        return
    state.corrected[event.id] = root_id
    state.corrections[root_id] = event.id
    if not _apply(state, event, root, standing, latest, replacement, handlers):
        _not_applied(
            state,
            event,
            f"the effect of a {root.type} cannot be taken back once later events built on it",
            root,
        )


def _standing(root: Event, latest: Event | None) -> Payload | None:
    """Return the payload in effect before a correction: the latest correction's, else the original's."""
    if latest is None:
        return root.data
    replacement = getattr(latest.data, "replacement", None)
    return None if replacement is None else PAYLOADS[root.type].model_validate(replacement)


def _apply(
    state: VenueState,
    event: Event,
    root: Event,
    standing: Payload | None,
    latest: Event | None,
    replacement: Payload | None,
    handlers: Mapping[str, Handler],
) -> bool:
    """Reverse what stands and apply the replacement; tell whether that can be done for this type."""
    if root.type in WITHOUT_EFFECT:
        return True
    if root.type == "OrderAccepted":
        order_corrected(state, event, standing, replacement)  # type: ignore[arg-type]  # of this root's type
        return True
    reverse = _REVERSALS.get(root.type)
    take_back = _WITHDRAWALS.get(root.type)
    as_booked = replace(event, source=root.source)
    if reverse is not None:
        if standing is not None:
            reversal = reverse(standing)
            handlers[_REVERSED_BY.get(root.type, root.type)](state, as_booked, reversal)
    elif take_back is not None:
        if not take_back(state, standing or root.data, (latest or root).sequence):
            return True  # a later event of its kind stands
    else:
        return False
    if replacement is not None:
        handlers[root.type](state, as_booked, replacement)
    return True


def _not_applied(state: VenueState, event: Event, why: str, root: Event | None = None) -> None:
    """Record that a correction's effect on the books is unknown, and whom that puts in doubt."""
    message = f"correction of {event.data.model_dump().get('corrects')} not applied: {why}"
    account = getattr(root.data, "account", None) if root is not None else None
    if account is None:
        state.unapplied_corrections += 1
        record_anomaly(state, Anomaly(event.sequence, "correction_not_applied", message))
        return
    booking = Booking(state, account)
    booking.doubt(event.sequence, "correction_not_applied", message)
    booking.commit(event.sequence)
