"""``replay account``, ``venue``, ``audit`` and ``rebuild`` as a user runs them."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from ledger.clock import format_time
from ledger.store.ledger import Ledger
from tests.support.commands import Commands
from tests.support.direct import allow_ddl
from tests.support.ledgers import START, Drafts, open_ledger, venue_setup

if TYPE_CHECKING:
    from pathlib import Path

POSITION_FIELDS = {
    "instrument",
    "position_side",
    "margin_mode",
    "quantity",
    "entry_price",
    "mark_price",
    "notional",
    "unrealised_pnl",
    "initial_margin",
    "maintenance_margin",
    "isolated_margin",
    "equity",
    "margin_ratio",
    "state",
    "liquidation_price",
    "liquidation_price_below",
    "liquidation_price_above",
    "bankruptcy_price",
    "margin_call_price",
}
ACCOUNT_FIELDS = {
    "schema",
    "account",
    "sequence",
    "valuation_currency",
    "wallet_balance",
    "unrealised_pnl",
    "equity",
    "collateral_value",
    "initial_margin",
    "maintenance_margin",
    "margin_ratio",
    "equity_ratio",
    "margin_utilisation",
    "leverage",
    "buffer",
    "cost_of_maintenance",
    "state",
    "total_equity",
    "positions",
    "notes",
}


@pytest.fixture
def commands(database_url: str, tmp_path: Path) -> Commands:
    """A venue where Alice is long 2 BTC at 30,000 with 10,000 USDT; the mark then falls to 26,000."""
    drafts = venue_setup()
    for account, amount in (("alice", "10000"), ("bob", "50000")):
        drafts.add("DepositRecorded", account=account, asset="USDT", amount=amount)
    drafts.add(
        "TradeExecuted",
        instrument="BTC-PERP",
        quantity="2",
        price="30000",
        buyer="alice",
        seller="bob",
        buyer_fee="0",
        seller_fee="0",
        fee_asset="USDT",
        trade_id="T1",
    )
    drafts.add("MarkPriceUpdated", instrument="BTC-PERP", price="26000")
    with open_ledger(database_url) as ledger:
        ledger.append(drafts.drafts)
    return Commands(database_url, tmp_path)


def test_an_account_is_rebuilt_with_exact_figures(commands: Commands) -> None:
    run = commands.replay("account", "alice", "--json")
    assert run.exit_code == 0, run.stderr
    document = run.document
    assert document.keys() >= ACCOUNT_FIELDS
    assert document["schema"] == "replay.account/1"
    assert document["wallet_balance"] == {"USDT": "10000"}
    assert document["unrealised_pnl"] == "-8000"
    assert document["equity"] == "2000"
    assert document["maintenance_margin"] == "260"
    assert document["margin_ratio"] == "0.13"
    assert document["state"] == "healthy"
    (position,) = document["positions"]
    assert position.keys() >= POSITION_FIELDS
    # 10,000 + 2·(P − 30,000) = 0.005·2·P at 50,000 / 1.99.
    assert Decimal(position["liquidation_price"]).quantize(Decimal("0.01")) == Decimal("25125.63")


def test_an_account_in_words_has_its_state_its_figures_and_the_reasons_for_gaps(commands: Commands) -> None:
    run = commands.replay("account", "alice")
    assert run.exit_code == 0
    for part in ("healthy", "2,000.00 USDT", "13.00 %", "BTC-PERP", "≤ 25,125.63", "--json"):
        assert part in run.stdout
    bystander = commands.replay("account", "bob", "--at", "9")
    assert "the margin ratio is undefined" in bystander.stdout


def test_time_travel_by_sequence_and_by_time(commands: Commands) -> None:
    before_the_trade = commands.replay("account", "alice", "--at", "9", "--json").document
    assert (before_the_trade["sequence"], before_the_trade["positions"]) == (9, [])
    before_the_fall = commands.replay(
        "account", "alice", "--at", "2026-01-01T01:00:10+01:00", "--json"
    ).document
    assert before_the_fall["unrealised_pnl"] == "0"
    assert before_the_fall["replay"]["left_out"] == 1


def test_a_cut_by_knowledge_says_which_clock_was_used(commands: Commands) -> None:
    later = Drafts(first=100)
    later.add(
        "MarkPriceUpdated",
        instrument="BTC-PERP",
        price="25000",
        __received_at="2026-01-01T00:01:40Z",
        __processed_at="2026-01-01T00:01:50Z",
    )
    with Ledger.open(commands.database_url) as ledger:
        ledger.append(later.drafts)
    run = commands.replay("account", "alice", "--as-known-at", "2999-01-01T00:00:00Z", "--json")
    assert run.document["replay"]["clocks"] == {"appended_at": 12, "processed_at": 1}
    words = commands.replay("venue", "--as-known-at", "2026-01-01T00:01:45Z").stdout
    assert "known by appended_at of 12, processed_at of 1 events" in words


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("account", "alice", "--at", "2026-01-01T00:00:00"), 2, "no zone"),
        (("account", "alice", "--at", "yesterday"), 2, "not a time"),
        (("account", "alice", "--at", "12"), 5, "the newest is 11"),
        (("account", "alcie"), 5, "did you mean alice?"),
        (("audit", "--check", "nothing"), 2, "choose from"),
        (("audit", "--account", "alcie"), 5, "did you mean alice?"),
        (("venue", "--max-age", "-1"), 2, "below zero"),
        (("rebuild", "--catch-up", "--check"), 2, "do not go together"),
        (("rebuild", "--check"), 5, "replay rebuild"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_next_step(
    commands: Commands, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    run = commands.replay(*words)
    assert run.exit_code == exit_code, run.stderr
    assert said in run.stderr
    assert run.stdout == ""


def test_late_facts_can_be_folded_in_the_order_in_which_they_occurred(commands: Commands) -> None:
    late = Drafts(first=200)
    late.add("MarkPriceUpdated", instrument="BTC-PERP", price="1", __occurred_at=format_time(START))
    with Ledger.open(commands.database_url) as ledger:
        ledger.append(late.drafts)
    recorded = commands.replay("account", "alice", "--json").document["positions"][0]["mark_price"]
    occurred = commands.replay("account", "alice", "--order", "occurred", "--json").document
    assert (recorded, occurred["positions"][0]["mark_price"]) == ("1", "26000")


def test_a_venue_without_attestations_is_of_unknown_solvency_and_one_that_owes_more_exits_1(
    commands: Commands,
) -> None:
    unknown = commands.replay("venue", "--json")
    assert (unknown.exit_code, unknown.document["solvent"]) == (0, None)
    # Positive claims: Alice 2,000 and Bob 58,000.
    assert unknown.document["liabilities"] == {"USDT": "60000"}
    for amount, exit_code, solvent, words in (
        ("59999.99", 1, False, "NOT SOLVENT"),
        ("60000", 0, True, "SOLVENT"),
    ):
        attested = Drafts(first=300 + exit_code)
        attested.add(
            "ReserveAttested",
            asset="USDT",
            custodian="bank",
            amount=amount,
            as_of=format_time(START),
            attester="auditor",
        )
        with Ledger.open(commands.database_url) as ledger:
            ledger.append(attested.drafts)
        run = commands.replay("venue", "--json")
        assert (run.exit_code, run.document["solvent"]) == (exit_code, solvent), run.stdout
        text = commands.replay("venue").stdout
        assert words in text
        assert re.search(rf"USDT +bank +{Decimal(amount):,.2f} +– +\d+ s +fresh\n", text), text


def test_an_audit_without_liquidations_finds_nothing(commands: Commands) -> None:
    run = commands.replay("audit", "--json")
    assert run.exit_code == 0
    assert run.document["schema"] == "replay.audit/1"
    assert run.document["events"] == 12
    assert run.document["liquidations"] == []
    assert "no liquidations" in commands.replay("audit").stdout


def set_marks_by_hand(commands: Commands, first: int, count: int) -> None:
    """Record unapproved overrides from sequence 12 on, a second apart."""
    drafts = Drafts(first=first)
    for _ in range(count):
        override = {"instrument": "BTC-PERP", "kind": "mark", "price": "26000", "reason": 'feed "a", down'}
        drafts.add("PriceOverridden", **override, approvers=[])
    with Ledger.open(commands.database_url) as ledger:
        ledger.append(drafts.drafts)


def test_findings_as_csv_have_the_columns_of_their_json(commands: Commands) -> None:
    set_marks_by_hand(commands, 100, 2)
    run = commands.replay("audit", "--csv")
    assert run.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    documents = commands.replay("audit", "--json").document["findings"]
    assert [row.keys() for row in rows] == [document.keys() for document in documents]
    assert [row["sequence"] for row in rows] == ["12", "13"]
    assert [row["evidence"] for row in rows] == ["12", "13"]
    assert [row["message"] for row in rows] == [document["message"] for document in documents]
    assert rows[0]["account"] == ""
    both = commands.replay("audit", "--csv", "--json")
    assert (both.exit_code, "choose one" in both.stdout + both.stderr) == (2, True)


def test_an_audit_of_a_part_reports_that_part_alone(commands: Commands) -> None:
    set_marks_by_hand(commands, 100, 3)

    def sequences(*words: str) -> list[int]:
        document = commands.replay("audit", *words, "--json").document
        assert document["events"] == 15
        return [finding["sequence"] for finding in document["findings"]]

    assert sequences() == [12, 13, 14]
    assert sequences("--from", "13") == [13, 14]
    assert sequences("--to", "12") == [12]
    assert sequences("--from", format_time(START + timedelta(seconds=101)), "--to", "13") == [13]
    assert commands.replay("audit", "--to", "11").exit_code == 0
    assert commands.replay("audit", "--from", "2026-01-01T00:00:00").exit_code == 2
    document = commands.replay("audit", "--from", "13", "--json").document
    assert (document["from"], document["to"], document["events_reported"]) == (13, None, 2)
    assert "reported from 13: 2 events" in commands.replay("audit", "--from", "13").stdout


def test_a_part_without_events_is_no_clean_bill(commands: Commands) -> None:
    for words in (("--from", "99"), ("--to", "2020-01-01T00:00:00Z")):
        nothing = commands.replay("audit", *words)
        assert nothing.exit_code == 5
        assert "nothing to report on" in nothing.stderr
    backwards = commands.replay("audit", "--from", "5", "--to", "3")
    assert backwards.exit_code == 2
    assert "--from 5 comes after --to 3" in backwards.stderr


def test_a_finding_says_when_it_was_what_proves_it_and_where_to_look(commands: Commands) -> None:
    set_marks_by_hand(commands, 100, 1)
    words = commands.replay("audit").stdout
    assert f"{format_time(START + timedelta(seconds=100))}; evidence 12" in words
    (finding,) = commands.replay("audit", "--json").document["findings"]
    assert finding["occurred_at"] == format_time(START + timedelta(seconds=100))


def test_the_latency_that_is_allowed_can_be_given(commands: Commands) -> None:
    set_marks_by_hand(commands, 100, 1)
    late = Drafts(first=90)
    late.add("DepositRecorded", account="alice", asset="USDT", amount="1")
    with Ledger.open(commands.database_url) as ledger:
        ledger.append(late.drafts)
    late_by_ten = ("audit", "--check", "out_of_time_order", "--fail-on", "warning")
    assert commands.replay(*late_by_ten).exit_code == 1
    assert commands.replay(*late_by_ten, "--max-latency", "9.9").exit_code == 1
    assert commands.replay(*late_by_ten, "--max-latency", "10").exit_code == 0
    for wrong in ("-1", "soon"):
        assert commands.replay("audit", "--max-latency", wrong).exit_code == 2


def test_read_models_are_made_kept_up_and_checked(commands: Commands) -> None:
    built = commands.replay("rebuild", "--json").document
    assert (built["mode"], built["processed_sequence"], built["accounts"]) == ("rebuild", 11, 2)
    more = Drafts(first=400)
    more.add("DepositRecorded", account="carol", asset="USDT", amount="1")
    with Ledger.open(commands.database_url) as ledger:
        ledger.append(more.drafts)
    caught_up = commands.replay("rebuild", "--catch-up", "--json").document
    assert (caught_up["mode"], caught_up["events"], caught_up["processed_sequence"]) == ("catch_up", 1, 12)
    assert commands.replay("rebuild", "--check").exit_code == 0
    with psycopg.connect(commands.database_url) as connection:
        connection.execute("UPDATE read_models.balances SET wallet_balance = 9 WHERE account = 'carol'")
    broken = commands.replay("rebuild", "--check")
    assert broken.exit_code == 3
    assert "account carol: balances carol/USDT wallet_balance: stored 9, folded 1" in broken.stdout


def test_another_version_of_the_projection_is_rebuilt_and_not_caught_up(commands: Commands) -> None:
    commands.replay("rebuild")
    with psycopg.connect(commands.database_url) as connection:
        connection.execute("UPDATE read_models.progress SET projection_version = 999")
    refused = commands.replay("rebuild", "--catch-up")
    assert refused.exit_code == 4
    assert "replay rebuild" in refused.stderr
    assert commands.replay("rebuild").exit_code == 0
    assert commands.replay("rebuild", "--catch-up").exit_code == 0


@pytest.mark.parametrize("words", [("account", "alice"), ("venue",), ("audit",), ("rebuild",)])
def test_nothing_is_concluded_from_a_chain_with_a_hole(commands: Commands, words: tuple[str, ...]) -> None:
    with psycopg.connect(commands.database_url) as connection:
        allow_ddl(connection)
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM events WHERE sequence = 8")
    run = commands.replay(*words)
    assert run.exit_code == 3, run.stdout
    assert "broken at sequence 8" in run.stderr
    assert run.stdout == ""


def test_without_an_account_all_are_listed_the_nearest_to_liquidation_first(commands: Commands) -> None:
    document = commands.replay("account", "--json").document
    assert document["schema"] == "replay.accounts/1"
    units = document["units"]
    assert len(units) >= 2
    ratios = [Decimal(each["margin_ratio"]) for each in units if each["state"] == "healthy"]
    assert ratios == sorted(ratios, reverse=True)
    alone = commands.replay("account", "--state", "bankrupt")
    assert (alone.exit_code, "nobody who holds a position is in such a state" in alone.stdout) == (0, True)
    assert "more: --limit" in commands.replay("account", "--limit", "1").stdout
    assert commands.replay("account", "alice", "--state", "healthy").exit_code == 2
