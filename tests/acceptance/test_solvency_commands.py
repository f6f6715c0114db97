"""``replay solvency`` as a user runs it."""

from pathlib import Path

import pytest

from tests.support.commands import Commands

OF_A_MILLION = ("solvency", "sampling", "--customers", "1000000", "--cheated", "1000")


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands("postgresql://nowhere.invalid/none", tmp_path)


def test_how_many_checks_find_a_cheat(commands: Commands) -> None:
    run = commands.replay(*OF_A_MILLION)
    assert run.exit_code == 0
    assert "1,000,000 customers, 1,000 of them cheated" in run.stdout
    assert "99 %         4,593   0.4593 %" in run.stdout


def test_how_many_checks_find_a_cheat_with_a_probability_of_the_readers_own(commands: Commands) -> None:
    document = commands.replay(*OF_A_MILLION, "--probability", "0.99", "--json").document
    assert document == {
        "schema": "replay.solvency.sampling/1",
        "customers": 1_000_000,
        "cheated": 1_000,
        "checks": [{"probability": "0.99", "checks": 4_593}],
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("--customers", "10", "--cheated", "11"),
        ("--customers", "10", "--cheated", "0"),
        ("--customers", "10", "--cheated", "1", "--probability", "1"),
        ("--customers", "ten", "--cheated", "1"),
        ("--customers", "10"),
    ],
)
def test_numbers_that_make_no_sense_are_a_usage_error(commands: Commands, arguments: tuple[str, ...]) -> None:
    run = commands.replay("solvency", "sampling", *arguments)
    assert run.exit_code == 2
    assert run.stdout == ""
