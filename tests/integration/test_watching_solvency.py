"""Rounds of ``replay solvency watch`` while others record, and where the database goes away."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ledger.cli.common import Session
from ledger.errors import EnvironmentFaultError
from ledger.settings import Settings
from ledger.store.ledger import Ledger
from replay.cli.solvency.watch import Rounds
from replay.commitments import Signing
from tests.support.ledgers import Drafts, open_ledger
from tests.support.proved_venue import LAST, PLAN, SIGNED_AT, signing, venue_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

Told = list[dict[str, Any]]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with open_ledger(database_url) as opened:
        opened.append(venue_day())
        yield opened


@pytest.fixture
def rounds(ledger: Ledger, tmp_path: Path) -> Rounds:
    return Rounds(Session(as_json=True, settings=Settings(tmp_path, None, "a test")), ledger, PLAN, None)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], Told]:
    """What was said since it was last asked for."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class DepositBeforeCommitment:
    """A clock that is asked for the time of the commitment, and has a deposit recorded just before."""

    def __init__(self, ledger: Ledger, amount: str) -> None:
        self._ledger = ledger
        self._drafts = Drafts(first=1000)
        self._drafts.add("DepositRecorded", account="B1", asset="USDT", amount=amount)

    def now(self) -> datetime:
        """Return the commitment's time."""
        self._ledger.append(self._drafts.drafts)  # a repeat changes nothing
        return SIGNED_AT


def test_where_nothing_came_since_the_commitment_there_is_nothing_to_commit_to(
    ledger: Ledger, rounds: Rounds, tmp_path: Path, told: Callable[[], Told]
) -> None:
    assert not rounds.next(signing(tmp_path))
    (line,) = told()
    assert (line["sequence"], line["commitment_sequence"]) == (LAST, LAST + 1)
    assert not rounds.next(signing(tmp_path))
    assert (told(), ledger.head().sequence) == ([], LAST + 1)


def test_what_comes_between_a_state_and_its_commitment_is_looked_at_in_the_next_round(
    ledger: Ledger, rounds: Rounds, tmp_path: Path, told: Callable[[], Told]
) -> None:
    quiet = signing(tmp_path)
    busy = Signing(quiet.keys, quiet.checkpoints, DepositBeforeCommitment(ledger, "1000000"))
    assert not rounds.next(busy)
    (line,) = told()
    assert (line["sequence"], line["commitment_sequence"], line["solvent"]) == (LAST, LAST + 2, True)
    assert rounds.next(busy)
    (line,) = told()
    assert (line["liabilities"]["USDT"], line["solvent"]) == ("1089497.5", False)


def test_a_round_that_breaks_off_in_an_event_is_made_up_for_by_the_next(
    ledger: Ledger, rounds: Rounds, monkeypatch: pytest.MonkeyPatch, told: Callable[[], Told]
) -> None:
    assert not rounds.next(None)
    deposit = next(each for each in venue_day() if each.type == "DepositRecorded")
    drafts = Drafts(first=1000)
    drafts.add("DepositRecorded", account="B1", asset="USDT", amount="1")
    drafts.add("CorrectionRecorded", corrects=str(deposit.id), action="void", reason="twice", approvers=[])
    ledger.append(drafts.drafts)
    told()
    with monkeypatch.context() as without_database:
        without_database.setattr(Ledger, "finder", finder_without_database)
        with pytest.raises(EnvironmentFaultError):
            rounds.next(None)
    assert told() == []
    assert not rounds.next(None)
    (line,) = told()
    assert (line["sequence"], line["liabilities"]["USDT"]) == (LAST + 2, "69498.5")  # 89,497.5 + 1 − 20,000


@contextmanager
def finder_without_database(_: Ledger) -> Iterator[Callable[[object], NoReturn]]:
    def find(_: object) -> NoReturn:
        raise EnvironmentFaultError("the database is gone", next_step="bring it back")

    yield find


def test_commitments_of_another_watch_are_no_news(
    ledger: Ledger, rounds: Rounds, tmp_path: Path, told: Callable[[], Told]
) -> None:
    other = Rounds(Session(as_json=True, settings=Settings(tmp_path, None, "a test")), ledger, PLAN, None)
    for each in (rounds, other, rounds, other):
        assert not each.next(signing(tmp_path))
    assert [line["commitment_sequence"] for line in told()] == [LAST + 1, LAST + 2]
    assert ledger.head().sequence == LAST + 2
