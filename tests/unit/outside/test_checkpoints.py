"""Checkpoints kept outside the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import EnvironmentFaultError, EvidenceRefusedError, NotFoundError
from ledger.outside.checkpoints import CheckpointFolder
from ledger.trust import read_checkpoint
from tests.support.keys import ORIGIN, log_key, quantum_key, signed

if TYPE_CHECKING:
    from pathlib import Path

ROOT = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints")


def test_the_newest_is_the_one_of_the_largest_tree(folder: CheckpointFolder) -> None:
    assert folder.newest(ORIGIN) is None
    for size in (9, 100, 20):
        folder.keep(*read_checkpoint(signed(size, ROOT)))
    folder.keep(*read_checkpoint(signed(7_000, ROOT, origin="other.example")))
    assert (folder.sizes(ORIGIN), folder.newest(ORIGIN)) == ([9, 20, 100], 100)
    note, checkpoint = folder.read(ORIGIN, 20)
    assert (note.encode(), checkpoint.size) == (signed(20, ROOT), 20)


def test_signatures_are_added_and_another_root_of_the_same_size_is_refused(folder: CheckpointFolder) -> None:
    folder.keep(*read_checkpoint(signed(9, ROOT)))
    folder.keep(*read_checkpoint(signed(9, ROOT, keys=(quantum_key(),))))
    note, _ = folder.read(ORIGIN, 9)
    assert [
        each.is_by(key.verifier)
        for each, key in zip(note.signatures, (log_key(), quantum_key()), strict=True)
    ]
    with pytest.raises(EvidenceRefusedError, match=r"^consistency: "):
        folder.keep(*read_checkpoint(signed(9, bytes(32))))
    assert folder.read(ORIGIN, 9)[1].root_hash == ROOT


def test_what_is_set_aside_no_longer_counts_and_is_still_there(folder: CheckpointFolder) -> None:
    for size in (9, 20):
        folder.keep(*read_checkpoint(signed(size, ROOT)))
    folder.timestamp_path(ORIGIN, 20).write_bytes(b"token")
    folder.set_aside(ORIGIN, 20)
    folder.set_aside(ORIGIN, 20)
    assert folder.newest(ORIGIN) == 9
    aside = folder.path(ORIGIN, 20).parent / "set-aside"
    assert {path.suffix for path in aside.iterdir()} == {".checkpoint", ".tsr"}
    with pytest.raises(NotFoundError, match="there is no checkpoint of 20 events"):
        folder.read(ORIGIN, 20)


def test_a_file_that_is_not_the_checkpoint_of_its_name_is_refused(folder: CheckpointFolder) -> None:
    path = folder.keep(*read_checkpoint(signed(9, ROOT)))
    path.rename(folder.path(ORIGIN, 10))
    with pytest.raises(EvidenceRefusedError, match="at size 9"):
        folder.read(ORIGIN, 10)
    folder.path(ORIGIN, 10).write_bytes(b"nonsense")
    with pytest.raises(EvidenceRefusedError, match=r"^checkpoint: "):
        folder.read(ORIGIN, 10)


@pytest.mark.parametrize("origin", ["..", "a/../../b", "venue.example/perpetuals", "%2e%2e", "."])
def test_an_origin_never_leads_out_of_the_folder(folder: CheckpointFolder, origin: str) -> None:
    path = folder.keep(*read_checkpoint(signed(9, ROOT, origin=origin)))
    assert folder.folder.resolve() in path.resolve().parents
    assert folder.newest(origin) == 9


@pytest.mark.parametrize("obstacle", ["a file", "a loop of links"])
def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    folder: CheckpointFolder, obstacle: str
) -> None:
    """Otherwise a database that was set back would be written to as if nothing were known of it."""
    place = folder.path(ORIGIN, 9).parent
    place.parent.mkdir(parents=True, exist_ok=True)
    if obstacle == "a file":
        place.write_text("no folder")
    else:
        place.symlink_to(place)
    with pytest.raises(EnvironmentFaultError, match="cannot be read"):
        folder.newest(ORIGIN)
