from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from replay.cli.numbers import maximum_age_option
from replay.cli.venue import HOLDINGS_SHOWN, words
from replay.fold import replay_events
from replay.solvency import DEFAULT_MAXIMUM_AGE_SECONDS, venue_report
from tests.support.events import START, History

if TYPE_CHECKING:
    from decimal import Decimal


def attested(history: History, custodian: str, amount: str, *, age_seconds: int = 0, **more: Any) -> None:
    as_of = START + timedelta(seconds=len(history.events) - age_seconds)
    more = {"asset": "USDT", "attester": "auditor", **more}
    history.add("ReserveAttested", as_of=as_of, custodian=custodian, amount=amount, **more)


def shown(history: History) -> list[str]:
    text = words(venue_report(replay_events(history.events)), "test.example/venue", "folded")
    return [line.strip() for line in text.splitlines()]


def test_every_holding_is_shown_with_its_age_and_whether_it_counts() -> None:
    history = History()
    attested(history, "vault", "2.5", asset="BTC", address="a1", encumbered="0.5", age_seconds=86_400)
    attested(history, "bank", "9000", age_seconds=3_600)
    attested(history, "later", "1", age_seconds=-60, encumbered="0")
    lines = shown(history)
    start = lines.index("attested  custodian    amount  encumbered      age")
    # Ages are counted up to the last attestation: one and two seconds more than at their own.
    assert lines[start + 1 : start + 4] == [
        "BTC       vault a1       2.50      0.5000  86402 s            too old",
        "USDT      bank       9,000.00           –   3601 s              fresh",
        "USDT      later          1.00        0.00    -60 s  of a time to come",
    ]


def test_an_address_cannot_turn_around_what_is_printed_after_it() -> None:
    history = History()
    attested(history, "vault", "2.5", address="a\u202e1")
    assert any("vault a\\u202e1 " in line for line in shown(history))


def test_without_attestations_there_is_no_table_of_them() -> None:
    assert not [line for line in shown(History()) if line.startswith("attested")]


def test_many_holdings_are_counted_and_not_all_shown() -> None:
    history = History()
    for number in range(HOLDINGS_SHOWN + 3):
        attested(history, f"bank{number:02}", "1")
    lines = shown(history)
    assert sum(line.startswith("USDT      bank") for line in lines) == HOLDINGS_SHOWN
    assert "… and 3 more: --json" in lines


def test_the_age_that_options_allow_is_the_reports_own() -> None:
    @click.command
    @maximum_age_option
    def shown(maximum_age_seconds: Decimal) -> Decimal:
        return maximum_age_seconds

    assert shown.main([], standalone_mode=False) == DEFAULT_MAXIMUM_AGE_SECONDS
