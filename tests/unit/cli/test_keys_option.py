from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.cli.keys_option import parse_keys
from ledger.errors import InvalidInputError
from tests.support.keys import log_key, quantum_key

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = log_key().verifier, quantum_key().verifier


def test_keys_are_given_as_text_or_as_files_and_each_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "log.vkey"
    file.write_text(f"# the log's keys\n{ONE.encode()}\n\n{TWO.encode()}\n")
    assert parse_keys([ONE.encode()]) == (ONE,)
    assert parse_keys([str(file)]) == (ONE, TWO)
    assert parse_keys([TWO.encode(), str(file)]) == (TWO, ONE)
    assert parse_keys([]) == ()


def test_a_bad_line_is_named_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "log.vkey"
    file.write_text(f"{ONE.encode()}\n{ONE.encode()[:-4]}\n")
    with pytest.raises(InvalidInputError) as caught:
        parse_keys([str(file)])
    assert caught.value.place == (str(file), "line 2")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (ONE.encode().replace("+", "+0", 1), "id"),
        (TWO.encode()[:-8], "bytes"),
        ("nowhere.vkey", "cannot be read"),
        ("empty.vkey", "no public key"),
    ],
)
def test_what_is_neither_key_nor_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.vkey").write_text("# none\n")
    with pytest.raises(InvalidInputError, match=problem):
        parse_keys([value])
