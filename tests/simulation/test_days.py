"""The synthetic days themselves: what is in them, and that they keep the rules by their own books."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.events.envelope import prepare
from tests.simulation.days import KINDS, build_day
from tests.simulation.days.amounts import EXACT, ZERO
from tests.simulation.days.books import Books
from tests.simulation.days.margin import bands_of, figures_of, initial_margin
from tests.simulation.days.recording import draft_of, recorded
from tests.simulation.days.records import SECOND, Moment
from tests.simulation.days.terms import LATENCY_SECONDS, VALUATION, Tier
from tests.simulation.days.venue import UNJUDGED

if TYPE_CHECKING:
    from tests.simulation.days import BuiltDay
    from tests.simulation.days.books import Unit
    from tests.simulation.days.margin import Figures
    from tests.simulation.days.records import Record

SEED = 5
TYPES = {
    "AccountOpened",
    "AccountStateReported",
    "AssetListed",
    "AssetPriceUpdated",
    "CollateralScheduleSet",
    "DepositRecorded",
    "FeeCharged",
    "FeeScheduleSet",
    "FillRecorded",
    "FundingPaid",
    "FundingScheduleSet",
    "FundingSettled",
    "IndexPriceUpdated",
    "InstrumentListed",
    "InsuranceFundContributed",
    "InsuranceFundDrawn",
    "InterestAccrued",
    "LastPriceUpdated",
    "LedgerOpened",
    "LeverageSet",
    "LiquidationExecuted",
    "LiquidationStarted",
    "LossSocialised",
    "MarginAdjusted",
    "MarginCallCured",
    "MarginCallIssued",
    "MarginModeSet",
    "MarginScheduleSet",
    "MarkPriceUpdated",
    "OrderAccepted",
    "OrderCancelled",
    "OrderRejected",
    "PositionAutoDeleveraged",
    "PriceBarRecorded",
    "PriceOverridden",
    "ReserveAttested",
    "RiskPolicySet",
    "SourceDeclared",
    "SourceTotalsReported",
    "TradeExecuted",
    "TransferRecorded",
    "WithdrawalRecorded",
}


@pytest.fixture(scope="module")
def day() -> BuiltDay:
    return build_day(SEED)


def of(day: BuiltDay, event_type: str) -> list[dict[str, Any]]:
    return [record.data for record in day.records if record.type == event_type]


def test_the_same_seed_gives_the_same_day_and_another_gives_another(day: BuiltDay) -> None:
    assert build_day(SEED).records == day.records
    assert build_day(SEED + 1).records != day.records


@pytest.mark.parametrize("events", [10_000, 50_000])
def test_a_day_has_as_many_events_as_were_asked_for(events: int) -> None:
    assert abs(len(build_day(SEED, events).records) - events) <= events / 100


def test_sequence_order_is_time_order_and_every_event_has_an_id_of_its_own(day: BuiltDay) -> None:
    assert [record.sequence for record in day.records] == list(range(len(day.records)))
    times = [record.occurred for record in day.records]
    assert times == sorted(times)
    assert len({record.id for record in day.records}) == len(day.records)
    assert day.records[0].type == "LedgerOpened"


def test_every_kind_of_event_occurs(day: BuiltDay) -> None:
    assert {record.type for record in day.records} == TYPES


def test_liquidations_of_all_kinds_occur(day: BuiltDay) -> None:
    decisions = of(day, "LiquidationStarted")
    takeovers = [each["takeovers"] for each in of(day, "LiquidationExecuted")]
    counterparties = {takeover["counterparty_account"] for each in takeovers for takeover in each}
    assert {each["scope"] for each in decisions} == {"account", "position"}
    assert any(len(each) > 1 for each in takeovers)
    assert "fund" in counterparties
    assert any(each.startswith("maker") for each in counterparties)
    assert min(day.steps.values()) >= 10
    assert {each["purpose"] for each in of(day, "FillRecorded")} == {"trade", "liquidation", "adl"}
    assert any("reference" in each for each in of(day, "FeeCharged"))
    assert any("instrument" in each for each in of(day, "MarginCallIssued"))


def test_nothing_is_created_or_lost(day: BuiltDay) -> None:
    """Balances less cost of positions are what was paid in, less what was paid out; in every asset."""
    with localcontext(EXACT):
        totals = dict.fromkeys(day.books.flows, ZERO)
        for account in day.books.accounts.values():
            for asset, amount in account.wallet.items():
                totals[asset] += amount
            for position in account.positions.values():
                totals["USDT"] += position.margin - position.cost
        totals["USDT"] += day.books.uncollected
        assert totals == day.books.flows
        assert day.books.uncollected == 0


def test_every_contract_that_is_held_is_owed(day: BuiltDay) -> None:
    held: Counter[str] = Counter()
    for account in day.books.accounts.values():
        for name, position in account.positions.items():
            held[name] += position.quantity  # type: ignore[assignment]  # a Counter adds decimals as well
    assert set(held.values()) == {ZERO}


def test_every_record_is_an_event_of_the_catalogue(day: BuiltDay) -> None:
    for event in recorded(day.records[::97]):
        assert prepare(draft_of(event), event.id).type == event.type


def test_the_package_knows_the_ledgers_events_and_nothing_of_replay() -> None:
    imported = {}
    for path in sorted((Path(__file__).parent / "days").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update({alias.name: path.name for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported[node.module or ""] = path.name
    own = {name for name in imported if name.startswith("tests.simulation.days")}
    ledgers = {name for name in imported if name.startswith("ledger.events.") or name == "ledger.clock"}
    assert {imported[name] for name in ledgers} == {"recording.py"}
    assert {name.partition(".")[0] for name in set(imported) - own - ledgers} <= sys.stdlib_module_names


@pytest.mark.parametrize("seed", range(1, 4))
def test_on_a_day_without_faults_the_engine_keeps_its_own_rules_after_every_event(seed: int) -> None:
    with localcontext(EXACT):
        assert Watch().problems_of(build_day(seed).records) == []


@pytest.mark.parametrize(
    "kind",
    [
        "liquidation_late",
        "liquidation_missed",
        "liquidation_unjustified",
        "margin_call_missing",
        "margin_call_unjustified",
        "order_below_requirement",
    ],
)
def test_what_is_planted_shows_after_the_event_that_it_began_with(kind: str) -> None:
    day = build_day(SEED, 10_000, [kind])
    with localcontext(EXACT):
        problems = Watch().problems_of(day.records)
    [fault] = day.planted
    assert problems
    assert all(f"{fault.account}" in each for each in problems)


def test_faults_are_planted_of_every_kind() -> None:
    day = build_day(SEED, kinds=KINDS)
    assert {each.code for each in day.planted} == set(KINDS)
    assert len(day.records) == pytest.approx(50_000, rel=0.01)


class Watch:
    """Walks through a day event by event, and times how long units lack margin."""

    def __init__(self) -> None:
        self.books = Books()
        self.problems: list[str] = []
        self._schedules: list[tuple[int, str, str, tuple[Tier, ...]]] = []
        self._liquidated: dict[str, str] = {}
        self._losses: dict[str, dict[str, Decimal]] = {}
        self._bands: dict[str, dict[Unit, tuple[Decimal, Decimal]]] = {}
        self._states: dict[Unit, tuple[str, int, bool]] = {}

    def problems_of(self, records: list[Record]) -> list[str]:
        """Return what was not done in time, or done without reason, in words."""
        for record in records:
            self._prepare(record)
            self._judge(record)
            self.books.apply(record.type, record.data)
            self._after(record)
        return self.problems

    def _prepare(self, record: Record) -> None:
        data = record.data
        if record.type == "MarginScheduleSet":
            tiers = tuple(
                Tier(
                    row["notional_floor"],
                    row.get("notional_cap"),
                    row["maintenance_margin_rate"],
                    row["maintenance_amount"],
                    row["max_leverage"],
                )
                for row in data["tiers"]
            )
            effective: Moment = data["effective_at"]
            self._schedules.append((effective.microseconds, data["instrument"], str(record.id), tiers))
        for schedule in [each for each in self._schedules if each[0] <= record.occurred]:
            self._schedules.remove(schedule)
            _, name, event_id, tiers = schedule
            self.books.schedules[name] = (event_id, tiers)
            self.books.touched.update(account.unit(name) for account in self.books.holders(name))

    def _judge(self, record: Record) -> None:
        """Judge an event by the state that it meets."""
        data = record.data
        unit = (data.get("account", ""), data.get("instrument"))
        state, since, _ = self._states.get(unit, ("well", 0, False))
        if record.type == "LiquidationStarted":
            if state != "over" or record.occurred - since > LATENCY_SECONDS * SECOND:
                self._problem(record, f"{unit} is liquidated, {state} since {since}")
        elif record.type == "MarginCallIssued":
            if state == "well":
                self._problem(record, f"{unit} is called")
            self._states[unit] = (state, since, True)
        elif record.type == "MarginCallCured" and state != "well":
            self._problem(record, f"the call of {unit} ends")

    def _after(self, record: Record) -> None:
        data, books = record.data, self.books
        if record.type == "LossSocialised":
            shares = self._losses.setdefault(data["liquidation"], {})
            shares.update({row["account"]: row["amount"] for row in data["allocations"]})
            if data["part"] == data["parts"]:
                books.socialise(self._liquidated[data["liquidation"]], data["asset"], shares)
        elif record.type == "LiquidationStarted":
            self._liquidated[data["liquidation"]] = data["account"]
        elif record.type == "MarkPriceUpdated":
            for unit, (low, high) in self._bands.get(data["instrument"], {}).items():
                if not low < data["price"] < high:
                    books.touched.add(unit)
        elif record.type == "AssetPriceUpdated" and data["asset"] == "BTC":
            books.touched.update(
                (name, None) for name, each in books.accounts.items() if "BTC" in each.wallet
            )
        elif record.type in ("WithdrawalRecorded", "TransferRecorded", "OrderAccepted"):
            self._requirement(record, data.get("account") or data["from_account"])
        for unit in list(books.touched):
            if unit[0] not in UNJUDGED:
                self._look(unit, record)
        books.touched.clear()

    def _requirement(self, record: Record, name: str) -> None:
        account = self.books.accounts[name]
        required = initial_margin(self.books, account)
        reduces = record.data.get("reduce_only", False)
        if required and not reduces and figures_of(self.books, (name, None)).collateral < required:
            self._problem(record, f"{name} is below its initial margin")

    def _look(self, unit: Unit, record: Record) -> None:
        figures: Figures = figures_of(self.books, unit)
        state = "over" if figures.over else "in call" if figures.in_call else "well"
        for name, band in bands_of(self.books, unit, figures).items():
            self._bands.setdefault(name, {})[unit] = band
        before, since, called = self._states.get(unit, ("well", 0, False))
        if state == before:
            return
        if before == "in call" and not called and record.occurred - since > LATENCY_SECONDS * SECOND:
            self._problem(record, f"{unit} was in call since {since} and not called")
        if before == "over" and record.occurred - since > LATENCY_SECONDS * SECOND:
            self._problem(record, f"{unit} was over the boundary since {since}")
        self._states[unit] = (state, record.occurred, False)

    def _problem(self, record: Record, words: str) -> None:
        self.problems.append(f"{record.sequence} {record.type} at {record.occurred}: {words}")


def test_the_valuation_currency_is_not_what_contracts_settle_in(day: BuiltDay) -> None:
    assert VALUATION == "USD"
    dollars = [each for each in of(day, "AssetPriceUpdated") if each["asset"] == "USDT"]
    assert 10 <= len(dollars) <= 50
