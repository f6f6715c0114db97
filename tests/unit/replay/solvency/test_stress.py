from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import InvalidInputError
from replay.fold import replay_events
from replay.solvency import (
    HAIRCUTS,
    PRICE_MOVES,
    StressReport,
    StressScenario,
    solvency_under_stress,
    venue_report,
)
from tests.support.events import START, History


def venue(*, valuation_currency: str = "USDT") -> History:
    """``A`` long and ``B`` short one BTC from its mark of 50,000 with 10,000 each; the fund has 1,000.

    Either is bankrupt beyond a move of 20 %: what the winner is owed then exceeds what both paid in.
    """
    history = History(valuation_currency=valuation_currency)
    history.list_instrument()
    for account, kind in (("A", "customer"), ("B", "market_maker"), ("F", "insurance_fund")):
        history.add("AccountOpened", account=account, margin_mode="cross", position_mode="one_way", kind=kind)
    for account, amount in (("A", "10000"), ("B", "10000"), ("F", "1000")):
        history.deposit(account, amount)
    history.fill("A", "buy", "1", "50000")
    history.fill("B", "sell", "1", "50000")
    history.mark("50000")
    return history


def attest(history: History, amount: str, asset: str = "USDT", **more: Any) -> None:
    as_of = START + timedelta(seconds=len(history.events))
    history.add(
        "ReserveAttested", asset=asset, custodian="bank", attester="x", amount=amount, as_of=as_of, **more
    )


def stressed(history: History, **options: Any) -> StressReport:
    return solvency_under_stress(replay_events(history.events), **options)


def at(report: StressReport, move: str, haircut: str = "0") -> StressScenario:
    (found,) = [
        each for each in report.scenarios if each.move == Decimal(move) and each.haircut == Decimal(haircut)
    ]
    return found


def breaking(report: StressReport) -> dict[str, tuple[str | None, str | None]]:
    def side(scenario: StressScenario | None) -> str | None:
        return None if scenario is None else str(scenario.move)

    return {str(each.haircut): (side(each.down), side(each.up)) for each in report.breaking_moves()}


def codes(report: StressReport) -> set[str]:
    return {note.code for note in report.notes}


@pytest.mark.parametrize(
    ("move", "liabilities", "shortfall"),
    [
        ("-0.5", 35_000, -15_000),  # B: 10,000 + 25,000; A: 10,000 − 25,000
        ("-0.3", 25_000, -5_000),
        ("-0.2", 20_000, 0),  # A has nothing left and owes nothing
        ("-0.1", 20_000, 0),  # 5,000 and 15,000
        ("0", 20_000, 0),
        ("0.2", 20_000, 0),
        ("0.5", 35_000, -15_000),
    ],
)
def test_beyond_a_bankruptcy_more_is_owed_though_the_sum_of_claims_stays(
    move: str, liabilities: int, shortfall: int
) -> None:
    claims = at(stressed(venue()), move).claims
    assert claims.liabilities == {"USDT": liabilities}
    assert claims.negative_equity == ({"USDT": shortfall} if shortfall else {})
    assert claims.accounts_owing == bool(shortfall)
    assert claims.insurance_fund == {"USDT": 1_000}


def test_the_verdict_by_move_and_haircut() -> None:
    history = venue()
    attest(history, "25000")
    report = stressed(history)
    solvent = {(str(each.move), str(each.haircut)): each.solvent for each in report.scenarios}
    assert len(solvent) == len(PRICE_MOVES) * len(HAIRCUTS)
    # 25,000, 22,500 and 20,000 cover 20,000; 12,500 do not. 25,000 cover 25,000.
    inside = {str(move) for move in PRICE_MOVES if abs(move) <= Decimal("0.2")}
    outside = {"-0.30", "0.30"}
    assert {pair for pair, each in solvent.items() if each} == {
        *((move, haircut) for move in inside for haircut in ("0.00", "0.10", "0.20")),
        *((move, "0.00") for move in outside),
    }
    assert breaking(report) == {
        "0.00": ("-0.50", "0.50"),
        "0.10": ("-0.30", "0.30"),
        "0.20": ("-0.30", "0.30"),
        "0.50": ("0.00", "0.00"),
    }


def test_ratios_are_of_reserves_after_the_haircut_and_rounded_down() -> None:
    history = venue()
    attest(history, "25000")
    scenario = at(
        stressed(history, price_moves=[Decimal("-0.35")], haircuts=[Decimal("0.1")]), "-0.35", "0.1"
    )
    assert scenario.reserves == {"USDT": 22_500}
    assert scenario.reserve_ratio == {"USDT": Decimal("0.818181818181")}  # 22,500 ÷ 27,500
    assert scenario.asset_to_liability_ratio == Decimal("0.818181818181")
    assert (scenario.failing, scenario.fails_first) == (("USDT",), "USDT")


