"""Prices: index with its constituents, mark, last, conversion prices of assets, and bars."""

from __future__ import annotations

from typing import Literal

from ledger.events.base import (
    Amount,
    Identifier,
    NonNegativeAmount,
    Payload,
    PositiveAmount,
    Strict,
    Text,
    Time,
)


class IndexConstituent(Strict):
    """One input of an index price, with its weight and whether it was left out."""

    source: Identifier
    price: Amount
    weight: NonNegativeAmount
    excluded: bool
    reason: Text | None = None
    observed_at: Time | None = None


class IndexPriceUpdated(Payload):
    """An index price and, where known, every input of it."""

    index: Identifier
    price: Amount
    constituents: list[IndexConstituent] | None = None


class _InstrumentPrice(Payload):
    instrument: Identifier
    price: Amount
    index_price: Amount | None = None
    method: Text | None = None


class MarkPriceUpdated(_InstrumentPrice):
    """The price that margin is computed with."""


class LastPriceUpdated(_InstrumentPrice):
    """The price of the last trade."""


class AssetPriceUpdated(Payload):
    """What one unit of an asset is worth in a valuation currency."""

    asset: Identifier
    valuation_currency: Identifier
    price: Amount


class PriceBarRecorded(Payload):
    """Open, high, low and close of an interval that ends at ``occurred_at``; replay takes the close."""

    instrument: Identifier
    kind: Literal["mark", "last", "index"]
    interval_seconds: PositiveAmount
    open: Amount
    high: Amount
    low: Amount
    close: Amount
