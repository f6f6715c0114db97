"""Laws of an evaluated account: what its stated prices promise, and that it may be held in any form."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger.amounts import ONE, ZERO, exact
from replay.fold import replay_events
from replay.margin import AccountMargin, Market, PositionMargin, evaluate, evaluate_account
from replay.state import Price
from tests.support.events import START, History

if TYPE_CHECKING:
    from replay.state.venue_state import VenueState

LINEAR = ("BTC-PERP", "ETH-PERP")
INVERSE = "BTC-INVERSE"
TIERS = (
    ("0", "20000", "0.01", "0", "50"),
    ("20000", "100000", "0.02", "200", "20"),
    ("100000", None, "0.05", "3200", "10"),
)
INVERSE_TIERS = (("0", "2", "0.01", "0", "50"), ("2", None, "0.04", "0.06", "20"))
# Inverse values are rounded at 18 digits, so a price decides to so many digits only.
_TICK = Decimal("0.000001")

quantities = st.integers(-400, 400).filter(bool).map(lambda value: Decimal(value) / 100)
prices = st.integers(50, 400).map(Decimal)
_slow = settings(max_examples=120, deadline=None)


@st.composite
def accounts(
    draw: st.DrawFn, mode: str = "cross", instruments: tuple[str, ...] = (*LINEAR, INVERSE)
) -> History:
    """An account with up to two linear positions and an inverse one, and two assets with haircuts."""
    history = History(valuation_currency="USD")
    history.policy(margin_call_ratio=draw(st.sampled_from(["0.5", "0.8"])))
    for asset, price in (("USDT", "0.999"), ("BTC", "200")):
        history.add("AssetPriceUpdated", asset=asset, valuation_currency="USD", price=price)
    haircut = [
        {"value_floor": "0", "value_cap": "500", "collateral_rate": "0.95"},
        {"value_floor": "500", "collateral_rate": "0.8"},
    ]
    history.add("CollateralScheduleSet", asset="BTC", effective_at=START, tiers=haircut)
    for name in LINEAR:
        history.list_instrument(name, contract_size="10")
        history.schedule(name, *TIERS)
    inverse = {"contract": "inverse", "base": "BTC", "quote": "USD", "settlement_asset": "BTC"}
    history.list_instrument(INVERSE, contract_size="50", **inverse)
    history.schedule(INVERSE, *INVERSE_TIERS)
    held = draw(st.lists(st.sampled_from(instruments), min_size=1, unique=True))
    for name in held:
        if mode == "isolated":
            history.add("MarginModeSet", account="A", instrument=name, margin_mode="isolated")
        quantity = draw(quantities)
        side = "buy" if quantity > 0 else "sell"
        entry = draw(prices)
        history.fill("A", side, str(abs(quantity)), str(entry), name)
        if mode == "isolated":
            margin = draw(st.integers(1, 4000))
            amount = str(Decimal(margin) / (200 if name == INVERSE else 1))
            history.add("MarginAdjusted", account="A", instrument=name, amount=amount, reason="test")
    for name in held:
        history.mark(str(draw(prices)), name)
    history.deposit("A", str(draw(st.integers(1, 8000))))
    history.deposit("A", str(Decimal(draw(st.integers(1, 2000))) / 100), "BTC")
    return history


def at(state: VenueState, instrument: str, price: Decimal) -> AccountMargin:
    """Evaluate the account with one mark moved and everything else as it is."""
    market = Market.of(state)
    moved = replace(market.mark_prices[instrument], price=price)
    assert isinstance(moved, Price)
    marks = {**market.mark_prices, instrument: moved}
    return evaluate_account(state.accounts["A"], replace(market, mark_prices=marks), with_prices=False)


@exact()
def reached(margin: AccountMargin, key: tuple[str, str], ratio: Decimal) -> bool:
    """Whether maintenance margin has reached ratio × what stands behind the position."""
    value, required = margin.collateral_value, margin.maintenance_margin
    (position,) = (each for each in margin.positions if (each.instrument, each.position_side) == key)
    if position.margin_mode == "isolated":
        value, required = position.equity, position.maintenance_margin
    assert value is not None
    assert required is not None
    return required >= ratio * value


def hold_their_promise(history: History) -> None:
    state = replay_events(history.events)
    margin = evaluate(state, "A")
    call = Market.of(state).policy.margin_call_ratio
    assert call is not None
    for position in margin.positions:
        long = position.quantity > 0
        stated: list[tuple[Decimal | None, bool, Decimal]] = [
            (position.liquidation_price_below, True, ONE),
            (position.liquidation_price_above, False, ONE),
        ]
        if not reached(margin, (position.instrument, position.position_side), call):
            stated.append((position.margin_call_price, long, call))
        for price, below, ratio in stated:
            holds(state, position, price, ratio, below=below)


def holds(
    state: VenueState, position: PositionMargin, price: Decimal | None, ratio: Decimal, *, below: bool
) -> None:
    """At a tick beyond the price the threshold is reached, at a tick before it is not."""
    if price is None or price <= 2 * _TICK:
        return
    key = (position.instrument, position.position_side)
    with exact():
        beyond, safer = (price - _TICK, price + _TICK) if below else (price + _TICK, price - _TICK)
    assert reached(at(state, position.instrument, beyond), key, ratio), (position, price, ratio)
    assert not reached(at(state, position.instrument, safer), key, ratio), (position, price, ratio)


@_slow
@given(accounts())
def test_at_the_prices_of_a_cross_account_its_ratio_is_at_the_threshold(history: History) -> None:
    hold_their_promise(history)


@_slow
@given(accounts("isolated"))
def test_at_the_prices_of_isolated_positions_theirs_is(history: History) -> None:
    hold_their_promise(history)


@_slow
@given(accounts("isolated"))
def test_at_its_bankruptcy_price_nothing_is_left_behind_an_isolated_position(history: History) -> None:
    """Never less than nothing, and less than a tick's worth more."""
    state = replay_events(history.events)
    for position in evaluate(state, "A").positions:
        price = position.bankruptcy_price
        if price is None:
            continue
        there = at(state, position.instrument, price)
        (same,) = (each for each in there.positions if each.instrument == position.instrument)
        assert same.equity is not None
        # An inverse position's value is rounded by half a unit in its last place, and so valued at 200.
        assert Decimal("-1e-15") < same.equity < Decimal("1e-9")


