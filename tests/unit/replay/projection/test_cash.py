from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger.amounts import exact
from replay.fold import replay_events
from tests.support.events import START, History

if TYPE_CHECKING:
    from replay.state import VenueState


def venue() -> History:
    history = History()
    history.list_instrument()
    return history


def balances(history: History) -> dict[str, dict[str, Decimal]]:
    return {name: dict(each.balances) for name, each in replay_events(history.events).accounts.items()}


def isolated(margin: str = "30") -> History:
    history = venue()
    history.deposit("A", "100")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.fill("A", "buy", "3", "100")
    adjust(history, margin)
    return history


def adjust(history: History, amount: str, **more: Any) -> None:
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount=amount, reason="test", **more)


def held(state: VenueState) -> tuple[Decimal, Decimal | None]:
    """The cross balance of A, and the isolated margin of its position."""
    account = state.accounts["A"]
    position = account.positions.get(("BTC-PERP", "both"))
    return account.balances["USDT"], None if position is None else position.isolated_margin


def test_deposits_withdrawals_transfers_fees_and_interest_move_the_wallet() -> None:
    history = History()
    history.deposit("A", "100")
    history.add("WithdrawalRecorded", account="A", asset="USDT", amount="10")
    history.add("TransferRecorded", from_account="A", to_account="B", asset="USDT", amount="20")
    history.add("FeeCharged", account="A", asset="USDT", amount="3", reason="withdrawal")
    history.add("InterestAccrued", account="A", asset="USDT", amount="-1", reason="idle cash")
    assert balances(history) == {"A": {"USDT": Decimal(68)}, "B": {"USDT": Decimal(20)}}
    assert replay_events(history.events).accounts["A"].flows == {
        ("deposit", "USDT"): Decimal(100),
        ("withdrawal", "USDT"): Decimal(-10),
        ("transfer", "USDT"): Decimal(-20),
        ("fee", "USDT"): Decimal(-3),
        ("interest", "USDT"): Decimal(1),
    }


def test_an_account_counts_the_events_that_touched_it_and_remembers_the_last() -> None:
    history = History()
    history.deposit("A", "100")
    history.add("TransferRecorded", from_account="A", to_account="A", asset="USDT", amount="20")
    history.add("MarginCallIssued", account="A", margin_ratio="0.9", required="5")
    account = replay_events(history.events).accounts["A"]
    assert (account.event_count, account.last_sequence) == (3, 3)


def test_isolated_margin_moves_between_wallet_and_position_and_the_total_stays() -> None:
    state = replay_events(isolated().events)
    assert held(state) == (Decimal(70), Decimal(30))
    assert state.accounts["A"].wallet_balances() == {"USDT": Decimal(100)}


def test_margin_may_be_set_aside_before_the_position_is_opened() -> None:
    history = venue()
    history.deposit("A", "100")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    adjust(history, "30")
    assert held(replay_events(history.events)) == (Decimal(70), Decimal(30))
    history.fill("A", "buy", "3", "100")
    assert held(replay_events(history.events)) == (Decimal(70), Decimal(30))
    adjust(history, "-30")
    assert held(replay_events(history.events)) == (Decimal(100), Decimal(0))


def test_a_partial_close_returns_its_share_of_the_margin_with_the_realised_pnl() -> None:
    history = isolated()
    history.fill("A", "sell", "1", "95", fee="0.5")
    with exact():
        assert held(replay_events(history.events)) == (
            Decimal(70) + Decimal(10) - Decimal(5) - Decimal("0.5"),
            Decimal(20),
        )


def test_a_full_close_returns_all_of_the_margin() -> None:
    history = isolated()
    history.fill("A", "sell", "3", "90")
    assert held(replay_events(history.events)) == (Decimal(70), None)


def test_a_position_that_crosses_zero_starts_without_recorded_margin() -> None:
    history = isolated()
    history.fill("A", "sell", "4", "100")
    assert held(replay_events(history.events)) == (Decimal(100), None)


def test_funding_is_charged_to_isolated_margin_where_there_is_some() -> None:
    funding: dict[str, Any] = {
        "account": "A",
        "instrument": "BTC-PERP",
        "quantity": "3",
        "price": "100",
        "rate": "0.01",
        "asset": "USDT",
        "amount": "3",
    }
    history = isolated()
    history.add("FundingPaid", **funding)
    assert held(replay_events(history.events)) == (Decimal(70), Decimal(27))
    history.add("FundingPaid", **funding, position_side="short")
    assert held(replay_events(history.events)) == (Decimal(67), Decimal(27))


def test_margin_returns_to_the_wallet_when_the_mode_becomes_cross() -> None:
    history = isolated()
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="cross")
    assert held(replay_events(history.events)) == (Decimal(100), None)


