"""A state as a canonical JSON value, and back: ``restore(snapshot(state)) == state``.

Amounts are plain decimal text, times the ledger's one form, what is unknown is left out, and
every list stands in a fixed order, so that one state has one sequence of bytes under
:func:`ledger.canonical.encode`. :func:`account_value` is an account's own form, which the state
root commits to leaf by leaf, and :func:`venue_value` that of everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ledger.amounts import format_exact
from ledger.clock import format_time, parse_time
from ledger.errors import SnapshotUnusableError
from replay.state.records import (
    Account,
    AccountProfile,
    Anomaly,
    Instrument,
    InstrumentSettings,
    OpenOrder,
    PendingLoss,
    Position,
    Price,
    Reserve,
)
from replay.state.schedules import (
    CollateralSchedule,
    CollateralTier,
    FeeSchedule,
    FundingSchedule,
    MarginSchedule,
    MarginTier,
    RiskPolicy,
)
from replay.state.venue_state import VenueState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledger.canonical import JsonObject, JsonValue

PROJECTION = "margin-state"
PROJECTION_VERSION = 2


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one kind of value is written and read; the two are each other's inverse."""

    write: Callable[[Any], JsonValue]
    read: Callable[[Any], Any]
    optional: bool = False


def _maybe(codec: _Codec) -> _Codec:
    """Leave a field out where it is None."""
    return _Codec(codec.write, codec.read, optional=True)


def _same(value: Any) -> Any:
    return value


def _list(item: _Codec) -> _Codec:
    return _Codec(
        lambda values: [item.write(value) for value in values],
        lambda values: tuple(item.read(value) for value in values),
    )


def _record(kind: type, /, **codecs: _Codec) -> _Codec:
    def write(value: Any) -> JsonValue:
        given = ((name, codec, getattr(value, name)) for name, codec in codecs.items())
        return {name: codec.write(item) for name, codec, item in given if item is not None}

    def read(value: Any) -> Any:
        left_out = {name: None for name, codec in codecs.items() if codec.optional and name not in value}
        given = {name: codec.read(value[name]) for name, codec in codecs.items() if name not in left_out}
        return kind(**given, **left_out)

    return _Codec(write, read)


def _map(key: _Codec, item: _Codec) -> _Codec:
    """Write a dict as a list of [key, value] pairs in the order of the written keys."""

    def write(mapping: Mapping[Any, Any]) -> JsonValue:
        pairs = [(key.write(name), item.write(value)) for name, value in mapping.items()]
        return [list(pair) for pair in sorted(pairs, key=lambda pair: repr(pair[0]))]

    return _Codec(write, lambda pairs: {key.read(name): item.read(value) for name, value in pairs})


def _names(item: _Codec) -> _Codec:
    """Write a dict whose keys are identifiers as an object."""
    return _Codec(
        lambda mapping: {name: item.write(mapping[name]) for name in sorted(mapping)},
        lambda value: {name: item.read(value[name]) for name in sorted(value)},
    )


_SAME = _Codec(_same, _same)
_AMOUNT = _Codec(format_exact, Decimal)
_TIME = _Codec(format_time, parse_time)
_UUID = _Codec(str, UUID)
_WHOLE = _Codec(str, int)
_KEY = _Codec(list, tuple)

