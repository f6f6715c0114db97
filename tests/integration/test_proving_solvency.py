"""Proving the solvency of a real ledger: roots, older states, the same state again, and times."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.clock import format_time
from ledger.errors import EnvironmentFaultError, IntegrityError, InvalidInputError, NotFoundError
from ledger.events.envelope import Draft
from replay.commitments import (
    ProofFolder,
    Replayed,
    go_on,
    last_sequence_at,
    prove,
    replay_ledger,
    verify_proof,
)
from replay.commitments.recording import commitment_id
from replay.solvency import Expected, Plan, make_tree, state_roots
from tests.support.ledgers import START, open_ledger, venue_setup
from tests.support.proved_venue import (
    LAST,
    PLAN,
    SIGNED_AT,
    TRUST,
    Venue,
    failed,
    proved_venue,
    venue_day,
    verified,
)
from tests.support.solvency import SEED

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def venue(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with proved_venue(database_server_url, tmp_path_factory.mktemp("venue")) as opened:
        yield opened


# What the roots of a state bind.


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("MarkPriceUpdated", {"instrument": "ETH-PERP", "price": "2100"}),
        (
            "MarginScheduleSet",
            {
                "instrument": "ETH-PERP",
                "effective_at": format_time(START),
                "tiers": [
                    {
                        "notional_floor": "0",
                        "maintenance_margin_rate": "0.011",
                        "maintenance_amount": "0",
                        "max_leverage": "50",
                    }
                ],
            },
        ),
    ],
)
def test_a_price_or_a_schedule_alone_changes_the_state_root(
    database_url: str, event_type: str, data: dict[str, object]
) -> None:
    drafts = venue_setup()
    drafts.drafts[:] = venue_day()
    drafts.add(event_type, **data)
    with open_ledger(database_url) as ledger:
        ledger.append(drafts.drafts)
        before, after = (replay_ledger(ledger, sequence) for sequence in (LAST, LAST + 1))
    roots = [state_roots(each.state, each.histories) for each in (before, after)]
    assert roots[0].state != roots[1].state
    assert roots[0].accounts == roots[1].accounts
    trees = [make_tree(each.state, each.histories, PLAN) for each in (before, after)]
    assert trees[0].figures.liabilities == trees[1].figures.liabilities


def test_going_on_comes_to_the_roots_of_a_replay_from_the_start(venue: Venue) -> None:
    whole = replay_ledger(venue.ledger, LAST)
    for halt in (1, LAST // 2, LAST - 3):
        partly = replay_ledger(venue.ledger, halt)
        assert roots_of(partly) != roots_of(whole)
        go_on(venue.ledger, partly, LAST)
        assert roots_of(partly) == roots_of(whole)
        assert partly.state == whole.state


def roots_of(replayed: Replayed) -> tuple[bytes, bytes]:
    roots = state_roots(replayed.state, replayed.histories)
    return roots.state, roots.subjects


# Proving again, and of an older state.


def test_the_same_state_is_committed_to_once(venue: Venue) -> None:
    before = venue.ledger.head().sequence
    again = prove(venue.ledger, replay_ledger(venue.ledger, LAST), PLAN, venue.signing)
    assert (again.recorded.fresh, venue.ledger.head().sequence) == (False, before)
    assert again.recorded.entry == venue.proved.recorded.entry


def test_another_plan_for_the_same_state_is_another_commitment(venue: Venue, tmp_path: Path) -> None:
    split = prove(
        venue.ledger,
        replay_ledger(venue.ledger, LAST),
        Plan(SEED, parts=3),
        venue.signing,
        out=tmp_path / "split",
    )
    assert split.recorded.fresh
    assert split.made.commitment.totals == venue.proved.made.commitment.totals
    assert verified(ProofFolder(tmp_path / "split"), venue.ledger).ok


@pytest.mark.parametrize("sequence", [0, 1, LAST // 2, LAST - 1])
def test_an_older_state_is_proved_like_the_newest(venue: Venue, tmp_path: Path, sequence: int) -> None:
    proved = prove(
        venue.ledger, replay_ledger(venue.ledger, sequence), PLAN, venue.signing, out=tmp_path / "older"
    )
    assert proved.recorded.sequence > LAST
    report = verified(ProofFolder(tmp_path / "older"), venue.ledger, venue.kept())
    assert (report.ok, report.failures) == (True, [])
    newer = Expected(not_before_sequence=LAST)
    assert failed(verify_proof(ProofFolder(tmp_path / "older"), TRUST, expected=newer)) == {"age"}


def test_nothing_is_recorded_where_no_folder_can_be_made(venue: Venue) -> None:
    before = venue.ledger.head().sequence
    with pytest.raises(EnvironmentFaultError, match="could not be written"):
        prove(venue.ledger, replay_ledger(venue.ledger, 3), PLAN, venue.signing, out=Path("/proc/proof"))
    assert venue.ledger.head().sequence == before


def test_an_event_that_was_planted_under_the_id_of_a_commitment_is_not_taken_for_it(venue: Venue) -> None:
    replayed = replay_ledger(venue.ledger, 4)
    made = make_tree(replayed.state, replayed.histories, PLAN)
    honest = made.commitment.payload()
    planted = replace(made.commitment, state_root=bytes(32)).payload()
    venue.ledger.append([Draft(data=planted, id=commitment_id(honest), occurred_at=START)])
    with pytest.raises(IntegrityError, match="says something else"):
        prove(venue.ledger, replay_ledger(venue.ledger, 4), PLAN, venue.signing)


def test_nothing_is_recorded_where_the_place_is_taken(venue: Venue) -> None:
    before = venue.ledger.head().sequence
    with pytest.raises(InvalidInputError):
        prove(venue.ledger, replay_ledger(venue.ledger, 2), PLAN, venue.signing, out=venue.folder / "honest")
    assert venue.ledger.head().sequence == before


def test_force_replaces_a_proof_and_nothing_that_lies_beside_one(venue: Venue, tmp_path: Path) -> None:
    replayed, out = replay_ledger(venue.ledger, LAST), tmp_path / "proof"
    for force in (False, True):
        prove(venue.ledger, replayed, PLAN, venue.signing, out=out, force=force)
    (out / "ada.json").write_text("what ada was given")
    with pytest.raises(InvalidInputError, match=r"more than a proof \('ada.json'\)"):
        prove(venue.ledger, replayed, PLAN, venue.signing, out=out, force=True)
    assert (out / "ada.json").read_text() == "what ada was given"
    assert verified(ProofFolder(out), venue.ledger).ok


# The last event by a time.


def test_a_time_is_found_as_the_last_event_that_had_occurred(venue: Venue) -> None:
    for sequence in (1, LAST // 2, LAST):
        at = START + timedelta(seconds=sequence)  # an event a second
        assert last_sequence_at(venue.ledger, at) == sequence
        assert last_sequence_at(venue.ledger, at + timedelta(milliseconds=999)) == sequence
    assert (
        last_sequence_at(venue.ledger, SIGNED_AT + timedelta(days=1)) == LAST
    )  # commitments are passed over
    with pytest.raises(NotFoundError, match="nothing had occurred"):
        last_sequence_at(venue.ledger, START - timedelta(days=1))


def test_no_state_is_that_of_a_time_between_events_that_were_recorded_late(database_url: str) -> None:
    drafts = venue_setup()
    drafts.add("DepositRecorded", account="A1", asset="USDT", amount="1")
    late = drafts.drafts[-1].occurred_at - timedelta(milliseconds=500)
    drafts.add("DepositRecorded", account="A1", asset="USDT", amount="2", __occurred_at=format_time(late))
    with open_ledger(database_url) as ledger:
        ledger.append(drafts.drafts)
        last = len(drafts.drafts)
        with pytest.raises(NotFoundError, match=f"event {last - 1} occurred after that time"):
            last_sequence_at(ledger, late)
        assert last_sequence_at(ledger, late + timedelta(seconds=1)) == last
