from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replay.fold import replay_events
from tests.support.events import History

if TYPE_CHECKING:
    from replay.state import Account, Position, VenueState


def venue() -> History:
    history = History()
    history.list_instrument()
    return history


def account(history: History, name: str = "A") -> Account:
    return replay_events(history.events).accounts[name]


def position(history: History, side: str = "both", name: str = "A") -> Position:
    return account(history, name).positions["BTC-PERP", side]  # type: ignore[index]


def test_buying_more_adds_cost_and_pays_no_cash() -> None:
    history = venue()
    history.fill("A", "buy", "1", "100")
    history.fill("A", "buy", "2", "130")
    assert (position(history).quantity, position(history).cost) == (Decimal(3), Decimal(360))
    assert account(history).balances == {}


def test_selling_part_realises_its_share_and_leaves_the_rest_at_its_entry_price() -> None:
    history = venue()
    history.fill("A", "buy", "3", "120")
    history.fill("A", "sell", "1", "150")
    assert account(history).balances == {"USDT": Decimal(30)}
    assert (position(history).quantity, position(history).cost) == (Decimal(2), Decimal(240))


def test_a_full_close_realises_everything_and_leaves_no_position() -> None:
    history = venue()
    history.fill("A", "sell", "3", "120")
    history.fill("A", "buy", "3", "150")
    assert account(history).balances == {"USDT": Decimal(-90)}
    assert account(history).positions == {}


def test_a_fill_that_crosses_zero_is_a_close_and_an_open() -> None:
    history = venue()
    history.fill("A", "buy", "1", "100")
    history.fill("A", "sell", "3", "110")
    assert account(history).balances == {"USDT": Decimal(10)}
    assert (position(history).quantity, position(history).cost) == (Decimal(-2), Decimal(-220))


def test_nothing_is_lost_where_a_cost_does_not_divide() -> None:
    history = venue()
    for price in ("100", "100", "101"):
        history.fill("A", "buy", "1", price)
    for _ in range(3):
        history.fill("A", "sell", "1", "100")
    assert account(history).balances == {"USDT": Decimal(-1)}
    assert account(history).positions == {}


def test_contract_size_counts() -> None:
    history = History()
    history.list_instrument(contract_size="0.001")
    history.fill("A", "buy", "500", "30000")
    assert position(history).cost == Decimal(15000)


def test_an_inverse_position_has_its_cost_and_profit_in_the_base() -> None:
    history = History()
    history.list_instrument(contract="inverse", settlement_asset="BTC", contract_size="100")
    history.fill("A", "buy", "100", "8000")
    assert position(history).cost == Decimal("-1.25")
    history.fill("A", "sell", "100", "10000")
    assert account(history).balances == {"BTC": Decimal("0.25")}


@pytest.mark.parametrize(
    ("fee", "fee_asset", "balances"),
    [
        ("1.5", None, {"USDT": Decimal("-1.5")}),
        ("0.01", "BNB", {"BNB": Decimal("-0.01")}),
        ("-0.2", None, {"USDT": Decimal("0.2")}),
    ],
)
def test_a_fee_is_paid_from_the_wallet_in_its_own_asset(
    fee: str, fee_asset: str | None, balances: dict[str, Decimal]
) -> None:
    history = venue()
    history.fill("A", "buy", "1", "100", fee=fee, fee_asset=fee_asset)
    assert account(history).balances == balances


def test_a_trade_moves_both_sides() -> None:
    history = venue()
    history.add(
        "TradeExecuted",
        instrument="BTC-PERP",
        quantity="2",
        price="100",
        buyer="A",
        seller="B",
        buyer_fee="0.2",
        seller_fee="-0.1",
        fee_asset="USDT",
        trade_id="1",
    )
    assert position(history).cost == -position(history, name="B").cost == Decimal(200)
    assert account(history).balances == {"USDT": Decimal("-0.2")}
    assert account(history, "B").balances == {"USDT": Decimal("0.1")}


def test_a_one_sided_source_books_the_other_side_against_an_external_account() -> None:
    history = venue()
    history.add("SourceDeclared", source="feed", coverage="one_sided", description="one side")
    history.fill("A", "buy", "2", "100", fee="0.2", system="feed")
    history.fill("A", "sell", "1", "130", system="feed")
    history.fill("A", "sell", "1", "130", system="another")
    external = account(history, "external/feed")
    assert external.profile.kind == "external"
    assert external.positions["BTC-PERP", "both"].quantity == Decimal(-1)
    assert external.balances == {"USDT": Decimal("0.2") - Decimal(30)}