@_slow
@given(accounts(instruments=LINEAR))
def test_closing_at_bankruptcy_prices_uses_up_the_equity_to_the_last_digit(history: History) -> None:
    """The shares of all positions are the whole equity, so what is left is what rounding down kept."""
    margin = evaluate(replay_events(history.events), "A")
    assume(margin.equity is not None and margin.equity > 0)
    assume(all(each.bankruptcy_price is not None for each in margin.positions))
    with exact():
        left = margin.equity or ZERO
        for each in margin.positions:
            assert each.bankruptcy_price is not None
            assert each.mark_price is not None
            left -= (each.mark_price - each.bankruptcy_price) * each.quantity * 10 * Decimal("0.999")
        assert ZERO <= left < Decimal("1e-14")


trades = st.lists(st.tuples(st.sampled_from(["long", "short"]), st.integers(1, 40), prices), max_size=12)


@_slow
@given(trades, prices, st.sampled_from([*LINEAR, INVERSE]))
def test_hedge_and_one_way_mode_come_to_the_same_equity(
    drawn: list[tuple[str, int, Decimal]], mark: Decimal, instrument: str
) -> None:
    """The same trades, held as one position or as two, are worth the same at every price."""
    assert abs(_equity(drawn, mark, instrument, "hedge") - _equity(drawn, mark, instrument, "one_way")) <= (
        Decimal("1e-15") if instrument == INVERSE else ZERO
    )


def _equity(drawn: list[tuple[str, int, Decimal]], mark: Decimal, instrument: str, mode: str) -> Decimal:
    history = History(valuation_currency="USD")
    for asset, worth in (("USDT", "1"), ("BTC", "200")):
        history.add("AssetPriceUpdated", asset=asset, valuation_currency="USD", price=worth)
    terms: dict[str, Any] = {}
    if instrument == INVERSE:
        terms = {"contract": "inverse", "base": "BTC", "quote": "USD", "settlement_asset": "BTC"}
    history.list_instrument(instrument, contract_size="50", **terms)
    history.schedule(instrument)
    history.mark(str(mark), instrument)
    history.add("AccountOpened", account="A", margin_mode="cross", position_mode=mode, kind="customer")
    for side, quantity, price in drawn:
        more = {"position_side": side} if mode == "hedge" else {}
        bought = "buy" if side == "long" else "sell"
        history.fill("A", bought, str(quantity), str(price), instrument, **more)
    equity = evaluate(replay_events(history.events), "A", with_prices=False).equity
    assert equity is not None
    return equity


@_slow
@given(trades, prices)
def test_a_side_alone_is_margined_like_the_one_position_of_one_way_mode(
    drawn: list[tuple[str, int, Decimal]], mark: Decimal
) -> None:
    longs = [(side, quantity, price) for side, quantity, price in drawn if side == "long"]
    assume(longs)
    found = []
    for mode in ("hedge", "one_way"):
        history = History()
        history.list_instrument()
        history.schedule("BTC-PERP", *TIERS)
        history.mark(str(mark))
        history.deposit("A", "10000")
        history.add("AccountOpened", account="A", margin_mode="cross", position_mode=mode, kind="customer")
        for side, quantity, price in longs:
            more = {"position_side": side} if mode == "hedge" else {}
            history.fill("A", "buy", str(quantity), str(price), **more)
        margin = evaluate(replay_events(history.events), "A")
        (position,) = margin.positions
        found.append(
            (margin.margin_ratio, margin.state, replace(position, position_side="both", mark_sequence=0))
        )
    assert found[0] == found[1]


@_slow
@given(st.integers(1, 20), st.integers(-19, 19), st.integers(1, 5000), prices, prices)
def test_the_prices_of_a_portfolio_hold_their_promise(
    first: int, second: int, deposit: int, mark: Decimal, other_mark: Decimal
) -> None:
    history = History()
    history.policy(margin_call_ratio="0.5")
    history.add(
        "AccountOpened", account="A", margin_mode="portfolio", position_mode="one_way", kind="customer"
    )
    for name, price in (("BTC-PERP", mark), ("BTC-DEC", other_mark)):
        history.list_instrument(name, base="BTC")
        history.add(
            "MarginScheduleSet",
            instrument=name,
            effective_at=START,
            model="portfolio",
            tiers=[],
            parameters={"price_range": "0.16", "price_steps": "4", "minimum_rate": "0.01"},
        )
        history.mark(str(price), name)
    history.deposit("A", str(deposit))
    history.fill("A", "buy", str(first), str(mark))
    if second:
        history.fill("A", "buy" if second > 0 else "sell", str(abs(second)), str(other_mark), "BTC-DEC")
    state = replay_events(history.events)
    margin = evaluate(state, "A")
    assume(margin.state in ("healthy", "margin_call"))
    for position in margin.positions:
        holds(state, position, position.liquidation_price_below, ONE, below=True)
        holds(state, position, position.liquidation_price_above, ONE, below=False)
