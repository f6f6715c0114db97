from decimal import Decimal

import pytest

from ledger.events.accounts import AccountStateReported
from replay.margin import evaluate
from replay.venue import AdjustMargin, Outcome, ReportAccountState, SetLeverage, SetMarginMode
from tests.support.venue import TestVenue, figures, payloads, types


def code(outcome: Outcome) -> str | None:
    return None if outcome.refusal is None else outcome.refusal.code


def venue_with_a_long(*, mode: str = "cross") -> TestVenue:
    venue = TestVenue()
    venue.open("A", "2000", mode=mode)
    venue.open("M", "10000")
    venue.trade("A", "M", "10", "1000")
    return venue


def test_what_margin_does_not_need_can_be_withdrawn() -> None:
    venue = venue_with_a_long()
    assert code(venue.withdraw("A", "1000.000001")) == "insufficient_margin"
    assert types(venue.withdraw("A", "1000")) == ["WithdrawalRecorded"]
    assert venue.wallet("A") == 1000


def test_unrealised_profit_cannot_be_withdrawn_and_open_orders_hold_margin() -> None:
    venue = venue_with_a_long()
    venue.mark("1100")  # equity 3,000; initial margin 1,100
    assert code(venue.withdraw("A", "901")) == "insufficient_margin"
    venue.order("A", "buy", "1", "1000")
    assert code(venue.withdraw("A", "900")) == "insufficient_margin"
    assert code(venue.withdraw("A", "790")) is None


def test_nobody_withdraws_what_he_does_not_have() -> None:
    venue = venue_with_a_long()
    assert code(venue.withdraw("M", "10001")) == "insufficient_balance"
    assert code(venue.withdraw("nobody", "1")) == "account_not_open"


def test_a_refusal_records_nothing() -> None:
    venue = venue_with_a_long()
    assert venue.withdraw("A", "1500").drafts == ()


def test_isolated_margin_moves_in_and_out_as_far_as_both_sides_allow() -> None:
    venue = venue_with_a_long(mode="isolated")

    def adjust(amount: str) -> str | None:
        return code(venue.submit(AdjustMargin, account="A", instrument="BTC-PERP", amount=Decimal(amount)))

    assert adjust("1000.000001") == "insufficient_balance"
    assert adjust("400") is None
    assert adjust("-400.000001") == "insufficient_margin"
    assert adjust("-400") is None
    assert venue.wallet("A") == 1000


def test_an_isolated_position_that_turns_round_takes_new_margin() -> None:
    venue = venue_with_a_long(mode="isolated")
    venue.trade("M", "A", "15", "1000")
    position = venue.account("A").positions["BTC-PERP", "both"]
    assert figures(position.quantity, position.isolated_margin) == (-5, 500)
    assert venue.wallet("A") == 1500


def test_leverage_is_raised_any_time_and_lowered_with_nothing_open() -> None:
    venue = venue_with_a_long()

    def leverage(value: str, account: str = "A") -> str | None:
        return code(
            venue.submit(SetLeverage, account=account, instrument="BTC-PERP", leverage=Decimal(value))
        )

    assert leverage("9") == "position_open"
    assert leverage("10") is None
    assert leverage("10.5") == "leverage_out_of_range"
    venue.open("B", "1")
    assert leverage("2", "B") is None


def test_the_margin_mode_changes_with_nothing_open() -> None:
    venue = venue_with_a_long()

    def isolate(account: str) -> Outcome:
        return venue.submit(SetMarginMode, account=account, instrument="BTC-PERP", margin_mode="isolated")

    assert code(isolate("A")) == "position_open"
    venue.open("B", "1000")
    assert types(isolate("B")) == ["MarginModeSet"]


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_the_reported_figures_are_those_that_replay_rebuilds(mode: str) -> None:
    venue = venue_with_a_long(mode=mode)
    venue.mark("987.5")
    (reported,) = payloads(venue.submit(ReportAccountState, account="A").drafts, AccountStateReported)
    rebuilt = evaluate(venue.engine.state, "A")
    assert reported.wallet_balance == rebuilt.wallet_balance
    assert reported.equity == rebuilt.equity
    assert reported.initial_margin == rebuilt.initial_margin
    assert reported.maintenance_margin == rebuilt.maintenance_margin
    assert reported.margin_ratio == rebuilt.margin_ratio
    assert reported.positions is not None
    for said, found in zip(reported.positions, rebuilt.positions, strict=True):
        assert said.quantity == found.quantity
        assert said.entry_price == found.entry_price
        assert said.unrealised_pnl == found.unrealised_pnl
        assert said.initial_margin == found.initial_margin
        assert said.maintenance_margin == found.maintenance_margin
        assert said.isolated_margin == found.isolated_margin
