"""Attack: let the signer sign, or publish, a head that does not follow from what was signed before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import (
    ChainBrokenError,
    EvidenceRefusedError,
    IntegrityError,
    LedgerBehindError,
    LedgerError,
)
from ledger.outside.checkpoints import CheckpointFolder
from ledger.signing.head import sign_head
from ledger.signing.tiles import publish_tiles
from ledger.store.ledger import Ledger
from tests.support.chains import chain_of
from tests.support.direct import without_triggers
from tests.support.evidence import LOG_KEYS, give_away, write_tiles
from tests.support.examples import deposit
from tests.support.keys import ORIGIN
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNED, EVENTS = 300, 600


@pytest.fixture(scope="module")
def signed(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A ledger of 600 events of which 300 are under a kept checkpoint."""
    folder = tmp_path_factory.mktemp("kept")
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append([deposit(f"A{number}") for number in range(1, SIGNED)])
            sign_head(ledger, LOG_KEYS, CheckpointFolder(folder))
            ledger.append([deposit(f"A{number}") for number in range(SIGNED, EVENTS)])
        yield url, folder


@pytest.fixture
def url(database_server_url: str, signed: tuple[str, Path]) -> Iterator[str]:
    with fresh_database(database_server_url, like=signed[0]) as copy:
        yield copy


@pytest.fixture
def checkpoints(signed: tuple[str, Path], tmp_path: Path) -> CheckpointFolder:
    """The kept checkpoint, in a folder of this test's own."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.keep(*CheckpointFolder(signed[1]).read(ORIGIN, SIGNED))
    return folder


def tamper(url: str, *statements: str) -> None:
    with without_triggers(url) as connection:
        connection.execute("ALTER TABLE events ALTER COLUMN hash DROP EXPRESSION")
        for statement in statements:
            assert connection.execute(statement.encode()).rowcount


EDIT = (
    "UPDATE events SET canonical = convert_to("
    """replace(convert_from(canonical, 'UTF8'), '"amount":"1"', '"amount":"9"'), 'UTF8')"""
)
HASH = r"UPDATE events SET hash = sha256('\x00'::bytea || canonical)"
AT_299, AT_400 = "WHERE sequence = 299", "WHERE sequence = 400"


@pytest.mark.parametrize(
    ("statements", "error"),
    [
        pytest.param([f"{EDIT} {AT_299}", f"{HASH} {AT_299}"], LedgerBehindError, id="an old event"),
        pytest.param([f"{EDIT} {AT_400}"], ChainBrokenError, id="a new event"),
        pytest.param([f"{EDIT} {AT_400}", f"{HASH} {AT_400}"], ChainBrokenError, id="and its hash"),
        pytest.param([f"DELETE FROM events {AT_400}"], IntegrityError, id="a new event gone"),
        pytest.param([f"DELETE FROM events {AT_299}"], IntegrityError, id="an old event gone"),
        pytest.param(["DELETE FROM events WHERE sequence >= 299"], LedgerBehindError, id="the tail gone"),
        pytest.param(
            ["UPDATE tree_nodes SET hash = sha256('x') WHERE index = 0"], LedgerBehindError, id="an old node"
        ),
        pytest.param(
            ["UPDATE tree_nodes SET hash = sha256('x') WHERE index = 1"], IntegrityError, id="a new node"
        ),
        pytest.param(["DELETE FROM tree_nodes WHERE index = 1"], IntegrityError, id="a new node gone"),
    ],
)
def test_the_signer_refuses_a_head_that_does_not_follow(
    url: str, checkpoints: CheckpointFolder, statements: list[str], error: type[LedgerError]
) -> None:
    tamper(url, *statements)
    with Ledger.open(url) as ledger, pytest.raises(error):
        sign_head(ledger, LOG_KEYS, checkpoints)
    assert checkpoints.sizes(ORIGIN) == [SIGNED]


@pytest.mark.parametrize("sequence", [1, 100, 255])
def test_tiles_that_contradict_the_nodes_above_them_are_not_published(
    url: str, checkpoints: CheckpointFolder, tmp_path: Path, sequence: int
) -> None:
    """What an old checkpoint covers is not read again for a new one; publishing reads it."""
    with Ledger.open(url) as ledger:
        head = sign_head(ledger, LOG_KEYS, checkpoints)
    tamper(url, f"UPDATE events SET hash = sha256('x') WHERE sequence = {sequence}")
    with Ledger.open(url) as ledger, pytest.raises(EvidenceRefusedError) as refused:
        publish_tiles(ledger, head.note, head.checkpoint, tmp_path / "tiles")
    assert (refused.value.check, refused.value.place) == ("node", "tile/0/000")
    assert not (tmp_path / "tiles" / "checkpoint").exists()


def test_entries_that_are_not_those_of_their_hashes_are_not_published(
    url: str, checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    with Ledger.open(url) as ledger:
        head = sign_head(ledger, LOG_KEYS, checkpoints)
    tamper(url, f"{EDIT} WHERE sequence = 100")
    with Ledger.open(url) as ledger, pytest.raises(EvidenceRefusedError) as refused:
        publish_tiles(ledger, head.note, head.checkpoint, tmp_path / "tiles", entries=True)
    assert (refused.value.check, refused.value.place) == ("entries", "tile/entries/000")
    assert not (tmp_path / "tiles" / "checkpoint").exists()


def test_the_folder_of_another_log_or_history_or_of_a_larger_tree_is_left_alone(
    url: str, checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    with Ledger.open(url) as ledger:
        head = sign_head(ledger, LOG_KEYS, checkpoints)
        for name, lines, origin, check in (
            ("another log", chain_of(12), "other.example/log", "origin"),
            ("ahead", chain_of(EVENTS + 1), ORIGIN, "consistency"),
            ("another history", chain_of(12), ORIGIN, "consistency"),
        ):
            evidence = give_away(lines, old_size=5, index=7, origin=origin)
            folder = write_tiles(tmp_path / name, evidence, entries=False)
            before = (folder / "checkpoint").read_bytes()
            with pytest.raises(EvidenceRefusedError, match=check):
                publish_tiles(ledger, head.note, head.checkpoint, folder)
            assert (folder / "checkpoint").read_bytes() == before
