"""Times against the standard library's own formatting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from ledger.clock import format_time, parse_time

ZONES = st.one_of(
    st.just(UTC),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001 (zones are drawn)


@given(TIMES)
def test_a_time_has_the_text_that_the_standard_library_gives_it(time: datetime) -> None:
    naive = time.astimezone(UTC).replace(tzinfo=None)
    assert format_time(time) == naive.isoformat(timespec="microseconds") + "Z"


@given(TIMES)
def test_a_time_comes_back_from_its_text_in_utc(time: datetime) -> None:
    read = parse_time(format_time(time))
    assert read == time
    assert read.tzinfo is UTC
    assert parse_time(time.isoformat()) == time
