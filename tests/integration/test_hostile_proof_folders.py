"""Folders of proofs that a stranger wrote, or that were damaged: each ends in a verdict, in little memory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import encode
from ledger.errors import EvidenceRefusedError
from replay.commitments import ProofFolder, verify_proof
from replay.solvency import Expected
from replay.solvency.proofs import records
from tests.support.dishonest_venue import TRUST, accepted, published, with_entries
from tests.support.solvency import small_world

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import JsonObject
    from replay.commitments import ProofReport

WORLD = small_world()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(WORLD, tmp_path_factory.mktemp("proofs") / "honest").folder


@pytest.fixture
def private(honest: Path, tmp_path: Path) -> Path:
    """The private part of a copy."""
    shutil.copytree(honest, tmp_path / "proof")
    return tmp_path / "proof" / "private"


def verified(folder: Path) -> ProofReport:
    return verify_proof(ProofFolder(folder), TRUST, expected=Expected())


def claims(account: str, *assets: str) -> bytes:
    owed: JsonObject = dict.fromkeys(assets, "1")
    return encode({"account": account, "claims": owed, "customer": account}) + b"\n"


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


# Only what was checked to its end is said to hold.


def test_what_a_failure_cut_short_is_not_said_to_hold(private: Path) -> None:
    (private / "accounts.ndjson").write_bytes(b"nonsense\n")
    report = verified(private.parent)
    assert not report.ok
    assert not {"accounts", "leaves", "nodes"} & report.checks.keys()
    assert {"accounts", "leaves", "nodes"} <= {each.partition(":")[0] for each in report.not_checked}


def test_leaves_of_other_assets_than_those_of_the_accounts_are_not_said_to_hold(private: Path) -> None:
    (private / "accounts.ndjson").write_bytes(claims("A1", "USDT"))
    report = verified(private.parent)
    assert (report.checks["accounts"], report.checks["nodes"]) == (False, True)
    assert "leaves" not in report.checks


def test_a_check_that_nobody_asked_for_is_not_said_to_hold(private: Path) -> None:
    file = private.parent / "proof.json"
    file.write_bytes(file.read_bytes().replace(b"50000", b"50001"))
    report = verified(private.parent)
    assert not report.ok
    assert not {"witnesses", "compromise"} & report.checks.keys()


# A few bytes do not ask for much memory, and no place is beyond what can be read.


@pytest.mark.parametrize(
    "lines",
    [
        claims("A1", *(f"X{number}" for number in range(1000))),
        b"".join(claims(f"A{number}", "USDT") for number in range(10, 30)),
    ],
    ids=["assets", "customers"],
)
def test_accounts_that_no_tree_of_the_header_holds_are_not_added_up(
    private: Path, lines: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SPARE_BYTES", 0)
    (private / "accounts.ndjson").write_bytes(lines)
    report = verified(private.parent)
    assert report.checks["accounts"] is False
    assert {each.expected for each in report.failures} == {"accounts that the tree holds"}


def test_a_tree_of_a_trillion_leaves_that_is_not_there_is_refused(tmp_path: Path) -> None:
    deep = replace(WORLD.made.header, depth=40)
    root = deep.liabilities_root(WORLD.made.tree.root).hex()
    forged = with_entries(WORLD, {WORLD.sequence: lambda data: data.update(liabilities_root=root)})
    forged = replace(forged, made=replace(WORLD.made, header=deep))
    report = verified(published(forged, tmp_path / "deep").folder)
    assert [(each.check, each.actual) for each in report.failures] == [("nodes", "fewer")]


# Customers' files of a damaged folder.


@pytest.mark.parametrize(
    ("file", "size"),
    [
        ("leaves.ndjson", 0),
        ("leaves.ndjson", 200),
        ("accounts.ndjson", -5),
        ("nodes.bin", 0),
        ("nodes.bin", 300),
    ],
)
def test_no_customer_is_given_a_file_of_a_folder_that_was_cut_off(
    private: Path, file: str, size: int
) -> None:
    cut(private / file, size)
    found = set()
    for account in ("A1", "B1", "C1", "D1", "E1"):
        try:
            accepted(ProofFolder(private.parent).inclusion_of(account))
        except EvidenceRefusedError as error:
            found.add(error.check)
    assert found
    assert found <= {"form", "leaves", "nodes"}


def test_no_customer_is_given_a_path_that_leads_elsewhere(private: Path) -> None:
    nodes = bytearray((private / "nodes.bin").read_bytes())
    width = 32 + 16 * len(WORLD.made.header.assets)
    for level_above_leaves in range(len(WORLD.made.leaves), len(nodes) // width - 1):
        nodes[level_above_leaves * width] ^= 1
    (private / "nodes.bin").write_bytes(nodes)
    for customer in WORLD.customers:
        with pytest.raises(EvidenceRefusedError) as refused:
            ProofFolder(private.parent).inclusion_of(customer)
        assert refused.value.check == "nodes"
