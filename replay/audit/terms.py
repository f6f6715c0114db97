"""What several checks ask of a state: the terms in force, one unit of an asset, whose books are in doubt."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from ledger.amounts import MAXIMUM_SCALE
from replay.audit.takeover import printed_unit
from replay.state.schedules import Effective, in_force

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger.events.envelope import Event
    from replay.state.records import Account
    from replay.state.venue_state import VenueState

FOR_ALL = ""
"""Under this name the state keeps fee and funding schedules that name no instrument."""

Version = TypeVar("Version", bound=Effective)


def moment_of(state: VenueState, event: Event) -> datetime:
    """Return for which moment schedules and policy are chosen when an event is met."""
    return max(state.occurred_at, event.occurred_at)


def terms_in_force(
    schedules: Mapping[str, tuple[Version, ...]], instrument: str, at: datetime
) -> Version | None:
    """Return an instrument's own terms in force, else those that hold for all instruments."""
    return in_force(schedules.get(instrument, ()), at) or in_force(schedules.get(FOR_ALL, ()), at)


def asset_unit(state: VenueState, asset: str, recorded: Decimal) -> Decimal:
    """Return one unit of an asset: at its listed scale, else in the last place of the recorded amount.

    Where no scale is listed, no amount is taken to be printed more coarsely than to 1/100.
    """
    scale = state.assets.get(asset)
    # No amount has more places than this, whatever scale is listed.
    listed = None if scale is None else Decimal(1).scaleb(-min(int(scale), MAXIMUM_SCALE))
    return printed_unit(recorded, listed)


def in_doubt(state: VenueState, account: Account) -> bool:
    """Tell whether an anomaly, or a correction that was not applied, puts an account's books in doubt."""
    return account.anomaly is not None or state.unapplied_corrections > 0


def is_one_sided(state: VenueState, event: Event) -> bool:
    """Tell whether an event is of a source that shows one side only, whose cash need not be complete."""
    source = event.source
    return (
        source is not None and source.system is not None and state.sources.get(source.system) == "one_sided"
    )