_POSITION = _record(
    Position,
    instrument=_SAME,
    position_side=_SAME,
    quantity=_AMOUNT,
    cost=_AMOUNT,
    settlement_asset=_SAME,
    isolated_margin=_maybe(_AMOUNT),
)
_POSITIONS = _Codec(
    lambda positions: [_POSITION.write(positions[key]) for key in sorted(positions)],
    lambda values: {(each.instrument, each.position_side): each for each in map(_POSITION.read, values)},
)
_PROFILE = _record(
    AccountProfile,
    kind=_SAME,
    margin_mode=_SAME,
    position_mode=_SAME,
    opened=_SAME,
    closed=_SAME,
    customer=_maybe(_SAME),
    parent_account=_maybe(_SAME),
    settings=_names(
        _record(
            InstrumentSettings,
            leverage=_maybe(_AMOUNT),
            margin_mode=_maybe(_SAME),
            position_mode=_maybe(_SAME),
        )
    ),
)
_ANOMALY = _record(Anomaly, sequence=_SAME, code=_SAME, message=_SAME, account=_maybe(_SAME))
_ACCOUNT = _record(
    Account,
    account=_SAME,
    profile=_PROFILE,
    balances=_names(_AMOUNT),
    positions=_POSITIONS,
    flows=_map(_KEY, _AMOUNT),
    event_count=_SAME,
    last_sequence=_SAME,
    anomaly=_maybe(_ANOMALY),
    anomaly_count=_SAME,
    open_orders=_map(_KEY, _AMOUNT),
)
_OPEN_ORDER = _record(
    OpenOrder,
    order_id=_SAME,
    account=_SAME,
    instrument=_SAME,
    side=_SAME,
    quantity=_AMOUNT,
    position_side=_SAME,
    reduce_only=_SAME,
)
_INSTRUMENT = _record(
    Instrument,
    instrument=_SAME,
    sequence=_SAME,
    kind=_SAME,
    contract=_SAME,
    base=_SAME,
    quote=_SAME,
    settlement_asset=_SAME,
    contract_size=_AMOUNT,
    tick_size=_maybe(_AMOUNT),
    index=_maybe(_SAME),
    expires_at=_maybe(_TIME),
    strike=_maybe(_AMOUNT),
    option_type=_maybe(_SAME),
    settled_price=_maybe(_AMOUNT),
)
_PRICES = _names(_record(Price, price=_AMOUNT, sequence=_SAME, occurred_at=_TIME, overridden=_SAME))
_MARGIN_SCHEDULE = _record(
    MarginSchedule,
    sequence=_SAME,
    event_id=_UUID,
    effective_at=_TIME,
    model=_SAME,
    notional_asset=_maybe(_SAME),
    tiers=_list(
        _record(
            MarginTier,
            notional_floor=_AMOUNT,
            notional_cap=_maybe(_AMOUNT),
            maintenance_margin_rate=_AMOUNT,
            maintenance_amount=_AMOUNT,
            max_leverage=_AMOUNT,
        )
    ),
    parameters=_names(_AMOUNT),
)
_COLLATERAL_SCHEDULE = _record(
    CollateralSchedule,
    sequence=_SAME,
    effective_at=_TIME,
    tiers=_list(
        _record(CollateralTier, value_floor=_AMOUNT, value_cap=_maybe(_AMOUNT), collateral_rate=_AMOUNT)
    ),
)
_RISK_POLICY = _record(
    RiskPolicy,
    sequence=_SAME,
    effective_at=_TIME,
    warning_ratio=_maybe(_AMOUNT),
    margin_call_ratio=_maybe(_AMOUNT),
    liquidation_boundary=_SAME,
    mark_max_age_seconds=_maybe(_AMOUNT),
    maintenance_basis=_SAME,
    bankruptcy_allocation=_maybe(_SAME),
    partial_fraction=_maybe(_AMOUNT),
    cooldown_seconds=_maybe(_AMOUNT),
    waterfall=_maybe(_list(_SAME)),
    adl_rank=_maybe(_SAME),
    engine_max_latency_seconds=_maybe(_AMOUNT),
    loss_allocation=_maybe(_SAME),
)
_FEE_SCHEDULE = _record(
    FeeSchedule,
    sequence=_SAME,
    effective_at=_TIME,
    maker_rate=_AMOUNT,
    taker_rate=_AMOUNT,
    liquidation_rate=_AMOUNT,
)
_FUNDING_SCHEDULE = _record(
    FundingSchedule,
    sequence=_SAME,
    effective_at=_TIME,
    interval_seconds=_AMOUNT,
    interest_rate=_AMOUNT,
    clamp=_AMOUNT,
)
_RESERVE = _record(
    Reserve,
    asset=_SAME,
    custodian=_SAME,
    address=_maybe(_SAME),
    amount=_AMOUNT,
    encumbered=_maybe(_AMOUNT),
    as_of=_TIME,
    attester=_SAME,
    sequence=_SAME,
)
_LOSS_KEY = _Codec(
    lambda key: [key[0], key[1], format_exact(key[2]), str(key[3])],
    lambda value: (value[0], value[1], Decimal(value[2]), int(value[3])),
)
_ALLOCATION = _Codec(
    lambda allocation: [allocation[0], format_exact(allocation[1])],
    lambda value: (value[0], Decimal(value[1])),
)
_STATE = _record(
    VenueState,
    origin=_SAME,
    valuation_currency=_SAME,
    sequence=_SAME,
    occurred_at=_TIME,
    sources=_names(_SAME),
    accounts=_Codec(
        lambda accounts: [_ACCOUNT.write(accounts[name]) for name in sorted(accounts)],
        lambda values: {each.account: each for each in map(_ACCOUNT.read, values)},
    ),
    instruments=_names(_INSTRUMENT),
    assets=_names(_AMOUNT),
    mark_prices=_PRICES,
    last_prices=_PRICES,
    index_prices=_PRICES,
    asset_prices=_map(
        _KEY, _record(Price, price=_AMOUNT, sequence=_SAME, occurred_at=_TIME, overridden=_SAME)
    ),
    margin_schedules=_names(_list(_MARGIN_SCHEDULE)),
    collateral_schedules=_names(_list(_COLLATERAL_SCHEDULE)),
    risk_policies=_list(_RISK_POLICY),
    fee_schedules=_names(_list(_FEE_SCHEDULE)),
    funding_schedules=_names(_list(_FUNDING_SCHEDULE)),
    reserves=_map(_KEY, _RESERVE),
    liquidations=_map(_SAME, _SAME),
    orders=_map(_KEY, _OPEN_ORDER),
    open_interest=_names(_AMOUNT),
    pending_losses=_map(_LOSS_KEY, _record(PendingLoss, parts=_map(_WHOLE, _list(_ALLOCATION)))),
    corrected=_map(_UUID, _UUID),
    corrections=_map(_UUID, _UUID),
    unapplied_corrections=_SAME,
    anomaly_counts=_names(_SAME),
    anomalies=_list(_ANOMALY),
)