def test_a_fill_of_an_unlisted_instrument_is_not_applied_and_puts_the_account_in_doubt() -> None:
    history = venue()
    history.fill("A", "buy", "1", "100", "NOWHERE", fee="1")
    state = replay_events(history.events)
    in_doubt = state.accounts["A"]
    assert in_doubt.positions == {}
    assert in_doubt.balances == {}
    assert in_doubt.anomaly is not None
    assert (in_doubt.anomaly.sequence, in_doubt.anomaly.code) == (2, "instrument_not_listed")
    assert state.anomaly_counts == {"instrument_not_listed": 1}
    assert state.anomalies == (in_doubt.anomaly,)


def test_hedge_mode_holds_a_long_and_a_short_side_apart() -> None:
    history = venue()
    history.add("PositionModeSet", account="A", position_mode="hedge")
    history.fill("A", "buy", "2", "100", position_side="long")
    history.fill("A", "sell", "1", "110", position_side="short")
    history.fill("A", "sell", "1", "120", position_side="long")
    assert position(history, "long").quantity == Decimal(1)
    assert position(history, "short").quantity == Decimal(-1)
    assert account(history).balances == {"USDT": Decimal(20)}
    assert account(history).anomaly is None


def test_an_account_that_was_never_opened_is_in_hedge_mode_once_a_fill_names_its_side() -> None:
    history = venue()
    history.fill("A", "buy", "2", "100", position_side="long")
    assert account(history).position_mode("BTC-PERP") == "hedge"
    assert account(history).anomaly is None


@pytest.mark.parametrize(
    ("mode", "side", "fill_side", "code"),
    [
        ("hedge", "buy", None, "position_side_missing"),
        ("one_way", "buy", "long", "position_side_unexpected"),
        ("hedge", "sell", "long", "position_side_overrun"),
    ],
)
def test_a_fill_that_contradicts_the_position_mode_is_booked_and_puts_the_account_in_doubt(
    mode: str, side: str, fill_side: str | None, code: str
) -> None:
    history = venue()
    history.add("AccountOpened", account="A", margin_mode="cross", position_mode=mode, kind="customer")
    history.fill("A", side, "1", "100", position_side=fill_side)
    assert len(account(history).positions) == 1
    anomaly = account(history).anomaly
    assert anomaly is not None
    assert anomaly.code == code


def test_settlement_closes_every_position_at_its_price() -> None:
    history = venue()
    history.fill("A", "buy", "2", "100")
    history.fill("B", "sell", "2", "100")
    history.deposit("C", "1")
    history.add("InstrumentSettled", instrument="BTC-PERP", price="90", reason="expiry")
    state = replay_events(history.events)
    assert {name: dict(each.balances) for name, each in state.accounts.items()} == {
        "A": {"USDT": Decimal(-20)},
        "B": {"USDT": Decimal(20)},
        "C": {"USDT": Decimal(1)},
    }
    assert not any(each.positions for each in state.accounts.values())
    assert state.instruments["BTC-PERP"].settled_price == Decimal(90)


def relisted(history: History) -> VenueState:
    history.list_instrument(contract_size="10")
    return replay_events(history.events)


def test_new_terms_of_a_held_instrument_are_not_applied_and_put_its_holders_in_doubt() -> None:
    history = venue()
    history.fill("A", "buy", "2", "100")
    state = relisted(history)
    assert state.instruments["BTC-PERP"].contract_size == Decimal(1)
    assert state.accounts["A"].anomaly is not None


def test_new_terms_of_an_instrument_that_nobody_holds_are_taken() -> None:
    assert relisted(venue()).instruments["BTC-PERP"].contract_size == Decimal(10)


def test_an_inverse_fill_at_price_zero_has_no_value_and_is_not_applied() -> None:
    history = History()
    history.list_instrument(contract="inverse", settlement_asset="BTC")
    history.fill("A", "buy", "1", "0", fee="1")
    assert account(history).positions == {}
    assert account(history).balances == {}
    assert account(history).anomaly is not None
