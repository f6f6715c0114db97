"""The state of a venue: frozen records, their canonical form, snapshot and restore."""

from replay.state.records import (
    Account,
    AccountProfile,
    Anomaly,
    Flow,
    Instrument,
    InstrumentSettings,
    PendingLoss,
    Position,
    PositionKey,
    PositionSide,
    Price,
    Reserve,
)
from replay.state.schedules import (
    CollateralSchedule,
    CollateralTier,
    FeeSchedule,
    FundingSchedule,
    MarginSchedule,
    MarginTier,
    RiskPolicy,
    in_force,
    with_version,
)
from replay.state.snapshot import PROJECTION, PROJECTION_VERSION, account_value, restore, snapshot
from replay.state.venue_state import VenueState

__all__ = [
    "PROJECTION",
    "PROJECTION_VERSION",
    "Account",
    "AccountProfile",
    "Anomaly",
    "CollateralSchedule",
    "CollateralTier",
    "FeeSchedule",
    "Flow",
    "FundingSchedule",
    "Instrument",
    "InstrumentSettings",
    "MarginSchedule",
    "MarginTier",
    "PendingLoss",
    "Position",
    "PositionKey",
    "PositionSide",
    "Price",
    "Reserve",
    "RiskPolicy",
    "VenueState",
    "account_value",
    "in_force",
    "restore",
    "snapshot",
    "with_version",
]