def test_the_insurance_fund_covers_nothing_and_moves_with_its_positions() -> None:
    history = venue()
    history.fill("F", "buy", "0.1", "50000")
    attest(history, "34500")
    scenario = at(stressed(history), "-0.5")
    assert scenario.claims.insurance_fund == {"USDT": -1_500}
    assert scenario.claims.liabilities == {"USDT": 35_000}
    assert scenario.solvent is False


def test_an_inverse_claim_is_computed_at_the_moved_mark() -> None:
    history = History(valuation_currency="USD")
    inverse = {"contract": "inverse", "quote": "USD", "settlement_asset": "BTC"}
    history.list_instrument("BTC-INVERSE", **inverse)
    history.deposit("A", "1", "BTC")
    history.deposit("B", "1", "BTC")
    history.fill("A", "buy", "10000", "10000", "BTC-INVERSE")
    history.fill("B", "sell", "10000", "10000", "BTC-INVERSE")
    history.mark("10000", "BTC-INVERSE")
    report = stressed(history, price_moves=map(Decimal, ("-0.6", "-0.5", "0.25")))
    # PnL of the long is 1 − 10,000 ÷ P: −1.5, −1 and 0.2.
    assert at(report, "-0.6").claims.liabilities == {"BTC": Decimal("2.5")}
    assert at(report, "-0.6").claims.negative_equity == {"BTC": Decimal("-0.5")}
    assert at(report, "-0.5").claims.liabilities == {"BTC": 2}
    assert at(report, "0.25").claims.liabilities == {"BTC": 2}


def test_recorded_conversion_prices_move_and_the_valuation_currency_does_not() -> None:
    history = venue()
    history.deposit("A", "1", "BTC")
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USDT", price="50000")
    attest(history, "20000")
    attest(history, "2", "BTC")
    report = stressed(history, price_moves=map(Decimal, ("-0.1", "0")))
    assert (report.moved_assets, report.still_assets) == (("BTC",), ("USDT",))
    assert at(report, "0").asset_to_liability_ratio == Decimal("1.714285714285")  # 120,000 ÷ 70,000
    assert at(report, "-0.1").asset_to_liability_ratio == Decimal("1.692307692307")  # 110,000 ÷ 65,000
    assert at(report, "-0.1").reserve_ratio == {"USDT": 1, "BTC": 2}


def test_a_stablecoin_moves_only_where_its_price_is_recorded() -> None:
    history = venue(valuation_currency="USD")
    attest(history, "20000")
    unpriced = stressed(history)
    assert (unpriced.moved_assets, unpriced.still_assets) == ((), ("USDT",))
    assert at(unpriced, "0").asset_to_liability_ratio is None
    assert at(unpriced, "0").solvent is True
    (note,) = [note for note in unpriced.notes if note.code == "no_asset_price"]
    assert (note.subject, "no price of USDT in USD" in note.message) == ("asset/USDT", True)
    history.add("AssetPriceUpdated", asset="USDT", valuation_currency="USD", price="1")
    priced = stressed(history)
    assert (priced.moved_assets, priced.still_assets) == (("USDT",), ())
    assert at(priced, "-0.5").asset_to_liability_ratio == Decimal("0.571428571428")  # 20,000 ÷ 35,000


def test_plenty_of_one_asset_covers_no_other() -> None:
    history = venue()
    history.add("AssetPriceUpdated", asset="BTC", valuation_currency="USDT", price="50000")
    attest(history, "19999")
    attest(history, "100", "BTC")
    scenario = at(stressed(history), "0")
    assert scenario.asset_to_liability_ratio is not None
    assert scenario.asset_to_liability_ratio > 200
    assert (scenario.solvent, scenario.fails_first) == (False, "USDT")


def test_the_asset_that_is_covered_worst_fails_first() -> None:
    history = venue()
    history.deposit("A", "10", "BTC")
    history.deposit("A", "10", "ETH")
    history.deposit("A", "10", "SOL")
    attest(history, "20000")
    attest(history, "9", "ETH")
    attest(history, "8", "BTC")
    assert at(stressed(history), "0").failing == ("SOL", "BTC", "ETH")  # nothing, 80 % and 90 %
    assert at(stressed(history), "-0.5", "0.5").failing == ("SOL", "USDT", "BTC", "ETH")


