"""An insurance fund's wallet goes below zero."""

from __future__ import annotations

from tests.support.events import History
from tests.support.waterfall import INSTRUMENT, Waterfall, found, places

CODE = "insurance_fund_negative"


def test_a_payment_beyond_the_wallet_is_found_where_it_goes_below_zero() -> None:
    venue = Waterfall(fund="150")
    venue.draw("150")
    assert places(venue, CODE) == []
    drawn = venue.draw("1")
    venue.draw("1")
    (finding,) = found(venue, CODE)
    assert (finding.account, finding.sequence, finding.evidence) == ("F", drawn, (drawn,))
    assert finding.rebuilt == "-1"


def test_it_is_found_again_after_it_came_back() -> None:
    venue = Waterfall(fund="150")
    first = venue.draw("151")
    venue.deposit("F", "1")
    second = venue.draw("1")
    assert places(venue, CODE) == [("F", first), ("F", second)]


def test_a_realised_loss_funding_and_a_settlement_count_too() -> None:
    venue = Waterfall(fund="100")
    venue.trade("F", "buy", "B", "10", "940")
    venue.mark("920")
    assert places(venue, CODE) == []
    sold = venue.trade("F", "sell", "B", "6", "920")
    assert places(venue, CODE) == [("F", sold)]
    venue.deposit("F", "20")
    settled = venue.add("InstrumentSettled", instrument=INSTRUMENT, price="920", reason="end").sequence
    assert places(venue, CODE) == [("F", sold), ("F", settled)]


def test_each_asset_counts_by_itself() -> None:
    venue = Waterfall(fund="150")
    fee = venue.add("FeeCharged", account="F", asset="BTC", amount="1", reason="custody").sequence
    drawn = venue.draw("151")
    assert places(venue, CODE) == [("F", fee), ("F", drawn)]


def test_a_fund_that_nobody_opened_is_one_from_its_first_movement() -> None:
    history = History()
    history.add(
        "InsuranceFundDrawn", fund="G", asset="USDT", amount="5", account="A", liquidation="L1", reason="loss"
    )
    assert places(history, CODE) == [("G", 1)]


def test_what_customers_owe_is_another_matter() -> None:
    venue = Waterfall()
    venue.add("WithdrawalRecorded", account="B", asset="USDT", amount="999999")
    assert places(venue, CODE) == []
