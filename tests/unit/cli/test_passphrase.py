from __future__ import annotations

import io
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from ledger.cli.passphrase import VARIABLE, Passphrase, passphrase_option
from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

WORDS = b"correct horse battery"


@pytest.fixture(autouse=True)
def _no_passphrase_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
def test_a_file_gives_it_without_its_line_end(tmp_path: Path, line_end: bytes) -> None:
    file = tmp_path / "words"
    file.write_bytes(WORDS + line_end)
    assert Passphrase(file)() == Passphrase(file).for_new_key() == WORDS


def test_only_one_line_end_is_taken_off_and_no_space(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_bytes(b" " + WORDS + b" \n")
    assert Passphrase(file)() == b" " + WORDS + b" "


def test_a_file_of_several_lines_is_some_other_file(tmp_path: Path) -> None:
    file = tmp_path / "drafts.ndjson"
    file.write_bytes(b"{}\n{}\n")
    with pytest.raises(InvalidInputError, match="holds more than one line"):
        Passphrase(file)()


def test_the_file_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "from the environment")
    file = tmp_path / "words"
    file.write_bytes(WORDS)
    assert Passphrase(file)() == WORDS
    assert Passphrase()() == b"from the environment"


@pytest.mark.parametrize("content", [b"", b"\n", None])
def test_a_file_without_one_is_refused_and_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "words"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        Passphrase(file)()
    assert caught.value.place == (str(file),)


def test_without_file_environment_and_terminal_the_error_says_what_to_give() -> None:
    with pytest.raises(InvalidInputError, match="no terminal") as caught:
        Passphrase()()
    assert "--passphrase-file" in str(caught.value.next_step)
    assert VARIABLE in str(caught.value.next_step)


@pytest.mark.parametrize("new", [False, True])
def test_a_terminal_is_asked_without_echo_and_twice_for_a_new_key(
    monkeypatch: pytest.MonkeyPatch, *, new: bool
) -> None:
    asked = []

    def prompt(_text: str, **how: bool) -> str:
        asked.append(how)
        return WORDS.decode()

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr(click, "prompt", prompt)
    assert (Passphrase().for_new_key() if new else Passphrase()()) == WORDS
    assert asked == [{"hide_input": True, "confirmation_prompt": new, "err": True}]


def test_the_option_hands_the_command_the_source_and_not_the_words(tmp_path: Path) -> None:
    given = []

    @click.command()
    @passphrase_option
    def command(passphrase: Passphrase) -> None:
        given.append(passphrase)

    file = tmp_path / "words"
    file.write_bytes(WORDS)
    for words, expected in (([], Passphrase()), (["--passphrase-file", str(file)], Passphrase(file))):
        assert CliRunner().invoke(command, words).exit_code == 0
        assert given.pop() == expected
        assert WORDS.decode() not in repr(expected)
