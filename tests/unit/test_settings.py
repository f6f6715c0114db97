"""Where the ledger is: what is given wins over what is set, and what is wrong is named by its place."""

from pathlib import Path

import click
import pytest

from ledger.cli.common import TIME
from ledger.errors import InvalidInputError
from ledger.settings import Settings
from ledger.store.database import sqlalchemy_url

URL = "postgresql://someone@host.example/ledger"


def load(home: Path, *, database: str | None = None, variable: str | None = None) -> Settings:
    environment = {} if variable is None else {"LEDGER_DATABASE_URL": variable}
    return Settings.load(database=database, home=home, environment=environment)


def test_the_option_wins_over_the_environment_and_that_over_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'database_url = "{URL}/3"')
    assert load(tmp_path, database=f"{URL}/1", variable=f"{URL}/2").database_url == f"{URL}/1"
    assert load(tmp_path, variable=f"{URL}/2").database_url == f"{URL}/2"
    assert load(tmp_path).database_url == f"{URL}/3"
    (tmp_path / "config.toml").unlink()
    assert load(tmp_path).chosen_by == "embedded server"


def test_a_wrong_url_is_named_by_where_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('database_url = "mysql://host/ledger"')
    for settings, place in (
        (load(tmp_path, database="mysql://host/ledger"), "--database"),
        (load(tmp_path, database=""), "--database"),
        (load(tmp_path, variable="mysql://host/ledger"), "LEDGER_DATABASE_URL"),
        (load(tmp_path), str(tmp_path / "config.toml")),
    ):
        with pytest.raises(InvalidInputError, match="is not of the form") as caught, settings.database():
            pass
        assert caught.value.place == (place,)


@pytest.mark.parametrize("content", [b"database_url = [", b"\xff\xfe", b"database_url = 5", b'other = "x"'])
def test_a_broken_config_file_is_named_with_the_next_step(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        load(tmp_path)
    assert caught.value.place == (str(tmp_path / "config.toml"),)
    assert "database_url" in (caught.value.next_step or "")


def test_a_config_file_that_is_a_folder_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(InvalidInputError, match="cannot be read"):
        load(tmp_path)


def test_a_password_with_an_at_sign_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidInputError, match="more than one @") as caught:
        sqlalchemy_url("postgresql://someone:se@cret@host.example/ledger")
    assert "cret" not in str(caught.value)
    assert "%40" in (caught.value.next_step or "")
    assert sqlalchemy_url("postgresql://someone:se%40cret@host.example/ledger").password == "se@cret"


def test_an_option_that_postgres_does_not_know_is_named() -> None:
    with pytest.raises(InvalidInputError, match='invalid connection option "sslmod"'):
        sqlalchemy_url(f"{URL}?sslmod=require")
    assert sqlalchemy_url(f"{URL}?sslmode=require&host=/run/postgresql&port=5433").query["port"] == "5433"


def test_a_time_outside_the_calendar_is_refused_in_words() -> None:
    with pytest.raises(click.BadParameter) as caught:
        TIME.convert("0001-01-01T00:00:00+14:00", None, None)
    assert caught.value.message.endswith("is outside the years 1 to 9999")
