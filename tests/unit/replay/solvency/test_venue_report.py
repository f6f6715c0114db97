from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from replay.fold import replay_events
from replay.solvency import VenueReport, venue_report
from tests.support.events import START, History


def venue() -> History:
    """``A`` long and ``B`` short one BTC from 50,000, marked at 51,000; the fund and the house have cash."""
    history = History()
    history.list_instrument()
    for account, kind in (("A", "customer"), ("B", "market_maker"), ("F", "insurance_fund"), ("H", "house")):
        history.add("AccountOpened", account=account, margin_mode="cross", position_mode="one_way", kind=kind)
        history.deposit(account, "5000")
    history.fill("A", "buy", "1", "50000")
    history.fill("B", "sell", "1", "50000")
    history.mark("51000")
    return history


def attest(history: History, amount: str, *, age_seconds: int = 0, **more: Any) -> None:
    holding = {"asset": "USDT", "custodian": "bank", "attester": "auditor", **more}
    as_of = START + timedelta(seconds=len(history.events) - age_seconds)
    history.add("ReserveAttested", amount=amount, as_of=as_of, **holding)


def report(history: History, **options: Any) -> VenueReport:
    return venue_report(replay_events(history.events), **options)


def codes(found: VenueReport) -> set[str]:
    return {note.code for note in found.notes}


def test_liabilities_are_wallets_and_unrealised_pnl_of_customers_and_market_makers() -> None:
    found = report(venue())
    assert found.liabilities == {"USDT": 10_000}  # 5,000 + 1,000 and 5,000 − 1,000
    assert found.insurance_fund == {"USDT": 5_000}
    assert found.accounts == 4
    assert found.negative_equity.amounts == {}


def test_isolated_margin_and_its_pnl_are_part_of_the_claim() -> None:
    history = venue()
    history.add("MarginModeSet", account="C", instrument="BTC-PERP", margin_mode="isolated")
    history.deposit("C", "700")
    history.add("MarginAdjusted", account="C", instrument="BTC-PERP", amount="300", reason="entry")
    history.fill("C", "buy", "0.1", "50000")
    assert report(history).liabilities == {"USDT": 10_000 + 700 + 100}


def test_what_one_owes_never_lowers_what_another_is_owed() -> None:
    history = venue()
    history.mark("60000")
    found = report(history)
    assert found.liabilities == {"USDT": 15_000}
    assert found.negative_equity.by_account == {"B": {"USDT": -5_000}}
    assert found.negative_equity.amounts == {"USDT": -5_000}
    assert "negative_equity" in codes(found)


def test_assets_of_one_account_are_not_netted() -> None:
    history = venue()
    history.deposit("D", "1", "BTC")
    history.add("WithdrawalRecorded", account="D", asset="USDT", amount="40")
    found = report(history)
    assert found.liabilities == {"USDT": 10_000, "BTC": 1}
    assert found.negative_equity.by_account == {"D": {"USDT": -40}}


def test_an_inverse_position_is_a_claim_on_its_settlement_asset() -> None:
    history = History()
    history.list_instrument("BTC-INVERSE", contract="inverse", quote="USD", settlement_asset="BTC")
    history.deposit("A", "1", "BTC")
    history.fill("A", "buy", "10000", "10000", "BTC-INVERSE")
    history.mark("12500", "BTC-INVERSE")
    assert report(history).liabilities == {"BTC": Decimal("1.2")}


@pytest.mark.parametrize(
    ("amount", "ratio", "solvent"),
    [("10000", "1", True), ("9999.999999", "0.9999999999", False), ("12500", "1.25", True)],
)
def test_covered_is_decided_on_amounts(amount: str, ratio: str, *, solvent: bool) -> None:
    history = venue()
    attest(history, amount)
    found = report(history)
    assert found.solvent is solvent
    assert found.reserves == {"USDT": Decimal(amount)}
    assert found.reserve_ratio == {"USDT": Decimal(ratio)}


def test_a_ratio_never_says_more_than_is_there() -> None:
    history = venue()
    attest(history, "9999.999999999999999999")
    assert report(history).reserve_ratio == {"USDT": Decimal("0.999999999999")}


