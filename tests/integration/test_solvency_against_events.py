"""Proofs of solvency of a real ledger, held to its events: what only they can find is found, by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger.errors import NotFoundError
from replay.commitments import ProofFolder, new_proof, record_commitment, replay_ledger, write_proof
from replay.solvency import Expected, check_inclusion_file, make_tree
from replay.state.snapshot import PROJECTION_VERSION
from tests.support.keys import policy
from tests.support.ledgers import open_ledger
from tests.support.proved_venue import (
    ACCOUNTS,
    KEYS,
    LAST,
    PLAN,
    Venue,
    failed,
    proved_venue,
    said,
    venue_day,
    verified,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replay.state.venue_state import VenueState


@pytest.fixture(scope="module")
def venue(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with proved_venue(database_server_url, tmp_path_factory.mktemp("venue")) as opened:
        yield opened


def owe(account: str, asset: str, amount: str) -> Callable[[VenueState], None]:
    """Alter one balance by an amount."""

    def change(state: VenueState) -> None:
        own = state.accounts[account]
        changed = {**own.balances, asset: own.balances.get(asset, Decimal(0)) + Decimal(amount)}
        state.accounts[account] = replace(own, balances=changed)

    return change


def without(account: str) -> Callable[[VenueState], None]:
    """Leave an account out."""

    def change(state: VenueState) -> None:
        del state.accounts[account]

    return change


# The honest proof.


def test_the_honest_proof_holds_against_the_events(venue: Venue) -> None:
    report = verified(venue.proof, venue.ledger, venue.kept())
    assert (report.ok, failed(report), report.failures) == (True, set(), [])
    assert {
        "chain",
        "log_root",
        "state_root",
        "subjects_root",
        "claims",
        "liabilities",
    } <= report.checks.keys()
    assert {"attestations", "totals", "undetermined", "time"} <= report.checks.keys()
    assert report.solvent is True


def test_every_customer_finds_the_claims_of_all_their_accounts_together(venue: Venue) -> None:
    owed = {}
    for account, customer in ACCOUNTS.items():
        file = venue.proof.inclusion_of(account).encode()
        checked = check_inclusion_file(file, policy(KEYS[0]), Expected(customer=customer))
        owed[customer] = checked.inclusion.owed()
    assert owed == {
        "ada": {"USDT": Decimal("21499.5")},  # 20,000 − 1 of fees + 2 × 500, and 500.5
        "berta": {"USDT": Decimal(58699)},  # 60,000 − 1 of fees − 2 × 500 − 3 × 100
        "carl": {"USDT": Decimal(9299), "BTC": Decimal("1.25")},
        "dora": {},
    }
    totals = venue.proved.made.commitment.totals
    assert totals["liabilities"] == {"USDT": Decimal("89497.5"), "BTC": Decimal("1.25")}
    assert totals["shortfall"] == {"USDT": Decimal(75)}


def test_a_corrected_attestation_is_given_as_its_correction(venue: Venue) -> None:
    made, attested = venue.proved.made, venue.proved.recorded.attestations
    assert made.figures.reserves == {"USDT": Decimal(100_000), "BTC": Decimal("1.5")}
    assert [b"CorrectionRecorded" in each.entry for each in attested] == [False, True]
    assert verified(venue.proof).checks["attestations"]


# A fill that was changed, with everything computed anew and signed again.


@pytest.fixture(scope="module")
def rewritten(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """The same ledger, but for one trade, half as large: all hashes, roots and signatures are new."""
    with proved_venue(database_server_url, tmp_path_factory.mktemp("rewritten"), quantity="1") as opened:
        yield opened


def test_a_rewritten_history_holds_together_in_itself(rewritten: Venue) -> None:
    report = verified(rewritten.proof, rewritten.ledger)
    assert (report.ok, report.failures) == (True, [])


def test_a_checkpoint_that_was_kept_finds_the_rewritten_history(venue: Venue, rewritten: Venue) -> None:
    report = verified(rewritten.proof, rewritten.ledger, venue.kept())
    assert failed(report) == {"log_root"}
    ((expected, actual),) = said(report, "log_root")
    assert expected.startswith(venue.kept().checkpoint.root_hash.hex())
    assert actual.endswith("of kept")


def test_the_proof_from_before_names_whom_the_changed_fill_touches(venue: Venue, rewritten: Venue) -> None:
    report = verified(venue.proof, rewritten.ledger)
    # What Ada has less Berta has more: the sums are the same, and only the names tell the claims apart.
    assert failed(report) == {"log_root", "state_root", "subjects_root", "claims"}
    assert said(report, "claims") == [
        ("account A1: 20499 USDT, of customer ada", "account A1: 20999 USDT, of customer ada"),
        ("account B1: 59199 USDT, of customer berta", "account B1: 58699 USDT, of customer berta"),
    ]


# Proofs of other claims than those of the events; without them each holds.


def test_an_account_that_is_left_out_is_named(venue: Venue) -> None:
    folder = venue.proof_of("omitted", without("B1"))
    assert verified(folder).ok
    with pytest.raises(NotFoundError):
        folder.inclusion_of("berta")
    report = verified(folder, venue.ledger)
    assert failed(report) == {"claims", "liabilities", "totals"}
    assert said(report, "claims") == [
        ("account B1: 58699 USDT, of customer berta", "no such account in the proof")
    ]


def test_one_account_of_two_that_is_left_out_is_named_though_the_customer_is_there(
    venue: Venue,
) -> None:
    folder = venue.proof_of("one of two", without("A2"))
    assert verified(folder).ok
    assert folder.inclusion_of("ada").owed() == {"USDT": Decimal(20999)}
    assert said(verified(folder, venue.ledger), "claims") == [
        ("account A2: 500.5 USDT, of customer ada", "no such account in the proof")
    ]


def test_an_invented_account_is_named(venue: Venue) -> None:
    def invent(state: VenueState) -> None:
        state.accounts["E1"] = replace(state.accounts["A2"], account="E1")

    report = verified(venue.proof_of("invented", invent), venue.ledger)
    assert said(report, "claims") == [("no account E1", "account E1: 500.5 USDT, of customer ada")]


def test_an_altered_balance_is_named(venue: Venue) -> None:
    folder = venue.proof_of("altered", owe("C1", "BTC", "-0.25"))
    assert verified(folder).ok
    report = verified(folder, venue.ledger)
    assert failed(report) == {"claims", "liabilities", "totals"}
    assert said(report, "claims") == [
        (
            "account C1: 1.25 BTC, 9299 USDT, of customer carl",
            "account C1: 1 BTC, 9299 USDT, of customer carl",
        )
    ]
    assert said(report, "liabilities") == [("1.25 BTC, 89497.5 USDT", "1 BTC, 89497.5 USDT")]


def test_a_debt_that_is_netted_against_another_customers_claim_is_named(venue: Venue) -> None:
    def net(state: VenueState) -> None:
        owe("D1", "USDT", "75")(state)
        owe("A1", "USDT", "-75")(state)

    folder = venue.proof_of("netted", net)
    assert verified(folder).ok
    assert folder.inclusion_of("ada").owed() == {"USDT": Decimal("21424.5")}
    report = verified(folder, venue.ledger)
    assert [expected for expected, _ in said(report, "claims")] == [
        "account A1: 20999 USDT, of customer ada", "account D1: -75 USDT, of customer dora",
    ]  # fmt: skip


def test_a_claim_that_is_moved_to_another_customer_is_named_though_every_total_is_right(venue: Venue) -> None:
    def move(state: VenueState) -> None:
        own = state.accounts["A2"]
        state.accounts["A2"] = replace(own, profile=replace(own.profile, customer="carl"))

    report = verified(venue.proof_of("moved", move), venue.ledger)
    assert failed(report) == {"claims"}
    assert said(report, "claims") == [
        ("account A2: 500.5 USDT, of customer ada", "account A2: 500.5 USDT, of customer carl")
    ]


# Without the private part the events still say that the sums are wrong, but not whose.


def test_the_sums_are_compared_without_the_private_part_too(venue: Venue, tmp_path: Path) -> None:
    folder = venue.proof_of("public only", owe("C1", "BTC", "-0.5"))
    for name in ("proof.json", "commitment.json", "commitment.tlog-proof"):
        (tmp_path / name).write_bytes((folder.folder / name).read_bytes())
    report = verified(ProofFolder(tmp_path), venue.ledger)
    assert "claims" not in report.checks
    assert failed(report) == {"liabilities", "totals"}


# Reserves.


def of_older_attestation(state: VenueState) -> None:
    key = ("USDT", "bank", "")
    latest = state.reserves[key]
    state.reserves[key] = replace(
        latest, amount=Decimal(500_000), encumbered=None, sequence=latest.sequence - 1
    )


def test_an_older_attestation_instead_of_the_latest_is_found(venue: Venue) -> None:
    folder = venue.proof_of("older attestation", of_older_attestation)
    report = verified(folder)
    assert report.ok
    assert report.checked is not None
    assert report.checked.reserves["USDT"] == Decimal(500_000)
    against_events = verified(folder, venue.ledger)
    assert failed(against_events) == {"attestations", "totals"}


def test_an_attestation_that_is_left_out_is_found(venue: Venue) -> None:
    folder = venue.proof_of("no attestation", lambda state: state.reserves.clear())
    assert verified(folder).ok
    assert verified(folder).solvent is None
    assert failed(verified(folder, venue.ledger)) == {"attestations", "totals"}


def test_an_attestation_that_was_corrected_since_is_not_the_latest(venue: Venue) -> None:
    def as_first_recorded(state: VenueState) -> None:
        key = ("BTC", "bank", "")
        corrected = state.reserves[key]
        state.reserves[key] = replace(corrected, amount=Decimal(9), sequence=corrected.sequence - 1)

    folder = venue.proof_of("corrected since", as_first_recorded)
    assert verified(folder).ok
    assert failed(verified(folder, venue.ledger)) == {"attestations", "totals"}


# Other headers, rules and totals, and another log.


def test_time_scales_and_undetermined_assets_are_those_of_the_events(venue: Venue) -> None:
    def younger(state: VenueState) -> None:
        state.occurred_at -= timedelta(seconds=10)

    def finer(state: VenueState) -> None:
        state.assets["USDT"] = Decimal(8)

    def in_doubt(state: VenueState) -> None:
        state.unapplied_corrections = 1

    for name, change, check in (("younger", younger, "time"), ("finer", finer, "assets")):
        assert failed(verified(venue.proof_of(name, change), venue.ledger)) == {check}
    undecided = verified(venue.proof_of("in doubt", in_doubt), venue.ledger)
    assert said(undecided, "undetermined") == [("no asset", "BTC, USDT")]
    assert failed(undecided) == {"undetermined"}


def proved_with(venue: Venue, name: str, *, version: int, **further: dict[str, Decimal]) -> ProofFolder:
    """The folder of a proof that is honest, but for the number of its rules and totals beside the others."""
    replayed = replay_ledger(venue.ledger, LAST)
    made = make_tree(replayed.state, replayed.histories, PLAN)
    header = replace(made.header, projection_version=version)
    commitment = replace(
        made.commitment,
        projection_version=version,
        liabilities_root=header.liabilities_root(made.tree.root),
        totals={**made.commitment.totals, **further},
    )
    recorded = record_commitment(
        venue.ledger, commitment, made.figures.attestations, venue.signing.keys, venue.signing.checkpoints,
        clock=venue.signing.clock,
    )  # fmt: skip
    with new_proof(venue.folder / name) as beside:
        write_proof(beside, replayed.state, replace(made, header=header), recorded)
    return ProofFolder(venue.folder / name)


def test_a_state_by_rules_that_nobody_has_is_no_verdict_on_the_events_but_one_on_the_log(
    venue: Venue, database_url: str
) -> None:
    folder = proved_with(venue, "other rules", version=99)
    report = verified(folder, venue.ledger, venue.kept())
    assert (report.ok, report.other_rules) == (True, True)
    assert {"chain", "log_root"} <= report.checks.keys()
    assert not {"state_root", "claims", "liabilities", "time"} & report.checks.keys()
    assert any("margin-state version 99" in each for each in report.not_checked)
    with open_ledger(database_url) as other:
        other.append(venue_day(quantity="3"))
        assert failed(verified(folder, other)) == {"log_root"}


def test_totals_that_no_check_knows_are_named(venue: Venue) -> None:
    folder = proved_with(venue, "boast", version=PROJECTION_VERSION, equity={"USDT": Decimal(10**9)})
    report = verified(folder, venue.ledger)
    assert report.ok
    assert any(each.endswith("does not know: equity") for each in report.not_checked)


def test_a_log_that_was_cut_off_is_not_the_one_of_the_checkpoint(venue: Venue, database_url: str) -> None:
    with open_ledger(database_url) as shorter:
        shorter.append(venue_day()[:-4])
        report = verified(venue.proof, shorter)
    assert failed(report) == {"chain"}
