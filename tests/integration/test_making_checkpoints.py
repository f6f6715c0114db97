"""Making checkpoints over and over, in turns, with others' lines: nothing grows, is lost, or is believed."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ledger.chain import Sealer
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.clock import FixedClock
from ledger.errors import EvidenceRefusedError, IntegrityError, WitnessesMissingError
from ledger.merkle import root_hash
from ledger.note import Note, Signature
from ledger.outside.checkpoints import CheckpointFolder
from ledger.signing import checkpoint as making
from ledger.signing.checkpoint import CheckpointMaker, gather_timestamp
from ledger.signing.head import sign_head
from ledger.store.ledger import Ledger
from ledger.trust import read_checkpoint
from tests.support.direct import without_triggers
from tests.support.examples import deposit, prepared
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, witness_key
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = (log_key(), quantum_key())
ONE, TWO = witness_key("witness.example/one"), witness_key("witness.example/two")
WITNESS_KEYS = (ONE.verifier, TWO.verifier)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin=ORIGIN) as opened:
        yield opened


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints")


class Witnesses:
    """Stands for the witnesses' answers: the first cosigns, each time at a later time; the second is away."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, url: str, _size: int, note: bytes, *_: object, **__: object) -> tuple[Signature, ...]:
        self.asked += 1
        if url == "two":
            raise WitnessesMissingError(1, (), "here", [])  # any error of the surroundings
        checkpoint = read_checkpoint(note)[1]
        return (ONE.sign(checkpoint, AT + timedelta(seconds=self.asked)),)


def maker(checkpoints: CheckpointFolder, **more: object) -> CheckpointMaker:
    given = CheckpointMaker(KEYS, checkpoints, ("one", "two"), WITNESS_KEYS)
    return replace(given, **more)  # type: ignore[arg-type]


def test_a_witness_that_is_away_does_not_make_the_checkpoint_grow(
    ledger: Ledger, checkpoints: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the kept file would hold more lines than are read, and stop every command."""
    witnesses = Witnesses()
    monkeypatch.setattr(making, "request_cosignatures", witnesses)
    for _ in range(120):
        made = maker(checkpoints).make(ledger)
        assert made.cosigners == ["witness.example/one"]
    assert len(checkpoints.read(ORIGIN, 1)[0].signatures) == 3
    Ledger.open(str(ledger.engine.url.render_as_string(hide_password=False)), checkpoints).close()


def test_a_line_that_does_not_hold_counts_for_nobody_and_goes_when_a_true_one_comes(
    ledger: Ledger, checkpoints: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = sign_head(ledger, KEYS, checkpoints)
    false = Signature(ONE.verifier.name, ONE.verifier.id, bytes(72))
    head.path.write_bytes(Note(head.note.text, (*head.note.signatures, false)).encode())
    alone = maker(checkpoints, witnesses=(), required_witnesses=1)
    with pytest.raises(WitnessesMissingError):
        alone.make(ledger)
    monkeypatch.setattr(making, "request_cosignatures", Witnesses())
    made = maker(checkpoints, required_witnesses=1).make(ledger)
    assert made.cosigners == ["witness.example/one"]
    assert false not in checkpoints.read(ORIGIN, 1)[0].signatures


def test_what_could_not_be_read_again_is_not_kept(checkpoints: CheckpointFolder) -> None:
    checkpoint = Checkpoint(ORIGIN, 1, bytes(32))
    note = sign_checkpoint(checkpoint, KEYS, AT)
    many = tuple(Signature(f"{number}.example", b"1234", b"x") for number in range(100))
    with pytest.raises(EvidenceRefusedError, match="102 signatures"):
        checkpoints.keep(note.with_signatures(many), checkpoint)
    assert checkpoints.newest(ORIGIN) is None


def test_two_signers_take_turns(
    database_server_url: str, ledger: Ledger, database_url: str, checkpoints: CheckpointFolder
) -> None:
    """Of two histories one is signed, whichever comes first; lines of one size are never lost."""
    with fresh_database(database_server_url, like=database_url) as other:
        ledger.append([deposit("A1")])
        with Ledger.open(other) as fork:
            fork.append([deposit("B1"), deposit("B2")])
            outcomes: list[str] = []

            def sign(which: Ledger) -> None:
                try:
                    outcomes.append(f"signed {sign_head(which, KEYS, checkpoints).checkpoint.size}")
                except IntegrityError as error:
                    outcomes.append(type(error).__name__)

            threads = [threading.Thread(target=sign, args=(each,)) for each in (ledger, fork)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(checkpoints.sizes(ORIGIN)) == 1, outcomes
            assert "LedgerBehindError" in outcomes


def test_lines_that_two_add_at_once_are_both_kept(checkpoints: CheckpointFolder) -> None:
    checkpoint = Checkpoint(ORIGIN, 1, bytes(32))
    note = sign_checkpoint(checkpoint, KEYS, AT)
    witnesses = [witness_key(f"witness.example/{number}") for number in range(12)]
    threads = [
        threading.Thread(
            target=checkpoints.keep, args=(note.with_signatures((each.sign(checkpoint, AT),)), checkpoint)
        )
        for each in witnesses
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(checkpoints.read(ORIGIN, 1)[0].signatures) == 2 + len(witnesses)


def test_a_token_over_other_bytes_is_not_taken_for_the_timestamp(
    ledger: Ledger, checkpoints: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def stamp(_url: str, message: bytes) -> bytes:
        asked.append(message)
        return b"token over " + root_hash([message])

    monkeypatch.setattr(making, "request_over_http", stamp)
    monkeypatch.setattr(
        making, "is_over", lambda path, message: path.read_bytes() == b"token over " + root_hash([message])
    )
    first = gather_timestamp(sign_head(ledger, KEYS[:1], checkpoints), checkpoints, "tsa")
    assert gather_timestamp(sign_head(ledger, KEYS[:1], checkpoints), checkpoints, "tsa") == first
    both = sign_head(ledger, KEYS, checkpoints)  # a key's line came since: other bytes
    gather_timestamp(both, checkpoints, "tsa")
    assert len(asked) == 2
    aside = first.parent / "set-aside" / first.name
    assert aside.read_bytes() == b"token over " + root_hash([asked[0]])


@pytest.mark.parametrize("size", [255, 256, 257, 300])
def test_an_event_that_follows_a_forged_one_is_not_signed(
    ledger: Ledger, database_url: str, checkpoints: CheckpointFolder, size: int
) -> None:
    """The forged one is under the last checkpoint, whose root may come from nodes that were not touched."""
    ledger.append([deposit(f"A{number}") for number in range(size - 1)])
    sign_head(ledger, KEYS, checkpoints, clock=FixedClock(AT))
    last = ledger.event(size - 1)
    forged, _ = Sealer(ORIGIN, last.writer, last.appended_at, last.sequence, last.prev).seal(
        prepared(deposit("thief"), str(last.id)).event_bytes, bytes(16)
    )
    with without_triggers(database_url) as connection:
        connection.execute("UPDATE events SET canonical = %s WHERE sequence = %s", [forged, size - 1])
        connection.execute(
            "UPDATE ledger_head SET hash = (SELECT hash FROM events WHERE sequence = %s)", [size - 1]
        )
    ledger.append([deposit("after")])
    with pytest.raises(IntegrityError):
        sign_head(ledger, KEYS, checkpoints)
    assert checkpoints.sizes(ORIGIN) == [size]
