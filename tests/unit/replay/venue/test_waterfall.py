"""Liquidations small enough to be worked out by hand: maintenance margin is 5 %, leverage up to 10.

Where nothing else is said, A is long 10 at 1,000 with a deposit of 1,000 against M. At a mark of
940 his equity is 400 under a requirement of 470, and his bankruptcy price is 900.
"""

from decimal import Decimal
from typing import Any

import pytest

from ledger.events.cash import FeeCharged, InsuranceFundContributed, InsuranceFundDrawn, LossSocialised
from ledger.events.liquidations import LiquidationExecuted, LiquidationStarted, PositionAutoDeleveraged
from ledger.events.trading import FillRecorded, OrderCancelled
from replay.venue import Outcome, SetMarginMode
from tests.support.venue import TestVenue, figures, payloads, types


def venue_with_a_long(*, fund: str = "0", deposit: str = "1000", **policy: Any) -> TestVenue:
    venue = TestVenue(fund=fund, **policy)
    venue.open("A", deposit)
    venue.open("M", "10000", kind="market_maker")
    venue.trade("A", "M", "10", "1000")
    return venue


def executed(outcome: Outcome) -> LiquidationExecuted:
    (found,) = payloads(outcome.drafts, LiquidationExecuted)
    return found


def test_the_book_fills_down_to_the_bankruptcy_price_and_what_is_left_goes_to_fee_and_fund() -> None:
    venue = venue_with_a_long()
    venue.fees(liquidation="0.01")
    venue.order("M", "buy", "10", "935")
    outcome = venue.mark("940")
    assert types(outcome) == [
        "MarkPriceUpdated",
        "LiquidationStarted",
        "LiquidationExecuted",
        "FillRecorded",
        "FillRecorded",
        "FeeCharged",
        "InsuranceFundContributed",
        "FeeCharged",
    ]
    (takeover,) = executed(outcome).takeovers
    assert figures(takeover.quantity, takeover.price, takeover.bankruptcy_price) == (10, 935, 900)
    assert (takeover.counterparty_account, takeover.trade_ids) == ("M", ["T000002"])
    assert figures(executed(outcome).notional, executed(outcome).account_value) == (9400, 400)
    assert executed(outcome).fee == Decimal("93.5")
    assert payloads(outcome.drafts, InsuranceFundContributed)[0].amount == Decimal("256.5")
    assert figures(venue.wallet("A"), venue.held("A")) == (0, 0)
    assert (venue.wallet("house"), venue.wallet("fund")) == (Decimal("93.5"), Decimal("256.5"))


def test_a_bid_below_the_bankruptcy_price_is_not_taken_and_the_fund_takes_over_at_that_price() -> None:
    venue = venue_with_a_long(fund="1000")
    venue.order("M", "buy", "10", "899.5")
    outcome = venue.mark("940")
    (takeover,) = executed(outcome).takeovers
    assert figures(takeover.price, takeover.bankruptcy_price, takeover.counterparty_account) == (
        900,
        900,
        "fund",
    )
    assert figures(venue.wallet("A"), venue.held("A"), venue.held("fund")) == (0, 0, 10)
    assert venue.wallet("fund") == 1000
    assert not payloads(outcome.drafts, InsuranceFundDrawn)
    assert not payloads(outcome.drafts, InsuranceFundContributed)


def test_the_fund_takes_what_the_book_leaves_over() -> None:
    venue = venue_with_a_long(fund="1000")
    venue.order("M", "buy", "4", "920")
    outcome = venue.mark("940")
    (takeover,) = executed(outcome).takeovers
    assert figures(takeover.quantity, takeover.price, takeover.counterparty_account) == (10, 908, None)
    assert venue.held("fund") == 6
    assert payloads(outcome.drafts, InsuranceFundContributed)[0].amount == 80


def test_a_short_is_taken_over_above_the_mark() -> None:
    venue = TestVenue(fund="1000")
    venue.open("A", "1000")
    venue.open("M", "10000")
    venue.trade("M", "A", "10", "1000")
    (takeover,) = executed(venue.mark("1060")).takeovers
    assert figures(takeover.price, takeover.bankruptcy_price) == (1100, 1100)
    assert figures(venue.wallet("A"), venue.held("fund")) == (0, -10)


def test_the_bankruptcy_price_is_rounded_to_the_tick_so_that_nothing_is_lacking() -> None:
    venue = venue_with_a_long(fund="1000", deposit="1001")
    # 940 − 401 ÷ 10 = 899.9, on a tick of 0.5: 900, which leaves 1.
    outcome = venue.mark("940")
    assert executed(outcome).takeovers[0].bankruptcy_price == 900
    assert payloads(outcome.drafts, InsuranceFundContributed)[0].amount == 1


