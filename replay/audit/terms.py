"""What several checks ask of a state: the terms in force, what a unit holds, one unit of an asset, doubts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from ledger.amounts import MAXIMUM_SCALE
from replay.audit.takeover import printed_unit
from replay.state.schedules import Effective, in_force

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger.events.cash import LossSocialised
    from ledger.events.envelope import Event
    from replay.audit.units import Unit
    from replay.margin import AccountMargin
    from replay.state.records import Account, Position, PositionKey
    from replay.state.venue_state import VenueState

FOR_ALL = ""
"""Under this name the state keeps fee and funding schedules that name no instrument."""

INSURANCE_FUND, ADL, SOCIALISED_LOSS = "insurance_fund", "adl", "socialised_loss"
WATERFALL = ("order_book", INSURANCE_FUND, ADL, SOCIALISED_LOSS)
"""The steps of a full liquidation, in their order."""

BY_EQUITY = "equity"
LOSS_ALLOCATIONS = (BY_EQUITY,)
"""By what a policy can share out a loss."""

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


def open_positions(account: Account, position: PositionKey | None) -> dict[PositionKey, Position]:
    """Return an account's open positions of one unit: an isolated position, or (None) the cross part."""
    return {
        key: each
        for key, each in sorted(account.positions.items())
        if each.quantity
        and (
            account.margin_mode(key[0]) != "isolated"
            if position is None
            else key == position and account.margin_mode(key[0]) == "isolated"
        )
    }


def unit_name(unit: Unit) -> str:
    """Return how a message names a unit."""
    return unit.account if unit.position is None else f"{unit.account} in {unit.position[0]} (isolated)"


def followed_from(margin: AccountMargin, instrument: str | None = None) -> list[int]:
    """Return the sequences of the marks and schedules that an account's requirement follows from."""
    return [
        sequence
        for position in margin.positions
        if instrument in (None, position.instrument)
        for sequence in (position.mark_sequence, position.schedule_sequence)
        if sequence is not None
    ]


def completes_loss(state: VenueState, loss: LossSocialised) -> bool:
    """Tell whether this is the part of a socialised loss that makes it complete."""
    pending = state.pending_losses.get((loss.liquidation or "", loss.asset, loss.amount, int(loss.parts)))
    parts = set() if pending is None else set(pending.parts)
    return int(loss.part) not in parts and len(parts) + 1 == int(loss.parts)