def test_what_is_encumbered_or_old_counts_for_nothing_before_any_haircut() -> None:
    history = venue()
    attest(history, "30000", encumbered="10000")
    history.add(
        "ReserveAttested",
        asset="USDT",
        custodian="old",
        attester="x",
        amount="9",
        as_of=START - timedelta(seconds=86_400),
    )
    report = stressed(history)
    assert at(report, "0", "0.1").reserves == {"USDT": 18_000}
    assert "attestation_stale" in codes(report)
    assert at(stressed(history, maximum_age_seconds=Decimal(100_000)), "0").reserves == {"USDT": 20_009}


def test_without_attestations_nothing_is_decided_under_any_move() -> None:
    report = stressed(venue())
    assert {each.solvent for each in report.scenarios} == {None}
    assert {each.asset_to_liability_ratio for each in report.scenarios} == {None}
    assert set(breaking(report).values()) == {(None, None)}
    assert "no_reserves_attested" in codes(report)


def test_a_missing_mark_leaves_every_scenario_undecided() -> None:
    history = venue()
    history.list_instrument("ETH-PERP")
    history.fill("A", "buy", "1", "2500", "ETH-PERP")
    attest(history, "1000000")
    report = stressed(history)
    assert {each.solvent for each in report.scenarios} == {None}
    assert all(each.claims.undetermined == {"USDT"} for each in report.scenarios)
    assert [note.code for note in report.notes] == ["no_mark_price"]


def test_an_option_stands_still_and_leaves_its_asset_unknown_once_prices_move() -> None:
    history = venue()
    option = {"kind": "option", "strike": "50000", "option_type": "put", "base": "BTC", "index": "BTC"}
    history.list_instrument("BTC-PUT", expires_at="2026-06-26T08:00:00Z", **option)
    history.fill("A", "buy", "1", "3000", "BTC-PUT")
    history.mark("4000", "BTC-PUT")
    attest(history, "1000000")
    report = stressed(history)
    assert at(report, "0").solvent is True
    assert at(report, "-0.1").claims.liabilities == {"USDT": 21_000}  # the option's profit of 1,000 stays
    assert {each.solvent for each in report.scenarios if each.move} == {None}
    assert report.still_options == ("BTC-PUT",)
    assert "option_not_valued" in codes(report)


def test_the_least_breaking_move_is_the_nearest_and_not_the_first_that_was_asked() -> None:
    history = venue()
    attest(history, "20000")
    moves = [Decimal(text) for text in ("0.9", "-0.9", "0.3", "-0.21", "-0.25", "0.1", "0.1")]
    report = stressed(history, price_moves=moves, haircuts=[Decimal(0)])
    assert report.moves == tuple(map(Decimal, ("-0.9", "-0.25", "-0.21", "0.1", "0.3", "0.9")))
    assert breaking(report) == {"0": ("-0.21", "0.3")}
    assert report.unstressed is None


@pytest.mark.parametrize(
    "options",
    [
        {"price_moves": [Decimal(-1)]},
        {"price_moves": []},
        {"haircuts": [Decimal(1)]},
        {"haircuts": [Decimal("-0.1")]},
        {"haircuts": []},
    ],
)
def test_impossible_moves_and_haircuts_are_refused(options: dict[str, list[Decimal]]) -> None:
    with pytest.raises(InvalidInputError):
        stressed(venue(), **options)


def test_the_state_stays_as_it_is() -> None:
    history = venue()
    attest(history, "25000")
    state = replay_events(history.events)
    before = state.copy()
    solvency_under_stress(state)
    assert state == before
    assert venue_report(state) == venue_report(before)


def test_the_document_holds_every_scenario() -> None:
    history = venue()
    attest(history, "25000")
    document = stressed(
        history, price_moves=[Decimal("-0.3"), Decimal(0)], haircuts=[Decimal("0.1")]
    ).document()
    assert document["schema"] == "replay.solvency.stress/1"
    assert (document["moves"], document["haircuts"]) == (["-0.3", "0"], ["0.1"])
    assert document["breaking_moves"] == [
        {"haircut": "0.1", "down": "-0.3", "down_fails_first": "USDT", "up": None, "up_fails_first": None}
    ]
    scenarios = document["scenarios"]
    assert isinstance(scenarios, list)
    assert scenarios[0] == {
        "move": "-0.3",
        "haircut": "0.1",
        "solvent": False,
        "asset_to_liability_ratio": "0.9",
        "fails_first": "USDT",
        "failing": ["USDT"],
        "liabilities": {"USDT": "25000"},
        "reserves": {"USDT": "22500"},
        "reserve_ratio": {"USDT": "0.9"},
        "negative_equity": {"accounts": 1, "amounts": {"USDT": "-5000"}},
        "insurance_fund": {"USDT": "1000"},
        "undetermined": [],
    }
