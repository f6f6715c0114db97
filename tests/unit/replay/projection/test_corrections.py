from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replay.fold import replay_events
from replay.margin import evaluate
from tests.support.events import START, History, by_id, event_id

if TYPE_CHECKING:
    from replay.state import VenueState


def correct(history: History, sequence: int, replacement: dict[str, Any] | None = None) -> int:
    """Void the event at a sequence, or replace its data; return where the correction stands."""
    more: dict[str, Any] = {} if replacement is None else {"replacement": replacement}
    event = history.add(
        "CorrectionRecorded",
        corrects=event_id(sequence),
        action="void" if replacement is None else "replace",
        reason="test",
        approvers=["head of risk"],
        **more,
    )
    return event.sequence


def replayed(history: History) -> VenueState:
    return replay_events(history.events, resolve=by_id(history.events).get)


def deposit(amount: str) -> dict[str, Any]:
    return {"account": "A", "asset": "USDT", "amount": amount}


def test_a_voided_deposit_leaves_the_wallet_at_the_corrections_own_place() -> None:
    history = History()
    history.deposit("A", "100")
    correct(history, 1)
    assert replay_events(history.events[:2]).accounts["A"].balances == {"USDT": Decimal(100)}
    assert replayed(history).accounts["A"].balances == {"USDT": Decimal(0)}


def test_a_replacement_takes_the_place_of_the_original_amount() -> None:
    history = History()
    history.deposit("A", "100")
    correct(history, 1, deposit("70"))
    assert replayed(history).accounts["A"].balances == {"USDT": Decimal(70)}


def test_of_several_corrections_the_latest_counts_whether_it_names_the_original_or_a_correction() -> None:
    history = History()
    history.deposit("A", "100")
    first = correct(history, 1, deposit("70"))
    correct(history, 1, deposit("60"))
    assert replayed(history).accounts["A"].balances == {"USDT": Decimal(60)}
    correct(history, first, deposit("50"))
    assert replayed(history).accounts["A"].balances == {"USDT": Decimal(50)}
    correct(history, 1)
    assert replayed(history).accounts["A"].balances == {"USDT": Decimal(0)}
    correct(history, 1, deposit("40"))
    assert replayed(history).accounts["A"].balances == {"USDT": Decimal(40)}


def test_a_replaced_fill_restores_the_accounts_value_at_every_price() -> None:
    history = History()
    history.list_instrument()
    history.fill("A", "buy", "1", "100")
    wrong = history.fill("A", "buy", "1", "200", fee="2")
    data = wrong.data.json_value()
    correct(history, wrong.sequence, {**data, "price": "120", "fee": "1"})
    history.mark("150")
    margin = evaluate(replayed(history), "A")
    assert margin.equity == Decimal(150 - 100) + Decimal(150 - 120) - Decimal(1)


def test_a_corrected_fill_of_a_one_sided_source_is_corrected_on_both_sides() -> None:
    history = History()
    history.list_instrument()
    history.add("SourceDeclared", source="feed", coverage="one_sided", description="")
    fill = history.fill("A", "buy", "1", "100", system="feed")
    correct(history, fill.sequence)
    state = replayed(history)
    assert not state.accounts["A"].positions
    assert not state.accounts["external/feed"].positions


def test_a_voided_trade_is_taken_back_on_both_sides() -> None:
    history = History()
    history.list_instrument()
    trade = history.add(
        "TradeExecuted",
        instrument="BTC-PERP",
        quantity="2",
        price="100",
        buyer="A",
        seller="B",
        buyer_fee="1",
        seller_fee="2",
        fee_asset="USDT",
        trade_id="1",
    )
    correct(history, trade.sequence)
    state = replayed(history)
    for name in "AB":
        assert not state.accounts[name].positions
        assert state.accounts[name].balances == {"USDT": Decimal(0)}


def test_a_voided_price_is_no_price_unless_a_later_one_stands() -> None:
    history = History()
    history.mark("100")
    correct(history, 1)
    assert replayed(history).mark_prices == {}
    history.mark("101")
    correct(history, 1, {"instrument": "BTC-PERP", "price": "99"})
    assert replayed(history).mark_prices["BTC-PERP"].price == Decimal(101)


def test_a_corrected_schedule_is_replaced() -> None:
    history = History()
    history.schedule()
    tier = {
        "notional_floor": "0",
        "maintenance_margin_rate": "0.02",
        "maintenance_amount": "0",
        "max_leverage": "5",
    }
    later = START.isoformat()
    correct(history, 1, {"instrument": "BTC-PERP", "effective_at": later, "tiers": [tier]})
    (schedule,) = replayed(history).margin_schedules["BTC-PERP"]
    assert schedule.tiers[0].maintenance_margin_rate == Decimal("0.02")
    assert schedule.sequence == 2


def test_a_correction_that_cannot_be_looked_up_puts_every_account_in_doubt() -> None:
    history = History()
    history.deposit("A", "100")
    correct(history, 1)
    state = replay_events(history.events)
    assert state.unapplied_corrections == 1
    assert state.accounts["A"].balances == {"USDT": Decimal(100)}
    margin = evaluate(state, "A")
    assert margin.state == "undetermined"
    assert "correction_not_applied" in {note.code for note in margin.notes}


def test_a_correction_of_what_later_events_built_on_is_not_applied_and_named() -> None:
    history = History()
    history.add("LeverageSet", account="A", instrument="BTC-PERP", leverage="5")
    history.deposit("B", "1")
    correct(history, 1)
    state = replayed(history)
    assert evaluate(state, "A").state == "undetermined"
    assert evaluate(state, "B").state == "healthy"
    assert state.anomaly_counts == {"correction_not_applied": 1}


def test_a_replacement_that_is_not_data_of_the_type_is_not_applied() -> None:
    history = History()
    history.deposit("A", "100")
    correct(history, 1, {"account": "A"})
    state = replayed(history)
    assert state.accounts["A"].balances == {"USDT": Decimal(100)}
    assert state.anomaly_counts == {"correction_not_applied": 1}


def test_a_correction_of_an_assertion_changes_no_balance_and_doubts_nobody() -> None:
    history = History()
    history.add("MarginCallIssued", account="A", margin_ratio="0.9", required="5")
    correct(history, 1)
    state = replayed(history)
    assert state.anomaly_counts == {}
    assert state.unapplied_corrections == 0
