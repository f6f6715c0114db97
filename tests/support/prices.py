"""Series of mark prices for tests of estimates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from replay.risk.prices import PricePoint, PriceSeries

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def series(prices: Iterable[str | int | Decimal], *, step: timedelta = HOUR) -> PriceSeries:
    """Return prices ``step`` apart, the first one at the beginning of 2026, at sequences from 10 on."""
    points = [
        PricePoint(BEGIN + step * number, 10 + number, Decimal(price)) for number, price in enumerate(prices)
    ]
    return PriceSeries("BTC-PERP", tuple(points))
