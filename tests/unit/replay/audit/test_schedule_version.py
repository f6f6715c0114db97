from __future__ import annotations

import pytest

from replay.findings import Severity
from tests.support.decisions import DecidingVenue, at
from tests.support.events import event_id

WRONG = "schedule_version_wrong"


@pytest.mark.parametrize("named", [True, False], ids=["of an instrument", "of an account"])
def test_a_decision_under_an_outdated_schedule_is_an_error(named: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = DecidingVenue(policy={}, schedule=False)
    old = venue.schedule(1)
    new = venue.schedule(5, "0.006")
    venue.mark(10, "49200")
    instrument = {"instrument": "BTC-PERP"} if named else {}
    started = venue.start(11, schedule_event=str(old.id), **instrument)
    (finding,) = venue.found(WRONG)
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.instrument, finding.sequence) == ("A", "BTC-PERP", started.sequence)
    assert finding.evidence == (old.sequence, new.sequence, started.sequence)
    assert (finding.recorded, finding.rebuilt) == (str(old.id), str(new.id))


@pytest.mark.parametrize(("seconds", "findings"), [("20", 0), ("19.999999", 1)])
def test_a_schedule_is_in_force_from_its_effective_time_on(seconds: str, findings: int) -> None:
    venue = DecidingVenue(policy={})
    venue.mark(10, "49200")
    later = venue.schedule(11, "0.006", effective_at=at(20))
    venue.start(seconds, schedule_event=str(later.id))
    assert len(venue.found(WRONG)) == findings


def test_of_several_instruments_any_ones_schedule_will_do() -> None:
    venue = DecidingVenue(policy={})
    other = venue.schedule(1).data.model_copy(update={"instrument": "ETH-PERP"})
    venue.history.list_instrument("ETH-PERP")
    venue.history.list_instrument("SOL-PERP")
    ethereum = venue.add("MarginScheduleSet", 1, **{**other.model_dump(), "instrument": "ETH-PERP"})
    solana = venue.add("MarginScheduleSet", 1, **{**other.model_dump(), "instrument": "SOL-PERP"})
    venue.history.fill("A", "buy", "1", "100", "ETH-PERP")
    venue.start(20, "L1", schedule_event=str(ethereum.id))
    wrong = venue.start(20, "L2", schedule_event=str(solana.id))  # not held
    assert [each.sequence for each in venue.found(WRONG)] == [wrong.sequence]
    assert "none of the recorded ones" in venue.found(WRONG)[0].message


def test_an_id_of_something_else_is_an_error() -> None:
    venue = DecidingVenue(policy={})
    venue.mark(10, "49200")
    venue.start(11, schedule_event=str(event_id(0)))
    assert len(venue.found(WRONG)) == 1


def test_a_decision_that_names_none_is_silent_and_one_without_recorded_schedules_is_not_checked() -> None:
    venue = DecidingVenue(policy={}, schedule=False)
    venue.start(11, "L1")
    assert venue.reasons(WRONG) == []
    venue.start(11, "L2", schedule_event=str(event_id(3)))
    assert venue.found(WRONG) == ()
    assert venue.reasons(WRONG)[0].startswith("1 decisions")