def test_the_fund_pays_the_shortfall_of_an_account_that_is_worth_less_than_nothing() -> None:
    venue = venue_with_a_long(fund="2000")
    outcome = venue.mark("880")
    assert executed(outcome).account_value == -200
    (takeover,) = executed(outcome).takeovers
    assert figures(takeover.price, takeover.bankruptcy_price, takeover.counterparty_account) == (
        880,
        900,
        "fund",
    )
    assert payloads(outcome.drafts, InsuranceFundDrawn)[0].amount == 200
    assert figures(venue.wallet("A"), venue.wallet("fund"), venue.held("fund")) == (0, 1800, 10)
    assert executed(outcome).fee is None


@pytest.mark.parametrize(("fund", "takes"), [("640", True), ("639.999999", False)])
def test_the_fund_takes_over_while_it_covers_the_maintenance_margin_of_what_it_then_holds(
    fund: str,
    takes: bool,  # noqa: FBT001 (parametrised)
) -> None:
    # 200 of shortfall, then 5 % of 8,800.
    venue = venue_with_a_long(fund=fund)
    outcome = venue.mark("880")
    assert (venue.held("fund") == 10) is takes
    assert bool(payloads(outcome.drafts, PositionAutoDeleveraged)) is not takes


def test_beyond_the_fund_a_profitable_account_is_deleveraged_at_the_bankruptcy_price() -> None:
    venue = venue_with_a_long(fund="100")
    outcome = venue.mark("880")
    assert types(outcome) == [
        "MarkPriceUpdated",
        "LiquidationStarted",
        "LiquidationExecuted",
        "PositionAutoDeleveraged",
        "FillRecorded",
        "FillRecorded",
    ]
    (closed,) = payloads(outcome.drafts, PositionAutoDeleveraged)
    assert (closed.bankrupt_account, closed.counterparty_account) == ("A", "M")
    assert figures(closed.quantity, closed.price, closed.rank) == (10, 900, 1)
    assert {fill.purpose for fill in payloads(outcome.drafts, FillRecorded)} == {"adl"}
    assert figures(venue.wallet("A"), venue.wallet("M"), venue.wallet("fund")) == (0, 11000, 100)
    assert figures(venue.held("A"), venue.held("M")) == (0, 0)


def shorts_against(venue: TestVenue, buyer: str, *sellers: tuple[str, str, str]) -> None:
    for seller, quantity, deposit in sellers:
        venue.open(seller, deposit)
        venue.trade(buyer, seller, quantity, "1000")


def test_the_one_with_most_profit_and_leverage_is_deleveraged_first() -> None:
    venue = TestVenue()
    venue.open("A", "1000")
    shorts_against(venue, "A", ("B", "5", "5000"), ("C", "3", "400"), ("D", "2", "2500"))
    # At 880 all have gained 12 %; notional ÷ equity: C 2640 ÷ 760, B 4400 ÷ 5600, D 1760 ÷ 2740.
    closed = payloads(venue.mark("880").drafts, PositionAutoDeleveraged)
    assert [figures(each.counterparty_account, each.quantity, each.rank) for each in closed] == [
        ("C", 3, 1),
        ("B", 5, 2),
        ("D", 2, 3),
    ]


@pytest.mark.parametrize(("rank", "first"), [("pnl_leverage", "C"), ("price_leverage", "B")])
def test_the_policy_chooses_the_ranking(rank: str, first: str) -> None:
    venue = TestVenue(adl_rank=rank)
    for account, deposit in (("A", "500"), ("B", "900"), ("C", "900"), ("M", "9000")):
        venue.open(account, deposit)
    venue.mark("1100")
    venue.trade("M", "C", "5", "1100")
    venue.mark("1000")
    venue.trade("A", "B", "5", "1000")
    # At 880: B gained 12 % with 4400 ÷ 1500, C 20 % with 4400 ÷ 2000.
    # PnL % × leverage: 0.352 and 0.44; entry ÷ mark × leverage: 3.33 and 2.75.
    closed = payloads(venue.mark("880").drafts, PositionAutoDeleveraged)
    assert [each.counterparty_account for each in closed] == [first]


