"""An audit is not silent about whom it could not judge."""

from __future__ import annotations

from replay.audit.undetermined import UndeterminedLog
from replay.audit.units import UnitTracker
from replay.fold import fold
from tests.support.events import START, History


def sentences(history: History) -> list[str]:
    log = UndeterminedLog()
    state = fold(history.events, after=(UnitTracker(log).after,)).state
    return log.sentences(state)


def priced_in(currency: str) -> History:
    history = History(valuation_currency=currency)
    history.list_instrument()
    history.schedule()
    history.mark("50000")
    history.deposit("A", "5000")
    history.fill("A", "buy", "1", "50000")
    history.mark("20000")
    return history


def test_who_can_be_judged_is_not_mentioned() -> None:
    assert sentences(priced_in("USDT")) == []


def test_a_missing_conversion_price_is_named_with_whom_it_concerns_and_since_when() -> None:
    (sentence,) = sentences(priced_in("USD"))
    assert sentence == (
        "1 account or isolated position could not be judged for some time (A from sequence 5): "
        "no price of USDT in USD is recorded"
    )


def test_a_gap_that_ended_is_told_as_well() -> None:
    history = priced_in("USD")
    history.add("AssetPriceUpdated", asset="USDT", valuation_currency="USD", price="1")
    history.mark("50000")
    assert len(sentences(history)) == 1


def test_what_is_unknown_for_an_instant_alone_is_no_gap() -> None:
    history = History()
    history.list_instrument()
    history.schedule()
    history.mark("100")
    history.deposit("A", "5000")
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    at = START
    history.add(
        "FillRecorded",
        account="A",
        instrument="BTC-PERP",
        side="buy",
        quantity="1",
        price="100",
        purpose="trade",
        occurred_at=at,
    )
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="50", reason="x", occurred_at=at)
    assert sentences(history) == []


def test_only_so_many_are_named() -> None:
    history = priced_in("USD")
    for number in range(7):
        history.deposit(f"C{number}", "1")
        history.fill(f"C{number}", "buy", "1", "50000")
    history.mark("1")
    (sentence,) = sentences(history)
    assert sentence.startswith("8 accounts or isolated positions")
    assert "and 3 more" in sentence
