"""``replay margin recommend``, ``test``, ``sensitivity`` and ``breaches`` as a user runs them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ledger.clock import format_time
from tests.support.commands import Commands
from tests.support.ledgers import START, open_ledger, venue_setup

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.commands import Run

HOURS = 120
CRASH = "2026-01-05T20:00:00Z"
WINDOW = ("--from", CRASH, "--to", "2026-01-06T00:00:00Z")
# 120 hours of prices are enough for 95 %.
ASSUMED = ("--confidence", "0.95")


def course(hour: int) -> tuple[int, int, int, int]:
    """Return open, high, low and close: up and down by 100 every hour, and a fall of 4,000 in hour 117."""
    before, after = (30_000 + 100 * (each % 2) for each in (hour - 1, hour))
    if hour > 117:
        before, after = before - 4_000, after - 4_000
    if hour == 117:
        return before, before, 25_000, after - 4_000
    return before, max(before, after), min(before, after), after


@pytest.fixture
def commands(database_url: str, tmp_path: Path) -> Commands:
    """Two linear instruments and an inverse one, 120 hourly bars; Alice is long 2 BTC with 10,000 USDT."""
    drafts = venue_setup()
    drafts.add(
        "InstrumentListed",
        instrument="BTCUSD",
        kind="perpetual",
        contract="inverse",
        base="BTC",
        quote="USD",
        settlement_asset="BTC",
        contract_size="100",
    )
    for account, amount in (("alice", "10000"), ("bob", "100000")):
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
    for hour in range(1, HOURS + 1):
        opened, high, low, close = (str(price) for price in course(hour))
        for instrument in ("BTC-PERP", "BTCUSD"):
            drafts.add(
                "PriceBarRecorded",
                __occurred_at=format_time(START + timedelta(hours=hour)),
                instrument=instrument,
                kind="mark",
                interval_seconds="3600",
                open=opened,
                high=high,
                low=low,
                close=close,
            )
    with open_ledger(database_url) as ledger:
        ledger.append(drafts.drafts)
    return Commands(database_url, tmp_path)


def margin(commands: Commands, *words: str) -> Run:
    run = commands.replay("margin", *words)
    assert run.exit_code == 0, run.stderr
    return run


def test_a_rate_is_recommended_with_its_evidence_and_compared_with_the_schedule(commands: Commands) -> None:
    document = margin(commands, "recommend", "BTC-PERP", *ASSUMED, "--json").document
    assert document["schema"] == "replay.margin_recommendation/1"
    # 5 % of 119 losses are 5.95: 13 %, twice 100 of 26,100, and 2.95 of 100 of 30,100; their mean is 2.478 %.
    assert document["binding"] == {"method": "expected_shortfall", "side": "long"}
    assert document["maintenance_margin_rate"] == "0.0248"
    assert {each["method"] for each in document["estimates"]} == {
        "ewma_quantile",
        "historical_var",
        "expected_shortfall",
        "floor",
    }
    assert document["evidence"]["prices"] == HOURS
    assert document["schedule"]["tiers"][0]["below_recommended"]
    words = margin(commands, "recommend", "BTC-PERP", *ASSUMED).stdout
    for part in ("recommended maintenance rate", "covers 95.00 %", "Expected Shortfall", "1 of 1 tiers"):
        assert part in words


def test_a_cut_leaves_later_prices_out(commands: Commands) -> None:
    at = ("--at", CRASH)
    # Every hour 100 up or down of 30,000, a third of a percent: 1.645 deviations are 0.548 %, rounded up.
    calm = margin(commands, "recommend", "BTC-PERP", *ASSUMED, *at, "--json").document
    assert calm["maintenance_margin_rate"] == "0.0055"
    assert calm["evidence"]["last_time"] == "2026-01-05T20:00:00.000000Z"
    assert calm["replay"]["left_out"] == 8


def test_a_requirement_is_tested_by_side_with_the_windows_that_exceeded_it(commands: Commands) -> None:
    document = margin(commands, "test", "BTC-PERP", *ASSUMED, "--rate", "0.2", "--json").document
    assert document["schema"] == "replay.margin_test/1"
    tests = {(each["requirement"], each["side"]): each for each in document["tests"]}
    long = tests["schedule_in_force", "long"]
    assert (long["windows"], long["exceptions"], long["lowest_rate"]) == (119, 1, "0.005")
    assert long["worst"][0]["ends_at"] == "2026-01-05T21:00:00.000000Z"
    assert tests["given", "long"]["exceptions"] == 0
    assert ("dynamic", "long") in tests
    words = margin(commands, "test", "BTC-PERP", *ASSUMED).stdout
    for part in ("schedule in force", "p (Kupiec)", "2026-01-05 20:00", "13.00 %"):
        assert part in words


def test_an_inverse_contract_is_judged_by_its_loss_in_its_settlement_asset(
    commands: Commands,
) -> None:
    # The fall from 30,000 to 26,100 costs 13 % of 30,000, and 14.94 % of what 1 ÷ 30,000 is.
    rates = ("--rate", "0.1494", "--rate", "0.1495")
    found = margin(commands, "test", "BTCUSD", *ASSUMED, *rates, "--json").document
    given = [each for each in found["tests"] if each["requirement"] == "given" and each["side"] == "long"]
    assert [each["exceptions"] for each in given] == [1, 0]
    assert found["contract"] == "inverse"
    linear = margin(commands, "recommend", "BTC-PERP", *ASSUMED, "--json").document
    inverse = margin(commands, "recommend", "BTCUSD", *ASSUMED, "--json").document
    assert (linear["contract"], inverse["contract"]) == ("linear", "inverse")
    assert inverse["maintenance_margin_rate"] > linear["maintenance_margin_rate"]
    assert "this inverse contract" in margin(commands, "recommend", "BTCUSD", *ASSUMED).stdout
    within = margin(commands, "breaches", *WINDOW, *ASSUMED, "--json").document["dynamic"]
    assert within["BTCUSD"]["contract"] == "inverse"


def test_an_account_is_shown_under_moves_and_leverages(commands: Commands) -> None:
    words = ("sensitivity", "alice", "--move", "-10", "--leverage", "10", *ASSUMED)
    document = margin(commands, *words, "--at", CRASH, "--json").document
    assert document["schema"] == "replay.margin_sensitivity/1"
    (fallen,) = document["by_price"]
    # 10,000 + 2 × (27,000 − 30,000) against 0.5 % of 54,000.
    assert (fallen["move"], fallen["equity"], fallen["maintenance_margin"]) == ("-0.1", "4000", "270")
    (at_ten,) = document["by_leverage"]
    assert (at_ten["target_leverage"], at_ten["added"], at_ten["equity"]) == ("10", "-4000", "6000")
    assert document["scenarios"]["worst_loss"] == {"main": "9600", "extended": "39600"}
    assert document["within_seconds"] == "86400"
    said = margin(commands, *words, "--at", CRASH).stdout
    for part in ("when every mark moves", "when leverage changes", "≤ 25,125.6", "volatility has no effect"):
        assert part in said


def test_breaches_are_intervals_of_bars_under_both_schedules_and_can_be_drawn(commands: Commands) -> None:
    svg = commands.folder / "breaches.svg"
    document = margin(commands, "breaches", *WINDOW, *ASSUMED, "--json", "--svg", str(svg)).document
    assert document["schema"] == "replay.margin_breaches/1"
    rows = {(row["account"], row["rule"]): row for row in document["rows"]}
    assert rows.keys() == {
        ("alice", "recorded"),
        ("alice", "dynamic"),
        ("bob", "recorded"),
        ("bob", "dynamic"),
    }
    breach = rows["alice", "recorded"]["liquidatable"]
    assert (breach["after"], breach["until"], breach["ended_by"]) == (
        "2026-01-05T20:00:00.000000Z",
        "2026-01-05T21:00:00.000000Z",
        "recovered",
    )
    assert (breach["place"], breach["price"]) == ("low", "25000")
    assert rows["bob", "recorded"]["liquidatable"] is None
    assert rows["alice", "dynamic"]["schedules"][0]["first_tier_rate"] == "0.0055"
    assert document["dynamic"]["BTC-PERP"]["evidence"]["last_time"] == "2026-01-05T20:00:00.000000Z"
    assert "0 returns of ETH-PERP" in document["dynamic_missing"]["ETH-PERP"]
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    again = commands.replay("margin", "breaches", *WINDOW, *ASSUMED, "--svg", str(svg))
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    said = margin(commands, "breaches", *WINDOW, *ASSUMED, "--account", "alice").stdout
    for part in ("01-05 20:00–21:00", "recovered 01-05 21:00", "1 accounts followed"):
        assert part in said


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("recommend", "BTC-PRP"), 5, "did you mean BTC-PERP"),
        (("recommend", "BTC-PERP", "--confidence", "0.999"), 5, "the estimate needs 1,000"),
        (("recommend", "BTC-PERP", "--confidence", "1"), 2, "above 0 and below 1"),
        (("recommend", "BTC-PERP", "--horizon", "90m"), 2, "not a whole number of intervals"),
        (("recommend", "BTC-PERP", "--horizon", "soon"), 2, "not an interval"),
        (("test", "BTC-PERP", "--notional", "0"), 2, "above zero"),
        (("sensitivity", "alcie"), 5, "did you mean alice?"),
        (("sensitivity", "alice", "--move", "-100"), 2, "cannot fall by all of it"),
        (("sensitivity", "alice", "--leverage", "0"), 2, "above zero"),
        (("breaches", "--from", CRASH, "--to", CRASH), 2, "after --from"),
        (("breaches", *WINDOW, "--account", "alcie"), 5, "did you mean alice?"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_next_step(
    commands: Commands, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    run = commands.replay("margin", *words)
    assert run.exit_code == exit_code, run.stderr
    assert said in run.stderr
    assert run.stdout == ""
