"""A verifier of solvency proofs that was written from the text alone agrees on every published vector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ledger.amounts import format_exact
from tests.support.documents import REPOSITORY
from tests.support.second_solvency_verifier import Refused, check_folder, check_inclusion
from tests.support.solvency import small_world

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = json.loads((REPOSITORY / "docs/spec/vectors/solvency.json").read_text(encoding="utf-8"))


def each(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: str(vector["what"]))


def folder_of(vector: dict[str, Any], folder: Path) -> Path:
    (folder / "proof.json").write_text(vector["proof"], encoding="utf-8", newline="")
    (folder / "commitment.json").write_text(vector["commitment"], encoding="utf-8", newline="")
    (folder / "commitment.tlog-proof").write_text(vector["inclusion"], encoding="utf-8", newline="")
    return folder


def test_there_are_vectors_of_both_kinds() -> None:
    for kind in ("inclusion", "proof"):
        assert len(VECTORS[kind]["hold"]) > 10
        assert len(VECTORS[kind]["refused"]) > 40


@each(VECTORS["inclusion"]["hold"])
def test_an_inclusion_file_that_holds_is_accepted_with_the_same_figures(vector: dict[str, Any]) -> None:
    shown = check_inclusion(vector["file"].encode(), vector["vkey"])
    assert shown == {name: vector[name] for name in ("customer", "owed", "as_of_sequence", "time")}


@each(VECTORS["inclusion"]["refused"])
def test_an_inclusion_file_that_does_not_is_refused_by_the_same_check(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        check_inclusion(vector["file"].encode(), vector["vkey"])
    assert caught.value.check == vector["check"]


@each(VECTORS["proof"]["hold"])
def test_a_folder_that_holds_is_accepted_with_its_figures(vector: dict[str, Any], tmp_path: Path) -> None:
    shown = check_folder(folder_of(vector, tmp_path), vector["vkey"])
    assert shown == {name: vector[name] for name in ("liabilities", "reserves", "solvent")}


@each(VECTORS["proof"]["refused"])
def test_a_folder_that_does_not_is_refused_by_the_same_check(vector: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        check_folder(folder_of(vector, tmp_path), vector["vkey"])
    assert caught.value.check == vector["check"]


@pytest.mark.parametrize("parts", [1, 2, 16])
def test_it_accepts_what_the_program_makes(parts: int) -> None:
    world = small_world(parts=parts)
    for customer in world.customers:
        shown = check_inclusion(world.inclusion(customer).encode(), world.vkeys().splitlines()[0])
        owed = {asset: format_exact(amount) for asset, amount in world.owed(customer).items()}
        assert shown["owed"] == owed
