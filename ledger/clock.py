"""The only place that reads a clock; everything else is handed one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from ledger.errors import InvalidInputError

TIME_FORM = "YYYY-MM-DDTHH:MM:SS.ffffffZ"


class Clock(Protocol):
    """Something that tells the time."""

    def now(self) -> datetime:
        """Return the present time, with zone UTC and microseconds."""


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """Return the present time in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until told otherwise: for simulations and tests."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the time that was set."""
        return self.at


def format_time(time: datetime) -> str:
    """Return a time in the ledger's one form, ``YYYY-MM-DDTHH:MM:SS.ffffffZ``.

    Raises:
        InvalidInputError: the time has no zone.
    """
    if time.tzinfo is None:
        raise InvalidInputError(
            f"{time.isoformat()} has no zone", next_step="give the time with its zone, for example …Z for UTC"
        )
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time that has a zone, to the microsecond, and return it in UTC.

    Raises:
        InvalidInputError: not a time, no zone, or finer than a microsecond.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{text!r} is not a time", next_step=f"write it as {TIME_FORM}") from None
    if time.tzinfo is None:
        raise InvalidInputError(
            f"the time {text!r} has no zone", next_step=f"add the zone, for example {text}Z or {text}+00:00"
        )
    fraction = text.partition(".")[2]
    digits = len(fraction) - len(fraction.lstrip("0123456789"))
    if digits > 6:
        raise InvalidInputError(
            f"the time {text!r} is finer than a microsecond", next_step=f"write it as {TIME_FORM}"
        )
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"the time {text!r} is outside the years 1 to 9999") from None
