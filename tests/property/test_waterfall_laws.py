"""The audit of the waterfall: silent about an engine that keeps to the rules, and about nothing else."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import event as note_event
from hypothesis import strategies as st

from replay.audit import audit
from replay.margin.adl import ADL_RANKS
from replay.venue import SetLeverage
from tests.support.venue import TestVenue, recorded_events
from tests.support.waterfall import Waterfall, places

if TYPE_CHECKING:
    from ledger.events.envelope import Event

WATERFALL_CODES = {
    "takeover_price_wrong",
    "bankruptcy_price_differs",
    "insurance_fund_movement_differs",
    "adl_out_of_rank",
    "adl_while_fund_could_pay",
    "loss_socialised_wrongly",
    "waterfall_step_not_in_policy",
}
CUSTOMERS = tuple("ABCDEFGH")
BASES = ("BTC", "ETH")
_WATERFALLS = (
    ("order_book", "insurance_fund", "adl", "socialised_loss"),
    ("order_book", "adl", "socialised_loss"),
    ("insurance_fund", "socialised_loss"),
    ("adl", "socialised_loss"),
    ("socialised_loss",),
)


def crash_day(seed: int) -> TestVenue:
    """A day on which leveraged positions are built up and prices then fall or rise in gaps."""
    chance = random.Random(seed)
    venue = TestVenue(
        fund=chance.choice(("0", "40", "900", "20000")),
        waterfall=list(chance.choice(_WATERFALLS)),
        adl_rank=chance.choice(ADL_RANKS),
        bankruptcy_allocation=chance.choice(("maintenance_margin", "notional")),
        maintenance_basis=chance.choice(("mark", "entry")),
        loss_allocation="equity",
        **({"partial_fraction": "0.4", "cooldown_seconds": "3"} if chance.random() < 0.25 else {}),
    )
    venue.fees(maker="0.0001", taker="0.0005", liquidation=chance.choice(("0", "0.01")))
    venue.list("ETH", rate="0.08", leverage="8")
    prices = {"BTC": 1000, "ETH": 1000}
    venue.mark("1000", "ETH")
    for account in CUSTOMERS:
        venue.open(
            account, str(chance.randint(300, 3000)), mode=chance.choice(("cross", "cross", "isolated"))
        )
        for base in BASES:
            leverage = chance.randint(1, 10)
            venue.submit(SetLeverage, account=account, instrument=f"{base}-PERP", leverage=Decimal(leverage))
    for _ in range(chance.choice((3, 6))):
        for _ in range(12):
            base = chance.choice(BASES)
            price = str(prices[base] + chance.randint(-8, 8))
            quantity = str(Decimal(chance.randint(200, 6000)) / 1000)
            buyer, seller = chance.sample(CUSTOMERS, 2)
            venue.order(seller, "sell", quantity, price, base)
            venue.order(buyer, "buy", quantity, price, base)
        base = chance.choice(BASES)
        gap = chance.choice((-1, 1)) * chance.randint(10, 240)
        prices[base] = max(prices[base] * (1000 + gap) // 1000, 50)
        venue.mark(str(prices[base]), base)
    return venue


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.integers(0, 10**9))
def test_the_engine_and_the_audit_think_alike_of_every_crash(seed: int) -> None:
    venue = crash_day(seed)
    for draft in venue.drafts:
        if draft.type in {"PositionAutoDeleveraged", "LossSocialised", "InsuranceFundDrawn"}:
            note_event(draft.type)
    report = audit(recorded_events(venue.drafts))
    assert [finding for finding in report.findings if finding.code in WATERFALL_CODES] == []
    assert {each.check for each in report.not_checked} & WATERFALL_CODES == set()


_shorts = st.lists(
    st.tuples(st.integers(1, 60), st.integers(120, 4000), st.integers(1001, 1400)), min_size=2, max_size=7
)


def queued(shorts: list[tuple[int, int, int]], rank: str, order: list[int]) -> tuple[Waterfall, list[Event]]:
    """Return a venue in which the given shorts, (quantity, deposit, entry), are deleveraged in an order."""
    venue = Waterfall(mark="1000", fund="0", policy={"adl_rank": rank, "waterfall": ["adl"]})
    venue.open("X", "900000")
    for number, (quantity, deposit, entry) in enumerate(shorts):
        venue.open(f"S{number}", str(deposit))
        venue.trade("X", "buy", f"S{number}", str(Decimal(quantity) / 10), str(entry))
    venue.mark("1000")
    venue.start("X", "L1")
    events = []
    for number in order:
        data: dict[str, Any] = {
            "liquidation": "L1",
            "bankrupt_account": "X",
            "counterparty_account": f"S{number}",
            "instrument": "BTC-PERP",
            "quantity": "0.1",
            "price": "1000",
            "rank": "1",
            "trade_id": f"D{number}",
        }
        events.append(venue.add("PositionAutoDeleveraged", **data))
    return venue, events


def reference(short: tuple[int, int, int], rank: str) -> Fraction:
    """The score in fractions, from quantity, deposit and entry alone, at a mark of 1,000."""
    quantity, deposit, entry = Fraction(short[0], 10), short[1], short[2]
    pnl = quantity * (entry - 1000)
    leverage = quantity * 1000 / (deposit + pnl)
    gain = pnl / (quantity * entry) if rank == "pnl_leverage" else Fraction(entry, 1000)
    return gain * leverage


@settings(max_examples=40, deadline=None)
@given(_shorts, st.sampled_from(ADL_RANKS), st.randoms(use_true_random=False))
def test_a_queue_in_the_order_of_its_scores_is_in_rank(
    shorts: list[tuple[int, int, int]], rank: str, chance: random.Random
) -> None:
    order = list(range(len(shorts)))
    chance.shuffle(order)  # equal scores in any order
    order.sort(key=lambda number: reference(shorts[number], rank), reverse=True)
    venue, _ = queued(shorts, rank, order)
    assert places(venue, "adl_out_of_rank") == []


@settings(max_examples=40, deadline=None)
@given(_shorts, st.sampled_from(ADL_RANKS), st.randoms(use_true_random=False))
def test_whoever_is_deleveraged_before_a_higher_score_is_found(
    shorts: list[tuple[int, int, int]], rank: str, chance: random.Random
) -> None:
    order = list(range(len(shorts)))
    chance.shuffle(order)
    # Only who keeps to his margin can be passed over.
    safe = [deposit * 20 > quantity * 100 for quantity, deposit, _ in shorts]
    assume(all(safe))
    venue, events = queued(shorts, rank, order)
    scores = [reference(shorts[number], rank) for number in order]
    wrong = [
        (f"S{order[place]}", events[place].sequence)
        for place, score in enumerate(scores)
        if any(later > score for later in scores[place + 1 :])
    ]
    assert places(venue, "adl_out_of_rank") == wrong
