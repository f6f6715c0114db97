"""Whatever a venue is told to do, nothing is created or lost and its drafts say everything it did."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import event as note_event
from hypothesis import strategies as st

from ledger.amounts import ONE, ZERO, exact
from replay.audit import audit
from replay.findings import Severity
from replay.fold import fold
from replay.margin import evaluate
from replay.state import snapshot
from replay.venue import AdjustMargin, Outcome, SetLeverage, SetMarginMode
from tests.support.venue import START, TestVenue, equity_at_marks, open_quantities, recorded_events

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.state import VenueState

ACCOUNTS = ("A", "B", "C", "D", "fund")
BASES = ("BTC", "ETH")
_WATERFALLS = (
    ("order_book", "insurance_fund", "adl", "socialised_loss"),
    ("order_book", "insurance_fund", "socialised_loss"),
    ("adl", "socialised_loss"),
    ("socialised_loss",),
)
_policies = st.fixed_dictionaries(
    {
        "liquidation_boundary": st.sampled_from(["at", "above"]),
        "waterfall": st.sampled_from(_WATERFALLS).map(list),
        "adl_rank": st.sampled_from(["pnl_leverage", "price_leverage"]),
        "bankruptcy_allocation": st.sampled_from(["maintenance_margin", "notional"]),
        "maintenance_basis": st.sampled_from(["mark", "entry"]),
        "margin_call_ratio": st.sampled_from(["0.5", "0.8"]),
    },
    optional={
        "partial_fraction": st.sampled_from(["0.25", "0.9"]),
        "cooldown_seconds": st.just("5"),
        "loss_allocation": st.just("equity"),
    },
)


class _Script:
    """Commands drawn from a seed, weighted so that positions build up and prices sometimes jump.

    A seed and a number of steps shrink worse than drawn commands, but reach liquidations far more often.
    """

    def __init__(self, seed: int, venue: TestVenue) -> None:
        self._random = random.Random(seed)
        self._venue = venue

    def step(self) -> Outcome:
        kinds = {
            self._order: 10,
            self._mark: 4,
            self._deposit: 1,
            self._withdraw: 1,
            self._funding: 1,
            self._cancel: 2,
            self._margin: 1,
            self._leverage: 1,
            self._mode: 1,
            self._unwind: 1,
        }
        (kind,) = self._random.choices(list(kinds), weights=list(kinds.values()))
        return kind()

    def _account(self) -> str:
        return self._random.choice(ACCOUNTS[:-1])

    def _base(self) -> str:
        return self._random.choice(BASES)

    def _mark_price(self, base: str) -> Decimal:
        return self._venue.engine.state.mark_prices[f"{base}-PERP"].price

    def _near_mark(self, base: str, per_mille: int) -> str:
        away = self._random.randint(-per_mille, per_mille)
        half_ticks = int(self._mark_price(base) * (1000 + away) // 500)
        return str(Decimal(max(half_ticks, 1)) / 2)

    def _order(self) -> Outcome:
        base = self._base()
        return self._venue.order(
            self._account(),
            self._random.choice(("buy", "sell")),
            str(Decimal(self._random.randint(1, 9_000)) / 1000),
            self._near_mark(base, 15) if self._random.randrange(6) else None,
            base,
            reduce_only=self._random.randrange(12) == 0,
            post_only=self._random.randrange(12) == 0,
        )

    def _mark(self) -> Outcome:
        base = self._base()
        return self._venue.mark(self._near_mark(base, self._random.choice((5, 5, 30, 150))), base)

    def _deposit(self) -> Outcome:
        return self._venue.deposit(
            self._random.choice(ACCOUNTS), str(Decimal(self._random.randint(1, 10**9)) / 10**6)
        )

    def _withdraw(self) -> Outcome:
        return self._venue.withdraw(
            self._random.choice(ACCOUNTS), str(Decimal(self._random.randint(1, 10**9)) / 10**6)
        )

    def _funding(self) -> Outcome:
        return self._venue.fund_interval(
            str(Decimal(self._random.randint(-(10**6), 10**6)) / 10**8), self._base()
        )

    def _cancel(self) -> Outcome:
        return self._venue.cancel(f"O{self._random.randint(1, 40)}")

    def _margin(self) -> Outcome:
        amount = Decimal(self._random.randint(1, 300)) * self._random.choice((1, -1))
        return self._venue.submit(
            AdjustMargin, account=self._account(), instrument=f"{self._base()}-PERP", amount=amount
        )

    def _leverage(self) -> Outcome:
        return self._venue.submit(
            SetLeverage,
            account=self._account(),
            instrument=f"{self._base()}-PERP",
            leverage=Decimal(self._random.randint(1, 12)),
        )

    def _mode(self) -> Outcome:
        return self._venue.submit(
            SetMarginMode,
            account=self._account(),
            instrument=f"{self._base()}-PERP",
            margin_mode=self._random.choice(("cross", "isolated")),
        )

    def _unwind(self) -> Outcome:
        base = self._base()
        held = self._venue.held("fund", base)
        return self._venue.order(
            "fund", "sell" if held > 0 else "buy", str(abs(held) or 1), None, base, reduce_only=True
        )


@st.composite
def venues(draw: st.DrawFn) -> TestVenue:
    """A venue that has been through anything."""
    policy: dict[str, Any] = draw(_policies)
    venue = TestVenue(fund=draw(st.sampled_from(["0", "300", "50000"])), **policy)
    venue.fees(maker="0.0002", taker="0.0007", liquidation=draw(st.sampled_from(["0", "0.01"])))
    venue.record(
        "FundingScheduleSet",
        effective_at=START,
        interval_seconds="28800",
        interest_rate="0.0001",
        clamp="0.0005",
    )
    venue.list("ETH", rate="0.08", leverage="8")
    venue.mark("1000", "ETH")
    for account in ACCOUNTS[:-1]:
        venue.open(
            account, str(draw(st.integers(500, 4_000))), mode=draw(st.sampled_from(["cross", "isolated"]))
        )
    script = _Script(draw(st.integers(0, 10**6)), venue)
    for _ in range(draw(st.sampled_from((10, 60, 160)))):
        for draft in script.step().drafts:
            note_event(draft.type)
    return venue


_several = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@_several
@given(venues())
def test_cash_comes_and_goes_only_by_deposits_and_withdrawals(venue: TestVenue) -> None:
    moved = ZERO
    with exact():
        for draft in venue.drafts:
            data: Any = draft.data
            if draft.type == "DepositRecorded":
                moved += data.amount
            elif draft.type == "WithdrawalRecorded":
                moved -= data.amount
        assert sum(equity_at_marks(venue.drafts).values(), ZERO) == moved


@_several
@given(venues())
def test_the_positions_of_every_instrument_sum_to_zero(venue: TestVenue) -> None:
    totals = {f"{base}-PERP": ZERO for base in BASES}
    for (_, instrument), quantity in open_quantities(venue.drafts).items():
        totals[instrument] += quantity
    assert set(totals.values()) == {ZERO}


@_several
@given(venues())
def test_the_drafts_folded_are_the_engines_own_books(venue: TestVenue) -> None:
    state = fold(recorded_events(venue.drafts)).state
    assert snapshot(state) == snapshot(venue.engine.state)
    assert state.anomaly_counts == {}
    equities = equity_at_marks(venue.drafts)
    for name in ACCOUNTS:
        rebuilt = evaluate(state, name, with_prices=False).total_equity
        # The cost of a position is kept at 18 places; cash and marks alone are not rounded.
        assert rebuilt is not None
        assert abs(rebuilt - equities.get(name, ZERO)) < Decimal("1e-12")


@_several
@given(venues())
def test_after_every_command_nobody_is_left_over_the_boundary(venue: TestVenue) -> None:
    if any(each.partial_fraction < 1 for each in venue.engine._venue.policies):
        return
    for name in ACCOUNTS[:-1]:
        margin = evaluate(venue.engine.state, name, with_prices=False)
        assert margin.state in {"healthy", "margin_call"}, margin
        for position in margin.positions:
            assert position.state in {"healthy", "margin_call"}, position


@_several
@given(venues())
def test_a_whole_liquidation_leaves_neither_position_nor_debt(venue: TestVenue) -> None:
    under_way: list[Any] = []

    def look(state: VenueState, event: Event) -> None:
        data: Any = event.data
        if under_way and event.correlation != under_way[0].liquidation:
            started = under_way.pop()
            account = state.accounts[started.account]
            if started.scope == "account":
                assert account.balances.get("USDT", ZERO) == 0
                assert all(account.margin_mode(key[0]) == "isolated" for key in account.positions)
            else:
                assert (started.instrument, "both") not in account.positions
        if event.type == "LiquidationStarted" and "partial" not in data.reason:
            under_way.append(data)

    fold(recorded_events(venue.drafts), before=(look,))


@_several
@given(venues())
def test_an_audit_that_knows_nothing_of_the_engine_has_no_objection(venue: TestVenue) -> None:
    """It may call too large what the engine closed whole because the book took nothing of the part.

    Where the rate falls with the size, the part would have been enough even at the fund's price. What
    the fund holds may lose all that it has, which is no mistake of the engine.
    """
    report = audit(recorded_events(venue.drafts), max_latency_seconds=ONE)
    objections = {finding.code for finding in report.findings if finding.severity is Severity.ERROR}
    partial = any(policy.partial_fraction < 1 for policy in venue.engine._venue.policies)
    allowed = {"liquidation_too_large"} if partial else set()
    assert objections <= allowed | {"insurance_fund_negative"}
    assert {liquidation.verdict for liquidation in report.liquidations} <= {"justified"}
