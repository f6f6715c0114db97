"""Files outside the database are there whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import EnvironmentFaultError, InvalidInputError
from ledger.outside.writing import make_folder, read_small_file, write_file

if TYPE_CHECKING:
    from pathlib import Path


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