def test_nobody_is_deleveraged_at_a_loss() -> None:
    venue = TestVenue()
    for account, deposit in (("A", "500"), ("B", "500"), ("D", "1200"), ("M", "9000")):
        venue.open(account, deposit)
    venue.mark("890")
    venue.trade("M", "D", "5", "890")
    venue.mark("1000")
    venue.trade("A", "B", "3", "1000")
    venue.trade("A", "M", "2", "1000")
    # At the mark of 880 D has gained, but at A's bankruptcy price of 900 he would lose.
    outcome = venue.mark("880")
    (closed,) = payloads(outcome.drafts, PositionAutoDeleveraged)
    assert figures(closed.counterparty_account, closed.quantity, closed.price) == ("B", 3, 900)
    assert figures(venue.held("A"), venue.held("D"), venue.held("fund")) == (0, -5, 2)
    assert payloads(outcome.drafts, LossSocialised)[0].amount == 40


def test_without_a_counterparty_the_fund_takes_the_position_at_the_mark_and_the_loss_is_shared() -> None:
    venue = venue_with_a_long(waterfall=["order_book", "insurance_fund", "socialised_loss"])
    venue.open("B", "3600")
    outcome = venue.mark("880")
    (loss,) = payloads(outcome.drafts, LossSocialised)
    # M is worth 10,000 + 1,200, B 3,600: 200 × 11,200 ÷ 14,800 = 151.351351…
    assert loss.amount == 200
    assert {each.account: each.amount for each in loss.allocations} == {
        "B": Decimal("48.648648"),
        "M": Decimal("151.351352"),
    }
    assert figures(venue.wallet("A"), venue.held("A"), venue.held("fund")) == (0, 0, 10)
    assert venue.wallet("M") == 10_000 - Decimal("151.351352")


def test_the_fund_is_used_up_before_a_loss_is_shared() -> None:
    venue = venue_with_a_long(fund="150", waterfall=["order_book", "insurance_fund", "socialised_loss"])
    outcome = venue.mark("880")
    assert payloads(outcome.drafts, InsuranceFundDrawn)[0].amount == 150
    assert payloads(outcome.drafts, LossSocialised)[0].amount == 50
    assert figures(venue.wallet("A"), venue.wallet("fund")) == (0, 0)


def test_a_policy_without_the_fund_leaves_it_untouched() -> None:
    venue = venue_with_a_long(fund="9000", waterfall=["adl", "socialised_loss"])
    outcome = venue.mark("880")
    assert payloads(outcome.drafts, PositionAutoDeleveraged)[0].counterparty_account == "M"
    assert venue.wallet("fund") == 9000


@pytest.mark.parametrize(
    ("allocation", "btc_price", "eth_price"),
    [("maintenance_margin", "914", "786.5"), ("notional", "892", "808.5")],
)
def test_the_account_value_is_shared_among_positions_as_the_policy_says(
    allocation: str, btc_price: str, eth_price: str
) -> None:
    venue = TestVenue(fund="9000", bankruptcy_allocation=allocation)
    venue.list("ETH", rate="0.1", leverage="10")
    venue.mark("1000", "ETH")
    venue.open("A", "1500")
    venue.open("M", "90000")
    venue.trade("A", "M", "5", "1000")
    venue.trade("A", "M", "5", "1000", "ETH")
    venue.mark("960")
    outcome = venue.mark("870", "ETH")
    # Equity 650 against 240 + 435. BTC has 650 × 240 ÷ 675 = 231.11 behind it: 960 − 46.22 → 914.
    # By notional it has 650 × 4,800 ÷ 9,150 = 340.98: 960 − 68.20 → 892.
    prices = {each.instrument: each.bankruptcy_price for each in executed(outcome).takeovers}
    assert prices == {"BTC-PERP": Decimal(btc_price), "ETH-PERP": Decimal(eth_price)}
    assert figures(venue.wallet("A"), venue.held("A"), venue.held("A", "ETH")) == (0, 0, 0)
    assert payloads(outcome.drafts, LiquidationStarted)[0].instrument is None


def test_an_isolated_position_is_liquidated_alone() -> None:
    venue = TestVenue(fund="1000")
    venue.open("A", "1000")
    venue.open("M", "9000")
    venue.submit(SetMarginMode, account="A", instrument="BTC-PERP", margin_mode="isolated")
    venue.trade("A", "M", "5", "1000")
    assert venue.wallet("A") == 500
    venue.order("M", "buy", "5", "920")
    outcome = venue.mark("940")  # equity 200 against 235
    started, done = payloads(outcome.drafts, LiquidationStarted)[0], executed(outcome)
    assert figures(started.scope, started.instrument, started.mark_price) == ("position", "BTC-PERP", 940)
    assert started.margin_ratio == Decimal("1.175")
    assert figures(done.scope, done.leverage_type, done.account_value) == ("position", "isolated", 200)
    assert payloads(outcome.drafts, InsuranceFundContributed)[0].amount == 100
    assert venue.wallet("A") == 500


