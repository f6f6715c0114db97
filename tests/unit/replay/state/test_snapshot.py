from __future__ import annotations

import pytest

from ledger.canonical import JsonObject, decode_canonical, encode
from ledger.errors import SnapshotUnusableError
from replay.fold import replay_events
from replay.projection import initial
from replay.state import PROJECTION_VERSION, account_value, restore, snapshot
from tests.support.events import START, History


def busy_venue() -> History:
    history = History(valuation_currency="USD")
    history.list_instrument()
    history.schedule()
    history.policy(warning_ratio="0.5")
    history.add("SourceDeclared", source="feed", coverage="one_sided", description="one side")
    history.add("AssetListed", asset="USDT", scale="6")
    history.add("AssetPriceUpdated", asset="USDT", valuation_currency="USD", price="0.9998")
    history.add(
        "CollateralScheduleSet",
        asset="USDT",
        effective_at=START,
        tiers=[{"value_floor": "0", "collateral_rate": "0.95"}],
    )
    history.add(
        "FeeScheduleSet",
        effective_at=START,
        maker_rate="-0.0001",
        taker_rate="0.0004",
        liquidation_rate="0.01",
    )
    history.add(
        "FundingScheduleSet",
        instrument="BTC-PERP",
        effective_at=START,
        interval_seconds="28800",
        interest_rate="0.0001",
        clamp="0.0005",
    )
    history.add(
        "AccountOpened",
        account="A",
        margin_mode="cross",
        position_mode="hedge",
        kind="customer",
        parent_account="Group",
    )
    history.add("LeverageSet", account="A", instrument="BTC-PERP", leverage="20")
    history.deposit("A", "1000.000000000000000001")
    history.fill("A", "buy", "3", "100.1", position_side="long", fee="0.5", system="feed")
    history.fill("A", "sell", "1", "101", "NOWHERE")
    history.mark("100")
    history.add(
        "ReserveAttested", asset="USDT", custodian="bank", amount="5", as_of=START, attester="auditor"
    )
    history.add("LiquidationStarted", liquidation="Ł-1", account="A", scope="account")
    history.add(
        "LossSocialised",
        asset="USDT",
        amount="5",
        allocations=[{"account": "B", "amount": "5"}],
        part="1",
        parts="2",
    )
    return history


def test_a_state_comes_back_from_its_canonical_bytes_as_it_was() -> None:
    state = replay_events(busy_venue().events)
    data = encode(snapshot(state))
    value = decode_canonical(data)
    assert isinstance(value, dict)
    again = restore(value)
    assert again == state
    assert encode(snapshot(again)) == data


def test_the_initial_state_comes_back_too() -> None:
    assert restore(snapshot(initial())) == initial()


def test_a_restored_state_goes_on_as_the_original_does_whatever_order_its_accounts_came_in() -> None:
    """The order of dicts is not part of a state: both holders are put in doubt in the same order."""
    history = History()
    history.list_instrument()
    history.fill("B", "buy", "1", "100")
    history.fill("A", "buy", "1", "100")
    state = replay_events(history.events)
    restored = restore(snapshot(state))
    history.list_instrument(contract_size="2")
    assert replay_events(history.events[-1:], restored) == replay_events(history.events[-1:], state)


def test_a_snapshot_names_its_projection_and_version() -> None:
    value = snapshot(initial())
    assert value["projection"] == "margin-state"
    assert value["projection_version"] == PROJECTION_VERSION


def test_an_account_has_a_canonical_form_of_its_own() -> None:
    history = History()
    history.list_instrument()
    history.deposit("A", "1000.50")
    history.fill("A", "sell", "0.1", "30000", fee="1.5")
    account = replay_events(history.events).accounts["A"]
    assert encode(account_value(account)) == (
        b'{"account":"A","anomaly_count":0,"balances":{"USDT":"999"},"event_count":2,'
        b'"flows":[[["deposit","USDT"],"1000.5"],[["fee","USDT"],"-1.5"],[["trade","USDT"],"3000"]],'
        b'"last_sequence":3,"open_orders":[],"positions":[{"cost":"-3000","instrument":"BTC-PERP","position_side":"both",'
        b'"quantity":"-0.1","settlement_asset":"USDT"}],"profile":{"closed":false,"kind":"customer",'
        b'"margin_mode":"cross","opened":false,"position_mode":"one_way","settings":{}}}'
    )


@pytest.mark.parametrize(
    "change",
    [{"projection": "other"}, {"projection_version": 999}, {"state": {}}, {"state": {"occurred_at": "noon"}}],
)
def test_what_another_projection_made_or_is_damaged_is_refused(change: JsonObject) -> None:
    with pytest.raises(SnapshotUnusableError) as error:
        restore({**snapshot(initial()), **change})
    assert error.value.next_step is not None
