"""Assets and instruments: what can be held and traded, and final settlement."""

from __future__ import annotations

from typing import Literal

from ledger.events.base import Amount, Count, Identifier, Payload, PositiveAmount, Text, Time


class AssetListed(Payload):
    """An asset and how many digits after the point its amounts have."""

    asset: Identifier
    scale: Count


class InstrumentListed(Payload):
    """A contract; ``contract_size`` is units of the base (linear) or of the quote (inverse) per contract.

    ``linear`` is worth quantity × contract_size × price in the settlement asset, ``inverse`` quantity ×
    contract_size ÷ price. An option is worth quantity × contract_size × its premium either way; margin
    of a short one takes the price of its ``index``.
    """

    instrument: Identifier
    kind: Literal["perpetual", "future", "option"]
    contract: Literal["linear", "inverse"]
    base: Identifier
    quote: Identifier
    settlement_asset: Identifier
    contract_size: PositiveAmount
    tick_size: PositiveAmount | None = None
    index: Identifier | None = None
    expires_at: Time | None = None
    strike: Amount | None = None
    option_type: Literal["call", "put"] | None = None


class InstrumentSettled(Payload):
    """All open positions in an instrument are closed at one price (expiry, delisting)."""

    instrument: Identifier
    price: Amount
    reason: Text
