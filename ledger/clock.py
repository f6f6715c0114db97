"""The only place that reads a clock; everything else is handed one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol

from ledger.errors import InvalidInputError

TIME_FORM = "YYYY-MM-DDTHH:MM:SS.ffffffZ"

# What datetime.fromisoformat takes differs between Python versions, and it cuts off what it cannot hold.
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,]([0-9]+))?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


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
        InvalidInputError: the time has no zone, or lies outside the years 1 to 9999 in UTC.
    """
    if time.utcoffset() is None:
        raise InvalidInputError(
            f"{time.isoformat()} has no zone", next_step="give the time with its zone, for example …Z for UTC"
        )
    utc = _in_utc(time)
    # Takes half as long as isoformat of a time with a zone, or an f-string.
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % (  # noqa: UP031 (as said)
        utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond
    )  # fmt: skip


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time that has a zone, to the microsecond, and return it in UTC.

    Raises:
        InvalidInputError: not a time, no zone, or finer than a microsecond.
    """
    form = _ISO.fullmatch(text)
    if form is None and _DAY.fullmatch(text) is None:
        raise InvalidInputError(f"{text!r} is not a time", next_step=f"write it as {TIME_FORM}")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{text!r} is not a time", next_step=f"write it as {TIME_FORM}") from None
    if form is None:
        raise InvalidInputError(f"{text!r} is a day, not a time", next_step=f"write it as {text}T00:00:00Z")
    if time.tzinfo is None:
        raise InvalidInputError(
            f"the time {text!r} has no zone", next_step=f"add the zone, for example {text}Z or {text}+00:00"
        )
    if len(form[1] or "") > 6:
        raise InvalidInputError(
            f"the time {text!r} is finer than a microsecond", next_step=f"write it as {TIME_FORM}"
        )
    return _in_utc(time)


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is UTC:
        return time
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"the time {time.isoformat()} is outside the years 1 to 9999") from None
