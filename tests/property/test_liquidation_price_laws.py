"""Laws of liquidation prices: the account is at the boundary there, and one step safer it is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.amounts import ONE, exact
from replay.fold import replay_events
from replay.margin import (
    AccountMargin,
    Leg,
    Market,
    evaluate_account,
    maintenance_amounts,
    maintenance_margin,
    threshold_prices,
)
from replay.state import MarginTier, Price
from tests.support.events import START, History

STEP = Decimal("1e-18")
amounts = st.decimals(min_value=-100_000, max_value=100_000, places=2)
sizes = st.decimals(min_value=-10, max_value=10, places=3).filter(bool)
prices = st.decimals(min_value=1, max_value=50_000, places=2)
thresholds = st.sampled_from([ONE, Decimal("0.8"), Decimal("0.5")])


@st.composite
def tier_tables(draw: st.DrawFn) -> tuple[MarginTier, ...]:
    """Rising rates with the maintenance amounts of the recursion, as venues publish them."""
    count = draw(st.integers(1, 4))
    edges: set[int] = draw(st.sets(st.integers(1, 300_000), min_size=count - 1, max_size=count - 1))
    floors = [0, *sorted(edges)]
    rates = sorted(draw(st.lists(st.decimals("0.001", "0.9", places=3), min_size=count, max_size=count)))
    tiers = [
        MarginTier(Decimal(floor), None, rate, Decimal(0), Decimal(10))
        for floor, rate in zip(floors, rates, strict=True)
    ]
    return tuple(
        replace(tier, maintenance_amount=amount)
        for tier, amount in zip(tiers, maintenance_amounts(tiers), strict=True)
    )


@exact()
def beyond(collateral: Decimal, other: Decimal, legs: list[Leg], price: Decimal, threshold: Decimal) -> bool:
    """The definition, worked out directly: does the maintenance margin reach threshold × collateral value?"""
    for leg in legs:
        collateral += leg.size * price - leg.cost
        other += maintenance_margin(leg.tiers, abs(leg.size) * price)
    return other >= threshold * collateral


@settings(max_examples=300, deadline=None)
@given(
    amounts,
    amounts.map(abs),
    st.lists(sizes, min_size=1, max_size=2),
    prices,
    prices,
    tier_tables(),
    thresholds,
)
@example(
    Decimal(0),
    Decimal("33089.92"),
    [Decimal("0.001")],
    Decimal(1),
    Decimal(1),
    (MarginTier(Decimal(0), None, Decimal("0.497"), Decimal(0), Decimal(10)),),
    Decimal("0.5"),
)
def test_at_the_stated_price_the_threshold_is_reached_and_one_step_safer_it_is_not(
    collateral: Decimal,
    other: Decimal,
    quantities: list[Decimal],
    entry: Decimal,
    mark: Decimal,
    tiers: tuple[MarginTier, ...],
    threshold: Decimal,
) -> None:
    with exact():
        legs = [Leg(size, size * entry, tiers) for size in quantities]
    found = threshold_prices(collateral, other, legs, mark, threshold)
    with exact():  # a step from a price of eleven digits needs more than the usual 28
        safer_below = None if found.below is None else found.below + STEP
        safer_above = None if found.above is None else found.above - STEP
    for price, safer in ((found.below, safer_below), (found.above, safer_above)):
        if price is not None and safer is not None:
            assert beyond(collateral, other, legs, price, threshold)
            assert not beyond(collateral, other, legs, safer, threshold)


@settings(max_examples=300, deadline=None)
@given(
    amounts,
    amounts.map(abs),
    st.lists(sizes, min_size=1, max_size=2),
    prices,
    prices,
    tier_tables(),
    st.lists(prices, min_size=20, max_size=20),
)
def test_between_the_stated_prices_nothing_is_liquidated(
    collateral: Decimal,
    other: Decimal,
    quantities: list[Decimal],
    entry: Decimal,
    mark: Decimal,
    tiers: tuple[MarginTier, ...],
    probes: list[Decimal],
) -> None:
    with exact():
        legs = [Leg(size, size * entry, tiers) for size in quantities]
    found = threshold_prices(collateral, other, legs, mark)
    at_mark = beyond(collateral, other, legs, mark, ONE)
    low, high = (found.above, found.below) if at_mark else (found.below, found.above)
    for probe in probes:
        if (low is None or probe > low) and (high is None or probe < high):
            assert beyond(collateral, other, legs, probe, ONE) == at_mark


@settings(max_examples=150, deadline=None)
@given(
    st.decimals(1, 50_000, places=2),
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.decimals("0.001", 5, places=3), prices), max_size=5
    ),
    prices,
    prices,
    st.sampled_from(["one_way", "hedge"]),
)
def test_an_account_marked_at_its_liquidation_price_is_liquidatable_and_one_step_safer_is_not(
    deposit: Decimal, fills: list[tuple[str, Decimal, Decimal]], mark: Decimal, other_mark: Decimal, mode: str
) -> None:
    history = History()
    for instrument, price in (("BTC-PERP", mark), ("ETH-PERP", other_mark)):
        history.list_instrument(instrument)
        history.schedule(instrument, ("0", "50000", "0.01", "0", "50"), ("50000", None, "0.05", "2000", "10"))
        history.mark(str(price), instrument)
    history.policy(margin_call_ratio="0.8")
    history.deposit("A", str(deposit))
    history.fill(
        "A",
        "buy",
        "0.5",
        str(other_mark),
        "ETH-PERP",
        **({"position_side": "long"} if mode == "hedge" else {}),
    )
    for side, quantity, price in fills:
        more = {"position_side": "long" if side == "buy" else "short"} if mode == "hedge" else {}
        history.fill("A", side, str(quantity), str(price), **more)
    state = replay_events(history.events)
    market = Market.of(state)

    def marked(price: Decimal) -> AccountMargin:
        prices = {**market.mark_prices, "BTC-PERP": Price(price, 0, START)}
        return evaluate_account(state.accounts["A"], replace(market, mark_prices=prices))

    for position in marked(mark).positions:
        if position.instrument != "BTC-PERP":
            continue
        if position.liquidation_price_below is not None:
            assert marked(position.liquidation_price_below).state in ("liquidatable", "bankrupt")
            safer = marked(position.liquidation_price_below + STEP)
            assert safer.state == "margin_call", safer
        if position.liquidation_price_above is not None:
            assert marked(position.liquidation_price_above).state in ("liquidatable", "bankrupt")
            safer = marked(position.liquidation_price_above - STEP)
            assert safer.state == "margin_call", safer
