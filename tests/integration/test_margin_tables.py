"""The tables that replay adds to an evidence bundle."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.amounts import format_exact
from ledger.export.bundle import export_bundle
from ledger.export.check import check_bundle
from ledger.export.tables import csv_text
from replay.export_tables import account_margin, position_margin
from replay.margin import evaluate
from replay.store.source import fold_ledger
from tests.support.ledgers import open_ledger, seeded_venue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.store.ledger import Ledger


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with open_ledger(database_url) as ledger:
        ledger.append(seeded_venue())
        yield ledger


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: csv_text(cell) for name, cell in row.items()} for row in csv.DictReader(file, strict=True)
        ]


def test_every_account_and_position_stands_in_the_bundle_as_the_fold_has_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    export_bundle(ledger, tmp_path / "bundle", tables=[account_margin(), position_margin()])
    state = fold_ledger(ledger).state
    accounts = {row["account"]: row for row in _read(tmp_path / "bundle" / "tables" / "account_margin.csv")}
    positions = _read(tmp_path / "bundle" / "tables" / "position_margin.csv")
    assert list(accounts) == sorted(state.accounts)
    for name, row in accounts.items():
        margin = evaluate(state, name)
        assert margin.equity is not None
        assert Decimal(row["equity"]) == margin.equity
        assert row["state"] == margin.state
        assert row["wallet_balance"] == f"USDT={format_exact(margin.wallet_balance['USDT'])}"
        assert [Decimal(each["quantity"]) for each in positions if each["account"] == name] == [
            each.quantity for each in margin.positions
        ]
    assert check_bundle(tmp_path / "bundle").ok


def test_corrections_are_applied_so_no_account_is_in_doubt(ledger: Ledger, tmp_path: Path) -> None:
    assert any(draft.type == "CorrectionRecorded" for draft in seeded_venue())
    export_bundle(ledger, tmp_path / "bundle", tables=[account_margin()])
    rows = _read(tmp_path / "bundle" / "tables" / "account_margin.csv")
    assert {row["state"] for row in rows} == {"healthy"}


def test_a_bundle_of_the_beginning_holds_the_state_of_its_own_head(ledger: Ledger, tmp_path: Path) -> None:
    export_bundle(ledger, tmp_path / "bundle", to_sequence=20, tables=[account_margin()])
    rows = _read(tmp_path / "bundle" / "tables" / "account_margin.csv")
    assert max(int(row["last_sequence"]) for row in rows) <= 20
