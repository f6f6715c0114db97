"""``ledger demo``: one command, and every other command has something to look at."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from ledger.store.ledger import Ledger
from replay.export_tables import account_margin, position_margin
from tests.support.commands import Commands

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def commands(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


def test_a_newcomer_gets_a_ledger_a_story_and_evidence(commands: Commands) -> None:
    run = commands.demo()
    assert run.exit_code == 0, run.stderr
    for part in ("RECORDED", "VERIFIED", "REPLAYED", "AUDITED", "SOLVENCY", "EXPORTED", "All is well"):
        assert part in run.stdout
    suggested = [line.strip().split("   ")[0] for line in run.stdout.partition("Try:")[2].splitlines()]
    tried = [line.split() for line in suggested if line.startswith(("replay ", "ledger "))]
    assert len(tried) >= 5
    for program, *words in tried:
        assert commands.run(program, *words).exit_code == 0, (program, words)
    verifier = commands.folder / "ledger-demo-export" / "verify.py"
    assert (
        subprocess.run([sys.executable, "-I", str(verifier)], capture_output=True, check=False).returncode
        == 0
    )


def test_the_document_holds_the_result_of_every_step(commands: Commands) -> None:
    run = commands.demo("--json", "--export-to", "evidence")
    assert run.exit_code == 0, run.stderr
    document = run.document
    assert document["schema"] == "ledger.demo/1"
    assert document["ok"] is True
    assert document["origin"] == "demo.example/venue"
    assert document["verify"]["ok"] is True
    assert document["verify"]["events"] == document["recorded"]["appended"] + 1
    assert document["venue"]["solvent"] is True
    assert document["check_bundle"]["ok"] is True
    liquidations = document["audit"]["liquidations"]
    assert liquidations
    assert all(each["closes_exactly"] and each["verdict"] == "justified" for each in liquidations)
    assert [each["account"] for each in document["story"]["liquidations"]] == [
        each["account"] for each in liquidations
    ]
    assert document["audit"]["findings"] == []
    assert document["audit"]["latency"]["count"] == len(liquidations)
    assert document["audit"]["latency"]["maximum"] == "0.12"
    assert document["replay"]["processed_sequence"] == document["recorded"]["last_sequence"]
    assert (commands.folder / "evidence" / "tables" / "account_margin.csv").is_file()


@pytest.mark.parametrize("seed", ["0", "1", "20"])
def test_other_days_end_well_too(commands: Commands, seed: str) -> None:
    run = commands.demo("--seed", seed, "--json")
    assert run.exit_code == 0, (run.stderr, run.stdout and run.document["audit"]["findings"])


def test_a_ledger_that_holds_something_is_refused_and_left_as_it_is(
    commands: Commands, database_url: str
) -> None:
    assert commands.demo().exit_code == 0
    with psycopg.connect(database_url) as connection:
        before = connection.execute("SELECT max(sequence) FROM events").fetchone()
    again = commands.demo("--export-to", "elsewhere")
    assert again.exit_code == 2
    assert "holds" in again.stderr
    assert "--home" in again.stderr
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT max(sequence) FROM events").fetchone() == before
    assert not (commands.folder / "elsewhere").exists()


def test_an_opened_ledger_keeps_its_name_and_currency(commands: Commands, database_url: str) -> None:
    Ledger.initialise(database_url, origin="venue.example/empty", valuation_currency="USDT").close()
    document = commands.demo("--json").document
    assert (document["ok"], document["origin"]) == (True, "venue.example/empty")
    assert document["replay"]["before_first_liquidation"]["valuation_currency"] == "USDT"


def test_nothing_is_recorded_where_the_export_has_no_place(commands: Commands, database_url: str) -> None:
    (commands.folder / "ledger-demo-export").mkdir()
    refused = commands.demo()
    assert refused.exit_code == 2
    assert "--export-to" in refused.stderr
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)


def test_a_dry_run_changes_nothing(commands: Commands, database_url: str) -> None:
    run = commands.demo("--dry-run", "--json")
    assert (run.exit_code, run.document["dry_run"]) == (0, True)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)


def test_the_entry_points_name_what_is_there() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = project["entry-points"]
    found = {
        name: getattr(import_module(place.partition(":")[0]), place.partition(":")[2])
        for group in ("ledger.commands", "ledger.export_tables")
        for name, place in points[group].items()
    }
    assert found["demo"].name == "demo"
    assert (found["account_margin"], found["position_margin"]) == (account_margin, position_margin)
    assert {made().name for name, made in found.items() if name != "demo"} == found.keys() - {"demo"}