def test_an_isolated_shortfall_is_not_taken_from_the_rest_of_the_account() -> None:
    venue = TestVenue(fund="1000")
    venue.open("A", "1000", mode="isolated")
    venue.open("M", "9000")
    venue.trade("A", "M", "5", "1000")
    outcome = venue.mark("880")
    assert payloads(outcome.drafts, InsuranceFundDrawn)[0].amount == 100
    assert figures(venue.wallet("A"), venue.wallet("fund")) == (500, 900)


def test_a_partial_liquidation_closes_its_part_against_the_book_and_keeps_what_is_left() -> None:
    venue = venue_with_a_long(partial_fraction="0.2", cooldown_seconds="30")
    venue.fees(liquidation="0.001")
    venue.order("M", "buy", "10", "939")
    outcome = venue.mark("940")
    (takeover,) = executed(outcome).takeovers
    assert figures(takeover.quantity, takeover.price) == (2, 939)
    assert figures(executed(outcome).notional, executed(outcome).fee) == (1880, Decimal("1.878"))
    assert venue.held("A") == 8
    assert venue.wallet("A") == 1000 - 2 * 61 - Decimal("1.878")
    assert not payloads(outcome.drafts, InsuranceFundContributed)


def test_between_partial_liquidations_the_cooldown_passes() -> None:
    venue = venue_with_a_long(partial_fraction="0.2", cooldown_seconds="30")
    venue.order("M", "buy", "10", "939")
    venue.mark("940")
    assert types(venue.mark("936")) == ["MarkPriceUpdated"]  # in breach again, one second later
    assert types(venue.mark("936", after=28)) == ["MarkPriceUpdated"]
    outcome = venue.mark("936")
    assert executed(outcome).takeovers[0].quantity == Decimal("1.6")


def test_whoever_is_still_in_breach_after_the_cooldown_is_liquidated_whole() -> None:
    venue = venue_with_a_long(partial_fraction="0.01", cooldown_seconds="30")
    venue.order("M", "buy", "10", "939")
    assert executed(venue.mark("940")).takeovers[0].quantity == Decimal("0.1")
    assert executed(venue.mark("940", after=30)).takeovers[0].quantity == Decimal("9.9")
    assert venue.held("A") == 0


def test_the_cooldown_does_not_hold_for_whoever_is_worth_nothing() -> None:
    venue = venue_with_a_long(fund="2000", partial_fraction="0.2", cooldown_seconds="30")
    venue.order("M", "buy", "2", "939")
    venue.mark("940")
    venue.mark("850")
    assert figures(venue.held("A"), venue.wallet("A")) == (0, 0)


def test_a_part_that_the_book_does_not_take_ends_in_a_full_liquidation() -> None:
    venue = venue_with_a_long(fund="2000", partial_fraction="0.2", cooldown_seconds="30")
    outcome = venue.mark("940")
    assert executed(outcome).takeovers[0].quantity == 10
    assert venue.held("fund") == 10


def test_a_partly_liquidated_isolated_position_keeps_its_margin() -> None:
    venue = TestVenue(partial_fraction="0.2")
    venue.open("A", "1000", mode="isolated")
    venue.open("M", "9000")
    venue.trade("A", "M", "10", "1000")
    venue.order("M", "buy", "10", "939")
    outcome = venue.mark("940")
    # Margin 1,000, of which 200 are released, less the loss of 2 × 61.
    assert types(outcome)[-1] == "MarginAdjusted"
    assert venue.wallet("A") == 0
    assert venue.account("A").positions["BTC-PERP", "both"].isolated_margin == 878


