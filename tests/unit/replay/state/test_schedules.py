from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from replay.state import FeeSchedule, in_force, with_version
from tests.support.events import START

HOUR = timedelta(hours=1)


def version(sequence: int, hours: int) -> FeeSchedule:
    return FeeSchedule(sequence, START + hours * HOUR, Decimal(0), Decimal(0), Decimal(0))


def test_the_version_in_force_is_the_one_effective_last_before_or_at_the_time() -> None:
    versions = (version(1, 0), version(2, 5))
    assert in_force(versions, START + 4 * HOUR) is versions[0]
    assert in_force(versions, START + 5 * HOUR) is versions[1]
    assert in_force(versions, START - HOUR) is None
    assert in_force((), START) is None


def test_of_two_effective_at_the_same_time_the_one_recorded_last_holds() -> None:
    versions = with_version((version(1, 0),), version(2, 0))
    found = in_force(versions, START)
    assert found is not None
    assert found.sequence == 2


def test_a_version_that_is_recorded_late_takes_its_place_by_effective_time() -> None:
    versions = with_version((version(1, 0), version(2, 5)), version(3, 2))
    assert [each.sequence for each in versions] == [1, 3, 2]
    found = in_force(versions, START + 9 * HOUR)
    assert found is not None
    assert found.sequence == 2
