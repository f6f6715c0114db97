"""Reading payloads of older schema numbers: stored bytes stay, the value is brought up to date.

When a payload changes, its model gets the next ``schema_number`` and the step from the number
before goes into :data:`UPCASTS`. A step takes the older JSON value and returns the newer one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledger.canonical import JsonObject

UPCASTS: Mapping[tuple[str, int], Callable[[JsonObject], JsonObject]] = MappingProxyType({})
"""(event type, older schema number) → the step to the next number. No payload has changed yet."""


def upcast(
    event_type: str,
    schema: int,
    data: JsonObject,
    newest: int,
    steps: Mapping[tuple[str, int], Callable[[JsonObject], JsonObject]] = UPCASTS,
) -> JsonObject:
    """Return ``data`` in schema number ``newest``.

    Raises:
        KeyError: a step is missing; the registry's test makes sure that none is.
    """
    for number in range(schema, newest):
        data = steps[event_type, number](data)
    return data
