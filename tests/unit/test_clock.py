from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.clock import FixedClock, SystemClock, format_time, parse_time
from ledger.errors import InvalidInputError

INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-01-31T09:30:00.000000Z", "2026-01-31T09:30:00.000000Z"),
        ("2026-01-31T09:30:00.1Z", "2026-01-31T09:30:00.100000Z"),
        ("2026-01-31 09:30:00+00:00", "2026-01-31T09:30:00.000000Z"),
        ("2026-01-31T09:30Z", "2026-01-31T09:30:00.000000Z"),
        ("2026-02-01T00:15:00+05:30", "2026-01-31T18:45:00.000000Z"),
        ("2026-02-01T00:15:00+0530", "2026-01-31T18:45:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2026-01-31T09:30:00,250000Z", "2026-01-31T09:30:00.250000Z"),
    ],
)
def test_a_time_with_a_zone_has_one_canonical_form(text: str, canonical: str) -> None:
    assert format_time(parse_time(text)) == canonical
    assert parse_time(canonical) == parse_time(text)


@pytest.mark.parametrize("text", ["2026-01-31T09:30:00", "2026-01-31 09:30", "2026-01-31T09:30:00.123456"])
def test_a_time_without_a_zone_is_refused_and_the_fix_is_shown(text: str) -> None:
    with pytest.raises(InvalidInputError, match="has no zone") as caught:
        parse_time(text)
    assert caught.value.next_step is not None
    assert f"{text}Z" in caught.value.next_step


def test_a_day_is_not_a_time() -> None:
    with pytest.raises(InvalidInputError, match="is a day, not a time") as caught:
        parse_time("2026-01-31")
    assert caught.value.next_step == "write it as 2026-01-31T00:00:00Z"


@pytest.mark.parametrize("text", ["2026-01-31T09:30:00.1234567Z", "2026-01-31T09:30:00,123456789+01:00"])
def test_nothing_finer_than_a_microsecond_is_cut_off_silently(text: str) -> None:
    with pytest.raises(InvalidInputError, match="finer than a microsecond"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:59:60Z",
        "2026-01-31x09:30:00Z",
        "20260131T093000Z",
        "2026-W05-6T09:30:00Z",
        "2026-01-31T09Z",
        "26-01-31T09:30:00Z",
        "２０２６-01-31T09:30:00Z",
        "2026-01-31T09:30:00 Z",
        " 2026-01-31T09:30:00Z",
        "2026-01-31T09:30:00Z\n",
        "2026-01-31T09:30:00+01:00:00.5",
        "1769851800",
    ],
)
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01"])
def test_a_time_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="outside the years 1 to 9999"):
        parse_time(text)


def test_formatting_needs_a_zone_and_a_year_of_the_calendar() -> None:
    assert format_time(datetime(2026, 2, 1, 0, 15, tzinfo=INDIA)) == "2026-01-31T18:45:00.000000Z"
    with pytest.raises(InvalidInputError, match="has no zone"):
        format_time(datetime(2026, 2, 1))  # noqa: DTZ001 (refused)
    with pytest.raises(InvalidInputError, match="outside the years"):
        format_time(datetime.min.replace(tzinfo=INDIA))


def test_clocks_tell_utc() -> None:
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert FixedClock(at).now() == at
    assert SystemClock().now().tzinfo is UTC
