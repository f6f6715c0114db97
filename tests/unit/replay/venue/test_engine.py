from datetime import timedelta
from typing import Any

import pytest

from ledger.errors import InvalidInputError
from ledger.events.liquidations import LiquidationExecuted
from ledger.events.registry import PAYLOADS
from replay.state import snapshot
from replay.venue import Record, VenueConfiguration, VenueEngine
from tests.support.venue import START, TestVenue, figures


def deposit_of(amount: str) -> Record:
    data = PAYLOADS["DepositRecorded"].model_validate({"account": "A", "asset": "USDT", "amount": amount})
    return Record(at=START, data=data)


def engine(**changes: Any) -> VenueEngine:
    terms: dict[str, Any] = {
        "origin": "test.example/venue",
        "stream": "test",
        "valuation_currency": "USDT",
        "settlement_asset": "USDT",
        "insurance_fund": "fund",
        "house": "house",
    }
    return VenueEngine(VenueConfiguration(**{**terms, **changes}))


def test_the_same_commands_give_the_same_drafts() -> None:
    one, other = engine().submit(deposit_of("5")), engine().submit(deposit_of("5"))
    assert one == other


def test_origin_and_stream_make_the_ids() -> None:
    ids = {
        engine(**change).submit(deposit_of("5")).drafts[0].id
        for change in ({}, {"origin": "test.example/other"}, {"stream": "other"})
    }
    assert len(ids) == 3


def test_what_the_engine_decides_itself_is_not_taken_from_outside() -> None:
    fill = PAYLOADS["FillRecorded"].model_validate(
        {
            "account": "A",
            "instrument": "BTC-PERP",
            "side": "buy",
            "quantity": "1",
            "price": "1",
            "purpose": "trade",
        }
    )
    with pytest.raises(InvalidInputError):
        engine().submit(Record(at=START, data=fill))


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("DepositRecorded", {"account": "A", "asset": "BTC", "amount": "1"}),
        (
            "AccountOpened",
            {"account": "A", "margin_mode": "cross", "position_mode": "hedge", "kind": "customer"},
        ),
        (
            "AccountOpened",
            {"account": "A", "margin_mode": "portfolio", "position_mode": "one_way", "kind": "customer"},
        ),
        ("MarkPriceUpdated", {"instrument": "BTC-PERP", "price": "0"}),
    ],
)
def test_facts_that_it_could_only_ignore_are_refused(event_type: str, data: dict[str, Any]) -> None:
    venue = TestVenue()
    before = snapshot(venue.engine.state)
    with pytest.raises(InvalidInputError):
        venue.record(event_type, **data)
    assert snapshot(venue.engine.state) == before


@pytest.mark.parametrize(
    "change", [{"contract": "inverse"}, {"settlement_asset": "USDC"}, {"kind": "option"}]
)
def test_only_linear_perpetuals_in_the_settlement_asset_are_listed(change: dict[str, Any]) -> None:
    venue = TestVenue()
    terms: dict[str, Any] = {
        "instrument": "ETH-PERP",
        "kind": "perpetual",
        "contract": "linear",
        "base": "ETH",
        "quote": "USDT",
        "settlement_asset": "USDT",
        "contract_size": "1",
    }
    with pytest.raises(InvalidInputError):
        venue.record("InstrumentListed", **{**terms, **change})


def test_commands_come_in_the_order_in_which_they_are_processed() -> None:
    one = engine()
    one.submit(deposit_of("5"))
    late = deposit_of("6")
    with pytest.raises(InvalidInputError):
        one.submit(Record(at=START - timedelta(seconds=1), data=late.data))


def test_a_fact_that_was_received_late_keeps_its_own_time() -> None:
    one = engine(processing_delay=timedelta(seconds=2))
    received = START + timedelta(minutes=1)
    (draft,) = one.submit(Record(at=START, received_at=received, data=deposit_of("5").data)).drafts
    assert (draft.occurred_at, draft.received_at) == (START, received)
    assert draft.processed_at == received + timedelta(seconds=2)


def test_the_contract_size_counts() -> None:
    venue = TestVenue(fund="90000")
    venue.record(
        "InstrumentListed",
        instrument="ETH-PERP",
        kind="perpetual",
        contract="linear",
        base="ETH",
        quote="USDT",
        settlement_asset="USDT",
        contract_size="0.1",
    )
    tier = {
        "notional_floor": "0",
        "maintenance_margin_rate": "0.05",
        "maintenance_amount": "0",
        "max_leverage": "10",
    }
    venue.record("MarginScheduleSet", instrument="ETH-PERP", effective_at=START, tiers=[tier])
    venue.mark("1000", "ETH")
    venue.open("A", "100")
    venue.open("M", "1000")
    venue.trade("A", "M", "10", "1000", "ETH")  # one ETH
    venue.mark("948", "ETH")
    assert venue.held("A", "ETH") == 10
    venue.mark("947", "ETH")  # 47 against 47.35
    assert figures(venue.held("A", "ETH"), venue.held("fund", "ETH")) == (0, 10)


def test_a_haircut_counts_in_the_ratio_and_not_in_the_bankruptcy_price() -> None:
    venue = TestVenue(fund="90000")
    venue.open("A", "1500")
    venue.open("M", "90000")
    venue.trade("A", "M", "10", "1000")
    tier = {"value_floor": "0", "collateral_rate": "0.6"}
    venue.record("CollateralScheduleSet", asset="USDT", effective_at=START, tiers=[tier])
    venue.mark("958.5")  # 900 − 415 = 485 against 479.25
    assert venue.held("A") == 10
    outcome = venue.mark("957")  # 900 − 430 = 470 against 478.5
    (executed,) = [draft.data for draft in outcome.drafts if isinstance(draft.data, LiquidationExecuted)]
    assert executed.takeovers[0].bankruptcy_price == 850


def test_a_valuation_currency_of_its_own_needs_a_price() -> None:
    venue = TestVenue(fund="90000", valuation_currency="USD")
    venue.open("A", "1000")
    refusal = venue.order("A", "buy", "1", "1000").refusal
    assert refusal is not None
    assert refusal.code == "margin_undetermined"
    venue.record("AssetPriceUpdated", asset="USDT", valuation_currency="USD", price="0.99")
    assert venue.order("A", "buy", "1", "1000").refusal is None