@pytest.mark.parametrize(("boundary", "liquidated"), [("at", True), ("above", False)])
def test_at_a_ratio_of_exactly_one_the_policy_decides(boundary: str, liquidated: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = venue_with_a_long(fund="2000", deposit="1450", liquidation_boundary=boundary)
    venue.mark("900")  # equity 450, requirement 450
    assert (venue.held("A") == 0) is liquidated


def test_the_requirement_can_be_taken_on_the_entry_notional() -> None:
    venue = venue_with_a_long(fund="2000", maintenance_basis="entry")
    venue.mark("950.5")  # equity 505 against 500
    assert venue.held("A") == 10
    venue.mark("949.5")
    assert venue.held("A") == 0


def test_the_liquidated_account_loses_its_resting_orders() -> None:
    venue = venue_with_a_long(fund="2000", deposit="1200")
    venue.order("A", "buy", "1", "700", order_id="resting")
    outcome = venue.mark("900")
    (cancelled,) = payloads(outcome.drafts, OrderCancelled)
    assert (cancelled.order_id, cancelled.reason) == ("resting", "liquidation")
    order = types(outcome)
    assert (
        order.index("LiquidationStarted") < order.index("OrderCancelled") < order.index("LiquidationExecuted")
    )


def test_the_account_that_lacks_most_is_liquidated_first() -> None:
    venue = TestVenue(fund="90000")
    for account, deposit in (("A", "1000"), ("B", "1050"), ("M", "90000")):
        venue.open(account, deposit)
    venue.trade("A", "M", "9", "1000")
    venue.trade("B", "M", "10", "1000")
    outcome = venue.mark("900")  # A lacks 305, B 400
    assert [each.account for each in payloads(outcome.drafts, LiquidationStarted)] == ["B", "A"]


def test_a_liquidation_can_pull_the_next_account_after_it() -> None:
    venue = TestVenue(waterfall=["order_book", "insurance_fund", "socialised_loss"])
    for account, deposit in (("A", "1000"), ("B", "1045"), ("M", "90000")):
        venue.open(account, deposit)
    venue.trade("A", "M", "10", "1000")
    venue.list("ETH")
    venue.mark("1000", "ETH")
    venue.trade("B", "M", "10", "1000", "ETH")
    venue.mark("945.5", "ETH")  # B: 500 against 472.75
    outcome = venue.mark("100")  # A lacks 8,000, and B bears his part of it
    assert [each.account for each in payloads(outcome.drafts, LiquidationStarted)] == ["A", "B"]


def test_a_stale_mark_decides_nothing() -> None:
    venue = venue_with_a_long(fund="2000", deposit="1200", mark_max_age_seconds="60")
    venue.list("ETH")
    venue.mark("1000", "ETH")
    venue.trade("A", "M", "0.001", "1000", "ETH")
    assert types(venue.mark("800", after=61)) == ["MarkPriceUpdated"]
    assert "LiquidationStarted" in types(venue.mark("1000", "ETH"))


def test_every_event_of_a_liquidation_names_what_caused_it() -> None:
    venue = venue_with_a_long(fund="2000")
    outcome = venue.mark("880")
    mark, started, executed_, *rest = outcome.drafts
    assert (started.causation, executed_.causation) == (mark.id, started.id)
    assert {draft.causation for draft in rest} == {executed_.id}
    assert {draft.correlation for draft in (started, executed_, *rest)} == {"L0001"}
    assert mark.occurred_at < started.occurred_at == started.processed_at
    assert started.received_at == mark.occurred_at


def test_the_fee_never_exceeds_what_is_left() -> None:
    venue = venue_with_a_long()
    venue.fees(liquidation="0.1")
    venue.order("M", "buy", "10", "901")
    outcome = venue.mark("940")
    assert [fee.amount for fee in payloads(outcome.drafts, FeeCharged)] == [10, -10]
    assert venue.wallet("A") == 0


def test_whoever_is_to_be_liquidated_himself_is_not_filled_before_his_turn() -> None:
    venue = TestVenue(fund="90000")
    for account, deposit in (("A", "2000"), ("B", "1000"), ("M", "90000")):
        venue.open(account, deposit)
    venue.submit(SetMarginMode, account="B", instrument="BTC-PERP", margin_mode="isolated")
    venue.trade("A", "M", "20", "1000")
    venue.trade("B", "M", "2", "1000")
    venue.order("B", "buy", "1", "930", order_id="adds margin")
    # Both are in breach; A lacks more and is first. B has 72 behind 2 contracts that require 93.6.
    outcome = venue.mark("936")
    started = payloads(outcome.drafts, LiquidationStarted)
    assert [each.account for each in started] == ["A", "B"]
    assert payloads(outcome.drafts, OrderCancelled)[0].order_id == "adds margin"


def test_a_partial_liquidation_reports_the_notional_that_it_closed() -> None:
    venue = venue_with_a_long(partial_fraction="0.5")
    venue.order("M", "buy", "2", "939")
    assert executed(venue.mark("940")).notional == 1880


def test_a_part_for_which_only_unfit_orders_rest_ends_in_a_full_liquidation() -> None:
    venue = venue_with_a_long(fund="9000", partial_fraction="0.5")
    venue.open("B", "1000")
    venue.trade("B", "M", "9", "1000")
    venue.order("B", "buy", "1", "939")
    outcome = venue.mark("940")  # B, with 460 for 940 of margin, can no longer buy
    assert executed(outcome).takeovers[0].quantity == 10
