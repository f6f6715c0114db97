"""Files outside the database are there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import EnvironmentFaultError, InvalidInputError
from ledger.outside.writing import make_folder, new_folder, read_small_file, write_file


def test_a_file_is_written_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_file(tmp_path / "note", b"one")
    assert read_small_file(tmp_path / "note") == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_what_is_there_is_replaced_by_force_alone(tmp_path: Path) -> None:
    write_file(tmp_path / "note", b"one")
    with pytest.raises(InvalidInputError, match="exists already; nothing was written"):
        write_file(tmp_path / "note", b"two")
    assert read_small_file(tmp_path / "note") == b"one"
    write_file(tmp_path / "note", b"two", force=True)
    assert read_small_file(tmp_path / "note") == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_a_private_file_and_folder_are_their_owners_alone(tmp_path: Path) -> None:
    make_folder(tmp_path / "keys", private=True)
    write_file(tmp_path / "keys" / "one.pem", b"secret", private=True)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "one.pem").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_replaced_to_the_end_is_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rename = tmp_path / "proof", Path.rename
    with new_folder(target) as beside:
        (beside / "mark").write_bytes(b"old")

    def interrupted(moved: Path, to: Path) -> Path:
        if moved.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(moved, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), new_folder(target, replaces="mark") as beside:
        (beside / "mark").write_bytes(b"new")
    assert read_small_file(target / "mark") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["proof"]


def test_a_missing_folder_and_a_file_in_the_way_are_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="does not exist"):
        write_file(tmp_path / "none" / "note", b"one")
    write_file(tmp_path / "note", b"one")
    with pytest.raises(EnvironmentFaultError, match="could not be made"):
        make_folder(tmp_path / "note" / "below")


def test_a_file_that_is_missing_or_too_large_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="No such file"):
        read_small_file(tmp_path / "none")
    (tmp_path / "large").write_bytes(bytes((16 << 20) + 1))
    with pytest.raises(InvalidInputError, match="more than"):
        read_small_file(tmp_path / "large")
