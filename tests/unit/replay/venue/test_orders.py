from decimal import Decimal

from ledger.events.trading import FillRecorded, OrderAccepted, OrderCancelled, OrderRejected
from replay.venue import Outcome, SetLeverage
from tests.support.venue import TestVenue, figures, payloads, types


def venue_of(**deposits: str) -> TestVenue:
    venue = TestVenue()
    for account, deposit in deposits.items():
        venue.open(account, deposit)
    return venue


def code(outcome: Outcome) -> str | None:
    return None if outcome.refusal is None else outcome.refusal.code


def test_a_trade_is_two_fills_of_one_trade_id_that_cancel() -> None:
    venue = venue_of(A="1000", B="1000")
    venue.order("A", "sell", "3", "1001", order_id="ask")
    outcome = venue.order("B", "buy", "2", order_id="bid")
    taker, maker = payloads(outcome.drafts, FillRecorded)
    assert (taker.account, taker.side, taker.liquidity, taker.order_id) == ("B", "buy", "taker", "bid")
    assert (maker.account, maker.side, maker.liquidity, maker.order_id) == ("A", "sell", "maker", "ask")
    assert taker.trade_id == maker.trade_id
    assert figures(taker.quantity, taker.price) == (2, 1001)
    assert figures(maker.quantity, maker.price) == (2, 1001)
    assert figures(venue.held("A"), venue.held("B")) == (-2, 2)


def test_orders_fill_by_price_and_then_by_time() -> None:
    venue = venue_of(A="5000", B="5000", C="5000", T="5000")
    venue.order("A", "sell", "1", "1002")
    venue.order("B", "sell", "1", "1001")
    venue.order("C", "sell", "1", "1001")
    outcome = venue.order("T", "buy", "2.5", "1002")
    fills = payloads(outcome.drafts, FillRecorded)
    assert [(fill.account, fill.quantity) for fill in fills[1::2]] == [
        ("B", 1),
        ("C", 1),
        ("A", Decimal("0.5")),
    ]


def test_what_a_market_order_leaves_unfilled_is_cancelled_and_what_a_limit_order_leaves_rests() -> None:
    venue = venue_of(A="5000", B="5000")
    venue.order("A", "sell", "1", "1000")
    market = venue.order("B", "buy", "3")
    assert types(market)[-1] == "OrderCancelled"
    assert payloads(market.drafts, OrderCancelled)[0].quantity == 2
    venue.order("B", "buy", "3", "999")
    sale = venue.order("A", "sell", "1", "999")
    assert payloads(sale.drafts, FillRecorded)[0].price == 999


def test_fees_are_rounded_up_and_reach_the_house() -> None:
    venue = venue_of(A="5000", B="5000")
    venue.fees(maker="0.0001", taker="0.00033333")
    venue.trade("B", "A", "1.5", "1000.5")
    notional = Decimal("1500.75")
    maker, taker = Decimal("0.150075"), Decimal("0.500245")  # 0.5002449…
    assert notional * Decimal("0.0001") == maker
    assert venue.wallet("A") == 5000 - maker
    assert venue.wallet("B") == 5000 - taker
    assert venue.wallet("house") == maker + taker


def test_an_order_needs_initial_margin_for_itself_and_everything_open_beside_it() -> None:
    venue = venue_of(A="1000")  # leverage 10: 10 contracts at 1,000 need 1,000
    assert code(venue.order("A", "buy", "10.001", "1000")) == "insufficient_margin"
    assert code(venue.order("A", "buy", "6", "1000")) is None
    assert code(venue.order("A", "buy", "4.001", "990")) == "insufficient_margin"
    # Buys and sells do not add up: the worse of the two sides counts.
    assert code(venue.order("A", "sell", "10", "1010")) is None
    assert code(venue.order("A", "buy", "4", "990")) is None


def test_an_order_above_the_mark_claims_its_loss_against_the_mark_too() -> None:
    venue = venue_of(A="1000")
    # 9 contracts: margin 900, and filling at 1,012 costs 12 each.
    assert code(venue.order("A", "buy", "9", "1012")) == "insufficient_margin"
    assert code(venue.order("A", "buy", "9", "1011")) is None


def test_lower_leverage_calls_for_more_margin() -> None:
    venue = venue_of(A="1000")
    venue.submit(SetLeverage, account="A", instrument="BTC-PERP", leverage=Decimal(5))
    assert code(venue.order("A", "buy", "5.001", "1000")) == "insufficient_margin"
    assert code(venue.order("A", "buy", "5", "1000")) is None


def test_a_rejected_order_is_recorded_with_its_reason_and_changes_nothing() -> None:
    venue = venue_of(A="10")
    outcome = venue.order("A", "buy", "1", "1000")
    (rejected,) = payloads(outcome.drafts, OrderRejected)
    assert types(outcome) == ["OrderRejected"]
    assert rejected.reason == "insufficient_margin: 90 USDT are lacking"
    assert not venue.engine._venue.orders_of("A")


