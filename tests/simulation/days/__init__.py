"""Synthetic days of a venue, and faults planted in them; written from the rules, without replay.

Margin, the risk engine and the bookings are worked out here a second time, so that an audit of
such a day compares two implementations. Nothing in this package imports ``replay``.
"""

from tests.simulation.days.day import KINDS, BuiltDay, build_day
from tests.simulation.days.recording import planted_day, venue_day
from tests.simulation.days.stage import PlantedFault

__all__ = ["KINDS", "BuiltDay", "PlantedFault", "build_day", "planted_day", "venue_day"]
