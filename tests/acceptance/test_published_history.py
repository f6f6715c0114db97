"""A venue's published history, from files to verdicts, by the commands that a user types."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DIFFERING = {"2023-04-19T09:21:19.000000Z", "2023-04-19T15:26:43.000000Z"}
CENTS = Decimal("0.03")


def run(program: str, *words: str, url: str) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {program}.cli import main; main()",
            *words,
            "--json",
            "--database",
            url,
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def history(shared_data: Path) -> Path:
    return shared_data / "hyperliquid_2023"


def test_the_published_history_imports_verifies_and_is_audited(history: Path, database_url: str) -> None:
    run("ledger", "init", "--origin", "test.example/hl", url=database_url)
    imported = run("ledger", "import", "hyperliquid", str(history), url=database_url)
    counts = imported["counts"]
    assert counts["FillRecorded"] == 16_387
    assert counts["DepositRecorded"] + counts["WithdrawalRecorded"] == 306
    assert counts["LiquidationExecuted"] == 37
    assert imported["appended"] == imported["events"] == sum(counts.values())

    again = run("ledger", "import", "hyperliquid", str(history), url=database_url)
    assert (again["appended"], again["already_recorded"]) == (0, imported["events"])
    assert run("ledger", "verify", url=database_url)["ok"] is True

    audit = run("replay", "audit", url=database_url)
    liquidations = audit["liquidations"]
    assert len(liquidations) == 37
    assert all(liquidation["closes_exactly"] for liquidation in liquidations)
    assert {liquidation["verdict"] for liquidation in liquidations} == {"undetermined"}
    far = [each for each in liquidations if abs(Decimal(each["residual"])) > CENTS]
    assert {each["occurred_at"] for each in far} == DIFFERING
    warned = [finding for finding in audit["findings"] if finding["severity"] == "warning"]
    assert {finding["sequence"] for finding in warned} == {each["sequence"] for each in far}
    assert not [finding for finding in audit["findings"] if finding["severity"] == "error"]
    largest = max(
        Decimal(each["recorded_account_value"]) / Decimal(each["recorded_notional"])
        for each in liquidations
        if each["leverage_type"] == "Cross"
    )
    assert Decimal("0.009971") < largest < Decimal("0.01"), "under the maintenance rate of 1 % at 50 times"


@pytest.mark.parametrize("liquidation", [0, 17, 36])
def test_with_one_earlier_fill_altered_the_liquidation_it_belongs_to_no_longer_closes(
    history: Path, database_url: str, tmp_path: Path, liquidation: int
) -> None:
    with (history / "liquidations.csv").open() as file:
        row = list(csv.DictReader(file))[liquidation]
    with gzip.open(history / "non_mm_trades.csv.gz", "rt") as file:
        fills = list(csv.DictReader(file))
    mine = [fill for fill in fills if fill["user"] == row["user"]]
    taken_over = {fill["coin"] for fill in mine if fill["time"] == row["time"]}
    altered = [fill for fill in mine if fill["time"] < row["time"] and fill["coin"] in taken_over][-1]
    altered["sz"] = str(Decimal(altered["sz"]) + 1)
    with gzip.open(tmp_path / "non_mm_trades.csv.gz", "wt") as file:
        writer = csv.DictWriter(file, list(fills[0]))
        writer.writeheader()
        writer.writerows(fills)
    for name in ("liquidations.csv", "non_mm_ledger_updates.csv"):
        shutil.copy(history / name, tmp_path / name)

    run("ledger", "init", "--origin", "test.example/hl", url=database_url)
    run("ledger", "import", "hyperliquid", str(tmp_path), url=database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (16_907,)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from replay.cli import main; main()",
            "audit",
            "--json",
            "--database",
            database_url,
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    audit = json.loads(done.stdout)
    place = (row["user"], row["time"].replace("Z", ".000000Z"))
    (found,) = [each for each in audit["liquidations"] if (each["account"], each["occurred_at"]) == place]
    assert found["closes_exactly"] is False
    assert any(
        f["code"] == "liquidation_does_not_close" and f["sequence"] == found["sequence"]
        for f in audit["findings"]
    )
    assert done.returncode == 1