def account_value(account: Account) -> JsonObject:
    """Return the canonical JSON value of one account: the leaf that a state root commits to."""
    value = _ACCOUNT.write(account)
    assert isinstance(value, dict)  # noqa: S101 (a record is written as an object)
    return value


def venue_value(state: VenueState) -> JsonObject:
    """Return the canonical JSON value of all of a state but its accounts."""
    value = _STATE.write(replace(state, accounts={}))
    assert isinstance(value, dict)  # noqa: S101 (a record is written as an object)
    del value["accounts"]
    return value


def snapshot(state: VenueState) -> JsonObject:
    """Return a state as a canonical JSON value that names its projection and version."""
    return {"projection": PROJECTION, "projection_version": PROJECTION_VERSION, "state": _STATE.write(state)}


def restore(value: JsonObject) -> VenueState:
    """Return the state that :func:`snapshot` wrote.

    Raises:
        SnapshotUnusableError: it was made by another projection or version, or is not a snapshot.
    """
    wanted = f"{PROJECTION} version {PROJECTION_VERSION}"
    found = f"{value.get('projection')} version {value.get('projection_version')}"
    if found != wanted:
        raise SnapshotUnusableError(found, wanted)
    try:
        state = _STATE.read(value["state"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise SnapshotUnusableError(f"{found}, but damaged ({error!r})", wanted) from None
    assert isinstance(state, VenueState)  # noqa: S101 (the codec makes nothing else)
    return state
