"""Breaches seen in bars of mark prices: the interval, the level, its end, and the schedule applied."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ParserCreate

from replay.fold import fold
from replay.risk.breaches import BreachWatch, Rule
from replay.risk.picture import picture
from tests.support.events import START, History
from tests.support.prices import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ledger.events.envelope import Event
    from replay.risk.breach_report import Breach, BreachReport, BreachRow
    from replay.state.venue_state import VenueState

DAY = timedelta(days=1)


def at(hours: int) -> datetime:
    return START + DAY + HOUR * hours


class Venue(History):
    """A has 1,000 USDT and 1 BTC long from 5,000 under 1 %: called at 4,081.63, liquidated at 4,040.40."""

    def __init__(self, *, effective_at: datetime = START) -> None:
        super().__init__()
        self.list_instrument()
        self.schedule("BTC-PERP", ("0", None, "0.01", "0", "100"), effective_at=effective_at)
        self.policy(margin_call_ratio="0.5")
        self.deposit("A", "1000")
        self.fill("A", "buy", "1", "5000")
        self.mark("5000")

    def bar(self, hour: int, low: str, close: str, high: str = "5000", opened: str = "5000") -> Event:
        """Record the bar that ends at an hour."""
        return self.add(
            "PriceBarRecorded",
            occurred_at=at(hour),
            instrument="BTC-PERP",
            kind="mark",
            interval_seconds="3600",
            open=opened,
            high=high,
            low=low,
            close=close,
        )

    def watch(self, start: int = 0, end: int = 24, accounts: tuple[str, ...] = ()) -> BreachReport:
        """Return what is seen between two hours under the recorded schedules."""
        schedules = fold(self.events).state.margin_schedules
        watch = BreachWatch([Rule("recorded", schedules)], at(start), at(end), accounts)
        fold(self.events, before=[watch.before], after=[watch.after])
        return watch.report()


def only(report: BreachReport) -> BreachRow:
    (row,) = report.rows
    return row


def interval(breach: Breach | None) -> tuple[datetime | None, datetime]:
    assert breach is not None
    return breach.after, breach.until


def test_a_bar_whose_low_is_beyond_a_level_shows_an_interval() -> None:
    venue = Venue()
    venue.bar(1, "4500", "4600")
    crash = venue.bar(2, "4050", "4500")
    row = only(venue.watch())
    assert interval(row.breach("margin_call")) == (at(1), at(2))
    call = row.breach("margin_call")
    assert call is not None
    assert (call.place, call.price, call.sequence) == ("low", Decimal(4050), crash.sequence)
    assert row.breach("liquidatable") is None
    assert (row.leverage, row.positions[0].side) == (Decimal(5), "long")


def test_levels_have_intervals_of_their_own() -> None:
    venue = Venue()
    venue.bar(1, "4060", "4070")
    venue.bar(2, "4030", "4035")
    venue.bar(3, "3900", "3950")
    row = only(venue.watch())
    assert [interval(row.breach(level))[1] for level in ("margin_call", "liquidatable", "bankrupt")] == [
        at(1),
        at(2),
        at(3),
    ]
    assert {breach.ended_at for breach in row.breaches} == {None}


def test_a_short_breaches_at_the_high() -> None:
    venue = Venue()
    venue.deposit("S", "1000")
    venue.fill("S", "sell", "1", "5000")
    venue.bar(1, "4990", "5000", high="5945")
    row = only(venue.watch(accounts=("S",)))
    liquidatable = row.breach("liquidatable")
    assert liquidatable is not None
    # 6,000 ÷ 1.01 = 5,940.59.
    assert (liquidatable.place, liquidatable.price) == ("high", Decimal(5945))


def test_a_breach_ends_at_the_close_that_is_back_within_and_may_come_again() -> None:
    venue = Venue()
    venue.bar(1, "4030", "4500")
    venue.bar(2, "4400", "4500")
    venue.bar(3, "4030", "4035")
    venue.bar(4, "4030", "4039")
    venue.bar(5, "4035", "4600")
    row = only(venue.watch())
    assert [(breach.until, breach.ended_at, breach.ended_by) for breach in row.of("liquidatable")] == [
        (at(1), at(1), "recovered"),
        (at(3), at(5), "recovered"),
    ]


def test_a_breach_ends_where_the_position_is_closed() -> None:
    venue = Venue()
    venue.bar(1, "4030", "4035")
    venue.fill("A", "sell", "1", "4035", occurred_at=at(2), purpose="liquidation")
    venue.bar(3, "3000", "3000")
    row = only(venue.watch())
    assert [(breach.level, breach.ended_at, breach.ended_by) for breach in row.breaches] == [
        ("margin_call", at(2), "closed"),
        ("liquidatable", at(2), "closed"),
    ]


def test_what_an_event_settles_at_its_own_moment_is_exact() -> None:
    venue = Venue()
    venue.bar(1, "4900", "5000")
    venue.add("WithdrawalRecorded", occurred_at=at(2), account="A", asset="USDT", amount="960")
    row = only(venue.watch())
    breach = row.breach("liquidatable")
    assert interval(breach) == (at(2), at(2))
    assert breach is not None
    assert breach.place == "moment"


def test_what_was_beyond_before_the_window_is_from_its_start() -> None:
    venue = Venue()
    venue.bar(1, "4030", "4035")
    venue.bar(3, "4030", "4036")
    breach = only(venue.watch(start=2)).breach("liquidatable")
    assert interval(breach) == (None, at(2))


def test_bars_outside_the_window_count_for_nothing() -> None:
    venue = Venue()
    venue.bar(1, "3000", "5000")
    venue.bar(3, "4900", "5000")
    venue.bar(5, "3000", "5000")
    assert only(venue.watch(start=2, end=4)).breaches == ()


def test_a_schedule_that_was_not_in_force_yet_is_substituted_and_marked() -> None:
    venue = Venue(effective_at=at(10))
    venue.bar(1, "4030", "4500")
    row = only(venue.watch())
    (part,) = row.schedules
    assert (row.substituted, part.substituted, part.effective_at) == (True, True, at(10))
    assert row.breach("liquidatable") is not None
    in_time = Venue()
    in_time.bar(1, "4030", "4500")
    assert not only(in_time.watch()).substituted


def test_without_a_schedule_the_row_is_undetermined_and_says_so() -> None:
    venue = Venue()
    venue.bar(1, "3000", "3000")
    watch = BreachWatch([Rule("dynamic", {})], at(0), at(24))
    fold(venue.events, before=[watch.before], after=[watch.after])
    row = only(watch.report())
    assert (row.breaches, row.notes) == ((), ("undetermined",))
    assert row.schedules[0].sequence is None


def test_nobody_is_called_under_a_policy_without_a_call_ratio() -> None:
    venue = Venue()
    venue.policy(effective_at=START + timedelta(seconds=1))
    venue.bar(1, "4030", "4500")
    assert {breach.level for breach in only(venue.watch()).breaches} == {"liquidatable"}


def test_every_isolated_position_is_followed_by_itself() -> None:
    venue = Venue()
    venue.add("MarginModeSet", account="B", instrument="BTC-PERP", margin_mode="isolated")
    venue.deposit("B", "100000")
    venue.add("MarginAdjusted", account="B", instrument="BTC-PERP", amount="500", reason="opening")
    venue.fill("B", "buy", "1", "5000")
    venue.bar(1, "4540", "4600")
    row = only(venue.watch(accounts=("B",)))
    # 4,500 ÷ 0.99 = 4,545.45.
    assert (row.unit, interval(row.breach("liquidatable"))) == ("isolated BTC-PERP", (at(0), at(1)))


def test_the_picture_is_well_formed_and_shows_every_breach_with_its_words() -> None:
    venue = Venue()
    venue.bar(1, "4030", "4500")
    venue.bar(2, "4400", "4500")
    drawn = picture(venue.watch())
    ParserCreate().ParseFile(BytesIO(drawn.encode()))  # raises where it is not well-formed
    said = [title for title in re.findall("<title>(.*?)</title>", drawn) if title.startswith("A, recorded")]
    assert len(said) == 2
    assert (
        "liquidatable after 2026-01-02 00:00, by 2026-01-02 01:00; recovered by 2026-01-02 01:00" in said[1]
    )


class OptionVenue(History):
    """A has 1,000 USDT and sold a call at 1; 10 % of the index is required for it, and M ≤ C up to 10,000."""

    def __init__(self) -> None:
        super().__init__()
        self.list_instrument("CALL", kind="option", index="BTC", strike="9000", option_type="call",
                             expires_at="2027-01-01T00:00:00Z")  # fmt: skip
        self.schedule("CALL", ("0", None, "0.1", "0", "5"))
        self.policy(liquidation_boundary="above")
        self.add("IndexPriceUpdated", index="BTC", price="9000")
        self.deposit("A", "1000")
        self.fill("A", "sell", "1", "1", "CALL")
        self.mark("1", "CALL")

    def watch(self) -> BreachReport:
        watch = BreachWatch([Rule("recorded", fold(self.events).state.margin_schedules)], at(0), at(24))
        fold(self.events, before=[watch.before], after=[watch.after])
        return watch.report()


def test_an_index_concerns_who_holds_options_on_it() -> None:
    venue = OptionVenue()
    venue.add("IndexPriceUpdated", occurred_at=at(1), index="BTC", price="10000")
    venue.add("IndexPriceUpdated", occurred_at=at(2), index="ETH", price="99999")
    venue.add("IndexPriceUpdated", occurred_at=at(3), index="BTC", price="10000.01")
    venue.add("IndexPriceUpdated", occurred_at=at(4), index="BTC", price="9999")
    (breach,) = only(venue.watch()).of("liquidatable")
    assert (interval(breach), breach.place, breach.ended_at) == ((at(3), at(3)), "moment", at(4))


def test_an_index_that_is_set_by_hand_or_by_a_bar_concerns_them_too() -> None:
    by_hand = OptionVenue()
    by_hand.add("PriceOverridden", occurred_at=at(3), instrument="CALL", kind="index", price="10001",
                reason="", approvers=["x"])  # fmt: skip
    assert interval(only(by_hand.watch()).breach("liquidatable")) == (at(3), at(3))
    in_a_bar = OptionVenue()
    in_a_bar.add("PriceBarRecorded", occurred_at=at(3), instrument="CALL", kind="index",
                 interval_seconds="3600", open="9000", high="10001", low="9000", close="10001")  # fmt: skip
    breach = only(in_a_bar.watch()).breach("liquidatable")
    assert breach is not None
    # Not before the bar began; its close is what is taken, and it is no price of the option.
    assert (interval(breach), breach.place, breach.price) == ((at(2), at(3)), "close", None)


class Named(dict[str, Any]):
    """Accounts that can be looked up by their names, and not gone through."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all accounts were gone through")

    def items(self) -> Any:
        raise AssertionError("all accounts were gone through")

    values = keys = items