def test_a_margin_adjustment_makes_an_instrument_isolated_where_nobody_said_otherwise() -> None:
    history = venue()
    history.fill("A", "buy", "3", "100")
    adjust(history, "30")
    state = replay_events(history.events)
    assert state.accounts["A"].margin_mode("BTC-PERP") == "isolated"
    assert held(state) == (Decimal(-30), Decimal(30))


def test_a_margin_adjustment_in_declared_cross_mode_is_not_applied() -> None:
    history = venue()
    history.add("AccountOpened", account="A", margin_mode="cross", position_mode="one_way", kind="customer")
    history.deposit("A", "100")
    adjust(history, "30")
    state = replay_events(history.events)
    assert held(state) == (Decimal(100), None)
    assert state.anomaly_counts == {"margin_adjusted_in_cross_mode": 1}


def test_the_insurance_fund_takes_and_gives() -> None:
    history = History()
    terms: dict[str, Any] = {"fund": "fund", "asset": "USDT", "account": "A", "reason": "liquidation"}
    history.add("InsuranceFundContributed", amount="10", **terms)
    history.add("InsuranceFundDrawn", amount="4", **terms)
    assert balances(history) == {"fund": {"USDT": Decimal(6)}, "A": {"USDT": Decimal(-6)}}
    assert replay_events(history.events).accounts["fund"].profile.kind == "insurance_fund"


def socialise(
    history: History, part: str, parts: str, *allocations: tuple[str, str], liquidation: str | None
) -> None:
    history.add(
        "LossSocialised",
        liquidation=liquidation,
        asset="USDT",
        amount="30",
        allocations=[{"account": account, "amount": amount} for account, amount in allocations],
        part=part,
        parts=parts,
    )


def test_a_socialised_loss_takes_effect_when_complete_and_goes_to_the_liquidated_account() -> None:
    history = History()
    history.add("LiquidationStarted", liquidation="L1", account="broke", scope="account")
    socialise(history, "2", "2", ("B", "20"), liquidation="L1")
    assert not any(balances(history).values())
    assert replay_events(history.events).pending_losses
    socialise(history, "1", "2", ("A", "10"), liquidation="L1")
    state = replay_events(history.events)
    assert {name: each for name, each in balances(history).items() if each} == {
        "A": {"USDT": Decimal(-10)},
        "B": {"USDT": Decimal(-20)},
        "broke": {"USDT": Decimal(30)},
    }
    assert state.pending_losses == {}


def test_a_loss_of_an_unknown_liquidation_goes_to_an_external_account() -> None:
    history = History()
    socialise(history, "1", "1", ("A", "30"), liquidation=None)
    assert balances(history) == {"A": {"USDT": Decimal(-30)}, "external/loss": {"USDT": Decimal(30)}}


def test_allocations_that_do_not_come_to_the_amount_are_booked_as_sent_and_counted() -> None:
    history = History()
    socialise(history, "1", "1", ("A", "29"), liquidation=None)
    assert balances(history) == {"A": {"USDT": Decimal(-29)}, "external/loss": {"USDT": Decimal(29)}}
    assert replay_events(history.events).anomaly_counts == {"loss_allocations_differ": 1}


def test_a_part_that_comes_twice_counts_once() -> None:
    history = History()
    for _ in range(2):
        socialise(history, "1", "2", ("A", "10"), liquidation=None)
    socialise(history, "2", "2", ("B", "20"), liquidation=None)
    assert balances(history)["external/loss"] == {"USDT": Decimal(30)}
    assert replay_events(history.events).anomaly_counts == {"loss_part_repeated": 1}


def test_the_latest_attestation_by_its_own_time_is_kept() -> None:
    history = History()
    later = START.replace(hour=5)
    for amount, as_of in (("10", START), ("20", later), ("15", START)):
        history.add(
            "ReserveAttested", asset="USDT", custodian="bank", amount=amount, as_of=as_of, attester="auditor"
        )
    reserve = replay_events(history.events).reserves["USDT", "bank", ""]
    assert (reserve.amount, reserve.as_of) == (Decimal(20), later)


def test_what_only_asserts_moves_nothing() -> None:
    history = venue()
    history.add("FundingSettled", instrument="BTC-PERP", rate="0.01")
    history.add("AccountStateReported", account="A", wallet_balance={"USDT": "5"})
    history.add(
        "LiquidationExecuted",
        liquidation="L1",
        account="A",
        scope="position",
        notional="1",
        account_value="1",
        takeovers=[
            {
                "instrument": "BTC-PERP",
                "quantity": "1",
                "price": "1",
                "trade_ids": [],
                "counterparty_account": "B",
            }
        ],
    )
    history.add(
        "PositionAutoDeleveraged",
        liquidation="L1",
        bankrupt_account="A",
        counterparty_account="B",
        instrument="BTC-PERP",
        quantity="1",
        price="1",
        rank="1",
        trade_id="1",
    )
    state = replay_events(history.events)
    assert balances(history) == {"A": {}, "B": {}}
    assert [state.accounts[name].event_count for name in "AB"] == [3, 2]
    assert state.liquidations == {"L1": "A"}
