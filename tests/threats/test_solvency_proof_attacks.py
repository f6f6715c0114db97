"""Attacks on the published proof and its private part: netted debts, altered claims, reserves, padding.

What only the events can find is held to them in tests/integration/test_solvency_against_events.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ledger.clock import format_time
from replay.solvency import (
    SumOverflowError,
    customer_claims,
)
from replay.solvency.proofs.sum_tree import pack
from tests.support.dishonest_venue import (
    AuditorsPart,
    accepted,
    attesting,
    differences,
    owing,
    proof_holds,
    proof_refused_by,
    with_entries,
    with_tree,
)
from tests.support.solvency import CUSTOMERS, START, World, edited, small_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replay.solvency import CustomerClaim

WORLD = small_world()
HEADER = WORLD.made.header
ATTESTED = {each.reserve.asset: each.reserve.sequence for each in WORLD.made.figures.attestations}
BTC, ETH, USDT = (ATTESTED[asset] for asset in ("BTC", "ETH", "USDT"))


def claims_with(changes: Mapping[str, Mapping[str, str]]) -> list[CustomerClaim]:
    """The accounts of the state, some with other claims."""
    return [
        replace(each, claim=replace(each.claim, amounts={a: Decimal(text) for a, text in changed.items()}))
        if (changed := changes.get(each.claim.account)) is not None
        else each
        for each in customer_claims(WORLD.state)
    ]


def test_the_honest_proof_holds_with_all_that_an_auditor_has() -> None:
    checked = proof_holds(WORLD)
    assert checked.solvent is True
    assert differences(WORLD) == []


# Debts that are netted against what others are owed.


def test_dummy_accounts_with_debts_lower_nothing() -> None:
    without = small_world(customers={name: CUSTOMERS[name] for name in CUSTOMERS if name != "dora"})
    dummies = {f"dummy{number}": {f"X{number}": {"USDT": "-1000000"}} for number in range(3)}
    with_dummies = small_world(customers={**CUSTOMERS, **dummies})
    totals = with_dummies.made.commitment.totals
    assert totals["liabilities"] == without.made.commitment.totals["liabilities"]
    assert totals["shortfall"] == {"USDT": Decimal("3000075.5")}
    assert proof_holds(with_dummies).liabilities == proof_holds(without).liabilities


def test_a_debt_of_a_customer_lowers_none_of_the_customers_other_claims() -> None:
    carl = WORLD.inclusion("carl")
    assert accepted(carl).inclusion.owed() == {"USDT": Decimal(20000)}
    assert WORLD.made.commitment.totals["debt_against_collateral"] == {"BTC": Decimal("0.5")}


def test_a_debt_cannot_stand_in_a_leaf() -> None:
    with pytest.raises(SumOverflowError):
        pack([0, 0, -75_500_000])


def test_a_venue_that_nets_a_debt_is_found_by_whose_leaf_it_lowers_and_by_the_auditor() -> None:
    forged = with_tree(WORLD, owing(WORLD, {"ada": {"USDT": "1434.75"}}))  # 1,510.25 less dora's 75.5
    for name in forged.customers:
        shown = accepted(forged.inclusion(name)).inclusion.owed()
        assert (shown == WORLD.owed(name)) == (name != "ada")
    assert accepted(forged.inclusion("ada")).inclusion.owed()["USDT"] == Decimal("1434.75")
    proof_holds(forged)
    (found,) = differences(forged)
    assert found.check == "leaves"
    assert found.expected.startswith("customer ada: 0.125 BTC, 1510.25 USDT")
    assert found.actual == "leaves of 0.125 BTC, 1434.75 USDT"


def test_debts_that_are_kept_quiet_about_are_missed_in_the_totals() -> None:
    for name in ("shortfall", "debt_against_collateral"):
        forged = with_tree(WORLD, totals={name: {}})
        proof_holds(forged)
        (found,) = differences(forged)
        assert (found.check, found.expected) == ("accounts", f"{name} nothing")


# A claim that is altered everywhere.


def test_a_claim_that_is_altered_everywhere_is_left_to_its_owner_and_to_the_events() -> None:
    """Nothing in the proof contradicts itself: §8.3 of the specification is for this."""
    forged = with_tree(WORLD, owing(WORLD, {"berta": {"ETH": "1"}}))
    altered = AuditorsPart.of(forged, claims_with({"B1": {"ETH": "1"}}))
    assert differences(forged, altered) == []
    proof_holds(forged)
    for name in forged.customers:
        accepted(forged.inclusion(name))
    assert forged.made.commitment.state_root == WORLD.made.commitment.state_root
    (found,) = differences(forged)  # with the claims that the events come to
    assert "customer berta: 3.000000000000000001 ETH" in found.expected


# Reserves.


def test_an_attestation_that_is_given_twice_is_refused() -> None:
    assert proof_refused_by(WORLD, attesting(WORLD, [BTC, ETH, USDT, USDT])) == "attestations"
    assert proof_refused_by(WORLD, attesting(WORLD, [USDT, ETH, BTC])) == "attestations"


def two_of_one_holding(*, older: str, latest: str) -> World:
    """ETH's attestation is made one of the holding that USDT's, which is the later one, is of."""
    return with_entries(
        WORLD,
        {
            ETH: lambda data: data.update(asset="USDT", amount=older),
            USDT: lambda data: data.update(amount=latest),
        },
    )


def committing_to_reserves(world: World, reserves: Mapping[str, str]) -> World:
    def commit(data: dict[str, Any]) -> None:
        data["totals"]["reserves"] = dict(reserves)

    return with_entries(world, {world.sequence: commit})


def test_two_attestations_of_one_holding_are_not_counted_together() -> None:
    both = committing_to_reserves(
        two_of_one_holding(older="50000", latest="50000"), {"BTC": "50000", "USDT": "100000"}
    )
    assert ETH < USDT
    assert proof_refused_by(both, attesting(both, [BTC, ETH, USDT])) == "attestations"


def test_an_older_attestation_of_a_holding_holds_until_the_events_are_read() -> None:
    forged = committing_to_reserves(
        two_of_one_holding(older="90000", latest="10"), {"BTC": "50000", "USDT": "90000"}
    )
    checked = proof_holds(forged, attesting(forged, [BTC, ETH]))
    assert checked.reserves["USDT"] == Decimal(90000)


@pytest.mark.parametrize(
    "change",
    [
        {"as_of": format_time(START - timedelta(days=2))},
        {"as_of": format_time(START + timedelta(days=2))},
        {"encumbered": "20000"},
        {"amount": "49999.99"},
    ],
    ids=["stale", "of the future", "encumbered", "of less"],
)
def test_reserves_that_do_not_count_are_not_among_the_totals(change: dict[str, str]) -> None:
    forged = with_entries(WORLD, {USDT: lambda data: data.update(change)})
    assert proof_refused_by(forged) == "reserves"


def test_a_greater_age_that_would_make_an_attestation_fresh_is_not_the_committed_one() -> None:
    stale = {USDT: lambda data: data.update(as_of=format_time(START - timedelta(days=2)))}
    honest = committing_to_reserves(with_entries(WORLD, stale), {"BTC": "50000", "ETH": "50000"})
    assert proof_holds(honest).solvent is False
    older = edited(honest.solvency_proof().encode(), "header", "maximum_age_seconds", to="864000")
    assert proof_refused_by(honest, older) == "liabilities_root"


def test_an_attestation_that_is_left_out_is_missed_in_the_totals() -> None:
    assert proof_refused_by(WORLD, attesting(WORLD, [BTC, ETH])) == "reserves"
    assert proof_refused_by(WORLD, attesting(WORLD, [])) == "reserves"
    less = committing_to_reserves(WORLD, {"BTC": "50000", "ETH": "50000"})
    assert proof_holds(less, attesting(less, [BTC, ETH])).solvent is False  # the events show it, too


@pytest.mark.parametrize("sequence", [0, 1, WORLD.sequence, WORLD.sequence + 1])
def test_an_event_that_attests_nothing_is_no_attestation(sequence: int) -> None:
    assert proof_refused_by(WORLD, attesting(WORLD, [sequence])) == "attestations"


def test_an_attestation_of_another_log_is_refused() -> None:
    theirs = small_world(origin="other.example/perpetuals").solvency_proof().attestations
    spliced = replace(WORLD.solvency_proof(), attestations=theirs).encode()
    assert proof_refused_by(WORLD, spliced) == "attestations"
    planted = with_entries(WORLD, {}, ledgers={USDT: "other.example/perpetuals"})
    assert proof_refused_by(planted) == "attestations"


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given | {"entry": given["entry"].replace('"50000"', '"60000"')},
        lambda given: given | {"path": given["path"][:-1]},
        lambda given: given | {"path": [*given["path"], "0" * 64]},
        lambda given: given | {"path": given["path"][::-1]},
        lambda given: given | {"entry": given["entry"] + " "},
    ],
    ids=["another amount", "shorter path", "longer path", "turned path", "not canonical"],
)
def test_an_attestation_that_is_not_in_the_log_as_it_stands_is_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    assert proof_refused_by(WORLD, edited(WORLD.solvency_proof().encode(), "attestations", 0, to=change)) == (
        "attestations"
    )


def test_an_attestation_after_the_state_does_not_count_in_it() -> None:
    early = with_tree(WORLD, header={"as_of_sequence": USDT - 1})
    committed = with_entries(early, {early.sequence: lambda data: data.update(as_of_sequence=str(USDT - 1))})
    assert proof_refused_by(committed) == "attestations"


# The root of the published proof.


def test_sums_of_the_published_root_are_the_committed_ones() -> None:
    proof = WORLD.solvency_proof().encode()
    for amount, check in (("1", "liabilities_root"), ("-1", "form"), ("171" + "0" * 18, "sum")):
        assert proof_refused_by(WORLD, edited(proof, "root", "sums", "ETH", to=amount)) == check
    assert proof_refused_by(WORLD, edited(proof, "root", "hash", to="0" * 64)) == "liabilities_root"
    for change in ({"parts": 2}, {"depth": 2}, {"undetermined": ["BTC"]}):
        changed = edited(proof, "header", to=lambda header, change=change: header | change)
        assert proof_refused_by(WORLD, changed) == "liabilities_root"


def test_assets_that_are_not_decided_leave_the_verdict_open_and_cannot_be_dropped() -> None:
    forged = with_tree(WORLD, header={"undetermined": ("ETH",)})
    assert proof_holds(forged).solvent is None
    dropped = edited(forged.solvency_proof().encode(), "header", "undetermined", to=[])
    assert proof_refused_by(forged, dropped) == "liabilities_root"
