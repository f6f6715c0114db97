"""Which event types there are, and the payload model of each type and schema number.

The registry is a closed table in code: stored data never decides what is imported.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ledger.events import accounts, cash, governance, instruments, liquidations, policies, prices, trading
from ledger.events.base import Payload

if TYPE_CHECKING:
    from collections.abc import Mapping

FAMILIES = (governance, accounts, instruments, policies, prices, trading, cash, liquidations)
"""The modules that hold the catalogue, in the order in which it is documented."""


def _payloads_of(family: object) -> list[type[Payload]]:
    return [
        value
        for name, value in vars(family).items()
        if isinstance(value, type)
        and issubclass(value, Payload)
        and not name.startswith("_")
        and value.__module__ == getattr(family, "__name__", None)
    ]


PAYLOADS: Mapping[str, type[Payload]] = MappingProxyType(
    {payload.__name__: payload for family in FAMILIES for payload in _payloads_of(family)}
)
"""Event type → the payload model of its newest schema number."""
