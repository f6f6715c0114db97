from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.events.registry import PAYLOADS
from replay.fold import replay_events
from replay.projection import _HANDLERS, ANOMALIES
from tests.support.events import History


def test_every_event_type_of_the_catalogue_has_a_handler() -> None:
    assert {*_HANDLERS, "CorrectionRecorded"} == set(PAYLOADS)


def test_the_ledgers_opening_gives_origin_and_valuation_currency_once() -> None:
    history = History(valuation_currency="USD")
    history.add(
        "LedgerOpened",
        ledger="other.example",
        format="margin-ledger/1",
        description="",
        valuation_currency="EUR",
    )
    state = replay_events(history.events)
    assert (state.origin, state.valuation_currency) == ("test.example/replay", "USD")
    assert set(state.anomaly_counts) <= set(ANOMALIES)


def bar(kind: str) -> dict[str, Any]:
    return {
        "instrument": "BTC-PERP",
        "kind": kind,
        "interval_seconds": "60",
        "open": "1",
        "high": "4",
        "low": "0.5",
        "close": "2",
    }


def test_a_bar_gives_its_close_to_the_price_of_its_kind() -> None:
    history = History()
    history.list_instrument(index="BTC")
    for kind in ("mark", "last", "index"):
        history.add("PriceBarRecorded", **bar(kind))
    state = replay_events(history.events)
    assert state.mark_prices["BTC-PERP"].price == Decimal(2)
    assert state.last_prices["BTC-PERP"].price == Decimal(2)
    assert state.index_prices["BTC"].price == Decimal(2)


def test_an_index_bar_of_an_instrument_without_index_stands_under_the_instrument() -> None:
    history = History()
    history.add("PriceBarRecorded", **bar("index"))
    assert set(replay_events(history.events).index_prices) == {"BTC-PERP"}


@pytest.mark.parametrize("kind", ["mark", "last", "index"])
def test_a_price_set_by_hand_holds_until_the_next_of_its_kind(kind: str) -> None:
    history = History()
    history.add("PriceBarRecorded", **bar(kind))
    history.add("PriceOverridden", instrument="BTC-PERP", kind=kind, price="9", reason="test", approvers=[])
    price = replay_events(history.events).prices(kind)["BTC-PERP"]  # type: ignore[arg-type]
    assert (price.price, price.overridden, price.sequence) == (Decimal(9), True, 2)
    history.add("PriceBarRecorded", **bar(kind))
    price = replay_events(history.events).prices(kind)["BTC-PERP"]  # type: ignore[arg-type]
    assert (price.price, price.overridden) == (Decimal(2), False)


def test_prices_of_every_kind_are_kept_with_where_they_came_from() -> None:
    history = History()
    history.mark("100")
    history.add("LastPriceUpdated", instrument="BTC-PERP", price="101")
    history.add("IndexPriceUpdated", index="BTC", price="102")
    history.add("AssetPriceUpdated", asset="USDT", valuation_currency="USD", price="0.99")
    state = replay_events(history.events)
    assert (state.mark_prices["BTC-PERP"].price, state.mark_prices["BTC-PERP"].sequence) == (Decimal(100), 1)
    assert state.last_prices["BTC-PERP"].price == Decimal(101)
    assert state.index_prices["BTC"].price == Decimal(102)
    assert state.asset_prices["USDT", "USD"].price == Decimal("0.99")


def test_an_instruments_own_modes_come_before_the_accounts() -> None:
    history = History()
    history.add("AccountOpened", account="A", margin_mode="isolated", position_mode="hedge", kind="customer")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="cross")
    history.add("PositionModeSet", account="A", instrument="BTC-PERP", position_mode="one_way")
    history.add("LeverageSet", account="A", instrument="BTC-PERP", leverage="7")
    account = replay_events(history.events).accounts["A"]
    assert (account.margin_mode("BTC-PERP"), account.margin_mode("ETH-PERP")) == ("cross", "isolated")
    assert (account.position_mode("BTC-PERP"), account.position_mode("ETH-PERP")) == ("one_way", "hedge")
    assert (account.leverage("BTC-PERP"), account.leverage("ETH-PERP")) == (Decimal(7), None)
    history.add("PositionModeSet", account="A", position_mode="hedge")
    account = replay_events(history.events).accounts["A"]
    assert account.position_mode("BTC-PERP") == "hedge"


def test_a_change_of_position_mode_while_a_position_is_open_puts_the_account_in_doubt() -> None:
    history = History()
    history.list_instrument()
    history.fill("A", "buy", "1", "100")
    history.add("PositionModeSet", account="A", position_mode="hedge")
    assert replay_events(history.events).anomaly_counts == {"position_mode_changed_while_open": 1}


def test_a_closed_account_keeps_what_it_holds() -> None:
    history = History()
    history.deposit("A", "5")
    history.add("AccountClosed", account="A")
    account = replay_events(history.events).accounts["A"]
    assert account.profile.closed
    assert account.balances == {"USDT": Decimal(5)}


def test_tiers_are_kept_in_rising_order_whatever_order_they_came_in() -> None:
    history = History()
    history.schedule("BTC-PERP", ("1000", None, "0.02", "10", "5"), ("0", "1000", "0.01", "0", "10"))
    (schedule,) = replay_events(history.events).margin_schedules["BTC-PERP"]
    assert [tier.notional_floor for tier in schedule.tiers] == [Decimal(0), Decimal(1000)]
    assert schedule.event_id == history.events[1].id
