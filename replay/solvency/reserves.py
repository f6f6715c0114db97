"""What is attested to be there, and whether the attestation is still fresh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact, format_exact
from ledger.clock import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ledger.canonical import JsonObject
    from replay.state.records import Reserve
    from replay.state.venue_state import VenueState

DEFAULT_MAXIMUM_AGE_SECONDS = Decimal(86_400)
"""An attestation counts for a day unless the reader decides otherwise."""

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Attestation:
    """The latest attestation of one holding.

    Attributes:
        free: amount less what is encumbered, not below zero.
        age_seconds: from ``as_of`` to the latest time of the state; negative where it speaks of a later time.
        fresh: whether it counts: not older than allowed, and not of a time that the ledger has not reached.
    """

    reserve: Reserve
    free: Decimal
    age_seconds: Decimal
    fresh: bool

    def json_value(self) -> JsonObject:
        """Return it as JSON."""
        reserve = self.reserve
        return {
            "asset": reserve.asset,
            "custodian": reserve.custodian,
            "address": reserve.address,
            "amount": format_exact(reserve.amount),
            "encumbered": None if reserve.encumbered is None else format_exact(reserve.encumbered),
            "as_of": format_time(reserve.as_of),
            "age_seconds": format_exact(self.age_seconds),
            "fresh": self.fresh,
            "attester": reserve.attester,
            "sequence": reserve.sequence,
        }


@exact()
def attestation(reserve: Reserve, at: datetime, maximum_age_seconds: Decimal) -> Attestation:
    """Return an attestation as it stands at a time."""
    free = max(reserve.amount - (reserve.encumbered or ZERO), ZERO)
    microseconds = (at - reserve.as_of) // _MICROSECOND
    age = Decimal(microseconds) * Decimal("0.000001")
    fresh = 0 <= microseconds <= maximum_age_seconds * _MICROSECONDS_PER_SECOND
    return Attestation(reserve, free, age, fresh)


def attestations(state: VenueState, at: datetime, maximum_age_seconds: Decimal) -> tuple[Attestation, ...]:
    """Return the latest attestation of every holding, by asset, custodian and address."""
    return tuple(attestation(state.reserves[key], at, maximum_age_seconds) for key in sorted(state.reserves))


@exact()
def fresh_reserves(held: Iterable[Attestation]) -> dict[str, Decimal]:
    """Return by asset what attestations that are fresh show to be free."""
    reserves: dict[str, Decimal] = {}
    for each in held:
        if each.fresh:
            asset = each.reserve.asset
            reserves[asset] = reserves.get(asset, ZERO) + each.free
    return reserves
