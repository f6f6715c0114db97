"""Hypothesis strategies for whole histories drawn from the catalogue, few names and many collisions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import reject
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from ledger.events.envelope import SUBJECT_KINDS
from ledger.events.registry import PAYLOADS
from tests.support.events import START, event_id, recorded

if TYPE_CHECKING:
    from collections import abc

    from ledger.events.base import Payload
    from ledger.events.envelope import Event

_NAMES = {
    "account": ("A", "B", "C", "external/feed"),
    "instrument": ("BTC-PERP", "ETH-PERP", "BTC-INVERSE", "UNLISTED"),
    "asset": ("USDT", "BTC", "USD"),
    "index": ("BTC", "ETH"),
}
_BY_FIELD = {
    "source": ("feed", "venue"),
    "settlement_asset": _NAMES["asset"],
    "notional_asset": _NAMES["asset"],
    "valuation_currency": ("USD", "USDT"),
    "liquidation": ("L1", "L2"),
    "bankruptcy_allocation": ("maintenance_margin", "notional", "other"),
    "ledger": ("test.example/replay",),
}
# What builds up positions and cash is drawn more often, so that the rest meets a venue in full swing.
_FREQUENT = 10 * ("FillRecorded", "TradeExecuted") + 3 * (
    "DepositRecorded",
    "MarkPriceUpdated",
    "MarginAdjusted",
    "FundingPaid",
    "CorrectionRecorded",
)
_AMOUNTS = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "1", "0.1", "3", "100", "-1", "0.000000000000000001")]),
    st.decimals(min_value=Decimal("-1e6"), max_value=Decimal("1e6"), places=6, allow_nan=False),
    st.sampled_from([Decimal("99999999999999999999.999999999999999999"), Decimal("-1e37"), Decimal("1e37")]),
)
_RATES = st.decimals(min_value=0, max_value=2, places=3)
_HASH = "0" * 64


@st.composite
def payloads(draw: st.DrawFn, types: abc.Sequence[str] = tuple(PAYLOADS)) -> Payload:
    """Any payload of the given types."""
    model = PAYLOADS[draw(st.sampled_from(types))]
    values = _values(draw, model)
    try:
        return model.model_validate(values)
    except ValidationError:
        pass
    try:
        return model.model_validate(_legal(values))
    except ValidationError:
        reject()


@st.composite
def histories(
    draw: st.DrawFn, types: abc.Sequence[str] = tuple(PAYLOADS), *, maximum: int = 40
) -> list[Event]:
    """A listed, priced venue and then events of any kind, some late, some of a one-sided source."""
    events = [recorded(index, payload) for index, payload in enumerate(_venue())]
    weighted = (*types, *(each for each in _FREQUENT if each in types))
    for _ in range(draw(st.integers(0, maximum))):
        data = draw(payloads(weighted))
        sequence = len(events)
        at = START + timedelta(seconds=sequence + draw(st.integers(-5, 5)))
        system = draw(st.sampled_from([None, "feed", "venue"]))
        events.append(recorded(sequence, data, occurred_at=at, system=system))
    return events


def _venue() -> list[Payload]:
    linear = {"kind": "perpetual", "contract": "linear", "quote": "USDT", "settlement_asset": "USDT"}
    inverse = {"kind": "perpetual", "contract": "inverse", "quote": "USD", "settlement_asset": "BTC"}
    tiers = [
        {
            "notional_floor": "0",
            "notional_cap": "50000",
            "maintenance_margin_rate": "0.01",
            "maintenance_amount": "0",
            "max_leverage": "50",
        },
        {
            "notional_floor": "50000",
            "maintenance_margin_rate": "0.05",
            "maintenance_amount": "2000",
            "max_leverage": "10",
        },
    ]
    rows: list[tuple[str, dict[str, Any]]] = [
        (
            "LedgerOpened",
            {
                "ledger": "test.example/replay",
                "format": "margin-ledger/1",
                "description": "",
                "valuation_currency": "USD",
            },
        ),
        ("SourceDeclared", {"source": "feed", "coverage": "one_sided", "description": ""}),
        ("InstrumentListed", {"instrument": "BTC-PERP", "base": "BTC", "contract_size": "0.1", **linear}),
        ("InstrumentListed", {"instrument": "ETH-PERP", "base": "ETH", "contract_size": "1", **linear}),
        ("InstrumentListed", {"instrument": "BTC-INVERSE", "base": "BTC", "contract_size": "100", **inverse}),
        ("MarginScheduleSet", {"instrument": "BTC-PERP", "effective_at": START, "tiers": tiers}),
        ("AssetPriceUpdated", {"asset": "USDT", "valuation_currency": "USD", "price": "0.99"}),
        ("MarkPriceUpdated", {"instrument": "BTC-PERP", "price": "30000.5"}),
    ]
    return [PAYLOADS[name].model_validate(data) for name, data in rows]


def _values(draw: st.DrawFn, model: type[BaseModel]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required() or draw(st.booleans()):
            values[name] = _value(draw, name, field.annotation)
    if model.__name__ == "LossSocialised":
        parts = draw(st.integers(1, 2))
        values |= {"parts": Decimal(parts), "part": Decimal(draw(st.integers(1, parts)))}
    if model.__name__ == "CorrectionRecorded":
        values.pop("replacement", None)
        if values["action"] == "replace":
            values["replacement"] = draw(payloads(_CORRECTABLE)).json_value()
    return values


_CORRECTABLE = (
    "DepositRecorded",
    "FillRecorded",
    "MarkPriceUpdated",
    "TransferRecorded",
    "MarginScheduleSet",
)


def _value(draw: st.DrawFn, name: str, annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _value(draw, name, next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return draw(st.sampled_from(arguments))
    if origin is list:
        return [_value(draw, name, arguments[0]) for _ in range(draw(st.integers(0, 3)))]
    if origin is dict:
        return {_value(draw, "asset", str).lower(): _value(draw, name, arguments[1]) for _ in range(2)}
    if hasattr(annotation, "__metadata__"):
        return _value(draw, name, annotation.__origin__)
    return _scalar(draw, name, annotation)


def _scalar(draw: st.DrawFn, name: str, annotation: Any) -> Any:
    if annotation is Decimal:
        return draw(_RATES if name.endswith(("rate", "ratio")) else _AMOUNTS)
    if annotation is str:
        if name.endswith(("_root", "_hash")):
            return _HASH
        return draw(st.sampled_from(_BY_FIELD.get(name) or _NAMES.get(SUBJECT_KINDS.get(name, ""), ("x",))))
    if annotation is datetime:
        return START + timedelta(seconds=draw(st.integers(-10, 50)))
    if annotation is UUID:
        return event_id(draw(st.integers(5, 30)))
    if annotation is bool:
        return draw(st.booleans())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _values(draw, annotation)
    return "x"


def _legal(value: Any) -> Any:
    """Make every amount one that the narrowest field takes: positive, and whole above one."""
    if isinstance(value, Decimal):
        return abs(value) or Decimal(1)
    if isinstance(value, dict):
        return {key: _legal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_legal(item) for item in value]
    return value
