"""The breach tracker evaluates an account only when it must, and sees what evaluating everybody sees."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from replay.audit.breaches import BreachLog
from replay.audit.units import OVER, REACH, Unit, UnitTracker, unit_states
from replay.fold import fold
from replay.margin import Market, evaluate_account
from tests.support.events import START, History
from tests.support.random_events import histories

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

ACCOUNTS = ("A", "B", "C")
INSTRUMENTS = ("BTC-PERP", "ETH-PERP")
TIERS = (("0", "3000", "0.01", "0", "50"), ("3000", None, "0.05", "120", "10"))
JUMPING_TIERS = (("0", "3000", "0.01", "0", "50"), ("3000", None, "0.05", "0", "10"))

prices = st.integers(80, 120).map(str)
accounts = st.sampled_from(ACCOUNTS)
instruments = st.sampled_from(INSTRUMENTS)

Step = tuple[str, dict[str, Any]]

fills = st.builds(
    lambda account, instrument, side, quantity, price: (
        "FillRecorded",
        {
            "account": account,
            "instrument": instrument,
            "side": side,
            "quantity": str(quantity),
            "price": price,
            "purpose": "trade",
        },
    ),
    accounts,
    instruments,
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 40),
    prices,
)
marks = st.builds(
    lambda instrument, price: ("MarkPriceUpdated", {"instrument": instrument, "price": price}),
    instruments,
    prices,
)
cash = st.builds(
    lambda name, account, amount: (name, {"account": account, "asset": "USDT", "amount": str(amount)}),
    st.sampled_from(["DepositRecorded", "WithdrawalRecorded"]),
    accounts,
    st.integers(1, 300),
)
margins = st.builds(
    lambda account, instrument, amount: (
        "MarginAdjusted",
        {"account": account, "instrument": instrument, "amount": str(amount), "reason": "test"},
    ),
    st.just("C"),
    instruments,
    st.integers(-100, 200),
)
rules = st.one_of(
    st.builds(
        lambda boundary, seconds, basis: (
            "RiskPolicySet",
            {
                "liquidation_boundary": boundary,
                "effective_at": START + timedelta(seconds=seconds),
                "maintenance_basis": basis,
            },
        ),
        st.sampled_from(["at", "above"]),
        st.integers(0, 60),
        st.sampled_from(["mark", "entry"]),
    ),
    st.builds(
        lambda instrument, tiers, seconds: (
            "schedule",
            {"instrument": instrument, "tiers": tiers, "effective_at": START + timedelta(seconds=seconds)},
        ),
        instruments,
        st.sampled_from([TIERS, JUMPING_TIERS]),
        st.integers(0, 60),
    ),
    st.builds(
        lambda price: ("AssetPriceUpdated", {"asset": "USDT", "valuation_currency": "USD", "price": price}),
        st.sampled_from(["1", "0.9", "1.1"]),
    ),
    st.builds(
        lambda instrument, mode: (
            "MarginModeSet",
            {"account": "B", "instrument": instrument, "margin_mode": mode},
        ),
        instruments,
        st.sampled_from(["cross", "isolated"]),
    ),
    st.builds(
        lambda instrument, price: (
            "InstrumentSettled",
            {"instrument": instrument, "price": price, "reason": "test"},
        ),
        instruments,
        prices,
    ),
)
steps = st.lists(st.one_of(fills, fills, marks, marks, marks, cash, margins, rules), max_size=60)


def history_of(drawn: list[Step], currency: str) -> History:
    history = History(valuation_currency=currency)
    for instrument in INSTRUMENTS:
        history.list_instrument(instrument)
        history.schedule(instrument, *TIERS)
        history.mark("100", instrument)
    for account in ACCOUNTS:
        history.deposit(account, "100")
    for instrument in INSTRUMENTS:
        history.add("MarginModeSet", account="C", instrument=instrument, margin_mode="isolated")
    for name, data in drawn:
        if name == "schedule":
            history.schedule(data["instrument"], *data["tiers"], effective_at=data["effective_at"])
        else:
            history.add(name, **data)
    return history


def evaluating_everybody() -> tuple[dict[Unit, int], Callable[[VenueState, Event], None]]:
    """The slow, obvious tracker: since which event is each unit over?"""
    since: dict[Unit, int] = {}

    def after(state: VenueState, event: Event) -> None:
        over: set[Unit] = set()
        for name, account in state.accounts.items():
            if account.profile.kind in ("external", "insurance_fund"):
                continue
            margin = evaluate_account(account, Market.of(state), with_prices=False)
            over |= {Unit(name, key) for key, now in unit_states(margin).items() if now in OVER}
        for unit in set(since) - over:
            del since[unit]
        for unit in over - set(since):
            since[unit] = event.sequence

    return since, after


def agrees_at_every_event(events: list[Event]) -> None:
    breaches = BreachLog()
    tracker = UnitTracker(breaches)
    since, everybody = evaluating_everybody()

    def compare(state: VenueState, event: Event) -> None:
        tracker.after(state, event)
        everybody(state, event)
        units = {
            Unit(name, key) for name in state.accounts for key in (None, *state.accounts[name].positions)
        }
        seen = {unit: breach.sequence for unit in units if (breach := breaches.since(unit)) is not None}
        assert seen == since, event

    fold(events, after=(compare,))


@given(steps, st.sampled_from(["USDT", "USD"]))
@settings(max_examples=150, deadline=None)
def test_it_sees_every_breach_at_the_event_that_begins_and_ends_it(drawn: list[Step], currency: str) -> None:
    agrees_at_every_event(history_of(drawn, currency).events)


@given(histories([name for name in REACH if name != "RiskPolicySet"]))
@settings(max_examples=100, deadline=None)
def test_it_agrees_on_histories_of_every_kind_of_event(events: list[Event]) -> None:
    agrees_at_every_event(events)
