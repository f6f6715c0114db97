"""Who is nearest to liquidation."""

from __future__ import annotations

from typing import get_args

from replay.cli.account import STATES as LISTED
from replay.fold import replay_events
from replay.margin import MarginState
from replay.margin.standings import STATES, standings
from tests.support.events import History


def venue() -> History:
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, "0.05", "0", "10"))
    history.policy(warning_ratio="0.5", margin_call_ratio="0.8")
    history.mark("1000")
    return history


def test_the_states_are_all_there_are_and_the_command_lists_the_same() -> None:
    assert set(STATES) == set(get_args(MarginState))
    assert LISTED == STATES


def test_the_gravest_state_is_first_and_in_it_the_highest_ratio() -> None:
    history = venue()
    for account, deposit in (("calm", "1000"), ("tight", "60"), ("over", "40"), ("called", "56")):
        history.deposit(account, deposit)
        history.fill(account, "buy", "1", "1000")
    history.deposit("bankrupt", "10")
    history.fill("bankrupt", "buy", "1", "1020")
    history.deposit("idle", "5")
    found = standings(replay_events(history.events))
    assert [(each.account, each.state) for each in found] == [
        ("bankrupt", "bankrupt"),
        ("over", "liquidatable"),
        ("called", "margin_call"),
        ("tight", "margin_call"),
        ("calm", "healthy"),
    ]
    assert [str(each.buffer) for each in found] == ["-60.00", "-10.00", "6.00", "10.00", "950.00"]


def test_isolated_positions_stand_on_their_own_and_who_cannot_be_judged_is_not_hidden() -> None:
    history = venue()
    history.deposit("A", "1000")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="70", reason="open")
    history.fill("A", "buy", "1", "1000")
    history.list_instrument("ETH-PERP")
    history.fill("B", "buy", "1", "1000", "ETH-PERP")
    found = standings(replay_events(history.events))
    assert [(each.account, each.instrument, each.state) for each in found] == [
        ("B", None, "undetermined"),
        ("A", "BTC-PERP", "warning"),
    ]
