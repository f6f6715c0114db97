"""A verdict on a proof names what was checked, and nothing else as checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replay.commitments import ProofFolder, ProofReport, verify_proof
from replay.commitments.verification import CHECKS, NOT_TO_THE_END, RECORD_CHECKS
from replay.solvency import Expected
from tests.support.dishonest_venue import TRUST, published
from tests.support.solvency import edited, small_world

if TYPE_CHECKING:
    from pathlib import Path

NOT_ASKED_FOR = {"witnesses", "compromise", "age"}
ALWAYS = [check for check in CHECKS if check not in NOT_ASKED_FOR]
WORLD = small_world()


@pytest.fixture
def folder(tmp_path: Path) -> ProofFolder:
    return published(WORLD, tmp_path / "proof")


def verdict(folder: ProofFolder, expected: Expected | None = None) -> ProofReport:
    return verify_proof(folder, TRUST, expected=expected or Expected())


def test_of_a_proof_that_holds_all_is_checked_but_what_nobody_asked_for(folder: ProofFolder) -> None:
    report = verdict(folder)
    assert report.ok
    assert [*report.checks] == [*ALWAYS, *RECORD_CHECKS]


def test_checks_after_the_one_that_fails_are_not_made_and_not_said_to_hold(folder: ProofFolder) -> None:
    file = folder.folder / "proof.json"
    file.write_bytes(edited(file.read_bytes(), "header", "projection", to="another"))
    made = ALWAYS[: ALWAYS.index("header")]
    assert verdict(folder).checks == {**dict.fromkeys(made, True), "header": False}


def test_what_is_too_old_held_until_then(folder: ProofFolder) -> None:
    report = verdict(folder, Expected(not_before_sequence=WORLD.sequence + 1))
    assert report.checks == {**dict.fromkeys(ALWAYS, True), "age": False}


@pytest.mark.parametrize(("name", "made"), [("accounts.ndjson", set()), ("leaves.ndjson", {"accounts"})])
def test_a_private_part_that_cannot_be_read_to_its_end_is_not_said_to_hold(
    folder: ProofFolder, name: str, made: set[str]
) -> None:
    file = folder.folder / "private" / name
    file.write_bytes(file.read_bytes() + b"{}\n" if name == "accounts.ndjson" else b"{}\n")
    report = verdict(folder)
    assert report.checks["form"] is False
    assert {*RECORD_CHECKS} & report.checks.keys() == made
    for check in {*RECORD_CHECKS} - made:
        assert f"{check}: {NOT_TO_THE_END}" in report.not_checked


def test_claims_that_no_leaf_can_show_leave_the_leaves_unchecked(folder: ProofFolder) -> None:
    file = folder.folder / "private" / "accounts.ndjson"
    file.write_bytes(file.read_bytes().replace(b'"USDT":"1500.25"', b'"USDT":"1500.25","XRP":"1"'))
    report = verdict(folder)
    assert {check: report.checks.get(check) for check in RECORD_CHECKS} == {
        "accounts": False,
        "leaves": None,
        "nodes": True,
    }
    assert f"leaves: {NOT_TO_THE_END}" in report.not_checked


def test_a_proof_whose_leaves_are_gone_is_not_in_its_form(folder: ProofFolder) -> None:
    (folder.folder / "private" / "leaves.ndjson").write_bytes(b"")
    assert verdict(folder).checks["leaves"] is False