def test_an_event_of_the_window_walks_through_nobody_whom_it_does_not_concern() -> None:
    venue = Venue()
    venue.list_instrument("ETH-PERP")
    venue.bar(1, "4500", "4600")
    begun = len(venue.events)
    venue.add("LastPriceUpdated", occurred_at=at(2), instrument="BTC-PERP", price="1")
    venue.add("MarkPriceUpdated", occurred_at=at(2), instrument="ETH-PERP", price="1")
    venue.add("IndexPriceUpdated", occurred_at=at(2), index="BTC", price="1")
    venue.add("AssetPriceUpdated", occurred_at=at(2), asset="BTC", valuation_currency="USDT", price="1")
    venue.add("DepositRecorded", occurred_at=at(2), account="B", asset="USDT", amount="1")
    crash = venue.add("MarkPriceUpdated", occurred_at=at(2), instrument="BTC-PERP", price="4030")
    watch = BreachWatch([Rule("recorded", fold(venue.events).state.margin_schedules)], at(0), at(24))

    def name_them(state: VenueState, event: Event) -> None:
        if event.sequence == begun:
            state.accounts = Named(state.accounts)

    fold(venue.events, before=[watch.before, name_them], after=[watch.after])
    breach = only(watch.report()).breach("liquidatable")
    assert breach is not None
    assert breach.sequence == crash.sequence


def test_only_prices_of_what_somebody_holds_are_kept() -> None:
    venue = Venue()
    venue.list_instrument("ETH-PERP")
    venue.bar(1, "4500", "4600")
    venue.add("MarkPriceUpdated", occurred_at=at(2), instrument="ETH-PERP", price="1")
    venue.add("FillRecorded", occurred_at=at(3), account="A", instrument="BTC-PERP", side="sell",
              quantity="1", price="4600", purpose="trade")  # fmt: skip
    venue.bar(4, "4500", "4600")
    watch = BreachWatch([Rule("recorded", fold(venue.events).state.margin_schedules)], at(0), at(24))
    fold(venue.events, before=[watch.before], after=[watch.after])
    assert {name: len(bars) for name, bars in watch._bars.items()} == {"BTC-PERP": 2}
