"""``replay solvency`` as a user runs it."""

from pathlib import Path

import pytest

from ledger.clock import format_time
from tests.support.commands import Commands
from tests.support.documents import REPOSITORY, follow, programs
from tests.support.ledgers import START, open_ledger, venue_setup

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


@pytest.fixture
def venue(database_url: str, tmp_path: Path) -> Commands:
    """A venue that has attested 60,000 USDT for Alice, 2 BTC long at 30,000 with 10,000, and Bob, short."""
    drafts = venue_setup()
    for account, amount in (("alice", "10000"), ("bob", "50000")):
        drafts.add("DepositRecorded", account=account, asset="USDT", amount=amount)
    fees = {"buyer_fee": "0", "seller_fee": "0", "fee_asset": "USDT", "trade_id": "T1"}
    trade = {"instrument": "BTC-PERP", "quantity": "2", "price": "30000", "buyer": "alice", "seller": "bob"}
    drafts.add("TradeExecuted", **trade, **fees)
    holding = {"asset": "USDT", "custodian": "bank", "amount": "60000", "attester": "auditor"}
    drafts.add("ReserveAttested", **holding, as_of=format_time(START))
    with open_ledger(database_url) as ledger:
        ledger.append(drafts.drafts)
    return Commands(database_url, tmp_path)


def test_a_venue_under_stress_has_a_scenario_for_every_move_and_haircut(venue: Commands) -> None:
    run = venue.replay("solvency", "stress", "--json")
    assert run.exit_code == 0, run.stderr
    document = run.document
    assert document["schema"] == "replay.solvency.stress/1"
    assert document["moves"] == [
        *("-0.5", "-0.3", "-0.2", "-0.1", "-0.05", "0", "0.05", "0.1", "0.2", "0.3", "0.5"),
    ]
    assert document["haircuts"] == ["0", "0.1", "0.2", "0.5"]
    assert len(document["scenarios"]) == 44
    assert document["replay"]["events"] == document["sequence"] + 1
    # Alice is bankrupt below 25,000, a fall of a sixth; Bob only at 55,000.
    assert document["breaking_moves"][0] == {
        "haircut": "0",
        "down": "-0.2",
        "down_fails_first": "USDT",
        "up": None,
        "up_fails_first": None,
    }


def test_moves_and_haircuts_can_be_given_and_the_text_is_a_grid(venue: Commands) -> None:
    run = venue.replay("solvency", "stress", "--moves", "-0.5,0", "--haircuts", "0, 0.25")
    assert run.exit_code == 0
    grid = [line.split() for line in run.stdout.splitlines() if "FAILS" in line]
    # At 15,000 Bob is owed 80,000: 75 % and 56.25 % of it are there.
    assert grid[0] == ["-50", "%", "FAILS", "75.00", "%", "FAILS", "56.25", "%"]
    assert grid[1] == ["0", "%", "solvent", "100.00", "%", "FAILS", "75.00", "%"]
    assert "-20,000.00 USDT" in run.stdout


def test_only_a_venue_that_is_insolvent_as_it_stands_exits_1(venue: Commands) -> None:
    too_old = ("solvency", "stress", "--max-age", "0", "--json")
    run = venue.replay(*too_old)
    assert (run.exit_code, {each["solvent"] for each in run.document["scenarios"]}) == (1, {False})
    assert venue.replay(*too_old, "--moves", "-0.1,0.1").exit_code == 0
    assert venue.replay(*too_old, "--haircuts", "0.1").exit_code == 0
    assert venue.replay("solvency", "stress", "--at", "9", "--json").document["attestations"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--moves", "-1"), "cannot fall by all of it"),
        (("--moves", "0.1,,0.2"), "not a plain decimal"),
        (("--haircuts", "1"), "less than 1"),
        (("--haircuts", "-0.1"), "0 or more"),
        (("--max-age", "-1"), "below zero"),
    ],
)
def test_stress_that_makes_no_sense_is_a_usage_error(
    commands: Commands, options: tuple[str, str], said: str
) -> None:
    run = commands.replay("solvency", "stress", *options)
    assert (run.exit_code, run.stdout) == (2, "")
    assert said in run.stderr


def test_the_walk_through_a_venue_under_stress_works_word_for_word(tmp_path: Path, database_url: str) -> None:
    page = (REPOSITORY / "docs" / "explanation" / "solvency.md").read_text(encoding="utf-8")
    section = page.partition("\n## Under stress\n")[2].partition("\n## ")[0]
    (tmp_path / "bin").mkdir()
    assert follow(section, tmp_path, programs(tmp_path / "bin"), database_url) == 3