def test_orders_that_cannot_be_are_rejected() -> None:
    venue = venue_of(A="1000")
    assert code(venue.order("nobody", "buy", "1", "1000")) == "account_not_open"
    assert code(venue.order("A", "buy", "1", "1000", base="DOGE")) == "instrument_not_listed"
    assert code(venue.order("A", "buy", "1", "1000.3")) == "price_off_tick"
    assert code(venue.order("A", "buy", "0.0000001", "1000")) == "quantity_too_fine"
    venue.list("ETH")
    assert code(venue.order("A", "buy", "1", "1000", base="ETH")) == "margin_undetermined"
    assert code(venue.order("fund", "buy", "1", "1000")) == "would_not_reduce"


def test_an_order_id_is_used_once() -> None:
    venue = venue_of(A="1000")
    venue.order("A", "buy", "1", "900", order_id="same")
    outcome = venue.order("A", "buy", "1", "900", order_id="same")
    assert (code(outcome), types(outcome)) == ("order_id_used", [])


def test_an_order_that_only_reduces_needs_no_margin() -> None:
    venue = venue_of(A="1000", B="9000")
    venue.trade("A", "B", "10", "1000")
    venue.mark("960")  # equity 600, initial margin 960
    assert code(venue.order("A", "buy", "0.001", "960")) == "insufficient_margin"
    venue.order("B", "buy", "10", "958")
    assert code(venue.order("A", "sell", "10")) is None
    assert venue.wallet("A") == 580


def test_a_reduction_that_would_leave_less_than_nothing_is_rejected() -> None:
    venue = venue_of(A="1000", B="9000")
    venue.trade("A", "B", "10", "1000")
    venue.mark("960")
    venue.order("B", "buy", "10", "899")
    assert code(venue.order("A", "sell", "10")) == "insufficient_margin"
    assert code(venue.order("A", "sell", "10", reduce_only=True)) == "insufficient_margin"
    assert code(venue.order("A", "sell", "1", "930", reduce_only=True)) is None


def test_a_reduce_only_order_fills_at_once_or_is_cancelled() -> None:
    venue = venue_of(A="1000", B="9000")
    venue.trade("A", "B", "2", "1000")
    venue.order("B", "buy", "1", "999")
    outcome = venue.order("A", "sell", "2", "999", reduce_only=True)
    assert types(outcome) == ["OrderAccepted", "FillRecorded", "FillRecorded", "OrderCancelled"]
    assert code(venue.order("A", "sell", "1.5", "999", reduce_only=True)) == "would_not_reduce"


def test_a_post_only_order_never_takes() -> None:
    venue = venue_of(A="1000", B="1000")
    venue.order("A", "sell", "1", "1000")
    assert code(venue.order("B", "buy", "1", "1000", post_only=True)) == "would_take"
    assert code(venue.order("B", "buy", "1", "999.5", post_only=True)) is None


def test_nobody_trades_with_himself() -> None:
    venue = venue_of(A="5000", B="5000")
    venue.order("A", "sell", "1", "1000", order_id="own")
    venue.order("B", "sell", "1", "1000")
    outcome = venue.order("A", "buy", "1", "1000")
    (cancelled,) = payloads(outcome.drafts, OrderCancelled)
    assert (cancelled.order_id, cancelled.reason) == ("own", "self-trade prevention")
    assert [fill.account for fill in payloads(outcome.drafts, FillRecorded)] == ["A", "B"]


def test_a_maker_who_can_no_longer_bear_his_order_is_passed_over() -> None:
    venue = venue_of(A="1000", B="9000", C="9000")
    venue.trade("A", "B", "8", "1000")
    venue.order("A", "buy", "2", "950", order_id="weak")
    venue.order("C", "buy", "2", "949")
    venue.mark("950")  # equity 600; position and order would need 950
    outcome = venue.order("B", "sell", "2", "940")
    (cancelled,) = payloads(outcome.drafts, OrderCancelled)
    assert (cancelled.order_id, cancelled.reason) == ("weak", "insufficient margin")
    assert [fill.account for fill in payloads(outcome.drafts, FillRecorded)] == ["B", "C"]


def test_a_cancelled_order_leaves_the_book() -> None:
    venue = venue_of(A="1000", B="1000")
    venue.order("A", "sell", "1", "1000", order_id="ask")
    assert types(venue.cancel("ask")) == ["OrderCancelled"]
    assert code(venue.cancel("ask")) == "order_not_open"
    assert types(venue.order("B", "buy", "1", "1000")) == ["OrderAccepted"]


def test_fills_are_caused_by_the_order_that_took() -> None:
    venue = venue_of(A="1000", B="1000")
    venue.order("A", "sell", "1", "1000")
    outcome = venue.order("B", "buy", "1", "1000")
    accepted = next(draft for draft in outcome.drafts if isinstance(draft.data, OrderAccepted))
    fills = [draft for draft in outcome.drafts if isinstance(draft.data, FillRecorded)]
    assert {draft.causation for draft in fills} == {accepted.id}
    assert accepted.causation is None
