"""What a venue is, apart from what it is told: names, time it takes to act, precision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueConfiguration:
    """The fixed terms of one run of a venue engine.

    Attributes:
        origin: the ledger's name.
        stream: tells runs on one origin apart: ids of drafts are made from origin, stream and a counter.
        valuation_currency: the ledger's; ratios are taken in it.
        settlement_asset: what every instrument settles in, and the only collateral.
        insurance_fund: the account that is the insurance fund.
        house: the account that receives fees and what funding leaves over.
        source: ``source.system`` of the drafts.
        reference_prefix: begins every trade and liquidation id.
        processing_delay: from receiving a command to acting on it.
        quantity_scale: digits after the point of a quantity.
    """

    origin: str
    stream: str
    valuation_currency: str
    settlement_asset: str
    insurance_fund: str
    house: str
    source: str = "venue-engine"
    reference_prefix: str = ""
    processing_delay: timedelta = timedelta(0)
    quantity_scale: int = 6