def test_what_is_encumbered_covers_nothing_and_holdings_add_up() -> None:
    history = venue()
    attest(history, "9000", encumbered="500")
    attest(history, "1000", custodian="vault", address="a1")
    attest(history, "100", custodian="vault", address="a2", encumbered="200")
    found = report(history)
    assert found.reserves == {"USDT": 9_500}
    assert found.solvent is False


def test_only_the_latest_attestation_of_a_holding_counts() -> None:
    history = venue()
    attest(history, "20000", age_seconds=5)
    attest(history, "9000")
    assert report(history).solvent is False


def test_without_any_attestation_solvency_is_not_decided() -> None:
    found = report(venue())
    assert found.solvent is None
    assert found.reserve_ratio == {"USDT": None}
    assert "no_reserves_attested" in codes(found)


@pytest.mark.parametrize(("age", "solvent"), [(86_400, True), (86_401, False)])
def test_an_attestation_counts_for_a_day(age: int, *, solvent: bool) -> None:
    history = venue()
    attest(history, "10000", age_seconds=age)
    found = report(history)
    assert found.solvent is solvent
    assert ("attestation_stale" in codes(found)) is not solvent
    assert found.attestations[0].age_seconds == age
    assert report(history, maximum_age_seconds=Decimal(100_000)).solvent is True


def test_an_attestation_of_a_time_to_come_does_not_count() -> None:
    history = venue()
    attest(history, "10000", age_seconds=-60)
    found = report(history)
    assert found.solvent is False
    assert "attestation_of_the_future" in codes(found)


def test_every_asset_with_liabilities_has_to_be_covered() -> None:
    history = venue()
    attest(history, "10000")
    history.deposit("A", "1", "BTC")
    found = report(history)
    assert found.solvent is False
    assert "asset_not_attested" in codes(found)
    assert found.reserve_ratio == {"USDT": 1, "BTC": None}


def test_reserves_without_liabilities_have_no_ratio() -> None:
    history = History()
    attest(history, "5")
    found = report(history)
    assert found.solvent is True
    assert found.reserve_ratio == {"USDT": None}


def test_a_missing_price_leaves_solvency_undecided_but_not_what_is_known_to_be_uncovered() -> None:
    history = venue()
    history.list_instrument("ETH-PERP")
    history.fill("A", "buy", "1", "2500", "ETH-PERP")
    attest(history, "1000000")
    found = report(history)
    assert found.undetermined == {"USDT"}
    assert found.solvent is None
    assert "no_mark_price" in codes(found)
    history.deposit("A", "1", "BTC")
    assert report(history).solvent is False


def test_a_mark_that_the_policy_calls_stale_is_no_price() -> None:
    history = venue()
    history.policy(mark_max_age_seconds="60")
    attest(history, "1000000")
    history.deposit("A", "1")
    assert report(history).solvent is True
    history.add(
        "DepositRecorded", account="A", asset="USDT", amount="1", occurred_at=START + timedelta(hours=1)
    )
    assert report(history).solvent is None


def test_books_in_doubt_leave_solvency_undecided() -> None:
    history = venue()
    attest(history, "1000000")
    history.fill("A", "buy", "1", "1", "UNLISTED")
    found = report(history)
    assert found.solvent is None
    assert "instrument_not_listed" in codes(found)


def test_accounts_of_outside_are_no_accounts_of_the_venue() -> None:
    history = venue()
    history.add("SourceDeclared", source="feed", coverage="one_sided", description="")
    history.add(
        "FillRecorded",
        system="feed",
        account="A",
        instrument="BTC-PERP",
        side="sell",
        quantity="1",
        price="51000",
        purpose="trade",
    )
    found = report(history)
    assert found.accounts == 4
    assert found.accounts_by_kind["external"] == 1
    assert found.liabilities == {"USDT": 10_000}
    assert "source_one_sided" in codes(found)


def test_the_document_has_the_fixed_fields() -> None:
    history = venue()
    attest(history, "10000")
    document = report(history).document()
    assert document["schema"] == "replay.venue/1"
    assert document["liabilities"] == document["reserves"] == {"USDT": "10000"}
    assert document["reserve_ratio"] == {"USDT": "1"}
    assert document["insurance_fund"] == {"USDT": "5000"}
    assert document["negative_equity"] == {"accounts": 0, "amounts": {}, "by_account": {}}
    assert document["solvent"] is True
    assert document["sequence"] == history.events[-1].sequence
    assert document["accounts"] == 4
