"""A watch over solvency whose rounds are disturbed: others record meanwhile, the database breaks off."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ledger.cli.common import Session
from ledger.errors import DatabaseUnavailableError
from ledger.settings import Settings
from ledger.store.ledger import Ledger
from replay import commitments
from replay.cli.solvency.watch import _Rounds
from replay.commitments import replay_ledger
from tests.support.ledgers import Drafts, open_ledger
from tests.support.proved_venue import LAST, PLAN, signing, venue_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any
    from uuid import UUID

    from ledger.events.envelope import Event


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with open_ledger(database_url) as opened:
        opened.append(venue_day())
        yield opened


def rounds(ledger: Ledger, folder: Path) -> _Rounds:
    return _Rounds(Session(as_json=False, settings=Settings.load(home=folder)), ledger, PLAN, None)


def deposits(*amounts: str) -> list[Any]:
    drafts = Drafts(first=1000)
    for amount in amounts:
        drafts.add("DepositRecorded", account="B1", asset="USDT", amount=amount)
    return drafts.drafts


def test_what_is_recorded_between_state_and_commitment_is_seen_to_in_the_next_round(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = commitments.prove

    def while_another_records(*given: Any, **named: Any) -> Any:
        if ledger.head().sequence == LAST:
            ledger.append(deposits("900000"))  # more than is attested
        return honest(*given, **named)

    monkeypatch.setattr(commitments, "prove", while_another_records)
    watch, signer = rounds(ledger, tmp_path), signing(tmp_path)
    assert watch.next(signer) is False
    assert watch.next(signer) is True
    assert ledger.head().sequence == LAST + 3


def test_a_round_that_breaks_off_is_made_anew(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = rounds(ledger, tmp_path)
    assert watch.next(None) is False
    wrong, again = deposits("7", "8")
    correction = Drafts(first=2000)
    correction.add("CorrectionRecorded", corrects=str(wrong.id), action="void", reason="twice", approvers=[])
    ledger.append([wrong, *correction.drafts, again])

    @contextmanager
    def breaking(_: Ledger) -> Iterator[Callable[[UUID], Event | None]]:
        def find(_: UUID) -> Event | None:
            raise DatabaseUnavailableError("the connection broke off")

        yield find

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "finder", breaking)
        with pytest.raises(DatabaseUnavailableError):
            watch.next(None)
    assert watch.next(None) is False
    figures = capsys.readouterr().out.splitlines()[-1]
    assert f"state {LAST + 3} " in figures
    whole = replay_ledger(ledger, LAST + 3)
    assert watch._replayed is not None
    assert watch._replayed.state == whole.state
    assert watch._replayed.histories.by_subject == whole.histories.by_subject
