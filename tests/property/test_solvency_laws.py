"""What must hold between a venue's liabilities and its accounts, whatever happened."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.amounts import exact
from replay.fold import replay_events
from replay.margin import Market
from replay.solvency import LIABLE_KINDS, account_claim, venue_report
from tests.support.random_events import histories

if TYPE_CHECKING:
    from ledger.events.envelope import Event


@given(histories())
@settings(max_examples=150, deadline=None)
def test_liabilities_and_debts_sum_to_the_claims_of_all_accounts(events: list[Event]) -> None:
    state = replay_events(events)
    report = venue_report(state)
    totals: dict[str, Decimal] = {}
    with exact():
        for account in state.accounts.values():
            if account.profile.kind in LIABLE_KINDS:
                for asset, amount in account_claim(Market.of(state), account).amounts.items():
                    totals[asset] = totals.get(asset, Decimal(0)) + amount
        owed = report.negative_equity.amounts
        for asset, total in totals.items():
            assert report.liabilities.get(asset, 0) + owed.get(asset, 0) == total
    assert all(amount > 0 for amount in report.liabilities.values())
    assert all(amount < 0 for amount in report.negative_equity.amounts.values())


@given(histories(), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_solvent_is_only_ever_said_of_what_is_known_and_covered(events: list[Event], age: int) -> None:
    report = venue_report(replay_events(events), maximum_age_seconds=Decimal(age))
    if report.solvent:
        assert report.attestations
        assert not report.undetermined
        assert all(report.reserves.get(asset, -1) >= owed for asset, owed in report.liabilities.items())
    if report.solvent is None:
        assert not report.attestations or report.undetermined
    with exact():  # a product of more than 28 digits would be rounded, and not always down
        for asset, ratio in report.reserve_ratio.items():
            assert ratio is None or ratio * report.liabilities[asset] <= report.reserves[asset]


@given(histories())
@settings(max_examples=50, deadline=None)
def test_the_document_can_be_written_for_every_venue(events: list[Event]) -> None:
    report = venue_report(replay_events(events))
    document = report.document()
    assert document["accounts"] == report.accounts
    assert document["sequence"] == report.sequence
