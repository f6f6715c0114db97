"""Tiles in a folder: brought up to date bit by bit, the same as written at once, and checked by anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.canonical import leaf_hash
from ledger.errors import EvidenceRefusedError, InvalidInputError, NotFoundError
from ledger.growth import GivenCheckpoint
from ledger.note import Note, VerifierKey
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.tiles import TileFolder
from ledger.prove import prove_consistency, prove_inclusion
from ledger.signing.head import sign_head
from ledger.signing.tiles import publish_tiles
from ledger.store.ledger import Ledger
from ledger.tiles import encode_entries
from ledger.trust import TrustPolicy, read_checkpoint
from ledger.verify.tiles import verify_tiles
from tests.conformance import test_tessera_checkpoint as tessera
from tests.support.examples import deposit
from tests.support.keys import ORIGIN, log_key, policy, quantum_key, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.checkpoint import Checkpoint

KEYS = (log_key(), quantum_key())


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.initialise(database_url, origin=ORIGIN) as opened:
        yield opened


def sign(ledger: Ledger, folder: Path) -> tuple[Note, Checkpoint]:
    head = sign_head(ledger, KEYS, CheckpointFolder(folder / "checkpoints"))
    return head.note, head.checkpoint


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("entries", [True, False])
def test_bit_by_bit_they_are_the_same_as_at_once(ledger: Ledger, tmp_path: Path, *, entries: bool) -> None:
    for count in (1, 253, 1, 1, 300, 256, 0):
        if count:
            ledger.append([deposit(f"A{number}") for number in range(count)])
        note, checkpoint = sign(ledger, tmp_path)
        publish_tiles(ledger, note, checkpoint, tmp_path / "grown", entries=entries)
        assert (tmp_path / "grown" / "checkpoint").read_bytes() == note.encode()
        report = verify_tiles(tmp_path / "grown", policy(*KEYS))
        assert (report.ok, report.events, report.failures) == (True, checkpoint.size, [])
        assert report.entries == (checkpoint.size if entries else None)
    publish_tiles(ledger, note, checkpoint, tmp_path / "at-once", entries=entries)
    at_once, grown = contents(tmp_path / "at-once"), contents(tmp_path / "grown")
    assert {name: grown[name] for name in at_once} == at_once
    # What is more in the one that grew are partial tiles of levels that are not full yet.
    assert {name.rpartition("/")[0] for name in grown.keys() - at_once.keys()} <= {"tile/1/000.p"}
    assert not list((tmp_path / "grown").rglob("*.partial"))


def test_entries_can_be_published_later(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([deposit(f"A{number}") for number in range(600)])
    note, checkpoint = sign(ledger, tmp_path)
    first = publish_tiles(ledger, note, checkpoint, tmp_path / "tiles")
    assert publish_tiles(ledger, note, checkpoint, tmp_path / "tiles").tiles_written == 0
    then = publish_tiles(ledger, note, checkpoint, tmp_path / "tiles", entries=True)
    assert (first.tiles_written, then.tiles_written) == (4, 3)
    report = verify_tiles(tmp_path / "tiles", policy(*KEYS))
    assert (report.ok, report.entries, report.is_margin_ledger) == (True, 601, True)


def test_hashes_alone_are_published_unless_entries_are_asked_for(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([deposit(f"A{number}") for number in range(300)])
    note, checkpoint = sign(ledger, tmp_path)
    publish_tiles(ledger, note, checkpoint, tmp_path / "tiles")
    assert not (tmp_path / "tiles" / "tile" / "entries").exists()
    report = verify_tiles(tmp_path / "tiles", policy(*KEYS))
    assert "the events themselves: only their hashes were published" in report.not_checked


def test_proofs_are_made_from_tiles_alone(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([deposit(f"A{number}") for number in range(700)])
    note, checkpoint = sign(ledger, tmp_path)
    publish_tiles(ledger, note, checkpoint, tmp_path / "tiles")
    tree = TileFolder(tmp_path / "tiles").tree(checkpoint.size)
    for index in (0, 255, 256, 700):
        assert prove_inclusion(tree, index, note, checkpoint).index == index
    assert prove_consistency(tree, 300, 701, new=checkpoint).new_root == checkpoint.root_hash
    with pytest.raises(InvalidInputError, match="no proof from size 701 to size 300"):
        prove_consistency(tree, 701, 300)
    with pytest.raises(InvalidInputError, match="entry 701 is not among them"):
        prove_inclusion(tree, 701, note, checkpoint)


def test_the_folder_of_another_log_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    note, checkpoint = sign(ledger, tmp_path)
    folder = tmp_path / "tiles"
    for other in (
        signed(1, bytes(32), origin="other.example"),
        signed(99, bytes(32)),
        signed(1, bytes(32)),
    ):
        folder.mkdir(exist_ok=True)
        (folder / "checkpoint").write_bytes(other)
        with pytest.raises(EvidenceRefusedError, match=r"(origin|consistency): "):
            publish_tiles(ledger, note, checkpoint, folder)
        assert contents(folder) == {"checkpoint": other}


def test_a_tile_that_is_there_is_never_overwritten(ledger: Ledger, tmp_path: Path) -> None:
    note, checkpoint = sign(ledger, tmp_path)
    place = tmp_path / "tiles" / "tile" / "0" / "000.p"
    place.mkdir(parents=True)
    (place / "1").write_bytes(bytes(32))
    with pytest.raises(EvidenceRefusedError, match="expected the contents of the log, found others"):
        publish_tiles(ledger, note, checkpoint, tmp_path / "tiles")
    assert not (tmp_path / "tiles" / "checkpoint").exists()


def test_growth_from_an_older_checkpoint_is_checked_on_tiles(ledger: Ledger, tmp_path: Path) -> None:
    _, first = sign(ledger, tmp_path)
    ledger.append([deposit(f"A{number}") for number in range(300)])
    note, checkpoint = sign(ledger, tmp_path)
    publish_tiles(ledger, note, checkpoint, tmp_path / "tiles")

    def verdict(given: Checkpoint) -> tuple[bool, list[str]]:
        checked = [GivenCheckpoint("old", given, signature_checked=True)]
        report = verify_tiles(tmp_path / "tiles", policy(*KEYS), checkpoints=checked)
        return report.ok, [failure.check for failure in report.failures]

    assert verdict(first) == (True, [])
    assert verdict(checkpoint) == (True, [])
    forked = read_checkpoint(signed(200, bytes(32)))[1]
    ahead = read_checkpoint(signed(302, bytes(32)))[1]
    assert verdict(forked) == (False, ["trusted_checkpoint"])
    assert verdict(ahead) == (False, ["trusted_checkpoint"])


def test_a_log_of_another_implementation_is_checked_by_its_hashes(tmp_path: Path) -> None:
    entries = [entry.encode() for entry in tessera.ENTRIES]
    for place, data in (
        ("checkpoint", tessera.NOTE),
        ("tile/0/000.p/15", b"".join(map(leaf_hash, entries))),
        ("tile/entries/000.p/15", encode_entries(entries)),
        (".state/treeState", b"of the program that wrote it"),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    trusted = TrustPolicy.of((VerifierKey.parse(tessera.KEY),))
    report = verify_tiles(tmp_path, trusted)
    assert (report.ok, report.events, report.entries) == (True, 15, 15)
    assert not report.is_margin_ledger
    assert any("they are not events of a margin ledger" in text for text in report.not_checked)
    entries[7] = b"eight"
    (tmp_path / "tile/entries/000.p/15").write_bytes(encode_entries(entries))
    failure = verify_tiles(tmp_path, trusted).failures[0]
    assert (failure.check, failure.sequence, failure.file) == ("entries", 7, "tile/entries/000.p/15")


def test_where_there_is_no_checkpoint_there_is_nothing_to_check(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotFoundError, match="there is no file"):
            verify_tiles(folder, policy())
