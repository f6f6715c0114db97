"""A deterministic venue: orders, prices, schedules and policy in; fills, calls and liquidations out."""

from replay.venue.commands import (
    AdjustMargin,
    CancelOrder,
    Command,
    Outcome,
    PlaceOrder,
    Record,
    Refusal,
    ReportAccountState,
    SetLeverage,
    SetMarginMode,
    SettleFunding,
    Withdraw,
)
from replay.venue.configuration import VenueConfiguration
from replay.venue.engine import RECORDED, VenueEngine

__all__ = [
    "RECORDED",
    "AdjustMargin",
    "CancelOrder",
    "Command",
    "Outcome",
    "PlaceOrder",
    "Record",
    "Refusal",
    "ReportAccountState",
    "SetLeverage",
    "SetMarginMode",
    "SettleFunding",
    "VenueConfiguration",
    "VenueEngine",
    "Withdraw",
]
