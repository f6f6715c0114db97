"""An event that has every member an event can have, with objects and arrays inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.events.envelope import Draft
from tests.support.examples import EXAMPLES, LATER, TIME

if TYPE_CHECKING:
    from ledger.canonical import JsonObject

FULL_ID = "0b9a3cf5-2f0e-4b57-9a51-5d7b0a6c1f11"


def full_draft() -> Draft:
    """A liquidation of two takeovers, with source, cause, actor and all times."""
    data: dict[str, Any] = dict(EXAMPLES["LiquidationExecuted"])
    data["takeovers"] = [*data["takeovers"], {**data["takeovers"][0], "instrument": "ETH-PERP"}]
    value: JsonObject = {
        "id": FULL_ID,
        "type": "LiquidationExecuted",
        "occurred_at": TIME,
        "received_at": TIME,
        "processed_at": LATER,
        "actor": "risk engine",
        "causation": "6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a11",
        "correlation": "incident 4",
        "source": {"system": "engine", "file": "day.ndjson", "row": "17", "inferred": True},
        "data": data,
    }
    return Draft.from_json(value)
