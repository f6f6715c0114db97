"""What can keep an estimate from being made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import NotFoundError

if TYPE_CHECKING:
    from datetime import datetime


class InsufficientPricesError(NotFoundError):
    """Too few returns of an instrument are recorded for an estimate.

    Attributes:
        instrument: whose.
        returns: how many there are.
        needed: how many are needed.
    """

    def __init__(self, instrument: str, returns: int, needed: int, until: datetime | None = None) -> None:
        by_then = "" if until is None else f" up to {until:%Y-%m-%d %H:%M:%S}Z"
        super().__init__(
            f"{returns:,} returns of {instrument}'s mark price are recorded{by_then}; "
            f"the estimate needs {needed:,}",
            next_step="record more prices, or give --interval the distance at which they are recorded, "
            "a lower --confidence or a longer --lookback",
        )
        self.instrument = instrument
        self.returns = returns
        self.needed = needed
